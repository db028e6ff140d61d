"""Jobs that are killed at any step, run by two, stopped and gone on with end as if nothing had been."""

import datetime as dt

import pytest
from django.core.files.base import ContentFile
from django.utils import translation

from crm.contacts.models import Contact, ContactPoint, ContactTag, Tag
from crm.exchange import bulk, exporter, importer, jobs, selection
from crm.exchange.models import BulkJob, ImportJob, ImportRow
from crm.foundation import clock, work
from tests.factories import ContactFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
ROWS = 40
FILE = "name,phone,tags\n" + "".join(
    f"Person {number},+3460011{number % 30:04},{'VIP' if number % 3 else ''}\n" for number in range(ROWS)
)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    monkeypatch.setattr(jobs, "at_once", lambda: 7)


def lose_the_process(line):
    """What was in memory is gone, and its lease is over."""
    line._running = line._job = None
    ImportJob.objects.filter(state="running").update(lease_until=clock.real() - dt.timedelta(seconds=1))
    BulkJob.objects.filter(state="running").update(lease_until=clock.real() - dt.timedelta(seconds=1))


def state():
    return (
        sorted(Contact.objects.values_list("name", "phone", "version", "search_text")),
        sorted(ContactPoint.objects.values_list("contact__name", "value", "is_primary")),
        sorted(ContactTag.objects.values_list("contact__name", "tag__name")),
        sorted(ImportRow.objects.values_list("number", "outcome", "is_committed")),
    )


def brought_in(manager, kill_at=None, monkeypatch=None):
    """Import FILE; the process dies at the `kill_at`-th time a step is about to be committed."""
    calls = 0
    advance = jobs.advance

    def deadly(job, **values):
        nonlocal calls
        calls += 1
        advance(job, **values)
        if calls == kill_at:
            raise Killed

    job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    if kill_at:
        monkeypatch.setattr(jobs, "advance", deadly)
    for begin in (importer.start_check, lambda job: importer.start_commit(job, by=manager)):
        begin(job)
        try:
            work.run_until_idle("imports")
        except Killed:
            lose_the_process(importer.LINE)
            work.run_until_idle("imports")
        job.refresh_from_db()
        assert job.state == "done", job.problem
    return job


@pytest.mark.covers("E08")
@pytest.mark.parametrize("kill_at", [1, 3, 8, 11, 13])
def test_an_import_killed_at_any_step_ends_as_one_that_was_not(manager, monkeypatch, kill_at):
    brought_in(manager, kill_at, monkeypatch)
    killed, counts = state(), ImportJob.objects.get().counts
    ImportJob.objects.all().delete()
    Contact.objects.all().delete()
    Tag.objects.all().delete()
    monkeypatch.undo()
    whole = brought_in(manager)
    assert state() == killed
    assert whole.counts == counts == {"new": 30, "update": 0, "same": 0, "duplicate": 10, "error": 0}


@pytest.mark.covers("E08")
def test_the_same_file_again_changes_nothing(manager):
    brought_in(manager)
    before = state()[:3]
    assert brought_in(manager).counts == {"new": 0, "update": 0, "same": 30, "duplicate": 10, "error": 0}
    assert state()[:3] == before


def test_who_lost_the_lease_writes_nothing(manager):
    job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    importer.start_check(job)
    work.run_until_idle("imports")
    importer.start_commit(ImportJob.objects.get(), by=manager)
    frozen = jobs.Line("imports", ImportJob, importer.steps)
    assert frozen._begin()
    next(frozen._running)
    lose_the_process(importer.LINE)
    work.run_until_idle("imports")
    done = state()
    with pytest.raises(jobs.Lost):
        next(frozen._running)
    assert state() == done


def test_two_workers_do_not_bring_in_two_files_at_once(manager):
    for _file in range(2):
        job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
        importer.start_check(job)
    work.run_until_idle("imports")
    for job in ImportJob.objects.all():
        importer.start_commit(job, by=manager)
    third = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    one, other = (jobs.Line("imports", ImportJob, importer.steps, alone=importer.LINE.alone) for _ in range(2))
    assert one._begin()
    assert not other._begin()
    importer.start_check(third)  # writes nothing, and so need not wait
    assert other._begin()
    assert other._job == third
    other._let_go()
    lose_the_process(one)
    work.run_until_idle("imports")
    assert set(ImportJob.objects.values_list("state", flat=True)) == {"done"}
    assert Contact.objects.count() == 30


def test_passing_over_rows_that_are_done_keeps_the_lease(manager, monkeypatch):
    job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    importer.start_check(job)
    ImportJob.objects.update(done=29)
    leased = []
    advance = jobs.advance
    monkeypatch.setattr(jobs, "advance", lambda job, **values: (leased.append(values), advance(job, **values)))
    work.run_until_idle("imports")
    assert leased[:4] == [{}, {}, {}, {}]
    assert leased[4]["done"] == 36
    assert sorted(ImportRow.objects.values_list("number", flat=True)) == list(range(30, ROWS + 2))


def test_a_cancelled_import_goes_no_further_and_can_go_on(manager):
    job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    importer.start_check(job)
    assert importer.LINE._begin()
    next(importer.LINE._running)
    jobs.cancel(ImportJob.objects.get(), by=manager)
    importer.LINE.drain()
    job.refresh_from_db()
    assert (job.state, job.done) == ("cancelled", 8)
    importer.go_on(job, by=manager)
    work.run_until_idle("imports")
    job.refresh_from_db()
    assert job.state == "done"
    assert job.rows.count() == ROWS


def test_an_import_of_somebody_who_left_fails_with_a_sentence(manager):
    job = importer.upload(ContentFile(FILE.encode(), "a.csv"), by=manager)
    importer.start_check(job)
    type(manager).objects.filter(pk=manager.pk).update(is_active=False)
    work.run_until_idle("imports")
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.problem


def test_a_bulk_change_killed_half_way_changes_each_contact_once(manager, monkeypatch):
    there = [ContactFactory(company="Acme") for _ in range(12)]
    tag = Tag.objects.create(name="VIP")
    monkeypatch.setattr(bulk, "_at_once", lambda job: 5)
    job = bulk.start(selection.of_ids([row.pk for row in there]), "add_tag", {"tag": tag.pk}, by=manager)
    assert bulk.LINE._begin()
    next(bulk.LINE._running)
    lose_the_process(bulk.LINE)
    work.run_until_idle("bulk")
    job.refresh_from_db()
    assert (job.state, job.done, job.changed) == ("done", 12, 12)
    assert {row.version for row in Contact.objects.all()} == {2}


@pytest.mark.covers("E03")
def test_an_export_shows_numbers_as_its_maker_may_see_them(manager, monkeypatch):
    contact = ContactFactory(name="Ana", phone="+34600111222")
    restricted = UserFactory(restricted=True)
    monkeypatch.setattr(type(manager), "sees_everything", True)
    for user, shown in ((manager, "'+34600111222"), (restricted, "'+34 ••• ••• 222")):
        monkeypatch.setattr(exporter.jobs, "maker_of", lambda job, permission, user=user: user)
        job = exporter.start(selection.of_ids([contact.pk]), by=user, wanted=["name", "phone", "tags"])
        work.run_until_idle("exports")
        job.refresh_from_db()
        with translation.override("en"):
            assert job.state == "done", job.problem
        with job.file.open("rb") as file:
            assert file.read().decode("utf-8-sig") == f'"name","phone","tags"\r\n"Ana","{shown}",""\r\n'
