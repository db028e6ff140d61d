"""Users, teams, roles and API tokens in the administration."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from crm.audit.modeladmin import AuditedAdmin, ReadOnlyAdmin, titled
from crm.audit.words import Labelled, when
from crm.foundation import clock
from crm.staff import members, roles, secondfactor, tokens
from crm.staff.forms import TeamForm, TokenForm, UserForm
from crm.staff.models import ApiToken, Role, Team, User
from crm.staff.signin import ask_who_it_is
from crm.staff.user_deeds import UserDeeds

NAMES_SHOWN = 5


@admin.register(User)
class UserAdmin(UserDeeds):
    """Staff. Who leaves is set inactive, not deleted: what they did stays theirs."""

    ordering = ("name", "pk")
    list_display = ("who", "role_word", "team_names", "is_active", "signed_in")
    list_filter = (
        ("role", ChoicesDropdownFilter),
        ("teams", titled(RelatedDropdownFilter, gettext_lazy("team"))),
        ("is_active", BooleanRadioFilter),
    )
    list_filter_submit = True
    list_filter_sheet = True
    search_fields = ("name", "email")
    search_help_text = gettext_lazy("Name or e-mail")
    readonly_fields = ("signed_in", "since", "factors", "sso")
    actions = ("sign_out",)
    actions_detail = ("invite", "remove_factors", "unlink")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        """With their teams."""
        return super().get_queryset(request).prefetch_related("teams")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The user; where a form comes in, behind the lock of all managers."""
        if request.method == "POST" and transaction.get_connection().in_atomic_block:
            request._managers = members.lock_managers()  # type: ignore[attr-defined]
        return super().get_object(request, object_id, from_field)

    def audit_state(self, obj: Any) -> dict[str, Any]:
        """Without the group, which says the role once more."""
        return {name: value for name, value in super().audit_state(obj).items() if name != "groups"}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, which knows who asks."""
        known = {"by": request.user, "managers": getattr(request, "_managers", [])}
        return super().get_form(request, obj, change, **({"form": type("UserForm", (UserForm,), known)} | kwargs))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """The person, what they may do, how they see it."""
        access: tuple[Any, ...] = (("role", "member_of"),) if obj is None else (("role", "member_of"), "is_active")
        sets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": (("name", "email"),), "description": "" if obj else _("They get a link to sign in.")}),
            (gettext_lazy("Access"), {"fields": access}),
            (gettext_lazy("Language and time"), {"fields": (("language", "time_zone"),)}),
        ]
        if obj is not None:
            sets.append((gettext_lazy("Activity"), {"fields": (self.readonly_fields,)}))
        return sets

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: see the class."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save; whose role, address or state changes has to sign in again."""
        if not change:
            obj.set_unusable_password()
        obj.save()
        if "member_of" in form.cleaned_data:
            obj.teams.set(form.cleaned_data["member_of"])
        changed = set(form.changed_data) & set(members.ACCESS) & set(form.cleaned_data)
        if change and changed:
            members.access_changed(obj, changed, by=cast(User, request.user))

    @admin.action(description=gettext_lazy("Sign out everywhere"), permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: "QuerySet[User]") -> None:
        """End every session of the ticked users."""
        number = 0
        for user in queryset.order_by("pk"):
            with transaction.atomic():
                members.sign_out(user)
                self.audit(request, "signed_out_everywhere", user)
            number += 1
        sentence = ngettext("%(number)d person signed out.", "%(number)d people signed out.", number)
        self.message_user(request, sentence % {"number": number}, messages.SUCCESS)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Who gives rights, or an address that gets in, has shown lately who they are."""
        ask_who_it_is(request)
        return super().changeform_view(request, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """The page with the invitation, which goes out by mail as well."""
        return self._invited(request, obj)

    @display(description=gettext_lazy("second factors"))
    def factors(self, user: User) -> str:
        """How many they have."""
        return str(secondfactor.factors_of(user))

    @display(description=gettext_lazy("single sign-on"))
    def sso(self, user: User) -> str:
        """Whether they are known by the company's provider."""
        return _("linked") if members.is_linked(user) else "—"

    @display(description=gettext_lazy("user"), header=True)
    def who(self, user: User) -> list[str]:
        """Name and address."""
        return [user.name, user.email]

    @display(
        description=gettext_lazy("role"),
        label={"manager": "success", "agent": "", "restricted": "warning", "integrator": "info"},
    )
    def role_word(self, user: User) -> Labelled:
        """What they may do."""
        return Labelled(user.role, str(user.get_role_display()))

    @display(description=gettext_lazy("last sign-in"))
    def signed_in(self, user: User) -> str:
        """When they last came."""
        return when(user.last_login)

    @display(description=gettext_lazy("here since"))
    def since(self, user: User) -> str:
        """When they were added."""
        return when(user.created_at)

    @display(description=gettext_lazy("teams"))
    def team_names(self, user: User) -> str:
        """Which teams they are in."""
        return _some(user.teams.all())


@admin.register(Team)
class TeamAdmin(AuditedAdmin):
    """Teams: who is in them and which numbers they answer."""

    form = TeamForm
    fields = ("name", "members", "open_inboxes")
    ordering = ("name", "pk")
    list_display = ("name", "member_names", "inbox_names")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Team]":
        """With members and numbers."""
        return super().get_queryset(request).prefetch_related("users", "inboxes")

    def audit_state(self, obj: Any) -> dict[str, Any]:
        """With members and numbers."""
        state = super().audit_state(obj)
        state["members"] = sorted(str(user) for user in obj.users.all())
        state["numbers"] = sorted(str(inbox) for inbox in obj.inboxes.all())
        return state

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Members who are active, and numbers; who is inactive stays where they were."""
        super().save_related(request, form, formsets, change)
        team: Any = form.instance
        if "members" in form.cleaned_data:
            team.users.set([*form.cleaned_data["members"], *team.users.filter(is_active=False)])
        if "open_inboxes" in form.cleaned_data:
            team.inboxes.set(form.cleaned_data["open_inboxes"])

    @display(description=gettext_lazy("members"))
    def member_names(self, team: Team) -> str:
        """The first few."""
        return _some(team.users.all())

    @display(description=gettext_lazy("numbers"))
    def inbox_names(self, team: Any) -> str:
        """The first few."""
        return _some(team.inboxes.all())


@admin.register(ApiToken)
class ApiTokenAdmin(AuditedAdmin):
    """API tokens: made here and shown once, revoked here; never read again, never changed."""

    form = TokenForm
    list_display = ("name_word", "user", "scope_words", "state", "used", "ends", "made")
    list_filter = (("user", titled(RelatedDropdownFilter, gettext_lazy("user"))),)
    list_filter_submit = True
    search_fields = ("name", "prefix", "user__name")
    actions = ("revoke",)
    list_select_related = ("user",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        """What is asked for a new one; of one that is there, everything but its secret."""
        if obj is None:
            return [(None, {"fields": (("name", "user"), "wanted_scopes", "days")})]
        shown = ("what_for", "beginning", "user", "scope_words", "state", "made", "used", "ends")
        return [(None, {"fields": shown})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """All of one that is there."""
        return tuple(self.get_fieldsets(request, obj)[0][1]["fields"]) if obj is not None else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a token; from the list it can be revoked."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: a revoked token stays known."""
        return False

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Who makes what opens the API has shown lately who they are."""
        ask_who_it_is(request)
        return super().add_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Make the token and show it, this once."""
        values = form.cleaned_data
        text = tokens.issue(values["user"], values["wanted_scopes"], name=values["name"], expires_at=form.expires_at())
        obj.pk = ApiToken.objects.values_list("pk", flat=True).get(digest=tokens.digest(text))
        obj.refresh_from_db()
        request._new_token = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The page that shows the token, instead of a message that would be kept in a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new token"),
            "opts": self.opts,
            "token": obj,
            "text": request._new_token,  # type: ignore[attr-defined]
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/new_token.html", context)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: "QuerySet[ApiToken]") -> None:
        """From the next request on the ticked tokens open nothing; asked of who has shown lately who they are."""
        ask_who_it_is(request)
        number = 0
        for token in queryset.filter(revoked_at=None).order_by("pk"):
            with transaction.atomic():
                token.revoked_at = clock.real()
                token.save(update_fields=["revoked_at"])
                self.audit(request, "revoked", token)
            number += 1
        sentence = ngettext("%(number)d token revoked.", "%(number)d tokens revoked.", number)
        self.message_user(request, sentence % {"number": number}, messages.SUCCESS)

    @display(description=gettext_lazy("token"), header=True)
    def name_word(self, token: ApiToken) -> list[str]:
        """What it is for, and how it begins."""
        return [token.name or "—", str(token)]

    @display(description=gettext_lazy("name"))
    def what_for(self, token: ApiToken) -> str:
        """The same on its page."""
        return token.name or "—"

    @display(description=gettext_lazy("token"))
    def beginning(self, token: ApiToken) -> str:
        """How it begins."""
        return str(token)

    @display(description=gettext_lazy("scopes"))
    def scope_words(self, token: ApiToken) -> str:
        """What it opens."""
        return ", ".join(token.scopes)

    @display(description=gettext_lazy("last used"))
    def used(self, token: ApiToken) -> str:
        """To the minute."""
        return when(token.last_used_at)

    @display(description=gettext_lazy("valid until"))
    def ends(self, token: ApiToken) -> str:
        """Its last moment."""
        return when(token.expires_at)

    @display(description=gettext_lazy("made"))
    def made(self, token: ApiToken) -> str:
        """Its first moment."""
        return when(token.created_at)

    @display(description=gettext_lazy("state"), label={"live": "success", "revoked": "danger", "expired": "warning"})
    def state(self, token: ApiToken) -> Labelled:
        """Whether it still opens anything."""
        if token.revoked_at:
            return Labelled("revoked", _("Revoked on %(day)s") % {"day": _day(token.revoked_at)})
        if token.expires_at and token.expires_at <= clock.real():
            return Labelled("expired", _("Expired on %(day)s") % {"day": _day(token.expires_at)})
        return Labelled("live", _("Live"))


admin.site.unregister([Group, *(model for model in admin.site._registry if model.__module__.startswith("allauth."))])


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """What each role may do, to look up."""

    ordering = ("name", "pk")
    list_display = ("role_name",)
    fields = readonly_fields = ("role_name", "rights")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The group, on its page called as users have it; nobody saves it."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            found.role, found.name = found.name, self.role_name(found)
        return found

    @display(description=gettext_lazy("role"))
    def role_name(self, group: Group) -> str:
        """As users have it."""
        return str(Role(group.name).label) if group.name in Role.values else group.name

    @display(description=gettext_lazy("permissions"))
    def rights(self, group: Group) -> str:
        """A line for each thing: which of it."""
        return "\n".join(roles.described(getattr(group, "role", group.name))) or "—"


def _some(rows: Any) -> str:
    names = [str(row) for row in rows]
    more = f" +{len(names) - NAMES_SHOWN}" if len(names) > NAMES_SHOWN else ""
    return (", ".join(names[:NAMES_SHOWN]) or "—") + more


def _day(moment: Any) -> str:
    return str(date_format(localtime(moment), "SHORT_DATE_FORMAT"))
