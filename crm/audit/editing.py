"""Two people at one form: what the other changed is kept, and where both changed the same field, both are shown."""

import json
from typing import Any

from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

SEEN = "_seen"
_SHOWN = 120


class KeepsOthersChanges(ModelForm):
    """Mixed into every change form of the administration. It carries a fingerprint of each value as it was shown.

    On saving, with the row locked: a field that somebody else changed since keeps their value if one has not touched
    it, and is an error that shows both values if one has (`conflicts` names them; the second try then wins).
    """

    conflicts: tuple[str, ...] = ()

    @property
    def seen(self) -> str:
        """The fingerprints of the values as they stand, for the hidden field."""
        return json.dumps({name: _fingerprint(self._stands(name)) for name in self.fields}, separators=(",", ":"))

    def _post_clean(self) -> None:
        seen = self._seen_by_user()
        for name in list(self.cleaned_data):
            stands, wanted = self._stands(name), self.cleaned_data[name]
            if name not in seen or seen[name] == _fingerprint(stands) or _plain(stands) == _plain(wanted):
                continue
            if _fingerprint(wanted) == seen[name]:
                del self.cleaned_data[name]  # theirs stays
                continue
            self.conflicts += (name,)
            self.add_error(name, _both(stands, wanted))
        super()._post_clean()  # type: ignore[misc]

    def _seen_by_user(self) -> dict[str, str]:
        try:
            seen = json.loads(self.data.get(SEEN, "") or "{}")
        except ValueError:
            return {}
        return seen if isinstance(seen, dict) else {}

    def _stands(self, name: str) -> Any:
        return self.get_initial_for_field(self.fields[name], name)


def _both(theirs: Any, yours: Any) -> str:
    """What to say where two people changed one field."""
    sentence = _("Somebody else has meanwhile written “%(theirs)s”, you “%(yours)s”. Save again to keep yours.")
    return sentence % {"theirs": _words(theirs), "yours": _words(yours)}


def _fingerprint(value: Any) -> str:
    text = json.dumps(_plain(value), default=str, sort_keys=True)
    return salted_hmac(SEEN, text, algorithm="sha256").hexdigest()[:12]


def _plain(value: Any) -> Any:
    """One form for what a form starts with and what it has cleaned: keys for rows, text for the rest."""
    if value is None:
        return ""
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, list | tuple | set | QuerySet):
        plain = [_plain(one) for one in value]
        return sorted(plain) if all(isinstance(one, str) for one in plain) else plain
    return value if isinstance(value, bool | dict) else str(value)


def _words(value: Any) -> str:
    if isinstance(value, list | tuple | QuerySet):
        return ", ".join(str(one) for one in value)[:_SHOWN]
    return "" if value is None else str(value)[:_SHOWN]
