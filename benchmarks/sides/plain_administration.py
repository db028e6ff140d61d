"""Django's default lists of the product's rows: its ModelAdmin with the same columns, filters and search fields."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin, SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import path

from config.urls import urlpatterns as product
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from crm.audit.models import AuditEntry
from crm.contacts.models import Contact

site = AdminSite(name="plain")


class PlainAdmin(ModelAdmin):
    """Pages by number, whole counts and the search are Django's; what a row shows, and how it is read, is ours."""

    list_per_page = 50

    def __init__(self, model: type[Model], site: AdminSite) -> None:
        self.ours: Any = admin.site._registry[model]
        self.list_filter = [_as_django_has_it(one) for one in self.ours.list_filter]
        self.search_fields = self.ours.search_fields
        self.list_select_related = self.ours.list_select_related
        super().__init__(model, site)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """The same columns and prefetched rows."""
        return self.ours.get_queryset(request)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The same columns, by the same functions."""
        return [
            getattr(self.ours, one, one) if isinstance(one, str) else one for one in self.ours.get_list_display(request)
        ]


def _as_django_has_it(one: Any) -> Any:
    """A filter without Unfold's looks: of a column, Django's kind for it; of the product's own, the same choices."""
    if isinstance(one, tuple):
        return one[0]
    return type(one.__name__, (one,), {"template": "admin/filter.html", "choices": SimpleListFilter.choices})


for model in (Contact, Message, WebhookEvent, AuditEntry):
    site.register(model, PlainAdmin)

urlpatterns = [path("plain/", site.urls), *product]
