"""The message templates of the business accounts: kept, listed in pages, and shown as the customer reads them."""

import hashlib
import json
import re
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.store import Store
from simulator.template_seeds import SEEDS

Json = dict[str, Any]

HEADER_MEDIA = ("image", "video", "document")


class TemplateBook:
    """Reads and writes templates; an account that is met for the first time gets the usual ones."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self, waba_id: str) -> list[Json]:
        """Every template of an account, oldest first."""

        def work(connection: sqlite3.Connection) -> list[Json]:
            _seed(connection, waba_id)
            sql = "SELECT facts FROM templates WHERE waba_id = ? ORDER BY rowid"
            return [json.loads(row["facts"]) for row in connection.execute(sql, (waba_id,))]

        return await self._store.run(work)

    async def find(self, waba_id: str, name: str, language: str) -> Json | None:
        """The account's template of this name in this language."""
        found = (item for item in await self.all(waba_id) if item["name"] == name and item["language"] == language)
        return next(found, None)

    async def get(self, key: str) -> tuple[str, Json] | None:
        """The account and the template with this id."""
        sql = "SELECT waba_id, facts FROM templates WHERE id = ?"
        row = await self._store.run(lambda connection: connection.execute(sql, (key,)).fetchone())
        return (row["waba_id"], json.loads(row["facts"])) if row else None

    async def add(self, waba_id: str, facts: Json) -> Json:
        """Keep a new template; answers it with its id. None of this name and language may be there."""
        kept = {"id": _new_id(waba_id, facts), **facts}
        await self._store.run(lambda connection: _insert(connection, waba_id, kept))
        return kept

    async def save(self, template: Json) -> None:
        """Keep what has changed in a template."""
        values = (json.dumps(template), template["id"])
        await self._store.run(
            lambda connection: connection.execute("UPDATE templates SET facts = ? WHERE id = ?", values)
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget templates."""
        rows = [(key,) for key in keys]
        await self._store.run(lambda connection: connection.executemany("DELETE FROM templates WHERE id = ?", rows))


def _seed(connection: sqlite3.Connection, waba_id: str) -> None:
    key = f"templates {waba_id}"
    if connection.execute("SELECT 1 FROM facts WHERE key = ?", (key,)).fetchone():
        return
    connection.execute("INSERT INTO facts VALUES (?, 'yes')", (key,))
    for seed in SEEDS:
        _insert(connection, waba_id, {"id": _new_id(waba_id, seed), **seed})


def _insert(connection: sqlite3.Connection, waba_id: str, facts: Json) -> None:
    row = (facts["id"], waba_id, facts["name"], facts["language"], json.dumps(facts))
    connection.execute("INSERT INTO templates (id, waba_id, name, language, facts) VALUES (?, ?, ?, ?, ?)", row)


def _new_id(waba_id: str, facts: Json) -> str:
    """Sixteen digits, the same for the same name and language of an account."""
    words = f"{waba_id} {facts['name']} {facts['language']}".encode()
    return str(int.from_bytes(hashlib.sha256(words).digest()[:8]) % (9 * 10**15) + 10**15)


def parts_of(template: Json) -> Json:
    """The template's components by their type."""
    return {part["type"]: part for part in template["components"]}


def rendered(template: Json, message: Json) -> Json:
    """A template message as the customer reads it: header, text, footer, buttons to tap and links."""
    parts = parts_of(template)
    sent = [part for part in message.get("components") or [] if isinstance(part, dict)]
    by_type = {str(part.get("type", "")).upper(): _parameters(part) for part in sent}
    header = parts.get("HEADER", {})
    media = next((value for value in by_type.get("HEADER", []) if value.get("type") in HEADER_MEDIA), None)
    buttons = parts.get("BUTTONS", {}).get("buttons", [])
    return {
        "header": _filled(header.get("text"), by_type.get("HEADER", [])),
        "media": {"type": media["type"], media["type"]: media.get(media["type"]) or {}} if media else None,
        "text": _filled(parts.get("BODY", {}).get("text", ""), by_type.get("BODY", [])),
        "footer": parts.get("FOOTER", {}).get("text"),
        "buttons": [
            {"text": button["text"], "payload": _payload(sent, index) or button["text"]}
            for index, button in enumerate(buttons)
            if button.get("type") == "QUICK_REPLY"
        ],
        "links": [
            {"text": button["text"], "url": button.get("url")}
            for button in buttons
            if button.get("type") != "QUICK_REPLY" and button.get("text")
        ],
    }


def _filled(text: str | None, parameters: list[Json]) -> str | None:
    if text is None:
        return None
    values = {
        str(value.get("parameter_name") or index): str(value.get("text", ""))
        for index, value in enumerate(parameters, start=1)
    }
    return re.sub(r"{{\s*(\w+)\s*}}", lambda match: values.get(match[1], match[0]), text)


def _payload(sent: list[Json], index: int) -> str | None:
    """The payload that the sender gave to the quick reply at this place."""
    for part in sent:
        if str(part.get("type", "")).lower() == "button" and str(part.get("index")) == str(index):
            return next((str(value["payload"]) for value in _parameters(part) if value.get("payload")), None)
    return None


def _parameters(part: Json) -> list[Json]:
    """A component's parameters as far as they can be read."""
    given = part.get("parameters")
    return [value for value in given if isinstance(value, dict)] if isinstance(given, list) else []


def list_templates(templates: list[Json], query: Mapping[str, str], address: str) -> Json:
    """One page as Meta lists it: filters, fields, limit, cursors, and a summary where asked for."""
    found = [
        item
        for item in templates
        if all(query.get(name, item[name]) == item[name] for name in ("status", "category", "language"))
        and query.get("name", "") in item["name"]
    ]
    start = _position(query.get("after")) if query.get("after") else 0
    limit = max(1, min(_number(query.get("limit"), 25), 1000))
    if query.get("before"):
        start = max(0, _position(query["before"]) - 1 - limit)
    page = found[start : start + limit]
    names = [name for name in query.get("fields", "").split(",") if name]
    answer: Json = {
        "data": [{name: item[name] for name in item if not names or name in {*names, "id"}} for item in page]
    }
    if page:
        cursors = {"before": _cursor(start + 1), "after": _cursor(start + len(page))}
        answer["paging"] = {"cursors": cursors}
        if start + limit < len(found):
            answer["paging"]["next"] = f"{address}?limit={limit}&after={cursors['after']}"
    if query.get("summary"):
        total = len(templates)
        summary = {"total_count": len(found), "message_template_count": total, "message_template_limit": 6000}
        answer["summary"] = {**summary, "are_translations_complete": True}
    return answer


def _cursor(position: int) -> str:
    return urlsafe_b64encode(f"QVFI{position}".encode()).decode()


def _position(cursor: str | None) -> int:
    try:
        return int(urlsafe_b64decode((cursor or "").encode()).decode().removeprefix("QVFI"))
    except ValueError:
        return 0


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else default
