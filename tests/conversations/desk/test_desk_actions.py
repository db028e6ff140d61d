"""What an agent does: write, note, react, retry, cancel, assign, resolve, read."""

import re
import threading
import uuid

import pytest
from django.db import close_old_connections, connection
from django.test import Client
from django.urls import reverse

from conversations.live.models import LiveHint
from conversations.messaging.models import Conversation, ConversationEvent, ConversationRead, Message
from crm.staff.models import User
from tests.factories import ConversationFactory, InboxFactory, MessageFactory, TeamFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def post(client, name, conversation, **data):
    return client.post(reverse(f"desk:{name}", args=[conversation.pk]), data)


def fresh(conversation):
    return Conversation.objects.get(pk=conversation.pk)


def write(client, conversation, text="Hello", **data):
    return post(client, "messages", conversation, **({"client_id": str(uuid.uuid4()), "text": text} | data))


def test_an_answer_is_queued_and_comes_back_as_its_bubble(desk, agent, conversation):
    client_id = str(uuid.uuid4())
    response = write(desk, conversation, "Hola", client_id=client_id)
    assert response.status_code == 201
    assert f'id="m-{client_id}"' in response.content.decode()
    message = Message.objects.get()
    assert (message.status, message.direction, message.author, message.text) == ("queued", "out", agent, "Hola")
    row = fresh(conversation)
    assert (row.last_preview, row.last_direction, row.waiting_since) == ("Hola", "out", None)
    assert LiveHint.objects.filter(payload__t="message.created").count() == 1


def test_the_same_click_twice_is_one_message(desk, conversation):
    client_id = str(uuid.uuid4())
    assert [write(desk, conversation, client_id=client_id).status_code for _ in range(3)] == [201, 200, 200]
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_impatient_clicks_are_one_message(agent, conversation):
    client_id, statuses, gate = str(uuid.uuid4()), [], threading.Barrier(8)

    def click():
        client = Client()
        client.force_login(agent)
        gate.wait(20)
        statuses.append(write(client, conversation, client_id=client_id).status_code)
        close_old_connections()
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200] * 7 + [201]
    assert Message.objects.count() == 1


def test_an_answer_may_quote(desk, conversation):
    theirs = MessageFactory(conversation=conversation, text="How much is it?")
    html = write(desk, conversation, reply_to=str(theirs.client_id)).content.decode()
    assert "How much is it?" in html
    assert Message.objects.get(direction="out").reply_to == theirs


def test_a_note_is_for_the_team(desk, conversation):
    response = post(desk, "note", conversation, client_id=str(uuid.uuid4()), text="Careful")
    assert response.status_code == 201
    message = Message.objects.get()
    assert (message.direction, message.status, message.external_id) == ("note", "received", None)
    assert fresh(conversation).last_preview == ""


def test_a_reaction_is_replaced_and_taken_back(desk, conversation):
    theirs = MessageFactory(conversation=conversation)
    for emoji in ("👍", "❤️", ""):
        html = post(desk, "react", conversation, message=str(theirs.client_id), emoji=emoji).content.decode()
        assert ('data-testid="reaction"' in html) == bool(emoji)
    assert theirs.reactions.get().emoji == ""
    assert Message.objects.filter(kind="reaction").count() == 3


def test_what_was_not_sent_yet_and_notes_cannot_be_reacted_to(desk, conversation):
    for more in ({"outbound": True, "external_id": None, "status": "queued"}, {"note": True}):
        message = MessageFactory(conversation=conversation, **more)
        assert post(desk, "react", conversation, message=str(message.client_id), emoji="👍").status_code == 400
    assert not Message.objects.filter(kind="reaction").exists()


def test_a_failed_message_can_be_sent_again_and_a_queued_one_taken_back(desk, conversation):
    message = MessageFactory(conversation=conversation, outbound=True, status="failed", error_code="131026")
    html = desk.post(reverse("desk:retry", args=[message.client_id])).content.decode()
    message.refresh_from_db()
    assert message.status == "queued"
    assert 'data-testid="cancel"' in html
    desk.post(reverse("desk:cancel", args=[message.client_id]))
    message.refresh_from_db()
    assert message.status == "cancelled"
    response = desk.post(reverse("desk:cancel", args=[message.client_id]))
    assert (response.status_code, response["X-Error"]) == (422, "not_retryable")


@pytest.mark.parametrize("name", ["retry", "cancel"])
def test_inbound_messages_and_notes_are_not_ours_to_send(desk, conversation, name):
    for more in ({}, {"note": True}):
        message = MessageFactory(conversation=conversation, **more)
        assert desk.post(reverse(f"desk:{name}", args=[message.client_id])).status_code == 404


def test_taking_resolving_and_reopening(desk, agent, conversation):
    response = post(desk, "assign", conversation, assignee="me", version=1)
    assert (response.status_code, fresh(conversation).assignee) == (200, agent)
    post(desk, "status", conversation, status="resolved", version=2)
    assert (fresh(conversation).status, fresh(conversation).waiting_since) == ("resolved", None)
    post(desk, "status", conversation, status="open", version=3)
    assert (fresh(conversation).status, fresh(conversation).version) == ("open", 4)
    kinds = list(ConversationEvent.objects.order_by("pk").values_list("kind", "user"))
    assert kinds == [("assigned", agent.pk), ("resolved", agent.pk), ("reopened", agent.pk)]


@pytest.mark.parametrize(("name", "data"), [("assign", {"assignee": "me"}), ("status", {"status": "resolved"})])
def test_a_form_made_before_somebody_elses_change_is_refused_with_the_present_state(
    desk, conversation, team, name, data
):
    other = UserFactory(name="Beatriz", teams=[team])
    Conversation.objects.update(assignee=other, version=5)
    response = post(desk, name, conversation, version=4, **data)
    html = response.content.decode()
    assert response.status_code == 409
    assert 'data-version="5"' in html
    assert 'data-testid="conflict"' in html
    assert "Beatriz" in html
    assert (fresh(conversation).assignee, fresh(conversation).status, fresh(conversation).version) == (other, "open", 5)
    assert not ConversationEvent.objects.exists()


def test_doing_what_is_done_already_changes_nothing(desk, conversation):
    for _ in range(2):
        post(desk, "assign", conversation, assignee="me")
        post(desk, "status", conversation, status="resolved")
    assert ConversationEvent.objects.count() == 2
    assert fresh(conversation).version == 3


@pytest.mark.covers("P05")
def test_nobody_can_be_given_what_they_may_not_see(desk, conversation):
    stranger, integrator = UserFactory(), UserFactory(integrator=True)
    for user in (stranger, integrator):
        response = post(desk, "assign", conversation, assignee=user.pk)
        assert response.status_code == 400
        assert response["X-Error"] == "not_assignable"
        assert len(response.content.decode()) > 40
    User.objects.filter(pk=stranger.pk).update(is_active=False)
    assert post(desk, "assign", conversation, assignee=stranger.pk).status_code == 404
    assert fresh(conversation).assignee is None


@pytest.mark.parametrize("role", ["manager", "restricted", "agent"])
def test_who_may_see_it_can_be_given_it(desk, conversation, team, role):
    user = UserFactory(role=role, teams=[team] if role == "agent" else [])
    assert post(desk, "assign", conversation, assignee=user.pk).status_code == 200
    assert fresh(conversation).assignee == user


def test_team_and_assignee_are_changed_apart(desk, agent, conversation):
    team = TeamFactory()
    post(desk, "assign", conversation, assignee="me")
    post(desk, "assign", conversation, team=team.pk)
    assert (fresh(conversation).assignee, fresh(conversation).team) == (agent, team)
    post(desk, "assign", conversation, assignee="")
    assert (fresh(conversation).assignee, fresh(conversation).team) == (None, team)
    assert post(desk, "assign", conversation, team=10**9).status_code == 404


def test_who_gives_away_what_they_then_no_longer_see_gets_no_content(sign_in, conversation, team):
    restricted, other = UserFactory(restricted=True), UserFactory(teams=[team])
    Conversation.objects.update(assignee=restricted)
    response = post(sign_in(restricted), "assign", conversation, assignee=other.pk)
    assert (response.status_code, response.content) == (204, b"")
    assert fresh(conversation).assignee == other


def test_the_header_offers_only_people_who_may_see_it(desk, agent, conversation, team):
    colleague, stranger = UserFactory(teams=[team]), UserFactory()
    manager, gone = UserFactory(manager=True), UserFactory(teams=[team], is_active=False)
    html = desk.get(reverse("desk:header", args=[conversation.pk])).content.decode()
    for user, is_offered in ((colleague, True), (manager, True), (stranger, False), (gone, False)):
        assert (f'value="{user.pk}"' in html.partition('name="team"')[0]) == is_offered


def test_reading_is_each_agents_own(sign_in, agent, team, conversation):
    Conversation.objects.update(inbound_count=3)
    colleague = UserFactory(teams=[team])
    assert post(sign_in(agent), "read", conversation).status_code == 204
    assert ConversationRead.objects.get().inbound_upto == 3
    row = {"view": "all", "ids": conversation.pk}
    assert 'data-testid="unread"' not in sign_in(agent).get(reverse("desk:rows"), row).content.decode()
    assert 'data-unread="3"' in sign_in(colleague).get(reverse("desk:rows"), row).content.decode()


def test_rows_that_left_the_view_come_as_gone(desk, agent, inbox, conversation):
    mine = ConversationFactory(inbox=inbox, assignee=agent)
    html = desk.get(
        reverse("desk:rows"), {"view": "mine", "ids": f"{mine.pk},{conversation.pk},999999"}
    ).content.decode()
    assert f'<li id="row-{mine.pk}" class' in html
    for pk in (conversation.pk, 999999):
        assert f'<li id="row-{pk}" data-gone' in html


def test_the_list_comes_in_pages_of_forty_without_doubles_or_gaps(desk, inbox):
    at = ConversationFactory(inbox=inbox).last_activity_at
    for _ in range(99):
        ConversationFactory(inbox=inbox, last_activity_at=at)
    seen, cursor = [], ""
    for size in (40, 40, 20):
        html = desk.get(reverse("desk:list"), {"view": "all", "cursor": cursor}).content.decode()
        pks = [int(pk) for pk in re.findall(r'<li id="row-(\d+)"', html)]
        assert len(pks) == size
        seen += pks
        cursor = html.partition('data-next="')[2].partition('"')[0]
    assert cursor == ""
    assert len(set(seen)) == 100


@pytest.mark.parametrize(
    ("query", "is_found"),
    [("jose", True), ("JOSÉ muñoz", True), ("munoz jose", True), ("600123", True), ("+34 600123456", True),
     ("pedro", False), ("jose pedro", False), ("%", False), ("_", False)],
)  # fmt: skip
def test_a_search_minds_neither_accents_nor_order(desk, conversation, query, is_found):
    contact = conversation.contact
    contact.name, contact.phone = "José Muñoz", "+34600123456"
    contact.refresh_search_text()
    contact.save()
    html = desk.get(reverse("desk:list"), {"view": "all", "q": query}).content.decode()
    assert (f'id="row-{conversation.pk}"' in html) == is_found


def test_a_dormant_conversation_is_in_no_list_but_can_be_searched(desk, conversation):
    Conversation.objects.update(status="dormant")
    row = f'id="row-{conversation.pk}"'
    for status in ("open", "resolved", "all"):
        assert row not in desk.get(reverse("desk:list"), {"view": "all", "status": status}).content.decode()
    html = desk.get(reverse("desk:list"), {"view": "all", "status": "all", "q": "person"}).content.decode()
    assert row in html


def test_a_thread_is_paged_backwards_to_its_first_message(desk, conversation):
    for _ in range(75):
        MessageFactory(conversation=conversation)
    url, seen, cursor = reverse("desk:messages", args=[conversation.pk]), [], None
    while cursor != "":
        response = desk.get(url, {"before": cursor} if cursor else {})
        html = response.content.decode()
        seen.append([int(part.partition('"')[0]) for part in html.split('data-mid="')[1:]])
        cursor = response["X-Before"]
    assert [len(page) for page in seen] == [30, 30, 15]
    everything = [pk for page in reversed(seen) for pk in page]
    assert everything == sorted(everything)
    oldest = Message.objects.order_by("sort_at", "pk").first()
    later = desk.get(url, {"after": oldest.sort_key}).content.decode()
    assert later.count('data-testid="bubble"') == 74


def test_sync_answers_for_ones_own_groups(desk, agent, conversation, theirs):
    LiveHint.objects.create(groups=[f"inbox.{theirs.inbox_id}"], payload={"t": "secret"})
    response = desk.get(reverse("desk:sync"), {"since": "0"})
    assert "secret" not in response.content.decode()
    assert response.json()["head"] >= 0
    assert desk.get(reverse("desk:sync"), {"since": "-1"}).status_code == 400


def test_a_closed_window_is_said_and_refused(desk, inbox):
    closed = ConversationFactory(inbox=inbox, closed=True)
    strip = desk.get(reverse("desk:composer", args=[closed.pk])).content.decode()
    assert 'data-state="closed"' in strip
    assert 'data-can-write=""' in strip
    response = write(desk, closed)
    assert (response.status_code, response["X-Error"]) == (422, "window_closed")
    assert post(desk, "note", closed, client_id=str(uuid.uuid4()), text="x").status_code == 201


def test_a_broken_number_says_so_above_the_composer_and_still_takes_messages(desk, conversation, inbox):
    inbox.open_circuit("190")
    strip = desk.get(reverse("desk:composer", args=[conversation.pk])).content.decode()
    assert 'data-state="circuit"' in strip
    assert write(desk, conversation).status_code == 201


def test_the_page_says_in_which_inbox_only_where_there_are_several(sign_in, agent, team, conversation, inbox):
    url = reverse("desk:list")
    chip = f'<span class="cut">{inbox.name}</span>'
    assert chip not in sign_in(agent).get(url, {"view": "all"}).content.decode()
    InboxFactory(teams=[team])
    assert chip in sign_in(agent).get(url, {"view": "all"}).content.decode()
