"""Importing 100,000 rows: tried, imported, killed and gone on with, changed, once more, taken back; and exports."""

from collections.abc import Iterator
from typing import Any

from benchmarks.processes import Failed, Side
from benchmarks.rows import Figure, Row
from benchmarks.stage import Stage

ROWS = 100_000
GOAL_SECONDS = 120
GOAL_MB = 300


def run(stage: Stage) -> Iterator[Row | Figure]:
    """One installation where nothing happens to it, one where the process is killed half way."""
    rows = stage.profile.many(ROWS, 500)
    with stage.side("benchmarks.sides.exchange", stage.installation()) as side:
        job = _uploaded(side, rows, "Company")
        yield _figure(f"dry run of {rows:,} rows", _done(side.ask("check", job=job)))
        yield _figure(f"import of {rows:,} rows with consents", _done(side.ask("commit", job=job)))
        whole = side.ask("state")
        yield from _killed(stage, rows, whole)
        for kind in ("csv", "xlsx"):
            yield _figure(f"export of {rows:,} contacts, {kind.upper()}", _done(side.ask("export", format=kind)))
        changes = _uploaded(side, rows, "Other")
        _done(side.ask("check", job=changes))
        yield _figure(f"{rows:,} rows that change known contacts", _done(side.ask("commit", job=changes)))
        yield _figure("taking the changes back", _done(side.ask("undo", job=changes)))
        again = _uploaded(side, rows, "Company")
        _done(side.ask("check", job=again))
        yield _figure(f"the first {rows:,} rows once more", _done(side.ask("commit", job=again)))


def _uploaded(side: Side, rows: int, company: str) -> int:
    return int(side.ask("upload", rows=rows, company=company)["job"])


def _killed(stage: Stage, rows: int, whole: str) -> Iterator[Figure]:
    installation = stage.installation()
    with stage.side("benchmarks.sides.exchange", installation) as side:
        job = _uploaded(side, rows, "Company")
        _done(side.ask("check", job=job))
        _dies(side, job, rows // 2)
    with stage.side("benchmarks.sides.exchange", installation) as side:
        rest = _done(side.ask("commit", job=job))
        is_same = side.ask("state") == whole
        note = f"SIGKILL after {rows // 2:,} rows; the rest took {rest['seconds']:.1f} s in another process"
        yield Figure("killed and gone on with: the same end state", "yes" if is_same else "no", "yes", is_same, note)
        yield _figure(f"taking {rows:,} rows back", _done(side.ask("undo", job=job)))
        left = side.ask("left")
        yield Figure("contacts and what hangs on them afterwards", f"{left:,}", "0", left == 0, "")


def _dies(side: Side, job: int, after: int) -> None:
    try:
        side.ask("commit", job=job, die_after=after)
    except Failed:
        return
    raise Failed("the import was over before it could be killed")


def _done(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["state"] != "done":
        raise Failed(answer["problem"] or answer["state"])
    return answer


def _figure(name: str, answer: dict[str, Any]) -> Figure:
    seconds, peak = answer["seconds"], answer["peak_mb"]
    is_met = seconds <= GOAL_SECONDS and peak <= GOAL_MB
    goal = f"≤ {GOAL_SECONDS} s, ≤ {GOAL_MB} MB"
    return Figure(name, f"{seconds:.1f} s, at most {peak} MB", goal, is_met, str(answer.get("counts", "")))
