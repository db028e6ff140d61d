"""Every kind of webhook item that Meta documents, and some it does not: where it lands and what is kept of it."""

import datetime as dt

import pytest

from conversations.messaging.models import Attachment, Conversation, Message
from crm.contacts.models import ChannelIdentity, Contact
from tests.webhooks import (
    ANA,
    T0,
    arrive,
    item_of,
    landings,
    messages,
    names,
    only_conversation,
    only_message,
    recorded,
    snapshot,
    text,
    wamid,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]

# payload → kind stored, what a person reads, what the content must contain
MESSAGES = {
    "text": ("text", "Hola, ¿mi póliza cubre la rotura de lunas? 🚗", {}),
    "image": ("image", "El golpe de la puerta", {}),
    "video": ("video", "Así suena el motor", {}),
    "audio": ("audio", "", {}),
    "voice": ("voice", "", {}),
    "document": ("document", "El parte", {}),
    "sticker": ("sticker", "", {}),
    "location": ("location", "", {"latitude": 40.4168, "name": "Taller Sol"}),
    "contacts": ("contacts", "", {}),
    "button": ("button_reply", "Confirmo la visita", {"payload": "CONFIRM_VISIT"}),
    "button_reply": ("button_reply", "Sí, llamadme", {"id": "yes-1"}),
    "list_reply": ("list_reply", "Hogar", {"id": "home", "description": "Seguro de hogar"}),
    "flow_reply": ("flow_reply", "Sent", {"response_json": '{"plate":"1234BCD"}'}),
    "call_permission_reply": ("call_permission_reply", "", {"response": "accept"}),
    "order": ("order", "Con gastos, por favor", {"catalog_id": "7700001"}),
    "forwarded": ("text", "Mirad lo que dice mi vecino", {}),
    "frequently_forwarded": ("text", "Cadena de avisos", {"frequently_forwarded": True}),
    "product_enquiry": ("text", "¿Este lo tenéis?", {}),
    "referral": ("text", "Vengo del anuncio", {}),
    "unsupported": ("unsupported", "", {"unsupported": {"type": "poll"}}),
    "unknown": ("unknown", "", {}),
    "future_type": ("hologram", "", {"hologram": {"beam": "blue", "seconds": 12}}),
    "ephemeral": ("ephemeral", "", {"duration": "86400"}),
    "user_id_only": ("text", "Prefiero no dar mi número", {}),
}
NO_MESSAGE = {
    "status_payment": "status:captured",
    "status_call": "status:RINGING",
    "template_status": "message_template_status_update",
    "account_alert": "account_alerts",
    "group_lifecycle": "group_lifecycle_update",
    "history_declined": "history",
    "errors": "errors",
}


def at(seconds):
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.covers("F18")
def test_each_kind_of_message_is_stored_with_its_content(inbox, name):
    kind, words, content = MESSAGES[name]
    body = recorded(name)
    (event,) = arrive(inbox, body)
    message = only_message()
    assert event.state == "processed"
    assert landings(event) == [(kind, "recorded")]
    assert (message.kind, message.text, message.direction, message.status) == (kind, words, "in", "received")
    assert message.external_id == item_of(body)["id"]
    assert message.provider_time == message.sort_at == at(int(item_of(body)["timestamp"]))
    assert message.payload == message.payload | content
    conversation = only_conversation()
    assert (conversation.inbound_count, conversation.status) == (1, "open")
    assert conversation.window_expires_at == message.sort_at + dt.timedelta(hours=24)


@pytest.mark.parametrize("name", NO_MESSAGE)
@pytest.mark.covers("F18")
def test_what_is_for_other_features_is_stored_and_makes_no_message(inbox, name):
    (event,) = arrive(inbox, recorded(name))
    assert landings(event) == [(NO_MESSAGE[name], "stored")]
    assert event.state == "processed"
    assert not Message.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.covers("F18", "W13")
def test_no_recorded_body_is_ever_quarantined_and_each_can_come_again(inbox):
    bodies = [recorded(name) for name in names()]
    assert {event.state for event in arrive(inbox, *bodies)} == {"processed"}
    before = snapshot()
    assert {event.state for event in arrive(inbox, *reversed(bodies))} == {"processed"}
    assert snapshot() == before


@pytest.mark.parametrize("name", ["image", "video", "audio", "voice", "document", "sticker"])
def test_media_wait_to_be_fetched(inbox, name):
    body = recorded(name)
    arrive(inbox, body)
    item = item_of(body)
    file = Attachment.objects.get()
    assert (file.state, file.kind) == ("pending", "voice" if name == "voice" else item["type"])
    assert file.external_id == item[item["type"]]["id"]
    assert file.mime_type == item[item["type"]]["mime_type"]
    assert file.filename == item[item["type"]].get("filename", "")
    assert file.conversation == only_conversation()


def test_contact_cards_are_kept_whole(inbox):
    body = recorded("contacts")
    arrive(inbox, body)
    assert only_message().payload == {"contacts": item_of(body)["contacts"]}


def test_order_lines_are_kept_as_sent(inbox):
    body = recorded("order")
    arrive(inbox, body)
    assert only_message().payload["product_items"] == item_of(body)["order"]["product_items"]


def test_a_product_enquiry_names_its_product(inbox):
    arrive(inbox, recorded("product_enquiry"))
    assert only_message().payload["product"] == {"catalog_id": "7700001", "product_retailer_id": "SEG-MOTO"}


def test_an_ad_gives_72_hours_free_of_charge_and_24_to_write(inbox):
    arrive(inbox, recorded("referral"))
    message, conversation = only_message(), only_conversation()
    assert message.payload["referral"]["ctwa_clid"] == "Aff-0001"
    assert conversation.window_expires_at == message.sort_at + dt.timedelta(hours=24)
    assert conversation.free_entry_expires_at == message.sort_at + dt.timedelta(hours=72)


@pytest.mark.parametrize(("name", "forwarded"), [("text", False), ("forwarded", True), ("frequently_forwarded", True)])
def test_forwarded_messages_say_so(inbox, name, forwarded):
    arrive(inbox, recorded(name))
    assert only_message().is_forwarded is forwarded


def test_an_unsupported_message_keeps_what_meta_says_of_it(inbox):
    arrive(inbox, recorded("unsupported"))
    assert only_message().payload["errors"][0]["code"] == 131051


@pytest.mark.parametrize("name", ["request_welcome", "system_identity_change"])
def test_what_is_no_message_of_the_person_opens_no_window_and_no_queue(inbox, name):
    arrive(inbox, recorded(name))
    conversation = only_conversation()
    assert (conversation.status, conversation.window_expires_at, conversation.inbound_count) == ("dormant", None, 0)
    assert conversation.waiting_since is None
    assert only_message().author_kind == ("system" if name.startswith("system") else "contact")


def test_a_group_is_one_contact_to_read_with_who_wrote_beside_each_message(inbox):
    arrive(inbox, recorded("group"))
    message, conversation = only_message(), only_conversation()
    assert conversation.contact.kind == "group"
    assert conversation.identity.channel == "whatsapp_group"
    assert message.sender.wa_id == ANA
    assert message.sender.contact.name == "Ana Ruiz"
    assert (conversation.window_expires_at, conversation.waiting_since) == (None, None)
    assert conversation.inbound_count == 1


def test_a_group_and_the_same_person_alone_are_two_conversations(inbox):
    arrive(inbox, recorded("group"), recorded("text"))
    assert Conversation.objects.count() == 2
    assert ChannelIdentity.objects.filter(channel="whatsapp").count() == 1


@pytest.mark.covers("F18")
def test_an_echo_is_ours_and_answers_the_person(inbox):
    arrive(inbox, recorded("text"))
    assert only_conversation().waiting_since is not None
    arrive(inbox, recorded("echo"))
    message = Message.objects.get(direction="out")
    assert (message.author_kind, message.status, message.text) == ("phone", "sent", "Le llamo ahora desde la oficina")
    conversation = only_conversation()
    assert conversation.waiting_since is None
    assert conversation.inbound_count == 1
    assert conversation.window_expires_at == at(T0 + 60) + dt.timedelta(hours=24)


def test_an_echo_opens_no_window(inbox):
    arrive(inbox, recorded("echo"))
    assert (only_conversation().window_expires_at, only_conversation().inbound_count) == (None, 0)


def test_our_own_phone_can_react_edit_and_revoke(inbox):
    arrive(inbox, recorded("text"), recorded("echo"), recorded("echo_reaction"))
    assert list(Message.objects.get(direction="in").reactions.values_list("actor", "emoji")) == [("us", "🙏")]
    target = item_of(recorded("echo"))["id"]
    edit, revoke = recorded("echo"), recorded("echo")
    edited = {"original_message_id": target, "message": {"text": {"body": "Mañana"}}}
    item_of(edit).update(id="e1", type="edit", edit=edited)
    item_of(revoke).update(id="e2", type="revoke", revoke={"original_message_id": target})
    arrive(inbox, edit, revoke)
    ours = Message.objects.get(direction="out")
    assert (ours.text, ours.original_text) == ("Mañana", "Le llamo ahora desde la oficina")
    assert ours.revoked_at is not None


@pytest.mark.parametrize("order", [("history", "history_media"), ("history_media", "history")])
def test_a_history_placeholder_and_its_media_are_one_message_in_either_order(inbox, order):
    arrive(inbox, *[recorded(name) for name in order])
    ours = Message.objects.get(direction="out")
    assert (ours.kind, ours.status, ours.author_kind) == ("voice", "played", "phone")
    assert ours.attachments.count() == 1
    conversation = only_conversation()
    assert conversation.status == "dormant"
    assert (conversation.inbound_count, conversation.window_expires_at, conversation.waiting_since) == (0, None, None)
    assert conversation.last_kind == "voice"
    assert conversation.last_activity_at == ours.sort_at == at(T0 - 80000)


def test_history_media_is_ours_however_our_number_is_written(inbox):
    body = recorded("history_media")
    body["entry"][0]["changes"][0]["value"]["metadata"]["display_phone_number"] = "+34 910 00-00-01"
    arrive(inbox, body)
    assert only_message().direction == "out"
    assert only_conversation().identity.wa_id == ANA


def test_a_call_by_the_person_is_logged_and_opens_the_window(inbox):
    arrive(inbox, recorded("call"), recorded("call_ended"))
    assert list(Message.objects.order_by("sort_at").values_list("external_id", "kind")) == [
        ("wacid.A1B2C3:connect", "call"),
        ("wacid.A1B2C3:terminate", "call"),
    ]
    assert only_conversation().window_expires_at == at(T0 + 9120) + dt.timedelta(hours=24)


def test_our_own_call_opens_no_window(inbox):
    arrive(inbox, recorded("call_outgoing"))
    assert (only_message().direction, only_conversation().window_expires_at) == ("out", None)


REWRAPPED = wamid("3EB0DDDDDDDDDDDDDDD1", wrapped_for="99887766554433@lid")


@pytest.mark.parametrize("quoted_as", [wamid("3EB0DDDDDDDDDDDDDDD1"), REWRAPPED], ids=["exact", "rewrapped"])
@pytest.mark.parametrize("quote_first", [False, True])
def test_a_quote_finds_what_it_quotes_in_either_order(inbox, quoted_as, quote_first):
    original = messages(text(wamid("3EB0DDDDDDDDDDDDDDD1"), at=T0))
    decoy = messages(text(wamid("3EB0DDDDDDDDDDDDDDD2"), at=T0 + 5))
    quote = messages(text("wamid.q", at=T0 + 10, context={"from": ANA, "id": quoted_as}))
    arrive(inbox, decoy, *([quote, original] if quote_first else [original, quote]))
    assert Message.objects.get(external_id="wamid.q").reply_to.external_id == wamid("3EB0DDDDDDDDDDDDDDD1")


def test_a_quote_never_reaches_into_another_conversation(inbox):
    arrive(inbox, messages(text("w.1", sender="34611000111"), contacts=[]))
    arrive(inbox, messages(text("w.2", context={"id": "w.1"})))
    assert Message.objects.get(external_id="w.2").reply_to is None


def test_a_reaction_to_nothing_is_quarantined_not_hidden(inbox):
    (event,) = arrive(inbox, messages({"from": ANA, "id": "r", "timestamp": str(T0), "type": "reaction"}))
    assert landings(event) == [("unparsed", "quarantined")]


def test_a_reaction_arrives_and_is_removed(inbox):
    arrive(inbox, recorded("text"), recorded("reaction"))
    assert only_message().reactions.get().emoji == "👍"
    arrive(inbox, recorded("reaction_removed"), recorded("reaction"))
    assert only_message().reactions.get().emoji == ""


def test_an_edit_keeps_the_original_and_a_revocation_leaves_a_tombstone(inbox):
    arrive(inbox, recorded("text"), recorded("edit"))
    message = only_message()
    assert message.text == "Hola, ¿mi póliza cubre las lunas del coche? 🚗"
    assert message.original_text == "Hola, ¿mi póliza cubre la rotura de lunas? 🚗"
    assert only_conversation().last_preview == message.text
    arrive(inbox, recorded("revoke"))
    message.refresh_from_db()
    assert message.revoked_at is not None
    assert message.text
    assert only_conversation().last_kind == "revoked"


def test_an_edit_with_a_caption_and_no_type_is_understood(inbox):
    arrive(inbox, recorded("image"))
    target = only_message().external_id
    edit = {"original_message_id": target, "message": {"image": {"caption": "La otra puerta"}}}
    arrive(inbox, messages({"from": ANA, "id": "e", "timestamp": str(T0 + 900), "type": "edit", "edit": edit}))
    assert only_message().text == "La otra puerta"
