"""The contact panel beside a thread: fields, accounts, tags, notes, earlier conversations, files."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import phonenumbers
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.desk.rows import colour_of, initials_of
from conversations.messaging.models import Attachment, Conversation, ConversationEvent, Message
from crm.contacts import localtime
from crm.contacts.models import (
    ChannelIdentity,
    Contact,
    ContactNote,
    ContactTag,
    CustomAttribute,
    IdentityValue,
    Tag,
)
from crm.contacts.profile import ATTRIBUTE
from crm.contacts.reading import language_name
from crm.contacts.timeline import label_of
from crm.foundation import clock
from crm.staff.models import User

FILES = 12
NOTES = 10
EPISODES = 10
CONVERSATIONS_MAX = 20
OF_PEOPLE = ("phone", "company", "language")
LANGUAGES = (
    "es", "en", "pt-BR", "pt", "fr", "de", "it", "ca", "eu", "gl", "nl", "pl", "ro", "ru", "uk", "tr", "ar", "he", "hi",
    "id", "ja", "ko", "zh-Hans",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One value of a contact, edited in place; `mine` is what could not be saved: it has an `error`, or `is_stale`."""

    name: str
    label: str
    value: str
    version: int
    kind: str = "text"
    placeholder: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    max_length: int = 200
    mine: str = ""
    error: str = ""
    is_stale: bool = False

    @property
    def theirs(self) -> str:
        """The present value in words, where somebody else was faster."""
        return dict(self.choices).get(self.value, self.value) or _("empty")

    @property
    def mine_shown(self) -> str:
        """What one wanted, in words."""
        return dict(self.choices).get(self.mine, self.mine) or _("empty")


@dataclass(frozen=True)
class Account:
    """An account of the contact, with what it was before."""

    channel: str
    number: str
    username: str
    profile_name: str
    user_id: str
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    former: list[IdentityValue]


@dataclass(frozen=True)
class Episode:
    """A stretch of a conversation between its opening and its end; no `ended_at` while it lasts."""

    started_at: dt.datetime
    ended_at: dt.datetime | None
    inbox: str
    by: str
    conversation: int
    url: str


def fields_of(contact: Contact, own: Sequence[CustomAttribute]) -> list[Field]:
    """The fields of a contact, its custom attributes last."""
    names = ["name", *(OF_PEOPLE if contact.kind != Contact.Kind.GROUP else ())]
    return [_field(contact, name) for name in names] + [_own_field(contact, attribute) for attribute in own]


def field_of(contact: Contact, name: str) -> Field | None:
    """One field by its name ("attributes.<key>" for a custom one); None for a name that is none."""
    if name.startswith(ATTRIBUTE):
        key = name.removeprefix(ATTRIBUTE)
        found = [attribute for attribute in CustomAttribute.objects.all() if attribute.key == key]
        return _own_field(contact, found[0]) if found else None
    return next((one for one in fields_of(contact, ()) if one.name == name), None)


def _field(contact: Contact, name: str) -> Field:
    label, version = label_of(name), contact.version
    if name == "name":
        value = contact.name if contact.is_name_confirmed or contact.kind == Contact.Kind.GROUP else ""
        called = f"~{contact.name}" if contact.name and not value else _("Add a name")
        return Field(name, label, value, version, placeholder=called)
    if name == "phone":
        return Field(name, label, number(contact.phone), version, "tel", placeholder="+34 600 123 456", max_length=50)
    if name == "language":
        return Field(name, label, contact.language, version, "select", choices=languages(contact.language))
    return Field(name, label, contact.company, version, placeholder=_("Add a company"))


def _own_field(contact: Contact, attribute: CustomAttribute) -> Field:
    value, kind = contact.attributes.get(attribute.key), str(attribute.type)
    text = "" if value is None else str(value)
    choices: list[tuple[str, str]] = []
    if attribute.type == CustomAttribute.Type.YES_NO:
        text = {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
        kind, choices = "select", [("", "—"), ("yes", _("Yes")), ("no", _("No"))]
    elif attribute.type == CustomAttribute.Type.CHOICE:
        gone = [text] if text and text not in attribute.choices else []  # a choice that is offered no longer
        kind, choices = "select", [("", "—"), *((choice, choice) for choice in [*attribute.choices, *gone])]
    return Field(
        f"{ATTRIBUTE}{attribute.key}", attribute.label, text, contact.version, kind, choices=choices, max_length=500
    )


def number(phone: str | None) -> str:
    """A phone as people read it: "+34 600 12 34 56"."""
    try:
        parsed = phonenumbers.parse(phone or "")
    except phonenumbers.NumberParseException:
        return phone or ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def languages(present: str) -> list[tuple[str, str]]:
    """Languages to choose from by name, the present one among them."""
    codes = [*LANGUAGES, *([present] if present and present not in LANGUAGES else [])]
    return [("", "—"), *sorted(((code, language_name(code)) for code in codes), key=lambda pair: pair[1].casefold())]


def panel_of(conversation: Conversation, user: User) -> dict[str, Any]:
    """Everything the panel shows but the timeline; nine queries."""
    contact = conversation.contact
    files, files_cursor = files_of(conversation, user)
    notes, notes_cursor = notes_of(contact)
    zone = localtime.zone_of(contact.phone)
    return {
        "conversation": conversation,
        "contact": contact,
        "initials": initials_of(contact.title),
        "colour": colour_of(contact.pk),
        "local_now": timezone.localtime(clock.now(), zone) if zone else None,
        "zone": zone.key if zone else "",
        "fields": fields_of(contact, list(CustomAttribute.objects.all())),
        "accounts": accounts_of(contact),
        "notes": notes,
        "notes_cursor": notes_cursor,
        "episodes": episodes_of(conversation, user),
        "files": files,
        "files_cursor": files_cursor,
    } | tags_of(contact)


def tags_of(contact: Contact) -> dict[str, Any]:
    """All tags, and those on the contact; one query."""
    on = Exists(ContactTag.objects.filter(contact=contact, tag=OuterRef("pk")))
    tags = list(Tag.objects.annotate(is_on=on))
    return {"tags": tags, "tags_on": [tag for tag in tags if tag.is_on]}


def accounts_of(contact: Contact) -> list[Account]:
    """The contact's accounts, the one last seen first."""
    former = Prefetch("former_values", IdentityValue.objects.order_by("-until", "-pk"))
    rows = ChannelIdentity.objects.filter(contact=contact).prefetch_related(former).order_by("-last_seen_at", "-pk")
    return [
        Account(
            channel="WhatsApp" if row.channel.startswith("whatsapp") else row.channel,
            number=number(f"+{row.wa_id}") if row.wa_id and row.wa_id.isdigit() else row.wa_id or "",
            username=row.username,
            profile_name=row.profile_name,
            user_id=row.user_id or "",
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            former=list(row.former_values.all()),
        )
        for row in rows
    ]


def notes_of(contact: Contact, before: int | None = None) -> tuple[list[ContactNote], str]:
    """A page of notes, newest first, and the cursor of the next."""
    rows = contact.notes.select_related("author")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: NOTES + 1])
    return found[:NOTES], str(found[NOTES - 1].pk) if len(found) > NOTES else ""


def conversations_of(contact: Contact, user: User) -> QuerySet[Conversation]:
    """The contact's conversations that this user may see."""
    return Conversation.objects.visible_to(user).filter(contact=contact)


def episodes_of(conversation: Conversation, user: User) -> list[Episode]:
    """Earlier stretches of this conversation, and those of the contact's others, newest first; two queries."""
    rows = list(
        conversations_of(conversation.contact, user)
        .select_related("inbox", "assignee")
        .order_by("-last_activity_at")[:CONVERSATIONS_MAX]
    )
    last = Message.objects.filter(conversation=OuterRef("conversation"), sort_at__lte=OuterRef("created_at"))
    events = ConversationEvent.objects.filter(conversation__in=rows, kind__in=("resolved", "reopened"))
    newest = (
        events.annotate(last=Subquery(last.bubbles().order_by("-sort_at", "-pk").values("client_id")[:1]))
        .select_related("user")
        .order_by("-created_at", "-pk")[: 4 * EPISODES]
    )
    by_conversation: dict[int, list[Any]] = defaultdict(list)
    for event in reversed(newest):
        by_conversation[event.conversation_id].append(event)
    found = [episode for row in rows for episode in _episodes(row, by_conversation[row.pk], row.pk == conversation.pk)]
    return sorted(found, key=lambda one: one.ended_at or one.started_at, reverse=True)[:EPISODES]


def _episodes(row: Conversation, events: list[Any], is_here: bool) -> list[Episode]:
    """Stretches by their events, oldest first; the one that lasts only if it is somewhere else."""
    started: dt.datetime | None = row.created_at if not events or events[0].kind == "resolved" else None
    found = []
    for event in events:
        if event.kind == "reopened":
            started = event.created_at
        elif started is not None:
            by = event.user.name if event.user else ""
            found.append(Episode(started, event.created_at, row.inbox.name, by, row.pk, _url(row.pk, event.last)))
            started = None
    if started is not None and not is_here:
        is_over = row.status == Conversation.Status.RESOLVED  # ended before such things were noted
        by = row.assignee.name if row.assignee else ""
        ended = row.last_activity_at if is_over else None
        found.append(Episode(started, ended, row.inbox.name, "" if is_over else by, row.pk, _url(row.pk)))
    return found


def _url(conversation: int, client_id: object = None) -> str:
    url = reverse("desk:conversation", args=[conversation])
    return f"{url}?{urlencode({'at': client_id})}" if client_id else url


def files_of(conversation: Conversation, user: User, before: str = "") -> tuple[list[dict[str, Any]], str]:
    """A page of the files the contact sent or was sent, newest first, and the cursor of the next; raises ValueError
    for a cursor that is none.
    """
    rows = Attachment.objects.filter(
        conversation__in=conversations_of(conversation.contact, user).values("pk"),
        message__isnull=False,
        message__revoked_at=None,
        state=Attachment.State.STORED,
    )
    if before:
        at, _space, pk = before.partition(" ")
        moment, key = dt.datetime.fromisoformat(at), uuid.UUID(pk)
        if moment.tzinfo is None or not dt.MINYEAR < moment.year < dt.MAXYEAR:
            raise ValueError("without a zone, or of no time that could be told in another")
        rows = rows.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=key))
    found = list(rows.select_related("message").order_by("-created_at", "-pk")[: FILES + 1])
    shown = [
        {
            "id": str(row.pk),
            "kind": row.kind,
            "name": row.filename,
            "size": row.size,
            "at": row.message.sort_at if row.message else row.created_at,
            "url": reverse("desk:media", args=[row.pk]),
            "is_here": row.conversation_id == conversation.pk and row.kind in ("image", "video"),
        }
        for row in found[:FILES]
    ]
    last = found[FILES - 1] if len(found) > FILES else None
    return shown, f"{last.created_at.isoformat()} {last.pk}" if last else ""
