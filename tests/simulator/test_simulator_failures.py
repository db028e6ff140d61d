import aiohttp
import pytest


async def failed_code(client, callback):
    status, _ = await client.say()
    assert status == 200
    statuses = await callback.wait_for("statuses", 1)
    assert statuses[0]["status"] == "failed"
    return statuses[0]["errors"][0]["code"]


async def test_a_forced_code_fails_the_next_sends_with_metas_status(client):
    for code, http_status in ((190, 401), (130429, 429), (131056, 429), (131000, 500), (10, 403)):
        await client.api("settings", {"fail": {"code": code, "count": 2, "http_status": None}})
        for _ in range(2):
            status, body = await client.say()
            assert (status, body["error"]["code"]) == (http_status, code)
    assert (await client.say())[0] == 200
    assert len((await client.api("sent"))[1]) == 1


async def test_a_code_that_meta_reports_later_comes_as_a_failed_status(client, callback):
    for code in (131026, 131049):
        callback.posts.clear()
        await client.api("settings", {"fail": {"code": code, "count": 1}})
        assert await failed_code(client, callback) == code


async def test_a_tester_may_choose_the_http_status(client):
    await client.api("settings", {"fail": {"code": 131026, "count": 1, "http_status": 400}})
    assert (await client.say())[0] == 400


async def test_a_closed_window_is_accepted_and_fails_by_status_unless_it_is_a_template(client, callback):
    await client.api("messages", {"from": "34600111222", "text": "x"})
    await client.api("clock", {"advance": 24 * 3600 + 10})
    assert await failed_code(client, callback) == 131047
    callback.posts.clear()
    await client.send(
        {"to": "34600111222", "type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    )
    assert (await callback.wait_for("statuses", 3))[0]["pricing"]["category"] == "utility"
    await client.api("messages", {"from": "34600111222", "text": "again"})
    callback.posts.clear()
    await client.say()
    assert (await callback.wait_for("statuses", 1))[0]["status"] == "sent"


async def test_who_never_wrote_here_counts_as_open_unless_the_window_is_strict(client, callback):
    await client.say()
    assert (await callback.wait_for("statuses", 1))[0]["status"] == "sent"
    await callback.wait_for("statuses", 3)
    callback.posts.clear()
    await client.api("settings", {"strict_window": True})
    assert await failed_code(client, callback) == 131047


async def test_an_unknown_media_id_fails_by_status(client, callback):
    status, _ = await client.send({"to": "34600111222", "type": "image", "image": {"id": "1234567890"}})
    assert status == 200
    assert (await callback.wait_for("statuses", 1))[0]["errors"][0]["code"] == 131053


async def test_accept_then_drop_sends_but_cuts_the_connection(client, callback):
    await client.api("settings", {"accept_then_drop": 1})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.say("dropped")
    assert (await client.say("answered"))[0] == 200
    sent = (await client.api("sent"))[1]
    assert [item["request"]["text"]["body"] for item in sent] == ["dropped", "answered"]
    assert sent[0]["wamid"] in {status["id"] for status in await callback.wait_for("statuses", 2)}


async def test_a_page_instead_of_json_sends_nothing(client):
    await client.api("settings", {"html_500": 1})
    with pytest.raises(aiohttp.ContentTypeError):
        await client.say()
    assert (await client.api("sent"))[1] == []


async def test_statuses_may_come_before_a_stalled_answer_and_may_be_off(client, callback):
    await client.api("settings", {"stall": 0.4})
    await client.say()
    assert callback.items("statuses")[0]["status"] == "sent"
    await callback.wait_for("statuses", 3)
    callback.posts.clear()
    await client.api("settings", {"reset": True, "delay": 0.5})
    await client.say()
    await client.say()
    assert callback.items("statuses") == []
    await callback.wait_for("statuses", 2)


async def test_impossible_settings_change_nothing(client):
    before = (await client.api("settings"))[1]
    for wanted in (
        {"batch": -1},
        {"shuffle": 1},
        {"nothing": 1},
        {"fail": {"count": 1}},
        {"fail": {"code": 1, "count": "x"}},
    ):
        status, told = await client.api("settings", {"duplicate": 3, **wanted})
        assert status == 400
        assert told["error"]
    assert (await client.api("settings"))[1] == before


async def test_other_sites_pages_and_other_host_names_may_not_drive_it(client):
    address = f"{client.address}/api/clock"
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        async with client.session.post(address, json={"offset": 5}, headers=headers) as answer:
            assert answer.status == 403
    own = client.address.removesuffix("/simulator")
    async with client.session.post(address, json={"offset": 5}, headers={"Origin": own}) as answer:
        assert answer.status == 200


async def test_the_unknown_is_404_in_json(client):
    assert (await client.api("nothing"))[0] == 404
    async with client.session.get(f"{client.address}/nothing/at/all") as answer:
        assert (answer.status, answer.content_type) == (404, "application/json")
    assert (await client.api("sent", {}))[0] == 405
