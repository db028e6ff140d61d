"""What happened between a merge and its undoing; what cannot be merged or taken back; and that no rule is missing."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import models

from conversations.messaging.models import Conversation
from crm.audit.models import AuditEntry
from crm.consent import ledger, suppression
from crm.consent.models import ConsentEvent, Suppression
from crm.contacts import identities, notes, points, profile, timeline
from crm.contacts.models import Contact, ContactTag, LifecycleStage
from crm.foundation.errors import Conflict
from crm.merging import merge, rules, undo, values
from crm.merging.errors import CannotMerge, CannotUndo
from crm.merging.journal import DROPPED
from crm.merging.models import MergeRecord
from crm.staff.viewer import seen_by
from tests.crm.merging.lives import known
from tests.factories import ContactFactory, ConversationFactory, IdentityFactory, InboxFactory, TagFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def by(db):
    return UserFactory(manager=True, name="Marta")


@pytest.fixture
def two(db):
    """Ana and Luis, each with a number, an account and a conversation."""
    found = []
    for name, number in (("Ana", "+34600000001"), ("Luis", "+34600000002")):
        identity = IdentityFactory(contact=ContactFactory(name=name, phone=number), first_seen_at=NOW)
        ConversationFactory(identity=identity)
        found.append(identity.contact)
    return found


def fresh(contact):
    return Contact.objects.get(pk=contact.pk)


def test_everything_of_the_one_that_goes_is_the_others(two, by):
    kept, dropped = two
    notes.add(dropped, "Vegetarian", by=by)
    profile.tag(dropped, TagFactory(name="vip").name, by=by)
    record = merge.merge(kept, dropped, by=by)
    assert not Contact.objects.filter(pk=dropped.pk).exists()
    assert (kept.conversations.count(), kept.identities.count(), kept.notes.count()) == (2, 2, 1)
    assert [point.value for point in points.current(kept)] == ["+34600000001", "+34600000002"]
    assert list(kept.tags.values_list("name", flat=True)) == ["vip"]
    assert Contact.objects.search("34600000002").get() == kept
    assert record.summary["gave_way"] == {"name": "Luis"}
    assert AuditEntry.objects.filter(action="merged", object_id=str(kept.pk), user=by).exists()
    assert "Merged with “Luis”" in [line.entry.text for line in timeline.page(kept, by).lines]


def test_values_are_chosen_one_by_one_and_a_form_opened_before_is_not_saved_over_them(two, by):
    kept, dropped = two
    profile.write(kept, by=by, company="ACME", attributes={}, email="ana@example.test")
    profile.write(dropped, by=by, company="Other", country="ES", email="luis@example.test")
    opened = fresh(kept).version
    choices = {"company": DROPPED, "phone": DROPPED, "email": DROPPED}
    merge.merge(kept, dropped, by=by, choices=choices)
    row = fresh(kept)
    assert (row.name, row.company, row.country, row.phone) == ("Ana", "Other", "ES", "+34600000002")
    primary = points.current(row).filter(is_primary=True).values_list("value", flat=True)
    assert set(primary) == {"luis@example.test", "+34600000002"}
    with pytest.raises(Conflict):
        profile.write(row, by=by, version=opened, company="Third")


def test_what_came_since_stays_and_what_an_account_did_goes_with_it(two, by):
    kept, dropped = two
    account = dropped.identities.get()
    old, new = TagFactory(name="old"), TagFactory(name="new")
    for contact in two:
        profile.tag(contact, old.name, by=by)
    record = merge.merge(kept, dropped, by=by)
    profile.write(fresh(kept), by=by, company="Since")
    profile.tag(kept, new.name, by=by)
    notes.add(kept, "Since", by=by)
    talk = ConversationFactory(identity=account, contact=kept, inbox=InboxFactory())
    ledger.record(kept, purpose="marketing", state="withdrawn", source="keyword", identity=account, at=NOW)
    restored = undo.undo(record, by=by)
    assert (fresh(kept).company, restored.company) == ("Since", "")
    assert set(kept.tags.values_list("name", flat=True)) == {"old", "new"}
    assert list(restored.tags.values_list("name", flat=True)) == ["old"]
    assert (kept.notes.count(), restored.notes.count()) == (1, 0)
    assert Conversation.objects.get(pk=talk.pk).contact == restored
    assert (ledger.state_of(kept, "marketing"), ledger.state_of(restored, "marketing")) == ("", "withdrawn")
    assert (fresh(kept).phone, restored.phone) == ("+34600000001", "+34600000002")


def test_a_column_written_since_stays_and_one_the_merge_filled_is_empty_again(two, by):
    kept, dropped = two
    profile.write(dropped, by=by, company="Luis SL", country="ES", attributes={})
    Contact.objects.filter(pk=kept.pk).update(attributes={"a": 1})
    Contact.objects.filter(pk=dropped.pk).update(attributes={"a": 2, "b": 3, "c": 4})
    record = merge.merge(kept, dropped, by=by)
    assert fresh(kept).attributes == {"a": 1, "b": 3, "c": 4}
    Contact.objects.filter(pk=kept.pk).update(company="Since", attributes={"a": 1, "b": 5, "c": 4, "d": 6})
    restored = undo.undo(record, by=by)
    row = fresh(kept)
    assert (row.company, row.country, row.attributes) == ("Since", "", {"a": 1, "b": 5, "d": 6})
    assert (restored.company, restored.attributes) == ("Luis SL", {"a": 2, "b": 3, "c": 4})


def test_what_is_gone_meanwhile_does_not_come_back(two, by):
    kept, dropped = two
    stage, tag = LifecycleStage.objects.create(name="Lead"), TagFactory()
    Contact.objects.filter(pk=dropped.pk).update(stage=stage, external_id="P-1")
    for contact in two:
        ContactTag.objects.create(contact=contact, tag=tag)
    record = merge.merge(kept, fresh(dropped), by=by)
    assert (fresh(kept).stage, fresh(kept).external_id) == (stage, "P-1")
    stage.delete()
    tag.delete()
    Contact.objects.filter(pk=kept.pk).update(external_id=None)
    ContactFactory(external_id="P-1")
    restored = undo.undo(record, by=by)
    assert (restored.stage, restored.external_id, restored.tags.count()) == (None, None, 0)


@pytest.mark.parametrize(("mine", "theirs"), [("granted", "withdrawn"), ("withdrawn", "granted")])
def test_consent_becomes_the_stricter_whatever_came_last_and_undoing_takes_that_back(two, by, mine, theirs):
    kept, dropped = two
    for contact, state, at in ((kept, mine, NOW), (dropped, theirs, NOW - DAY)):
        ledger.record(contact, purpose="marketing", state=state, source="form", at=at)
    listed = set(Suppression.objects.values_list("digest", flat=True))
    record = merge.merge(kept, dropped, by=by)
    assert ledger.state_of(kept, "marketing") == "withdrawn"
    assert not ledger.may(kept, "marketing")
    assert suppression.are_suppressed(["+34 600 000 001", "+34 600 000 002"], "marketing") == {
        "+34 600 000 001", "+34 600 000 002",
    }  # fmt: skip
    restored = undo.undo(record, by=by)
    assert (ledger.state_of(kept, "marketing"), ledger.state_of(restored, "marketing")) == (mine, theirs)
    assert set(Suppression.objects.values_list("digest", flat=True)) == listed
    assert not ConsentEvent.objects.filter(source="merge").exists()


def test_who_shares_a_number_with_somebody_withdrawn_stays_listed(two, by):
    kept, dropped = two
    profile.add_point(ContactFactory(phone="+34600000009"), "phone", "+34600000001", by=by)
    third = Contact.objects.get(phone="+34600000009")
    ledger.record(dropped, purpose="marketing", state="withdrawn", source="form", at=NOW)
    record = merge.merge(kept, dropped, by=by)
    ledger.record(third, purpose="marketing", state="withdrawn", source="form", at=NOW)
    undo.undo(record, by=by)
    assert suppression.are_suppressed(["+34600000001"], "marketing") == {"+34600000001"}


def test_nothing_is_merged_with_itself_with_what_is_gone_or_with_a_group(two, by):
    kept, dropped = two
    with pytest.raises(CannotMerge, match="same contact"):
        merge.merge(kept, kept, by=by)
    with pytest.raises(CannotMerge, match="A group"):
        merge.merge(kept, ContactFactory(kind="group"), by=by)
    with pytest.raises(CannotMerge, match="not a field"):
        merge.merge(kept, dropped, by=by, choices={"search_text": DROPPED})
    merge.merge(kept, dropped, by=by)
    with pytest.raises(CannotMerge, match="merged into another") as refusal:
        merge.merge(kept, dropped, by=by)
    assert refusal.value.extra == {"merged_into": kept.pk}
    with pytest.raises(CannotMerge, match="no longer there"):
        merge.merge(kept, Contact(pk=kept.pk + 999), by=by)
    assert MergeRecord.objects.count() == 1


@pytest.mark.parametrize("whose", ["kept", "dropped"])
@pytest.mark.parametrize("first", ["+34600000007", "+34600000001"])  # further, or the kept contact's first as well
def test_the_phone_that_came_first_does_so_again_after_an_undo(two, by, whose, first):
    kept, dropped = two
    for contact in two:
        profile.add_point(contact, "phone", "+34600000007", by=by)
        profile.add_point(contact, "phone", "+34600000001", by=by)
    profile.add_point(dropped, "phone", first, by=by, is_primary=True)
    if first == "+34600000001":
        profile.add_point(kept, "phone", "+34600000007", by=by, is_primary=True)
        profile.add_point(kept, "phone", "+34600000001", by=by, is_primary=True)
    before = known()
    record = merge.merge(kept, dropped, by=by, choices={"phone": whose})
    undo.undo(record, by=by)
    assert known() == before


def test_merges_are_taken_back_in_turn_and_once(two, by):
    one, two_ = two
    three = ContactFactory()
    first, second = merge.merge(two_, three, by=by), merge.merge(one, two_, by=by)
    assert merge.where(three.pk) == one.pk  # along the chain
    with pytest.raises(CannotUndo, match="later"):
        undo.undo(first, by=by)
    undo.undo(second, by=by)
    assert merge.where(three.pk) == two_.pk
    undo.undo(first, by=by)
    with pytest.raises(CannotUndo, match="already"):
        undo.undo(first, by=by)
    assert (merge.where(three.pk), Contact.objects.count()) == (None, 3)
    stored = MergeRecord.objects.get(pk=first.pk)
    assert (stored.dropped, stored.lost, stored.moved) == ({}, {}, {})  # it is with the person again


def test_what_whatsapp_joined_is_not_taken_back(by):
    def seen(**ids):
        return identities.resolve("whatsapp", scope="portfolio", at=NOW, **ids)

    number, user_id = seen(address="34600111222"), seen(user_id="ES.1")
    ledger.record(user_id.contact, purpose="marketing", state="withdrawn", source="form", at=NOW)
    joined = seen(address="34600111222", user_id="ES.1").contact
    assert joined == number.contact
    assert ledger.state_of(joined, "marketing") == "withdrawn"
    record = MergeRecord.objects.get()
    assert (record.kept, record.merged_by, merge.where(user_id.contact_id)) == (joined, None, joined.pk)
    with pytest.raises(CannotUndo, match="WhatsApp itself"):
        undo.undo(record, by=by)


def test_a_merge_by_hand_is_taken_back_although_whatsapp_joined_something_since(two, by):
    kept, dropped = two
    record = merge.merge(kept, dropped, by=by)
    identities.resolve("whatsapp", scope="portfolio", at=NOW, user_id="ES.1")
    identities.resolve("whatsapp", scope="portfolio", at=NOW, user_id="ES.1", address="34600000002")
    restored = undo.undo(record, by=by)
    assert restored.identities.get().user_id == "ES.1"
    assert (fresh(kept).phone, restored.phone) == ("+34600000001", "+34600000002")


def test_two_accounts_of_one_person_keep_both_numbers(two, by):
    kept, dropped = two
    account = dropped.identities.get()
    merge.merge(kept, dropped, by=by)
    for day, name in ((1, "Lucho"), (2, "Luisito")):
        identities.resolve(
            "whatsapp", scope="portfolio", at=NOW + day * DAY, address=account.wa_id, profile_name=name
        )  # fmt: skip
    assert fresh(kept).phone == "+34600000001"
    identities.change(
        "whatsapp", scope="portfolio", field="wa_id", old="34600000002", new="34600000003", at=NOW + 3 * DAY
    )
    assert [point.value for point in points.current(kept)] == ["+34600000001", "+34600000003"]


def test_a_masked_viewer_sees_no_number_in_the_timeline(two, by):
    kept, _dropped = two
    other = ContactFactory(name="+34600123456")
    merge.merge(kept, other, by=by)
    reader = UserFactory(restricted=True)
    with seen_by(reader):
        texts = [line.entry.text for line in timeline.page(kept, reader).lines]
    assert "Merged with “+34 ••• ••• 456”" in texts


def test_check_names_every_constraint_and_column_without_a_rule(monkeypatch, two, by):
    assert rules.missing() == []
    monkeypatch.setattr(rules, "_once", {"segmentmember_once"})
    monkeypatch.setattr(values, "CHOSEN", tuple(name for name in values.CHOSEN if name != "country"))
    assert rules.missing() == [
        "No rule for merging: column country of contacts",
        "No rule for merging: contacttag_once of crm.ContactTag",
    ]
    with pytest.raises(CommandError, match=r"contacttag_once of crm\.ContactTag"):
        call_command("check")
    with pytest.raises(LookupError):
        merge.merge(*two, by=by)
    assert Contact.objects.count() == 2


def test_a_constraint_is_found_however_it_is_written():
    class Meta:
        app_label = "crm"

    key = models.OneToOneField(Contact, on_delete=models.CASCADE, related_name="+")
    lower = models.UniqueConstraint(models.functions.Lower("name"), models.F("contact"), name="x_lower")
    kind = type("Odd", (models.Model,), {"__module__": __name__, "Meta": Meta, "contact": key,
                                         "name": models.CharField(max_length=5)})  # fmt: skip
    try:
        kind._meta.constraints = [lower]
        assert sorted(rules._names(kind, kind._meta.get_field("contact"))) == ["contact", "x_lower"]
    finally:
        kind._meta.apps.all_models["crm"].pop("odd")
        kind._meta.apps.clear_cache()
