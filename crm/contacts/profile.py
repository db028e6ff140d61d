"""What staff write about a contact: its fields, phones and e-mails, custom attributes, tags; and who wrote it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.dispatch import Signal
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts import attributes as custom
from crm.contacts import masking, points, reading
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactChange, ContactPoint, ContactTag, Tag
from crm.contacts.reading import line
from crm.foundation.errors import Conflict
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

contact_changed = Signal()
"""Sent inside the transaction with `contact`: whoever shows it may say so."""

ATTRIBUTE = "attributes."
TAG_MAX = 50
REASON_MAX = 200
COLOURS = 16
OWN = ("name", "kind", "phone", "company", "language", "country", "time_zone", "stage", "owner", "external_id")
type Changes = list[ContactChange]

_KEPT = object()
# What a change of a further phone or e-mail is called in the history.
_POINTS = {"phone": "phones", "email": "emails"}


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
    """Create or change a contact: `values` of its own columns as `read` returns them and of `email` (the primary one);
    `attributes` by key, empty ones go; `tags`: all its tags by name.

    A written name or phone stays when WhatsApp reports another; an emptied one gives way to it again. Another phone or
    e-mail in the place of one makes that a former one. Raises Conflict if somebody changed one of these fields since
    `version`, InvalidValue for an attribute or an external id that another contact has.
    """
    is_new = contact.pk is None
    row = contact if is_new else Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    if not is_new:
        own = {f"{ATTRIBUTE}{key}": value for key, value in (attributes or {}).items()}
        _check(row, version, values | own | ({} if tags is None else {"tag": tags}), by)
        _refuse_unseen(row, by, values)
    if "name" in values:
        values["name"] = reading.name(values["name"])
    email = values.pop("email", _KEPT)
    if attributes is not None:
        values["attributes"] = custom.merged(row.attributes, attributes)
    changes = [] if is_new else _changes(row, values)
    for name, value in values.items():
        setattr(row, name, value)
    if "name" in values:
        row.is_name_confirmed = bool(row.name)
        row.name = row.name or _name_on_whatsapp(row)
    if is_new:
        row.refresh_search_text()
        _store(row)
    changes += _write_points(row, values, email, by, is_new=is_new)
    for change in changes:
        change.after = row.phone if change.field == "phone" else change.after
    if not is_new or email is not _KEPT:
        row.refresh_search_text()
    tag_changes = _set_tags(row, tags, by) if tags is not None else []
    changes += [] if is_new else tag_changes
    if is_new and email is not _KEPT:
        row.save(update_fields=["search_text"])
    if is_new or changes:
        _save(row, changes, by, fields=[*values, "is_name_confirmed", "search_text"])
    if is_new:
        log.created(row, by=by, tags=[change.after for change in tag_changes])
    return row


@in_transaction
def add_point(
    contact: Contact, kind: str, text: str, *, by: User, label: str = "", is_primary: bool = False
) -> ContactPoint:
    """Give a contact a further phone or e-mail; one it has already is labelled or put first. Raises InvalidValue."""
    row = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    before, known = points.primary(row), set(row.points.filter(until=None).values_list("pk", flat=True))
    value = points.read(kind, text)
    if is_primary:
        _refuse_unseen(row, by, {kind: value})
    point, is_changed = points.put(row, kind, value, by=by, label=label, is_primary=is_primary)
    if is_changed:
        added = [] if point.pk in known else [ContactChange(field=_POINTS[kind], after=point.value)]
        row.refresh_search_text()
        changes = added + _moved(before, row)
        _save(row, changes, by, fields=["search_text"])
        if not changes:  # another label
            log.record("changed", row, by=by, changes={_POINTS[kind]: [point.value, point.value]})
    return point


@in_transaction
def end_point(point: ContactPoint, *, by: User) -> Contact:
    """A phone or e-mail is no longer the contact's; one that is over already changes nothing."""
    row = Contact.objects.select_for_update(no_key=True).get(pk=point.contact_id)
    found = row.points.filter(pk=point.pk, until=None).first()
    if found is not None:
        if masking.hides(by):
            raise InvalidValue(_unseen(), field=found.kind)
        before, found.contact = points.primary(row), row
        points.end(found)
        row.refresh_search_text()
        ended = ContactChange(field=_POINTS[found.kind], before=found.value)
        _save(row, [ended, *_moved(before, row)], by, fields=["search_text"])
    return row


@in_transaction
def tag(contact: Contact, name: str, *, by: User, may_create: bool = True, reason: str = "") -> Contact:
    """Put one tag on a contact and note why; raises InvalidValue for a name that is none, or none yet and not
    `may_create`.
    """
    row = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
    name = tag_name(name)
    found = find_or_make_tag(name) if may_create else find_tag(name)
    if found is None:
        raise InvalidValue(_("There is no tag “%(name)s”. Ask a manager to create it.") % {"name": name})
    _link, is_new = ContactTag.objects.get_or_create(
        contact=row, tag=found, defaults={"added_by": by, "reason": line(reason, REASON_MAX)}
    )
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


def find_tag(name: str) -> Tag | None:
    """The tag of this name, whatever its case; compared here because SQLite folds ASCII only."""
    return _tags_by_name().get(name.casefold())


def tag_name(text: str) -> str:
    """The name of a tag as it is kept, in one line; raises InvalidValue for what cannot be one."""
    name = line(text, TAG_MAX)
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


def _store(row: Contact, fields: Iterable[str] | None = None) -> None:
    """Write the row, or say that another contact has its external id."""
    try:
        with transaction.atomic():
            row.save(update_fields=fields)
    except IntegrityError as error:
        if row.external_id and Contact.objects.filter(external_id=row.external_id).exclude(pk=row.pk).exists():
            sentence = _("Another contact has this external id already.")
            raise InvalidValue(sentence, field="external_id") from error
        raise


def _write_points(row: Contact, values: Mapping[str, Any], email: Any, by: User, *, is_new: bool) -> Changes:
    """Bring the points in line with a written phone and e-mail; what changed of the e-mail."""
    if "phone" in values and (row.phone or not is_new):
        points.keep(row, by=by)  # may put the next one in the place of one that was emptied
    if email is _KEPT:
        return []
    before, after = points.set_email(row, email, by=by)
    return [ContactChange(field="email", before=before, after=after)] if before != after and not is_new else []


def _moved(before: Mapping[str, str | None], row: Contact) -> Changes:
    """What comes first now and did not before."""
    after = points.primary(row)
    return [
        ContactChange(field=kind, before=before[kind], after=after[kind])
        for kind in _POINTS
        if before[kind] != after[kind]
    ]


def _refuse_unseen(row: Contact, by: User, wanted: Mapping[str, Any]) -> None:
    """Who may not see the phones and addresses of a contact may not take one's place or take one away."""
    if not masking.hides(by):
        return
    for kind, value in points.primary(row).items():
        if value and kind in wanted and wanted[kind] != value:
            raise InvalidValue(_unseen(), field=kind)


def _unseen() -> str:
    return _("You do not see this phone or e-mail, so you cannot replace or remove it. Ask a manager.")


def _check(row: Contact, version: int | None, wanted: Mapping[str, Any], by: User) -> None:
    """Raises Conflict, with both values of each field that somebody else has changed since `version`."""
    if version is None or version >= row.version:
        return
    changed = row.changes.filter(version__gt=version, field__in=list(wanted)).values_list("field", flat=True)
    if names := sorted(set(changed)):
        raise Conflict(
            _("Somebody else has just changed this contact. This is how it stands now."),
            version=row.version,
            conflicts={name: {"present": _present(row, name, by), "yours": _plain(wanted[name])} for name in names},
        )


def _present(row: Contact, name: str, by: User) -> Any:
    """What a field says now, as this user may see it."""
    if name == "tag":
        return sorted(row.tags.values_list("name", flat=True))
    if name in _POINTS:
        return masking.point(name, points.primary(row)[name], by) or None
    if name.startswith(ATTRIBUTE):
        return row.attributes.get(name.removeprefix(ATTRIBUTE))
    return masking.name(row.name, by) if name == "name" else _plain(getattr(row, name))


def _plain(value: Any) -> Any:
    """As the API writes it."""
    return value.pk if isinstance(value, Model) else list(value) if isinstance(value, (list, tuple, set)) else value


def _name_on_whatsapp(row: Contact) -> str:
    newest = row.identities.exclude(profile_name="").order_by("-profile_at").first() if row.pk else None
    return newest.profile_name if newest else ""


def _changes(row: Contact, values: Mapping[str, Any]) -> Changes:
    """What `values` would change of a row, field by field."""
    pairs: dict[str, tuple[Any, Any]] = {}
    for name, value in values.items():
        if name == "attributes":
            keys = sorted(row.attributes.keys() | value.keys())
            pairs |= {f"{ATTRIBUTE}{key}": (row.attributes.get(key), value.get(key)) for key in keys}
        else:  # a name that is only what WhatsApp says becomes ours
            is_ours = name != "name" or row.is_name_confirmed
            pairs[name] = (getattr(row, name) if is_ours else "", value)
    return [
        ContactChange(field=name, before=_as_text(before), after=_as_text(after))
        for name, (before, after) in pairs.items()
        if before != after  # users by their keys: two may have one name
    ]


def _as_text(value: Any) -> Any:
    """Stages and users by their name, as the history shows them."""
    return str(value) if isinstance(value, Model) else value


def _save(row: Contact, changes: Changes, by: User, fields: Iterable[str] = ()) -> None:
    """Write a (locked) contact and what changed of it, and say so."""
    if changes:
        row.version += 1
        _store(row, [*fields, "version"])
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


def _set_tags(contact: Contact, names: Iterable[str], by: User) -> Changes:
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
