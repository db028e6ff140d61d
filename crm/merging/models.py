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

    first = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    # [{"kind": "phone" | "account" | "user_id" | "email" | "name", "value": what both have}]
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

    def other_than(self, contact: int) -> int:
        """The key of the other one of the two."""
        return self.second_id if self.first_id == contact else self.first_id


class DuplicateSearch(models.Model):
    """How far one kind of row has been looked through for people who are there twice.

    Everything up to `swept_pk` has been looked at twice, the second time minutes later: a transaction that was slow to
    commit may have left a row behind `last_pk`.
    """

    class Rows(models.TextChoices):
        POINTS = "points"
        ACCOUNTS = "accounts"

    rows = models.CharField(max_length=10, choices=Rows, unique=True)
    last_pk = models.BigIntegerField(default=0)
    swept_pk = models.BigIntegerField(default=0)
    swept_at = models.DateTimeField(default=clock.real)

    def __str__(self) -> str:
        return f"{self.rows} up to {self.last_pk}"


class MergeRecord(models.Model):
    """One contact went into another: everything needed to take it back. Goes when the person is erased."""

    kept = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges")
    dropped_id = models.BigIntegerField()
    dropped = models.JSONField()  # the row that went, by column
    kept_before = models.JSONField()  # the columns of the kept row that the merge changed
    moved = models.JSONField()  # {"app.model": {"field": [pk, …]}}: rows re-pointed
    lost = models.JSONField()  # rows put away, changed and written by the merge, and notes of rules: `Journal.lost`
    # For people: whom it went into first, its name, which values gave way, how many rows came along.
    summary = models.JSONField(default=dict, db_default={})
    merged_at = models.DateTimeField(_("when"), default=clock.now, editable=False)
    merged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        indexes: ClassVar = [
            models.Index(fields=["dropped_id"], name="mergerecord_dropped"),  # where did contact n go?
            models.Index(
                models.F("dropped__external_id"), name="mergerecord_external_id"
            ),  # … and another system's id?
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
