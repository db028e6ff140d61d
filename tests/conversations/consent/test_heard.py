"""What people write and press about marketing, and what WhatsApp tells of it: heard once, answered once, shown."""

import datetime as dt

import pytest

from conversations.messaging import optouts
from conversations.messaging.models import ConversationEvent, Message
from crm.consent import ledger
from crm.consent.models import ConsentEvent
from crm.consent.words import ANSWERS
from crm.contacts.models import Contact
from crm.foundation import clock
from tests.webhooks import (
    ANA,
    PHONE,
    WABA,
    arrive,
    body,
    change,
    landings,
    make_inbox,
    messages,
    status,
    statuses,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]
SPANISH = ANSWERS["es"]


@pytest.fixture
def inbox(db):
    return make_inbox()


def ago(**span):
    return int((clock.now() - dt.timedelta(**span)).timestamp())


def write(inbox, words, *, number=1, at=None, **more):
    """Ana writes."""
    return arrive(inbox, messages(text(f"wamid.in{number}", words, ago(seconds=30) if at is None else at, **more)))


def press(inbox, key, title="…", *, number=50):
    reply = {"type": "button_reply", "button_reply": {"id": key, "title": title}}
    item = text(f"wamid.in{number}", at=ago(seconds=5)) | {"type": "interactive", "interactive": reply}
    del item["text"]
    return arrive(inbox, messages(item))


def prefer(value, at, **more):
    preference = {"wa_id": ANA, "category": "marketing_messages", "value": value, "timestamp": at, "detail": "…"} | more
    return body(change("user_preferences", contacts=[{"wa_id": ANA}], user_preferences=[preference]))


def ours():
    return list(Message.objects.filter(direction="out").order_by("pk"))


def ana():
    return Contact.objects.get()


def state():
    return ledger.state_of(ana(), "marketing")


def happened():
    return list(ConversationEvent.objects.order_by("pk").values_list("kind", flat=True))


@pytest.mark.covers("G04")
def test_stop_withdraws_confirms_once_and_is_shown(inbox):
    write(inbox, "¡BAJA! 🙏")
    assert state() == "withdrawn"
    [confirmation] = ours()
    assert (confirmation.kind, confirmation.text, confirmation.author_kind) == ("text", SPANISH.stopped, "rule")
    assert happened() == ["consent_withdrawn"]
    event = ConsentEvent.objects.get()
    assert (event.source, event.evidence["text"]) == ("keyword", "¡BAJA! 🙏")
    assert event.at == Message.objects.get(direction="in").sort_at
    write(inbox, "STOP", number=2)
    assert len(ours()) == 1


def test_the_same_webhook_ten_times_is_one_word(inbox):
    at = ago(seconds=60)
    for _time in range(10):
        write(inbox, "stop", at=at)
    assert (ConsentEvent.objects.count(), len(ours())) == (1, 1)


def test_start_grants_and_confirms(inbox):
    write(inbox, "stop")
    write(inbox, "Alta", number=2, at=ago(seconds=10))
    assert state() == "granted"
    assert [message.text for message in ours()] == [SPANISH.stopped, SPANISH.started]
    assert ledger.may(ana(), "marketing")


@pytest.mark.parametrize("words", ["no pares", "quiero cancelar mi pedido", "stop by later?", "hola"])
def test_other_words_mean_nothing(inbox, words):
    write(inbox, words)
    assert not ConsentEvent.objects.exists()
    assert ours() == []


def test_an_ambiguous_word_asks_with_two_buttons_once_a_day(inbox):
    write(inbox, "Cancelar")
    [question] = ours()
    assert (question.kind, question.text) == ("buttons", SPANISH.question)
    assert [one["title"] for one in question.payload["buttons"]] == [SPANISH.yes, SPANISH.no]
    assert state() == ""
    conversation = question.conversation
    assert conversation.waiting_since == Message.objects.get(direction="in").sort_at  # it may be about an order
    write(inbox, "parar", number=2)
    assert len(ours()) == 1
    assert happened() == ["consent_asked"]


def test_a_question_of_ours_about_something_else_is_not_this_one(inbox, factories):
    write(inbox, "hola")
    factories.MessageFactory(conversation=Message.objects.get().conversation, outbound=True, kind="buttons")
    write(inbox, "parar", number=2)
    assert happened() == ["consent_asked"]


@pytest.mark.parametrize("words", ["Alta", "darme de alta", "START"])
def test_who_has_not_stopped_starts_nothing(inbox, words):
    write(inbox, words)
    assert not ConsentEvent.objects.exists()
    assert ours() == []
    say_yes = {"purpose": "marketing", "state": "granted", "source": "form"}
    ledger.record(ana(), **say_yes)
    write(inbox, words, number=2)
    assert (ConsentEvent.objects.count(), ours()) == (1, [])


def test_the_pressed_button_counts(inbox):
    write(inbox, "parar")
    press(inbox, optouts.STOP_BUTTON, SPANISH.yes)
    assert state() == "withdrawn"
    assert ConsentEvent.objects.get().source == "button"
    assert [message.kind for message in ours()] == ["buttons", "text"]


def test_the_other_button_changes_nothing(inbox):
    write(inbox, "parar")
    press(inbox, optouts.KEEP_BUTTON, SPANISH.no)
    assert state() == ""
    assert happened() == ["consent_asked", "consent_kept"]
    assert len(ours()) == 1


def test_a_templates_own_button_with_an_opt_out_word_counts(inbox):
    item = text("wamid.in9", at=ago(seconds=5)) | {
        "type": "button",
        "button": {"payload": "anything", "text": "Detener promociones"},
    }
    arrive(inbox, messages(item))
    assert state() == "withdrawn"
    assert ConsentEvent.objects.get().source == "button"


def test_the_contacts_language_decides(inbox):
    write(inbox, "hola")
    Contact.objects.update(language="pt-BR")
    write(inbox, "Parar", number=2)
    assert state() == "withdrawn"
    assert ours()[0].text == ANSWERS["pt"].stopped


@pytest.mark.covers("F26")
def test_what_comes_late_counts_but_is_not_answered(inbox):
    write(inbox, "baja", at=ago(hours=30))
    assert state() == "withdrawn"
    assert ours() == []
    write(inbox, "alta", number=2, at=ago(days=3))  # older still: overtaken
    assert state() == "withdrawn"


def test_many_at_once_are_heard_in_one_batch(inbox):
    at = ago(seconds=20)
    items = [text(f"wamid.b{n}", "stop" if n % 2 else "hola", at, sender=f"3460000{n:04d}") for n in range(10)]
    arrive(inbox, messages(*items, contacts=[{"wa_id": item["from"]} for item in items]))
    assert ConsentEvent.objects.filter(state="withdrawn").count() == 5
    assert len(ours()) == 5


def test_an_agent_who_was_asked_before_is_still_waited_for(inbox):
    write(inbox, "¿Cuándo llega mi pedido?", at=ago(minutes=9))
    write(inbox, "stop", number=2, at=ago(minutes=1))
    conversation = Message.objects.first().conversation
    assert conversation.waiting_since == Message.objects.order_by("sort_at").first().sort_at


def test_a_stop_alone_waits_for_nobody(inbox):
    write(inbox, "stop")
    assert Message.objects.first().conversation.waiting_since is None


@pytest.mark.covers("G06")
def test_whatsapps_own_setting_is_heard_in_any_order(inbox):
    write(inbox, "hola")
    news = [prefer("stop", ago(hours=3)), prefer("resume", ago(hours=2)), prefer("stop", ago(hours=1))]
    for order in ([2, 0, 1], [1, 2, 0], [0, 1, 2]):
        for place in order:
            [event] = arrive(inbox, news[place])
            assert landings(event) == [("user_preferences", "applied")]
            assert event.state == "processed"
    assert state() == "withdrawn"
    assert ConsentEvent.objects.count() == 3
    assert ours() == []


def test_a_preference_of_somebody_new_is_kept(inbox):
    arrive(inbox, prefer("stop", ago(hours=1)))
    assert state() == "withdrawn"
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "odd",
    [{"value": "maybe"}, {"category": "utility_messages"}, {"value": ["stop"]}, {"timestamp": "soon", "value": None}],
)
def test_odd_preferences_are_kept_and_change_nothing(inbox, odd):
    [event] = arrive(inbox, prefer("stop", ago(hours=1)) and prefer(**({"value": "stop", "at": ago(hours=1)} | odd)))
    assert event.state == "processed"
    assert not ConsentEvent.objects.exists()


@pytest.mark.covers("G06", "F37")
def test_a_refusal_for_stopped_marketing_withdraws(inbox, factories):
    write(inbox, "hola")
    conversation = Message.objects.get().conversation
    factories.MessageFactory(conversation=conversation, outbound=True, status="accepted", external_id="wamid.out1")
    failure = status("wamid.out1", "failed", ago(seconds=3), recipient_id=ANA, errors=[{"code": 131050, "title": "…"}])
    for _time in range(3):
        arrive(inbox, statuses(failure))
    event = ConsentEvent.objects.get()
    assert (event.state, event.source, event.evidence["code"]) == ("withdrawn", "provider", 131050)
    assert state() == "withdrawn"


def test_groups_are_nobodys_word(inbox):
    write(inbox, "stop", group_id="group-1")
    assert not ConsentEvent.objects.exists()


def test_the_number_is_addressed(inbox):
    assert (inbox.phone_number_id, inbox.account.waba_id) == (PHONE, WABA)


def test_who_stopped_by_number_has_stopped_by_user_id_too(inbox):
    write(inbox, "hola")
    by_id = text("wamid.id1", "baja", ago(minutes=2), sender="") | {"from_user_id": "ES.77"}
    arrive(inbox, messages(by_id, contacts=[{"user_id": "ES.77"}]))
    assert Contact.objects.count() == 2
    ledger.record(Contact.objects.order_by("pk")[0], purpose="marketing", state="granted", source="form")
    both = text("wamid.id2", "soy yo", ago(minutes=1)) | {"from_user_id": "ES.77"}
    arrive(inbox, messages(both, contacts=[{"wa_id": ANA, "user_id": "ES.77"}]))
    assert state() == "withdrawn"
    said = ConsentEvent.objects.order_by("pk")
    assert [(event.source, event.contact) for event in said] == [
        ("keyword", ana()), ("form", ana()), ("merge", ana()),
    ]  # fmt: skip
    assert said[0].identity == ana().identities.get()
