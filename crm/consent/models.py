"""What people allowed: the ledger, where each stands now, the words that stop, and whom never to write to."""

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock


class Purpose(models.TextChoices):
    """What a message is for; consent is given and withdrawn for each apart (GDPR article 7(2))."""

    SERVICE = "service", _("Service")
    UTILITY = "utility", _("Utility")
    MARKETING = "marketing", _("Marketing")
    PROFILING = "profiling", _("Profiling")


class State(models.TextChoices):
    """What a person said."""

    GRANTED = "granted", _("Granted")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class ConsentEventQuerySet(models.QuerySet["ConsentEvent"]):
    """The ledger is read and appended to; triggers refuse the rest. Only erasure takes rows away (`ledger.opened`)."""

    def update(self, **fields: Any) -> NoReturn:
        """Refused."""
        raise TypeError("The consent ledger is not changed.")


class ConsentEvent(models.Model):
    """One word of a person, or news of one: purpose granted or withdrawn on a channel, with the proof of it."""

    class Source(models.TextChoices):
        KEYWORD = "keyword", _("Word in a message")
        BUTTON = "button", _("Button in a message")
        FORM = "form", _("Form")
        AGENT = "agent", _("Agent")
        IMPORT = "import", _("Import")
        API = "api", _("API")
        WHATSAPP = "whatsapp", _("Setting in WhatsApp")
        PROVIDER = "provider", _("Refused by WhatsApp")
        MERGE = "merge", _("Merge")
        SUPPRESSED = "suppressed", _("Suppression list")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consent_events", db_index=False)
    channel = models.CharField(_("channel"), max_length=20, default="whatsapp")
    # The account that said it, where it was said there.
    identity = models.ForeignKey(ChannelIdentity, on_delete=models.SET_NULL, null=True, related_name="+")
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose)
    state = models.CharField(_("state"), max_length=10, choices=State)
    source = models.CharField(_("source"), max_length=10, choices=Source)
    # What the person was shown and agreed to, its version and language.
    wording = models.TextField(_("wording"), blank=True, default="", db_default="")
    wording_version = models.CharField(_("version"), max_length=30, blank=True, default="", db_default="")
    language = models.CharField(_("language"), max_length=10, blank=True, default="", db_default="")
    # The proof: {"message": pk}, {"url": …}, {"file": …}, {"text": …}, {"code": 131050} …
    evidence = models.JSONField(_("evidence"), default=dict, db_default={}, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(_("when"))  # when the person said it
    recorded_at = models.DateTimeField(_("recorded"), default=clock.now, editable=False)

    objects = ConsentEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent ledger")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(purpose__in=["service", "utility", "marketing", "profiling"]),
                name="consentevent_purpose_is_known",
            ),
            models.CheckConstraint(condition=Q(state__in=["granted", "withdrawn"]), name="consentevent_state_is_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact", "-at"], name="consentevent_timeline"),  # the person's page, timeline
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.state} by {self.contact_id}"


class Consent(models.Model):
    """Where a person stands for one purpose on one channel: what the newest event of the ledger says."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consents", db_index=False)
    channel = models.CharField(max_length=20, default="whatsapp")
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose)
    state = models.CharField(_("state"), max_length=10, choices=State)
    since = models.DateTimeField(_("since"))
    event = models.ForeignKey(ConsentEvent, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contact", "channel", "purpose"], name="consent_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["purpose", "state", "contact"], name="consent_audience"),  # segments, audiences
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.state}: {self.contact_id}"


class Suppression(models.Model):
    """An address never to be written to for a purpose, as a keyed hash: it outlives merge, import, erasure, restore."""

    channel = models.CharField(max_length=20, default="whatsapp")
    purpose = models.CharField(max_length=10, choices=Purpose)
    digest = models.CharField(max_length=64)  # HMAC-SHA256 (key ring) of the address in its canonical form, hex
    reason = models.CharField(max_length=30)  # the source of the event that put it here
    at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppression list")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "purpose", "digest"], name="suppression_once"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} suppressed since {self.at:%Y-%m-%d}"


class OptOutWord(models.Model):
    """What managers say of a message that, as a whole, is this text; before what we come with (`words.DEFAULTS`)."""

    class Meaning(models.TextChoices):
        STOP = "stop", _("Stops marketing")
        START = "start", _("Starts marketing again")
        ASK = "ask", _("Ambiguous: asks with two buttons")
        NOTHING = "nothing", _("Means nothing, whatever we come with")

    language = models.CharField(_("language"), max_length=10)  # es, en, pt …, without a country
    text = models.CharField(_("text"), max_length=60)
    folded = models.CharField(max_length=60, editable=False)  # as `optout.fold` makes it
    meaning = models.CharField(_("meaning"), max_length=10, choices=Meaning)

    class Meta:
        verbose_name = _("opt-out word")
        verbose_name_plural = _("opt-out words")
        ordering: ClassVar = ["language", "text"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["language", "folded"], name="optoutword_once"),
            models.CheckConstraint(
                condition=Q(meaning__in=["stop", "start", "ask", "nothing"]), name="optoutword_meaning_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.text} ({self.language})"
