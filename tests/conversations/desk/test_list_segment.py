"""The inbox's list narrowed to the people of a segment."""

import pytest
from django.urls import reverse

from crm.segments.models import Segment
from tests.factories import ConversationFactory, TagFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def listed(desk, **query):
    page = desk.get(reverse("desk:inbox"), {"view": "all"} | query)
    assert page.status_code == 200
    return page.content.decode()


@pytest.fixture
def segment(db):
    return Segment.objects.create(
        name="The Anas", rule={"all": [{"field": "name", "op": "starts", "value": "ana"}]}
    )  # fmt: skip


def test_only_conversations_of_its_people(desk, inbox, segment):
    ana = ConversationFactory(inbox=inbox, identity__contact__name="Ana Mia")
    luis = ConversationFactory(inbox=inbox, identity__contact__name="Luis")
    page = listed(desk, segment=segment.pk)
    assert ana.contact.name in page
    assert luis.contact.name not in page
    assert "Segment: The Anas" in page


def test_a_segment_that_is_gone_or_broken_shows_nobody(desk, inbox, segment):
    ConversationFactory(inbox=inbox, identity__contact__name="Ana Mia")
    assert "Ana Mia" not in listed(desk, segment=999)
    assert "(deleted)" in listed(desk, segment=999)
    tag = TagFactory()
    segment.rule = {"all": [{"field": "tags", "op": "none", "value": [tag.pk]}]}
    segment.save()
    assert "Ana Mia" in listed(desk, segment=segment.pk)
    tag.delete()
    assert "Ana Mia" not in listed(desk, segment=segment.pk)


def test_the_dialog_offers_segments(desk, inbox, segment):
    page = desk.get(reverse("desk:filters"), {"view": "all", "segment": segment.pk}).content.decode()
    assert f'<option value="{segment.pk}" selected>The Anas</option>' in page
