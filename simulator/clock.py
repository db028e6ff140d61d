"""The simulator's time: real time plus an offset in seconds that lives in a file others may read."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

KEPT_SECONDS = 0.2


class Clock:
    """Real time plus the offset in `path` (an integer; no file means 0)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._read_at = float("-inf")

    def now(self) -> float:
        """Seconds since 1970, moved by the offset."""
        return time.time() + self.offset()

    def offset(self) -> int:
        """The offset in seconds; what another process wrote is seen within 0.2 s."""
        if time.monotonic() - self._read_at > KEPT_SECONDS:
            self._offset = self._read()
            self._read_at = time.monotonic()
        return self._offset

    def move(self, offset: int) -> None:
        """Write a new offset so that no reader ever sees half a number."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        scratch.write_text(f"{offset}\n", encoding="ascii")
        scratch.replace(self._path)
        self._offset, self._read_at = offset, time.monotonic()

    def _read(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii").strip() or 0)
        except (OSError, ValueError):
            return 0


def iso(moment: float) -> str:
    """A moment as people and JSON read it: 2026-11-22T10:00:00.000Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
