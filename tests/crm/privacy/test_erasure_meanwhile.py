"""What an erasure must not be stopped by, and what must not outlive it: requests, files, lists, backups."""

import datetime as dt
import io
import os
import zipfile
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from conversations.desk.models import SavedView
from crm.consent import beside, ledger, suppression
from crm.consent.models import Suppression
from crm.contacts import profile
from crm.contacts.models import Contact, ContactChange
from crm.exchange.models import BulkJob, ExportJob, ImportJob, ImportRow
from crm.foundation import clock, work
from crm.merging import split
from crm.privacy import accesses, copies_elsewhere, copying, erasure, holds, requests, retention, strays, working
from crm.privacy.lease import Lost
from crm.privacy.models import PrivacyRequest
from crm.privacy.person import Person
from tests.crm.privacy.planting import erase

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
PHONE = "+34600111222"


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def ana(manager):
    return profile.write(Contact(), by=manager, name="Ana Marker", phone=PHONE, email="ana@example.test")


def asked(contact, kind, by):
    return requests.record(contact, kind, by=by, verified_by="passport")


def imported(data, state="done", step="commit", **more):
    return ImportJob.objects.create(file=ContentFile(data, "x"), file_name="people", state=state, step=step, **more)


def test_two_erasures_of_a_person_are_one(ana, manager):
    first, second = (asked(ana, "erasure", manager) for _ in range(2))
    requests.start(first, by=manager)
    with pytest.raises(holds.GoneAlready):
        requests.start(second, by=manager)
    PrivacyRequest.objects.filter(pk=second.pk).update(state="running")  # as they could be before
    work.run_until_idle(requests.DRAIN)
    assert set(PrivacyRequest.objects.values_list("state", "contact")) == {("done", None)}
    assert not Contact.objects.filter(pk=ana.pk).exists()


def test_one_that_has_lost_its_person_is_over(ana, manager):
    row = requests.start(asked(ana, "erasure", manager), by=manager)
    PrivacyRequest.objects.filter(pk=row.pk).update(contact=None)
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert row.state == "done"


def test_a_copy_that_is_being_made_does_not_outlive_them(ana, manager, settings):
    row = requests.start(asked(ana, "access", manager), by=manager)
    running = copying.steps(working.claim())
    next(running)
    erase(ana, manager)
    with pytest.raises(Lost):
        list(running)
    row.refresh_from_db()
    assert (row.state, row.file.name) == ("refused", "")
    assert not list(Path(settings.MEDIA_ROOT).rglob("*.zip"))


def damaged(how):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", os.urandom(50) * 99)
    data = bytearray(out.getvalue())
    if how == "broken":
        data[45:80] = b"\xff" * 35
    else:
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize("how", ["broken", "locked"])
def test_a_workbook_nobody_can_read_goes(ana, how):
    job = imported(damaged(how))
    assert copies_elsewhere.delete_import(job, Person.of(ana))
    job.refresh_from_db()
    assert not job.file


def test_files_of_imports_go_whatever_spelling_they_have(ana, manager, factories):
    named, running = (imported(b"phone\n600 111 222\n", state=state) for state in ("done", "running"))
    for job in (named, running):
        ImportRow.objects.create(job=job, number=2, outcome="update", contact=ana)
    shouted = imported(b"email\nANA@EXAMPLE.TEST\n", headers=["email", "ana@example.test"])
    others = imported(b"phone\n600 999 888\n")
    requests.start(asked(ana, "erasure", manager), by=manager)
    next(erasure.steps(working.claim()))
    running.refresh_from_db()
    assert (running.state, bool(running.file)) == ("cancelled", False)
    PrivacyRequest.objects.update(lease_until=None)
    work.run_until_idle(requests.DRAIN)
    assert set(ImportJob.objects.exclude(file="")) == {others}
    shouted.refresh_from_db()
    assert "ana@example.test" not in shouted.headers


def test_files_only_begun_and_records_of_imports_have_an_end():
    for days in (31, 20):
        ImportJob.objects.filter(pk=imported(b"x", state="draft", step="map").pk).update(created_at=ago(days))
    ImportJob.objects.filter(pk=imported(b"x", finished_at=ago(400)).pk).update(created_at=ago(400))
    retention.clean()
    assert sorted(bool(job.file) for job in ImportJob.objects.all()) == [False, True]


def ago(days):
    return clock.now() - dt.timedelta(days=days)


@pytest.mark.covers("G08")
def test_who_said_no_after_the_backup_is_not_written_to_again(ana, manager, django_capture_on_commit_callbacks):
    other = profile.write(Contact(), by=manager, name="Bea", phone="+34600111333")
    with django_capture_on_commit_callbacks(execute=True):
        for contact in (ana, other):
            ledger.record(contact, purpose="marketing", state="withdrawn", source="form", by=manager)
    with django_capture_on_commit_callbacks(execute=True):
        ledger.record(other, purpose="marketing", state="granted", source="form", by=manager)
    assert "600111222" not in beside.path().read_text()
    with ledger.opened():  # as the backup was
        Suppression.objects.all().delete()
        for contact in (ana, other):
            contact.consents.all().delete()
            contact.consent_events.all().delete()
    call_command("erasures", "--apply")
    call_command("erasures", "--apply")
    assert suppression.are_suppressed([PHONE, "+34600111333"], "marketing") == {PHONE}
    assert ledger.state_of(ana, "marketing") == "withdrawn"
    assert ledger.state_of(other, "marketing") == ""


def test_one_who_is_held_does_not_keep_the_others(ana, manager, capsys, django_capture_on_commit_callbacks):
    other = profile.write(Contact(), by=manager, name="Bea", phone="+34600111333")
    kept = list(Contact.objects.values())
    with django_capture_on_commit_callbacks(execute=True):
        for contact in (ana, other):
            erase(contact, manager)
    back = [Contact.objects.create(**values) for values in kept]
    holds.hold(back[0], reason="lawsuit 7", by=manager)
    with pytest.raises(CommandError):
        call_command("erasures", "--apply")
    assert "lawsuit 7" in capsys.readouterr().out
    assert list(Contact.objects.all()) == back[:1]


def test_whole_names_go_from_what_staff_named(ana, manager):
    view = SavedView.objects.create(name="Calls of Ana Marker", query="q=Ana+Marker&status=open", owner=manager)
    job = BulkJob.objects.create(action="add_tag", value={"tag": 1, "reason": "Ana Marker asked"}, created_by=manager)
    erase(ana, manager)
    view.refresh_from_db()
    job.refresh_from_db()
    assert "Marker" not in f"{view.name} {view.query} {job.value}"
    assert view.query.endswith("status=open")


def test_what_goes_wrong_in_between_does_not_stop_it(ana, manager, monkeypatch):
    row = requests.start(asked(ana, "erasure", manager), by=manager)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "_finish", refused)
        work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert (row.state, row.sealed is None) == ("running", False)
    PrivacyRequest.objects.update(lease_until=None)
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert row.state == "done"


def refused(*_args):
    raise holds.Held("no")


def test_an_account_stays_until_its_person_is_gone(ana, manager, factories):
    accounts = [factories.IdentityFactory(contact=ana, wa_id=f"3460011122{last}") for last in (2, 3)]
    requests.start(asked(ana, "erasure", manager), by=manager)
    next(erasure.steps(working.claim()))
    with pytest.raises(holds.GoneAlready):
        split.split(accounts[0], by=manager)


def test_names_of_staff_are_not_in_the_copy(ana, manager):
    ContactChange.objects.create(contact=ana, field="owner", before=None, after="Marta", version=9, user=manager)
    told = [values for rule, rows in copying.sections(Person.of(ana)) for values in rows if rule.model is ContactChange]
    (after,) = [row["after"] for row in told if row["field"] == "owner"]
    assert after
    assert after != "Marta"


def test_files_that_no_row_names_go_after_a_day(settings):
    kept = ExportJob.objects.create(
        file=ContentFile(b"x", "kept"), secret="s", expires_at=clock.now(), state="done", created_by=None
    )
    stray, fresh = (Path(settings.MEDIA_ROOT, "exports", name) for name in ("stray", "fresh"))
    for path in (stray, fresh):
        path.write_bytes(b"x")
    for path in (stray, Path(kept.file.path)):
        os.utime(path, (0, 0))
    assert strays.delete() == 1
    assert not stray.exists()
    assert fresh.exists()
    assert Path(kept.file.path).exists()


def test_cells_of_the_access_log_are_no_formulas(ana, manager):
    accesses.note(manager, None, accesses.What.EXPORT, detail="=HYPERLINK(1)")
    _head, row = accesses.lines(accesses.of_period(*accesses.period("", "")))
    assert row[-1] == "'=HYPERLINK(1)"


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_the_database_while_files_are_read(ana, manager, monkeypatch):
    imported(b"phone\n600 999 888\n")
    seen = []
    monkeypatch.setattr(copies_elsewhere, "_file_speaks_of", lambda *_: bool(seen.append(connection.in_atomic_block)))
    assert erase(ana, manager).state == "done"
    assert seen == [False]
