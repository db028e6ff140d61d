"""The contact panel: what it shows to whom, what it costs, and what is changed in it."""

import datetime as dt
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.live.models import LiveHint
from conversations.messaging import threads
from conversations.messaging.models import Attachment, Conversation, ConversationEvent
from crm.contacts import notes, profile
from crm.contacts.models import Contact, ContactChange, ContactNote, CustomAttribute, IdentityValue, Tag
from crm.foundation import clock
from tests.factories import (
    ConversationFactory,
    IdentityFactory,
    InboxFactory,
    MessageFactory,
    TagFactory,
    TeamFactory,
    UserFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


def url(name, conversation):
    return reverse(f"desk:{name}", args=[conversation.pk])


def html(client, name, conversation, **query):
    answer = client.get(url(name, conversation), query)
    assert answer.status_code == 200
    return answer.content.decode()


def save(client, conversation, field, value, version=1):
    return client.post(url("contact", conversation), {"field": field, "value": value, "version": version})


def crowd(conversation, agent, count):
    """A contact with much of everything."""
    contact, start = conversation.contact, clock.now() - dt.timedelta(days=40)
    for number in range(count):
        CustomAttribute.objects.create(key=f"k{number}_{count}", label=f"Label {number}")
        contact.tags.add(TagFactory())
        TagFactory()
        notes.add(contact, f"note {number}", by=agent)
        identity = IdentityFactory(contact=contact, wa_id=f"34611{count:02d}{number:04d}")
        IdentityValue.objects.create(
            identity=identity, field="wa_id", value=f"34622{number:04d}", match_key=f"34622{number:04d}", until=start
        )
        other = ConversationFactory(
            inbox=conversation.inbox, identity=identity, contact=contact, assignee=UserFactory()
        )
        message = MessageFactory(conversation=conversation, sort_at=start + dt.timedelta(hours=number))
        Attachment.objects.create(message=message, conversation=conversation, kind="image", state="stored")
        for kind in ("resolved", "reopened"):
            at = start + dt.timedelta(days=number + (kind == "reopened"))
            ConversationEvent.objects.create(conversation=other, kind=kind, user=agent, created_at=at)
        profile.write(contact, by=agent, company=f"Company {number}", attributes={f"k{number}_{count}": "x"})
        MessageFactory(conversation=conversation, note=True, author=agent)


@pytest.mark.parametrize("role", ["agent", "manager", "restricted"])
def test_the_panel_costs_at_most_sixteen_and_its_timeline_less(sign_in, conversation, agent, team, role):
    users = {"agent": agent, "manager": UserFactory(manager=True)}
    user = users.get(role) or UserFactory(restricted=True, teams=[team])
    Conversation.objects.filter(pk=conversation.pk).update(team=team)
    client, seen = sign_in(user), {}
    most = {"panel": 16, "panel-timeline": 15, "panel-files": 12, "contact-notes": 12}
    for count in (2, 15):
        crowd(conversation, agent, count)
        for name in most:
            html(client, name, conversation)
            with CaptureQueriesContext(connection) as queries:
                html(client, name, conversation)
            assert len(queries) <= most[name], (name, [query["sql"] for query in queries])
            assert seen.setdefault(name, len(queries)) == len(queries)


def test_the_panel_shows_the_contact(desk, conversation, agent):
    contact = conversation.contact
    CustomAttribute.objects.create(key="plan", label="Tariff", type="choice", choices=["gold", "<b>"])
    profile.write(contact, by=agent, name="Ana <Ruiz>", company="Gil & Co", language="es", attributes={"plan": "<b>"})
    profile.tag(contact, "VIP", by=agent)
    notes.add(contact, "calls\n<script>", by=agent)
    IdentityValue.objects.create(
        identity=conversation.identity, field="wa_id", value="34699", match_key="34699", until=clock.now()
    )
    page = html(desk, "panel", conversation)
    for text in ("Ana &lt;Ruiz&gt;", "Gil &amp; Co", "VIP", "calls<br>&lt;script&gt;", "34699 until", "Europe/Madrid"):
        assert text in page
    assert '<option value="&lt;b&gt;" selected>' in page
    assert "<script" not in page
    assert " style=" not in page


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", "  Ana   Ruiz ", "Ana Ruiz"),
        ("phone", "0034 600-999-888", "+34600999888"),
        ("phone", "", None),
        ("company", "Gil\x00", "Gil\ufffd"),
        ("language", "pt-br", "pt-BR"),
    ],
)
def test_a_field_is_saved_by_one_request(desk, conversation, agent, field, value, kept):
    answer = save(desk, conversation, field, value)
    assert answer.status_code == 200
    assert 'data-version="2"' in answer.content.decode()
    assert "Saved" in answer.content.decode()
    assert getattr(Contact.objects.get(), field) == kept
    assert ContactChange.objects.get().user == agent


def test_a_custom_attribute_is_saved_by_its_type(desk, conversation):
    for key, type_, value, kept in (
        ("a", "number", "12,5", 12.5),
        ("b", "yes_no", "no", False),
        ("c", "text", "x", "x"),
    ):
        CustomAttribute.objects.create(key=key, label=key, type=type_)
        assert save(desk, conversation, f"attributes.{key}", value, version=9).status_code == 200
        assert Contact.objects.get().attributes[key] == kept
    assert save(desk, conversation, "attributes.b", "", version=9).status_code == 200
    assert "b" not in Contact.objects.get().attributes


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("phone", "600 123", "This is not a phone number"),
        ("name", "x" * 201, "This is too long"),
        ("language", "spanish", "This is not a language code"),
        ("attributes.n", "two", "This is not a number"),
    ],
)
def test_what_cannot_be_saved_stays_in_its_field_with_a_sentence(desk, conversation, field, value, sentence):
    CustomAttribute.objects.create(key="n", label="N", type="number")
    before = Contact.objects.values().get()
    answer = save(desk, conversation, field, value)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert sentence in page
    assert 'aria-invalid="true"' in page
    assert f'value="{value}"' in page or field == "language"
    assert Contact.objects.values().get() == before


@pytest.mark.parametrize("field", ["", "search_text", "version", "attributes.", "attributes.none", "id", "tags"])
def test_a_field_that_is_none_is_refused(desk, conversation, field):
    assert save(desk, conversation, field, "x").status_code == 400


def test_who_is_late_sees_both_values_and_can_save_theirs(desk, conversation, agent):
    luis = UserFactory(name="Luis")
    profile.write(conversation.contact, by=luis, name="Ana Ruiz")
    profile.write(conversation.contact, by=luis, company="Gil")
    answer = save(desk, conversation, "name", "Ana R.")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert 'data-testid="theirs">Ana Ruiz<' in page
    assert 'data-testid="mine">Ana R.<' in page
    assert 'data-version="3"' in page
    assert Contact.objects.get().name == "Ana Ruiz"
    assert save(desk, conversation, "language", "es").status_code == 200  # nobody else touched it
    assert save(desk, conversation, "name", "Ana R.", version=3).status_code == 200


def test_a_group_has_no_phone_to_edit(desk, conversation):
    Contact.objects.update(kind="group", phone=None)
    page = html(desk, "panel", conversation)
    assert 'data-field="name"' in page
    assert 'data-field="phone"' not in page
    assert save(desk, conversation, "phone", "+34600111222").status_code == 400


def test_tags_are_put_on_and_taken_off_and_only_managers_make_new_ones(desk, sign_in, conversation):
    vip = TagFactory(name="VIP")
    page = desk.post(url("contact-tags", conversation), {"tag": "vip"}).content.decode()
    assert page.count('data-testid="contact-tag"') == 1
    desk.post(url("contact-tags", conversation), {"tag": "VIP"})
    assert ContactChange.objects.filter(field="tag").count() == 1
    for name in ("new", " ", "x" * 51):
        assert desk.post(url("contact-tags", conversation), {"tag": name}).status_code == 422
    desk.post(url("contact-tags", conversation), {"off": vip.pk})
    assert not Contact.objects.get().tags.exists()
    assert desk.post(url("contact-tags", conversation), {"off": 999}).status_code == 200
    assert desk.post(url("contact-tags", conversation), {"off": "x"}).status_code == 400
    boss = sign_in(UserFactory(manager=True))
    assert boss.post(url("contact-tags", conversation), {"tag": "new"}).status_code == 200
    assert Tag.objects.filter(name="new").exists()


def test_notes_in_the_panel(desk, sign_in, conversation, agent):
    place = url("contact-notes", conversation)
    assert "Calls" in desk.post(place, {"text": "Calls"}).content.decode()
    note = ContactNote.objects.get()
    assert "Mornings" in desk.post(place, {"note": note.pk, "text": "Mornings"}).content.decode()
    for text in ("", "x" * 4001):
        assert desk.post(place, {"text": text}).status_code == 422
    assert desk.post(place, {"note": "x", "text": "y"}).status_code == 400
    assert desk.post(place, {"note": 999, "text": "y"}).status_code == 404
    other = ContactNote.objects.create(contact=conversation.contact, text="of Luis", author=UserFactory())
    page = html(desk, "panel", conversation)
    assert page.count('data-testid="contact-note-edit"') == page.count('data-testid="contact-note-delete"') == 1
    for form in ({"text": "mine now"}, {"delete": "1"}):
        assert desk.post(place, {"note": other.pk} | form).status_code == 403
    assert sign_in(UserFactory(manager=True)).post(place, {"note": other.pk, "delete": "1"}).status_code == 200
    assert [one.text for one in ContactNote.objects.all()] == ["Mornings"]


def test_a_note_of_another_contact_is_not_here(desk, conversation, inbox, agent):
    stray = notes.add(ConversationFactory(inbox=inbox).contact, "elsewhere", by=agent)
    answer = desk.post(url("contact-notes", conversation), {"note": stray.pk, "text": "x"})
    assert answer.status_code == 404


def test_older_notes_and_files_come_page_by_page(desk, conversation, agent):
    at = clock.now()
    for number in range(25):
        notes.add(conversation.contact, f"note-{number:02d}.", by=agent)
        message = MessageFactory(conversation=conversation)
        Attachment.objects.create(
            message=message, conversation=conversation, kind="document", state="stored",
            filename=f"file-{number:02d}.pdf", created_at=at - dt.timedelta(minutes=number // 3),
        )  # fmt: skip
    Attachment.objects.create(conversation=conversation, kind="image", state="stored", filename="not sent")
    for name, what in (("contact-notes", "note"), ("panel-files", "file")):
        seen, query = "", {}
        for _page in range(4):
            page = html(desk, name, conversation, **query)
            seen += page
            if "cursor=" not in page:
                break
            cursor = page.partition("cursor=")[2].partition('"')[0]
            query = {"cursor": unquote(cursor)}
        for number in range(25):
            assert seen.count(f"{what}-{number:02d}.") in (1, 2), number
        assert "not sent" not in seen
    nobody = "00000000-0000-0000-0000-000000000000"
    ends = (f"9999-12-31T23:59:59-23:59 {nobody}", f"0001-01-01T00:00:00+23:59 {nobody}")
    for cursor in ("x", "2026-01-01 x", "9" * 40, f"2026-01-01T00:00:00 {nobody}", *ends):
        assert desk.get(url("panel-files", conversation), {"cursor": cursor}).status_code == 404
    assert desk.get(url("contact-notes", conversation), {"cursor": "x"}).status_code == 400


def test_earlier_stretches_end_where_they_were_resolved(desk, conversation, agent):
    start = clock.now() - dt.timedelta(days=9)
    Conversation.objects.update(created_at=start)
    said = MessageFactory(conversation=conversation, sort_at=start + dt.timedelta(hours=1))
    for days, kind in ((1, "resolved"), (3, "reopened"), (4, "resolved"), (5, "reopened")):
        ConversationEvent.objects.create(
            conversation=conversation, kind=kind, user=agent, created_at=start + dt.timedelta(days=days)
        )
    page = html(desk, "panel", conversation)
    assert page.count('data-testid="episode"') == 2
    assert page.count(f"?at={said.client_id}") == 2
    assert f"resolved by {agent.name}" in page


def test_what_happened_in_conversations_one_may_not_see_is_not_shown(desk, conversation, agent):
    hidden = ConversationFactory(
        inbox=InboxFactory(name="Hidden number", teams=[TeamFactory()]),
        identity=IdentityFactory(contact=conversation.contact, wa_id="34611222333"), contact=conversation.contact,
    )  # fmt: skip
    message = MessageFactory(conversation=hidden)
    Attachment.objects.create(
        message=message, conversation=hidden, kind="document", state="stored", filename="hidden.pdf"
    )
    MessageFactory(conversation=hidden, note=True, author=UserFactory(), text="hidden note")
    threads.set_status(hidden, "resolved", by=UserFactory(name="Hidden agent"))
    pages = [html(desk, name, conversation) for name in ("panel", "panel-files", "panel-timeline")]
    for secret in ("Hidden number", "hidden.pdf", "hidden note", "Hidden agent", f"/c/{hidden.pk}/"):
        assert secret not in "".join(pages)


def test_the_timeline_is_newest_first_by_pages_and_by_kind(desk, conversation, agent):
    contact, at = conversation.contact, clock.now()
    TagFactory(name="VIP")
    for number in range(30):
        ContactNote.objects.create(
            contact=contact, text=f"note {number:02d}", author=agent, created_at=at - dt.timedelta(minutes=number // 4)
        )
    profile.write(contact, by=agent, name="New name")
    profile.tag(contact, "vip", by=agent)
    MessageFactory(conversation=conversation, note=True, author=agent, text="between us")
    threads.set_status(conversation, "resolved", by=agent)
    seen, query = [], {}
    for _page in range(5):
        page = html(desk, "panel-timeline", conversation, **query)
        seen += [part.partition('"')[0] for part in page.split('data-key="')[1:]]
        if "cursor=" not in page:
            break
        query = {"cursor": page.partition("cursor=")[2].partition('"')[0]}
    assert len(seen) == len(set(seen)) == 30 + 1 + 1 + 1 + 1 + 1 + 1  # and the contact and the conversation began
    assert seen[0].startswith("event-")
    texts = {kind: html(desk, "panel-timeline", conversation, kind=kind) for kind in ("notes", "tags", "changes")}
    assert "between us" not in texts["tags"]
    assert texts["tags"].count("timeline-line") == 1
    assert "“New name”" in texts["changes"]
    assert "between us" in texts["notes"]
    assert f"{agent.name} resolved" in html(desk, "panel-timeline", conversation, kind="conversations")
    assert "Nothing here yet" in html(desk, "panel-timeline", conversation, kind="unknown")
    for cursor in ("x", "1.note", "1.note.x", "99999999999999999999.note.1", "999999999999999999.note.1"):
        assert desk.get(url("panel-timeline", conversation), {"cursor": cursor}).status_code == 404


def test_other_tabs_hear_of_every_change(desk, conversation, agent):
    TagFactory(name="VIP")
    for name, form in (
        ("contact", {"field": "name", "value": "New"}),
        ("contact-tags", {"tag": "VIP"}),
        ("contact-notes", {"text": "note"}),
    ):
        before = LiveHint.objects.count()
        assert desk.post(url(name, conversation), form).status_code == 200
        assert LiveHint.objects.count() == before + 1
        assert LiveHint.objects.latest("pk").payload["what"] == ["contact"]
