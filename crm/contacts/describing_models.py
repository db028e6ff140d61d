"""How contacts are described: tags, custom attributes, lifecycle stages."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock


class Tag(models.Model):
    """A label for contacts and conversations."""

    name = models.CharField(_("name"), max_length=50)
    colour = models.PositiveSmallIntegerField(_("colour"), default=0)  # 0–15, a class of the style sheet
    # Tags of one group stand together in lists and pickers.
    group = models.CharField(_("group"), max_length=50, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("name"), name="tag_name_once"),
            models.CheckConstraint(condition=Q(colour__lte=15), name="tag_colour_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class ContactTag(models.Model):
    """A tag on a contact: who put it there and when."""

    contact = models.ForeignKey("crm.Contact", on_delete=models.CASCADE, related_name="contact_tags", db_index=False)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="contact_tags", verbose_name=_("tag"))
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now)
    # Why: what who added it wrote, or where it came from (an import, a rule).
    reason = models.CharField(_("reason"), max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("tag of a contact")
        verbose_name_plural = _("tags of contacts")
        constraints: ClassVar = [models.UniqueConstraint(fields=["contact", "tag"], name="contacttag_once")]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.contact_id}"


class CustomAttribute(models.Model):
    """A field of contacts that the business has thought of: a key, a type, and what may be chosen."""

    class Type(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        CHOICE = "choice", _("Choice")
        YES_NO = "yes_no", _("Yes or no")

    key = models.SlugField(_("key"), max_length=50, unique=True)
    label = models.CharField(_("label"), max_length=100)
    type = models.CharField(_("type"), max_length=10, choices=Type, default=Type.TEXT)
    choices = models.JSONField(_("choices"), default=list, blank=True)  # texts, for type "choice"
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("custom attribute")
        verbose_name_plural = _("custom attributes")
        ordering: ClassVar = ["position", "label"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(type__in=["text", "number", "date", "choice", "yes_no"]),
                name="customattribute_type_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class LifecycleStage(models.Model):
    """A step of a customer's life with the business, in the order managers gave them."""

    name = models.CharField(_("name"), max_length=50)
    colour = models.PositiveSmallIntegerField(_("colour"), default=0)  # 0–15, a class of the style sheet
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("lifecycle stage")
        verbose_name_plural = _("lifecycle stages")
        ordering: ClassVar = ["position", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("name"), name="lifecyclestage_name_once"),
            models.CheckConstraint(condition=Q(colour__lte=15), name="lifecyclestage_colour_is_known"),
        ]

    def __str__(self) -> str:
        return self.name
