"""Every benchmark still runs: tiny numbers, no word about speed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import PROGRAMS
from benchmarks.report import document, tables
from benchmarks.rows import Figure, Row
from benchmarks.stage import SMOKE, Stage

ROOT = Path(__file__).resolve().parent.parent
AREAS = {
    "ingest": ["ingest, PostgreSQL", "ingest, SQLite FULL", "ingest against", "ingest p99, SQLite"],
    "flood": ["beside 1,000 forged", "rows that forged", "memory they left"],
    "processing": ["processing, PostgreSQL", "processing, SQLite"],
    "pages": ["inbox page", "thread of", "contact search", "growth"],
    "administration": ["list of contacts", "list of messages", "webhooks", "audit log", "growth", "search of contacts"],
    "push": ["push to", "push latency"],
    "outbound": ["outbound, sender", "outbox with its database writes"],
    "journey": ["webhook to the agent's socket", "open sockets", "agent's reply", "joined", "what each handled"],
    "desk": ["first load", "interaction to next paint", "on one open inbox", "tasks above 50 ms", "cut off"],
    "segments": ["segment of four conditions", "preview of that segment", "freezing a segment"],
    "exchange": ["dry run of", "import of", "once more", "export of", "back", "killed and gone on with"],
    "one_process": ["one process on SQLite, memory", "the same, ingest p99", "the same, inbox page p99"],
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Servers and templates that all programs share."""
    with Stage(SMOKE, ROOT / "var/bench") as stage:
        yield stage


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_yields_its_rows(name: str, stage: Stage) -> None:
    found = list(PROGRAMS[name](stage))
    names = [one.area if isinstance(one, Row) else one.name for one in found]
    for area in AREAS[name]:
        assert any(area in given for given in names), (area, names)
    for row in found:
        if isinstance(row, Row):
            assert row.ratio is None or row.ratio > 0
            assert row.ratio is not None or row.reason  # what was not run says why


def test_the_document_holds_a_missed_goal_with_its_reason() -> None:
    rows = [
        Row("push", "5/s", "10/s", 0.5, "≥ 0.6 ×", False, "the writer task"),
        Row("x", "-", "-", None, "", None, "no"),
    ]
    text = document(rows, [Figure("memory", "90 MB", "≤ 200 MB", True)])
    assert "| **missed** | the writer task" in text
    assert "| met " in text
    assert tables(rows, []).count("\n") == 4
