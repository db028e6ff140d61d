"""Contacts, tags and custom attributes in the administration."""

from django.contrib import admin

from crm.audit.modeladmin import AuditedAdmin
from crm.contacts.models import Tag


@admin.register(Tag)
class TagAdmin(AuditedAdmin):
    """Tags."""

    ordering = ("name", "pk")
    search_fields = ("name",)
    list_display = ("name", "colour")
