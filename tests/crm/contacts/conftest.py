"""A manager's browser in the administration, as the tests of its pages have it."""

from tests.crm.admin.conftest import admin, factories, manager, posted

__all__ = ["admin", "factories", "manager", "posted"]
