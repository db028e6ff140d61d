"""Messages and what becomes of them, scheduled messages, and stops of sending in the administration."""

from collections import Counter
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from conversations.channels.whatsapp import codes
from conversations.desk import kinds
from conversations.inboxes.models import Inbox
from conversations.messaging import outbound, schedule, settling
from conversations.messaging.models import Attempt, Message, ScheduledMessage
from conversations.reports.filters import MessageSetFilter, PeriodFilter
from crm.audit.deeds import RowDeeds
from crm.audit.modeladmin import ReadOnlyAdmin, ReadOnlyInline, titled
from crm.audit.words import Labelled, when

PREVIEW = 80
REASONS_READ = 1000
REASON_SHOWN = 90
STATUS_COLOURS = {
    "received": "", "queued": "info", "claimed": "info", "sending": "info", "accepted": "info", "unknown": "warning",
    "sent": "success", "delivered": "success", "read": "success", "played": "success", "failed": "danger",
    "cancelled": "",
}  # fmt: skip
REFUSALS = {
    schedule.ANSWERED: gettext_lazy("The person has written meanwhile."),
    schedule.AUTHOR_GONE: gettext_lazy("Its author may no longer write there."),
    schedule.TOO_LATE: gettext_lazy("Its time had passed by hours when it could be sent."),
    schedule.BROKEN: gettext_lazy("It could not be put together."),
    "window_closed": gettext_lazy("The 24-hour window was closed."),
    "read_only": gettext_lazy("It is a group, which can only be read."),
}


class ReasonFilter(DropdownFilter):
    """By why messages failed, the most frequent of the newest first."""

    title = gettext_lazy("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The codes of the newest failures, with how many of them."""
        failed = Message.objects.filter(status=Message.Status.FAILED).order_by("-pk")
        counts = Counter(failed.values_list("error_code", flat=True)[:REASONS_READ])
        counts.pop("", None)
        return [(code, f"{number} · {_shortened(code)} ({code})") for code, number in counts.most_common(30)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Message]") -> "QuerySet[Message]":
        """Those that failed for it."""
        code = (self.value() or "").replace("\x00", "")
        return queryset.filter(status=Message.Status.FAILED, error_code=code) if code else queryset


class AttemptInline(ReadOnlyInline):
    """Each try to send the message."""

    model = Attempt
    fields = readonly_fields = ("result", "began", "ended", "why", "sent_as")
    verbose_name_plural = gettext_lazy("Attempts")

    @display(description=gettext_lazy("result"))
    def result(self, attempt: Attempt) -> str:
        """What came of it."""
        return str(attempt.get_outcome_display())

    @display(description=gettext_lazy("reference"))
    def sent_as(self, attempt: Attempt) -> str:
        """What statuses of this attempt carry."""
        return str(attempt.reference)

    @display(description=gettext_lazy("began"))
    def began(self, attempt: Attempt) -> str:
        """When the request left."""
        return when(attempt.started_at)

    @display(description=gettext_lazy("ended"))
    def ended(self, attempt: Attempt) -> str:
        """When its answer came."""
        return when(attempt.finished_at)

    @display(description=gettext_lazy("error"))
    def why(self, attempt: Attempt) -> str:
        """The code and Meta's words."""
        return " · ".join(part for part in (attempt.error_code, attempt.error_details) if part) or "—"


@admin.register(Message)
class MessageAdmin(RowDeeds, ReadOnlyAdmin):
    """Messages: what leaves, what did not arrive and why, and what nobody could confirm, to be settled by hand."""

    list_display = ("moment", "contact", "who", "preview", "status_word", "reason")
    list_filter = (
        MessageSetFilter,
        ReasonFilter,
        PeriodFilter,
        ("inbox", titled(RelatedDropdownFilter, gettext_lazy("number"))),
    )
    list_filter_submit = True
    list_filter_sheet = True
    list_select_related = ("conversation__contact", "author", "inbox")
    search_fields = ("external_id",)
    search_help_text = gettext_lazy("WhatsApp's id of a message (wamid…)")
    inlines = (AttemptInline,)
    actions = ("arrived", "did_not_arrive", "send_again", "cancel")
    readonly_fields = (
        "contact", "moment", "who", "kind_word", "body", "number", "status_word", "reason", "details", "wamid",
        "times",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("contact", "number"), ("moment", "who"), "kind_word", "body")}),
        (gettext_lazy("Delivery"), {"fields": (("status_word", "times"), ("reason", "details"), "wamid")}),
    )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By WhatsApp's id, through its index; nothing else of a message is searched here."""
        wanted = search_term.strip()[:256]
        if wanted:
            queryset = queryset.filter(inbox__in=Inbox.objects.values("pk"), external_id=wanted)
        return queryset, False

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """Tries, where there can be any."""
        return self.inlines if obj is not None and obj.direction == Message.Direction.OUTBOUND else ()

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """Settle what is in doubt; try failed ones again; take back what has not left."""
        if obj.author_kind == Message.Author.PHONE:
            return ()
        by_status = {"unknown": ("arrived", "did_not_arrive", "send_again"), "failed": ("send_again",)}
        return by_status.get(obj.status, ("cancel",) if obj.status == Message.Status.QUEUED else ())

    def deed_advice(self, obj: Any) -> str:
        """What to look at first."""
        if obj.status != Message.Status.UNKNOWN:
            return ""
        return _("Nobody knows whether this message arrived. Look at the business's phone or ask the person first.")

    @admin.action(description=gettext_lazy("It arrived"), permissions=["act"])
    def arrived(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        """Somebody has seen that it did."""
        self._settle(request, queryset, arrived=True)

    @admin.action(description=gettext_lazy("It did not arrive"), permissions=["act"])
    def did_not_arrive(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        """Somebody has seen that it did not."""
        self._settle(request, queryset, arrived=False)

    @admin.action(description=gettext_lazy("Send again"), permissions=["act"])
    def send_again(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        """Another try under the same bubble."""
        done, refusals = self.each(request, queryset.order_by("pk"), outbound.retry, "retried")
        words = ngettext("%(number)d message is sent again.", "%(number)d messages are sent again.", done)
        self.tell(request, words % {"number": done} if done else "", refusals)

    @admin.action(description=gettext_lazy("Do not send"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: "QuerySet[Message]") -> None:
        """Take back what has not left yet."""
        done, refusals = self.each(request, queryset.order_by("pk"), outbound.cancel, "cancelled")
        words = ngettext("%(number)d message cancelled.", "%(number)d messages cancelled.", done)
        self.tell(request, words % {"number": done} if done else "", refusals)

    def _settle(self, request: HttpRequest, queryset: "QuerySet[Message]", *, arrived: bool) -> None:
        done, refusals = self.each(
            request,
            queryset.order_by("pk"),
            lambda row: settling.settle_by_hand(row, arrived=arrived),
            "settled",
            {"status": [Message.Status.UNKNOWN, Message.Status.DELIVERED if arrived else Message.Status.FAILED]},
        )
        words = ngettext("%(number)d message settled.", "%(number)d messages settled.", done)
        self.tell(request, words % {"number": done} if done else "", refusals)

    @display(description=gettext_lazy("when"))
    def moment(self, message: Message) -> str:
        """Its time in the thread."""
        return when(message.sort_at)

    @display(description=gettext_lazy("contact"))
    def contact(self, message: Message) -> SafeString:
        """With a link to this place of the conversation."""
        address = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
        title = message.conversation.contact.title
        return format_html('<a class="wc-link" href="{}?at={}">{}</a>', address, message.client_id, title)

    @display(description=gettext_lazy("from"))
    def who(self, message: Message) -> str:
        """The person, the agent, or what wrote it."""
        author = message.author.name if message.author else message.get_author_kind_display()
        return f"{author} · {_('Private note')}" if message.direction == Message.Direction.NOTE else str(author)

    @display(description=gettext_lazy("number"))
    def number(self, message: Message) -> str:
        """Ours."""
        return message.inbox.name

    @display(description=gettext_lazy("message"))
    def preview(self, message: Message) -> str:
        """Its beginning."""
        if message.revoked_at:
            return kinds.preview("revoked", "")
        words = kinds.preview(message.kind, message.text.replace("\n", " ")[: PREVIEW + 1])
        return words if len(words) <= PREVIEW else f"{words[:PREVIEW]}…"

    @display(description=gettext_lazy("text"))
    def body(self, message: Message) -> SafeString:
        """All of it, as text."""
        text = ("" if message.revoked_at else message.text) or kinds.preview(message.kind, "") or "—"
        return format_html('<span class="wc-lines" dir="auto">{}</span>', text)

    @display(description=gettext_lazy("state"), label=STATUS_COLOURS)
    def status_word(self, message: Message) -> Labelled:
        """How far it came."""
        return Labelled(message.status, str(message.get_status_display()))

    @display(description=gettext_lazy("reason"))
    def reason(self, message: Message) -> str:
        """What went wrong, as agents read it."""
        if not message.error_code or message.status not in ("failed", "unknown", "queued"):
            return "—"
        return codes.sentence(message.error_code, is_final=message.status == "failed")

    @display(description=gettext_lazy("Meta's words"))
    def details(self, message: Message) -> str:
        """Code and explanation as they came."""
        return " · ".join(part for part in (message.error_code, message.error_details) if part) or "—"

    @display(description=gettext_lazy("kind"))
    def kind_word(self, message: Message) -> str:
        """Text, photo, order …"""
        return str(kinds.WORDS.get(message.kind, "")) or (_("Text") if message.kind == "text" else message.kind)

    @display(description=gettext_lazy("WhatsApp's id"))
    def wamid(self, message: Message) -> SafeString:
        """By which Meta speaks of it."""
        return format_html('<span class="wc-lines">{}</span>', message.external_id or "—")

    @display(description=gettext_lazy("times"))
    def times(self, message: Message) -> SafeString:
        """Each step it took."""
        steps = ("created", "accepted", "sent", "delivered", "read", "played", "failed", "cancelled")
        words = (
            _("Written"), _("Accepted"), _("Sent"), _("Delivered"), _("Read"), _("Played"), _("Not delivered"),
            _("Cancelled"),
        )  # fmt: skip
        pairs = zip(words, (getattr(message, f"{step}_at") for step in steps), strict=True)
        return format_html('<span class="wc-lines">{}</span>', "\n".join(f"{w}: {when(at)}" for w, at in pairs if at))


@admin.register(ScheduledMessage)
class ScheduledMessageAdmin(RowDeeds, ReadOnlyAdmin):
    """What agents have written to be sent later."""

    list_display = ("contact", "by", "leaves", "preview", "state_word", "why")
    list_filter = (("state", titled(ChoicesDropdownFilter, gettext_lazy("state"))),)
    list_filter_submit = True
    list_select_related = ("conversation__contact", "author")
    actions = ("cancel",)
    fields = readonly_fields = ("contact", "by", "leaves", "condition", "preview", "state_word", "why")

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """Cancel what waits."""
        return ("cancel",) if obj.state in schedule.OPEN else ()

    @admin.action(description=gettext_lazy("Do not send"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: "QuerySet[ScheduledMessage]") -> None:
        """It stays, cancelled."""
        done, refusals = self.each(request, queryset.order_by("pk"), schedule.cancel, "cancelled")
        words = ngettext("%(number)d message cancelled.", "%(number)d messages cancelled.", done)
        self.tell(request, words % {"number": done} if done else "", refusals)

    @display(description=gettext_lazy("contact"))
    def contact(self, row: ScheduledMessage) -> SafeString:
        """With a link to the conversation."""
        address = reverse("admin:conversations_conversation_change", args=[row.conversation_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, row.conversation.contact.title)

    @display(description=gettext_lazy("by"))
    def by(self, row: ScheduledMessage) -> str:
        """In whose name it is sent."""
        return row.author.name if row.author else "—"

    @display(description=gettext_lazy("condition"))
    def condition(self, row: ScheduledMessage) -> str:
        """Whether an answer of the person makes it needless."""
        return _("Only if the person has not written meanwhile.") if row.unless_answered else "—"

    @display(description=gettext_lazy("leaves"))
    def leaves(self, row: ScheduledMessage) -> str:
        """When it is to be sent."""
        return when(row.send_at)

    @display(description=gettext_lazy("text"))
    def preview(self, row: ScheduledMessage) -> str:
        """Its beginning."""
        return row.text if len(row.text) <= PREVIEW else f"{row.text[:PREVIEW]}…"

    @display(
        description=gettext_lazy("state"),
        label={"waiting": "info", "sent": "success", "refused": "danger", "cancelled": ""},
    )
    def state_word(self, row: ScheduledMessage) -> Labelled:
        """Whether it waits, left or not."""
        return Labelled(row.state, str(row.get_state_display()))

    @display(description=gettext_lazy("reason"))
    def why(self, row: ScheduledMessage) -> str:
        """Why it was not sent."""
        return str(REFUSALS.get(row.reason, row.reason)) or "—"


def _shortened(code: str) -> str:
    sentence = codes.sentence(code, is_final=True)
    return sentence if len(sentence) <= REASON_SHOWN else f"{sentence[:REASON_SHOWN].rstrip()}…"
