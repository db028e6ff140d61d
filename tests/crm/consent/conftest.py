import importlib

import pytest


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    return importlib.import_module("tests.factories")


@pytest.fixture
def contact(db, factories):
    """Ana, with her WhatsApp account."""
    return factories.IdentityFactory(contact=factories.ContactFactory(name="Ana", phone="+34600111222")).contact
