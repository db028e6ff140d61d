"""`manage.py fence --status | --raise | --lift [--cancel-waiting]`: stop all sending, look, or let it go on."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from conversations.messaging import fence
from conversations.messaging.models import SendFence
from crm.audit.commands import AuditedCommand


class Command(AuditedCommand):
    help = "Stop all sending by hand, say whether it is stopped, or let it go on. Messages are kept and wait meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--status", action="store_true", help="whether sending is stopped (this is the default)")
        what.add_argument("--raise", action="store_true", dest="up", help="stop sending")
        what.add_argument("--lift", action="store_true", help="let messages leave again")
        parser.add_argument("--cancel-waiting", action="store_true", help="with --lift: first cancel all that wait")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say how things stand."""
        if options["cancel_waiting"] and not options["lift"]:
            raise CommandError("--cancel-waiting goes with --lift.")
        if options["up"]:
            fence.raise_(SendFence.Reason.MANUAL)
        if options["lift"]:
            cancelled = fence.lift(None, cancel_waiting=options["cancel_waiting"])
            if cancelled:
                self.stdout.write(f"{cancelled} messages cancelled.")
        self._say_how_things_stand()

    def _say_how_things_stand(self) -> None:
        standing, waiting = fence.current(), fence.waiting()
        if standing is None:
            self.stdout.write("Messages are sent.")
        else:
            self.stdout.write(f"Sending is stopped since {standing.raised_at:%Y-%m-%d %H:%M} UTC: {standing.reason}.")
        if waiting.since is not None:
            self.stdout.write(f"{waiting.count} messages wait, the oldest since {waiting.since:%Y-%m-%d %H:%M} UTC.")
