"""A person's addresses in audit entries of what concerns many; entries about the person go by `crm.audit.keeping`."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from crm.audit import keeping
from crm.foundation.search import search_text
from crm.privacy.person import Person


def forget_addresses(model: type[Model], pks: Iterable[Any], person: Person) -> None:
    """Entries about these rows stay without this person's addresses. Call it in the erasure's transaction."""
    with keeping.opened():
        entries = keeping.entries()
        for entry in entries.filter(model=model._meta.label_lower, object_id__in=[str(pk) for pk in pks]):
            before = {"object_name": entry.object_name, "changes": entry.changes}
            after = person.without_addresses(before)
            if after != before:
                words = search_text(entry.user_name, after["object_name"], entry.object_id)
                entries.filter(pk=entry.pk).update(**after, search_text=words)
