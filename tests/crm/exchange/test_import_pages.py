import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.audit.models import AuditEntry
from crm.contacts.models import Contact, Tag
from crm.exchange import selection
from crm.exchange.models import BulkJob, ExportJob, ImportJob
from crm.foundation import clock, work
from crm.segments.models import Segment
from tests.api import Integrator
from tests.factories import ContactFactory, UserFactory

pytestmark = pytest.mark.django_db

HOME = "/admin/crm/importjob/"


def upload(admin, content, name="people.csv"):
    return admin.post(f"{HOME}uploads/", {"file": SimpleUploadedFile(name, content)})


def test_a_manager_uploads_maps_tries_imports_and_takes_back(admin):
    assert admin.get(f"{HOME}add/").url == f"{HOME}uploads/"
    answer = upload(admin, b"who;phone\nAna;+34600111222\nEva;12\n")
    job = ImportJob.objects.get()
    assert answer.url == f"{HOME}{job.pk}/mapping/"
    page = admin.get(answer.url).content.decode()
    assert "Ana" in page
    assert 'value="phone" selected' in page
    wrong = admin.post(answer.url, {"column-0": "phone", "column-1": "phone", "check": ""})
    assert wrong.status_code == 422
    assert "Another column is already" in wrong.content.decode()
    wanted = {"column-0": "name", "column-1": "phone", "existing": "fill", "check": ""}
    assert admin.post(answer.url, wanted).url == f"{HOME}{job.pk}/change/"
    assert "data-poll" in admin.get(f"{HOME}{job.pk}/progress/").content.decode()
    work.run_until_idle("imports")
    page = admin.get(f"{HOME}{job.pk}/change/").content.decode()
    assert "Import 1 contact<" in page
    assert "data-poll" not in page
    rows = admin.get(f"{HOME}{job.pk}/rows/?outcome=error").content.decode()
    assert "This is not a phone number" in rows
    admin.post(f"{HOME}{job.pk}/act/", {"act": "commit"})
    work.run_until_idle("imports")
    assert Contact.objects.get().name == "Ana"
    report = admin.get(f"{HOME}{job.pk}/report/?outcome=error")
    told = report.getvalue()
    assert b"Eva" in told
    assert b"Ana" not in told
    admin.post(f"{HOME}{job.pk}/act/", {"act": "undo"})
    work.run_until_idle("imports")
    assert not Contact.objects.exists()
    assert {"file_added", "import_started", "import_undone"} <= set(AuditEntry.objects.values_list("action", flat=True))


def test_an_act_that_does_not_fit_the_state_does_nothing(admin):
    upload(admin, b"name\nAna\n")
    job = ImportJob.objects.get()
    for act in ("commit", "undo", "go_on", "nonsense"):
        admin.post(f"{HOME}{job.pk}/act/", {"act": act})
        job.refresh_from_db()
        assert (job.step, job.state) == ("map", "draft")


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "no table")])
def test_a_file_that_is_no_table_is_refused_with_a_sentence(admin, content, words):
    answer = upload(admin, content)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not ImportJob.objects.exists()


def test_a_file_too_big_is_refused_before_it_is_read(admin, settings):
    settings.UPLOAD_MAX_BYTES = 10
    answer = upload(admin, b"name\n" + b"Ana\n" * 100)
    assert answer.status_code == 413
    assert "too big" in answer.content.decode()


def test_the_list_of_contacts_leads_to_all_that_match(admin):
    ContactFactory(name="Ana", company="Acme")
    page = admin.get("/admin/crm/contact/?q=acme").content.decode()
    assert "/admin/crm/bulkjob/add/?q=acme" in page
    assert "/admin/crm/exportjob/add/?q=acme" in page


def test_everybody_whom_a_list_shows_is_tagged_in_the_background(admin):
    tag = Tag.objects.create(name="VIP")
    there = [ContactFactory(company="Acme") for _ in range(3)]
    restricted = ContactFactory(company="Acme", restricted_at=clock.now())
    ContactFactory(company="Other")
    address = "/admin/crm/bulkjob/add/?q=acme"
    assert "4 contacts" in admin.get(address).content.decode()
    answer = admin.post(address, {"action": "add_tag", "tag": tag.pk, "reason": "Fair"})
    job = BulkJob.objects.get()
    assert answer.url == f"/admin/crm/bulkjob/{job.pk}/change/"
    late = ContactFactory(company="Acme")
    work.run_until_idle("bulk")
    job.refresh_from_db()
    assert (job.state, job.done, job.changed, job.total) == ("done", 4, 3, 4)
    assert set(tag.contacts.all()) == set(there)
    assert {link.reason for link in tag.contact_tags.all()} == {"Fair"}
    assert not (set(tag.contacts.all()) & {restricted, late})
    assert "Fair" in admin.get(answer.url).content.decode()


def test_stage_and_owner_of_a_segment_are_set(admin, manager):
    ana, eva = ContactFactory(company="Acme"), ContactFactory(company="Other")
    segment = Segment.objects.create(name="Acme", rule={"all": [{"field": "company", "op": "is", "value": "Acme"}]})
    answer = admin.post(f"/admin/crm/bulkjob/add/?segment={segment.pk}", {"action": "set_owner", "owner": manager.pk})
    assert answer.status_code == 302
    work.run_until_idle("bulk")
    for row in (ana, eva):
        row.refresh_from_db()
    assert (ana.owner, eva.owner) == (manager, None)


def test_a_list_that_cannot_be_shown_any_more_is_a_sentence(admin, manager):
    segment = Segment.objects.create(name="Broken", rule={"all": [{"field": "gone", "op": "is", "value": "x"}]})
    answer = admin.get(f"/admin/crm/bulkjob/add/?segment={segment.pk}")
    assert answer.status_code == 422
    assert "put right" in answer.content.decode()
    with pytest.raises(selection.NoSelection):
        selection.contacts({"query": {"nothing__at__all": ["x"]}, "upto": 1}, manager)


@pytest.mark.covers("E04")
def test_an_exported_file_is_its_makers_alone_until_it_expires(admin, manager, client):
    ContactFactory(name="Ana", company="Acme")
    answer = admin.post("/admin/crm/exportjob/add/?q=acme", {"format": "csv", "columns": ["name", "phone"]})
    work.run_until_idle("exports")
    job = ExportJob.objects.get()
    page = admin.get(answer.url).content.decode()
    link = f"/admin/crm/exportjob/files/{job.secret}/"
    assert link in page
    got = admin.get(link)
    assert got.status_code == 200
    assert b"Ana" in got.getvalue()
    assert "attachment" in got["Content-Disposition"]
    client.force_login(UserFactory(manager=True))
    assert client.get(link).status_code == 404
    assert job.secret not in client.get(answer.url).content.decode()
    assert admin.get("/admin/crm/exportjob/files/guess/").status_code == 404
    ExportJob.objects.update(expires_at=clock.now())
    assert admin.get(link).status_code == 404
    work.run_until_idle("exports")
    job.refresh_from_db()
    assert not job.file
    assert "downloaded" in set(AuditEntry.objects.values_list("action", flat=True))


def test_pages_cost_few_queries(admin, django_assert_max_num_queries):
    for number in range(5):
        upload(admin, f"name\nAna {number}\n".encode())
    job = ImportJob.objects.first()
    for address in (HOME, f"{HOME}{job.pk}/change/", f"{HOME}{job.pk}/rows/", f"{HOME}{job.pk}/mapping/",
                    "/admin/crm/contact/", "/admin/crm/exportjob/add/"):  # fmt: skip
        with django_assert_max_num_queries(8):
            assert admin.get(address).status_code == 200


def test_an_integrator_imports_by_the_api():
    api = Integrator(UserFactory(integrator=True, language="en"))
    job = api.upload("imports/", file=io.BytesIO(b"name,nr\nAna,+34600111222\nEva,12\n")).json()
    assert job["mapping"] == {"0": "name"}
    address = f"imports/{job['id']}/"
    assert api.patch(address, {"mapping": {"0": "name", "1": "owner"}}).json()["code"] == "bad_mapping"
    assert api.post(f"{address}commit/").json()["code"] == "wrong_step"
    job = api.patch(address, {"mapping": {"0": "name", "1": "phone"}, "options": {"existing": "fill"}}).json()
    assert job["options"]["existing"] == "fill"
    assert api.post(f"{address}check/").status_code == 202
    work.run_until_idle("imports")
    assert api.get(address).json()["counts"] == {"new": 1, "update": 0, "same": 0, "duplicate": 0, "error": 1}
    [error] = api.get(f"{address}rows/", outcome="error").json()["results"]
    assert error["number"] == 3
    assert api.post(f"{address}commit/").status_code == 202
    work.run_until_idle("imports")
    assert Contact.objects.get().phone == "+34600111222"
    assert api.get(f"{address}report/").getvalue().count(b"\r\n") == 3
    assert api.post(f"{address}undo/").status_code == 202
    work.run_until_idle("imports")
    assert not Contact.objects.exists()
    assert {"name": "company", "label": "Company"} in api.get("imports/fields/").json()


def test_a_narrow_token_without_addresses_gets_no_cells_of_the_file():
    user = UserFactory(integrator=True, language="en")
    job = Integrator(user).upload("imports/", file=io.BytesIO(b"name,phone\nAna,+34600111222\n")).json()
    narrow = Integrator(user, "imports:read", "imports:write")
    assert narrow.post(f"imports/{job['id']}/check/").status_code == 202
    work.run_until_idle("imports")
    assert b"600111222" not in narrow.get(f"imports/{job['id']}/report/").getvalue()
    assert b"600111222" in Integrator(user).get(f"imports/{job['id']}/report/").getvalue()
