"""`manage.py work`: a worker process, beside web processes that were started with WORK=procrastinate."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string


class Command(BaseCommand):
    help = "Do the background work until SIGTERM or Ctrl-C. Any number of workers may run."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse where the work is done elsewhere, else run."""
        if settings.WORK != "procrastinate":
            raise CommandError(
                f"With WORK={settings.WORK} there are no worker processes. They need PostgreSQL and WORK=procrastinate."
            )
        run = import_string("crm.foundation.worker.run")  # needs procrastinate, which SQLite cannot have
        run(self._say_ready)

    def _say_ready(self) -> None:
        self.stdout.write("The worker is ready.")
        self.stdout.flush()
