"""`manage.py remove_second_factor EMAIL`: for somebody who has lost the app, the passkey and the recovery codes."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm.audit.commands import AuditedCommand
from crm.staff import secondfactor
from crm.staff.models import User


class Command(AuditedCommand):
    help = "Remove every second factor of a user and sign them out. In the product, managers do this for others."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose."""
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove them."""
        user = User.objects.filter(email=options["email"].lower()).first()
        if user is None:
            raise CommandError(f"There is no user {options['email']}.")
        number = secondfactor.remove_all(user)
        self.stdout.write(f"{number} second factor(s) of {user.email} removed; signed out everywhere.")
