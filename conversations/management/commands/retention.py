"""`manage.py retention [--dry-run]`: what is past its time, by kind; without --dry-run it is deleted now."""

from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm.audit import log
from crm.audit.commands import AuditedCommand
from crm.privacy import retention

TELL_EVERY = 10_000


class Command(AuditedCommand):
    help = (
        "Delete what is past its time: raw webhooks, hints, parked updates … Servers do it by themselves, bit by bit."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether only to look."""
        parser.add_argument("--dry-run", action="store_true", help="say what would go, delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, then delete, with a line now and then."""
        for rule in retention.schedule():
            count, oldest = rule.overdue()
            since = f", the oldest of {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
            self.stdout.write(f"{rule.name}: {count} past their time{since}.")
        if options["dry_run"]:
            return
        gone: Counter[str] = Counter()

        def tell(rule: retention.Rule, count: int) -> None:
            before, gone[rule.name] = gone[rule.name], gone[rule.name] + count
            if before // TELL_EVERY != gone[rule.name] // TELL_EVERY:
                self.stdout.write(f"{rule.name}: {gone[rule.name]} deleted …")

        if retention.clean(tell=tell) is None:
            raise CommandError("A worker is cleaning just now. Try again in a few seconds.")
        log.record("cleaned", changes={name: [count, 0] for name, count in gone.items()})
        self.stdout.write(f"{gone.total()} deleted.")
