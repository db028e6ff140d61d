"""Append-only files of JSON lines: what Meta's side was told and has told, readable while it is being written."""

import json
from pathlib import Path
from typing import Any


class Journal:
    """One file; a line is with the operating system when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, *entries: dict[str, Any]) -> None:
        """Append lines."""
        self._file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))


def read(path: Path) -> list[dict[str, Any]]:
    """All lines; a missing file has none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
