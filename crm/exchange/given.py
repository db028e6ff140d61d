"""A row of a file as it is understood: the values of a contact, or why it cannot be taken."""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import phonenumbers
from django.utils.translation import gettext as _

from crm.consent.models import State
from crm.contacts import attributes, phones, points, profile, reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import CustomAttribute, LifecycleStage, Tag
from crm.exchange import cells, fields, tables
from crm.foundation.text import REPLACEMENT, clean_text

NEW_TAGS_MAX = 50  # a column of something else makes no thousand tags
_TAG_ENDS = re.compile(r"[,;|\n]")
_YES = frozenset({"yes", "true", "1", "y", "si", "s", "x", "oui", "sim", "ja", "granted", "verdadero", "alta"})
_NO = frozenset({"no", "false", "0", "n", "non", "nao", "nein", "withdrawn", "falso", "baja"})


@dataclass
class Given:
    """One row: `values` of columns of a contact, the rest by itself; `problem`: a sentence, and nothing else counts."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    phone: str = ""
    email: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    consents: list[tuple[str, str, Any, str]] = field(default_factory=list)  # purpose, state, when, from where
    problem: str = ""
    same_as: int = 0  # the earlier row that speaks of the same person

    @property
    def external_id(self) -> str:
        """As another system calls the person; "" if it does not."""
        return self.values.get("external_id") or ""

    @property
    def phone_key(self) -> str:
        """The number in its canonical form."""
        return phones.match_key(self.phone) if self.phone else ""

    @property
    def email_key(self) -> str:
        """The address in its canonical form."""
        return points.key_of(points.EMAIL, self.email) if self.email else ""


class Reader:
    """Reads the rows of a file by a mapping, from behind row `after`; remembers who was in it, by hashes."""

    def __init__(self, path: Path, mapping: Mapping[str, str], options: Mapping[str, Any]) -> None:
        self.path, self.options = path, options
        self.columns = {int(number): name for number, name in mapping.items()}
        self.labels = fields.labels()
        self.customs = {one.key: one for one in CustomAttribute.objects.all()}
        self.stages = {one.name.casefold(): one for one in LifecycleStage.objects.all()}
        self.tags = {tag.name.casefold() for tag in Tag.objects.all()}
        self.new_tags: set[str] = set()
        self.seen: dict[int, int] = {}
        self.width = 0

    def chunks(self, size: int, *, after: int = 0) -> Iterator[list[Given]]:
        """The rows, so many at a time, with empty lists for those that are passed over; raises FileProblem."""
        rows = tables.records(self.path, self.options)
        header = next(rows, None)
        if header is None:
            raise tables.FileProblem(_("The file is empty. Choose another one."))
        self.width = len(header[1])
        given = (self.read(number, cells_) for number, cells_ in rows)
        for chunk in itertools.batched(given, size):
            yield [one for one in chunk if one.number > after]

    def read(self, number: int, row: list[str]) -> Given:
        """One row."""
        found = Given(number)
        problems: list[str] = []
        if any(cell.strip() for cell in row[self.width :]):
            problems.append(_("It has more cells than there are headers."))
        told: dict[str, str] = {}
        for index, name in self.columns.items():
            text = cells.plain(row[index] if index < len(row) else "").strip()
            if not text:
                continue
            if REPLACEMENT in clean_text(text):
                problems.append(f"{self.labels.get(name, name)}: {_('It holds something that is no text.')}")
                continue
            told[name] = text
            try:
                self._take(found, name, text)
            except InvalidValue as error:
                problems.append(f"{self.labels.get(name, name)}: {error}")
        problems += self._consents(found, told)
        if not problems and not (found.values.get("name") or found.phone or found.email or found.external_id):
            problems.append(_("It has no name, no phone, no e-mail and no external id."))
        found.problem = " ".join(problems)[:300]
        if not problems:
            self._compare(found)
        return found

    def _take(self, found: Given, name: str, text: str) -> None:
        if name == "phone":
            found.phone = phone(text, self.options.get("country", ""))
        elif name == "email":
            found.email = points.read(points.EMAIL, text)
        elif name == "tags":
            found.tags = self._tags(text)
        elif name.startswith(fields.ATTRIBUTE):
            key = name.removeprefix(fields.ATTRIBUTE)
            found.attributes[key] = self._custom(key, text)
        elif name == "stage":
            found.values["stage"] = self._stage(text)
        elif name in fields.OWN:
            found.values[name] = reading.read(name, text.lower() if name == "kind" else text)

    def _custom(self, key: str, text: str) -> Any:
        custom = self.customs.get(key)
        if custom is None:
            raise InvalidValue(_("There is no custom attribute “%(key)s”.") % {"key": key})
        if custom.type == CustomAttribute.Type.DATE:
            text = fields.day(text, self.options.get("dates", ""))
        if custom.type == CustomAttribute.Type.YES_NO:
            said = yes_or_no(text)
            return attributes.read(custom, text if said is None else said)
        if custom.type == CustomAttribute.Type.CHOICE:
            text = next((one for one in custom.choices if one.casefold() == text.casefold()), text)
        return attributes.read(custom, text)

    def _stage(self, text: str) -> LifecycleStage:
        found = self.stages.get(text.casefold())
        if found is None:
            raise InvalidValue(_("There is no stage “%(name)s”.") % {"name": text[:50]})
        return found

    def _tags(self, text: str) -> list[str]:
        names = [profile.tag_name(part) for part in _TAG_ENDS.split(text) if part.strip()]
        if len(names) > fields.TAGS_MAX:
            raise InvalidValue(_("These are too many tags: %(most)d at most.") % {"most": fields.TAGS_MAX})
        fresh = {name.casefold() for name in names} - self.tags - self.new_tags
        if len(self.new_tags) + len(fresh) > NEW_TAGS_MAX:
            raise InvalidValue(
                _("A file makes %(most)d new tags at most. Is this the right column?") % {"most": NEW_TAGS_MAX}
            )
        self.new_tags |= fresh
        return list(dict.fromkeys(names))

    def _consents(self, found: Given, told: Mapping[str, str]) -> list[str]:
        """What the row says of consent, each with its time and source; sentences where that is missing."""
        purposes = {name: text for name, text in told.items() if name.startswith(fields.CONSENT)}
        if not purposes:
            return []
        source = (told.get(fields.CONSENT_SOURCE) or self.options.get(fields.CONSENT_SOURCE) or "")[: fields.SOURCE_MAX]
        said_at = told.get(fields.CONSENT_AT) or self.options.get(fields.CONSENT_AT) or ""
        at = fields.moment(said_at, self.options.get("dates", ""))
        problems = []
        for name, text in purposes.items():
            answer = yes_or_no(text)
            if answer is None:
                problems.append(f"{self.labels.get(name, name)}: {_('Write yes or no.')}")
                continue
            state = State.GRANTED if answer else State.WITHDRAWN
            found.consents.append((name.removeprefix(fields.CONSENT), str(state), at, source))
        if at is None and said_at:
            problems.append(_("The day of the consent is no day of the past: write it as 2026-05-31."))
        elif found.consents and (at is None or not source):
            problems.append(_("A consent needs where it comes from and its day."))
        return problems

    def _compare(self, found: Given) -> None:
        """Whether an earlier row has its external id, its number, or, without either, its address."""
        asked = [("x", found.external_id), ("p", found.phone_key)]
        keys = [f"{kind}{value}" for kind, value in [*asked, ("e", found.email_key)] if value]
        own = keys if len(keys) == 1 else [key for key in keys if key[0] != "e"]
        hashes = {key: _hash(key) for key in keys}
        found.same_as = next((self.seen[hashes[key]] for key in own if hashes[key] in self.seen), 0)
        if not found.same_as:
            for one in hashes.values():
                self.seen.setdefault(one, found.number)


def phone(text: str, country: str) -> str:
    """A number as E.164; without + or 00 one of `country`, if that is known. Raises InvalidValue."""
    if country and not text.startswith(("+", "00")):
        try:
            parsed = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            parsed = None
        if parsed is not None and phonenumbers.is_valid_number(parsed):
            return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    found = phones.number(text)
    if found is None or len(found) > 20:
        raise InvalidValue(phones.not_a_number())
    return found


def yes_or_no(text: str) -> bool | None:
    """What a cell says in one of the languages of offices; None if neither."""
    word = "".join(fields.bare(text).split()) if text else ""
    return True if word in _YES else False if word in _NO else None


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())
