"""The tables for the terminal, and docs/benchmarks.md with the machine they were measured on."""

import datetime as dt
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import FIGURE_HEAD, ROW_HEAD, Figure, Row, figure_cells, row_cells, table

INTRODUCTION = """# Benchmarks

Written by `make bench`: product and limit or peer interleaved in one run, medians of at least three rounds. The
product's process has one core; client and database have the other, unless a row says otherwise. Absolute numbers move
up to twofold between runs on shared machines: compare ratios. A missed goal stays in the table with its reason.
"""

REASONS = """## Why goals are missed

- **Ingest against the limit.** The limit stores nothing. The product seals each body (AES-GCM), hands it to a batcher
  in another thread, and answers only after a commit that is on the disk; database and client share the other core. With
  FULL synchronisation SQLite commits in the server's own process, which meanwhile answers nothing.
- **Ingest on SQLite beside drains and agents.** One process: pages, drains and ingest take turns at one interpreter and
  one writer. Whoever feels it moves to PostgreSQL and a worker (`docs/operations.md`).
- **Processing.** The hand-written statement knows nothing of edits, duplicates, parked updates, lanes, leases or
  quarantine. By profile the product's time goes into Django: a fifth writes messages of some 45 columns, a quarter
  builds and reads statements (about 25 for a batch), a tenth makes model objects, a tenth reads and checks the webhook.
  On SQLite a batch is 40 events, so that nobody waits long for the writer, and a single statement costs little there,
  which is what one-at-a-time has going for it.
- **Inbox page against naive annotations.** Where only 1,600 conversations are open, counting the naive way is not slow
  either: hand-written SQL itself misses this goal. Where it matters, over 300,000 rows, the goal is met.
- **Lists of the administration.** The statements of a page take under two milliseconds at any size and depth; the rest
  is HTML, and a page in Unfold's templates costs two to three times the processor time of one in Django's. Django's own
  time is that of its counts and offsets, which two cores share on the first page.
- **Push latency.** A hint goes through a queue per socket and a task that writes, so that one slow reader harms nobody;
  the bare registry writes straight away.
- **Sender.** An HTTP client (aiohttp) with connection pool, deadlines and parsed answers, beside a protocol that writes
  prepared bytes. pywa sequential is measured without its own retries and objects.
- **Outbox.** A message's way out is written down before each step: claimed, sending with its attempt, accepted, hints.
  That is what makes a kill harmless, and it is Django's time again. A worker manages twice a number's usual ceiling.
- **Webhook to socket, p50.** Three processes on two cores: stored by the web process, rung through PostgreSQL,
  processed by a worker, passed on by Redis; the client that measures shares the cores.
"""


def tables(rows: Sequence[Row], figures: Sequence[Figure]) -> str:
    """Both tables."""
    parts = []
    if rows:
        parts.append(table(ROW_HEAD, [row_cells(row) for row in rows]))
    if figures:
        parts.append(table(FIGURE_HEAD, [figure_cells(figure) for figure in figures]))
    return "\n\n".join(parts) + "\n"


def document(rows: Sequence[Row], figures: Sequence[Figure]) -> str:
    """The text of docs/benchmarks.md."""
    comparisons = table(ROW_HEAD, [row_cells(row) for row in rows])
    numbers = table(FIGURE_HEAD, [figure_cells(figure) for figure in figures])
    today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    return (
        f"{INTRODUCTION}\n{today}, {machine()}.\n\n## Against limits and peers\n\n{comparisons}\n\n"
        f"## End to end and alone\n\n{numbers}\n\n{REASONS}"
    )


def machine() -> str:
    """Processor, cores, system and versions, in one line."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    system = [line.partition("=")[2].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME")]
    parts = [
        f"{os.cpu_count()} cores ({names[0] if names else platform.machine()})",
        system[0] if system else platform.system(),
        f"Python {platform.python_version()}",
        *(_version(command) for command in (("psql", "--version"), ("redis-server", "--version"))),
    ]
    return ", ".join(part for part in parts if part)


def _version(command: tuple[str, ...]) -> str:
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    words = text.replace("v=", "").split()
    return f"PostgreSQL {words[2]}" if command[0] == "psql" else f"Redis {words[2]}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
