import base64
import re

import aiohttp

from simulator.phone.words import WORDS

USER_ID = "ES.13491208655302741918"


async def last(client, callback, kind="messages", **body):
    status, told = await client.api("messages", {"from": "34600111222", "name": "Ana", **body})
    assert (status, told.get("status_code")) == (200, 200), told
    return callback.items(kind)[-1]


async def test_a_person_without_a_phone_has_only_a_user_id_and_can_be_answered_by_it(client, callback):
    message = await last(client, callback, **{"from": "", "user_id": USER_ID, "username": "ana", "text": "hola"})
    assert (message["from"], message["from_user_id"]) == ("", USER_ID)
    contact = callback.items("contacts")[-1]
    assert contact == {"profile": {"name": "Ana", "username": "ana"}, "wa_id": "", "user_id": USER_ID}
    for field in ("recipient", "to"):
        callback.posts.clear()
        status, body = await client.send({field: USER_ID, "type": "text", "text": {"body": "x"}})
        assert (status, body["contacts"]) == (200, [{"input": USER_ID, "wa_id": "", "user_id": USER_ID}])
        update = (await callback.wait_for("statuses", 1))[0]
        assert (update["recipient_id"], update["recipient_user_id"]) == ("", USER_ID)
        await callback.wait_for("statuses", 3)


async def test_the_keys_of_a_missing_phone_can_be_left_out(client, callback):
    message = await last(client, callback, **{"from": None, "user_id": USER_ID, "text": "hola"})
    assert "from" not in message
    assert "wa_id" not in callback.items("contacts")[-1]


async def test_files_come_from_the_request_or_as_samples_and_can_be_downloaded(client, callback):
    data = base64.b64encode(b"%PDF-1.4 mine").decode()
    media = {"base64": data, "mime": "application/pdf", "filename": "mío.pdf", "caption": "mira"}
    document = (await last(client, callback, type="document", media=media))["document"]
    assert (document["filename"], document["caption"], document["mime_type"]) == ("mío.pdf", "mira", "application/pdf")
    headers = {"Authorization": "Bearer first token"}
    async with client.session.get(document["url"], headers=headers) as answer:
        assert await answer.read() == b"%PDF-1.4 mine"
    for kind in ("image", "video", "audio", "voice", "document", "sticker"):
        message = await last(client, callback, type=kind)
        plain = "audio" if kind == "voice" else kind
        assert message["type"] == plain
        assert (await client.graph("GET", message[plain]["id"]))[1]["file_size"] > 500
    assert (await last(client, callback, type="voice"))["audio"]["voice"] is True


async def test_every_kind_of_message_has_metas_shape(client, callback):
    shapes = {
        "location": "location",
        "contacts": "contacts",
        "order": "order",
        "button": "button",
        "button_reply": "interactive",
        "list_reply": "interactive",
        "nfm_reply": "interactive",
        "unsupported": "unsupported",
        "hologram": "hologram",
    }
    for kind, expected in shapes.items():
        assert (await last(client, callback, type=kind))["type"] == expected
    interactive = {"type": "button_reply", "button_reply": {"id": "a", "title": "b"}}
    assert (await last(client, callback, type="interactive", interactive=interactive))["interactive"] == interactive
    first = await last(client, callback, text="uno")
    assert (await last(client, callback, type="reaction", message_id=first["id"], emoji="👍"))["reaction"] == {
        "message_id": first["id"],
        "emoji": "👍",
    }
    gone = await last(client, callback, type="reaction", reaction={"message_id": first["id"]})
    assert gone["reaction"] == {"message_id": first["id"]}
    edit = await last(client, callback, type="edit", message_id=first["id"], text="dos")
    assert edit["edit"] == {
        "original_message_id": first["id"],
        "message": {"type": "text", "text": {"body": "dos"}},
    }
    revoke = await last(client, callback, type="revoke", message_id=first["id"])
    assert revoke["revoke"] == {"original_message_id": first["id"]}


async def test_quotes_forwards_products_advertisements_and_groups(client, callback):
    quote = await last(client, callback, text="x", context={"id": "wamid.quoted"})
    assert quote["context"] == {"from": "34911000000", "id": "wamid.quoted"}
    assert (await last(client, callback, text="x", forwarded=True))["context"] == {"forwarded": True}
    product = {"catalog_id": "1", "product_retailer_id": "2"}
    assert (await last(client, callback, text="x", referred_product=product))["context"]["referred_product"] == product
    referral = {"source_type": "ad", "source_id": "9", "headline": "Hola"}
    message = await last(client, callback, text="x", referral=referral, group_id="group")
    assert (message["referral"], message["group_id"]) == (referral, "group")


async def test_a_changed_number_and_a_changed_user_id(client, callback):
    await last(client, callback, text="x", user_id=USER_ID)
    message = await last(client, callback, type="system", new_wa_id="34600999888")
    assert message["from"] == "34600111222"
    assert message["system"]["type"] == "user_changed_number"
    assert message["system"]["wa_id"] == "34600999888"
    assert "contacts" not in callback.changes[-1]["value"]
    status, body = await client.send({"to": "34600999888", "type": "text", "text": {"body": "x"}})
    assert body["contacts"][0]["user_id"] == USER_ID
    update = await last(
        client, callback, "user_id_update", **{"from": "34600999888", "type": "user_id_update", "new_user_id": "ES.2"}
    )
    assert update["user_id"] == {"previous": USER_ID, "current": "ES.2"}


async def test_echoes_calls_and_raw_values_have_fields_of_their_own(client, callback):
    echo = await last(client, callback, "message_echoes", type="echo", text="desde el móvil")
    assert (echo["from"], echo["to"], echo["text"]) == ("34911000000", "34600111222", {"body": "desde el móvil"})
    call = await last(client, callback, "calls", type="call", call={"event": "terminate", "duration": 12})
    assert (call["event"], call["duration"], call["direction"]) == ("terminate", 12, "USER_INITIATED")
    await client.api("messages", {"type": "raw", "field": "account_update", "value": {"event": "X", "odd": [None]}})
    assert [change["field"] for change in callback.changes] == ["smb_message_echoes", "calls", "account_update"]
    assert callback.changes[-1]["value"] == {"event": "X", "odd": [None]}


async def test_read_marks_reach_back_and_typing_ends_with_the_answer(client, callback):
    await last(client, callback, text="uno")
    second = await last(client, callback, text="dos")
    mark = {"status": "read", "message_id": second["id"], "typing_indicator": {"type": "text"}}
    assert await client.send(mark) == (200, {"success": True})
    seen = (await client.api("conversations?number=222&contact=34600111222"))[1]
    assert [line["state"] for line in seen["messages"]] == ["read", "read"]
    assert seen["typing"] is True
    await client.say()
    assert (await client.api("conversations?number=222&contact=34600111222"))[1]["typing"] is False
    assert (await client.send({"status": "read", "message_id": "wamid.nobody"}))[0] == 400
    assert [item.get("read") for item in (await client.api("sent"))[1]] == [True, None]


async def test_bad_requests_are_refused_with_a_sentence(client):
    for body in (
        {"text": "x"},
        {"from": "34600111222"},
        {"from": "34600111222", "text": "x", "to": "999"},
        {"from": "34600111222", "type": "reaction"},
        {"from": "34600111222", "type": "image", "media": {"base64": "%%%"}},
        {"from": "34600111222", "text": "x", "timestamp": "soon"},
        {"from": {"a": 1}, "text": "x"},
        {"type": "raw"},
    ):
        status, told = await client.api("messages", body)
        assert status == 400, body
        assert told["error"].endswith((".", "}"))


async def test_the_phone_page_follows_the_language_and_runs_nothing_inline(client):
    cases = [("", "", "es"), ("?lang=en", "es", "en"), ("", "en-GB,es;q=0.5", "en"), ("", "fr", "es")]
    for page, query, accepted, language in [(page, *case) for page in ("", "clerk/") for case in cases]:
        headers = {"Accept-Language": accepted}
        async with client.session.get(f"{client.address}/{page}{query}", headers=headers) as answer:
            text = await answer.text()
            assert f'<html lang="{language}"' in text
            assert "{{" not in text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            for name in re.findall(r'(?:src|href)="([\w./]+static/[\w.]+)"', text):
                async with client.session.get(f"{client.address}/{page}{name}") as file:
                    assert file.status == 200
    async with client.session.get(f"{client.address}/clerk") as answer:
        assert (answer.status, answer.url.path) == (200, "/simulator/clerk/")
    async with client.session.get(f"{client.address}/static/words.py") as answer:
        assert answer.status == 404


def test_both_languages_have_the_same_words():
    assert set(WORDS["es"]) == set(WORDS["en"])
    for key, words in WORDS["es"].items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", WORDS["en"][key])), key


async def test_a_customers_file_goes_up_in_a_form(client, callback):
    form = aiohttp.FormData()
    form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
    async with client.session.post(f"{client.address}/api/media", data=form) as answer:
        key = (await answer.json())["id"]
    image = (await last(client, callback, type="image", image={"id": key}))["image"]
    assert (image["id"], image["mime_type"]) == (key, "image/png")
    async with client.session.get(f"{client.address}/api/media/{key}") as answer:
        assert (await answer.read(), answer.headers["X-Content-Type-Options"]) == (b"\x89PNG", "nosniff")
