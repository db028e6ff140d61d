import importlib

import pytest


@pytest.fixture
def inbox(db):
    """The number that the recorded bodies are addressed to."""
    return importlib.import_module("tests.webhooks").make_inbox()


@pytest.fixture
def fresh_keys(inbox):
    """Secrets and tokens are read anew, as they are kept for seconds."""
    key_ring = importlib.import_module("conversations.ingest.keyring").key_ring
    key_ring.forget()
    yield
    key_ring.forget()


@pytest.fixture
def writer(monkeypatch, inbox):
    """A batcher of its own, with its thread."""
    own = importlib.import_module("conversations.ingest.batcher").Batcher()
    monkeypatch.setattr("conversations.ingest.receiver.batcher", own)
    own.start()
    yield own
    own.stop()
