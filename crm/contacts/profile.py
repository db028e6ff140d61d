"""What staff write about a contact: name, kind, phone, company, language, custom attributes, tags; and who wrote it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import phonenumbers
from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils import translation
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts import attributes as custom
from crm.contacts import phones
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactChange, ContactTag, Tag
from crm.foundation.errors import Conflict
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

contact_changed = Signal()
"""Sent inside the transaction with `contact`: whoever shows it may say so."""

ATTRIBUTE = "attributes."
TEXT_MAX = 200
TAG_MAX = 50
COLOURS = 16
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[0-9]{3}))?")


@in_transaction
def write(
    contact: Contact,
    *,
    by: User,
    version: int | None = None,
    tags: Iterable[str] | None = None,
    attributes: Mapping[str, object] | None = None,
    **values: Any,
) -> Contact:
    """Create or change a contact: `values` of name, kind, phone (E.164), company, language; `attributes` by key, empty
    ones go; `tags`: all its tags by name.

    A written name or phone stays when WhatsApp reports another; an emptied one gives way to it again. Raises Conflict
    if somebody changed one of these fields since `version`, InvalidValue for an attribute.
    """
    is_new = contact.pk is None
    row = contact if is_new else Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    if not is_new and version is not None:
        touched = [*values, *(f"{ATTRIBUTE}{key}" for key in attributes or ()), *(["tag"] * (tags is not None))]
        _check(row, version, touched)
    if attributes is not None:
        values["attributes"] = custom.merged(row.attributes, attributes)
    changes = [] if is_new else _changes(row, values)
    for name, value in values.items():
        setattr(row, name, value)
    if "name" in values:
        row.is_name_confirmed = bool(row.name)
        row.name = row.name or _name_on_whatsapp(row)
    row.refresh_search_text()
    if is_new:
        row.save()
    tag_changes = _set_tags(row, tags, by) if tags is not None else []
    changes += [] if is_new else tag_changes
    if is_new or changes:
        _save(row, changes, by, fields=[*values, "is_name_confirmed", "search_text"])
    if is_new:
        log.created(row, by=by, tags=[change.after for change in tag_changes])
    return row


@in_transaction
def tag(contact: Contact, name: str, *, by: User, may_create: bool = True) -> Contact:
    """Put one tag on a contact; raises InvalidValue for a name that is none, or none yet and not `may_create`."""
    row = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    name = tag_name(name)
    found = find_or_make_tag(name) if may_create else find_tag(name)
    if found is None:
        raise InvalidValue(_("There is no tag “%(name)s”. Ask a manager to create it.") % {"name": name})
    _link, is_new = ContactTag.objects.get_or_create(contact=row, tag=found, defaults={"added_by": by})
    if is_new:
        _save(row, [ContactChange(field="tag", after=found.name)], by)
    return row


@in_transaction
def untag(contact: Contact, tag_id: int, *, by: User) -> Contact:
    """Take one tag off a contact; one that is not there changes nothing."""
    row = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    link = row.contact_tags.select_related("tag").filter(tag=tag_id).first()
    if link is not None:
        link.delete()
        _save(row, [ContactChange(field="tag", before=link.tag.name)], by)
    return row


def read(field: str, text: str) -> Any:
    """What a person typed for name, company, language or phone, as it is kept; raises InvalidValue."""
    text = " ".join(clean_text(text).split())
    if field == "phone":
        found = number(text) if text else None
        if text and found is None:
            raise InvalidValue(not_a_number())
        return found
    if field == "language":
        return language(text)
    return _line(text, TEXT_MAX)


def number(text: str) -> str | None:
    """The E.164 form of a number in any spelling; without + or 00 only if valid, so that no local number passes."""
    digits = phones.digits_of(text)
    if text.strip().startswith("+") or digits.startswith("00"):
        return phones.e164(digits.removeprefix("00"))
    found = phones.e164(digits)
    return found if found and phonenumbers.is_valid_number(phonenumbers.parse(found)) else None


def not_a_number() -> str:
    """What to say to who wrote something else where a phone belongs."""
    return _("This is not a phone number. Write it with its country code, such as +34 600 123 456.")


def language(text: str) -> str:
    """A language code as BCP 47 writes it ("es", "pt-BR"), "" for none; raises InvalidValue."""
    found = _LANGUAGE.fullmatch(text)
    if text and not found:
        raise InvalidValue(_("This is not a language code. Write one such as es, en or pt-BR."))
    if not found:
        return ""
    code, region = found.groups()
    return f"{code.lower()}-{region.upper()}" if region else code.lower()


def language_name(code: str) -> str:
    """The name of a language, in the active one; the code where Django does not know it."""
    try:
        return str(translation.get_language_info(code.lower())["name_translated"]).capitalize()
    except KeyError:
        return code


def find_tag(name: str) -> Tag | None:
    """The tag of this name, whatever its case; compared here because SQLite folds ASCII only."""
    return _tags_by_name().get(name.casefold())


def tag_name(text: str) -> str:
    """The name of a tag as it is kept, in one line; raises InvalidValue for what cannot be one."""
    name = _line(text, TAG_MAX)
    if not name:
        raise InvalidValue(_("Write the name of the tag."))
    if not " ".join(text.split()).isprintable():
        raise InvalidValue(_("The name of a tag cannot contain invisible characters."))
    return name


def find_or_make_tag(text: str) -> Tag:
    """The tag of this name, made if there is none, also if two do so at once; raises InvalidValue."""
    name = tag_name(text)
    found = find_tag(name)
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made = Tag.objects.create(name=name, colour=Tag.objects.count() % COLOURS)
            log.created(made)
            return made
    except IntegrityError:  # somebody else makes it at this moment
        found = find_tag(name)
        if found is None:
            raise
        return found


def _line(text: str, most: int) -> str:
    text = " ".join(clean_text(text).split())
    if len(text) > most:
        raise InvalidValue(_("This is too long: %(most)d characters at most.") % {"most": most})
    return text


def _check(row: Contact, version: int, fields: list[str]) -> None:
    if version < row.version and row.changes.filter(version__gt=version, field__in=fields).exists():
        raise Conflict(
            _("Somebody else has just changed this contact. This is how it stands now."), version=row.version
        )


def _name_on_whatsapp(row: Contact) -> str:
    newest = row.identities.exclude(profile_name="").order_by("-profile_at").first() if row.pk else None
    return newest.profile_name if newest else ""


def _changes(row: Contact, values: Mapping[str, Any]) -> list[ContactChange]:
    """What `values` would change of a row, field by field."""
    found = []
    for name, value in values.items():
        if name == "attributes":
            keys = sorted(row.attributes.keys() | value.keys())
            found += [
                ContactChange(field=f"{ATTRIBUTE}{key}", before=row.attributes.get(key), after=value.get(key))
                for key in keys
            ]
        elif name == "name":  # a name that is only what WhatsApp says becomes ours
            found.append(ContactChange(field=name, before=row.name if row.is_name_confirmed else "", after=value))
        else:
            found.append(ContactChange(field=name, before=getattr(row, name), after=value))
    return [change for change in found if change.before != change.after]


def _save(row: Contact, changes: list[ContactChange], by: User, fields: Iterable[str] = ()) -> None:
    """Write a (locked) contact and what changed of it, and say so."""
    if changes:
        row.version += 1
        row.save(update_fields=[*fields, "version"])
        for change in changes:
            change.contact, change.user, change.version = row, by, row.version
        ContactChange.objects.bulk_create(changes)
        log.record("changed", row, by=by, changes=_told(changes))
    contact_changed.send(Contact, contact=row)


def _told(changes: list[ContactChange]) -> log.Changes:
    """One entry's changes; tags that went on the left, tags that came on the right."""
    told: log.Changes = {change.field: [change.before, change.after] for change in changes if change.field != "tag"}
    tags = [change for change in changes if change.field == "tag"]
    if tags:
        told["tags"] = [[one.before for one in tags if one.before], [one.after for one in tags if one.after]]
    return told


def _tags_by_name() -> dict[str, Tag]:
    return {tag.name.casefold(): tag for tag in Tag.objects.all()}


def _set_tags(contact: Contact, names: Iterable[str], by: User) -> list[ContactChange]:
    known = _tags_by_name()
    wanted: dict[int, Tag] = {}
    for name in map(tag_name, names):
        found = known.setdefault(name.casefold(), known.get(name.casefold()) or find_or_make_tag(name))
        wanted[found.pk] = found
    present = {link.tag_id: link.tag for link in contact.contact_tags.select_related("tag")}
    gone, missing = present.keys() - wanted.keys(), wanted.keys() - present.keys()
    contact.contact_tags.filter(tag__in=gone).delete()
    ContactTag.objects.bulk_create([ContactTag(contact=contact, tag_id=pk, added_by=by) for pk in sorted(missing)])
    changes = [ContactChange(field="tag", before=present[pk].name) for pk in sorted(gone)]
    return changes + [ContactChange(field="tag", after=wanted[pk].name) for pk in sorted(missing)]
