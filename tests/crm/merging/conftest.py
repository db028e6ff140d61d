"""A manager's browser in the administration, and English, which the tests read."""

import pytest
from django.utils import translation

from tests.crm.admin.conftest import admin, factories, manager

__all__ = ["admin", "factories", "manager"]


@pytest.fixture(autouse=True)
def _in_english():
    with translation.override("en"):
        yield
