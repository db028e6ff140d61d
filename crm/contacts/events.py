"""What happened to a contact outside of this product (a call, an e-mail, a visit), as an integrator tells it."""

import datetime as dt
import re

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from crm.audit import log
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Contact, ContactEvent
from crm.contacts.profile import contact_changed
from crm.contacts.reading import EXTERNAL_ID_MAX, TEXT_MAX, line
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.foundation.text import clean_text
from crm.staff.models import User

TEXT_LONGEST = 4000
URL_LONGEST = 500
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,29}")
_URL = re.compile(r"https?://[^\s/][^\s]*", re.IGNORECASE)


class OfAnother(Refusal):
    """The other system's id is known as an event of somebody else."""

    code = "event_of_another"
    http_status = 409


@in_transaction
def record(
    contact: Contact,
    *,
    kind: str,
    title: str,
    at: dt.datetime,
    by: User | None,
    text: str = "",
    url: str = "",
    external_id: str = "",
) -> tuple[ContactEvent, bool]:
    """Note an event and whether it is new: told twice with the same kind and `external_id` it is one, as first told.

    Raises InvalidValue, OfAnother.
    """
    event = ContactEvent(
        contact=contact,
        kind=_kind(kind),
        title=_title(title),
        text=clean_text(text).strip()[:TEXT_LONGEST],
        url=_url(url),
        at=at,
        external_id=line(external_id, EXTERNAL_ID_MAX) or None,
        added_by=by,
    )
    known = _known(event)
    if known is None:
        try:
            with transaction.atomic():
                event.save()
        except IntegrityError:  # told twice at this moment
            known = _known(event)
            if known is None:
                raise
    if known is not None:
        if known.contact_id != contact.pk:
            raise OfAnother(_("An event with this id belongs to another contact."))
        return known, False
    log.record("event_added", contact, by=by, changes={"event": [None, event.pk]})  # its words are the other system's
    contact_changed.send(Contact, contact=contact)
    return event, True


def _known(event: ContactEvent) -> ContactEvent | None:
    if event.external_id is None:
        return None
    return ContactEvent.objects.filter(kind=event.kind, external_id=event.external_id).first()


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        sentence = _("A kind is one word of a–z, 0–9, - and _, such as call, email or visit.")
        raise InvalidValue(sentence, field="kind")
    return text


def _title(text: str) -> str:
    title = line(text, TEXT_MAX)
    if not title:
        raise InvalidValue(_("Say in a few words what happened."), field="title")
    return title


def _url(text: str) -> str:
    url = clean_text(text).strip()
    if url and (len(url) > URL_LONGEST or not _URL.fullmatch(url)):
        raise InvalidValue(_("A link starts with https:// or http://."), field="url")
    return url
