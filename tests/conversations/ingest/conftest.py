import importlib

import pytest


@pytest.fixture
def inbox(db):
    """The number that the recorded bodies are addressed to."""
    return importlib.import_module("tests.webhooks").make_inbox()
