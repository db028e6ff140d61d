"""Webhook events in the API."""

import datetime as dt

import pytest

from conversations.ingest.models import WebhookEvent
from crm.foundation import clock
from crm.foundation.secrets import seal
from tests.api import Integrator
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_they_are_narrowed_by_when_they_came():
    api = Integrator(UserFactory(integrator=True))
    now = clock.real()
    old, new = (
        WebhookEvent.objects.create(sealed_body=seal(b"{}"), received_at=now - dt.timedelta(hours=hours))
        for hours in (5, 1)
    )
    for hours, found in ((9, [new.pk, old.pk]), (2, [new.pk]), (0, [])):
        answer = api.get("webhook-events/", received_after=(now - dt.timedelta(hours=hours)).isoformat())
        assert [row["id"] for row in answer.json()["results"]] == found
    assert api.get("webhook-events/", received_after="yesterday").status_code == 400
