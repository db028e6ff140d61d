"""A manager's browser in the administration."""

from tests.crm.admin.conftest import admin, factories, manager

__all__ = ["admin", "factories", "manager"]
