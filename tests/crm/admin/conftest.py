"""A manager's browser in the administration, and rows to look at."""

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


@pytest.fixture
def posted(admin):
    """Sends a change form as the browser would: what it shows, with some fields changed."""

    def posted(address, *, page=None, **changes):
        page = page or admin.get(address)
        form = page.context["adminform"].form
        data = {name: form[name].value() for name in form.fields}
        data["_seen"] = getattr(form, "seen", "")
        for formset in page.context["inline_admin_formsets"]:
            management = formset.formset.management_form
            data |= {management.add_prefix(name): management[name].value() for name in management.fields}
            for row in formset.formset.initial_forms:
                data[row.add_prefix("id")] = row.instance.pk
                data[row.add_prefix("contact")] = row.instance.contact_id
        for name, value in list(data.items()):
            if value is None or value is False:
                del data[name]
            elif isinstance(value, list):
                data[name] = [getattr(one, "pk", one) for one in value]
        data |= changes
        return admin.post(address, {name: value for name, value in data.items() if value is not None})

    return posted
