"""`python -m tests.faults`: hurt a real installation in every way we know and count what was lost, doubled or stuck."""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults import table
from tests.faults.installation import Installation
from tests.faults.plan import SCENARIOS
from tests.faults.scenarios import Play, Row, Scenario, sized

CHANGES = ("messages", "copies", "sends", "kills", "crashes", "flushes", "seconds")


def main() -> int:
    """Run what was asked for and print one table; exit code 1 if anything was lost, doubled or stuck."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = [one for one in SCENARIOS if not options.only or one.name in options.only]
    reasons = {one.name: one.needs() for one in chosen if one.needs}  # before any thread: disk.missing
    started = time.monotonic()
    try:
        rows = asyncio.run(_run(options, chosen, reasons))
    except KeyboardInterrupt:
        return 130
    text = table.table(rows)
    seconds = time.monotonic() - started
    sys.stdout.write(f"\n{text}\n\nSeeds {', '.join(map(str, options.seeds))}; {seconds:.0f} s.\n")
    if options.write:
        table.write(options.write, text)
    clean = all(row.is_clean for row in rows)
    if not clean or any(row.verdict.quarantined for row in rows):
        sys.stdout.write(f"\n{table.evidence(rows)}\n")
    return 0 if clean else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--profile", choices=("quick", "full"), default="quick")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=[one.name for one in SCENARIOS], default=[])
    parser.add_argument("--webs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="0: the web processes do the background work")
    parser.add_argument("--at-once", type=int, default=1, help="how many seeds run at the same time")
    parser.add_argument("--write", type=Path, help="put the table between the marks of this file")
    parser.add_argument("--logs", type=Path, help="keep the processes' logs here")
    for name in CHANGES:
        parser.add_argument(f"--{name}", type=int, default=0, help=f"instead of the profile's {name}")
    return parser.parse_args()


async def _run(options: argparse.Namespace, chosen: Sequence[Scenario], reasons: dict[str, str]) -> list[Row]:
    gate = asyncio.Semaphore(options.at_once)

    async def one(seed: int) -> list[Row]:
        async with gate:
            return await _run_seed(options, chosen, reasons, seed)

    rows = [row for rows in await asyncio.gather(*(one(seed) for seed in options.seeds)) for row in rows]
    order = {scenario.name: place for place, scenario in enumerate(chosen)}
    return sorted(rows, key=lambda row: (order[row.scenario.name], row.seed))


async def _run_seed(
    options: argparse.Namespace, chosen: Sequence[Scenario], reasons: dict[str, str], seed: int
) -> list[Row]:
    """All scenarios of one seed: those with a volume of their own on one, the others on another installation."""
    rows: list[Row] = []
    for disk in sorted({scenario.disk for scenario in chosen}):
        here = [scenario for scenario in chosen if scenario.disk == disk]
        rows += [Row(one, seed, not_run=reasons[one.name]) for one in here if reasons.get(one.name)]
        able = [one for one in here if not reasons.get(one.name)]
        if able:
            async with Installation(webs=options.webs, workers=options.workers, volume=disk) as installation:
                for scenario in able:
                    rows.append(await _play(options, installation, scenario, seed))
                _keep_logs(options.logs, installation, seed)
    return rows


async def _play(options: argparse.Namespace, installation: Installation, scenario: Scenario, seed: int) -> Row:
    size = sized(scenario, options.profile, **{name: getattr(options, name) for name in CHANGES})
    began = time.monotonic()
    row = await Play(installation, scenario, size, number=SCENARIOS.index(scenario), seed=seed).run()
    verdict = row.verdict
    sys.stderr.write(
        f"{scenario.name} seed {seed}: {time.monotonic() - began:.0f} s, {verdict.messages} messages,"
        f" {verdict.sends} sends, {row.kills} kills, lost {len(verdict.lost)}, doubled {len(verdict.doubled)},"
        f" stuck {len(verdict.stuck)}, recovery {row.recovery:.1f} s, {'; '.join(row.notes)}\n"
    )
    return row


def _keep_logs(folder: Path | None, installation: Installation, seed: int) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for part in [*installation.cluster.parts]:
        with contextlib.suppress(OSError):
            (folder / f"{seed}-{part.name}.log").write_text(part.log)


if __name__ == "__main__":
    sys.exit(main())
