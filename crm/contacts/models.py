"""Contacts, their accounts on each channel with former values, and tags."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.contacts import visibility
from crm.foundation import clock
from crm.foundation.search import search_text, words_of
from crm.staff.models import User


class ContactQuerySet(models.QuerySet["Contact"]):
    """Contacts by who asks and what they look for."""

    def visible_to(self, user: User) -> Self:
        """Managers and integrators see all; agents the people of the conversations they see."""
        return visibility.narrow(self, user)

    def search(self, text: str) -> Self:
        """Every word of `text` occurs in name, phone, username or WhatsApp id, accents and case aside."""
        return self.filter(*(Q(search_text__contains=word) for word in words_of(text)))


class Contact(models.Model):
    """A person the business talks with (or a WhatsApp group it can read)."""

    class Kind(models.TextChoices):
        PERSON = "person", _("Person")
        EMPLOYEE = "employee", _("Employee")
        GROUP = "group", _("Group")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.PERSON)
    name = models.CharField(_("name"), max_length=200, blank=True)
    # False while the name is only what the person calls themselves on WhatsApp (shown as "~name").
    is_name_confirmed = models.BooleanField(default=False)
    phone = models.CharField(_("phone"), max_length=20, null=True, blank=True)
    company = models.CharField(_("company"), max_length=200, blank=True, default="", db_default="")
    # BCP 47: "es", "pt-BR"
    language = models.CharField(_("language"), max_length=10, blank=True, default="", db_default="")
    # Values of custom attributes by their key, each as `attributes.read` returns it.
    attributes = models.JSONField(default=dict, db_default={}, blank=True)
    # Counts every change a person makes; `ContactChange.version` says which one changed what.
    version = models.PositiveIntegerField(default=1, db_default=1)
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    search_text = models.TextField(blank=True, editable=False)
    tags: "models.ManyToManyField[Tag, ContactTag]" = models.ManyToManyField(
        "Tag", through="ContactTag", related_name="contacts", blank=True
    )

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(phone__isnull=True) | Q(phone__startswith="+"), name="contact_phone_is_e164"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["phone"], name="contact_phone"),  # API ?phone=, look-up by number
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What a list shows: the name, "~name" while unconfirmed, else the number, else a plain word."""
        if self.name:
            return self.name if self.is_name_confirmed or self.kind == self.Kind.GROUP else f"~{self.name}"
        return self.phone or str(_("Unknown contact"))

    def refresh_search_text(self, *extra: str | None) -> None:
        """Rebuild the folded search column from name, phone and the identities' ids; saves nothing."""
        parts = [self.name, self.phone, *extra]
        if self.pk:
            for identity in self.identities.all():
                parts += [identity.wa_id, identity.username, identity.profile_name, identity.user_id]
        self.search_text = search_text(*dict.fromkeys(parts))


class ChannelIdentity(models.Model):
    """One account of a contact on a channel: for WhatsApp its number (`wa_id`, as received) and/or its business-scoped
    user id.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="identities")
    channel = models.CharField(max_length=20)
    scope = models.CharField(max_length=64)
    wa_id = models.CharField(max_length=64, null=True, blank=True)
    # wa_id in the one canonical form of its country (Brazil's ninth digit, Mexico's 1, Argentina's 9).
    match_key = models.CharField(max_length=64, null=True, blank=True)
    user_id = models.CharField(max_length=256, null=True, blank=True)
    username = models.CharField(max_length=100, blank=True)
    profile_name = models.CharField(max_length=200, blank=True)
    profile_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    # When last seen by number alone: after the number has changed that was its next owner (identities.change).
    number_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel", "scope", "user_id"],
                condition=Q(user_id__isnull=False),
                name="channelidentity_user_id_once",
            ),
            models.UniqueConstraint(
                fields=["channel", "wa_id"], condition=Q(wa_id__isnull=False), name="channelidentity_wa_id_once"
            ),
            models.UniqueConstraint(
                fields=["channel", "match_key"],
                condition=Q(match_key__isnull=False),
                name="channelidentity_match_key_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} #{self.pk}"


class IdentityValue(models.Model):
    """A value an account no longer has: until `until` it meant this account, since then perhaps another."""

    class Field(models.TextChoices):
        WA_ID = "wa_id"
        USER_ID = "user_id"

    identity = models.ForeignKey(
        ChannelIdentity, on_delete=models.CASCADE, related_name="former_values", db_index=False
    )
    field = models.CharField(max_length=10, choices=Field)
    value = models.CharField(max_length=256)
    match_key = models.CharField(max_length=256)
    until = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "field", "value", "until"], name="identityvalue_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["field", "match_key", "until"], name="identityvalue_lookup"),  # identities.resolve
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.identity_id} until {self.until:%Y-%m-%d}"


class Tag(models.Model):
    """A label for contacts (and, later, conversations)."""

    name = models.CharField(_("name"), max_length=50)
    colour = models.PositiveSmallIntegerField(_("colour"), default=0)  # 0–15, a class of the style sheet

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


class ContactNote(models.Model):
    """What staff want to remember about a contact; the contact never sees it."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="notes", db_index=False)
    text = models.TextField(_("text"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    edited_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("contact note")
        verbose_name_plural = _("contact notes")
        indexes: ClassVar = [models.Index(fields=["contact", "-created_at"], name="contactnote_panel")]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.contact_id}"

    def is_by(self, user: User) -> bool:
        """Only who wrote a note may change it."""
        return self.author_id == user.pk

    def may_go(self, user: User) -> bool:
        """Who wrote a note may delete it, and who may change what others made."""
        return self.is_by(user) or user.has_perm("crm.moderate")


class ContactChange(models.Model):
    """What a person changed about a contact: one row per field, with the value before and after."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="changes", db_index=False)
    # name, kind, phone, company, language; "attributes.<key>"; tag and note (added: only `after`; gone: only `before`)
    field = models.CharField(max_length=70)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # The contact's version that this change made.
    version = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("contact change")
        verbose_name_plural = _("contact changes")
        indexes: ClassVar = [
            models.Index(fields=["contact", "-created_at"], name="contactchange_timeline"),  # and: changed since?
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.contact_id}"


class ContactTag(models.Model):
    """A tag on a contact: who put it there and when."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="contact_tags", db_index=False)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="contact_tags")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["contact", "tag"], name="contacttag_once")]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.contact_id}"
