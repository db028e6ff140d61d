"""`manage.py add_user EMAIL --name … --role … --team …`: a member of staff; asks for the password."""

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from crm.audit import log
from crm.audit.commands import AuditedCommand
from crm.staff.models import Membership, Role, Team, User


class Command(AuditedCommand):
    help = "Add a member of staff. The password is asked for, or read from standard input if that is not a terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, in which role and teams."""
        parser.add_argument("email")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", choices=Role.values, default=Role.AGENT)
        parser.add_argument("--team", action="append", default=[], help="may be given several times; made if new")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the user."""
        email = options["email"].lower()
        if User.objects.filter(email=email).exists():
            raise CommandError(f"{email} already exists.")
        user = User(email=email, name=options["name"], role=options["role"])
        password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            validate_email(email)
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        user.set_password(password)
        user.save()
        for name in options["team"]:
            team, is_new = Team.objects.get_or_create(name=name)
            if is_new:
                log.created(team)
            Membership.objects.create(user=user, team=team)
        log.created(user, teams=options["team"])
        self.stdout.write(f"{user.name} <{user.email}> can now sign in.")
