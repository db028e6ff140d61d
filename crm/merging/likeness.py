"""What speaks for two contacts being one person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from crm.contacts import masking
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, IdentityValue
from crm.foundation.search import fold

PHONE, ACCOUNT, USER_ID, EMAIL, NAME = "phone", "account", "user_id", "email", "name"
# How much each kind of evidence says by itself, in per cent; a further kind adds a tenth.
_WEIGHTS = {USER_ID: 90, ACCOUNT: 80, PHONE: 75, EMAIL: 60}
_MORE, _SAME_NAME, _ALIKE, _UNLIKE = 10, 15, 10, -25
_CLOSE = 0.85  # of SequenceMatcher: a letter or two of a full name

type Evidence = list[dict[str, str]]


@dataclass
class Facts:
    """What is known of a contact that another one may share, each value in its canonical form."""

    contact: Contact
    points: dict[str, dict[str, str]] = field(default_factory=lambda: {PHONE: {}, EMAIL: {}})  # {key: as written}
    accounts: dict[str, str] = field(default_factory=dict)
    user_ids: set[str] = field(default_factory=set)


def facts_of(contacts: Iterable[int]) -> dict[int, Facts]:
    """The facts of people by key; groups and people whose data is restricted are left out. Four queries."""
    people = Contact.objects.filter(pk__in=list(contacts), restricted_at=None).exclude(kind=Contact.Kind.GROUP)
    found = {contact.pk: Facts(contact) for contact in people.defer("search_text", "attributes")}
    for point in ContactPoint.objects.filter(contact__in=found, until=None):
        found[point.contact_id].points[point.kind][point.match_key] = point.value
    for account in ChannelIdentity.objects.filter(contact__in=found):
        if account.match_key:
            found[account.contact_id].accounts[account.match_key] = f"+{account.wa_id}"
        if account.user_id:
            found[account.contact_id].user_ids.add(account.user_id)
    former = IdentityValue.objects.filter(identity__contact__in=found, field=IdentityValue.Field.USER_ID)
    for contact, value in former.values_list("identity__contact_id", "value"):
        found[contact].user_ids.add(value)
    return found


def evidence(one: Facts, other: Facts) -> Evidence:
    """What both have, by kind; the names only beside something else."""
    found: Evidence = [{"kind": USER_ID, "value": value} for value in sorted(one.user_ids & other.user_ids)]
    numbers = [{**facts.points[PHONE], **facts.accounts} for facts in (one, other)]
    for key in sorted(numbers[0].keys() & numbers[1].keys()):
        of_account = key in one.accounts or key in other.accounts
        found.append({"kind": ACCOUNT if of_account else PHONE, "value": numbers[0][key]})
    for key in sorted(one.points[EMAIL].keys() & other.points[EMAIL].keys()):
        found.append({"kind": EMAIL, "value": one.points[EMAIL][key]})
    if found and likeness(one.contact.name, other.contact.name) > 0:
        found.append({"kind": NAME, "value": other.contact.name})
    return found


def score(found: Evidence, one: Contact, other: Contact) -> int:
    """How sure the evidence makes one, 0–100."""
    kinds = {part["kind"] for part in found} & _WEIGHTS.keys()
    if not kinds:
        return 0
    likely = max(_WEIGHTS[kind] for kind in kinds) + _MORE * (len(kinds) - 1)
    alike = likeness(one.name, other.name)
    if alike < 0 and not (one.is_name_confirmed and other.is_name_confirmed):
        alike = 0  # what somebody calls themselves says little
    return max(5, min(100, likely + alike))


def likeness(one: str, other: str) -> int:
    """What two names say: much if they are the same but for accents, case and order, something if one is part of the
    other or a slip away, less than nothing if they are others, nothing without both.
    """
    mine, theirs = sorted(fold(one).split()), sorted(fold(other).split())
    if not mine or not theirs:
        return 0
    if mine == theirs:
        return _SAME_NAME
    if set(mine) <= set(theirs) or set(theirs) <= set(mine):
        return _ALIKE
    return _ALIKE if SequenceMatcher(None, " ".join(mine), " ".join(theirs)).ratio() >= _CLOSE else _UNLIKE


def shown(part: Mapping[str, Any]) -> str:
    """A value of the evidence as whoever looks may see it."""
    kind, said = part.get("kind"), str(part.get("value", ""))
    if kind in (PHONE, ACCOUNT):
        return masking.phone(said)
    if kind == EMAIL:
        return masking.email(said)
    return masking.name(said) if kind == NAME else said
