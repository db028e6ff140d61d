"""Webhooks as they came and what became of them, and updates that wait for their message, in the administration."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
from cryptography.fernet import InvalidToken
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from conversations.channels.whatsapp.parse import parse
from conversations.inboxes.models import WhatsAppAccount
from conversations.ingest import items, pipeline
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.ingest.reading import Unreadable, load
from conversations.messaging import deliveries
from conversations.messaging.models import Message, ParkedUpdate
from crm.audit.days import DaysFilter
from crm.audit.deeds import RowDeeds
from crm.audit.modeladmin import ReadOnlyAdmin, ReadOnlyInline, titled
from crm.audit.words import Labelled, when

RAW_SHOWN = 100_000
PARSED_SHOWN = 30
ITEMS_SHOWN = 200
REASON_SHOWN = 100
REASONS_READ = 1000  # of the newest in quarantine
REASONS_LISTED = 30
RELEASED_AT_ONCE = 5000
IDS_NAMED = 100  # in an entry of the audit log
OUTCOME_COLOURS = {
    "recorded": "success", "known": "", "applied": "success", "parked": "warning", "stored": "",
    "quarantined": "danger",
}  # fmt: skip

# What the pipeline writes, in words for managers; what is not here is shown as it was written.
REASONS = {
    "phone_number_id is unknown or belongs to an account that did not sign": gettext_lazy(
        "its number is not connected here, or belongs to an account that did not sign"
    ),
    "the entry's WABA is not the one of the phone_number_id": gettext_lazy("account and number do not fit together"),
    "the entry's WABA belongs to no account that signed": gettext_lazy("it is of an account that did not sign"),
    "sealed with an encryption key that is no longer configured": gettext_lazy("its encryption key is not configured"),
    "given up after repeated crashes": gettext_lazy("processing it failed again and again"),
    "a change of number or id without a usable time": gettext_lazy("a change of number without a time"),
    "no entry": gettext_lazy("it has no entry"),
    "entry without changes": gettext_lazy("an entry without changes"),
    "change without value": gettext_lazy("a change without a value"),
    "item is not an object": gettext_lazy("an item is not an object"),
    "thread is not an object": gettext_lazy("a thread is not an object"),
}


class ItemInline(ReadOnlyInline):
    """Each item of the webhook and where it landed."""

    model = EventItem
    fields = readonly_fields = ("position_word", "kind_word", "outcome_word", "why", "message_link")
    per_page = ITEMS_SHOWN
    ordering = ("position",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[EventItem]":
        """With the messages they became."""
        return super().get_queryset(request).select_related("message__conversation__contact")

    @display(description=gettext_lazy("place"))
    def position_word(self, item: EventItem) -> int:
        """Its place in the webhook, from 1."""
        return item.position + 1

    @display(description=gettext_lazy("kind"))
    def kind_word(self, item: EventItem) -> str:
        """What it is, as WhatsApp calls it."""
        return item.kind

    @display(description=gettext_lazy("reason"))
    def why(self, item: EventItem) -> str:
        """Why it was set aside."""
        return _in_words(item.reason)

    @display(description=gettext_lazy("result"), label=OUTCOME_COLOURS)
    def outcome_word(self, item: EventItem) -> Labelled:
        """Where it landed."""
        return Labelled(item.outcome, str(item.get_outcome_display()))

    @display(description=gettext_lazy("message"))
    def message_link(self, item: EventItem) -> SafeString | str:
        """The message it made or changed."""
        if item.message is None:
            return "—"
        address = reverse("admin:conversations_message_change", args=[item.message_id])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, item.message.conversation.contact.title)


class ReasonFilter(DropdownFilter):
    """By why webhooks were set aside, the most frequent of the newest first."""

    title = gettext_lazy("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The reasons of the newest in quarantine, with how many of them."""
        aside = WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED).order_by("-pk")
        counts = Counter(aside.values_list("reason", flat=True)[:REASONS_READ])
        counts.pop("", None)
        listed = counts.most_common(REASONS_LISTED)
        return [(reason, f"{number} · {Truncator(_in_words(reason)).chars(REASON_SHOWN)}") for reason, number in listed]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[WebhookEvent]") -> "QuerySet[WebhookEvent]":
        """Those in quarantine for it."""
        reason = self.value()
        return queryset.filter(state=WebhookEvent.State.QUARANTINED, reason=reason) if reason else queryset


@admin.register(WebhookEvent)
class WebhookEventAdmin(RowDeeds, ReadOnlyAdmin):
    """Webhooks: the bytes as they came, what they were understood as, and those that were not."""

    list_filter = (
        ("state", titled(ChoicesDropdownFilter, gettext_lazy("state"))),
        ReasonFilter,
        ("received_at", titled(DaysFilter, gettext_lazy("received"))),
    )
    list_filter_submit = True
    ordering = ("-received_at", "-pk")  # so that days far back are a range of one index
    inlines = (ItemInline,)
    actions = ("replay", "replay_alike")
    readonly_fields = ("received", "processed", "state_word", "signers", "tries", "why", "raw", "parsed")
    fieldsets = (
        (None, {"fields": (("received", "processed"), ("state_word", "signers"), ("why", "tries"))}),
        (gettext_lazy("As it came"), {"fields": ("raw",), "classes": ["tab"]}),
        (gettext_lazy("As it was understood"), {"fields": ("parsed",), "classes": ["tab"]}),
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[WebhookEvent]":
        """Without the bytes, with the number of items."""
        per_event = EventItem.objects.filter(event=OuterRef("pk")).order_by().values("event")
        count = Subquery(per_event.annotate(count=Count("pk")).values("count"), output_field=IntegerField())
        return super().get_queryset(request).defer("sealed_body").annotate(items_count=Coalesce(count, 0))

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        """The columns; whose secret signed is read once for the page."""
        return "received", "state_word", _signers(request), "items_word", "reason_short", "tries"

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """Another try for what was set aside."""
        return ("replay", "replay_alike") if obj.state == WebhookEvent.State.QUARANTINED else ()

    def deed_advice(self, obj: Any) -> str:
        """Why it is there, and what to do first."""
        if obj.state != WebhookEvent.State.QUARANTINED:
            return ""
        return _("It was set aside: %(reason)s. Replay it when the cause is gone; what is known already stays.") % {
            "reason": _in_words(obj.reason)
        }

    @admin.action(description=gettext_lazy("Replay"), permissions=["act"])
    def replay(self, request: HttpRequest, queryset: "QuerySet[WebhookEvent]") -> None:
        """Have the ticked ones of the quarantine processed again, in the background."""
        states = WebhookEvent.State
        with transaction.atomic():
            taken = pipeline.release(queryset.order_by("pk").values_list("pk", flat=True))
            for event in WebhookEvent.objects.filter(pk__in=taken).defer("sealed_body").order_by("pk"):
                self.audit(request, "replayed", event, {"state": [states.QUARANTINED.value, states.PENDING.value]})
        self._tell_released(request, len(taken))

    @admin.action(description=gettext_lazy("Replay all with the same reason"), permissions=["act"])
    def replay_alike(self, request: HttpRequest, queryset: "QuerySet[WebhookEvent]") -> None:
        """All that were set aside for the reasons of the ticked ones, of each the oldest RELEASED_AT_ONCE."""
        aside = WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED)
        ticked = queryset.filter(state=WebhookEvent.State.QUARANTINED).order_by()
        count, is_more = 0, False
        for reason in sorted(set(ticked.values_list("reason", flat=True))):
            alike = aside.filter(reason=reason).order_by("pk").values_list("pk", flat=True)
            with transaction.atomic():
                taken = pipeline.release(alike[:RELEASED_AT_ONCE])
                if taken:
                    told = {"reason": reason, "events": len(taken), "ids": taken[:IDS_NAMED]}
                    self.audit(request, "replayed", None, {name: [None, value] for name, value in told.items()})
            count += len(taken)
            is_more = is_more or len(taken) == RELEASED_AT_ONCE
        self._tell_released(request, count, is_more=is_more)

    def _tell_released(self, request: HttpRequest, count: int, *, is_more: bool = False) -> None:
        words = ngettext(
            "%(number)s webhook is processed again in the background; what still fails comes back here.",
            "%(number)s webhooks are processed again in the background; what still fails comes back here.",
            count,
        ) % {"number": number_format(count, force_grouping=True)}
        more = [_("There may be more with this reason: replay them when these are done.")] if is_more else []
        self.tell(request, words if count else "", more)

    @display(description=gettext_lazy("received"))
    def received(self, event: WebhookEvent) -> str:
        """When it came."""
        return when(event.received_at)

    @display(description=gettext_lazy("processed"))
    def processed(self, event: WebhookEvent) -> str:
        """When it was done with."""
        return when(event.processed_at)

    @display(
        description=gettext_lazy("state"), label={"pending": "info", "processed": "success", "quarantined": "danger"}
    )
    def state_word(self, event: WebhookEvent) -> Labelled:
        """Whether it waits, is done or set aside."""
        return Labelled(event.state, str(event.get_state_display()))

    @display(description=gettext_lazy("signed for"))
    def signers(self, event: WebhookEvent) -> str:
        """The accounts whose app secret signed it."""
        return _named(event, dict(WhatsAppAccount.objects.values_list("pk", "name")))

    @display(description=gettext_lazy("items"))
    def items_word(self, event: Any) -> str:
        """How many it holds."""
        return str(number_format(event.items_count, force_grouping=True))

    @display(description=gettext_lazy("tries"))
    def tries(self, event: WebhookEvent) -> int:
        """How often it was tried since it was last done with."""
        return event.attempts_count

    @display(description=gettext_lazy("reason"))
    def why(self, event: WebhookEvent) -> str:
        """Why it was set aside, in full."""
        return _in_words(event.reason)

    @display(description=gettext_lazy("reason"))
    def reason_short(self, event: WebhookEvent) -> str:
        """Why it was set aside."""
        return Truncator(_in_words(event.reason)).chars(REASON_SHOWN)

    @display(description=gettext_lazy("body"))
    def raw(self, event: WebhookEvent) -> SafeString:
        """The bytes, laid out if they are JSON."""
        try:
            body = event.body
        except InvalidToken:
            return _pre(_("It is sealed with an encryption key that is not configured any more."))
        try:
            text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = body.decode("utf-8", "replace")
        return _pre(text)

    @display(description=gettext_lazy("updates"))
    def parsed(self, event: WebhookEvent) -> SafeString:
        """What the parser makes of it today."""
        try:
            updates = list(parse(load(event.body)))
            shown = [{"kind": items.kind_of(one), **_filled(dataclasses.asdict(one))} for one in updates[:PARSED_SHOWN]]
            text = orjson.dumps(shown, option=orjson.OPT_INDENT_2, default=str).decode()
        except InvalidToken:
            return _pre(_("It is sealed with an encryption key that is not configured any more."))
        except Exception as error:  # noqa: BLE001 (whatever it is, it may be why the webhook was set aside)
            return _pre(f"{type(error).__name__}: {error}" if isinstance(error, Unreadable) else type(error).__name__)
        return _pre(text + (f"\n… +{len(updates) - PARSED_SHOWN}" if len(updates) > PARSED_SHOWN else ""))


class WaitsFilter(DropdownFilter):
    """Those that wait, or were applied."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The two states."""
        return [("waiting", _("Waiting")), ("applied", _("Applied"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Those rows."""
        if self.value() in ("waiting", "applied"):
            return queryset.filter(applied_at__isnull=self.value() == "waiting")
        return queryset


@admin.register(ParkedUpdate)
class ParkedUpdateAdmin(RowDeeds, ReadOnlyAdmin):
    """Statuses, reactions and edits that came before their message; they are applied when it comes."""

    list_display = ("came", "kind_word", "number", "external_id_short", "state_word")
    list_filter = (WaitsFilter, ("inbox", titled(RelatedDropdownFilter, gettext_lazy("number"))))
    list_filter_submit = True
    list_select_related = ("inbox",)
    actions = ("apply_now",)
    fields = readonly_fields = ("came", "kind_word", "number", "of_message", "state_word", "content")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ParkedUpdate]":
        """With its number."""
        return super().get_queryset(request).select_related("inbox")

    def deeds_of(self, obj: Any) -> tuple[str, ...]:
        """Look for its message."""
        return ("apply_now",) if obj.applied_at is None else ()

    @admin.action(description=gettext_lazy("Look for its message now"), permissions=["act"])
    def apply_now(self, request: HttpRequest, queryset: "QuerySet[ParkedUpdate]") -> None:
        """Apply those whose message is here."""
        done = 0
        for row in queryset.filter(applied_at=None).order_by("pk"):
            with transaction.atomic():
                is_applied = deliveries.sweep_one(row.inbox_id, row.external_id)
                if is_applied:
                    self.audit(request, "applied", row)
            done += bool(is_applied)
        words = ngettext("%(number)d update applied.", "%(number)d updates applied.", done) % {"number": done}
        self.tell(request, words if done else "", [] if done else [_("Their messages have not come yet.")])

    @display(description=gettext_lazy("received"))
    def came(self, row: ParkedUpdate) -> str:
        """When it came."""
        return when(row.created_at)

    @display(description=gettext_lazy("kind"))
    def kind_word(self, row: ParkedUpdate) -> str:
        """What it says of its message."""
        words = {"status": _("Status"), "reaction": _("Reaction"), "edit": _("Edit"), "revoke": _("Deletion")}
        word = words.get(row.kind, row.kind)
        status = row.payload.get("status") if row.kind == "status" and isinstance(row.payload, dict) else ""
        return f"{word}: {dict(Message.Status.choices).get(status, status)}" if status else word

    @display(description=gettext_lazy("message"))
    def external_id_short(self, row: ParkedUpdate) -> str:
        """The end of WhatsApp's id, where ids differ."""
        return row.external_id if len(row.external_id) <= 24 else f"…{row.external_id[-24:]}"

    @display(description=gettext_lazy("state"), label={"waiting": "warning", "applied": "success"})
    def state_word(self, row: ParkedUpdate) -> Labelled:
        """Whether it waits."""
        return Labelled("waiting", _("Waiting")) if row.applied_at is None else Labelled("applied", _("Applied"))

    @display(description=gettext_lazy("number"))
    def number(self, row: ParkedUpdate) -> str:
        """Ours."""
        return row.inbox.name

    @display(description=gettext_lazy("message"))
    def of_message(self, row: ParkedUpdate) -> SafeString:
        """WhatsApp's id of the message it speaks of."""
        return format_html('<span class="wc-lines">{}</span>', row.external_id)

    @display(description=gettext_lazy("content"))
    def content(self, row: ParkedUpdate) -> SafeString:
        """What it says."""
        return _pre(json.dumps(row.payload, indent=2, ensure_ascii=False))


def _signers(request: HttpRequest) -> Callable[[WebhookEvent], str]:
    if not hasattr(request, "_signers"):
        names = dict(WhatsAppAccount.objects.values_list("pk", "name"))

        @display(description=gettext_lazy("signed for"))
        def signers(event: WebhookEvent) -> str:
            return _named(event, names)

        request._signers = signers  # type: ignore[attr-defined]
    return request._signers  # type: ignore[attr-defined]


def _named(event: WebhookEvent, names: dict[int, str]) -> str:
    ids = event.signer_ids if isinstance(event.signer_ids, list) else []
    return ", ".join(names.get(pk, f"#{pk}") for pk in ids) or "—"


def _in_words(reason: str) -> str:
    return str(REASONS.get(reason, reason)) or "—"


def _filled(value: Any) -> Any:
    """Without what is empty."""
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items() if one not in ("", None, [], {}, (), False)}
    return [_filled(one) for one in value] if isinstance(value, list | tuple) else value


def _pre(text: str) -> SafeString:
    """A text as it is, cut where it is too long to read."""
    more = number_format(len(text) - RAW_SHOWN, force_grouping=True) if len(text) > RAW_SHOWN else ""
    return render_to_string("admin/conversations/raw.html", {"text": text[:RAW_SHOWN], "more": more})
