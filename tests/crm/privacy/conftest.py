import importlib

import pytest
from django.utils import translation


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    return importlib.import_module("tests.factories")


@pytest.fixture(autouse=True)
def _nobody_was_erased(settings, tmp_path):
    """This machine's list of hashes is of each test alone."""
    settings.DATA_DIR = tmp_path


@pytest.fixture(autouse=True)
def _in_english():
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _nobody_has_looked():
    """What this process remembers is of rows that are gone."""
    importlib.import_module("crm.privacy.accesses")._noted.clear()


@pytest.fixture
def manager(db, factories):
    return factories.UserFactory(manager=True, name="Marta")


@pytest.fixture
def planted(db, manager, settings, tmp_path):
    """A person with a marker in every store there is, and a bystander with the same kinds of rows."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return importlib.import_module("tests.crm.privacy.planting").Planted(manager)
