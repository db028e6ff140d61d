import asyncio
import json
import time

from tests.simulator.playing import NUMBER, OTHER, Callback, listening, running


async def test_a_customers_text_arrives_signed_in_metas_shape_and_bytes(client, callback):
    status, told = await client.api("messages", {"from": "+34 600 111 222", "name": "Ana", "text": "¿a/b? 👋"})
    assert (status, told["status_code"]) == (200, 200)
    ((_, body),) = callback.posts
    assert b"\\u00bfa\\/b? \\ud83d\\udc4b" in body
    assert body.isascii()
    envelope = json.loads(body)
    assert envelope["object"] == "whatsapp_business_account"
    assert envelope["entry"][0]["id"] == "111"
    change = envelope["entry"][0]["changes"][0]
    assert change["field"] == "messages"
    value = change["value"]
    assert value["metadata"] == {"display_phone_number": "34911000000", "phone_number_id": "222"}
    assert value["contacts"] == [{"profile": {"name": "Ana"}, "wa_id": "34600111222"}]
    message = value["messages"][0]
    assert message["id"] == told["wamid"]
    assert (message["from"], message["type"], message["text"]) == ("34600111222", "text", {"body": "¿a/b? 👋"})
    assert abs(int(message["timestamp"]) - time.time()) < 5


async def test_webhooks_are_stamped_with_the_simulators_clock(client, callback):
    await client.api("clock", {"offset": 90000})
    await client.api("messages", {"from": "34600111222", "text": "x"})
    assert abs(int(callback.items("messages")[0]["timestamp"]) - time.time() - 90000) < 5


async def test_another_numbers_webhook_carries_its_own_signature_and_account(client, callback):
    await client.api("messages", {"from": "34600111222", "text": "x", "to": "444"})
    assert json.loads(callback.posts[0][1])["entry"][0]["id"] == "333"


async def test_a_send_goes_sent_delivered_read_within_two_seconds(tmp_path, callback, callback_port):
    body = {"to": "34600111222", "type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "attempt 7"}
    async with running(tmp_path, callback_port) as client:
        wamid = (await client.send(body))[1]["messages"][0]["id"]
        statuses = await callback.wait_for("statuses", 3, 2.0)
    assert [status["status"] for status in statuses] == ["sent", "delivered", "read"]
    assert {status["id"] for status in statuses} == {wamid}
    assert {status["biz_opaque_callback_data"] for status in statuses} == {"attempt 7"}
    assert {status["recipient_id"] for status in statuses} == {"34600111222"}
    assert statuses[0]["pricing"] == {
        "billable": True, "pricing_model": "PMP", "type": "regular", "category": "service",
    }  # fmt: skip
    assert statuses[0]["conversation"]["id"] == statuses[1]["conversation"]["id"]
    assert "expiration_timestamp" not in statuses[1]["conversation"]
    assert "pricing" not in statuses[2]


async def test_a_voice_note_is_played_too(client, callback):
    await client.send({"to": "34600111222", "type": "audio", "audio": {"link": "http://a.example/b", "voice": True}})
    statuses = await callback.wait_for("statuses", 4, 2.5)
    assert statuses[-1]["status"] == "played"


async def test_a_refused_webhook_is_tried_again_until_200(client, callback):
    callback.statuses = [503, 500]
    status, told = await client.api("messages", {"from": "34600111222", "text": "x"})
    assert (status, told["status_code"]) == (200, 200)
    assert [status for status, _ in callback.posts] == [503, 500, 200]
    assert len({body for _, body in callback.posts}) == 1


async def test_a_body_the_endpoint_dislikes_does_not_hold_up_the_others(client, callback):
    callback.statuses = [400]
    _, told = await client.api("messages", {"from": "34600111222", "text": "disliked"})
    assert told["status_code"] == 400
    await client.api("messages", {"from": "34600111222", "text": "next"})
    texts = [item["text"]["body"] for item in await callback.wait_for("messages", 3)]
    assert texts == ["disliked", "next", "disliked"]


async def test_webhooks_survive_a_restart_and_keep_their_order(tmp_path, callback_port, monkeypatch):
    monkeypatch.setattr("simulator.control.WAIT_SECONDS", 0.1)
    async with running(tmp_path, callback_port) as client:
        for index in range(3):
            assert (await client.api("messages", {"from": "34600111222", "text": str(index)}))[0] == 502
        assert (await client.api("health"))[1]["pending_webhooks"] == 3
    callback = Callback()
    async with listening(callback, callback_port), running(tmp_path, callback_port) as client:
        received = await callback.wait_for("messages", 3)
        assert [item["text"]["body"] for item in received] == ["0", "1", "2"]
        lines = (await client.api("conversations?number=222&contact=34600111222"))[1]["messages"]
        assert [line["message"]["text"]["body"] for line in lines] == ["0", "1", "2"]
    assert callback.problems == []


async def test_statuses_pending_at_shutdown_come_after_the_next_start(tmp_path, callback_port):
    callback = Callback()
    async with listening(callback, callback_port):
        async with running(tmp_path, callback_port) as client:
            await client.say()
        async with running(tmp_path, callback_port):
            statuses = await callback.wait_for("statuses", 3)
    assert [status["status"] for status in statuses] == ["sent", "delivered", "read"]


async def test_an_endpoint_that_is_away_is_told_as_502_and_tried_again(tmp_path, callback_port, monkeypatch):
    monkeypatch.setattr("simulator.control.WAIT_SECONDS", 0.3)
    async with running(tmp_path, callback_port) as client:
        status, told = await client.api("messages", {"from": "34600111222", "text": "x"})
        assert (status, told["status_code"]) == (502, None)
        assert told["wamid"]
        callback = Callback()
        async with listening(callback, callback_port):
            assert (await callback.wait_for("messages", 1))[0]["id"] == told["wamid"]


async def test_duplicates_batches_and_shuffling_change_how_but_not_what_arrives(client, callback):
    await client.api("settings", {"duplicate": 1})
    await client.api("messages", {"from": "34600111222", "text": "twice"})
    assert len(callback.items("messages")) == 2
    callback.posts.clear()

    await client.api("settings", {"reset": True, "batch": 10})
    people = [f"3460011122{index}" for index in range(4)]
    await asyncio.gather(*(client.api("messages", {"from": person, "name": person, "text": "x"}) for person in people))
    assert len(callback.posts) < 4
    value = json.loads(callback.posts[0][1])["entry"][0]["changes"][0]["value"]
    assert [item["from"] for item in value["messages"]] == [item["wa_id"] for item in value["contacts"]]
    assert {item["from"] for item in callback.items("messages")} == set(people)
    callback.posts.clear()

    await client.api("settings", {"reset": True, "shuffle": True})
    texts = [str(index) for index in range(12)]
    await asyncio.gather(*(client.api("messages", {"from": "34600111222", "text": text}) for text in texts))
    assert sorted(item["text"]["body"] for item in callback.items("messages")) == sorted(texts)


async def test_a_tester_can_send_any_status_of_any_message(client, callback):
    await client.api("settings", {"statuses": False})
    wamid = (await client.say())[1]["messages"][0]["id"]
    await client.api("statuses", {"wamid": wamid, "status": "failed", "errors": [131026], "timestamp": 1700000000})
    await client.api("statuses", {"wamid": "wamid.unknown", "status": "read"})
    failed, unknown = callback.items("statuses")
    assert (failed["errors"][0]["code"], failed["timestamp"]) == (131026, "1700000000")
    assert failed["recipient_id"] == "34600111222"
    assert (unknown["id"], unknown["status"]) == ("wamid.unknown", "read")


async def test_numbers_are_looked_up_again_when_one_is_unknown(tmp_path, callback_port):
    numbers = [NUMBER]
    callback = Callback()
    async with listening(callback, callback_port), running(tmp_path, callback_port, numbers) as client:
        assert (await client.graph("GET", "444", token="second token"))[0] == 401
        numbers.append(OTHER)
        assert (await client.graph("GET", "444", token="second token"))[0] == 200
