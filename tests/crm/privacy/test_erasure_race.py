"""People write while they are being erased: nothing old stays, and what comes afterwards is somebody new (G16)."""

import os
import threading

import pytest
from django.db import connection

from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock, work
from crm.privacy import requests
from crm.privacy.models import PrivacyRequest
from tests import webhooks

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = int(os.environ.get("RACES", "10"))


def write(inbox, word, count=1):
    """Webhooks that wait to be processed."""
    for n in range(count):
        said = webhooks.text(f"wamid.{word}.{n}", f"{word} {n}", at=int(clock.now().timestamp()))
        webhooks.store(inbox, webhooks.messages(said))


@pytest.mark.covers("G16")
def test_who_writes_while_being_erased_loses_nothing_that_comes_after(manager):
    if connection.vendor != "postgresql":
        pytest.skip("the writers of SQLite queue")
    inbox = webhooks.make_inbox()
    for number in range(ROUNDS):
        write(inbox, f"old{number}", 5)
        work.run_until_idle("pipeline")
        old = ChannelIdentity.objects.get(wa_id=webhooks.ANA).contact
        row = requests.record(old, "erasure", by=manager, verified_by="wrote from the number")
        requests.start(row, by=manager)
        write(inbox, f"meanwhile{number}", 10)
        others = threading.Thread(target=in_thread, args=(lambda: work.run_until_idle("pipeline"),))
        others.start()
        work.run_until_idle(requests.DRAIN)
        others.join(60)
        PrivacyRequest.objects.filter(pk=row.pk, state="running").update(lease_until=clock.real())
        work.run_until_idle("pipeline", requests.DRAIN)
        row.refresh_from_db()
        assert row.state == "done"
        assert not Contact.objects.filter(pk=old.pk).exists()
        assert not Message.objects.filter(text__startswith=f"old{number} ").exists()
        write(inbox, f"after{number}")
        work.run_until_idle("pipeline")
        fresh = ChannelIdentity.objects.get(wa_id=webhooks.ANA).contact
        assert fresh.pk != old.pk
        assert Message.objects.filter(conversation__contact=fresh, text=f"after{number} 0").count() == 1
        assert not WebhookEvent.objects.filter(state__in=("pending", "quarantined")).exists()


def in_thread(act):
    try:
        act()
    finally:
        connection.close()
