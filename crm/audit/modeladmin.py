"""What every page of the administration is made of: audited, paged by key, safe for two people at once."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin as DjangoModelAdmin
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR, ActionLocation
from django.contrib.admin.utils import display_for_value, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import CASCADE, PROTECT, RESTRICT, BinaryField, Model, QuerySet
from django.forms.models import _get_foreign_key
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, TabularInline

from crm.audit import log
from crm.audit.editing import KeepsOthersChanges
from crm.audit.keyset import BoundedPaginator, KeysetChangeList, bounded_count, counted
from crm.audit.models import AuditEntry
from crm.audit.words import action_word, described
from crm.foundation.secrets import EncryptedTextField

HISTORY_LENGTH = 200
INLINE_ROWS = 200


class ReadOnlyInline(TabularInline):
    """Rows of another table, to look at."""

    extra = max_num = 0
    show_title = False
    can_delete = False
    is_audited = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees the row they belong to."""
        return True


class AuditedAdmin(ModelAdmin):
    """Base of every ModelAdmin: each act goes into the audit log with what was before and after, in its transaction.

    `ordering` is the one order of the list (columns without NULL). Where a function that `save_model` calls has
    recorded the same act itself, this class adds nothing. Other acts than saving and deleting are recorded by `audit`.
    """

    list_per_page = 50
    list_max_show_all = 0
    list_disable_select_all = True
    list_filter_sheet = False
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    sortable_by: ClassVar[Any] = ()
    ordering: ClassVar[Any] = ("-pk",)
    paginator = BoundedPaginator
    warn_unsaved_form = True

    # Who may

    def _may(self, request: HttpRequest, verb: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{verb}_{self.opts.model_name}")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whose role carries it."""
        return self._may(request, "view") or self._may(request, "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whose role carries it."""
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whose role carries it."""
        return self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whose role carries it."""
        return self._may(request, "delete")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shown in the navigation to whoever may see the list."""
        return self.has_view_permission(request)

    # Lists

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Pages by key."""
        return KeysetChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No filter guesses secrets letter by letter."""
        parts = lookup.split("__")
        sealed = (EncryptedTextField, BinaryField)
        secret = {field.name for field in self.opts.concrete_fields if isinstance(field, sealed)}
        return not (log.SECRET | secret) & set(parts) and super().lookup_allowed(lookup, value, request)

    def get_action_choices(
        self, request: HttpRequest, default_choices: Any = None, action_location: Any = ActionLocation.CHANGE_LIST
    ) -> list[tuple[str, str]]:
        """Django's own, past Unfold's, whose signature Django is about to refuse."""
        blank = [("", _("Select action"))] if default_choices is None else default_choices
        return DjangoModelAdmin.get_action_choices(self, request, blank, action_location)

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """An action is for the ticked rows of a page, never for "all" of a table, nor for what is no key."""
        sent: Any = request.POST.copy()
        if "select_across" in sent:
            sent["select_across"] = "0"
        sent.setlist(ACTION_CHECKBOX_NAME, [key for key in sent.getlist(ACTION_CHECKBOX_NAME) if self._is_key(key)])
        request.POST = sent
        return super().response_action(request, queryset, *args, **kwargs)

    def _is_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except ValidationError:
            return False
        return True

    # Forms

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, with what keeps two people from undoing each other's changes."""
        form = super().get_form(request, obj, change, **kwargs)
        return type(form)(form.__name__, (KeepsOthersChanges, form), {}) if change else form

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row; where a form comes in, locked and as it stands."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST" or not transaction.get_connection().in_atomic_block:
            return found
        try:
            found.refresh_from_db(from_queryset=self.model._base_manager.select_for_update(no_key=True))
        except self.model.DoesNotExist:
            return None
        before = (self.audit_state(found), self._newest_entry(request, found, "changed"))
        request._audited = before  # type: ignore[attr-defined]
        return found

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The form; 409 where somebody else was first."""
        response = super().render_change_form(request, context, *args, **kwargs)
        if getattr(context["adminform"].form, "conflicts", ()):
            response.status_code = 409
        return response

    # The audit log

    def audit(
        self, request: HttpRequest, action: str, obj: Model | None, changes: Mapping[str, Iterable[Any]] = {}
    ) -> None:
        """Record an act of whoever asks; call it in the act's transaction."""
        log.record(action, obj, by=request.user, changes=changes)

    def audit_state(self, obj: Model) -> dict[str, Any]:
        """What an entry may show of a row: its columns, what it is linked with, and the rows of its inlines."""
        state = log.snapshot(obj)
        for field in obj._meta.many_to_many:
            state[field.name] = sorted(str(one) for one in getattr(obj, field.name).all())
        through = {getattr(obj, field.name).through for field in obj._meta.many_to_many}
        for inline in self.inlines:
            if not getattr(inline, "is_audited", True) or inline.model in through:
                continue
            key = _get_foreign_key(self.model, inline.model, fk_name=inline.fk_name).name
            for row in inline.model._base_manager.filter(**{key: obj.pk})[:INLINE_ROWS]:
                name = inline.model._meta.model_name
                state |= {f"{name} {row.pk}: {field}": value for field, value in log.snapshot(row).items()}
        return state

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """None: it would be for Django's log."""
        return []

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Into our log, not Django's."""
        if not self._newest_entry(request, obj, "created"):
            changes = log.difference({}, self.audit_state(self._as_stored(obj)))
            self.audit(request, "created", obj, {name: pair for name, pair in changes.items() if _says_much(pair)})

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Into our log, not Django's; a form saved as it was leaves no trace."""
        before, newest = getattr(request, "_audited", ({}, 0))
        if self._newest_entry(request, obj, "changed") == newest:
            changes = log.difference(before, self.audit_state(self._as_stored(obj)))
            if changes:
                self.audit(request, "changed", obj, changes)

    def _newest_entry(self, request: HttpRequest, obj: Model, action: str) -> int:
        entries = AuditEntry.objects.about(self.opts.label_lower, obj.pk).filter(user=request.user.pk, action=action)
        return entries.values_list("pk", flat=True).first() or 0

    def _as_stored(self, obj: Model) -> Model:
        return self.model._base_manager.get(pk=obj.pk)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """`delete_model` records."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a row and record what it was."""
        with transaction.atomic():
            self.audit(request, "deleted", obj, log.difference(self.audit_state(obj) | log.going_with(obj), {}))
            obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        """Delete the ticked rows, each as `delete_model` does."""
        with transaction.atomic():
            for obj in queryset.select_for_update(of=("self",)):
                self.delete_model(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[Any, str], set[str], list[str]]:
        """What goes with these rows, as bounded counts: Django's own would read every one of them."""
        objs = list(objs)
        counts: dict[Any, str] = {self.opts.verbose_name_plural: counted(len(objs))}
        protected = []
        for relation in self.opts.related_objects:
            if relation.on_delete not in (CASCADE, PROTECT, RESTRICT):
                continue
            rows = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": objs})
            number = bounded_count(rows)
            name = relation.related_model._meta.verbose_name_plural
            if number and relation.on_delete is not CASCADE:
                protected.append(f"{capfirst(name)}: {counted(number)}")
            elif number:
                counts[name] = counted(number)
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(obj) for obj in objs], counts, lacking, protected

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit log's entries about a row, newest first."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        entries = AuditEntry.objects.about(self.opts.label_lower, obj.pk)[: HISTORY_LENGTH + 1]
        context = {
            **self.admin_site.each_context(request),
            "title": _("History"),
            "subtitle": display_for_value(str(obj), ""),
            "entries": [(entry, action_word(entry.action), described(entry)) for entry in entries[:HISTORY_LENGTH]],
            "is_longer": len(entries) > HISTORY_LENGTH,
            "object": obj,
            "opts": self.opts,
            "preserved_filters": self.get_preserved_filters(request),
            "is_popup": IS_POPUP_VAR in request.GET,
        } | (extra_context or {})
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.object_history_template or "admin/object_history.html", context)


class ReadOnlyAdmin(AuditedAdmin):
    """A table to look at: rows come and go by other ways."""

    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


def titled(filter_class: type[Any], title: Any) -> type[Any]:
    """A filter of a column under a name of its own (columns without one are called by their attribute)."""

    class Titled(filter_class):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.title = title

    return Titled


def _says_much(pair: list[Any]) -> bool:
    return pair[1] not in (None, "", [], {})
