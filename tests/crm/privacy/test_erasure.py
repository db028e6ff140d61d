"""Nothing of a person stays but what the certificate says; and what happens beside and in between."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from conversations.messaging.models import Conversation, Message
from crm.audit import log
from crm.audit.models import AuditEntry
from crm.consent import ledger, suppression
from crm.contacts import identities, profile
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock, work
from crm.merging import merge
from crm.privacy import erasure, holds, remembered, requests, working
from crm.privacy.models import AccessLogEntry, ErasedSubject, PrivacyRequest
from tests.crm.privacy.planting import erase, found

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_too]


@pytest.mark.covers("G14")
def test_no_marker_is_left_anywhere(planted, record_property):
    before = found(planted.markers)
    assert sorted(set(planted.markers) - set(before)) == [], "these were not planted"
    row = erase(planted.contact, planted.manager)
    left = found(planted.markers)
    record_property("markers", len(planted.markers))
    record_property("places", len(set().union(*before.values())))
    assert len(planted.markers) >= 40
    assert left == {}
    assert bytes_left(planted.markers) == []
    assert row.state == "done"
    assert not Contact.objects.filter(pk=planted.contact.pk).exists()


def bytes_left(markers):
    """Markers in SQLite's own files, freed pages and journal included; PostgreSQL's go with a vacuum."""
    if connection.vendor != "sqlite":
        return []
    name = str(connection.settings_dict["NAME"])
    data = b"".join(Path(name + end).read_bytes() for end in ("", "-wal") if Path(name + end).exists())
    return [store for store, word in markers.items() if word.encode() in data]


def test_others_keep_what_is_theirs(planted):
    erase(planted.contact, planted.manager)
    assert Contact.objects.get(pk=planted.other.pk).name == "Bruno Bystander"
    assert list(Message.objects.values_list("text", flat=True)) == ["said by the bystander"]
    assert Conversation.objects.get(pk=planted.group.pk).last_preview == "said by the bystander"
    told = AuditEntry.objects.about("crm.contact", planted.other.pk)
    assert set(told.values_list("object_name", flat=True)) == {"Bruno Bystander"}
    assert told.get(action="merged").changes["company"] == [None, log.HIDDEN]
    planted.quarantined.refresh_from_db()
    value = json.loads(planted.quarantined.body)["entry"][0]["changes"][0]["value"]
    assert value["messages"][0] == {"erased": True}
    assert value["messages"][1]["text"]["body"] == "kept of others"


@pytest.mark.covers("G15")
def test_the_certificate_says_what_went_and_what_stays(planted):
    row = erase(planted.contact, planted.manager)
    assert row.result["erased"]["conversations.message"] == 5
    assert row.result["erased"]["crm.contact"] == 1
    assert {"crm.auditentry", "crm.suppression", "crm.erasedsubject"} <= set(row.result["kept"])
    assert row.sealed is None
    assert row.contact is None
    entries = AuditEntry.objects.about("crm.contact", planted.contact.pk)
    assert {entry.object_name for entry in entries} == {row.subject}
    assert entries.filter(user=planted.manager).exists()
    assert AccessLogEntry.objects.get().contact is None
    other = PrivacyRequest.objects.get(kind="rectification")
    assert other.reason == f"{row.subject} wrote"
    assert other.verified_by == "passport"


@pytest.mark.covers("G08")
def test_a_withdrawal_outlives_the_person(planted):
    erase(planted.contact, planted.manager)
    assert suppression.are_suppressed([f"+{planted.wa_id}"], "marketing")
    again = profile.write(Contact(), by=planted.manager, name="Back", phone=f"+{planted.wa_id}")
    assert ledger.state_of(again, "marketing") == "withdrawn"


@pytest.mark.covers("G20")
def test_a_hold_keeps_everything_until_it_is_lifted(planted):
    hold = holds.hold(planted.contact, reason="lawsuit 7", by=planted.manager)
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    with pytest.raises(holds.Held, match="lawsuit 7"):
        requests.start(row, by=planted.manager)
    assert len(found(planted.markers)) == len(planted.markers)
    holds.lift(hold, by=planted.manager)
    requests.start(row, by=planted.manager)
    work.run_until_idle(requests.DRAIN)
    assert found(planted.markers) == {}


def test_a_hold_that_comes_before_the_background_begins_wins(planted):
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    requests.start(row, by=planted.manager)
    holds.hold(planted.contact, reason="lawsuit 7", by=planted.manager)
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert row.state == "open"
    assert "lawsuit 7" in row.result["problem"]
    assert len(found(planted.markers)) == len(planted.markers)


@pytest.mark.parametrize("after", [0, 1, 2, 5, 12, 20])
def test_a_process_that_ends_in_between_is_followed_by_another(planted, after):
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    requests.start(row, by=planted.manager)
    killed = erasure.steps(working.claim())
    for _ in range(after):
        next(killed, None)
    killed.close()
    PrivacyRequest.objects.filter(pk=row.pk).update(lease_until=clock.real())
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    assert row.state == "done"
    assert found(planted.markers) == {}
    assert row.result["erased"]["conversations.message"] == 5
    assert row.result["erased"]["crm.contactpoint"] == 2


@pytest.mark.covers("G16")
def test_who_writes_during_the_erasure_is_somebody_new(planted, factories):
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    requests.start(row, by=planted.manager)
    running = erasure.steps(working.claim())
    next(running)
    with transaction.atomic():
        fresh = identities.resolve(
            "whatsapp", scope="portfolio", at=clock.now(), address=planted.wa_id, profile_name="Zoe"
        )
    assert fresh.contact_id != planted.contact.pk
    factories.ConversationFactory(identity=fresh, contact=fresh.contact)
    for _ in running:
        pass
    row.refresh_from_db()
    assert row.state == "done"
    assert Contact.objects.get(pk=fresh.contact_id).name == "Zoe"
    assert Conversation.objects.filter(contact=fresh.contact_id).exists()
    markers = {store: word for store, word in planted.markers.items() if store != "number"}
    assert found(markers) == {}


def test_nothing_more_is_sent_from_the_first_moment(planted):
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    requests.start(row, by=planted.manager)
    next(erasure.steps(working.claim()))
    planted.queued.refresh_from_db()
    assert planted.queued.status == "cancelled"
    account = ChannelIdentity.objects.get(pk=planted.account.pk)
    assert (account.wa_id, account.user_id) == (None, None)
    with pytest.raises(holds.GoneAlready):
        holds.hold(planted.contact, reason="too late", by=planted.manager)
    with pytest.raises(holds.GoneAlready):
        merge.merge(planted.other, planted.contact, by=planted.manager)


@pytest.mark.covers("G18")
def test_a_restored_backup_forgets_them_again(planted):
    kept = Contact.objects.filter(pk=planted.contact.pk).values().get()
    erase(planted.contact, planted.manager)
    ErasedSubject.objects.all().delete()  # the backup is from before
    back = Contact.objects.create(**kept)
    stranger = profile.write(Contact(), by=planted.manager, name="New owner", phone=kept["phone"])
    assert remembered.come_back(remembered.all_known()) == [back.pk]
    call_command("erasures", "--apply")
    assert not Contact.objects.filter(pk=back.pk).exists()
    assert Contact.objects.filter(pk=stranger.pk).exists()


@pytest.mark.covers("G18")
def test_the_hashes_of_another_machine_are_applied_too(planted, tmp_path):
    kept = Contact.objects.filter(pk=planted.contact.pk).values().get()
    erase(planted.contact, planted.manager)
    call_command("erasures", "--write", str(tmp_path / "hashes"))
    ErasedSubject.objects.all().delete()
    remembered.path().unlink()
    Contact.objects.create(**kept)
    call_command("erasures", "--apply")
    assert Contact.objects.filter(pk=planted.contact.pk).exists()
    call_command("erasures", "--apply", str(tmp_path / "hashes"))
    assert not Contact.objects.filter(pk=planted.contact.pk).exists()
    assert planted.wa_id not in (tmp_path / "hashes").read_text()


def test_the_sealed_name_is_nowhere_in_the_clear(planted):
    row = requests.record(planted.contact, "erasure", by=planted.manager, verified_by="passport")
    requests.start(row, by=planted.manager)
    next(erasure.steps(working.claim()))
    row.refresh_from_db()
    assert planted.contact.name.encode() not in bytes(row.sealed)
