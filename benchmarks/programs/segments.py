"""The count of a segment of four conditions at a million contacts, beside hand-written SQL and beside joins."""

import statistics
from collections.abc import Iterator

from benchmarks.rows import Figure, Row, milliseconds
from benchmarks.stage import Stage

CONTACTS = 1_000_000
GOAL = 1.6


def run(stage: Stage) -> Iterator[Row | Figure]:
    """Each way once per round, in turn, on the same connection."""
    people = stage.profile.many(CONTACTS, 1000)
    with stage.side("benchmarks.sides.segments", stage.installation()) as side:
        side.ask("fill", people=people)
        times: dict[str, list[float]] = {"product": [], "sql": [], "joins": []}
        for _ in range(stage.profile.rounds):
            for way, values in times.items():
                values += side.ask("count", way=way, rounds=stage.profile.many(3, 1))
        whole = statistics.median(side.ask("preview", rounds=stage.profile.many(5, 1)))
        frozen = side.ask("freeze")
    product, by_hand, joins = (statistics.median(values) for values in times.values())
    area = f"segment of four conditions, count over {people:,} contacts"
    for other, against, goal in (("hand-written SQL", by_hand, GOAL), ("joins and DISTINCT", joins, None)):
        ratio = product / against
        text = f"{other}: {milliseconds(against)}"
        yield Row(
            area, milliseconds(product), text, ratio, f"≤ {goal} ×" if goal else "none set",
            ratio <= goal if goal else None, "reading and compiling the rule included",
        )  # fmt: skip
    note = "count, consent, reply windows, ten samples, sentence"
    yield Figure(f"preview of that segment over {people:,} contacts", milliseconds(whole), note=note)
    yield Figure(f"freezing a segment of {people:,} contacts", milliseconds(frozen), note="one statement")
