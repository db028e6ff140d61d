"""One story as rows: the same rows that ingest, composing and the outbox would have left behind, made without them."""

import datetime as dt
import random
import uuid
from typing import Any

from conversations.channels.base import (
    EditUpdate,
    InboundMessage,
    ReactionUpdate,
    RevokeUpdate,
    Update,
)
from conversations.channels.base import Person as ChannelPerson
from conversations.channels.registry import WHATSAPP
from conversations.channels.whatsapp.messages import MessageParser
from conversations.channels.whatsapp.reading import Envelope
from conversations.demo import samples
from conversations.demo.people import House
from conversations.demo.script import RULE, Line, Person, Story
from conversations.messaging import deliveries, inbound, previews, summary, window
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationRead,
    Message,
    Reaction,
)
from crm.contacts import identities
from crm.contacts.models import ChannelIdentity, Contact, IdentityValue
from crm.contacts.phones import e164, match_key

SECOND = dt.timedelta(seconds=1)
LAST_TICK = ("accepted", "sent", "delivered", "read", "played")
PRICING = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
IMPORTED_AGO = dt.timedelta(days=3)


def identity_of(
    person: Person, house: House, at: dt.datetime, created_at: dt.datetime, group_id: str = ""
) -> ChannelIdentity:
    """An unsaved account, first seen at `at`, with its unsaved contact."""
    contact = Contact(
        kind=Contact.Kind.GROUP if group_id else Contact.Kind.PERSON,
        name=person.known_as or person.name,
        is_name_confirmed=bool(person.known_as or group_id),
        phone=e164(person.address),
        created_at=created_at,
    )
    identity = ChannelIdentity(
        contact=contact,
        channel=f"{WHATSAPP}{identities.GROUP_SUFFIX}" if group_id else WHATSAPP,
        scope=house.account.scope,
        wa_id=person.address or None,
        match_key=match_key(person.address) if person.address else None,
        user_id=group_id or person.user_id or None,
        profile_name="" if group_id else person.name,
        username=person.username,
        profile_at=None if group_id or not (person.name or person.username) else at,
        first_seen_at=at,
        last_seen_at=at,
    )
    contact.refresh_search_text(identity)
    return identity


class Scene:
    """A story on its way into the database: first `people`, then `tell`, and once messages have ids, `fold`."""

    def __init__(self, story: Story, house: House, rng: random.Random, now: dt.datetime) -> None:
        self.story, self.house, self.rng, self.now = story, house, rng, now
        self.inbox = house.inboxes[story.inbox]
        self.times = self._times()
        start = now - IMPORTED_AGO if story.is_history else self.times[0] + SECOND
        self.identity = identity_of(story.person, house, self.times[0], start, story.group_id)
        self.contact = self.identity.contact
        self.members: dict[str, ChannelIdentity] = {}
        for line, at in zip(story.lines, self.times, strict=True):
            if line.by and line.by.address not in self.members:
                self.members[line.by.address] = identity_of(line.by, house, at, at + SECOND)
        self.conversation = Conversation(
            inbox=self.inbox, contact=self.contact, identity=self.identity, created_at=start, last_activity_at=start
        )
        if story.is_history:
            self.conversation.status = Conversation.Status.DORMANT
        self.messages: list[Message] = []
        self.attachments: list[Attachment] = []
        self.attempts: list[Attempt] = []
        self.reactions: list[Reaction] = []
        self.events: list[ConversationEvent] = []
        self.former: list[IdentityValue] = []
        self.labels: dict[str, Message] = {}
        # Everything that moves the conversation, in order.
        self.facts: list[tuple[dt.datetime, Message | Line | ReactionUpdate]] = []
        # A message can only point at another once that one has an id.
        self.quotes: list[tuple[Message, Message]] = []

    def tell(self) -> None:
        """Make the rows; the contact, identity and conversation have been saved."""
        for index, (line, at) in enumerate(zip(self.story.lines, self.times, strict=True)):
            match line.does:
                case "customer" | "echo" | "call":
                    self._receive(line, at)
                case "us":
                    self._send(line, at, self._read_by(index))
                case "note":
                    self._note(line, at)
                case _:
                    self.facts.append((at, line))
            if index == 0 and (self.story.owner or self.story.team):
                self._give_away(at)

    def fold(self) -> list[ConversationRead]:
        """Bring the conversation's columns to where these facts lead; returns who has read how far."""
        for at, fact in sorted(self.facts, key=lambda fact: fact[0]):
            match fact:
                case Message():
                    self._fold_message(fact)
                case Line():
                    self._fold_line(fact, at)
                case _:
                    window.open_window(self.conversation, fact.at, at)
        conversation = self.conversation
        upto = max(conversation.inbound_count - self.story.unread, 0)
        readers = [self.house.staff[key] for key in ("marta", "ana", "luis", "iker")]
        return [ConversationRead(conversation=conversation, user=user, inbound_upto=upto) for user in readers if upto]

    def _times(self) -> list[dt.datetime]:
        """When each line happens, whole seconds, the last one `ago` minutes before now."""
        gaps = [self.rng.uniform(1, 6) if line.gap is None else line.gap for line in self.story.lines]
        at = (self.now - dt.timedelta(minutes=self.story.ago)).replace(microsecond=0)
        times = [at]
        for gap in reversed(gaps[1:]):
            at -= dt.timedelta(seconds=round(gap * 60))
            times.append(at)
        return times[::-1]

    def _read_by(self, index: int) -> dt.datetime | None:
        """When the person must have seen what was said: before they next wrote."""
        later = zip(self.story.lines[index + 1 :], self.times[index + 1 :], strict=True)
        return next((at for line, at in later if line.does == "customer"), None)

    # --- what came in ---

    def _receive(self, line: Line, at: dt.datetime) -> None:
        received_at = self.conversation.created_at if self.story.is_history else at + SECOND
        update = self._parsed(line, at)
        match update:
            case InboundMessage():
                self._record(line, update, received_at)
            case ReactionUpdate():
                target = self.labels[line.about]
                reaction = Reaction(message=target, actor=str(self.identity.pk), emoji=update.emoji, reacted_at=at)
                target.version += 1
                self.reactions.append(reaction)
                self.facts.append((received_at, update))
            case EditUpdate():
                target = self.labels[line.about]
                target.original_text, target.text, target.edited_at = target.text, update.text, at
                target.version += 1
            case RevokeUpdate():
                target = self.labels[line.about]
                target.revoked_at, target.version = at, target.version + 1
        seen = self.members[line.by.address] if line.by else self.identity
        if isinstance(update, InboundMessage | ReactionUpdate):
            seen.last_seen_at = max(seen.last_seen_at, at)
            self.identity.last_seen_at = max(self.identity.last_seen_at, at)
            if not update.person.user_id:
                seen.number_seen_at = max(seen.number_seen_at or at, at)
            if seen.profile_at:
                seen.profile_at = max(seen.profile_at, at)

    def _parsed(self, line: Line, at: dt.datetime) -> Update:
        """The line as a webhook's item, read by the parser that reads them all."""
        person = line.by or self.story.person
        number = "".join(filter(str.isdigit, self.inbox.display_phone_number))
        known = ChannelPerson(person.address, person.user_id, person.name, person.username)
        envelope = Envelope(self.house.account.waba_id, "messages", self.inbox.phone_number_id, number, (known,))
        item = line.item | {"id": self.wamid(person.address), "timestamp": str(int(at.timestamp()))}
        customer = {"from": person.address} | ({"from_user_id": person.user_id} if person.user_id else {})
        item |= {"from": number, "to": person.address} if line.does == "echo" else customer
        if line.quotes:
            quoted = self.labels[line.quotes].external_id if line.quotes != "?" else self.wamid(person.address)
            item["context"] = {"from": number, "id": quoted} | item.get("context", {})
        if line.about:
            field = "message_id" if item["type"] == "reaction" else "original_message_id"
            item[item["type"]] = item[item["type"]] | {field: self.labels[line.about].external_id}
        if line.file:
            item[item["type"]] = item[item["type"]] | {"id": self._digits(15), **samples.described(line.file)}
        if self.story.group_id:
            item["group_id"] = self.story.group_id
        parser = MessageParser(envelope)
        if self.story.is_history:
            return parser.history(item | {"history_context": {"status": line.tick}}, person.address)
        if line.does == "call":
            return parser.call(item | {"id": f"wacid.{self.rng.randbytes(16).hex().upper()}"})
        return parser.echo(item) if line.does == "echo" else parser.message(item)

    def _record(self, line: Line, update: InboundMessage, received_at: dt.datetime) -> None:
        event = str(update.content.get("event", ""))
        message = self._message(
            external_id=update.external_id,
            direction=Message.Direction.OUTBOUND if update.is_echo else Message.Direction.INBOUND,
            kind=update.kind,
            status=(update.status or Message.Status.SENT) if update.is_echo else Message.Status.RECEIVED,
            text=update.text,
            payload={"events": {event: update.content}} if update.kind == "call" else update.content,
            author_kind=Message.Author.PHONE if update.is_echo else Message.Author.CONTACT,
            sender=self.members[line.by.address] if line.by else None,
            quoted_external_id=update.quoted_id,
            is_forwarded=update.is_forwarded,
            provider_time=update.at,
            sort_at=inbound.sort_time(update.at, received_at),
            created_at=received_at,
        )
        if update.kind == "system":
            message.author_kind = Message.Author.SYSTEM
        if update.is_echo:
            message.sent_at = message.sort_at
        if line.quotes in self.labels:
            self.quotes.append((message, self.labels[line.quotes]))
        self._keep(line, message)
        part = update.attachment
        if part is not None:
            attachment = samples.attachment(line.file, self._uuid(), message, line.state)
            attachment.filename, attachment.external_id = part.filename, part.media_id
            message.version += attachment.state != Attachment.State.PENDING
            self.attachments.append(attachment)

    # --- what went out ---

    def _send(self, line: Line, at: dt.datetime, seen_at: dt.datetime | None) -> None:
        author = self.house.staff.get(line.author or self.story.owner)
        origin: Message.Author = Message.Author.AGENT
        if author is None or author.role == "integrator":
            origin = Message.Author.RULE if line.author == RULE else Message.Author.API
        message = self._message(
            direction=Message.Direction.OUTBOUND,
            kind=line.kind,
            text=line.text,
            payload=line.payload,
            author_kind=origin,
            author=author,
            priority=Message.PRIORITIES[origin],
            sort_at=at,
            created_at=at,
        )
        if line.quotes:
            self.quotes.append((message, self.labels[line.quotes]))
            message.quoted_external_id = self.labels[line.quotes].external_id or ""
        if line.kind == "reaction":
            target = self.labels[line.about]
            message.payload = {"message_id": target.external_id, "emoji": line.payload["emoji"]}
            target.version += 1
            emoji = line.payload["emoji"]
            self.reactions.append(Reaction(message=target, actor=deliveries.US, emoji=emoji, reacted_at=at))
        tick = line.tick or ("read" if seen_at else self.rng.choice(["read", "read", "delivered"]))
        self._deliver(message, "sent" if line.kind == "reaction" else tick, line.error, seen_at)
        self._keep(line, message)
        if line.file:
            attachment = samples.attachment(line.file, self._uuid(), message)
            attachment.filename, attachment.uploaded_by = line.filename or line.file, author
            attachment.external_id, attachment.handed_over_at = self._digits(15), at
            self.attachments.append(attachment)

    def _deliver(self, message: Message, tick: str, error: str, seen_at: dt.datetime | None) -> None:
        """Climb to `tick`: the attempt, a time and a version for each step."""
        at = message.created_at
        message.status = Message.Status(tick)
        if tick == "cancelled":
            message.cancelled_at, message.version = at + 2 * SECOND, 2
            return
        attempt = Attempt(message=message, reference=self._uuid(), started_at=at, finished_at=at + SECOND)
        self.attempts.append(attempt)
        if tick == "unknown":
            attempt.outcome, attempt.error_code = Attempt.Outcome.UNKNOWN, "unanswered"
            message.error_code, message.version = "unanswered", 2
            return
        message.external_id = attempt.external_id = self.wamid(self.story.person.address)
        attempt.outcome = Attempt.Outcome.ACCEPTED
        message.accepted_at, message.version = at + SECOND, 2
        if tick == "failed":
            message.failed_at, message.version = at + 2 * SECOND, 3
            message.error_code, _sep, message.error_details = error.partition(" ")
            return
        message.version += LAST_TICK.index(tick)
        read_at = min(at + self.rng.randint(20, 400) * SECOND, (seen_at or self.now) - 5 * SECOND)
        read_at = max(read_at.replace(microsecond=0), at + 3 * SECOND)
        steps = {"sent": at + SECOND, "delivered": at + 2 * SECOND, "read": read_at, "played": read_at + 9 * SECOND}
        for step in LAST_TICK[1 : LAST_TICK.index(tick) + 1]:
            setattr(message, f"{step}_at", steps[step])
            message.pricing = PRICING

    def _note(self, line: Line, at: dt.datetime) -> None:
        message = self._message(
            direction=Message.Direction.NOTE,
            status=Message.Status.RECEIVED,
            text=line.text,
            author_kind=Message.Author.AGENT,
            author=self.house.staff[line.author or self.story.owner or "marta"],
            sort_at=at,
            created_at=at,
        )
        self._keep(line, message)

    def _message(self, **columns: Any) -> Message:
        return Message(conversation=self.conversation, inbox=self.inbox, client_id=self._uuid(), **columns)

    def _keep(self, line: Line, message: Message) -> None:
        self.messages.append(message)
        self.facts.append((message.created_at, message))
        if line.label:
            self.labels[line.label] = message

    # --- what it comes to ---

    def _give_away(self, at: dt.datetime) -> None:
        """The first line is followed by an assignment: taken by its owner, or given to a team."""
        story = self.story
        payload = {"to": story.owner, "team": story.team}
        line = Line("assigned", author=story.owner or "marta", payload=payload)
        self.facts.append((at + 20 * SECOND, line))

    def _fold_message(self, message: Message) -> None:
        """As inbound.record and outbound.compose do; they come in order here."""
        conversation = self.conversation
        if message.direction == Message.Direction.NOTE or message.kind == "reaction":
            return
        is_first = conversation.last_sort_at is None
        previews.show(conversation, message)
        earlier = message.sort_at if is_first else conversation.last_activity_at
        conversation.last_activity_at = max(earlier, message.sort_at)
        if self.story.is_history:
            return
        speaks = message.direction == Message.Direction.INBOUND and message.kind not in summary.SILENT_KINDS
        if not self.story.group_id and message.direction == Message.Direction.OUTBOUND:
            since, is_agents = conversation.waiting_since, message.author_kind == Message.Author.AGENT
            if since is not None and is_agents:
                message.answered_after = max(int((message.created_at - since).total_seconds()), 0)
            conversation.waiting_since = None
        if not speaks:
            return
        conversation.inbound_count += 1
        if not self.story.group_id:
            is_ad = "referral" in message.payload
            window.open_window(conversation, message.provider_time, message.created_at, is_ad=is_ad)
            conversation.waiting_since = conversation.waiting_since or message.sort_at
            self.contact.last_inbound_at = message.sort_at
        if conversation.status == Conversation.Status.RESOLVED:
            conversation.status = Conversation.Status.OPEN
            self._event("reopened", message.created_at)

    def _fold_line(self, line: Line, at: dt.datetime) -> None:
        conversation, staff = self.conversation, self.house.staff
        if line.does == "assigned":
            to, team = staff.get(line.payload["to"]), self.house.teams.get(line.payload["team"])
            conversation.assignee, conversation.team = to, team
            names = {"assignee": to.name if to else "", "team": team.name if team else ""}
            self._event("assigned", at, by=line.author, data=names)
        elif line.does == "resolved":
            conversation.status, conversation.waiting_since = Conversation.Status.RESOLVED, None
            self._event("resolved", at, by=line.author or self.story.owner or "marta")
        else:
            old = line.payload["old"]
            values = {"field": "wa_id", "value": old, "match_key": match_key(old), "until": at}
            self.former.append(IdentityValue(identity=self.identity, **values))
            # Not a change of the conversation itself: no new version.
            external_id = f"wa_id:{at.timestamp():.0f}"
            event = ConversationEvent(kind="wa_id_changed", created_at=at, external_id=external_id)
            event.conversation = conversation
            self.events.append(event)

    def _event(self, kind: str, at: dt.datetime, *, by: str = "", data: dict[str, str] | None = None) -> None:
        user = self.house.staff[by] if by else None
        conversation = self.conversation
        conversation.version += 1
        self.events.append(
            ConversationEvent(conversation=conversation, kind=kind, user=user, data=data or {}, created_at=at)
        )

    # --- chance, always the same ---

    def wamid(self, address: str) -> str:
        """A message id wrapped as Meta wraps it."""
        return samples.wamid(address or self._digits(11), self.rng.randbytes(10).hex().upper())

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.rng.getrandbits(128), version=4)

    def _digits(self, count: int) -> str:
        return "".join(self.rng.choice("123456789") for _ in range(count))
