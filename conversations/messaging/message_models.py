"""Messages, the attempts to send them, reactions, and updates that came before their message."""

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.inboxes.models import Inbox
from conversations.messaging.conversation_models import Conversation
from crm.contacts.models import ChannelIdentity
from crm.foundation import clock
from crm.staff.models import User

HIDDEN_KINDS = ("reaction",)


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages by who asks and where they are shown."""

    def visible_to(self, user: User) -> Self:
        """Those of conversations the user sees."""
        return self.filter(conversation__in=Conversation.objects.visible_to(user).values("pk"))

    def bubbles(self) -> Self:
        """What a thread shows; a reaction we sent is a chip on its target."""
        return self.exclude(kind__in=HIDDEN_KINDS)

    def in_thread_order(self) -> Self:
        """Oldest first, ties by arrival."""
        return self.order_by("sort_at", "pk")


class Message(models.Model):
    """One message, inbound or outbound, or a note that never leaves the house."""

    class Direction(models.TextChoices):
        INBOUND = "in", _("Inbound")
        OUTBOUND = "out", _("Outbound")
        NOTE = "note", _("Private note")

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        QUEUED = "queued", _("Pending")
        CLAIMED = "claimed", _("Pending")
        SENDING = "sending", _("Pending")
        UNKNOWN = "unknown", _("Not confirmed")
        ACCEPTED = "accepted", _("Pending")
        SENT = "sent", _("Sent")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        PLAYED = "played", _("Played")
        FAILED = "failed", _("Not delivered")
        CANCELLED = "cancelled", _("Cancelled")

    class Author(models.TextChoices):
        CONTACT = "contact", _("Contact")
        AGENT = "agent", _("Agent")
        BOT = "bot", _("Bot")
        RULE = "rule", _("Rule")
        CAMPAIGN = "campaign", _("Campaign")
        PHONE = "phone", _("Phone")
        API = "api", _("API")
        SYSTEM = "system", _("System")

    PRIORITIES: ClassVar[dict[str, int]] = {"agent": 0, "api": 2, "rule": 1, "bot": 1, "campaign": 3}

    # Every index costs every message: these keys have none of their own where one below begins with them, and a
    # partial one where they are mostly empty.
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages", db_index=False)
    inbox = models.ForeignKey(Inbox, on_delete=models.PROTECT, related_name="+", db_index=False)
    client_id = models.UUIDField(default=uuid.uuid4)
    external_id = models.CharField(max_length=256, null=True, blank=True)
    direction = models.CharField(max_length=4, choices=Direction)
    kind = models.CharField(max_length=40, default="text")
    status = models.CharField(max_length=10, choices=Status)
    text = models.TextField(blank=True)
    payload = models.JSONField(default=dict)
    author_kind = models.CharField(max_length=10, choices=Author)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    sender = models.ForeignKey(
        ChannelIdentity, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    reply_to = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    quoted_external_id = models.CharField(max_length=256, blank=True)
    is_forwarded = models.BooleanField(default=False)
    original_text = models.TextField(blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    # The provider's time as given; `sort_at` is what the thread is ordered by (clamped to what is possible).
    provider_time = models.DateTimeField(null=True, blank=True)
    sort_at = models.DateTimeField(default=clock.now)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    played_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=20, blank=True)
    error_details = models.CharField(max_length=500, blank=True)
    pricing = models.JSONField(default=dict)
    # Of an agent's answer: for how many seconds the person had waited for it.
    answered_after = models.IntegerField(null=True, blank=True, editable=False)
    # Work of the outbox.
    priority = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    # Counts every visible change: a lower version never replaces a higher one in a browser.
    version = models.PositiveIntegerField(default=1)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["inbox", "external_id"],
                condition=Q(external_id__isnull=False),
                name="message_external_id_once",
            ),
            # The client's id first: retry and cancel look a bubble up by it alone.
            models.UniqueConstraint(fields=["client_id", "conversation"], name="message_client_id_once"),
            models.CheckConstraint(
                condition=Q(direction="out") ^ Q(status="received"), name="message_only_outbound_is_sent"
            ),
            models.CheckConstraint(
                condition=~Q(direction="note") | Q(external_id__isnull=True), name="message_note_stays_inside"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["conversation", "sort_at", "id"], name="message_thread"),  # thread page
            # private notes in a contact's timeline
            models.Index(fields=["conversation", "sort_at"], condition=Q(direction="note"), name="message_notes"),
            # a user, identity or quoted message that goes, or two identities that join
            models.Index(fields=["author"], condition=Q(author__isnull=False), name="message_author"),
            models.Index(fields=["sender"], condition=Q(sender__isnull=False), name="message_sender"),
            models.Index(fields=["reply_to"], condition=Q(reply_to__isnull=False), name="message_reply_to"),
            # quotes that came before what they quote
            models.Index(
                fields=["conversation", "quoted_external_id"],
                condition=Q(reply_to=None) & ~Q(quoted_external_id=""),
                name="message_quote_waits",
            ),
            # outbox.claim
            models.Index(fields=["priority", "id"], condition=Q(status="queued"), name="message_queue"),
            # outbox: leases that ran out
            models.Index(fields=["lease_until"], condition=Q(status__in=["claimed", "sending"]), name="message_leased"),
            # outbox: order within a conversation
            models.Index(
                fields=["conversation", "id"],
                condition=Q(status__in=["queued", "claimed", "sending"]),
                name="message_in_flight",
            ),
            models.Index(fields=["id"], condition=Q(status="unknown"), name="message_unknown"),  # monitoring
            models.Index(fields=["id"], condition=Q(status="failed"), name="message_failed"),  # administration
            # reports, and the lists their cards lead to
            models.Index(fields=["created_at"], condition=Q(answered_after__isnull=False), name="message_answers"),
            models.Index(
                fields=["created_at"], condition=Q(direction="out", pricing__billable=True), name="message_charged"
            ),
            # Migration 0013 adds on PostgreSQL: message_created_brin, for reports and filters by day.
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def sort_key(self) -> str:
        """Milliseconds and pk: where the bubble stands in its thread, and the cursor of thread pages."""
        return f"{int(self.sort_at.timestamp() * 1000)}.{self.pk}"


class Attempt(models.Model):
    """One try to send a message, written before the request leaves; `reference` comes back in status webhooks."""

    class Outcome(models.TextChoices):
        SENDING = "sending", _("On its way")
        ACCEPTED = "accepted", _("Accepted")
        REFUSED = "refused", _("Refused")
        RETRY = "retry", _("To be tried again")
        UNKNOWN = "unknown", _("Not confirmed")

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    reference = models.UUIDField(default=uuid.uuid4, unique=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.SENDING)
    external_id = models.CharField(max_length=256, blank=True)
    error_code = models.CharField(max_length=20, blank=True)
    error_details = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField(default=clock.real)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes: ClassVar = [
            models.Index(fields=["started_at"], name="attempt_started"),  # monitoring: sends lately
            # a status for a message whose id we do not know yet
            models.Index(fields=["external_id"], condition=~Q(external_id=""), name="attempt_external_id"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.pk} of message {self.message_id}"


class Reaction(models.Model):
    """The reaction of one side to a message; an empty emoji is a removed one, kept so that it stays removed."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions", db_index=False)
    actor = models.CharField(max_length=40)  # "us", or the identity that reacted
    emoji = models.CharField(max_length=32, blank=True)
    reacted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["message", "actor"], name="reaction_one_per_side")]
        indexes: ClassVar = [
            models.Index(fields=["actor"], condition=~Q(actor="us"), name="reaction_actor"),  # identities that join
        ]

    def __str__(self) -> str:
        return f"reaction of {self.actor} to {self.message_id}"


class ParkedUpdate(models.Model):
    """A status, reaction, edit or revocation that came before its message; applied when the message appears."""

    inbox = models.ForeignKey(Inbox, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(max_length=256)
    dedup_key = models.CharField(max_length=64)
    kind = models.CharField(max_length=20)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=clock.now)
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("parked update")
        verbose_name_plural = _("parked updates")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["inbox", "external_id", "dedup_key"], name="parkedupdate_once"),
        ]
        indexes: ClassVar = [
            # deliveries.sweep_parked
            models.Index(fields=["created_at"], condition=Q(applied_at=None), name="parkedupdate_waiting_since"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
