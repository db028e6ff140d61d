"""The table: one line per fault, the worst of the seeds."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.scenarios import Row

HEAD = ("fault", "ids", "webhooks", "messages", "sends", "kills", "lost", "doubled", "stuck", "recovery", "remarks")
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
EXAMPLES = 8


def table(rows: Sequence[Row]) -> str:
    """A Markdown table; counts of work are summed over the seeds, counts of harm are the worst seed's."""
    names = list(dict.fromkeys(row.scenario.name for row in rows))
    lines = [_cells([row for row in rows if row.scenario.name == name]) for name in names]
    widths = [max(len(line[column]) for line in [HEAD, *lines]) for column in range(len(HEAD) - 1)]
    return "\n".join(_line(cells, widths) for cells in (HEAD, ["-" * width for width in [*widths, 7]], *lines))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, [*widths, 0], strict=True)]
    return f"| {' | '.join(padded)} |"


def _cells(rows: Sequence[Row]) -> list[str]:
    scenario, ran = rows[0].scenario, [row for row in rows if not row.not_run]
    title = scenario.title.format(**asdict(rows[0].size))
    if not ran:
        return [title, scenario.ids, *["–"] * 8, f"*not run*: {rows[0].not_run}"]
    verdicts = [row.verdict for row in ran]
    total = (
        sum(row.posts for row in ran),
        sum(verdict.messages for verdict in verdicts),
        sum(verdict.sends for verdict in verdicts),
        sum(row.kills for row in ran),
    )
    worst = (
        max(len(verdict.lost) for verdict in verdicts),
        max(len(verdict.doubled) for verdict in verdicts),
        max(len(verdict.stuck) for verdict in verdicts),
    )
    recovery = f"{max(row.recovery for row in ran):.1f} s"
    return [title, scenario.ids, *(f"{count:,}" for count in (*total, *worst)), recovery, _remarks(ran)]


def _remarks(rows: Sequence[Row]) -> str:
    parts = []
    if any(row.verdict.disorder for row in rows):
        parts.append(f"{max(row.verdict.disorder for row in rows)} out of order")
    if any(row.verdict.quarantined for row in rows):
        parts.append(f"{max(len(row.verdict.quarantined) for row in rows)} quarantined")
    if any(row.verdict.settled for row in rows):
        parts.append(f"{sum(row.verdict.settled for row in rows)} sends settled by their status")
    if any(row.verdict.unknown for row in rows):
        parts.append(f"{sum(len(row.verdict.unknown) for row in rows)} sends unknown, never taken by Meta")
    if rows[0].scenario.all_taken:
        parts.append(f"{max(row.refused for row in rows)} not answered 200")
    if rows[-1].notes:
        parts.append("; ".join(rows[-1].notes))
    return "; ".join(parts)


def evidence(rows: Sequence[Row]) -> str:
    """What exactly went wrong, some of each."""
    lines = []
    for row in rows:
        for what in ("lost", "doubled", "stuck", "quarantined"):
            found = getattr(row.verdict, what)
            if found:
                lines.append(f"{row.scenario.name}, seed {row.seed}, {what} ({len(found)}):")
                lines += [f"    {one}" for one in found[:EXAMPLES]]
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Replace what stands between the marks of a document."""
    before, _begin, rest = path.read_text().partition(BEGIN)
    _old, _end, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
