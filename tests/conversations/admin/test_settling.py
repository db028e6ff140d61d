"""What a manager does about messages, webhooks, parked updates and the stop of sending: done once, recorded, refused
where it makes no sense.
"""

import datetime as dt
import json

import pytest
from django.urls import reverse

from conversations.channels.base import Person, StatusUpdate, Text
from conversations.ingest import pipeline
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging import deliveries, fence, outbound, settling
from conversations.messaging.models import Attempt, Message, ParkedUpdate, ScheduledMessage
from crm.audit.models import AuditEntry
from crm.foundation import clock
from crm.foundation.secrets import seal
from tests.webhooks import PHONE, messages, text


def act(admin, rows, action, **data):
    rows = rows if isinstance(rows, list) else [rows]
    address = reverse(f"admin:conversations_{rows[0]._meta.model_name}_changelist")
    sent = {"action": action, "index": "0", "_selected_action": [row.pk for row in rows], **data}
    return admin.post(address, sent, follow=True)


def entry(row):
    return AuditEntry.objects.about(row._meta.label_lower, row.pk).first()


@pytest.mark.parametrize(
    ("action", "status", "outcome"), [("arrived", "delivered", "accepted"), ("did_not_arrive", "failed", "refused")]
)
def test_a_message_in_doubt_is_settled_by_hand(admin, manager, house, action, status, outcome):
    page = act(admin, house.doubtful, action)
    house.doubtful.refresh_from_db()
    assert house.doubtful.status == status
    assert house.doubtful.attempts.get().outcome == outcome
    assert "1 message settled." in page.content.decode()
    record = entry(house.doubtful)
    assert (record.action, record.user, record.changes) == ("settled", manager, {"status": ["unknown", status]})


def test_what_is_settled_is_not_settled_again(admin, house):
    act(admin, house.doubtful, "arrived")
    page = act(admin, house.doubtful, "did_not_arrive").content.decode()
    house.doubtful.refresh_from_db()
    assert house.doubtful.status == "delivered"
    assert "not in doubt any more" in page
    assert AuditEntry.objects.about("conversations.message", house.doubtful.pk).count() == 1


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_status_that_comes_later_knows_better(house, by_hand):
    """It carries our reference: what a person said stands only until then."""
    message = settling.settle_by_hand(house.doubtful, arrived=by_hand)
    reference = message.attempts.get().reference
    for status in ("sent", "delivered", "read"):
        update = StatusUpdate(
            external_id="wamid.real", person=Person(), status=status, at=clock.now(), reference=str(reference)
        )
        deliveries.apply(house.inbox, update)
    message.refresh_from_db()
    assert (message.status, message.external_id) == ("read", "wamid.real")


def test_failed_messages_are_sent_again_and_waiting_ones_taken_back(admin, house):
    page = act(admin, [house.failed, house.asked], "send_again").content.decode()
    house.failed.refresh_from_db()
    assert house.failed.status == "queued"
    assert "1 message is sent again." in page
    assert "not waiting to be sent again" in page
    act(admin, house.waiting, "cancel")
    house.waiting.refresh_from_db()
    assert house.waiting.status == "cancelled"
    assert entry(house.failed).action == "retried"
    assert entry(house.waiting).action == "cancelled"


def test_from_a_rows_page_one_comes_back_to_it(admin, house):
    address = reverse("admin:conversations_message_change", args=[house.doubtful.pk])
    page = admin.get(address)
    assert [name for name, _words in page.context["row_deeds"]] == ["arrived", "did_not_arrive", "send_again"]
    answer = act(admin, house.doubtful, "arrived", _row=str(house.doubtful.pk))
    assert answer.redirect_chain[-1][0] == address
    assert answer.context["row_deeds"] == []


def test_a_quarantined_webhook_is_replayed_when_the_cause_is_gone(admin, house, factories):
    account = house.inbox.account
    body = messages(text("wamid.poison", "Hello"))
    body["entry"][0]["id"] = account.waba_id
    event = WebhookEvent.objects.create(
        sealed_body=seal(json.dumps(body).encode()), signer_ids=[account.pk], state="quarantined", reason="no number"
    )
    EventItem.objects.create(event=event, position=0, kind="text", outcome="quarantined", reason="no number")
    page = act(admin, event, "replay").content.decode()
    assert "1 webhook is processed again in the background" in page
    event.refresh_from_db()
    assert event.state == "pending", "not within the page's own request"
    pipeline.drain()
    page = admin.get(reverse("admin:conversations_webhookevent_change", args=[event.pk])).content.decode()
    assert "It was set aside" in page
    factories.InboxFactory(account=account, phone_number_id=PHONE)
    act(admin, event, "replay", _row=str(event.pk))
    pipeline.drain()
    event.refresh_from_db()
    assert event.state == "processed"
    assert event.items.get().message.text == "Hello"
    assert entry(event).changes == {"state": ["quarantined", "pending"]}
    page = act(admin, event, "replay").content.decode()
    assert "in the background" not in page, "done is done"
    assert AuditEntry.objects.about("conversations.webhookevent", event.pk).count() == 2


def set_aside(inbox, count, reason):
    body = seal(b'{"object":"whatsapp_business_account","entry":[]}')
    return WebhookEvent.objects.bulk_create(
        WebhookEvent(sealed_body=body, signer_ids=[inbox.account_id], state="quarantined", reason=reason)
        for _ in range(count)
    )


def test_webhooks_are_filtered_by_why_they_were_set_aside_and_replayed_all_at_once(admin, manager, house, monkeypatch):
    monkeypatch.setattr("conversations.ingest.admin.RELEASED_AT_ONCE", 60)
    unknown = "phone_number_id is unknown or belongs to an account that did not sign"
    alike, other = set_aside(house.inbox, 70, unknown), set_aside(house.inbox, 1, "no entry")[0]
    where = reverse("admin:conversations_webhookevent_changelist")
    page = admin.get(where, {"reason": unknown})
    assert "70 · its number is not connected here" in page.content.decode()
    assert {row.reason for row in page.context["cl"].result_list} == {unknown}
    assert admin.get(where, {"reason": "\x00no"}, follow=True).status_code == 200
    deeds = admin.get(reverse("admin:conversations_webhookevent_change", args=[other.pk])).context["row_deeds"]
    assert [name for name, _words in deeds] == ["replay", "replay_alike"]
    page = act(admin, alike[-1], "replay_alike").content.decode()
    assert "60 webhooks are processed again in the background" in page
    assert "There may be more" in page
    waiting = WebhookEvent.objects.filter(state="pending").order_by("pk").values_list("pk", flat=True)
    first = [event.pk for event in alike[:60]]
    assert list(waiting) == first
    record = AuditEntry.objects.filter(action="replayed").get()
    assert (record.user, record.changes) == (
        manager, {"reason": [None, unknown], "events": [None, 60], "ids": [None, first]},
    )  # fmt: skip
    act(admin, alike[-1], "replay_alike")
    assert list(WebhookEvent.objects.filter(state="quarantined", reason="no entry")) == [other]
    assert waiting.all().count() == 70


@pytest.mark.covers("F16")
def test_a_parked_update_is_applied_when_its_message_is_here(admin, house):
    update = StatusUpdate(external_id="wamid.late", person=Person(), status="read", at=clock.now())
    deliveries.apply(house.inbox, update)
    parked = ParkedUpdate.objects.get(external_id="wamid.late")
    waiting = admin.get(reverse("admin:conversations_parkedupdate_changelist"), {"state": "waiting"})
    assert parked in waiting.context["cl"].result_list, "whoever looks sees what waits in vain"
    assert "have not come yet" in act(admin, parked, "apply_now").content.decode()
    Message.objects.filter(pk=house.failed.pk).update(external_id="wamid.late", status="sent")
    assert "1 update applied." in act(admin, parked, "apply_now").content.decode()
    house.failed.refresh_from_db()
    assert house.failed.status == "read"


def test_a_scheduled_message_is_cancelled(admin, house):
    act(admin, house.planned, "cancel")
    assert ScheduledMessage.objects.get().state == "cancelled"
    assert entry(house.planned).action == "cancelled"


def test_sending_is_stopped_and_let_go_again(admin, manager, house):
    where = reverse("admin:conversations_sendfence_changelist")
    assert "Messages are sent" in admin.get(where).content.decode()
    assert admin.get(reverse("admin:conversations_sendfence_raise")).status_code == 405
    page = admin.post(reverse("admin:conversations_sendfence_raise"), follow=True).content.decode()
    standing = fence.current()
    assert "Sending is stopped" in page
    assert "1 message waits." in page
    assert entry(standing).action == "sending_stopped"
    admin.post(reverse("admin:conversations_sendfence_lift"), {"waiting": "cancel"})
    assert not fence.is_up()
    house.waiting.refresh_from_db()
    assert house.waiting.status == "cancelled"
    assert entry(standing).changes == {"cancelled": [None, 1]}
    assert admin.post(reverse("admin:conversations_sendfence_lift")).status_code == 302


def test_an_answer_says_how_long_the_person_had_waited(house, factories):
    talk = factories.ConversationFactory(waiting_since=clock.now() - dt.timedelta(minutes=5))
    answer, _made = outbound.compose(talk, by=house.agent, content=Text("Hello"), origin="agent")
    again, _made = outbound.compose(talk, by=house.agent, content=Text("More"), origin="agent")
    assert answer.answered_after == pytest.approx(300, abs=5)
    assert again.answered_after is None
    assert Attempt.objects.filter(message=answer).count() == 0
