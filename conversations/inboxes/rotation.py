"""App secrets one after the other: a new one is added beside the old, and the old is retired when Meta uses the new."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from conversations.inboxes.models import AppSecret, WhatsAppAccount
from crm.audit import log
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction


class LastSecret(Refusal):
    """Without an active app secret every webhook would be refused."""

    code = "last_secret"
    http_status = 422


@in_transaction
def rotate(account: WhatsAppAccount, *, new: str = "", retire: Iterable[int] = ()) -> None:
    """Add the secret `new`, then retire those with the keys `retire`, which are emptied; raises LastSecret."""
    locked = WhatsAppAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    active = {row.pk: row for row in locked.app_secrets.filter(is_active=True)}
    if new and all(row.secret != new for row in active.values()):
        row = AppSecret.objects.create(account=locked, secret=new)
        active[row.pk] = row
        log.record("secret_added", locked, changes={"number": [None, row.pk]})
    going = [active[pk] for pk in set(retire) if pk in active]
    if going and len(going) == len(active):
        raise LastSecret(_("Webhooks would all be refused without an app secret. Enter the new one first."))
    for row in going:
        row.is_active, row.secret, row.retired_at = False, "", clock.now()
        row.save(update_fields=["is_active", "secret", "retired_at"])
        log.record("secret_retired", locked, changes={"number": [row.pk, None]})
