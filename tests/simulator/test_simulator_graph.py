import io

import aiohttp
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.simulator.playing import running

MEDIA = {"messaging_product": "whatsapp", "type": "image/jpeg"}


def error_of(answer):
    status, body = answer
    assert set(body) == {"error"}
    assert {"message", "type", "code", "fbtrace_id"} <= set(body["error"])
    return status, body["error"]["code"], body["error"].get("error_subcode")


async def test_a_send_answers_as_meta_does_and_is_listed_with_its_whole_request(client):
    status, body = await client.say("hola", to="+34 600 111 222")
    assert status == 200
    assert body["contacts"] == [{"input": "+34 600 111 222", "wa_id": "34600111222"}]
    wamid = body["messages"][0]["id"]
    assert wamid.startswith("wamid.")
    assert len(wamid) >= 40
    _, sent = await client.api("sent")
    assert [item["wamid"] for item in sent] == [wamid]
    assert sent[0]["request"]["text"] == {"body": "hola"}
    assert (await client.api(f"sent?since={sent[0]['id']}"))[1] == []
    assert len((await client.api(f"sent?since={sent[0]['time']}"))[1]) == 1
    assert (await client.api("sent?to=34999"))[1] == []


async def test_a_bad_token_is_401_code_190(client):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"D360-API-KEY": "no"}):
        headers = {"Authorization": ""} | headers
        assert error_of(await client.graph("GET", "222", headers=headers)) == (401, 190, None)


async def test_the_key_header_of_another_provider_opens_too(client):
    status, body = await client.graph("GET", "222", headers={"Authorization": "", "D360-API-KEY": "first token"})
    assert (status, body["id"]) == (200, "222")


async def test_an_id_unknown_or_of_another_token_is_400_code_100_subcode_33(client):
    for name in ("444", "999", "222x"):
        assert error_of(await client.graph("GET", name)) == (400, 100, 33)
        assert error_of(await client.graph("POST", f"{name}/messages", {})) == (400, 100, 33)


IMPOSSIBLE = [
    {},
    {"to": "34600111222"},
    {"to": "34600111222", "type": "text"},
    {"to": "34600111222", "type": "text", "text": "hola"},
    {"to": "34600111222", "type": "text", "text": {"body": "x" * 4097}},
    {"to": "34600111222", "type": "text", "text": {"body": "  "}},
    {"to": "nobody", "type": "text", "text": {"body": "x"}},
    {"to": "34600111222", "type": ["text"], "text": {"body": "x"}},
    {"to": "34600111222", "type": "image", "image": {"id": "1", "caption": "x" * 1025}},
    {"to": "34600111222", "type": "image", "image": {}},
    {"to": "34600111222", "type": "image", "image": {"id": "1", "link": "https://a.example/b.jpg"}},
    {"to": "34600111222", "type": "audio", "audio": {"id": "1", "caption": "no"}},
    {"to": "34600111222", "type": "location", "location": {"latitude": 91, "longitude": 0}},
    {"to": "34600111222", "type": "reaction", "reaction": {"emoji": "👍"}},
    {"to": "34600111222", "type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]},
    {
        "to": "34600111222",
        "type": "interactive",
        "interactive": {"type": "button", "body": 1, "action": {"buttons": []}},
    },
    {"to": "34600111222", "type": "template", "template": {"name": "none", "language": {"code": "es"}}},
    {"to": "34600111222", "type": "template", "template": {"name": "seguimiento_caso", "language": {"code": "es"}}},
    {"to": "34600111222", "type": "hologram", "hologram": {}},
]


async def test_an_impossible_message_is_refused_with_details_and_not_sent(client):
    for body in IMPOSSIBLE:
        status, answer = await client.send(body)
        assert 400 <= status < 500, body
        assert answer["error"]["error_data"]["details"]
        assert answer["error"]["code"] in {100, 131008, 131009, 132000, 132001}
    assert (await client.api("sent"))[1] == []


async def test_broken_and_huge_json_are_refused(client):
    headers = {"Authorization": "Bearer first token"}
    address = f"{client.address}/graph/v23.0/222/messages"
    for data, expected in ((b"{", 400), (b"[]", 400), (b'{"a":"' + b"x" * 1_100_000 + b'"}', 413)):
        async with client.session.post(address, data=io.BytesIO(data), headers=headers) as answer:
            assert answer.status == expected
            assert (await answer.json())["error"]["code"] == 100


async def test_every_kind_of_message_is_taken(client):
    jpeg = await upload(client, b"\xff\xd8\xff", "image/jpeg")
    to = {"to": "34600111222"}
    bodies = [
        {"type": "image", "image": {"id": jpeg, "caption": "x"}},
        {"type": "document", "document": {"link": "https://example.com/a.pdf", "filename": "a.pdf"}},
        {"type": "location", "location": {"latitude": "40.4", "longitude": -3.7}},
        {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana R", "first_name": "Ana"}}]},
        {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": ""}},
        {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}},
        {"type": "text", "text": {"body": "q"}, "context": {"message_id": "wamid.x"}},
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "body": {"text": "¿Sí?"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Sí"}}]},
            },
        },
    ]
    for body in bodies:
        assert (await client.send({**to, **body}))[0] == 200, body


async def test_phone_account_templates_and_profile_can_be_read(client):
    assert (await client.graph("GET", "222?fields=verified_name"))[1] == {
        "id": "222",
        "verified_name": "Correduría Sol",
    }
    assert (await client.graph("GET", "111"))[1]["id"] == "111"
    assert [item["id"] for item in (await client.graph("GET", "111/phone_numbers"))[1]["data"]] == ["222"]
    await client.graph("POST", "222/whatsapp_business_profile", {"messaging_product": "whatsapp", "about": "Hola"})
    profile = (await client.graph("GET", "222/whatsapp_business_profile?fields=about"))[1]
    assert profile["data"] == [{"about": "Hola", "messaging_product": "whatsapp"}]
    assert len((await client.graph("GET", "111/subscribed_apps"))[1]["data"]) == 1
    assert (await client.graph("DELETE", "111/subscribed_apps"))[1] == {"success": True}
    assert (await client.graph("GET", "111/subscribed_apps"))[1]["data"] == []
    status, body = await client.graph("GET", "111/nothing")
    assert (status, body["error"]["code"]) == (400, 2500)


async def test_templates_come_in_pages_with_a_summary(client):
    names, after = [], ""
    while True:
        page = (await client.graph("GET", f"111/message_templates?limit=2&summary=total_count{after}"))[1]
        names += [(item["name"], item["language"]) for item in page["data"]]
        if "next" not in page["paging"]:
            break
        after = f"&after={page['paging']['cursors']['after']}"
    assert len(names) == len(set(names)) == page["summary"]["total_count"] == 6
    spanish = (await client.graph("GET", "111/message_templates?language=es&fields=name"))[1]["data"]
    assert {item["name"] for item in spanish} == {"seguimiento_caso", "renovacion_poliza", "recordatorio_cita"}


async def upload(client, data, mime_type, token="first token"):
    form = aiohttp.FormData()
    form.add_field("messaging_product", "whatsapp")
    form.add_field("type", mime_type)
    form.add_field("file", io.BytesIO(data), filename="file.bin", content_type=mime_type)
    headers = {"Authorization": f"Bearer {token}"}
    async with client.session.post(f"{client.address}/graph/v23.0/222/media", data=form, headers=headers) as answer:
        body = await answer.json()
        return body["id"] if answer.status == 200 else (answer.status, body)


async def test_an_uploaded_file_comes_back_byte_for_byte_and_can_be_deleted(client):
    data = bytes(range(256)) * 8192  # 2 MB: over what stays in memory
    key = await upload(client, data, "image/jpeg")
    status, facts = await client.graph("GET", key)
    assert (status, facts["file_size"], facts["mime_type"]) == (200, len(data), "image/jpeg")
    async with client.session.get(facts["url"]) as answer:
        assert answer.status == 401
    async with client.session.get(facts["url"], headers={"Authorization": "Bearer first token"}) as answer:
        assert await answer.read() == data
    assert (await client.graph("GET", key, token="second token"))[0] == 400
    assert (await client.graph("DELETE", key))[1] == {"success": True}
    assert error_of(await client.graph("GET", key)) == (400, 100, 33)


async def test_a_file_of_a_wrong_type_or_size_is_refused(client):
    for mime_type, size in (("application/zip", 10), ("image/png", 5 * 1024 * 1024 + 1)):
        status, body = await upload(client, b"x" * size, mime_type)
        assert (status, body["error"]["code"]) == (400, 100)


async def test_mounted_in_another_app_the_addresses_are_the_same(tmp_path, callback_port):
    def mounted(simulator):
        return Starlette(routes=[Mount("/simulator", app=simulator)])

    async with running(tmp_path, callback_port, around=mounted) as client:
        key = await upload(client, b"\xff\xd8\xff", "image/jpeg")
        url = (await client.graph("GET", key))[1]["url"]
        assert url.startswith(f"{client.address}/attachments/?")
        async with client.session.get(url, headers={"Authorization": "Bearer first token"}) as answer:
            assert await answer.read() == b"\xff\xd8\xff"
        async with client.session.get(client.address) as answer:
            assert (answer.status, str(answer.url)) == (200, f"{client.address}/")


async def test_addresses_live_5_minutes_uploads_30_days_inbound_files_7(client, callback):
    key = await upload(client, b"\xff\xd8\xff", "image/jpeg")
    url = (await client.graph("GET", key))[1]["url"]
    await client.api("messages", {"from": "34600111222", "type": "image"})
    inbound = callback.items("messages")[0]["image"]
    headers = {"Authorization": "Bearer first token"}
    async with client.session.get(inbound["url"], headers=headers) as answer:
        assert len(await answer.read()) > 1000
    await client.api("clock", {"offset": 301})
    async with client.session.get(url, headers=headers) as answer:
        assert answer.status == 404
    assert (await client.graph("GET", inbound["id"]))[0] == 200
    await client.api("clock", {"offset": 8 * 24 * 3600})
    assert error_of(await client.graph("GET", inbound["id"])) == (400, 100, 33)
    assert (await client.graph("GET", key))[0] == 200
    await client.api("clock", {"advance": 23 * 24 * 3600})
    assert (await client.graph("GET", key))[0] == 400
    assert (client.data_dir / "clock").read_text().strip() == str(31 * 24 * 3600)


async def test_only_the_app_itself_learns_what_it_listens_to(client):
    status, body = await client.graph("GET", "1/subscriptions", headers={"Authorization": "Bearer 1|first secret"})
    assert status == 200
    assert "messages" in [field["name"] for field in body["data"][0]["fields"]]
    for token in ("first token", "1|wrong", ""):
        answer = await client.graph("GET", "1/subscriptions", headers={"Authorization": f"Bearer {token}"})
        assert error_of(answer) == (401, 190, None)
