import pytest

TEXT = {"type": "BODY", "text": "Hola {{1}}, tu pedido está listo.", "example": {"body_text": [["Ana"]]}}
NEW = {"name": "pedido_listo", "language": "es", "category": "UTILITY", "components": [TEXT]}
TO = {"to": "34600111222", "type": "template"}


def using(name, *words, language="es"):
    parameters = [{"type": "text", "text": word} for word in words]
    components = [{"type": "body", "parameters": parameters}]
    return {**TO, "template": {"name": name, "language": {"code": language}, "components": components}}


async def decide(client, key, **wanted):
    return await client.api(f"templates/{key}", wanted)


async def named(client, name):
    _, page = await client.graph("GET", f"111/message_templates?name={name}")
    return page["data"][0]


async def changes(callback, count):
    """The changes of the webhooks so far, once there are this many."""
    async with callback.news:
        await callback.news.wait_for(lambda: len(callback.changes) >= count)
    return callback.changes


async def test_a_new_template_waits_for_the_clerk_and_can_be_sent_once_approved(client, callback):
    status, made = await client.graph("POST", "111/message_templates", NEW)
    assert (status, made["status"], made["category"]) == (200, "PENDING", "UTILITY")
    status, told = await client.send(using("pedido_listo", "Ana"))
    assert (status, told["error"]["code"]) == (404, 132001)
    status, told = await decide(client, made["id"], decision="approve")
    assert (status, told["status"]) == (200, "APPROVED")
    change = (await changes(callback, 1))[0]
    assert change == {
        "field": "message_template_status_update",
        "value": {
            "event": "APPROVED",
            "reason": "NONE",
            "message_template_id": int(made["id"]),
            "message_template_name": "pedido_listo",
            "message_template_language": "es",
        },
    }
    assert (await client.send(using("pedido_listo", "Ana")))[0] == 200
    line = (await client.api("conversations?number=222&contact=34600111222"))[1]["messages"][0]
    assert line["template"]["text"] == "Hola Ana, tu pedido está listo."


async def test_a_rejection_needs_a_reason_and_tells_it(client, callback):
    key = (await named(client, "recordatorio_cita"))["id"]
    status, told = await decide(client, key, decision="reject")
    assert status == 400
    assert told["error"].startswith("reason must be one of")
    await decide(client, key, decision="reject", reason="PROMOTIONAL")
    value = (await changes(callback, 1))[0]["value"]
    assert (value["event"], value["reason"]) == ("REJECTED", "PROMOTIONAL")
    assert (await named(client, "recordatorio_cita"))["rejected_reason"] == "PROMOTIONAL"
    edited = await client.graph("POST", key, {"components": [TEXT]})
    assert (edited[0], edited[1]["success"]) == (200, True)
    assert (await named(client, "recordatorio_cita"))["status"] == "PENDING"


async def test_pauses_last_three_and_six_hours_and_the_third_disables(client, callback):
    key = (await named(client, "renovacion_poliza"))["id"]
    words = ("Ana", "P-1", "lunes")
    for count, (title, hours) in enumerate((("FIRST_PAUSE", "3 hours"), ("SECOND_PAUSE", "6 hours")), start=1):
        await decide(client, key, decision="pause")
        value = (await changes(callback, count))[-1]["value"]
        assert (value["event"], value["other_info"]["title"]) == ("PAUSED", title)
        assert hours in value["other_info"]["description"]
        assert (await client.send(using("renovacion_poliza", *words)))[1]["error"]["code"] == 132015
        assert (await client.graph("POST", f"{key}/unpause", {}))[1] == {"success": True}
    assert (await decide(client, key, decision="pause"))[1]["status"] == "DISABLED"
    assert (await client.send(using("renovacion_poliza", *words)))[1]["error"]["code"] == 132016


async def test_quality_and_category_come_in_fields_of_their_own(client, callback):
    key = (await named(client, "hello_world"))["id"]
    await decide(client, key, decision="quality", score="RED")
    await decide(client, key, decision="category", category="MARKETING")
    quality, category = await changes(callback, 2)
    assert quality["field"] == "message_template_quality_update"
    assert (quality["value"]["previous_quality_score"], quality["value"]["new_quality_score"]) == ("GREEN", "RED")
    assert quality["value"]["message_template_language"] == "en-US"
    assert category["field"] == "template_category_update"
    assert category["value"]["new_category"] == "MARKETING"


async def test_impossible_decisions_change_nothing(client, callback):
    key = (await named(client, "hello_world"))["id"]
    for wanted in (
        {},
        {"decision": "approve"},
        {"decision": ["approve"]},
        {"decision": "quality", "score": "BLUE"},
        {"decision": "category", "category": {"a": 1}},
    ):
        status, told = await decide(client, key, **wanted)
        assert status == 400, wanted
        assert told["error"].endswith(".")
    assert (await decide(client, "999", decision="approve"))[0] == 404
    assert callback.posts == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Con Espacios"},
        {"name": None},
        {"language": "español"},
        {"category": "PROMO"},
        {"category": ["UTILITY"]},
        {"parameter_format": "FREE"},
        {"components": None},
        {"components": "BODY"},
        {"components": [1]},
        {"components": [{"type": "BODY", "text": "{{1}} hola"}]},
        {"components": [{"type": "BODY", "text": "hola {{1}} y {{3}} más"}]},
        {"components": [{"type": "BODY", "text": "a {{1}} {{2}} {{3}} b"}]},
        {"components": [{"type": "BODY", "text": "x" * 1025}]},
        {"components": [TEXT, TEXT]},
        {"components": [TEXT, {"type": "FOOTER", "text": "x" * 61}]},
        {"components": [TEXT, {"type": "HEADER", "format": "TEXT", "text": "{{1}} {{2}}"}]},
        {"components": [TEXT, {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY"}]}]},
        {"components": [TEXT, {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "a", "url": "b"}] * 3}]},
        {"components": [TEXT, {"type": "BUTTONS", "buttons": "x"}]},
        {"name": "seguimiento_caso"},
    ],
)
async def test_an_impossible_template_is_refused(client, wrong):
    status, told = await client.graph("POST", "111/message_templates", {**NEW, **wrong})
    assert status == 400
    assert told["error"]["code"] in {100, 131008}
    assert (await client.graph("GET", "111/message_templates?name=pedido_listo"))[1]["data"] == []


async def test_templates_are_deleted_by_name_or_one_language_by_id(client):
    spanish = (await client.graph("GET", "111/message_templates?name=seguimiento_caso&language=es"))[1]["data"][0]
    address = "111/message_templates?name=seguimiento_caso"
    assert (await client.graph("DELETE", f"{address}&hsm_id={spanish['id']}"))[1] == {"success": True}
    assert [item["language"] for item in (await client.graph("GET", address))[1]["data"]] == ["en"]
    assert (await client.graph("DELETE", address))[1] == {"success": True}
    assert (await client.graph("DELETE", address))[1]["error"]["error_subcode"] == 2593002
    assert (await client.graph("GET", spanish["id"]))[0] == 400


async def test_every_account_has_templates_of_its_own(client):
    key = (await named(client, "hello_world"))["id"]
    assert (await client.graph("GET", key))[1]["name"] == "hello_world"
    assert (await client.graph("GET", key, token="second token"))[1]["error"]["error_subcode"] == 33
    assert (await client.graph("DELETE", key))[1]["error"]["error_subcode"] == 33
    accounts = (await client.api("templates"))[1]["accounts"]
    assert [(account["waba_id"], len(account["templates"])) for account in accounts] == [("111", 6), ("333", 6)]


async def test_buttons_headers_and_named_variables_are_shown_as_the_customer_reads_them(client, callback):
    components = [
        {"type": "header", "format": "TEXT", "text": "Caso {{numero}}"},
        {"type": "body", "text": "Hola {{nombre}}, ¿seguimos?"},
        {
            "type": "buttons",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "Sí"},
                {"type": "URL", "text": "Ver", "url": "https://a.example"},
            ],
        },
    ]
    made = {**NEW, "parameter_format": "NAMED", "components": components}
    key = (await client.graph("POST", "111/message_templates", made))[1]["id"]
    await decide(client, key, decision="approve")
    sent = [
        {"type": "header", "parameters": [{"type": "text", "parameter_name": "numero", "text": "7"}]},
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "nombre", "text": "Ana"}]},
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "0",
            "parameters": [{"type": "payload", "payload": "yes"}],
        },
    ]
    template = {"name": "pedido_listo", "language": {"code": "es"}, "components": sent}
    assert (await client.send({**TO, "template": template}))[0] == 200
    shown = (await client.api("conversations?number=222&contact=34600111222"))[1]["messages"][0]["template"]
    assert (shown["header"], shown["text"]) == ("Caso 7", "Hola Ana, ¿seguimos?")
    assert shown["buttons"] == [{"text": "Sí", "payload": "yes"}]
    assert shown["links"] == [{"text": "Ver", "url": "https://a.example"}]
