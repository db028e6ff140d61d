"""Pairs of contacts that may be one person, and merges that can be taken back."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.contacts.models import Contact
from crm.foundation import clock


class DuplicatePair(models.Model):
    """Two contacts that may be one person, and what speaks for it; a manager decides."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        DISMISSED = "dismissed", _("Not the same")
        MERGED = "merged", _("Merged")

    first = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    # [{"kind": "phone" | "email" | "name" | …, "value": what both have}]
    evidence = models.JSONField(_("evidence"), default=list)
    score = models.PositiveSmallIntegerField(_("certainty"))  # 0–100
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    found_at = models.DateTimeField(_("found"), default=clock.now, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["first", "second"], name="duplicatepair_once"),
            models.CheckConstraint(condition=Q(first__lt=models.F("second")), name="duplicatepair_in_order"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-score", "-id"], condition=Q(state="open"), name="duplicatepair_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} and {self.second_id}"


class MergeRecord(models.Model):
    """One contact went into another: everything needed to take it back. Goes when the person is erased."""

    kept = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges")
    dropped_id = models.BigIntegerField()
    dropped = models.JSONField()  # the row that went, by column
    kept_before = models.JSONField()  # the columns of the kept row that the merge changed
    moved = models.JSONField()  # {"app.model": {"field": [pk, …]}}: rows re-pointed
    lost = models.JSONField()  # {"app.model": [row by column, …]}: rows the kept contact had already, and changed ones
    summary = models.JSONField(default=dict, db_default={})  # for people: what came along, which values gave way
    merged_at = models.DateTimeField(_("when"), default=clock.now, editable=False)
    merged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        indexes: ClassVar = [
            models.Index(fields=["dropped_id"], name="mergerecord_dropped"),  # where did contact n go?
        ]

    def __str__(self) -> str:
        return f"{self.dropped_id} into {self.kept_id}"
