"""A registry of its own for each test."""

import importlib

import pytest

from crm.foundation import aio


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    yield importlib.import_module("tests.factories")
    aio.close()


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    registry = importlib.import_module("conversations.live.registry").registry
    monkeypatch.setattr(registry, "_heard", {})
    monkeypatch.setattr(registry, "newcomers", set())
    monkeypatch.setattr(registry, "settled", 0)
    monkeypatch.setattr(registry, "loop", None)
    yield registry
    for socket in registry.sockets:
        registry.remove(socket)
