"""`manage.py setup`: everything a start needs: the database up to date and, in a demo, its data; then the addresses."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from conversations.demo.people import ACCOUNTS, PASSWORD


class Command(BaseCommand):
    help = "Migrate the database if needed; in demo mode load the demo data on the first start and print the addresses."
    # Checks cost time at every start; `make check` and migrations run them.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each thing done; nothing is done twice."""
        self._migrate()
        if settings.DEMO:
            call_command("load_demo", stdout=self.stdout)
            self._introduce()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", verbosity=0, interactive=False)
            self.stdout.write(f"Database: {len(plan)} migrations applied.")

    def _introduce(self) -> None:
        pages = (
            ("Inbox", "/inbox/"),
            ("Simulator", "/simulator/"),
            ("API", "/api/v1/schema/"),
        )
        for name, path in pages:
            self.stdout.write(f"{name + ':':<11} {settings.PUBLIC_URL}{path}")
        self.stdout.write(f"Accounts:   {', '.join(ACCOUNTS)} (password {PASSWORD})")
