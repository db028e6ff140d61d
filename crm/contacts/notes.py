"""Notes about a contact: added, edited by who wrote them, deleted by them or a manager; recorded without their text."""

from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.models import Contact, ContactChange, ContactNote
from crm.contacts.profile import contact_changed
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

TEXT_MAX = 4000


class BadNote(Refusal):
    """A note without text, or with too much."""

    code = "invalid"
    http_status = 422


class NotYourNote(Refusal):
    """Somebody else wrote this note."""

    code = "not_your_note"
    http_status = 403


@in_transaction
def add(contact: Contact, text: str, *, by: User) -> ContactNote:
    """Write a note; raises BadNote."""
    note = ContactNote.objects.create(contact=contact, text=_checked(text), author=by)
    log.record("note_added", contact, by=by, changes={"note": [None, note.pk]})
    contact_changed.send(Contact, contact=contact)
    return note


@in_transaction
def edit(note: ContactNote, text: str, *, by: User) -> ContactNote:
    """Change one's own note; the same text again changes nothing. Raises NotYourNote, BadNote."""
    row = ContactNote.objects.select_for_update(of=("self",)).select_related("author", "contact").get(pk=note.pk)
    if not row.is_by(by):
        raise NotYourNote(_("Only who wrote a note can change it. Add a note of your own."))
    text = _checked(text)
    if text != row.text:
        row.text, row.edited_at = text, clock.now()
        row.save(update_fields=["text", "edited_at"])
        log.record("note_edited", row.contact, by=by, changes={"note": [row.pk, row.pk]})
        contact_changed.send(Contact, contact=row.contact)
    return row


@in_transaction
def delete(note: ContactNote, *, by: User) -> None:
    """Delete one's own note, or as a manager anybody's; that it was there stays known. Raises NotYourNote."""
    contact = Contact.objects.select_for_update(no_key=True).get(pk=note.contact_id)
    row = ContactNote.objects.select_related("author").filter(pk=note.pk).first()
    if row is None:
        return
    if not row.may_go(by):
        raise NotYourNote(_("Only who wrote a note, or a manager, can delete it."))
    ContactChange.objects.create(
        contact=contact,
        field="note",
        before=row.author.name if row.author else "",
        version=contact.version,
        user=by,
    )
    author = row.author.name if row.author else None
    log.record("note_deleted", contact, by=by, changes={"note": [row.pk, None], "author": [author, None]})
    row.delete()
    contact_changed.send(Contact, contact=contact)


def _checked(text: str) -> str:
    text = clean_text(text).strip()
    if not text:
        raise BadNote(_("Write something first."))
    if len(text) > TEXT_MAX:
        raise BadNote(_("This is too long: %(most)d characters at most.") % {"most": TEXT_MAX})
    return text
