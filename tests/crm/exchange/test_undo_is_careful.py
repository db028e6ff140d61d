"""Taking an import back leaves what people did since, and is not stopped by what is gone."""

import pytest

from crm.contacts import points, profile
from crm.contacts.models import Contact, LifecycleStage, Tag
from crm.foundation import work
from crm.privacy import accesses
from tests.factories import ContactFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.fixture
def undone(importer, manager):
    """Take it back -> the job."""

    def undone(job):
        importer.start_undo(job, by=manager)
        work.run_until_idle("imports")
        job.refresh_from_db()
        assert (job.step, job.state) == ("undo", "done"), job.problem
        return job

    return undone


def test_a_name_written_since_stays_confirmed(run, undone, manager):
    known = ContactFactory(name="~ana", phone="+34600111222", is_name_confirmed=False)
    job = run("name,phone\nAna,+34600111222\n")
    profile.write(known, by=manager, name="Ana María")
    undone(job)
    known.refresh_from_db()
    assert (known.name, known.is_name_confirmed) == ("Ana María", True)


def test_a_name_nobody_touched_is_unconfirmed_again(run, undone):
    known = ContactFactory(name="~ana", phone="+34600111222", is_name_confirmed=False)
    undone(run("name,phone\nAna,+34600111222\n"))
    known.refresh_from_db()
    assert (known.name, known.is_name_confirmed) == ("~ana", False)


def test_a_stage_that_is_gone_is_not_given_back(run, undone):
    old, new = (LifecycleStage.objects.create(name=name) for name in ("Old", "New"))
    known = ContactFactory(phone="+34600111222", stage=old, company="Before")
    job = run("phone,stage,company\n+34600111222,New,After\n")
    old.delete()
    undone(job)
    known.refresh_from_db()
    assert (known.stage, known.company) == (new, "Before")
    assert "stage" in job.rows.get().reason


def test_a_stage_that_is_there_is_given_back(run, undone):
    old, _new = (LifecycleStage.objects.create(name=name) for name in ("Old", "New"))
    known = ContactFactory(phone="+34600111222", stage=old)
    undone(run("phone,stage\n+34600111222,New\n"))
    known.refresh_from_db()
    assert known.stage == old


def test_looking_at_a_contact_is_not_using_it(run, undone, manager):
    job = run("name,phone\nAna,+34600111222\n")
    accesses.note(manager, Contact.objects.get().pk, accesses.What.PROFILE)
    assert Contact.objects.get().access_log.exists()
    undone(job)
    assert not Contact.objects.exists()


def test_what_was_put_back_by_hand_stays(run, undone, manager):
    known = ContactFactory(name="Ana", external_id="A", phone="+34600111222")
    points.keep(known)
    job = run("external_id,phone,email,tags\nA,+34600999888,ana@x.es,VIP;New\n")
    profile.untag(known, Tag.objects.get(name="VIP").pk, by=manager)
    profile.tag(known, "VIP", by=manager)
    profile.end_point(points.current(known).get(kind="email"), by=manager)
    profile.add_point(known, "email", "ana@x.es", by=manager)
    undone(job)
    assert [tag.name for tag in known.tags.all()] == ["VIP"]
    assert sorted(points.current(known).values_list("value", flat=True)) == ["+34600111222", "ana@x.es"]
