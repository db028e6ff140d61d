"""`python -m tests.faults`: hurt a real installation in every way we know and count what was lost, doubled or stuck."""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet
from django.conf import settings

from tests.faults import table
from tests.faults.harm import Size
from tests.faults.installation import Installation
from tests.faults.patience import until
from tests.faults.plan import SCENARIOS
from tests.faults.scenarios import STUCK_SECONDS, Play, Row, Scenario, sized

CHANGES = ("messages", "copies", "sends", "kills", "crashes", "flushes", "seconds")


def main() -> int:
    """Run what was asked for and print one table; exit code 1 if anything was lost, doubled or stuck."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings.configure(ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
    started = time.monotonic()
    try:
        rows = asyncio.run(Evening(options).run())
    except KeyboardInterrupt:
        return 130
    text = table.table(rows)
    seconds = time.monotonic() - started
    sys.stdout.write(f"\n{text}\n\nSeeds {', '.join(map(str, options.seeds))}; {seconds:.0f} s.\n")
    if options.write:
        table.write(options.write, text)
    if wrong := table.evidence(rows):
        sys.stdout.write(f"\n{wrong}\n")
    return 0 if all(row.is_clean for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--profile", choices=("quick", "full"), default="quick")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=[one.name for one in SCENARIOS], default=[])
    parser.add_argument("--webs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="0: the web processes do the background work")
    parser.add_argument("--at-once", type=int, default=1, help="how many seeds run at the same time")
    parser.add_argument("--overlap", action="store_true", help="the next fault comes while the last is recovered from")
    parser.add_argument("--write", type=Path, help="put the table between the marks of this file")
    parser.add_argument("--logs", type=Path, help="keep the processes' logs here")
    for name in CHANGES:
        parser.add_argument(f"--{name}", type=int, default=0, help=f"instead of the profile's {name}")
    return parser.parse_args()


class Evening:
    """All that was asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.chosen = [
            one for one in SCENARIOS if options.profile in one.sizes and (not options.only or one.name in options.only)
        ]
        # Before any thread is started: disk.missing.
        self.reasons = {one.name: reason for one in self.chosen if one.needs and (reason := one.needs())}
        self.gate = asyncio.Semaphore(options.at_once)

    async def run(self) -> list[Row]:
        """The rows, by scenario and seed."""
        seeds = await asyncio.gather(*(self._seed(seed) for seed in self.options.seeds))
        order = {scenario.name: place for place, scenario in enumerate(self.chosen)}
        rows = [row for rows in seeds for row in rows]
        return sorted(rows, key=lambda row: (order[row.scenario.name], row.seed))

    async def _seed(self, seed: int) -> list[Row]:
        able = [one for one in self.chosen if one.name not in self.reasons]
        rows = [
            Row(one, self._size(one), seed, not_run=self.reasons[one.name])
            for one in self.chosen
            if one.name in self.reasons
        ]
        async with self.gate:
            if self.options.overlap:
                return rows + await self._installation(able, seed, max(one.disk for one in able))
            for volume in sorted({one.disk for one in able}):
                rows += await self._installation([one for one in able if one.disk == volume], seed, volume)
        return rows

    async def _installation(self, scenarios: Sequence[Scenario], seed: int, volume: int) -> list[Row]:
        """Scenarios on one installation, one after the other or overlapping."""
        (key,), options = settings.ENCRYPTION_KEYS, self.options
        async with Installation(
            encryption_key=key, webs=options.webs, workers=options.workers, volume=volume
        ) as installation:
            plays = [self._play(installation, scenario, seed) for scenario in scenarios]
            try:
                if options.overlap:
                    return await self._overlapping(plays)
                return [await self._alone(play) for play in plays]
            finally:
                if options.logs:
                    _keep_logs(options.logs, installation, seed)

    def _size(self, scenario: Scenario) -> Size:
        return sized(scenario, self.options.profile, **{name: getattr(self.options, name) for name in CHANGES})

    def _play(self, installation: Installation, scenario: Scenario, seed: int) -> Play:
        return Play(installation, scenario, self._size(scenario), number=SCENARIOS.index(scenario), seed=seed)

    async def _alone(self, play: Play) -> Row:
        began = time.monotonic()
        row = await play.run()
        _tell(row, time.monotonic() - began)
        return row

    async def _overlapping(self, plays: Sequence[Play]) -> list[Row]:
        for play in plays:
            began = time.monotonic()
            await play.begin()
            await play.hurt()
            sys.stderr.write(f"{play.key}: {time.monotonic() - began:.0f} s\n")
        await asyncio.gather(*(play.finish() for play in plays))
        await until(plays[-1].is_idle, within=STUCK_SECONDS)  # the last of them may have given the others new work
        return [await play.judge() for play in plays]


def _tell(row: Row, seconds: float) -> None:
    verdict = row.verdict
    sys.stderr.write(
        f"{row.scenario.name} seed {row.seed}: {seconds:.0f} s, {verdict.messages} messages, {verdict.sends} sends,"
        f" {row.kills} kills, lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, stuck {len(verdict.stuck)},"
        f" recovery {row.recovery:.1f} s; {'; '.join(row.notes)}\n"
    )


def _keep_logs(folder: Path, installation: Installation, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in installation.cluster.parts:
        with contextlib.suppress(OSError):
            (folder / f"{seed}-{part.name}.log").write_text(part.log)


if __name__ == "__main__":
    sys.exit(main())
