"""What conversations add to a contact's timeline: when they began, what happened in them, private notes."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from conversations.desk.happenings import happening
from conversations.messaging.models import Conversation, ConversationEvent, Message
from crm.contacts.models import Contact
from crm.contacts.timeline import Entry, Kind
from crm.staff.models import User


def _conversations(contact: Contact, user: User) -> QuerySet[Conversation]:
    return Conversation.objects.visible_to(user).filter(contact=contact)


def _begun(contact: Contact, user: User) -> QuerySet[Conversation]:
    return _conversations(contact, user).select_related("inbox")


def _begun_entries(rows: Sequence[Conversation]) -> list[Entry]:
    return [
        Entry(
            _("Conversation via %(inbox)s began") % {"inbox": row.inbox.name}, url=_url(row.pk), icon="message-circle"
        )
        for row in rows
    ]


def _events(contact: Contact, user: User) -> QuerySet[ConversationEvent]:
    mine = _conversations(contact, user).values("pk")
    return ConversationEvent.objects.filter(conversation__in=mine).select_related("user")


def _event_entries(events: Sequence[ConversationEvent]) -> list[Entry]:
    return [Entry(happening(event), url=_url(event.conversation_id), icon="history") for event in events]


def _notes(contact: Contact, user: User) -> QuerySet[Message]:
    mine = _conversations(contact, user).values("pk")
    return Message.objects.filter(conversation__in=mine, direction=Message.Direction.NOTE).select_related("author")


def _note_entries(notes: Sequence[Message]) -> list[Entry]:
    return [
        Entry(
            _("Private note"),
            by=note.author.name if note.author else "",
            detail=note.text,
            url=_url(note.conversation_id, at=str(note.client_id)),
            icon="lock",
        )
        for note in notes
    ]


def _url(conversation: int, **query: str) -> str:
    url = reverse("desk:conversation", args=[conversation])
    return f"{url}?{urlencode(query)}" if query else url


CONVERSATIONS = (
    Kind("begun", "conversations", "created_at", _begun, _begun_entries),
    Kind("event", "conversations", "created_at", _events, _event_entries),
)
NOTES = (Kind("private", "notes", "sort_at", _notes, _note_entries),)
