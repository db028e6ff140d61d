"""`python -m benchmarks [--only NAME] [--quick] [--write]`: run the programs and print their tables."""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.processes import ROOT, Failed
from benchmarks.programs import (
    administration,
    desk,
    exchange,
    flood,
    ingest,
    journey,
    one_process,
    outbound,
    pages,
    processing,
    push,
    segments,
)
from benchmarks.report import document, tables
from benchmarks.rows import Figure, Row
from benchmarks.stage import FULL, QUICK, SMOKE, Profile, Stage

PROGRAMS: dict[str, Callable[[Stage], Iterator[Row | Figure]]] = {
    "ingest": ingest.run,
    "flood": flood.run,
    "processing": processing.run,
    "pages": pages.run,
    "administration": administration.run,
    "push": push.run,
    "outbound": outbound.run,
    "journey": journey.run,
    "one_process": one_process.run,
    "desk": desk.run,
    "segments": segments.run,
    "exchange": exchange.run,
}


def measure(names: list[str], profile: Profile, keep: Path) -> tuple[list[Row], list[Figure]]:
    """Run programs one after the other and print their tables; one that fails leaves a row that says so."""
    rows: list[Row] = []
    figures: list[Figure] = []
    for name in names:
        begun, before = time.monotonic(), (len(rows), len(figures))
        with Stage(profile, keep) as stage:
            try:
                for one in PROGRAMS[name](stage):
                    (rows if isinstance(one, Row) else figures).append(one)  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001 (the other programs' results are worth having)
                sys.stderr.write(f"{name}: {error if isinstance(error, Failed) else traceback.format_exc()}\n")
                reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:120]
                rows.append(Row(name, "not run", "–", None, "–", None, reason))
        sys.stdout.write(
            f"{name}, {time.monotonic() - begun:.0f} s\n{tables(rows[before[0] :], figures[before[1] :])}\n"
        )
        sys.stdout.flush()
    return rows, figures


def main() -> int:
    """Exit code 1 if a program could not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PROGRAMS, help="one program; may be given several times")
    parser.add_argument("--quick", action="store_true", help="shorter rounds, for a first look")
    parser.add_argument("--smoke", action="store_true", help="tiny numbers: does everything still run?")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # everything it started ends with it
    keep = ROOT / "var/bench"
    keep.mkdir(parents=True, exist_ok=True)
    profile = SMOKE if options.smoke else QUICK if options.quick else FULL
    rows, figures = measure(options.only or list(PROGRAMS), profile, keep)
    if options.write:
        (ROOT / "docs/benchmarks.md").write_text(document(rows, figures))
    return int(any(row.product == "not run" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
