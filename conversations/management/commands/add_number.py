"""`manage.py add_number …`: connect a WhatsApp number; asks Graph whether token and number fit."""

import getpass
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.db.models import Model

from conversations.channels.whatsapp import limits
from conversations.graphapi.client import MESSAGING_LIMIT, GraphClient
from conversations.graphapi.errors import GraphError
from conversations.inboxes import rotation
from conversations.inboxes.models import Inbox, WhatsAppAccount
from conversations.ingest.receiver import PATH
from crm.audit import log
from crm.audit.commands import AuditedCommand
from crm.foundation import aio
from crm.staff.models import Team


class Command(AuditedCommand):
    help = "Connect a WhatsApp number: makes or updates its account and inbox. Secrets are asked for, never arguments."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which number, of which account, for which teams."""
        parser.add_argument("--name", required=True, help="name of the inbox, e.g. Sales")
        parser.add_argument("--waba-id", required=True)
        parser.add_argument("--phone-number-id", required=True)
        parser.add_argument("--portfolio-id", default="", help="id of the business portfolio, if you know it")
        parser.add_argument("--team", action="append", default=[], help="may be given several times; made if new")
        parser.add_argument("--graph-base-url", default="", help="only for providers such as 360dialog")
        parser.add_argument("--auth-header", default="Authorization", help="e.g. D360-API-KEY")
        parser.add_argument("--no-check", action="store_true", help="do not ask Graph")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask for secrets, check, store, and say what to enter at Meta."""
        token, secret = self._ask("Access token: "), self._ask("App secret: ")
        if not token or not secret:
            raise CommandError("Both the access token and the app secret are needed (Meta for Developers, your app).")
        account = WhatsAppAccount.objects.filter(waba_id=options["waba_id"]).first()
        account = account or WhatsAppAccount(waba_id=options["waba_id"], name=options["name"])
        before = {} if account._state.adding else log.snapshot(account)
        account.access_token, account.graph_base_url = token, options["graph_base_url"]
        account.auth_header = options["auth_header"]
        account.portfolio_id = options["portfolio_id"] or account.portfolio_id
        number = {} if options["no_check"] else self._check(account, options["phone_number_id"])
        if number.get(MESSAGING_LIMIT):
            account.messaging_limit = limits.people_per_day(number[MESSAGING_LIMIT])
        defaults = {"account": account, "name": options["name"]} | limits.number_columns(number)
        with transaction.atomic():
            account.save()
            _record(account, before)
            rotation.rotate(account, new=secret)
            known = Inbox.objects.filter(phone_number_id=options["phone_number_id"]).first()
            before = log.snapshot(known) | {"teams": _names(known)} if known else {}
            inbox, _made = Inbox.objects.update_or_create(phone_number_id=options["phone_number_id"], defaults=defaults)
            for name in options["team"]:
                team, is_new = Team.objects.get_or_create(name=name)
                if is_new:
                    log.created(team)
                inbox.teams.add(team)
            _record(inbox, before, teams=_names(inbox))
        self.stdout.write(
            f"{inbox.name} is connected. At Meta, enter as callback URL {settings.PUBLIC_URL or 'https://YOUR-HOST'}{PATH}\n"
            f"and as verify token: {account.verify_token}\nSubscribe to the field: messages"
        )

    def _ask(self, prompt: str) -> str:
        return (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()

    def _check(self, account: WhatsAppAccount, phone_number_id: str) -> dict[str, Any]:
        async def ask() -> dict[str, Any]:
            client = GraphClient(
                await aio.session(),
                base_url=account.base_url,
                version=settings.GRAPH_VERSION,
                auth=account.auth,
                phone_number_id=phone_number_id,
            )
            return await client.phone_number() | {MESSAGING_LIMIT: await client.messaging_tier()}

        try:
            return aio.run(ask())
        except GraphError as error:
            raise CommandError(f"Graph did not accept this number and token: {error}. Nothing was stored.") from error


def _names(inbox: Inbox) -> list[str]:
    return sorted(team.name for team in inbox.teams.all())


def _record(row: Model, before: dict[str, Any], **linked: Any) -> None:
    if before:
        log.changed(row, before, **linked)
    else:
        log.created(row, **linked)
