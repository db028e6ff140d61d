"""`manage.py replay [ID …]`: process quarantined webhooks again, after the cause is gone."""

from typing import Any

from django.core.management.base import CommandParser

from conversations.ingest import pipeline
from conversations.ingest.models import WebhookEvent
from crm.audit import log
from crm.audit.commands import AuditedCommand

BATCH = 100


class Command(AuditedCommand):
    help = "Process quarantined webhook events again: those given by id, or all."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which events."""
        parser.add_argument("ids", nargs="*", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, and say how many are still in quarantine."""
        quarantined = WebhookEvent.objects.filter(state=WebhookEvent.State.QUARANTINED)
        if options["ids"]:
            quarantined = quarantined.filter(pk__in=options["ids"])
        ids = list(quarantined.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), BATCH):
            pipeline.replay(ids[start : start + BATCH], note=self._record)
        left = WebhookEvent.objects.filter(pk__in=ids, state=WebhookEvent.State.QUARANTINED).count()
        self.stdout.write(f"{len(ids)} replayed, {left} still in quarantine.")

    def _record(self, taken: list[int]) -> None:
        log.record("replayed", changes={"events": [None, len(taken)], "ids": [None, taken]})
