"""`manage.py create_token --user EMAIL --scope read write`: prints a new API token and nothing else."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm.audit.commands import AuditedCommand
from crm.staff import tokens
from crm.staff.models import User


class Command(AuditedCommand):
    help = "Make an API token for a user and print it. It is shown only once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose token, and what it may do."""
        parser.add_argument("--user", required=True, help="e-mail address of the user")
        parser.add_argument("--scope", nargs="+", default=["read"], choices=tokens.SCOPES)
        parser.add_argument("--name", default="", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the token."""
        user = User.objects.filter(email=options["user"].lower(), is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['user']}. Check the e-mail address.")
        self.stdout.write(tokens.issue(user, options["scope"], name=options["name"]))
