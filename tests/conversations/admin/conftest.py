"""A manager's browser in the administration of conversations, and a number with something of everything."""

import importlib

import pytest

from tests.crm.admin.conftest import admin, factories, manager, posted  # noqa: F401 (fixtures)


@pytest.fixture
def house(db):
    """Imported late: conftest files may be read before Django has its settings."""
    return importlib.import_module("tests.conversations.admin.rows").furnish()
