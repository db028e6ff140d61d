"""Migrations go both ways, on a database of their own."""

import pytest

from tests.product import Product, fresh_database_url

APPS = ("conversations", "catalog", "crm")


@pytest.mark.sqlite_too
def test_every_migration_can_be_taken_back_and_made_again():
    with Product(database_url=fresh_database_url()) as product:
        product.manage("migrate", "--verbosity", "0")
        for app in APPS:
            product.manage("migrate", app, "zero", "--verbosity", "0")
        shown = product.manage("showmigrations", *APPS)
        assert "[X]" not in shown
        product.manage("migrate", "--verbosity", "0")
        assert "[ ]" not in product.manage("showmigrations", *APPS)
