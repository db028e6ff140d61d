"""Pages of conversations in the administration: they open within their queries, escape what people wrote, and say what
agents see.
"""

import pytest
from django.contrib import admin as django_admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging.models import Attempt, Conversation, Message, ParkedUpdate
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import clock
from crm.foundation.secrets import seal

CEILING, PAGE_CEILING = 8, 20
MANY = 120


def models():
    return [model for model in django_admin.site._registry if model._meta.app_label == "conversations"]


def of(row, page="change"):
    return reverse(f"admin:conversations_{row._meta.model_name}_{page}", args=[row.pk])


def listed(model):
    return reverse(f"admin:conversations_{model._meta.model_name}_changelist")


@pytest.fixture
def crowd(house, factories):
    """Two pages of conversations, messages, webhooks and parked updates more."""
    identities = ChannelIdentity.objects.bulk_create(
        ChannelIdentity(
            contact=Contact.objects.create(name=f"P{n}"), channel="whatsapp", scope="portfolio", wa_id=f"3461{n:07}",
            first_seen_at=clock.now(), last_seen_at=clock.now(),
        )
        for n in range(MANY)
    )  # fmt: skip
    talks = Conversation.objects.bulk_create(
        Conversation(inbox=house.inbox, identity=one, contact=one.contact, assignee=house.agent) for one in identities
    )
    sent = Message.objects.bulk_create(
        Message(
            conversation=talk, inbox=house.inbox, direction="out", status="failed", error_code=str(131000 + n),
            author_kind="agent", author=house.agent, text="x",
        )
        for n, talk in enumerate(talks)
    )  # fmt: skip
    Attempt.objects.bulk_create(Attempt(message=message) for message in sent)
    events = WebhookEvent.objects.bulk_create(
        WebhookEvent(sealed_body=seal(b"{}"), signer_ids=[house.inbox.account_id], state="processed") for _ in sent
    )
    EventItem.objects.bulk_create(
        EventItem(event=event, position=n, kind="text", outcome="recorded") for event in events for n in range(3)
    )
    ParkedUpdate.objects.bulk_create(
        ParkedUpdate(inbox=house.inbox, external_id=f"w{n}", dedup_key="k", kind="status", payload={})
        for n in range(MANY)
    )
    return talks


@pytest.mark.covers("I01")
@pytest.mark.parametrize("model", models(), ids=lambda model: model._meta.model_name)
def test_lists_and_pages_of_every_kind_open_within_the_ceiling_and_escape(admin, house, crowd, model):
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(listed(model))
    assert page.status_code == 200
    assert len(queries) <= CEILING, [query["sql"][:120] for query in queries]
    assert "<script>alert(1)" not in page.content.decode()
    if following := page.context["cl"].paginator.following:
        assert admin.get(listed(model) + following).status_code == 200
    for row in (model._default_manager.order_by("pk").first(), model._default_manager.order_by("-pk").first()):
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(of(row))
        assert page.status_code == 200
        assert len(queries) <= PAGE_CEILING, [query["sql"][:120] for query in queries]
        assert "<script>alert(1)" not in page.content.decode()
        assert admin.get(of(row, "history")).status_code == 200


@pytest.mark.parametrize("model", models(), ids=lambda model: model._meta.model_name)
def test_hostile_addresses_are_answered_without_failing(admin, house, model):
    for query in (
        "after=x", "before=-1", "after=%00", "set=nope", "set=open&period=x", "set=failed&period=30", "reason=%00",
        "reason=131047", "state=waiting", "state=x", "q=%00", "q=" + "a" * 3000, "inbox__id__exact=x", "status=nope",
        "state__exact=quarantined", "contact__id__exact=x", "contact__id__exact=1", "assignee__id__exact=%00",
        "access_token__startswith=a", "account__access_token__startswith=a", "sealed_body=1", "period=14&period=7",
        "received_at_from=nonsense",
    ):  # fmt: skip
        assert admin.get(f"{listed(model)}?{query}").status_code in (200, 302, 400, 403), query


@pytest.mark.covers("A05")
def test_agents_may_not_enter(house):
    client = Client()
    client.force_login(house.agent)
    for address in (
        reverse("admin:index"), of(house.talk), of(house.inbox, "setup"), listed(Message), of(house.bad),
    ):  # fmt: skip
        assert client.get(address).status_code == 403
    assert client.post(reverse("admin:conversations_sendfence_raise")).status_code == 403
    assert client.post(of(house.inbox, "setup")).status_code == 403


def test_every_page_has_a_way_to_it(admin, house):
    page = admin.get(reverse("admin:index")).content.decode()
    for model in models():
        assert listed(model) in page


def test_a_conversation_is_read_as_agents_read_it(admin, house, factories):
    page = admin.get(of(house.talk))
    text = page.content.decode()
    shown = [item["message"].pk for item in page.context["items"] if item["type"] == "message"]
    assert shown == list(house.talk.messages.in_thread_order().values_list("pk", flat=True))
    assert "Hi &lt;script&gt;" in text
    assert "More than 24 hours" in text
    assert reverse("desk:conversation", args=[house.talk.pk]) in text


def test_a_long_thread_is_read_page_by_page_from_any_place(admin, house, factories):
    factories.MessageFactory.create_batch(40, conversation=house.talk)
    newest = admin.get(of(house.talk))
    older = admin.get(f"{of(house.talk)}?before={newest.context['thread'].before}")
    seen = [item["message"].pk for page in (older, newest) for item in page.context["items"] if "message" in item]
    assert seen == sorted(seen)
    assert len(set(seen)) == house.talk.messages.count()
    there = admin.get(f"{of(house.talk)}?at={house.asked.client_id}")
    assert there.context["thread"].at == str(house.asked.client_id)
    assert admin.get(f"{of(house.talk)}?at=x&before=%00&after=y").status_code == 200


@pytest.mark.covers("A09")
def test_nobody_changes_a_conversation_or_a_message_by_form(admin, house):
    for row in (house.talk, house.asked, house.bad, house.parked, house.planned, house.fence, house.notice):
        assert admin.post(of(row), {"status": "resolved", "text": "other"}).status_code == 403
        assert admin.post(of(row, "delete"), {"post": "yes"}).status_code == 403


def test_messages_are_found_by_whatsapps_id_and_by_reason(admin, house):
    page = admin.get(f"{listed(Message)}?q={house.asked.external_id}")
    assert [row.pk for row in page.context["cl"].result_list] == [house.asked.pk]
    page = admin.get(f"{listed(Message)}?reason=131047")
    assert [row.pk for row in page.context["cl"].result_list] == [house.failed.pk]
    assert "1 · More than 24 hours" in page.content.decode()


def test_a_webhook_shows_its_bytes_and_what_was_understood(admin, house):
    page = admin.get(of(house.bad)).content.decode()
    assert "no JSON &lt;script&gt;" in page
    assert "Unreadable" in page
    assert "It was set aside: not JSON." in page
    WebhookEvent.objects.filter(pk=house.good.pk).update(sealed_body=b"\x01nothing that any key opens")
    assert "not configured any more" in admin.get(of(house.good)).content.decode()
