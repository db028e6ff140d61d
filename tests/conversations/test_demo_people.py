"""What a manager who opens the demo finds of people: described, grouped, asked, there twice, imported."""

import datetime as dt

import pytest
from django.core.management import call_command

from crm.consent import ledger
from crm.consent.models import Consent, ConsentEvent, Suppression
from crm.contacts import timeline
from crm.contacts.models import Contact, ContactPoint, CustomAttribute, LifecycleStage, Tag
from crm.exchange.models import ImportJob
from crm.foundation import clock
from crm.merging.models import DuplicatePair
from crm.privacy.models import PrivacyRequest
from crm.segments import rules
from crm.segments.models import Segment
from crm.staff.models import User


@pytest.fixture
def manager(db, settings, tmp_path):
    settings.DEMO, settings.MEDIA_ROOT = True, tmp_path
    call_command("load_demo")
    return User.objects.get(email="manager@demo.test")


@pytest.mark.sqlite_too
def test_people_are_described_and_grouped_and_the_queues_have_something(manager):
    stages = set(LifecycleStage.objects.values_list("name", flat=True))
    assert set(Contact.objects.exclude(stage=None).values_list("stage__name", flat=True)) == stages
    assert set(CustomAttribute.objects.values_list("type", flat=True)) == set(CustomAttribute.Type.values)
    for key in CustomAttribute.objects.values_list("key", flat=True):
        assert Contact.objects.filter(attributes__has_key=key).exists(), key
    assert set(Tag.objects.values_list("group", flat=True)) == {"Cliente", "Gestión", "Origen"}
    assert Contact.objects.exclude(owner=None).values("owner").distinct().count() == 3
    assert Contact.objects.exclude(company="").count() >= 8
    assert set(ContactPoint.objects.filter(is_primary=False).values_list("kind", flat=True)) == {"phone", "email"}
    elena = Contact.objects.get(name="Elena Echevarría")
    pages = [timeline.page(elena, manager, group=group) for group in timeline.groups]
    icons = {line.entry.icon for page in pages for line in page.lines}
    assert {"phone", "mail", "user", "megaphone", "pencil", "sticky-note", "user-plus"} <= icons
    segments = list(Segment.objects.all())
    assert len(segments) == 4
    for segment in segments:
        assert 3 <= rules.members(segment, manager).count() <= 20, segment.name
    pairs = DuplicatePair.objects.filter(state="open").order_by("-score")
    assert [{part["kind"] for part in pair.evidence} for pair in pairs] == [{"account", "name"}, {"email", "name"}]
    asked = PrivacyRequest.objects.get()
    assert (asked.kind, asked.state) == ("access", "open")
    assert dt.timedelta(days=20) < asked.due_at - clock.now() < dt.timedelta(days=30)


@pytest.mark.sqlite_too
def test_consents_are_the_ledgers_and_the_import_is_over(manager):
    sources = set(ConsentEvent.objects.values_list("source", flat=True))
    assert sources == {"form", "api", "agent", "import", "keyword", "button", "whatsapp"}
    assert ledger.split(Contact.objects.all(), "marketing")["granted"] >= 20
    withdrawn = Consent.objects.filter(purpose="marketing", state="withdrawn")
    assert withdrawn.count() == 6
    assert Suppression.objects.filter(purpose="marketing").count() >= 5
    for event in ConsentEvent.objects.select_related("contact"):
        assert event.at <= event.recorded_at <= clock.now()
        assert event.contact.created_at <= event.recorded_at
    job = ImportJob.objects.get()
    assert (job.step, job.state) == ("commit", "done")
    assert job.counts == {"new": 7, "update": 1, "same": 0, "duplicate": 1, "error": 1}
