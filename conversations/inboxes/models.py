"""WhatsApp Business Accounts with their secrets, and inboxes: one number of ours each."""

import datetime as dt
import secrets
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.foundation import clock
from crm.foundation.secrets import EncryptedTextField
from crm.staff.models import Team, User

# Longer than a POST can take.
PROBE = dt.timedelta(seconds=40)


def new_verify_token() -> str:
    """A random word that Meta repeats when it checks the callback URL."""
    return secrets.token_urlsafe(24)


class WhatsAppAccount(models.Model):
    """A WABA: who signs its webhooks, and with what key we speak to its Graph API."""

    name = models.CharField(_("name"), max_length=100)
    waba_id = models.CharField(max_length=64, unique=True)
    # Business-scoped user ids are valid within a portfolio; unknown: the WABA stands for it.
    portfolio_id = models.CharField(max_length=64, blank=True)
    graph_base_url = models.URLField(
        blank=True, help_text=_("Empty: the installation's default. A provider such as 360dialog has its own.")
    )
    auth_header = models.CharField(max_length=40, default="Authorization")
    access_token = EncryptedTextField(blank=True)
    # How many different people the portfolio may write to outside their windows in 24 hours; unknown: Meta counts.
    messaging_limit = models.PositiveIntegerField(null=True, blank=True)
    verify_token = EncryptedTextField(default=new_verify_token)
    # When Meta last got its answer to the verify token, when its last webhook was stored, and when one was last refused
    # that names the account, signed by none of ours (`ingest.tallies`).
    webhook_verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_event_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = _("WhatsApp account")
        verbose_name_plural = _("WhatsApp accounts")

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        """Within what business-scoped user ids are unique."""
        return self.portfolio_id or self.waba_id

    @property
    def base_url(self) -> str:
        """Where its Graph API answers."""
        return (self.graph_base_url or settings.GRAPH_BASE_URL).rstrip("/")

    @property
    def auth(self) -> tuple[str, str]:
        """Header name and value that authorise a call: Meta's Bearer token, or a provider's bare key."""
        bearer = self.auth_header.lower() == "authorization"
        return self.auth_header, f"Bearer {self.access_token}" if bearer else self.access_token


class AppSecret(models.Model):
    """A secret that signs webhooks of an account; two at once while it is being rotated. A retired one is emptied."""

    account = models.ForeignKey(WhatsAppAccount, on_delete=models.CASCADE, related_name="app_secrets")
    secret = EncryptedTextField()
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("app secret")
        verbose_name_plural = _("app secrets")

    def __str__(self) -> str:
        return f"secret {self.pk} of account {self.account_id}"


class InboxQuerySet(models.QuerySet["Inbox"]):
    """Inboxes by who asks."""

    def visible_to(self, user: User) -> Self:
        """Managers and integrators see all; agents those open to one of their teams."""
        if not user.is_active:
            return self.none()
        if user.sees_everything:
            return self
        return self.filter(pk__in=Inbox.teams.through.objects.filter(team__memberships__user=user).values("inbox_id"))

    def sendable(self) -> Self:
        """Those whose circuit is closed, or may be tried again."""
        return self.filter(models.Q(circuit_until__isnull=True) | models.Q(circuit_until__lte=clock.real()))


class Inbox(models.Model):
    """One WhatsApp number of the business."""

    account = models.ForeignKey(WhatsAppAccount, on_delete=models.PROTECT, related_name="inboxes")
    name = models.CharField(_("name"), max_length=100)
    phone_number_id = models.CharField(max_length=64, unique=True)
    display_phone_number = models.CharField(max_length=32, blank=True)
    teams = models.ManyToManyField(Team, related_name="inboxes", blank=True)
    read_receipts = models.BooleanField(
        _("read receipts"), default=False, help_text=_("Tell customers when an agent has read or is typing.")
    )
    # Set while the number cannot send at all (token, payment, account): no attempt is burnt until this time.
    circuit_until = models.DateTimeField(null=True, blank=True)
    circuit_code = models.CharField(max_length=20, blank=True)
    # Meta's throughput of the number, and when its next message may leave (GCRA, shared by all workers).
    sends_per_second = models.PositiveSmallIntegerField(
        _("messages per second"), default=80, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    next_send_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = InboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("inbox")
        verbose_name_plural = _("inboxes")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(sends_per_second__gte=1, sends_per_second__lte=1000), name="inbox_rate_is_possible"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_sendable(self, at: dt.datetime) -> bool:
        """Whether its circuit is closed, or may be tried again at `at`."""
        return self.circuit_until is None or self.circuit_until <= at

    def book(self, next_send_at: dt.datetime) -> None:
        """Keep when the next message may leave; call with the row locked."""
        Inbox.objects.filter(pk=self.pk).update(next_send_at=next_send_at)

    def open_circuit(self, code: str, *, seconds: int = 60) -> None:
        """Stop sending from this number for `seconds` because of Meta's error `code`; a longer stop stays."""
        until = clock.real() + dt.timedelta(seconds=seconds)
        shorter = Inbox.objects.exclude(circuit_until__gt=until)
        shorter.filter(pk=self.pk).update(circuit_until=until, circuit_code=code)

    def begin_probe(self) -> None:
        """One message tries whether the number works again; the others wait for what becomes of it."""
        self.circuit_until = clock.real() + PROBE
        Inbox.objects.filter(pk=self.pk).update(circuit_until=self.circuit_until)

    def end_probe(self, *, seconds: int = 0) -> None:
        """The probe has told nothing: the next one may go in `seconds`. Call on the object that began it."""
        self._stopped_by_probe().update(circuit_until=clock.real() + dt.timedelta(seconds=seconds))

    def close_circuit(self) -> None:
        """The probe went through: the number works again. Call on the object that began it."""
        self._stopped_by_probe().update(circuit_until=None, circuit_code="")

    def _stopped_by_probe(self) -> models.QuerySet["Inbox"]:
        """This number, unless something has stopped it anew while the probe was out."""
        return Inbox.objects.filter(pk=self.pk, circuit_until=self.circuit_until).exclude(circuit_code="")


class NumberCheck(models.Model):
    """What Graph last said about a number, its account and its webhooks, for the set-up page."""

    inbox = models.OneToOneField(Inbox, on_delete=models.CASCADE, related_name="number_check")
    asked_at = models.DateTimeField(default=clock.real)
    # {part: answer}, and {part: why there is none}: number, limit, payment, templates, apps, fields.
    answers = models.JSONField(default=dict)
    problems = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"check of inbox {self.inbox_id}"
