"""The simulator as part of a demo: which numbers it plays, taken from the accounts that use the default Graph URL."""

from collections.abc import Sequence

from django.conf import settings
from django.db import close_old_connections

from conversations.inboxes.models import Inbox
from conversations.ingest.receiver import PATH
from crm.foundation import clock
from simulator import Number, Simulator


def build_simulator() -> Simulator:
    """The simulator of this process; its callback follows the port of this start."""
    return Simulator(
        data_dir=settings.DATA_DIR,
        clock_file=clock.clock_file(),
        callback_url=lambda: f"{settings.PUBLIC_URL}{PATH}",
        load_numbers=_numbers,
    )


def _numbers() -> Sequence[Number]:
    close_old_connections()
    try:
        inboxes = Inbox.objects.filter(account__graph_base_url="").select_related("account").order_by("pk")
        secrets = {
            inbox.account_id: inbox.account.app_secrets.filter(is_active=True).order_by("-pk").first()
            for inbox in inboxes
        }
        return [
            Number(
                waba_id=inbox.account.waba_id,
                phone_number_id=inbox.phone_number_id,
                display_phone_number=inbox.display_phone_number,
                verified_name=inbox.account.name,
                app_secret=secret.secret,
                token=inbox.account.access_token,
            )
            for inbox in inboxes
            if (secret := secrets[inbox.account_id]) is not None
        ]
    finally:
        close_old_connections()
