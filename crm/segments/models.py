"""Segments: saved groups of contacts."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.contacts.models import Contact
from crm.foundation import clock


class Segment(models.Model):
    """The contacts that a rule describes now, or (frozen) those it described once."""

    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=300, blank=True, default="", db_default="")
    # {"all" | "any": [{"field", "op", "value"} | group, …]}, at most three levels; see `rules.py`.
    rule = models.JSONField(_("rule"), default=dict, db_default={})
    is_static = models.BooleanField(_("frozen"), default=False, db_default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, db_default=1)
    members: "models.ManyToManyField[Contact, SegmentMember]" = models.ManyToManyField(
        Contact, through="SegmentMember", related_name="static_segments", blank=True
    )

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="segment_name_once")]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """A contact in a frozen segment."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="segment_members", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="segment_members")

    class Meta:
        verbose_name = _("member of a segment")
        verbose_name_plural = _("members of segments")
        constraints: ClassVar = [models.UniqueConstraint(fields=["segment", "contact"], name="segmentmember_once")]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.segment_id}"
