"""The set-up page of a number, in the administration."""

from typing import Any

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from conversations.channels.whatsapp import codes, limits
from conversations.graphapi.client import MESSAGING_LIMIT
from conversations.inboxes.findings import PAYMENT_CODES, QUIET, Finding, Signals, findings
from conversations.inboxes.models import Inbox
from conversations.ingest.models import RefusedWebhooks
from conversations.ingest.receiver import PATH
from conversations.messaging.models import Conversation
from conversations.messaging.window import WINDOW
from crm.foundation import clock


def with_set_up(inboxes: "QuerySet[Inbox]") -> Any:
    """These numbers with all that `findings_of` reads: three queries."""
    newest = RefusedWebhooks.objects.order_by("-day")
    day_ago = clock.now() - QUIET
    written = Conversation.objects.filter(
        inbox=OuterRef("pk"), last_activity_at__gte=day_ago, window_expires_at__gte=day_ago + WINDOW
    ).order_by("-window_expires_at")
    inboxes = inboxes.annotate(
        window_until=Subquery(written.values("window_expires_at")[:1]),
        refused_count=Subquery(newest.values("count")[:1]),
        refused_at=Subquery(newest.values("last_at")[:1]),
    )
    return inboxes.select_related("account", "number_check").prefetch_related("account__app_secrets", "teams")


def findings_of(inbox: Any) -> list[Finding]:
    """The set-up of one number of `with_set_up`."""
    check = getattr(inbox, "number_check", None)
    limit = check.answers.get("limit", {}).get(MESSAGING_LIMIT) if check else None
    is_stopped = codes.kind_of_text(inbox.circuit_code) == codes.CIRCUIT and inbox.circuit_code not in PAYMENT_CODES
    return findings(
        inbox,
        Signals(
            refused_count=inbox.refused_count or 0,
            refused_at=inbox.refused_at,
            circuit_sentence=codes.sentence(inbox.circuit_code) if is_stopped else "",
            people_per_day=limits.people_per_day(limit),
            inbound_at=inbox.window_until - WINDOW if inbox.window_until else None,
        ),
    )


def callback_url() -> str:
    """What is entered at Meta."""
    return f"{settings.PUBLIC_URL or 'https://…'}{PATH}"
