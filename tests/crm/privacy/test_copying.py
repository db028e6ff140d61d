"""A person's copy holds all that is theirs, and nothing of others; nobody fetches it who may not."""

import datetime as dt
import json
import zipfile
from io import BytesIO

import pytest
from django.core.management import call_command
from django.db import models
from django.urls import reverse

from crm.contacts.models import Contact
from crm.foundation import clock, work
from crm.privacy import requests, rules
from crm.privacy.models import AccessLogEntry, PrivacyRequest
from crm.privacy.person import Person

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

# Stores whose contents are not in the copy, each for the reason its rule gives.
ELSEWHERE = {
    "attempt", "draft", "parked", "raw webhook", "quarantined webhook", "stored answer", "import file", "export file",
    "before an import", "reason of a row", "evidence of a pair", "merged name", "lost value", "detail of a look",
    "audited", "audited message", "lent to another", "group preview", "rendition",
}  # fmt: skip


def copy_of(contact, by):
    row = requests.start(requests.record(contact, "access", by=by, verified_by="passport"), by=by)
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert row.state == "done", row.result
    with row.file.open("rb") as file:
        return row, zipfile.ZipFile(BytesIO(file.read()))


@pytest.mark.covers("G10")
def test_every_marker_is_in_the_copy_or_left_out_for_a_reason(planted):
    _row, archive = copy_of(planted.contact, planted.manager)
    whole = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert {store for store, word in planted.markers.items() if word not in whole} == ELSEWHERE
    page = archive.read("index.html").decode()
    data = archive.read("data.json").decode()
    in_files = {"document", "picture"}
    for text in (page, data):
        assert {store for store, word in planted.markers.items() if word not in text} == ELSEWHERE | in_files
    assert "Bystander" not in whole
    assert "said by the bystander" not in whole
    assert "Marta" not in whole
    assert "<script" not in page
    assert "http://" not in page.replace("https://example.test", "")


@pytest.mark.covers("G10")
def test_the_copy_has_as_many_rows_as_the_tables(planted):
    """Against the keys themselves: every table from which one can walk to the contact."""
    _row, archive = copy_of(planted.contact, planted.manager)
    data = json.loads(archive.read("data.json"))["data"]
    for rule in rules.sections():
        walked = set()
        for path in ways(rule.model):
            walked |= set(rule.model._base_manager.filter(**{path: planted.contact.pk}).values_list("pk", flat=True))
        assert {row["id"] for row in data[rule.name]} >= {str(pk) if not isinstance(pk, int) else pk for pk in walked}
        assert len(data[rule.name]) == len(list(rule.rows(Person.of(planted.contact))))


def ways(model, seen=()):
    """Every way of keys from a table to contacts."""
    if model is Contact:
        return ["pk"]
    found = []
    for key in model._meta.concrete_fields:
        if not isinstance(key, models.ForeignKey) or key.related_model in (model, *seen):
            continue
        if key.name in ("reply_to", "scheduled", "event"):  # what it answers is not about the same person
            continue
        found += [key.name if way == "pk" else f"{key.name}__{way}" for way in ways(key.related_model, (*seen, model))]
    return found


@pytest.mark.covers("G10")
def test_it_says_what_the_law_wants_told(planted):
    _row, archive = copy_of(planted.contact, planted.manager)
    about = json.loads(archive.read("data.json"))["about"]
    assert {"controller", "purposes", "recipients", "kept", "source", "rights", "not_included"} <= set(about)
    assert about["not_included"]["conversations.webhookevent"]
    assert any(one["purpose"] == "Marketing" for one in about["purposes"])


@pytest.mark.covers("G29")
def test_it_is_fetched_in_time_and_that_is_logged(planted, client):
    row, _archive = copy_of(planted.contact, planted.manager)
    address = reverse("admin:crm_privacyrequest_copy", args=[row.pk])
    client.force_login(planted.manager)
    answer = client.get(address)
    assert answer["Content-Type"] == "application/zip"
    assert "attachment" in answer["Content-Disposition"]
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert AccessLogEntry.objects.filter(what="copy", contact=planted.contact, user=planted.manager).count() == 1
    PrivacyRequest.objects.filter(pk=row.pk).update(expires_at=clock.now() - dt.timedelta(seconds=1))
    assert client.get(address).status_code == 404
    call_command("retention")
    row.refresh_from_db()
    assert not row.file
    assert row.secret is None


def test_an_agent_gets_none(planted, client, factories):
    row, _archive = copy_of(planted.contact, planted.manager)
    client.force_login(factories.UserFactory())
    assert client.get(reverse("admin:crm_privacyrequest_copy", args=[row.pk])).status_code == 403
