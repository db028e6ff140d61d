"""The contact panel beside a thread: fields, accounts, tags, notes, earlier conversations, files."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, FilteredRelation, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import formats, timezone

from conversations.desk import panel_fields
from conversations.desk.consents import standings_of
from conversations.desk.rows import colour_of, initials_of
from conversations.messaging.models import Attachment, Conversation, ConversationEvent, Message
from crm.contacts import localtime, masking, points
from crm.contacts.models import (
    ChannelIdentity,
    Contact,
    ContactNote,
    ContactPoint,
    CustomAttribute,
    IdentityValue,
    Tag,
)
from crm.foundation import clock
from crm.staff.models import User

FILES = 12
NOTES = 10
PAPERS = 50
EPISODES = 10
CONVERSATIONS_MAX = 20


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
    former: list["Former"]


@dataclass(frozen=True)
class Former:
    """What an account was before."""

    value: str
    until: dt.datetime


@dataclass(frozen=True)
class Episode:
    """A stretch of a conversation between its opening and its end; no `ended_at` while it lasts."""

    started_at: dt.datetime
    ended_at: dt.datetime | None
    inbox: str
    by: str
    conversation: int
    url: str


def panel_of(conversation: Conversation, user: User) -> dict[str, Any]:
    """Everything the panel shows but the timeline; sixteen queries with those of its door."""
    contact = conversation.contact
    files, files_cursor = files_of(conversation, user)
    notes, notes_cursor = notes_of(contact)
    zone = localtime.zone_for(contact)
    known = panel_fields.Known.of(contact, user)
    return (
        {
            "conversation": conversation,
            "contact": contact,
            "initials": initials_of(contact.title),
            "colour": colour_of(contact.pk),
            "local_now": timezone.localtime(clock.now(), zone) if zone else None,
            "zone": zone.key if zone else "",
            "fields": panel_fields.fields_of(contact, list(CustomAttribute.objects.all()), known, user),
            "accounts": accounts_of(contact, user),
            "restricted_at": contact.restricted_at,
            "standings": standings_of(contact) if contact.kind != Contact.Kind.GROUP else [],
            "notes": notes,
            "notes_cursor": notes_cursor,
            "episodes": episodes_of(conversation, user),
            "files": files,
            "files_cursor": files_cursor,
        }
        | tags_of(contact)
        | points_of(known.points, user)
        | papers_of(contact)
    )


def tags_of(contact: Contact) -> dict[str, Any]:
    """All tags, by their groups, and those on the contact with who put them there, when and why; one query."""
    link = FilteredRelation("contact_tags", condition=Q(contact_tags__contact=contact))
    rows = Tag.objects.annotate(
        link=link,
        is_on=F("link__pk"),
        added_at=F("link__added_at"),
        added_by=F("link__added_by__name"),
        reason=F("link__reason"),
    )
    tags: list[Any] = sorted(rows, key=lambda tag: (tag.group.casefold(), tag.name.casefold()))
    for tag in tags:
        when = formats.date_format(timezone.localtime(tag.added_at), "SHORT_DATE_FORMAT") if tag.is_on else ""
        tag.why = " · ".join(part for part in (tag.added_by, when, tag.reason) if part)
    return {"tags": tags, "tags_on": [tag for tag in tags if tag.is_on]}


def points_of(known: Sequence[ContactPoint], user: User) -> dict[str, Any]:
    """The further phones and e-mails as this user may see them."""
    hidden = masking.hides(user)
    further = [
        {
            "pk": point.pk,
            "kind": point.kind,
            "label": point.label,
            "value": masking.point(point.kind, point.value, user)
            if hidden or point.kind == points.EMAIL
            else panel_fields.number(point.value),
        }
        for point in known
        if not point.is_primary
    ]
    return {"further": further, "may_copy": not hidden}


def papers_of(contact: Contact) -> dict[str, Any]:
    """The newest files that staff keep about the contact; one query."""
    return {"papers": list(contact.files.select_related("added_by").order_by("-added_at", "-pk")[:PAPERS])}


def accounts_of(contact: Contact, user: User) -> list[Account]:
    """The contact's accounts as this user may see them, the one last seen first."""
    former = Prefetch("former_values", IdentityValue.objects.order_by("-until", "-pk"))
    rows = ChannelIdentity.objects.filter(contact=contact).prefetch_related(former).order_by("-last_seen_at", "-pk")
    return [
        Account(
            channel="WhatsApp" if row.channel.startswith("whatsapp") else row.channel,
            number=_account_number(row.wa_id or "", user),
            username=masking.name(row.username, user),
            profile_name=masking.name(row.profile_name, user),
            user_id=row.user_id or "",
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            former=[Former(_former_value(old, user), old.until) for old in row.former_values.all()],
        )
        for row in rows
    ]


def _account_number(wa_id: str, user: User) -> str:
    if masking.hides(user):
        return masking.account(wa_id, user) if not wa_id.isdigit() else masking.phone(f"+{wa_id}", user)
    return panel_fields.number(f"+{wa_id}") if wa_id.isdigit() else wa_id


def _former_value(old: IdentityValue, user: User) -> str:
    return masking.account(old.value, user) if old.field == IdentityValue.Field.WA_ID else old.value


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
