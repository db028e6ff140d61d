"""WhatsApp accounts and numbers in the administration, and the set-up page of each number."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from conversations.channels.whatsapp import codes
from conversations.inboxes import rotation
from conversations.inboxes.findings import done_of
from conversations.inboxes.forms import AccountForm, InboxForm
from conversations.inboxes.models import Inbox, WhatsAppAccount, new_verify_token
from conversations.inboxes.views import callback_url, findings_of, with_set_up
from conversations.messaging import numbers
from conversations.messaging.models import Conversation
from crm.audit.modeladmin import AuditedAdmin, titled
from crm.audit.words import Labelled, when
from crm.foundation import clock

SECRETS_LISTED = 50


@admin.register(WhatsAppAccount)
class WhatsAppAccountAdmin(AuditedAdmin):
    """Accounts: their token and app secrets are entered here and never shown."""

    form = AccountForm
    ordering = ("name", "pk")
    list_display = ("who", "numbers", "secrets_word", "verified", "heard")
    search_fields = ("name", "waba_id")
    search_help_text = gettext_lazy("Name or id")
    readonly_fields = ("verified", "heard", "token_word", "secrets_list")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[WhatsAppAccount]":
        """With numbers and secrets."""
        return super().get_queryset(request).prefetch_related("inboxes", "app_secrets")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """What it is, its secrets, who else stands between."""
        ids = ("waba_id", "portfolio_id")
        provider = (gettext_lazy("Another provider"), {"fields": (("graph_base_url", "auth_header"),)})
        if obj is None:
            secrets: tuple[Any, ...] = ("new_token", "new_secret")
            return [(None, {"fields": ("name", ids)}), (gettext_lazy("Secrets"), {"fields": secrets}), provider]
        secrets = (("token_word", "new_token"), ("secrets_list", "new_secret"), "retire", "renew_verify_token")
        return [
            (None, {"fields": ("name", ids, ("verified", "heard"))}),
            (gettext_lazy("Secrets"), {"fields": secrets}),
            provider,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The ids stay: accounts of people are unique within them."""
        if obj is None:
            return self.readonly_fields
        has_talked = Conversation.objects.filter(inbox__account=obj).exists()
        return (*self.readonly_fields, "waba_id", *(("portfolio_id",) if has_talked else ()))

    def audit_state(self, obj: Any) -> dict[str, Any]:
        """Without what webhooks note; `rotation` records app secrets."""
        state = super().audit_state(obj)
        for name in ("last_event_at", "webhook_verified_at", "refused_at"):
            state.pop(name, None)
        return state

    def save_model(self, request: HttpRequest, obj: WhatsAppAccount, form: Any, change: bool) -> None:
        """Secrets only where new ones were entered."""
        values = form.cleaned_data
        if values.get("new_token"):
            obj.access_token = values["new_token"]
        if values.get("renew_verify_token"):
            obj.verify_token, obj.webhook_verified_at = new_verify_token(), None
        obj.save()
        retire = [row.pk for row in values.get("retire") or []]
        if values.get("new_secret") or retire:
            rotation.rotate(obj, new=values.get("new_secret") or "", retire=retire)

    @display(description=gettext_lazy("account"), header=True)
    def who(self, account: WhatsAppAccount) -> list[str]:
        """Name and id."""
        return [account.name, account.waba_id]

    @display(description=gettext_lazy("numbers"))
    def numbers(self, account: Any) -> str:
        """Its inboxes."""
        return ", ".join(inbox.name for inbox in account.inboxes.all()) or "—"

    @display(description=gettext_lazy("app secrets"), label={"some": "success", "several": "warning", "none": "danger"})
    def secrets_word(self, account: Any) -> Labelled:
        """How many are active."""
        active = sum(row.is_active for row in account.app_secrets.all())
        words = {0: Labelled("none", _("None")), 1: Labelled("some", _("One active"))}
        return words.get(active, Labelled("several", _("%(number)d active") % {"number": active}))

    @display(description=gettext_lazy("app secrets"))
    def secrets_list(self, account: Any) -> SafeString:
        """Each with its days."""
        rows = sorted(account.app_secrets.all(), key=lambda row: -row.pk)[:SECRETS_LISTED]
        lines = [
            _("No. %(number)s: retired on %(day)s") % {"number": row.pk, "day": when(row.retired_at)}
            if not row.is_active
            else _("No. %(number)s: active since %(day)s") % {"number": row.pk, "day": when(row.created_at)}
            for row in rows
        ]
        return format_html('<span class="wc-lines">{}</span>', "\n".join(lines) or "—")

    @display(description=gettext_lazy("access token"))
    def token_word(self, account: WhatsAppAccount) -> str:
        """Whether there is one."""
        return _("Entered; it is never shown.") if account.access_token else _("There is none.")

    @display(description=gettext_lazy("webhook verified"))
    def verified(self, account: WhatsAppAccount) -> str:
        """When Meta last checked the address."""
        return when(account.webhook_verified_at)

    @display(description=gettext_lazy("last webhook"))
    def heard(self, account: WhatsAppAccount) -> str:
        """When the last one came."""
        return when(account.last_event_at)


@admin.register(Inbox)
class InboxAdmin(AuditedAdmin):
    """Numbers of the business: who answers them, and whether they work."""

    form = InboxForm
    ordering = ("name", "pk")
    list_display = ("who", "of_account", "team_names", "sending", "set_up")
    list_filter = (
        ("account", titled(RelatedDropdownFilter, gettext_lazy("WhatsApp account"))),
        ("teams", titled(RelatedDropdownFilter, gettext_lazy("team"))),
    )
    list_filter_submit = True
    search_fields = ("name", "display_phone_number", "phone_number_id")
    search_help_text = gettext_lazy("Name or number")
    autocomplete_fields = ("teams",)
    readonly_fields = ("sending", "set_up")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Inbox]":
        """With what the set-up is judged by."""
        found: QuerySet[Inbox] = with_set_up(super().get_queryset(request))
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """The number, who answers it, how it sends."""
        ids = (("account", "phone_number_id"), "display_phone_number")
        sets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": ("name", *ids, "teams")}),
            (gettext_lazy("Sending"), {"fields": (("read_receipts", "sends_per_second"),)}),
        ]
        if obj is not None:
            sets.insert(1, (gettext_lazy("State"), {"fields": (("sending", "set_up"),)}))
        return sets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Which number it is stays."""
        return (*self.readonly_fields, "account", "phone_number_id") if obj is not None else self.readonly_fields

    def audit_state(self, obj: Any) -> dict[str, Any]:
        """Without what the outbox notes while it sends."""
        state = super().audit_state(obj)
        for name in ("next_send_at", "circuit_until", "circuit_code"):
            state.pop(name, None)
        return state

    def response_add(self, request: HttpRequest, obj: Inbox, post_url_continue: str | None = None) -> HttpResponse:
        """On to its set-up."""
        if "_popup" in request.POST or "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return HttpResponseRedirect(reverse("admin:conversations_inbox_setup", args=[obj.pk]))

    def get_urls(self) -> list[Any]:
        """The set-up page beside Django's."""
        view = self.admin_site.admin_view(self.set_up_view)
        return [path("<int:pk>/setup/", view, name="conversations_inbox_setup"), *super().get_urls()]

    def set_up_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How the number is set up; POST asks Meta."""
        inbox = with_set_up(Inbox.objects.all()).filter(pk=pk).first()
        if inbox is None:
            raise Http404
        if not self.has_view_permission(request, inbox):
            raise PermissionDenied
        if request.method == "POST":
            if not self.has_change_permission(request, inbox):
                raise PermissionDenied
            return self._ask_meta(request, inbox)
        found = findings_of(inbox)
        context = {
            **self.admin_site.each_context(request),
            "title": inbox.name,
            "subtitle": _("Set-up"),
            "opts": self.opts,
            "inbox": inbox,
            "check": getattr(inbox, "number_check", None),
            "findings": found,
            "done": done_of(found),
            "callback_url": callback_url(),
            "may_change": self.has_change_permission(request, inbox),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/conversations/setup.html", context)

    def _ask_meta(self, request: HttpRequest, inbox: Inbox) -> HttpResponse:
        check = numbers.ask_meta(inbox)
        with transaction.atomic():
            self.audit(request, "checked", inbox)
        if check.problems:
            self.message_user(request, _("Meta answered only in part. Each line says what to do."), messages.WARNING)
        else:
            self.message_user(request, _("Meta has answered."), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:conversations_inbox_setup", args=[inbox.pk]))

    @display(description=gettext_lazy("inbox"), header=True)
    def who(self, inbox: Inbox) -> list[str]:
        """Name and number."""
        return [inbox.name, inbox.display_phone_number or inbox.phone_number_id]

    @display(description=gettext_lazy("WhatsApp account"))
    def of_account(self, inbox: Inbox) -> str:
        """Its account."""
        return inbox.account.name

    @display(description=gettext_lazy("teams"))
    def team_names(self, inbox: Any) -> str:
        """Who answers it."""
        return ", ".join(team.name for team in inbox.teams.all()) or "—"

    @display(description=gettext_lazy("sending"))
    def sending(self, inbox: Inbox) -> SafeString:
        """Whether messages leave; if not, why."""
        if inbox.is_sendable(clock.real()) and not inbox.circuit_code:
            return format_html('<span class="wc-state wc-ok">{}</span>', _("Works"))
        words = codes.sentence(inbox.circuit_code)
        return format_html('<span class="wc-state wc-danger">{}</span> <small>{}</small>', _("Stopped"), words)

    @display(description=gettext_lazy("set-up"))
    def set_up(self, inbox: Inbox) -> SafeString:
        """How much of it is done, with a link to the page."""
        found = findings_of(inbox)
        words = _("%(done)d of %(total)d") % {"done": done_of(found), "total": len(found)}
        address = reverse("admin:conversations_inbox_setup", args=[inbox.pk])
        return format_html('<a class="wc-link" href="{}">{}</a>', address, words)
