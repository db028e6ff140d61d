"""Webhooks on their way to the callback URL: kept until answered, signed as Meta signs, in order per number."""

import asyncio
import hashlib
import heapq
import hmac
import itertools
import json
import logging
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from simulator.numbers import Number, NumberBook
from simulator.settings import Settings
from simulator.store import Store

Json = dict[str, Any]

logger = logging.getLogger(__name__)

BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds; the last one repeats
KEPT_SECONDS = 7 * 24 * 3600
ANSWER_SECONDS = 10.0
SHUFFLE_SECONDS = 0.5
BATCH_SECONDS = 0.2


@dataclass(order=True)
class Webhook:
    """One update for the callback URL; `due` and `created` are real time."""

    due: float
    id: int
    name: str = field(compare=False)  # of the webhook field: messages, calls, …
    value: Json = field(compare=False)
    created: float = field(compare=False)
    message_id: int | None = field(compare=False, default=None)
    state: str | None = field(compare=False, default=None)
    tries: int = field(compare=False, default=0)


@dataclass
class Outcome:
    """How the callback URL answered; status None means not at all."""

    status: int | None
    reason: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status == 200

    @property
    def is_outage(self) -> bool:
        """The server is away, as opposed to disliking this one body."""
        return self.status is None or self.status >= 500


@dataclass
class Lane:
    """The webhooks of one number that wait, soonest first."""

    waiting: list[Webhook] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0

    def push(self, webhook: Webhook) -> None:
        heapq.heappush(self.waiting, webhook)
        self.news.set()


def envelope(number: Number, updates: list[Webhook]) -> bytes:
    """The body of one POST as Meta writes it: ASCII, escaped slashes; updates of one kind share one value."""
    changes: list[Json] = []
    for update in updates:
        if not (changes and _merge(changes[-1], update)):
            changes.append({"value": dict(update.value), "field": update.name})
    body = {"object": "whatsapp_business_account", "entry": [{"id": number.waba_id, "changes": changes}]}
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def _merge(change: Json, update: Webhook) -> bool:
    """Put an update into the change before it where both only list messages or both only statuses."""
    mine, other = change["value"], update.value
    if change["field"] != update.name or mine.get("metadata") != other.get("metadata") or update.name != "messages":
        return False
    kinds = ({"messages", "statuses"} & set(mine), {"messages", "statuses"} & set(other))
    plain = {"messaging_product", "metadata", "contacts", "messages", "statuses"}
    if kinds[0] != kinds[1] or len(kinds[0]) != 1 or not set(mine) | set(other) <= plain:
        return False
    for key in [*kinds[0], "contacts"]:
        if key in mine or key in other:
            new = [item for item in other.get(key, []) if key != "contacts" or item not in mine.get(key, [])]
            mine[key] = [*mine.get(key, []), *new]
    return True


def signature(app_secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256 for these bytes."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


class WebhookQueue:
    """Posts what is enqueued until it is answered with 200, for up to 7 days, through restarts."""

    def __init__(self, store: Store, numbers: NumberBook, settings: Settings, callback_url: Callable[[], str]) -> None:
        self._store, self._numbers, self._settings, self._callback_url = store, numbers, settings, callback_url
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._answers: dict[int, asyncio.Future[Outcome]] = {}
        self._last_outcome: dict[str, Outcome] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Go on with what an earlier run left."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS))
        rows = await self._store.run(
            lambda connection: connection.execute("SELECT * FROM webhooks ORDER BY due, id").fetchall()
        )
        for row in rows:
            webhook = Webhook(
                row["due"],
                row["id"],
                row["field"],
                json.loads(row["value"]),
                row["created"],
                row["message_id"],
                row["state"],
            )
            self._lane(row["phone_number_id"]).push(webhook)

    async def stop(self) -> None:
        """Cancel every POST under way; nothing is lost, it is all in the store."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._lanes.clear()
        for future in self._answers.values():
            future.cancel()
        if self._session is not None:
            await self._session.close()

    async def enqueue(
        self,
        phone_number_id: str,
        name: str,
        value: Json,
        *,
        after: float = 0.0,
        message_id: int | None = None,
        state: str | None = None,
    ) -> asyncio.Future[Outcome]:
        """Keep an update and post it in `after` seconds; the future tells the first answer that is no outage.

        `state` is what the message row `message_id` becomes once the update was answered with 200.
        """
        created = time.time()
        due = created + after
        text = json.dumps(value)
        row = (phone_number_id, name, text, due, created, message_id, state)

        def insert(connection: sqlite3.Connection) -> int:
            sql = "INSERT INTO webhooks (phone_number_id, field, value, due, created, message_id, state)"
            return connection.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0

        webhook = Webhook(due, await self._store.run(insert), name, value, created, message_id, state)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._answers[webhook.id] = future
        self._lane(phone_number_id).push(webhook)
        return future

    def last_outcome(self, phone_number_id: str) -> Outcome | None:
        """How the number's latest POST went, for a sentence about why one is not answered."""
        return self._last_outcome.get(phone_number_id)

    def pending(self) -> int:
        """How many updates wait for their 200."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def _lane(self, phone_number_id: str) -> Lane:
        lane = self._lanes.setdefault(phone_number_id, Lane())
        if phone_number_id not in self._tasks:
            self._tasks[phone_number_id] = asyncio.create_task(self._run(phone_number_id, lane))
        return lane

    async def _run(self, phone_number_id: str, lane: Lane) -> None:
        while True:
            lane.news.clear()
            pause = lane.waiting[0].due - time.time() if lane.waiting else None
            if pause is None or pause > 0:
                await _wait(lane.news, pause)
                continue
            hold = SHUFFLE_SECONDS if self._settings.shuffle else BATCH_SECONDS if self._settings.batch > 1 else 0.0
            if hold:
                await asyncio.sleep(hold)
            if await self._try_due(phone_number_id, lane):
                lane.failures = 0
            else:
                lane.news.clear()
                await _wait(lane.news, BACKOFF[min(lane.failures, len(BACKOFF) - 1)])
                lane.failures += 1

    async def _try_due(self, phone_number_id: str, lane: Lane) -> bool:
        try:
            return await self._post_due(phone_number_id, lane)
        except Exception:
            logger.exception("The webhooks of %s wait: %s", phone_number_id, [item.id for item in lane.waiting[:5]])
            return False

    async def _post_due(self, phone_number_id: str, lane: Lane) -> bool:
        """Post what is due; False when the server was away and the number has to wait."""
        batch, parallel = max(1, self._settings.batch), max(1, self._settings.parallel)
        room = 1000 if self._settings.shuffle else batch * parallel
        due: list[Webhook] = []
        while lane.waiting and lane.waiting[0].due <= time.time() and len(due) < room:
            due.append(heapq.heappop(lane.waiting))
        if self._settings.shuffle:
            random.shuffle(due)
        groups = [list(group) for group in itertools.batched(due, batch)]
        unsettled = {webhook.id: webhook for webhook in due}
        try:
            for together in itertools.batched(groups, parallel):
                outcomes = await asyncio.gather(*(self._post(phone_number_id, group) for group in together))
                for group, outcome in zip(together, outcomes, strict=True):
                    self._last_outcome[phone_number_id] = outcome
                    if not outcome.is_outage:
                        await self._settle(lane, group, outcome)
                        for webhook in group:
                            unsettled.pop(webhook.id)
                if any(outcome.is_outage for outcome in outcomes):
                    return False
        finally:
            for webhook in unsettled.values():
                heapq.heappush(lane.waiting, webhook)
        return True

    async def _settle(self, lane: Lane, group: list[Webhook], outcome: Outcome) -> None:
        """Forget what was answered with 200 or is a week old; put the rest aside until its next try."""
        now = time.time()
        done = [item for item in group if outcome.is_delivered or now - item.created > KEPT_SECONDS]

        def forget(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM webhooks WHERE id = ?", [(item.id,) for item in done])
            connection.executemany(
                "UPDATE messages SET state = ? WHERE id = ? AND state NOT IN ('read', 'failed')",
                [(item.state, item.message_id) for item in done if item.state and outcome.is_delivered],
            )

        if done:
            await self._store.run(forget)
        for item in group:
            future = self._answers.pop(item.id, None)
            if future is not None and not future.done():
                future.set_result(outcome)
            if item not in done:
                item.due = now + BACKOFF[min(item.tries, len(BACKOFF) - 1)]
                item.tries += 1
                lane.push(item)

    async def _post(self, phone_number_id: str, group: list[Webhook]) -> Outcome:
        number = await self._numbers.get(phone_number_id)
        if number is None or self._session is None:
            return Outcome(404, f"The number {phone_number_id} is no longer known.")
        body = envelope(number, group)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": signature(number.app_secret, body),
        }
        outcome = Outcome(None)
        for _ in range(1 + self._settings.duplicate):
            try:
                async with self._session.post(
                    self._callback_url(), data=body, headers=headers, allow_redirects=False
                ) as answer:
                    await answer.read()
                    outcome = Outcome(answer.status, f"The callback URL answered {answer.status}.")
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                outcome = Outcome(None, f"The callback URL did not answer: {error or type(error).__name__}.")
        return outcome


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
