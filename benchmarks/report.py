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
        f"## End to end and alone\n\n{numbers}\n"
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
