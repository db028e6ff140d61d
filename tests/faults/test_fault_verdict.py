"""The verdict finds what is wrong: a count that cannot rise above nought would prove nothing."""

import json
import time
import uuid

import pytest
from django.db import connection

from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging.models import Conversation, Message, ParkedUpdate
from crm.contacts.models import ChannelIdentity, Contact
from scripts.cluster import PHONE_NUMBER_ID, WABA_ID
from tests import webhooks
from tests.factories import AccountFactory, InboxFactory
from tests.faults import bodies, table
from tests.faults.harm import Size
from tests.faults.plan import SCENARIOS
from tests.faults.scenarios import Row
from tests.faults.verdict import Evidence, Verdict, judge

pytestmark = pytest.mark.django_db
KEY, NUMBER = "storm-1", 7


@pytest.fixture
def inbox():
    return InboxFactory(account=AccountFactory(waba_id=WABA_ID), phone_number_id=PHONE_NUMBER_ID)


@pytest.fixture
def evidence(inbox) -> Evidence:
    """Six messages by three people and an answer that was read, all as it should be."""
    said = bodies.inbound(KEY, NUMBER, 6, people=3, now=int(time.time()))
    posts = bodies.deliveries(said, per_body=2, copies=2, window=3, seed=1)
    webhooks.arrive(inbox, *(post.content for post in posts))
    answer = Message.objects.create(
        conversation=Conversation.objects.order_by("pk")[0], inbox=inbox, direction="out", status="read",
        text=f"{KEY}.0", author_kind="api", external_id="wamid.out.1",
    )  # fmt: skip
    ledger = [promise for post in posts for promise in post.promises]
    ledger += [{"kind": "status", "id": "wamid.out.1", "status": status} for status in ("sent", "read", "delivered")]
    posted = [post("500", "refused"), post("ok", "accepted", "wamid.out.1")]
    return Evidence(KEY, "34607", ledger, posted, {f"{KEY}.0": str(answer.client_id)})


def post(how: str, outcome: str, wamid: str = "") -> dict:
    return {"text": f"{KEY}.0", "how": how, "outcome": outcome, "id": wamid, "states": ["sent", "delivered", "read"]}


def verdict_on(evidence: Evidence) -> Verdict:
    return judge(connection.connection, evidence)


def change(sql: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_what_is_as_it_should_be_is_clean(evidence):
    verdict = verdict_on(evidence)
    assert verdict == Verdict(messages=6, sends=1)
    assert verdict.is_clean


def test_a_message_that_is_gone_is_lost(evidence):
    Message.objects.filter(external_id="wamid.storm-1.3").delete()
    lost = verdict_on(evidence).lost
    assert "message wamid.storm-1.3" in lost
    assert any(line.startswith("unread count") for line in verdict_on(evidence).doubled)  # it still says two


def test_a_message_that_a_manager_can_still_find_is_not_lost(evidence, inbox):
    Message.objects.filter(external_id="wamid.storm-1.3").delete()
    Conversation.objects.filter(identity__wa_id=bodies.person(NUMBER, 0)).update(inbound_count=1)
    event = next(event for event in WebhookEvent.objects.all() if b"wamid.storm-1.3" in event.body)
    EventItem.objects.filter(event=event).update(outcome="quarantined")
    verdict = verdict_on(evidence)
    assert verdict.is_clean
    assert "wamid.storm-1.3" in verdict.quarantined


def test_a_webhook_nobody_processes_is_stuck(evidence, inbox):
    late = bodies.deliveries(
        bodies.inbound(KEY, NUMBER, 7, people=3, now=0)[6:], per_body=1, copies=1, window=1, seed=1
    )
    webhooks.store(inbox, late[0].content)
    evidence.ledger += late[0].promises
    verdict = verdict_on(evidence)
    assert not verdict.lost
    assert "message wamid.storm-1.6 is not processed" in verdict.stuck


def test_a_message_in_the_wrong_thread_is_lost(evidence):
    other = Conversation.objects.get(identity__wa_id=bodies.person(NUMBER, 2))
    Message.objects.filter(external_id="wamid.storm-1.0").update(conversation=other)
    assert any("wamid.storm-1.0 is in the thread" in line for line in verdict_on(evidence).lost)


def test_two_rows_for_one_message_are_doubled(evidence):
    change("DROP INDEX message_external_id_once")
    twin = Message.objects.get(external_id="wamid.storm-1.0")
    twin.pk, twin.client_id = None, uuid.uuid4()
    twin.save()
    assert "message wamid.storm-1.0 ×2" in verdict_on(evidence).doubled


def test_a_person_twice_is_doubled(evidence):
    change("DROP INDEX channelidentity_wa_id_once")
    change("DROP INDEX channelidentity_match_key_once")
    identity = ChannelIdentity.objects.get(wa_id=bodies.person(NUMBER, 1))
    contact = Contact.objects.create(phone=f"+{identity.wa_id}")
    twin = ChannelIdentity.objects.get(pk=identity.pk)
    twin.pk, twin.contact = None, contact
    twin.save()
    conversation = Conversation.objects.get(identity=identity)
    conversation.pk, conversation.identity, conversation.inbound_count = None, twin, 0
    conversation.save()
    doubled = verdict_on(evidence).doubled
    assert [line.split()[0] for line in doubled] == ["identity", "contact", "conversation"]


def test_a_wrong_unread_count_is_found(evidence):
    Conversation.objects.filter(identity__wa_id=bodies.person(NUMBER, 1)).update(inbound_count=3)
    Conversation.objects.filter(identity__wa_id=bodies.person(NUMBER, 2)).update(inbound_count=1)
    verdict = verdict_on(evidence)
    assert (len(verdict.doubled), len(verdict.lost)) == (1, 1)


def test_a_second_post_is_doubled_unless_the_first_was_refused(evidence):
    for outcome, how in (("accepted", "drop"), ("unanswered", "html")):
        evidence.posts[0] = post(how, outcome, "wamid.out.0" if outcome == "accepted" else "")
        assert any(line.startswith("POST of storm-1.0") for line in verdict_on(evidence).doubled)


def test_a_send_that_was_taken_and_never_made_is_lost(evidence):
    evidence.said["storm-1.1"] = str(uuid.uuid4())
    evidence.posts.clear()
    lost = verdict_on(evidence).lost
    assert "send storm-1.1" in lost
    assert "storm-1.0 is read, but Meta never took it" in lost


@pytest.mark.parametrize("status", ["delivered", "unknown", "failed"])
def test_a_status_below_what_meta_said_is_lost(evidence, status):
    Message.objects.filter(text="storm-1.0").update(status=status)
    assert verdict_on(evidence).lost == [f"storm-1.0 is {status}, Meta said read"]


def test_a_send_whose_answer_was_lost_is_settled_by_its_status(evidence):
    evidence.posts[1] = post("drop", "accepted", "wamid.out.1")
    verdict = verdict_on(evidence)
    assert verdict.is_clean
    assert verdict.settled == 1


def test_a_status_whose_200_was_lost_counts_only_if_meta_told_it(evidence):
    evidence.ledger = [entry for entry in evidence.ledger if entry.get("status") != "read"]
    assert verdict_on(evidence).is_clean
    evidence.posts[1]["states"] = ["sent", "delivered"]
    assert verdict_on(evidence).lost == ["storm-1.0 is read, Meta said delivered"]


def test_an_unknown_send_that_meta_never_took_is_listed(evidence):
    Message.objects.filter(text="storm-1.0").update(status="unknown", external_id=None)
    evidence.posts[1:] = [post("html", "unanswered")]
    verdict = verdict_on(evidence)
    assert verdict.is_clean
    assert verdict.unknown == ["storm-1.0"]


def test_sends_and_parked_statuses_that_wait_are_stuck(evidence, inbox):
    Message.objects.filter(text="storm-1.0").update(status="sending")
    payload = json.loads("{}")
    ParkedUpdate.objects.create(
        inbox=inbox, external_id="wamid.out.1", dedup_key="k", kind="status", payload=payload
    )  # fmt: skip
    assert sorted(verdict_on(evidence).stuck) == ["message sending storm-1.0", "parked status wamid.out.1"]


def test_messages_out_of_order_are_counted(evidence):
    first = Message.objects.get(external_id="wamid.storm-1.0")
    Message.objects.filter(pk=first.pk).update(sort_at=Message.objects.get(external_id="wamid.storm-1.3").sort_at)
    change("UPDATE conversations_message SET sort_at = sort_at + interval '1 hour' WHERE id = %s", first.pk)
    evidence.ledger = [entry | ({"at": 0} if entry["id"] == "wamid.storm-1.0" else {}) for entry in evidence.ledger]
    assert verdict_on(evidence).disorder == 1


def test_the_table_shows_the_worst_seed_and_replaces_the_old_one(tmp_path):
    rows = [Row(SCENARIOS[0], Size(1), seed, kills=2, verdict=Verdict(lost=["a"] * seed)) for seed in (1, 2)]
    document = tmp_path / "faults.md"
    document.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(document, table.table([*rows, Row(SCENARIOS[1], Size(1), 1, not_run="no strace")]))
    text = document.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    cells = [cell.strip() for cell in text.splitlines()[4].split("|")]
    assert cells[6:10] == ["4", "2", "0", "0"]
    assert "*not run*: no strace" in text
    assert not rows[0].is_clean
