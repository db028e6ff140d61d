"""What merging adds to a contact's timeline."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm.contacts import masking
from crm.contacts.models import ChannelIdentity, Contact
from crm.contacts.timeline import Entry, Kind
from crm.merging.models import MergeRecord
from crm.staff.models import User


def dropped_name(record: MergeRecord) -> str:
    """What the contact that went was called, as whoever looks may see it; its number after an undo."""
    name = str(record.summary.get("name") or "")
    return masking.name(name) if name else f"#{record.dropped_id}"


def lost_value(name: str, value: object) -> str:
    """A value that gave way, as whoever looks may see it."""
    return masking.name(str(value)) if name == "name" else str(value)


def account_name(account: ChannelIdentity) -> str:
    """What an account is called: its number, else its username, else its id."""
    number = masking.phone(f"+{account.wa_id}") if account.wa_id else ""
    return number or masking.name(account.username) or account.user_id or account.channel


def _merges(contact: Contact, user: User) -> QuerySet[MergeRecord]:
    return MergeRecord.objects.filter(kept=contact).select_related("merged_by")


def _entries(records: Sequence[MergeRecord]) -> list[Entry]:
    return [
        Entry(
            _("Merged with “%(name)s”") % {"name": dropped_name(record)},
            record.merged_by.name if record.merged_by else "",
            _("Taken back") if record.undone_at else "",
            icon="users",
        )
        for record in records
    ]


MERGES = Kind("merge", "changes", "merged_at", _merges, _entries)
