"""What an entry says of its act: what was overwritten, merged, taken off many, or too long to keep whole."""

import pytest
from django.utils import translation

from conversations.graphapi.client import MESSAGING_LIMIT
from conversations.inboxes import checkup
from conversations.inboxes.models import Inbox, NumberCheck
from conversations.messaging import numbers
from crm.audit import log, words
from crm.audit.models import AuditEntry
from crm.contacts import attributes, describing_api, identities
from crm.contacts.models import Contact, ContactTag, CustomAttribute, Tag
from crm.foundation import clock
from tests.api import Integrator
from tests.factories import ContactFactory, InboxFactory, TagFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def entries(model):
    return AuditEntry.objects.filter(model=model)


def test_a12_what_meta_overwrites_of_what_somebody_entered_is_recorded(monkeypatch):
    inbox = InboxFactory(display_phone_number="+34 1", sends_per_second=20)
    answers = {
        "number": {"display_phone_number": "+34 600 111 222", "throughput": {"level": "STANDARD"}},
        "limit": {MESSAGING_LIMIT: "TIER_1K"},
    }
    told = NumberCheck(inbox=inbox, asked_at=clock.real(), answers=answers, problems={})
    monkeypatch.setattr(checkup, "ask", lambda inbox: told)
    for _ in range(2):  # the second time nothing changes
        numbers.ask_meta(Inbox.objects.get())
    assert entries("conversations.inbox").get().changes == {
        "display_phone_number": ["+34 1", "+34 600 111 222"],
        "sends_per_second": [20, 80],
    }
    assert entries("conversations.whatsappaccount").get().changes["messaging_limit"][1] == 1000
    inbox.refresh_from_db()
    inbox.account.refresh_from_db()
    assert (inbox.sends_per_second, inbox.account.messaging_limit) == (80, 1000)


def meanwhile(monkeypatch, serializer, change):
    """Somebody else writes after a request has read its row and before it saves."""
    validate = serializer.run_validation

    def late(self, *args, **more):
        found = validate(self, *args, **more)
        change()
        return found

    monkeypatch.setattr(serializer, "run_validation", late)


def test_a12_two_patches_of_one_row_keep_both_and_each_records_its_own(monkeypatch):
    tag, client = TagFactory(name="VIP", colour=1), Integrator(UserFactory(integrator=True))
    meanwhile(monkeypatch, describing_api.TagSerializer, lambda: Tag.objects.update(colour=5))
    assert client.patch(f"tags/{tag.pk}/", {"name": "Gold"}).status_code == 200
    tag.refresh_from_db()
    assert (tag.name, tag.colour) == ("Gold", 5)
    assert entries("crm.tag").get().changes == {"name": ["VIP", "Gold"]}


def test_a12_a_row_that_went_meanwhile_is_not_there(monkeypatch):
    tag, client = TagFactory(name="VIP"), Integrator(UserFactory(integrator=True))
    meanwhile(monkeypatch, describing_api.TagSerializer, lambda: Tag.objects.all().delete())
    assert client.patch(f"tags/{tag.pk}/", {"name": "Gold"}).status_code == 404
    assert not Tag.objects.exists()


def test_a12_contacts_that_turn_out_to_be_one_person_are_recorded_about_both():
    at = clock.real()
    with_number = identities.resolve("whatsapp", scope="p", at=at, address="34600111222", profile_name="Ana").contact
    identities.resolve("whatsapp", scope="p", at=at, user_id="ES.1", profile_name="Ana")
    gone = Contact.objects.exclude(pk=with_number.pk).get()
    Contact.objects.filter(pk=gone.pk).update(company="ACME")
    identities.resolve("whatsapp", scope="p", at=at, address="34600111222", user_id="ES.1")
    kept = Contact.objects.get()
    first, second = entries("crm.contact").filter(action="merged").order_by("pk")
    assert (first.object_id, first.changes) == (str(gone.pk), {"merged_into": [None, kept.pk]})
    assert second.object_id == str(kept.pk)
    assert second.changes[log.ABSORBED] == [None, gone.pk]
    assert second.changes["company"] == ["", "ACME"]


def test_a12_what_is_taken_off_many_says_off_how_many():
    plan = CustomAttribute.objects.create(key="plan", label="Plan")
    people = [ContactFactory(attributes={"plan": "x"}) for _ in range(3)]
    ContactFactory(attributes={"other": "x"})
    attributes.remove(plan)
    entry = entries("crm.customattribute").get()
    assert entry.changes["crm.contact"] == [3, None]
    with translation.override("en"):
        assert ("Contact", "3", "—") in [(one.field, one.before, one.after) for one in words.described(entry)]
    tag = TagFactory()
    for person in people[:2]:
        ContactTag.objects.create(contact=person, tag=tag)
    assert Integrator(UserFactory(integrator=True)).delete(f"tags/{tag.pk}/").status_code == 204
    assert entries("crm.tag").get().changes["crm.contacttag"] == [2, None]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a" * 500, "b", ["a" * 500, "b"]),
        ("a" * 501, "b", ["a" * 500 + "…", "b"]),
        (None, "b" * 501, [None, "b" * 500 + "…"]),
        ("a" * 600 + "x", "a" * 600 + "yz", ["…" + "a" * 60 + "x", "…" + "a" * 60 + "yz"]),
        ("a" * 600, "a" * 601, ["…" + "a" * 60, "…" + "a" * 61]),
        ({"k": "a" * 600 + "x"}, {"k": "a" * 600 + "y"}, ["…" + "a" * 60 + "x'}", "…" + "a" * 60 + "y'}"]),
    ],
)
def test_a_long_text_is_cut_to_where_it_differs_and_says_so(before, after, shown):
    assert log.difference({"body": before}, {"body": after}) == {"body": shown}
