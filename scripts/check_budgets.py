"""Keeps files, functions and the inbox's own JavaScript small, and prints how large they are."""

import ast
import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE_LINES = 400
FUNCTION_LINES = 50
INBOX_SCRIPTS = Path("static/inbox")
FIRST_SCRIPT = "app.js"
EAGER_GZIPPED_BYTES = 20_000  # what every page of the inbox loads before it is ready
LAZY_GZIPPED_BYTES = 4_500  # a module that comes with import() when somebody first needs it: each
IMPORTED = re.compile(r'^(?:import|export)\b[^;]*?from "\./([\w-]+\.js)"|^import "\./([\w-]+\.js)"', re.MULTILINE)


class Measure(NamedTuple):
    """How many lines one file or function has."""

    lines: int
    place: str


def project_files(*patterns: str) -> list[Path]:
    """The project's own files that git tracks or would track, without migrations and vendored ones."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (Path(name) for name in listing.split("\0") if name)
    return sorted({path for path in paths if path.is_file() and not {"migrations", "vendor"} & set(path.parts)})


def measure_functions(path: Path, source: str) -> Iterator[Measure]:
    """The length of each function, its decorators left out."""
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield Measure(node.end_lineno - node.lineno + 1, f"{path}:{node.lineno} {node.name}")


def eager_scripts() -> set[str]:
    """The modules that `app.js` imports, directly or not, before it runs."""
    found, waiting = set[str](), [FIRST_SCRIPT]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one or other for one, other in IMPORTED.findall((INBOX_SCRIPTS / name).read_text())]
    return found


def gzipped(paths: list[Path]) -> int:
    """Bytes of all of them together, as one download would be."""
    return len(gzip.compress("".join(path.read_text() for path in paths).encode(), mtime=0))


def main() -> int:
    """Print the totals; the exit code is 1 when something is over its budget."""
    files: list[Measure] = []
    functions: list[Measure] = []
    totals = {".py": 0, ".js": 0, "tests": 0}
    scripts: list[Path] = []
    for path in project_files("*.py", "*.js"):
        source = path.read_text()
        is_test = path.parts[0] == "tests"
        lines = source.count("\n")
        files.append(Measure(lines, str(path)))
        totals["tests" if is_test else path.suffix] += lines
        if path.parent == INBOX_SCRIPTS and path.suffix == ".js":
            scripts.append(path)
        if path.suffix == ".py" and not is_test:
            functions.extend(measure_functions(path, source))

    eager = eager_scripts()
    at_once = gzipped([path for path in scripts if path.name in eager])
    later = {path.name: gzipped([path]) for path in scripts if path.name not in eager}
    over = [f"{m.place} has {m.lines} lines; a file has at most {FILE_LINES}" for m in files if m.lines > FILE_LINES]
    over += [
        f"{m.place} has {m.lines} lines; a function has at most {FUNCTION_LINES}"
        for m in functions
        if m.lines > FUNCTION_LINES
    ]
    if at_once > EAGER_GZIPPED_BYTES:
        over.append(f"the scripts the inbox loads at once have {at_once} bytes gzipped; at most {EAGER_GZIPPED_BYTES}")
    over += [
        f"{name} has {size} bytes gzipped; a script that is loaded later has at most {LAZY_GZIPPED_BYTES}"
        for name, size in later.items()
        if size > LAZY_GZIPPED_BYTES
    ]

    print(f"{totals['.py']} lines of Python, {totals['.js']} of JavaScript, {totals['tests']} of tests")
    for what, measures in (("file", files), ("function", functions)):
        if measures:
            print(f"largest {what}: {max(measures).lines} lines, {max(measures).place}")
    print(f"scripts of the inbox gzipped: {at_once} bytes at once, {sum(later.values())} later in {len(later)} modules")
    print("\n".join(over), file=sys.stderr, end="\n" if over else "")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
