import asyncio
import shutil
import subprocess

import aiohttp
import pytest

USER_ID = "ES.13491208655302741918"
MARKETING = {"name": "renovacion_poliza", "language": {"code": "es"}}
WORDS = [{"type": "text", "text": word} for word in ("Ana", "P-1", "lunes")]


async def customer(client, **more):
    status, made = await client.api("contacts", {"name": "Ana", "from": "34600111222", **more})
    assert status == 201
    return made["id"]


async def screens(client, *phones, seen=""):
    query = "&".join([f"seen={seen}", *(f"phone={phone}" for phone in phones)])
    return (await client.api(f"screens?{query}"))[1]


async def test_one_question_tells_what_all_phones_show(client, callback):
    ana, luis = await customer(client), await customer(client, name="Luis", **{"from": "34600999888"})
    await client.api("messages", {"from": "34600111222", "text": "hola"})
    await client.api("messages", {"from": "34600111222", "text": "otra", "to": "444"})
    await screens(client, f"222:{ana}")  # makes the accounts' templates
    told = await screens(client, f"222:{ana}", f"222:{luis}")
    assert [number["phone_number_id"] for number in told["numbers"]] == ["222", "444"]
    assert {contact["name"] for contact in told["contacts"]} == {"Ana", "Luis"}
    assert [len(phone["messages"]) for phone in told["phones"]] == [1, 0]
    assert {key: line["message"]["text"]["body"] for key, line in told["phones"][0]["chats"].items()} == {
        "222": "hola",
        "444": "otra",
    }
    again = await screens(client, f"222:{ana}", seen=told["version"])
    assert (again["contacts"], again["phones"]) == (None, [{"typing": False}])
    await client.say()
    assert len((await screens(client, f"222:{ana}", seen=told["version"]))["phones"][0]["messages"]) == 2


async def test_a_phone_or_number_nobody_knows_is_an_empty_place(client):
    ana = await customer(client)
    told = await screens(client, "222:999", f"999:{ana}", "nonsense", f"222:{'9' * 30}")
    assert told["phones"] == [None] * 4
    status, told = await client.api("screens?" + "&".join(["phone=222:1"] * 7))
    assert (status, told["error"]) == (400, "At most 6 phones.")


async def test_an_offline_phone_gets_and_reads_everything_when_it_comes_back(client, callback):
    ana = await customer(client)
    await client.api(f"contacts/{ana}", {"network": "offline"})
    await client.say()
    await asyncio.sleep(0.4)
    assert [status["status"] for status in callback.items("statuses")] == ["sent"]
    assert (await client.api(f"contacts/{ana}", {"network": "online"}))[1]["network"] == "online"
    statuses = await callback.wait_for("statuses", 3)
    assert [status["status"] for status in statuses] == ["sent", "delivered", "read"]


async def test_without_read_receipts_a_message_ends_as_delivered(client, callback):
    ana = await customer(client)
    await client.api(f"contacts/{ana}", {"reads": False})
    await client.say()
    await callback.wait_for("statuses", 2)
    await asyncio.sleep(0.3)
    assert [status["status"] for status in callback.items("statuses")] == ["sent", "delivered"]


async def test_who_has_no_whatsapp_any_more_cannot_be_reached(client, callback):
    ana = await customer(client)
    await client.api(f"contacts/{ana}", {"network": "none"})
    await client.say()
    assert (await callback.wait_for("statuses", 1))[0]["errors"][0]["code"] == 131026


async def test_who_stops_promotions_still_gets_the_rest(client, callback):
    await customer(client, user_id=USER_ID)
    status, told = await client.api("messages", {"from": "34600111222", "type": "user_preferences", "value": "stop"})
    assert (status, told["status_code"]) == (200, 200)
    change = callback.changes[0]
    assert change["field"] == "user_preferences"
    preference = change["value"]["user_preferences"][0]
    assert (preference["value"], preference["category"]) == ("stop", "marketing_messages")
    assert (preference["wa_id"], preference["user_id"]) == ("34600111222", USER_ID)
    template = {**MARKETING, "components": [{"type": "body", "parameters": WORDS}]}
    await client.send({"to": "34600111222", "type": "template", "template": template})
    assert (await callback.wait_for("statuses", 1))[0]["errors"][0]["code"] == 131050
    await client.say()
    assert (await callback.wait_for("statuses", 2))[1]["status"] == "sent"
    await client.api("messages", {"from": "34600111222", "type": "user_preferences", "value": "resume"})
    assert (await client.api("contacts"))[1][0]["stopped"] is False
    assert (await client.api("messages", {"from": "34600111222", "type": "user_preferences", "value": 1}))[0] == 400


async def test_a_customers_habits_are_checked(client):
    ana = await customer(client)
    for wanted in ({"network": "wifi"}, {"network": ["online"]}, {"reads": "yes"}, {"hides_phone": True}):
        status, told = await client.api(f"contacts/{ana}", wanted)
        assert status == 400, wanted
        assert told["error"].endswith(".")
    assert (await client.api("contacts/999", {}))[0] == 404
    assert (await client.api("contacts/x", {}))[0] == 404
    hidden = await customer(client, user_id=USER_ID)
    assert (await client.api(f"contacts/{hidden}", {"hides_phone": True}))[1]["hides_phone"] is True


async def test_a_catalogue_to_fill_a_cart_from(client):
    _, told = await client.api("products")
    assert told["catalog_id"].isdecimal()
    assert all(product["price"] > 0 for product in told["products"])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
async def test_a_browsers_recording_becomes_a_voice_note(client, callback, tmp_path):
    file = tmp_path / "recorded.webm"
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-c:a", "libopus", str(file))
    await asyncio.to_thread(subprocess.run, ["ffmpeg", "-loglevel", "error", *tone], check=True)

    async def upload(data):
        form = aiohttp.FormData()
        form.add_field("voice", "1")
        form.add_field("file", data, filename="voice", content_type="audio/webm")
        async with client.session.post(f"{client.address}/api/media", data=form) as answer:
            return answer.status, await answer.json()

    status, kept = await upload(file.read_bytes())
    assert (status, kept["mime_type"]) == (201, "audio/ogg; codecs=opus")
    async with client.session.get(f"{client.address}/api/media/{kept['id']}") as answer:
        assert (await answer.read()).startswith(b"OggS")
    message = {"from": "34600111222", "type": "voice", "voice": {"id": kept["id"]}}
    assert (await client.api("messages", message))[0] == 200
    assert callback.items("messages")[0]["audio"]["voice"] is True
    assert await upload(b"no sound at all") == (400, {"error": "The recording cannot be read."})
