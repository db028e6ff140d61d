import importlib

import pytest

from tests.conversations.ingest.conftest import fresh_keys, inbox, writer  # noqa: F401 (the same fixtures)

TABLES = {
    "conversations.ingest.models": ("WebhookEvent", "EventItem", "RefusedWebhooks"),
    "conversations.messaging.models": ("Message", "ParkedUpdate"),
    "crm.contacts.models": ("Contact",),
}


@pytest.fixture
def nothing_done(monkeypatch, inbox, fresh_keys, writer):  # noqa: F811 (those above)
    """After the test: nothing was queued, stored, rung for or parsed, and no table has a row."""
    done = []

    def forbid(module, name, what):
        monkeypatch.setattr(f"{module}.{name}", lambda *args, **kwargs: done.append(what))

    forbid("conversations.ingest.batcher", "Batcher.put", "queued")
    forbid("conversations.ingest.storing", "store", "stored")
    forbid("crm.foundation.work", "ring", "rung")
    for module in ("reading.load", "pipeline.load", "lanes.lane_of"):
        forbid("conversations.ingest", module, "parsed")
    importlib.import_module("conversations.ingest.keyring").key_ring.refresh()
    queries = importlib.import_module("django.test.utils").CaptureQueriesContext
    connection = importlib.import_module("django.db").connection
    with queries(connection) as captured:
        yield
    assert done == []
    assert len(captured) == 0
    for module, names in TABLES.items():
        for name in names:
            assert not getattr(importlib.import_module(module), name).objects.exists(), name
