"""Lists of the administration at 1 M contacts, 5 M messages, 1 M webhooks and 1 M entries of the log, and Django's."""

import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from benchmarks import dataset
from benchmarks.processes import Failed, Side
from benchmarks.rows import Row, milliseconds
from benchmarks.sides.terms import SHORT, TERMS
from benchmarks.stage import Stage

SIZE = 50
DEEP = 5000
MOST_QUERIES, MOST_SECONDS = 8, 0.3
ROUNDS, PLAIN_ROUNDS = 7, 2
LISTS = {
    "crm.contact": "contacts (1 M)",
    "conversations.message": "messages (5 M)",
    "conversations.webhookevent": "webhooks (1 M)",
    "crm.auditentry": "audit log (1 M)",
}
# The goal of the first page, as a part of Django's time; the others have ceilings only.
GOALS = {"crm.contact": 0.35}
FILTERS = {
    "by act, every thousandth entry": "action=deleted",
    "by source, the ten oldest entries": "source__exact=command",
    "by kind and person": "kind=crm.contact&user__id__exact=1",
}


@dataclass(frozen=True)
class Figures:
    """What a list took: the median of its seconds, and its queries."""

    seconds: float
    queries: int

    def __str__(self) -> str:
        return f"{milliseconds(self.seconds)}, {self.queries} queries"

    @property
    def is_within(self) -> bool:
        """Whether no ceiling is passed."""
        return self.seconds <= MOST_SECONDS and self.queries <= MOST_QUERIES


@dataclass(frozen=True)
class Pair:
    """Our administration and Django's, each in a process of its own on the same database."""

    stage: Stage
    ours: Side
    plain: Side

    def measure(self, model: str, query: str, plain_query: str | None = None) -> tuple[Figures, Figures]:
        """The same list on both, in turn; raises Failed if they show different rows."""
        place = model.replace(".", "/")
        asked = (
            (self.ours, f"/admin/{place}/?{query}", self.stage.profile.many(ROUNDS)),
            (
                self.plain,
                f"/plain/{place}/?{query if plain_query is None else plain_query}",
                self.stage.profile.many(PLAIN_ROUNDS),
            ),
        )
        seen = [side.ask("look", path=path) for side, path, _rounds in asked]
        if seen[0]["rows"] != seen[1]["rows"]:
            raise Failed(f"{model}, {query}: Django's list shows other rows")
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(self.stage.profile.rounds):
            for (side, path, rounds), values in zip(asked, times, strict=True):
                values += side.ask("page", path=path, rounds=rounds)
        ours, plain = (
            Figures(statistics.median(values), one["queries"]) for values, one in zip(times, seen, strict=True)
        )
        return ours, plain


def run(stage: Stage) -> Iterator[Row]:
    """First and deep page of each list, filters of the log, and searches of contacts."""
    installation = dataset.administered(stage)
    django = stage.of_database(
        installation.env["DATABASE_URL"], DJANGO_SETTINGS_MODULE="benchmarks.sides.plain_settings"
    )
    with contextlib.ExitStack() as stack:
        ours, plain = (
            stack.enter_context(stage.side("benchmarks.sides.administration", one)) for one in (installation, django)
        )
        pair = Pair(stage, ours, plain)
        for model, words in LISTS.items():
            yield from _list(pair, model, words)
        for words, query in FILTERS.items():
            yield _row(f"list of the audit log (1 M), {words}", *pair.measure("crm.auditentry", query))
        yield _search(pair)


def _list(pair: Pair, model: str, words: str) -> Iterator[Row]:
    first, first_plain = pair.measure(model, "")
    yield _row(f"list of {words}, page 1", first, first_plain, GOALS.get(model))
    page, key = pair.ours.ask("place", model=model, page=DEEP, size=SIZE)
    deep, deep_plain = pair.measure(model, f"after={key}", f"p={page}")
    yield _row(f"list of {words}, page {page:,}", deep, deep_plain)
    ratio = deep.seconds / first.seconds
    yield Row(f"growth, list of {words}", f"page {page:,}: {deep}", f"page 1: {first}", ratio, "≤ 1.2 ×", ratio <= 1.2)


def _row(area: str, ours: Figures, plain: Figures, goal: float | None = None) -> Row:
    ratio = ours.seconds / plain.seconds
    words = f"≤ {MOST_SECONDS * 1000:.0f} ms, {MOST_QUERIES} queries"
    return Row(
        area, str(ours), f"Django's default list: {plain}", ratio, f"≤ {goal} ×, {words}" if goal else words,
        ours.is_within and (goal is None or ratio <= goal),
    )  # fmt: skip


def _search(pair: Pair) -> Row:
    """The slowest of many terms; Django's list is asked for that one."""
    terms = (*TERMS, *SHORT)
    times = {
        term: statistics.median(
            pair.ours.ask("page", path=f"/admin/crm/contact/?q={quote(term)}", rounds=pair.stage.profile.many(3))
        )
        for term in terms[: pair.stage.profile.many(len(terms), 2)]
    }
    worst = max(times, key=lambda term: times[term])
    row = _row(f"search of contacts (1 M), the worst of {len(times)} terms", *pair.measure("crm.contact", f"q={worst}"))
    others = ", ".join(f"{term}: {milliseconds(took)}" for term, took in times.items() if term != worst)
    return Row(row.area, f"{row.product} ({worst})", row.against, row.ratio, row.goal, row.met, others)
