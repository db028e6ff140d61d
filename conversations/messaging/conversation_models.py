"""Conversations (one per inbox and person, for ever), what each agent has read, and the timeline of events."""

import datetime as dt
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, StringAgg, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat, Greatest
from django.utils.translation import gettext_lazy as _

from conversations.inboxes.models import Inbox
from crm.contacts import masking
from crm.contacts.models import ChannelIdentity, Contact, Tag
from crm.foundation import clock
from crm.foundation.search import words_of
from crm.segments import rules
from crm.segments.models import Segment
from crm.segments.rules import BrokenRule
from crm.staff.models import Role, Team, User

CLOSING = dt.timedelta(hours=2)
FEW = 2000
_FIELD_END, _ROW_END = "\x1f", "\x1e"  # in `tag_text`, between what no tag contains


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations by who asks and which queue."""

    def visible_to(self, user: User) -> Self:
        """Managers and integrators all; agents those of their teams' inboxes; restricted agents their own and their
        teams'.
        """
        if not user.is_active:
            return self.none()
        if user.sees_everything:
            return self
        if user.role == Role.RESTRICTED:
            teams = user.memberships.values("team_id")
            return self.filter(Q(assignee=user) | Q(assignee=None, team__in=teams))
        return self.filter(inbox__in=Inbox.objects.visible_to(user).values("pk"))

    def mine(self, user: User) -> Self:
        """Assigned to this user."""
        return self.filter(assignee=user)

    def unassigned(self) -> Self:
        """Assigned to nobody."""
        return self.filter(assignee=None)

    def listed(self) -> Self:
        """Without those made by a campaign that nobody has answered."""
        return self.exclude(status=Conversation.Status.DORMANT)

    def search(self, text: str) -> Self:
        """Whose contact matches every word. Asks for the people, then for their conversations: few are looked up by
        their keys, many are met on the way through the list.
        """
        words = words_of(text)
        people = list(Contact.objects.search(text).values_list("pk", flat=True)[: FEW + 1]) if words else []
        if words and len(people) <= FEW:
            keys = list(self.model.objects.filter(contact__in=people).values_list("pk", flat=True)[: FEW + 1])
            return self.filter(pk__in=keys) if len(keys) <= FEW else self.filter(contact__in=people)
        if masking.hides():
            return self.filter(contact__in=Contact.objects.search(text))
        return self.filter(*(Q(contact__search_text__contains=word) for word in words))

    def of_segment(self, key: int) -> Self:
        """Of the contacts who are in a segment now; none if there is no such segment, or its rule is broken."""
        segment = Segment.objects.filter(pk=key).first()
        try:
            people = rules.narrow(Contact.objects.all(), segment) if segment else Contact.objects.none()
        except BrokenRule:
            return self.none()
        return self.filter(contact__in=people.order_by().values("pk"))

    def with_unread(self, user: User) -> Self:
        """Annotate `unread`: inbound messages this user has not read."""
        read = ConversationRead.objects.filter(conversation=OuterRef("pk"), user=user).values("inbound_upto")
        return self.annotate(unread=Greatest(F("inbound_count") - Coalesce(Subquery(read), 0), 0))

    def for_rows(self, user: User) -> Self:
        """All that a list row shows, in one query; `tag_text` is read by `Conversation.tag_pairs`."""
        pins = ConversationPin.objects.filter(conversation=OuterRef("pk"), user=user)
        tagged = ConversationTag.objects.filter(conversation=OuterRef("pk")).order_by().values("conversation")
        pair = Concat(Cast("tag__colour", models.CharField()), Value(_FIELD_END), "tag__name")
        tags = tagged.annotate(text=StringAgg(pair, delimiter=Value(_ROW_END))).values("text")
        rows = self.with_unread(user).annotate(is_pinned=Exists(pins), tag_text=Subquery(tags))
        return rows.select_related("contact", "inbox", "assignee", "team")


class Conversation(models.Model):
    """Everything said between one number of ours and one account of a person: a river, never closed for good."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        PENDING = "pending", _("Pending")
        SNOOZED = "snoozed", _("Snoozed")
        RESOLVED = "resolved", _("Resolved")
        DORMANT = "dormant", _("Dormant")

    class Priority(models.IntegerChoices):
        NONE = 0, _("No priority")
        LOW = 1, _("Low")
        MEDIUM = 2, _("Medium")
        HIGH = 3, _("High")
        URGENT = 4, _("Urgent")

    # A message moves its conversation to the top of every list, and so writes each of its indexes anew: few.
    inbox = models.ForeignKey(Inbox, on_delete=models.PROTECT, related_name="conversations", db_index=False)
    identity = models.ForeignKey(
        ChannelIdentity, on_delete=models.PROTECT, related_name="conversations", db_index=False
    )
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conversations")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="conversations",
        db_index=False,
    )
    team = models.ForeignKey(
        Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="conversations", db_index=False
    )
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NONE, db_default=Priority.NONE.value)
    # When a snoozed one comes back by itself; None: when the person writes. Of others it says nothing: a process of the
    # release before may reopen one without emptying it.
    snoozed_until = models.DateTimeField(null=True, blank=True)
    # Counts every change of status, assignee, team, tags or priority: a stale form is refused.
    version = models.PositiveIntegerField(default=1)
    window_expires_at = models.DateTimeField(null=True, blank=True)
    # 72 hours after a click on an ad: what it costs, not what is allowed.
    free_entry_expires_at = models.DateTimeField(null=True, blank=True)
    inbound_count = models.PositiveIntegerField(default=0)
    # The team's clock: since when the person waits for an answer.
    waiting_since = models.DateTimeField(null=True, blank=True)
    last_activity_at = models.DateTimeField(default=clock.now)
    # The newest message, for the list.
    last_message_id = models.BigIntegerField(null=True, blank=True)
    last_sort_at = models.DateTimeField(null=True, blank=True)
    last_preview = models.CharField(max_length=200, blank=True)
    last_kind = models.CharField(max_length=40, blank=True)
    last_direction = models.CharField(max_length=4, blank=True)
    last_status = models.CharField(max_length=12, blank=True)
    last_author_name = models.CharField(max_length=150, blank=True)
    # A read mark (or typing indicator) to be sent, where the inbox sends them.
    receipt_external_id = models.CharField(max_length=256, blank=True)
    receipt_is_typing = models.BooleanField(default=False)
    # When the next message to this person may leave (GCRA of Meta's pair limit, shared by all workers).
    next_send_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    tags: "models.ManyToManyField[Tag, ConversationTag]" = models.ManyToManyField(
        Tag, through="ConversationTag", related_name="conversations", blank=True
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "inbox"], name="conversation_one_per_person"),
            models.CheckConstraint(
                condition=Q(status__in=["open", "pending", "snoozed", "resolved", "dormant"]),
                name="conversation_status_is_known",
            ),
            models.CheckConstraint(condition=Q(priority__lte=4), name="conversation_priority_is_known"),
        ]
        indexes: ClassVar = [
            # inbox page: the open ones of view All, of views Mine and Unassigned, and their counts
            models.Index(fields=["-last_activity_at", "-id"], condition=Q(status="open"), name="conversation_open"),
            models.Index(
                fields=["assignee", "-last_activity_at", "-id"],
                condition=Q(status="open"),
                name="conversation_open_of",
            ),
            # inbox page: resolved ones and those of any status, which are many; search for a frequent word
            models.Index(fields=["-last_activity_at", "-id"], name="conversation_all"),
            models.Index(
                fields=["assignee", "-last_activity_at", "-id"],
                condition=~Q(status="dormant"),
                name="conversation_all_of",
            ),
            # what a restricted agent sees beside their own
            models.Index(fields=["team"], condition=Q(assignee=None, team__isnull=False), name="conversation_of_team"),
            # views Waiting and Window closing, and their counts
            models.Index(
                fields=["waiting_since", "id"],
                condition=Q(status="open", waiting_since__isnull=False),
                name="conversation_waiting",
            ),
            models.Index(fields=["window_expires_at", "id"], condition=Q(status="open"), name="conversation_closing"),
            # view Snoozed, and the drain that wakes them
            models.Index(fields=["snoozed_until", "id"], condition=Q(status="snoozed"), name="conversation_snoozed"),
            # drain of read marks
            models.Index(fields=["id"], condition=~Q(receipt_external_id=""), name="conversation_receipts"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def tag_pairs(self) -> list[tuple[str, int]]:
        """Name and colour of each tag, by name; of a row of `for_rows`."""
        texts = (getattr(self, "tag_text", None) or "").split(_ROW_END)
        parts = [text.partition(_FIELD_END) for text in texts]  # an older name may contain what ends a row
        pairs = [(name, int(colour)) for colour, _sep, name in parts if name and colour.isascii() and colour.isdigit()]
        return sorted(pairs, key=lambda pair: pair[0].casefold())

    @property
    def is_group(self) -> bool:
        """A WhatsApp group: may be read, not answered."""
        return self.contact.kind == Contact.Kind.GROUP

    def window_is_open(self, at: dt.datetime) -> bool:
        """Whether free text may be sent at `at`."""
        return self.window_expires_at is not None and self.window_expires_at > at

    def window_state(self, at: dt.datetime) -> str:
        """open · closing (less than 2 h left) · closed · never (the person has not written) · none (groups)."""
        if self.is_group:
            return "none"
        if self.window_expires_at is None:
            return "never"
        if self.window_expires_at <= at:
            return "closed"
        return "closing" if self.window_expires_at - at < CLOSING else "open"


class ConversationTag(models.Model):
    """A tag on a conversation: who put it there and when."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="conversation_tags", db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="conversation_tags", db_index=False)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("tag of a conversation")
        verbose_name_plural = _("tags of conversations")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "tag"], name="conversationtag_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["tag", "conversation"], name="conversationtag_filter")]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.conversation_id}"


class ConversationPin(models.Model):
    """A conversation one agent keeps at the top of their lists."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="pins")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    pinned_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("pinned conversation")
        verbose_name_plural = _("pinned conversations")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "conversation"], name="conversationpin_once"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} pinned by {self.user_id}"


class ConversationRead(models.Model):
    """Up to which inbound message (by count) a user has read a conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="reads", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    inbound_upto = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("reading mark")
        verbose_name_plural = _("reading marks")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "user"], name="conversationread_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} read {self.conversation_id} up to {self.inbound_upto}"


class ConversationEvent(models.Model):
    """A fact in a conversation's permanent timeline: assigned, resolved, number changed …"""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="events", db_index=False)
    kind = models.CharField(max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=clock.now)
    # Makes a fact that comes twice by webhook one fact.
    external_id = models.CharField(max_length=256, null=True, blank=True)

    class Meta:
        verbose_name = _("event of a conversation")
        verbose_name_plural = _("events of conversations")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "external_id"],
                condition=Q(external_id__isnull=False),
                name="conversationevent_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["conversation", "created_at"], name="conversationevent_thread"),  # thread page
            models.Index(fields=["user"], condition=Q(user__isnull=False), name="conversationevent_user"),  # who goes
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.conversation_id}"
