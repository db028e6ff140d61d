"""Stored webhooks to messages: the product's pipeline, one event at a time by ORM, and one SQL statement per batch."""

import contextlib
import statistics
from collections.abc import Iterator

from benchmarks.processes import Side
from benchmarks.rows import Row, rate
from benchmarks.stage import Stage

PEOPLE = 1000
EVENTS = {"product": 6000, "sql": 20_000, "orm": 500}
TITLES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}


def run(stage: Stage) -> Iterator[Row]:
    """Rounds of the three ways on both databases, interleaved."""
    people = stage.profile.many(PEOPLE, 20)
    with contextlib.ExitStack() as stack:
        sides = {vendor: stack.enter_context(_side(stage, vendor, people)) for vendor in TITLES}
        rates: dict[tuple[str, str], list[float]] = {(vendor, way): [] for vendor in sides for way in EVENTS}
        for number in range(-1, stage.profile.rounds):
            seconds = stage.profile.seconds * 2 if number >= 0 else 0.3
            for (vendor, way), values in rates.items():
                count = stage.profile.many(EVENTS[way], 5) if number >= 0 else 5
                value = sides[vendor].ask("measure", way=way, count=count, people=people, seconds=seconds)
                if number >= 0:
                    values.append(value)
    middle = {key: statistics.median(values) for key, values in rates.items()}
    for vendor, title in TITLES.items():
        product = middle[vendor, "product"]
        for way, text, goal in (("orm", "one-at-a-time ORM", 15), ("sql", "hand-written SQL, batches of 200", 0.4)):
            ratio = product / middle[vendor, way]
            against = f"{text}: {rate(middle[vendor, way], 'events/s')}"
            yield Row(f"processing, {title}", rate(product, "events/s"), against, ratio, f"≥ {goal} ×", ratio >= goal)


def _side(stage: Stage, vendor: str, people: int) -> Side:
    side = stage.side("benchmarks.sides.processing", stage.installation(vendor))
    side.ask("add_number")
    side.ask("add_people", count=people)
    return side
