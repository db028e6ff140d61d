"""A number with something of everything, each with markup where people write."""

import datetime as dt
from types import SimpleNamespace

from conversations.answers.models import CannedAnswer
from conversations.desk.models import SavedView
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging.models import Attempt, Message, ParkedUpdate, ScheduledMessage, SendFence
from conversations.notices.models import Notice
from crm.foundation import clock
from crm.foundation.secrets import seal
from tests import factories

MARKUP = "<script>alert(1)</script>"


def furnish():
    """One row of everything at least."""
    team = factories.TeamFactory(name="Sales")
    agent = factories.UserFactory(name=f"Ana {MARKUP}", teams=[team])
    inbox = factories.InboxFactory(name="Main", teams=[team])
    contact = factories.ContactFactory(name=f"Zoe {MARKUP}")
    talk = factories.ConversationFactory(inbox=inbox, identity__contact=contact, assignee=agent, team=team)
    asked = factories.MessageFactory(conversation=talk, text=f"Hi {MARKUP}")
    doubtful = _outbound(talk, agent, Message.Status.UNKNOWN, "unanswered")
    failed = _outbound(talk, agent, Message.Status.FAILED, "131047")
    waiting = _outbound(talk, agent, Message.Status.QUEUED, "")
    note = factories.MessageFactory(conversation=talk, note=True, author=agent, text=f"@x {MARKUP}")
    good = _event(b'{"object":"whatsapp_business_account","entry":[]}', WebhookEvent.State.PROCESSED, inbox)
    EventItem.objects.create(event=good, position=0, kind="text", outcome="recorded", message=asked)
    bad = _event(b"no JSON " + MARKUP.encode(), WebhookEvent.State.QUARANTINED, inbox, reason="not JSON")
    parked = ParkedUpdate.objects.create(
        inbox=inbox, external_id="wamid.later", dedup_key="k", kind="status", payload={"status": "read", "x": MARKUP}
    )
    answer = CannedAnswer(shortcut="hello", title=f"T {MARKUP}", body=f"B {MARKUP}", created_by=agent)
    answer.refresh_search_text()
    answer.save()
    view = SavedView.objects.create(name=f"V {MARKUP}", owner=agent, query="view=all&priority=4")
    planned = ScheduledMessage.objects.create(
        conversation=talk, author=agent, text=f"Later {MARKUP}", send_at=clock.now() + dt.timedelta(hours=1)
    )
    notice = Notice.objects.create(user=agent, conversation=talk, message=note)
    fence = SendFence.objects.create(reason="manual", lifted_at=clock.real(), lifted_by=agent)
    return SimpleNamespace(**locals())


def _outbound(talk, agent, status, code):
    message = factories.MessageFactory(
        conversation=talk, outbound=True, status=status, author=agent, error_code=code, external_id=None,
        text=f"Out {MARKUP}",
    )  # fmt: skip
    Attempt.objects.create(message=message, outcome=Attempt.Outcome.UNKNOWN, error_details=MARKUP)
    return message


def _event(body, state, inbox, **columns):
    return WebhookEvent.objects.create(
        sealed_body=seal(body), signer_ids=[inbox.account_id], state=state, processed_at=clock.real(), **columns
    )
