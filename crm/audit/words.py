"""The audit log for reading: what each act and each field is called."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.audit.fields import FIELDS
from crm.audit.models import AuditEntry

ACTIONS = {
    "created": gettext_lazy("Created"),
    "changed": gettext_lazy("Changed"),
    "deleted": gettext_lazy("Deleted"),
    "denied": gettext_lazy("Denied"),
    "signed_in": gettext_lazy("Signed in"),
    "signed_out": gettext_lazy("Signed out"),
    "sign_in_failed": gettext_lazy("Sign-in failed"),
    "looked_as": gettext_lazy("Saw the inbox as this person"),
    "signed_out_everywhere": gettext_lazy("Signed out everywhere"),
    "sign_in_blocked": gettext_lazy("Sign-in blocked"),
    "session_ended": gettext_lazy("Session ended"),
    "sso_linked": gettext_lazy("Linked with single sign-on"),
    "sso_unlinked": gettext_lazy("No longer linked with single sign-on"),
    "second_factor_added": gettext_lazy("Second factor added"),
    "second_factor_removed": gettext_lazy("Second factor removed"),
    "recovery_codes_made": gettext_lazy("New recovery codes"),
    "invited": gettext_lazy("Invited"),
    "invitation_accepted": gettext_lazy("Invitation accepted"),
    "reset_asked": gettext_lazy("New password asked for"),
    "password_changed": gettext_lazy("Password changed"),
    "password_reset": gettext_lazy("Password reset"),
    "merged": gettext_lazy("Merged"),
    "revoked": gettext_lazy("Revoked"),
    "frozen": gettext_lazy("Frozen"),
    "replayed": gettext_lazy("Replayed"),
    "settled": gettext_lazy("Settled by hand"),
    "retried": gettext_lazy("Retried"),
    "cancelled": gettext_lazy("Cancelled"),
    "applied": gettext_lazy("Applied"),
    "checked": gettext_lazy("Set-up checked"),
    "note_added": gettext_lazy("Note added"),
    "note_edited": gettext_lazy("Note edited"),
    "note_deleted": gettext_lazy("Note deleted"),
    "secret_added": gettext_lazy("App secret added"),
    "secret_retired": gettext_lazy("App secret retired"),
    "backed_up": gettext_lazy("Backup made"),
    "restored": gettext_lazy("Backup restored"),
    "cleaned": gettext_lazy("Deleted what was past its time"),
    "sending_stopped": gettext_lazy("Sending stopped"),
    "consent_granted": gettext_lazy("Consent granted"),
    "consent_withdrawn": gettext_lazy("Consent withdrawn"),
    "sending_resumed": gettext_lazy("Sending goes on"),
    "file_added": gettext_lazy("File added"),
    "file_deleted": gettext_lazy("File deleted"),
    "event_added": gettext_lazy("Event of elsewhere added"),
    "import_started": gettext_lazy("Import started"),
    "import_resumed": gettext_lazy("Import gone on with"),
    "import_undone": gettext_lazy("Import taken back"),
    "exported": gettext_lazy("Exported"),
    "downloaded": gettext_lazy("Downloaded"),
    "bulk_change": gettext_lazy("Many changed"),
    "merge_undone": gettext_lazy("Merge taken back"),
    "split": gettext_lazy("Account split off"),
    "dismissed": gettext_lazy("Dismissed"),
    "held": gettext_lazy("Legal hold set"),
    "hold_lifted": gettext_lazy("Legal hold lifted"),
    "restricted": gettext_lazy("Restricted"),
    "unrestricted": gettext_lazy("No longer restricted"),
    "started": gettext_lazy("Started"),
    "finished": gettext_lazy("Finished"),
    "refused": gettext_lazy("Refused"),
    "extended": gettext_lazy("Extended"),
    "erasure_begun": gettext_lazy("Erasure begun"),
    "erased": gettext_lazy("Erased"),
    "copy_made": gettext_lazy("Copy of the data made"),
}
# Of things that are no field of what the entry is about, such as a contact's consent.
STATES = {"granted": gettext_lazy("Granted"), "withdrawn": gettext_lazy("Withdrawn")}


@dataclass(frozen=True)
class Change:
    """One field of an entry, for reading."""

    field: str
    before: str
    after: str


class Labelled(NamedTuple):
    """A value with its word: a coloured label in a list (`display(label=…)`), the word alone on a page."""

    value: str
    word: str

    def __str__(self) -> str:
        return self.word


def action_word(action: str) -> str:
    """What an act is called; one without a word of its own is shown as it is written."""
    return str(ACTIONS.get(action, capfirst(action.replace("_", " "))))


def model_word(label: str) -> str:
    """What a kind of thing is called ("crm.contact" → "Contact")."""
    try:
        return str(capfirst(apps.get_model(label)._meta.verbose_name))
    except (LookupError, ValueError):
        return label


def described(entry: AuditEntry) -> list[Change]:
    """The changes of an entry, by the names that forms use."""
    return [
        Change(
            _field_word(entry.model, name), *(_shown(entry.model, name, value) for value in (list(pair) + [None])[:2])
        )
        for name, pair in entry.changes.items()
        if isinstance(pair, list)
    ]


def when(moment: dt.datetime | None) -> str:
    """A moment for a list: short, on one line, in the reader's time zone and language; a dash for none."""
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT").replace(" ", "\N{NO-BREAK SPACE}") if moment else "—"


def _field(label: str, name: str) -> "Field[Any, Any] | None":
    try:
        fields = apps.get_model(label)._meta
        field = fields.get_field(name.removesuffix("_id"))
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return field if isinstance(field, Field) else None


def _field_word(label: str, name: str) -> str:
    kind, _colon, rest = name.partition(": ")
    if rest:  # of a row of an inline: "appsecret 3: label"
        model, _space, pk = kind.partition(" ")
        label = f"{label.partition('.')[0]}.{model}"
        return f"{model_word(label)} {pk}: {_field_word(label, rest)}"
    column, dot, key = name.partition(".")
    if dot and _field(label, column):  # one value of many: "attributes.plan"
        return f"{_field_word(label, column)}: {key}"
    if dot:  # how much of another kind of thing was touched
        return model_word(name)
    field = _field(label, name)
    plain = name.removesuffix("_id").replace("_", " ")
    if field and str(field.verbose_name) != plain:
        return str(capfirst(field.verbose_name))
    return str(FIELDS.get(name) or FIELDS.get(name.removesuffix("_id")) or capfirst(name.replace("_", " ")))


def _shown(label: str, name: str, value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    field = _field(label, name)
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown('', '', one)}" for key, one in value.items()) or "—"
    if isinstance(value, int | float):
        return number_format(value, use_l10n=True)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "—"
    if isinstance(value, str) and value in STATES:
        return str(STATES[value])
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    if moment is not None and moment.tzinfo:
        return when(moment)
    return str(value)
