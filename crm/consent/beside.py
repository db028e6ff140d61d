"""The suppression list beside the database: what came onto it and left it, for whatever backup is restored.

A backup knows nothing of who has said no since it was made. So each change also stands in a file of this machine, which
is kept apart from the backups; like the list it holds keyed hashes, and no addresses.
"""

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from crm.consent.models import Purpose, Suppression
from crm.foundation import clock

FILE = "suppressed.txt"
PUT, LIFTED = "+", "-"

type Place = tuple[str, str, str]  # a channel, a purpose, a digest


def path() -> Path:
    """Where this machine writes them: whether, channel, purpose, hash, reason and when."""
    return settings.DATA_DIR / FILE


def note(rows: Iterable[Suppression], sign: str) -> None:
    """Write down what happens to these, whole lines, once this transaction is committed."""
    now = clock.now()
    lines = "".join(
        f"{sign} {row.channel} {row.purpose} {row.digest} {row.reason or '-'} "
        f"{(row.at if sign == PUT else now).isoformat()}\n"
        for row in rows
    )
    if lines:
        transaction.on_commit(lambda: _append(lines), robust=True)


def listed(files: Iterable[Path] = ()) -> dict[Place, Suppression]:
    """Who is on the list by what this machine's file and others say last. A line cut short is no line."""
    last: dict[Place, tuple[dt.datetime, bool, Suppression]] = {}
    for file in (path(), *files):
        for line in file.read_text("utf-8", "replace").splitlines() if file.exists() else ():
            found = _parsed(line)
            if found is not None:
                at, is_on, row = found
                place = (row.channel, row.purpose, row.digest)
                if place not in last or at >= last[place][0]:
                    last[place] = (at, is_on, row)
    return {place: row for place, (_at, is_on, row) in last.items() if is_on}


def _parsed(line: str) -> tuple[dt.datetime, bool, Suppression] | None:
    match line.split():
        case [("+" | "-") as sign, channel, purpose, digest, reason, when] if len(digest) == 64 and purpose in Purpose:
            try:
                at = dt.datetime.fromisoformat(when)
            except ValueError:
                return None
            row = Suppression(channel=channel, purpose=purpose, digest=digest, reason=reason[:30], at=at)
            return (at, sign == PUT, row) if at.tzinfo is not None else None
    return None


def _append(lines: str) -> None:
    with path().open("a", encoding="utf-8") as stream:
        stream.write(lines)
        stream.flush()
        os.fsync(stream.fileno())
