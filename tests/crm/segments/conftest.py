"""People to make segments of, and a manager."""

import importlib

import pytest
from django.test import Client


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    return importlib.import_module("tests.factories")


@pytest.fixture
def manager(db, factories):
    return factories.UserFactory(manager=True, name="Marta")


@pytest.fixture
def admin(manager):
    """The manager's browser; a failure of the server fails the test."""
    client = Client()
    client.force_login(manager)
    return client
