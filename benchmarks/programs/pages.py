"""Inbox page and thread at 5 M messages beside hand-written SQL and naive annotations; contact search; growth."""

import contextlib
import statistics
from collections.abc import Iterator

from benchmarks import dataset
from benchmarks.processes import Failed, Side
from benchmarks.rows import Figure, Row, milliseconds
from benchmarks.stage import Stage

AGENT, MANAGER = "agent0@bench.test", "manager@bench.test"
LONG_THREAD = 1  # 5,000 messages in both data sets
INBOX_QUERIES = 3
LISTS = (("unassigned", "open"), ("mine", "open"), ("all", "open"), ("all", "all"))
STATUSES = {"open": "1,600 open ones", "all": "300,000 of any status"}
ROUNDS = 20


def run(stage: Stage) -> Iterator[Row | Figure]:
    """Each way once per round, in turn, on the same connection."""
    small, large = dataset.installations(stage)
    with contextlib.ExitStack() as stack:
        at_large = stack.enter_context(stage.side("benchmarks.sides.pages", large))
        at_small = stack.enter_context(stage.side("benchmarks.sides.pages", small))
        yield from _inbox(stage, at_large)
        yield from _thread(stage, at_large)
        yield from _search(stage, at_large)
        yield from _growth(stage, at_small, at_large)
    if not stage.is_smoke:
        yield Figure("data sets on disk", dataset.disk_use(stage.keep / "postgres"), note="kept in var/bench/postgres")


def _rounds(stage: Stage) -> int:
    return stage.profile.many(ROUNDS, 1)


def _inbox(stage: Stage, side: Side) -> Iterator[Row | Figure]:
    for view, status in LISTS:
        times: dict[str, list[float]] = {"product": [], "sql": [], "naive": []}
        for _ in range(stage.profile.rounds):
            for way, values in times.items():
                rounds = 1 if way == "naive" else _rounds(stage)
                values += side.ask("inbox", way=way, view=view, status=status, email=AGENT, rounds=rounds)
        product, by_hand, naive = (statistics.median(values) for values in times.values())
        area = f"inbox page, {view} ({STATUSES[status]}), {dataset.LARGE_WORDS}"
        yield _row(area, product, "hand-written SQL", by_hand, 5)
        yield _row(area, product, "naive annotations", naive, 0.05, f"hand-written SQL itself: {by_hand / naive:.2g} ×")
    count = side.ask("queries", path="/inbox/?view=all", email=AGENT)
    goal = f"≤ {INBOX_QUERIES} besides session, user and permissions"
    yield Figure("inbox page, queries", str(count), goal, count <= INBOX_QUERIES)


def _row(area: str, product: float, other: str, against: float, goal: float, remarks: str = "") -> Row:
    ratio = product / against
    text = f"{other}: {milliseconds(against)}"
    return Row(area, milliseconds(product), text, ratio, f"≤ {goal} ×", ratio <= goal, remarks)


def _thread(stage: Stage, side: Side) -> Iterator[Row | Figure]:
    times: dict[str, list[float]] = {"product": [], "sql": []}
    for _ in range(stage.profile.rounds):
        for way, values in times.items():
            values += side.ask("thread", way=way, pk=LONG_THREAD, email=MANAGER, rounds=_rounds(stage))
    product, by_hand = (statistics.median(values) for values in times.values())
    area = f"thread of 5,000 messages, newest page, {dataset.LARGE_WORDS}"
    against = f"hand-written SQL: {milliseconds(by_hand)}"
    yield Row(area, milliseconds(product), against, product / by_hand, "none set", None, "everything but the HTML")
    count = side.ask("queries", path=f"/inbox/c/{LONG_THREAD}/", email=MANAGER)
    yield Figure("whole page with a thread, queries", str(count), note="besides session and user")


def _search(stage: Stage, side: Side) -> Iterator[Figure]:
    rounds = stage.profile.many(5, 1)
    terms = {term: statistics.median(values) for term, values in side.ask("search", rounds=rounds).items()}
    short = {term: value for term, value in terms.items() if len(term) < 3}
    long = {term: value for term, value in terms.items() if len(term) >= 3}
    yield _worst("contact search at 1 M contacts, worst term", long, 0.05)
    yield _worst("the same, terms of one or two characters", short, None)
    desk = {
        term: statistics.median(values)
        for term, values in side.ask("search_desk", email=AGENT, rounds=rounds).items()
    }  # fmt: skip
    yield _worst("inbox search field over 300 k conversations, worst term, an agent", desk, None)


def _worst(name: str, terms: dict[str, float], goal: float | None) -> Figure:
    term, value = max(terms.items(), key=lambda item: item[1])
    others = ", ".join(f"{word}: {milliseconds(took)}" for word, took in terms.items() if word != term)
    words = f"≤ {milliseconds(goal)}" if goal else ""
    return Figure(name, f"{milliseconds(value)} ({term})", words, value <= goal if goal else None, others)


def _growth(stage: Stage, small: Side, large: Side) -> Iterator[Row]:
    whole = {"inbox page": "/inbox/?view=all", "page with a thread": f"/inbox/c/{LONG_THREAD}/"}
    for name, path in whole.items():
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(stage.profile.rounds):
            for side, values in zip((small, large), times, strict=True):
                values += side.ask("page", path=path, email=MANAGER, rounds=_rounds(stage))
        yield _grown(f"growth, {name} with its HTML", *map(statistics.median, times))
    costs: tuple[list[float], list[float]] = ([], [])
    count, seconds = stage.profile.many(2000, 3), stage.profile.seconds
    for _ in range(stage.profile.rounds):
        for side, values in zip((small, large), costs, strict=True):
            with contextlib.suppress(ZeroDivisionError):
                values.append(side.ask("message", count=count, people=stage.profile.many(500, 3), seconds=seconds))
    if not all(costs):
        raise Failed("no message was processed in time")
    yield _grown("growth, a message through the pipeline", *map(statistics.median, costs))


def _grown(area: str, small: float, large: float) -> Row:
    ratio = large / small
    against = f"at 10 k contacts, 50 k messages: {milliseconds(small)}"
    return Row(area, f"at 5 M messages: {milliseconds(large)}", against, ratio, "≤ 1.3 ×", ratio <= 1.3)
