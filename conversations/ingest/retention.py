"""How long what conversations leave behind is kept, by the machinery of `crm.privacy.retention`."""

import datetime as dt

from django.contrib.sessions.models import Session
from django.utils.translation import gettext_noop

from conversations.ingest.models import RefusedWebhooks, WebhookEvent
from conversations.live import replay
from conversations.live.models import LiveHint
from conversations.messaging import media, media_budget
from conversations.messaging.models import Attachment, MediaAttempt, ParkedUpdate, PortfolioUse
from crm.audit import keeping
from crm.foundation import clock
from crm.privacy.retention import Rule, register
from crm.staff import idempotency, sessions
from crm.staff.models import StoredAnswer
from crm.staff.signin_models import StaffSession, Tries

EVENTS_KEPT = dt.timedelta(days=7)
QUARANTINE_KEPT = dt.timedelta(days=90)
PARKED_KEPT = dt.timedelta(days=30)
PORTFOLIO_KEPT = dt.timedelta(days=2)
REFUSED_KEPT = dt.timedelta(days=90)


class Uploads(Rule):
    """Uploads nobody sent go with their files."""

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        return media.delete_unsent(limit)


class Recorded(Rule):
    """The audit log opens to nobody else but erasure."""

    def delete(self, limit: int) -> int:
        """Delete at most `limit` of them; returns how many went."""
        with keeping.opened():
            return super().delete(limit)


RULES = (
    Rule(
        gettext_noop("raw webhooks"),
        lambda: WebhookEvent.objects.filter(state=WebhookEvent.State.PROCESSED).only("pk"),
        "processed_at",
        EVENTS_KEPT,
    ),
    Rule(
        gettext_noop("quarantined webhooks"),
        lambda: WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED).only("pk"),
        "processed_at",
        QUARANTINE_KEPT,
    ),
    Rule(gettext_noop("parked updates"), ParkedUpdate.objects.all, "created_at", PARKED_KEPT, clock.now, in_order=True),
    Rule(gettext_noop("live hints"), LiveHint.objects.all, "created_at", replay.RETENTION, in_order=True),
    Uploads(
        gettext_noop("uploads not sent"),
        lambda: Attachment.objects.filter(message=None),
        "created_at",
        media.UNSENT_UPLOADS,
        clock.now,
    ),
    Rule(gettext_noop("failed calls for files"), MediaAttempt.objects.all, "started_at", media_budget.KEPT),
    Rule(gettext_noop("people written to"), PortfolioUse.objects.all, "used_at", PORTFOLIO_KEPT),
    Rule(gettext_noop("counts of refused webhooks"), RefusedWebhooks.objects.all, "last_at", REFUSED_KEPT),
    Rule(
        gettext_noop("answers kept for repeated requests"),
        StoredAnswer.objects.all,
        "created_at",
        idempotency.KEPT,
        in_order=True,
    ),
    Recorded(gettext_noop("audit log"), keeping.entries, "at", keeping.KEPT, in_order=True),
    Rule(gettext_noop("ended sessions"), Session.objects.all, "expire_date", dt.timedelta()),
    Rule(gettext_noop("notes of ended sessions"), StaffSession.objects.all, "last_seen_at", sessions.kept()),
    Rule(gettext_noop("tries to sign in"), Tries.objects.all, "ends_at", dt.timedelta()),
)


def add() -> None:
    """Tell the schedule."""
    register(*RULES)
