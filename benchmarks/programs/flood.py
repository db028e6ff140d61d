"""Strangers at the webhooks' address: what a thousand forged webhooks a second cost those that are signed."""

import asyncio
import statistics
from collections.abc import Iterator

import psycopg

from benchmarks import load, webhooks
from benchmarks.load import Outcome, paced, request
from benchmarks.rows import Figure, Row, milliseconds
from benchmarks.stage import Stage

GOOD_PER_SECOND, BAD_PER_SECOND = 50, 1000
SECONDS_EACH = 5  # times the profile's seconds: one round of each kind
LATEST = 1.0
# Less than this of BAD_PER_SECOND answered would be no flood.
FLOODED = 0.95
MOST_MB = 30


def run(stage: Stage) -> Iterator[Row | Figure]:
    """Rounds with and without forged webhooks in turn, on PostgreSQL."""
    installation = stage.installation()
    stage.office(installation).ask("add_number")
    with stage.web(installation) as server:
        load.run(paced(server.port, webhooks.requests(20), GOOD_PER_SECOND))
        before = server.memory_mb()
        quiet, loud, bad = load.run(_rounds(stage, server.port))
        after = server.memory_mb()
    stored = 20 + sum(outcome.statuses[200] for outcome in (*quiet, *loud))
    told, is_whole = _said(loud, bad)
    alone, beside = _middle(quiet, 0.99), _middle(loud, 0.99)
    yield Row(
        f"{GOOD_PER_SECOND} webhooks/s beside {BAD_PER_SECOND:,} forged ones, p99",
        f"{milliseconds(beside)}, p50 {milliseconds(_middle(loud, 0.5))}",
        f"without them: {milliseconds(alone)}, p50 {milliseconds(_middle(quiet, 0.5))}",
        beside / alone, f"≤ {milliseconds(LATEST)}", beside <= LATEST and is_whole, told,
    )  # fmt: skip
    rows, counted = _rows(installation.env["DATABASE_URL"])
    yield Figure(
        "rows that forged webhooks wrote", f"{rows - stored}", "0", rows == stored,
        f"{sum(outcome.statuses[401] for outcome in bad):,} refused; {counted} row for their number, written every "
        "ten seconds at most",
    )  # fmt: skip
    grown = after - before
    yield Figure(
        "memory they left", f"{grown:.1f} MB", f"≤ {MOST_MB} MB", grown <= MOST_MB, f"{after:.0f} MB at the end"
    )


async def _rounds(stage: Stage, port: int) -> tuple[list[Outcome], list[Outcome], list[Outcome]]:
    seconds = stage.profile.seconds * SECONDS_EACH
    quiet: list[Outcome] = []
    loud: list[Outcome] = []
    bad: list[Outcome] = []
    for _round in range(stage.profile.rounds):
        quiet.append(await paced(port, _good(seconds), GOOD_PER_SECOND))
        flood = asyncio.create_task(paced(port, _forged(seconds), BAD_PER_SECOND, connections=64))
        loud.append(await paced(port, _good(seconds), GOOD_PER_SECOND))
        bad.append(await flood)
    return quiet, loud, bad


def _good(seconds: float) -> list[bytes]:
    return webhooks.requests(max(int(GOOD_PER_SECOND * seconds), 20))


def _forged(seconds: float) -> list[bytes]:
    """Of the usual size: every second one signed with another secret, the others not at all."""
    body = webhooks.body(0)
    wrong = webhooks.signature(body + b" ")
    kinds = (
        request("POST", webhooks.PATH, body, Content_Type="application/json", X_Hub_Signature_256=wrong),
        request("POST", webhooks.PATH, body, Content_Type="application/json"),
    )
    return [kinds[number % 2] for number in range(int(BAD_PER_SECOND * seconds))]


def _middle(outcomes: list[Outcome], share: float) -> float:
    return statistics.median(outcome.quantile(share) for outcome in outcomes)


def _said(loud: list[Outcome], bad: list[Outcome]) -> tuple[str, bool]:
    """What came of both; whether every good one was stored and there was a flood beside them."""
    good = sum(sum(outcome.statuses.values()) for outcome in loud)
    taken = sum(outcome.statuses[200] for outcome in loud)
    forged = sum(outcome.statuses[401] for outcome in bad)
    rate = forged / sum(outcome.seconds for outcome in bad)
    told = f"{taken:,} of {good:,} stored; {rate:,.0f} forged ones/s refused, p99 {milliseconds(_middle(bad, 0.99))}"
    return told, taken == good and rate >= FLOODED * BAD_PER_SECOND


def _rows(url: str) -> tuple[int, int]:
    """How many webhooks are stored, and how many rows count the refused ones."""
    with psycopg.connect(url) as connection:
        (events,) = connection.execute("SELECT count(*) FROM conversations_webhookevent").fetchone() or (0,)
        (refused,) = connection.execute("SELECT count(*) FROM conversations_refusedwebhooks").fetchone() or (0,)
    return events, refused
