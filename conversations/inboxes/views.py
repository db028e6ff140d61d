"""The set-up page of a number, in the administration."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet, Subquery

from conversations.channels.whatsapp import codes, limits
from conversations.graphapi.client import MESSAGING_LIMIT
from conversations.inboxes import checkup
from conversations.inboxes.findings import PAYMENT_CODES, Finding, Signals, findings
from conversations.inboxes.models import Inbox, NumberCheck, WhatsAppAccount
from conversations.ingest.models import RefusedWebhooks
from conversations.ingest.receiver import PATH
from crm.audit import log
from crm.foundation import clock

NOT_AGAIN = dt.timedelta(seconds=5)


def with_set_up(inboxes: "QuerySet[Inbox]") -> Any:
    """These numbers with all that `findings_of` reads: three queries."""
    newest = RefusedWebhooks.objects.order_by("-day")
    inboxes = inboxes.annotate(
        refused_count=Subquery(newest.values("count")[:1]), refused_at=Subquery(newest.values("last_at")[:1])
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
        ),
    )


def ask_meta(inbox: Inbox) -> NumberCheck:
    """Ask Graph, unless that was done a moment ago, and keep what concerns sending: number, throughput, limit. What
    that changes of what somebody entered is recorded with it.
    """
    known = getattr(inbox, "number_check", None)
    if known is not None and clock.real() - known.asked_at < NOT_AGAIN:
        return known
    check = checkup.ask(inbox)
    with transaction.atomic():
        if "number" in check.answers:
            told = limits.number_columns(check.answers["number"])
            _keep(Inbox, inbox.pk, {name: value for name, value in told.items() if value})
        if check.answers.get("limit", {}).get(MESSAGING_LIMIT):
            people = limits.people_per_day(check.answers["limit"][MESSAGING_LIMIT])
            _keep(WhatsAppAccount, inbox.account_id, {"messaging_limit": people})
    return check


def _keep(model: type[Model], pk: int, values: dict[str, Any]) -> None:
    row = model._base_manager.select_for_update(no_key=True).get(pk=pk)
    before = log.snapshot(row)
    for name, value in values.items():
        setattr(row, name, value)
    if log.changed(row, before):
        row.save(update_fields=list(values))


def callback_url() -> str:
    """What is entered at Meta."""
    return f"{settings.PUBLIC_URL or 'https://…'}{PATH}"
