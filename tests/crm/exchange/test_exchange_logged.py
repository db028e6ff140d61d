"""What goes in and out stands in the logs, shows no address to who may not see it, and is refused early if too big."""

import io

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from crm.audit.models import AuditEntry
from crm.consent.models import Consent, ConsentEvent, Suppression
from crm.contacts import masking
from crm.contacts.models import Contact
from crm.exchange import exporter, jobs, selection
from crm.exchange.models import ImportJob
from crm.foundation import work
from crm.foundation.bodies import BodyLimit
from crm.privacy.models import AccessLogEntry
from tests.api import Integrator
from tests.crm.exchange.accounts import outcomes
from tests.factories import ContactFactory, UserFactory

pytestmark = pytest.mark.django_db
HOME = "/admin/crm/importjob/"
GIGABYTE = 1024**3


def exported(manager, *, wanted=(), format="csv"):
    job = exporter.start(selection.of_list({}), by=manager, format=format, wanted=wanted)
    work.run_until_idle("exports")
    job.refresh_from_db()
    assert job.state == "done", job.problem
    return job


def acts():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "user_name"))


def looks():
    return list(AccessLogEntry.objects.order_by("pk").values_list("user__name", "what", "contact", "detail"))


def test_a_file_made_and_taken_stands_in_both_logs_each_time(admin, manager):
    ContactFactory(name="Ana")
    job = exported(manager, wanted=["name"])
    assert acts() == [("exported", "Marta")]
    assert looks() == []  # nobody has seen it yet
    for _time in range(2):
        assert admin.get(f"/admin/crm/exportjob/files/{job.secret}/").status_code == 200
    assert acts() == [("exported", "Marta"), ("downloaded", "Marta"), ("downloaded", "Marta")]
    assert looks() == [("Marta", "export", None, f"export {job.pk}: 1 contacts, csv")] * 2


def test_the_report_of_an_import_stands_in_both_logs_whichever_way_it_is_taken(admin, run):
    job = run("name\nAna\n", commit=False)
    api = Integrator(UserFactory(integrator=True, name="Iker"))
    assert admin.get(f"{HOME}{job.pk}/report/?outcome=new").status_code == 200
    assert api.get(f"imports/{job.pk}/report/").status_code == 200
    assert acts()[-2:] == [("downloaded", "Marta"), ("downloaded", "Iker")]
    assert looks() == [
        ("Marta", "export", None, f"import {job.pk}: report new"), ("Iker", "export", None, f"import {job.pk}: report"),
    ]  # fmt: skip


def test_stopping_an_import_and_going_on_with_it_stand_in_the_audit_log(manager, importer):
    job = importer.upload(ContentFile(b"name\nAna\n", "a.csv"), by=manager)
    job = importer.start_check(job)
    jobs.cancel(job, by=manager)
    importer.go_on(job, by=manager)
    assert [action for action, _user in acts()] == ["file_added", "cancelled", "import_resumed"]


@pytest.mark.covers("E03")
def test_every_column_with_an_address_is_masked_for_who_may_not_see_them(run, manager, monkeypatch):
    run("name,phone,email\n+34 600 111 222,+34600111222,ana@example.test\n")
    monkeypatch.setattr(masking, "may_see_addresses", lambda user: False)
    job = exported(manager)
    with job.file.open("rb") as file:
        text = file.read().decode("utf-8-sig")
    assert text.count("\r\n") == 2
    for address in ("600111222", "600 111 222", "ana@example.test"):
        assert address not in text


def test_the_page_of_the_columns_shows_no_cells_to_who_may_not_see_addresses(admin, manager, importer, monkeypatch):
    job = importer.upload(ContentFile(b"name,phone\nAna,+34600111222\n", "a.csv"), by=manager)
    address = f"{HOME}{job.pk}/mapping/"
    assert "600111222" in admin.get(address).content.decode()
    monkeypatch.setattr(masking, "may_see_addresses", lambda user: False)
    assert "600111222" not in admin.get(address).content.decode()


@pytest.mark.sqlite_too
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_exported_file_brought_in_again_changes_nothing(run, manager, kind):
    run(
        "name,phone,email,external_id,company,country,tags\n"
        "=Ana,+34600111222,ana@x.es,A1,-Acme,ES,VIP\n'Eva,,eva@x.es,,+B,,\n"
    )
    before = list(Contact.objects.order_by("pk").values("name", "phone", "company", "version"))
    wanted = ["name", "phone", "email", "external_id", "company", "country", "tags"]
    job = exported(manager, wanted=wanted, format=kind)
    with job.file.open("rb") as file:
        again = run(file.read(), f"again.{kind}")
    assert outcomes(again) == {2: "same", 3: "same"}
    assert list(Contact.objects.order_by("pk").values("name", "phone", "company", "version")) == before


@pytest.mark.sqlite_too
def test_consents_of_a_file_are_written_together_and_taken_back_but_for_the_withdrawals(
    run, importer, manager, django_assert_max_num_queries
):
    people = [ContactFactory(phone=f"+3460011{number:04}") for number in range(12)]
    rows = [f"+3460011{number:04},{'no' if number % 3 == 0 else 'yes'}\n" for number in range(12)]
    job = run("phone,marketing\n" + "".join(rows), options={"consent_source": "Fair", "consent_at": "2026-01-02"},
              commit=False)  # fmt: skip
    importer.start_commit(job, by=manager)
    with django_assert_max_num_queries(60):
        work.run_until_idle("imports")
    assert ConsentEvent.objects.count() == 12
    assert sorted(Consent.objects.values_list("state", flat=True)) == ["granted"] * 8 + ["withdrawn"] * 4
    assert Suppression.objects.count() == 4
    importer.start_undo(ImportJob.objects.get(), by=manager)
    work.run_until_idle("imports")
    assert set(Consent.objects.values_list("contact", "state")) == {(one.pk, "withdrawn") for one in people[::3]}


async def test_a_gigabyte_is_refused_before_a_byte_of_it_is_read():
    sent = []

    async def nothing(*_arguments):
        raise AssertionError("It has been read.")

    async def send(message):
        sent.append(message)

    for path in (f"{HOME}uploads/", "/api/v1/imports/"):
        headers = [(b"content-length", str(GIGABYTE).encode())]
        limited = BodyLimit(nothing, upload_max=100 * 1024**2)
        await limited({"type": "http", "path": path, "headers": headers}, nothing, send)
    assert [message["status"] for message in sent if "status" in message] == [413, 413]
    assert b'"code":"too_big"' in sent[1]["body"]


def test_a_file_that_is_too_big_is_refused_with_a_sentence_by_the_api_too(settings):
    settings.UPLOAD_MAX_BYTES = 5
    api = Integrator(UserFactory(integrator=True, language="en"))
    answer = api.upload("imports/", file=io.BytesIO(b"name\nAna\n"))
    assert answer.status_code == 413
    assert "too big" in answer.json()["detail"]
    assert not ImportJob.objects.exists()


def test_an_export_link_is_no_use_without_a_session():
    assert Client().get("/admin/crm/exportjob/files/guess/").status_code == 302
