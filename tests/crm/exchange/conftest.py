"""Files of contacts, and who brings them in."""

import importlib
import io

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from crm.foundation import work


@pytest.fixture(scope="session")
def factories():
    """Imported late: conftest files may be read before Django has its settings."""
    return importlib.import_module("tests.factories")


@pytest.fixture
def manager(db, factories):
    return factories.UserFactory(manager=True, name="Marta", language="en")


@pytest.fixture
def admin(manager):
    """The manager's browser; a failure of the server fails the test."""
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def importer():
    return importlib.import_module("crm.exchange.importer")


@pytest.fixture
def run(importer, manager):
    """Bring a file in: `run("name,phone\\n…", commit=True)` -> the job, worked through."""

    def run(content, name="people.csv", *, mapping=None, options=None, commit=True):
        data = content if isinstance(content, bytes) else content.encode()
        job = importer.upload(ContentFile(data, name), by=manager)
        job = importer.configure(job, mapping=mapping if mapping is not None else job.mapping, options=options or {})
        job = importer.start_check(job)
        work.run_until_idle("imports")
        job.refresh_from_db()
        if commit:
            assert job.state == "done", job.problem
            importer.start_commit(job, by=manager)
            work.run_until_idle("imports")
            job.refresh_from_db()
        return job

    return run


@pytest.fixture
def workbook():
    """An XLSX file of these rows."""

    def make(rows):
        openpyxl = importlib.import_module("openpyxl")
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        file = io.BytesIO()
        book.save(file)
        return file.getvalue()

    return make
