"""Who an export or an erasure is about: their keys, and the words by which stores without a key are searched."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson

from crm.consent import suppression
from crm.contacts import phones
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint, IdentityValue
from crm.exchange.models import ImportRow
from crm.foundation.digests import digest, digests
from crm.foundation.secrets import seal, unseal
from crm.merging.models import MergeRecord

SUBJECT = "subject"
ERASED = "erased"
SHORTEST = 5  # characters of an address worth looking for in other people's bytes
SHORTEST_NAME = 3
LONG = 16
MANY_DIGITS = 8


@dataclass(frozen=True)
class Person:
    """A contact as they were when they were asked about; `kept` and sealed while the rows no longer say it."""

    pk: int
    pseudonym: str
    identities: tuple[int, ...]
    addresses: tuple[str, ...]  # numbers (with and without plus sign), ids, e-mails, usernames, external ids
    names: tuple[str, ...]
    erasable: tuple[str, ...]  # what is hashed, so that a restored backup forgets them again
    created_at: str
    absorbed: tuple[int, ...]  # keys of contacts that were merged into this one
    imports: tuple[int, ...] = ()  # keys of those whose files spoke of them, in whatever spelling

    @classmethod
    def of(cls, contact: Contact) -> Self:
        """As the rows say; seven queries."""
        accounts = list(ChannelIdentity.objects.filter(contact=contact))
        former = IdentityValue.objects.filter(identity__contact=contact).values_list("value", flat=True)
        points = ContactPoint.objects.filter(contact=contact).values_list("value", "match_key")
        rows = [*MergeRecord.objects.filter(kept=contact).values_list("dropped", flat=True)]
        said: list[Any] = [contact.phone, contact.external_id, *former, *(one for pair in points for one in pair)]
        names: list[Any] = [contact.name]
        for account in accounts:
            said += [account.wa_id, account.user_id, account.match_key, account.username]
            names.append(account.profile_name)
        for row in rows:
            said += [row.get("phone"), row.get("external_id")]
            names.append(row.get("name"))
        channels = {account.channel for account in accounts} | {suppression.WHATSAPP}
        texts = {one.text for channel in channels for one in suppression.addresses_of(contact, channel)}
        absorbed = tuple(row["id"] for row in rows if row.get("id"))
        imported = ImportRow.objects.filter(contact=contact).values_list("job", flat=True).distinct()
        texts |= {key_text(pk) for pk in (contact.pk, *absorbed)}
        return cls(
            pk=contact.pk,
            pseudonym=pseudonym(contact.pk),
            identities=tuple(account.pk for account in accounts),
            addresses=_spelled(said),
            names=tuple(sorted({name for name in names if name and len(name) >= SHORTEST_NAME}, key=len, reverse=True)),
            erasable=tuple(sorted(texts)),
            created_at=contact.created_at.isoformat(),
            absorbed=absorbed,
            imports=tuple(sorted(imported)),
        )

    @property
    def known_since(self) -> dt.datetime:
        """When we first heard of them."""
        return dt.datetime.fromisoformat(self.created_at)

    @property
    def strong(self) -> tuple[str, ...]:
        """The addresses that mean nobody else, wherever they stand: not a short username or customer number."""
        return tuple(one for one in self.addresses if _is_strong(one))

    @property
    def marks(self) -> tuple[str, ...]:
        """What shows that bytes of many people speak of this one: such addresses, and whole names."""
        return (*self.strong, *(name for name in self.names if " " in name))

    def sealed(self) -> bytes:
        """For the time that the erasure takes."""
        return seal(orjson.dumps(asdict(self)))

    @classmethod
    def unsealed(cls, data: bytes) -> Self:
        """What `sealed` made."""
        found: dict[str, Any] = orjson.loads(unseal(data))
        values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in found.items()}
        return cls(**values)

    def digests(self) -> list[str]:
        """What stays of them: keyed hashes under the first key of the ring."""
        return [digest(text, use=ERASED) for text in self.erasable]

    def scrubbed(self, text: str) -> str:
        """Free text of staff without their addresses and names."""
        for word in (*self.addresses, *self.names):
            text = text.replace(word, self.pseudonym)
        return text

    def without_addresses(self, value: Any) -> Any:
        """What staff search and sort people by, without this one's addresses and whole names in it."""
        match value:
            case str():
                for word in self.marks:
                    value = value.replace(word, self.pseudonym)
                return value
            case dict():
                return {key: self.without_addresses(one) for key, one in value.items()}
            case list():
                return [self.without_addresses(one) for one in value]
        return value


def pseudonym(pk: int) -> str:
    """What a contact is called after they are gone: the same for the same key, and nobody can turn it back."""
    return digest(key_text(pk), use=SUBJECT)[:32]


def pseudonyms(pk: int) -> list[str]:
    """The pseudonym under every key of the ring: to look requests up by."""
    return [one[:32] for one in digests(key_text(pk), use=SUBJECT)]


def key_text(pk: int) -> str:
    """A contact's key as it is hashed."""
    return f"contact\n{pk}"


def _spelled(values: Iterable[Any]) -> tuple[str, ...]:
    """Each as it is, numbers also as digits alone; the longest first, so that none is replaced in part."""
    found = set()
    for value in values:
        text = str(value or "")
        digits = phones.digits_of(text)
        found |= {text, digits} if digits and not set(text) - set("+0123456789 ()-./") else {text}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=lambda one: (-len(one), one)))


def _is_strong(address: str) -> bool:
    return "@" in address or len(address) >= LONG or sum(char.isdigit() for char in address) >= MANY_DIGITS
