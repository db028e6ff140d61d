"""Contacts, and their accounts on each channel with former values."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import StrIndex
from django.utils.translation import gettext_lazy as _

from crm.contacts import masking, phones, searching, visibility
from crm.contacts.searching import PRIVATE
from crm.foundation import clock
from crm.foundation.search import words_of
from crm.staff.models import User

_MOST_ALIKE = 200  # who share one number or address


class ContactQuerySet(models.QuerySet["Contact"]):
    """Contacts by who asks and what they look for."""

    def visible_to(self, user: User) -> Self:
        """Managers and integrators see all; agents the people of the conversations they see."""
        return visibility.narrow(self, user)

    def search(self, text: str, user: User | None = None) -> Self:
        """Every word of `text` occurs in name, company, phone, e-mail, username, WhatsApp id or an attribute, accents
        and case aside. Who may not see phones and addresses (`user`, or who looks) finds by a whole one only.
        """
        words = words_of(text)
        if not masking.hides(user):
            return self.filter(*(Q(search_text__contains=word) for word in words))
        rows = self.alias(_private_at=StrIndex("search_text", Value(PRIVATE)))
        public = Q()
        for number, word in enumerate(words):
            rows = rows.alias(**{f"_at_{number}": StrIndex("search_text", Value(word))})
            public &= Q(search_text__contains=word, **{f"_at_{number}__lt": F("_private_at")})
        whole = _with_address(text)
        return rows.filter(public | Q(pk__in=whole) if whole else public)


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
    # ISO 3166-1 alpha-2; "": that of the number
    country = models.CharField(_("country"), max_length=2, blank=True, default="", db_default="")
    # A zone of the tz database; "": that of the number's country
    time_zone = models.CharField(_("time zone"), max_length=40, blank=True, default="", db_default="")
    stage = models.ForeignKey(
        "LifecycleStage",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="contacts",
        verbose_name=_("lifecycle stage"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="owned_contacts",
        verbose_name=_("owner"),
    )
    # How another system of the business calls this person; integrators find and write contacts by it.
    external_id = models.CharField(_("external id"), max_length=100, null=True, blank=True)
    # Since when the person's data is kept but not used (GDPR article 18): nothing is sent, no segment contains them.
    restricted_at = models.DateTimeField(_("restricted since"), null=True, blank=True, editable=False)
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    search_text = models.TextField(blank=True, editable=False)
    tags: "models.ManyToManyField[Any, Any]" = models.ManyToManyField(
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
            models.UniqueConstraint(
                fields=["external_id"], condition=Q(external_id__isnull=False), name="contact_external_id_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["phone"], name="contact_phone"),  # API ?phone=, look-up by number
            # Lists and segments by owner and by stage.
            models.Index(fields=["owner", "-id"], condition=Q(owner__isnull=False), name="contact_owner"),
            models.Index(fields=["stage", "-id"], condition=Q(stage__isnull=False), name="contact_stage"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What a list shows: the name, "~name" while unconfirmed, else the number, else a plain word."""
        if self.name:
            called = masking.name(self.name)
            return called if self.is_name_confirmed or self.kind == self.Kind.GROUP else f"~{called}"
        return self.shown_phone or str(_("Unknown contact"))

    @property
    def shown_phone(self) -> str:
        """The number as whoever looks may see it."""
        return masking.phone(self.phone)

    def refresh_search_text(self, identity: "ChannelIdentity | None" = None) -> None:
        """Rebuild the folded search column from what the contact, its points and its accounts (or the one that is
        about to be saved) say; saves nothing.
        """
        accounts = [*([identity] if identity else []), *(self.identities.all() if self.pk else [])]
        points = self.points.filter(until=None).order_by("pk").values_list("value", flat=True) if self.pk else ()
        self.search_text = searching.text_of(self, accounts, points)


def _with_address(text: str) -> list[int]:
    """Whoever has exactly this number or e-mail address: looked up first, so that the search itself goes by index."""
    text = text.strip()
    digits = phones.digits_of(text).removeprefix("00")
    if not digits and "@" not in text:
        return []
    key = phones.match_key(digits) if digits else text.casefold()
    kind = ContactPoint.Kind.PHONE if digits else ContactPoint.Kind.EMAIL
    points = ContactPoint.objects.filter(kind=kind, match_key=key, until=None).values_list("contact_id")
    accounts = ChannelIdentity.objects.filter(match_key=key if digits else "").values_list("contact_id")
    return [pk for (pk,) in points.union(accounts)[:_MOST_ALIKE]]


class StaleSearch(models.Model):
    """A contact whose `search_text` is to be made anew (`stale.drain`). By key only: it may be gone by then."""

    contact_key = models.BigIntegerField()

    def __str__(self) -> str:
        return f"contact #{self.contact_key}"


class ContactPoint(models.Model):
    """A further phone or an e-mail address of a contact; `until` says since when it is no longer theirs.

    `Contact.phone` is the number staff see first; it is one of the current points too.
    """

    class Kind(models.TextChoices):
        PHONE = "phone", _("Phone")
        EMAIL = "email", _("E-mail")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="points", db_index=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    value = models.CharField(_("value"), max_length=254)  # E.164, or the address as it was written
    match_key = models.CharField(max_length=254)  # `phones.match_key`, or the address casefolded
    label = models.CharField(_("label"), max_length=50, blank=True, default="", db_default="")
    is_primary = models.BooleanField(_("primary"), default=False, db_default=False)
    added_at = models.DateTimeField(default=clock.now, editable=False)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("phone or e-mail")
        verbose_name_plural = _("phones and e-mails")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["contact", "kind", "match_key"], condition=Q(until__isnull=True), name="contactpoint_once"
            ),
            models.UniqueConstraint(
                fields=["contact", "kind"],
                condition=Q(is_primary=True, until__isnull=True),
                name="contactpoint_one_primary",
            ),
            models.CheckConstraint(condition=Q(kind__in=["phone", "email"]), name="contactpoint_kind_is_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact"], name="contactpoint_of_contact"),  # all of them; deleting a contact
            models.Index(fields=["kind", "match_key"], name="contactpoint_lookup"),  # duplicates, search by address
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class ChannelIdentity(models.Model):
    """One account of a contact on a channel: for WhatsApp its number (`wa_id`, as received) and/or its business-scoped
    user id.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="identities")
    channel = models.CharField(_("channel"), max_length=20)
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
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
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
        verbose_name = _("former number or id")
        verbose_name_plural = _("former numbers and ids")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "field", "value", "until"], name="identityvalue_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["field", "match_key", "until"], name="identityvalue_lookup"),  # identities.resolve
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.identity_id} until {self.until:%Y-%m-%d}"
