"""Thousands of signed bodies that no documentation shows, from the address to the end of the pipeline.

MUTATIONS chooses how many; `make fuzz` takes twenty thousand.
"""

import asyncio
import os
from collections import Counter

import pytest

from conversations.ingest import pipeline
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Message
from tests.hardening import mutations
from tests.webhooks import call, names, recorded

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_too,
    pytest.mark.usefixtures("inbox", "writer", "fresh_keys"),
]

COUNT = int(os.environ.get("MUTATIONS", "500"))
ROUND = 100


async def post(bodies):
    answers = await asyncio.gather(*(call(raw) for raw in bodies))
    return [status for status, *_ in answers]


def process():
    """Until nothing is left; a webhook that comes back again and again would end this."""
    for _ in range(20):
        if not pipeline.drain():
            return
    raise AssertionError("webhooks are stuck")


@pytest.mark.covers("F18", "F20", "F23")
def test_mutated_bodies_are_all_answered_200_and_each_item_is_accounted_for():
    originals = [recorded(name) for name in names()]
    answers, ends = Counter(), Counter()
    for seed, size in mutations.seeds(COUNT, ROUND):
        seeded = mutations.seeded(seed)
        bodies = [mutations.make(originals, seeded, seed + number) for number in range(size)]
        answers.update(asyncio.run(post(bodies)))
        stored = list(WebhookEvent.objects.filter(state="pending"))
        assert sorted(event.body for event in stored) == sorted(bodies), "what was answered 200 is stored, byte by byte"
        process()
        for event in stored:
            raw = event.body
            event.refresh_from_db()
            mutations.accounted(event, raw)
            ends[event.state] += 1
    print(f"{COUNT} bodies: {dict(answers)}, {dict(ends)}, {Message.objects.count()} messages")  # noqa: T201
    assert answers == {200: COUNT}
    assert min(ends["processed"], ends["quarantined"]) > COUNT / 5, "both roads are walked"
