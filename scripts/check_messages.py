"""Keeps the translations complete and compiled; with --write it collects the texts and compiles what is translated."""

import contextlib
import gettext
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("config", "conversations", "catalog", "crm", "simulator", "templates", "static", "locale")
IGNORED = ("migrations", "vendor", "__pycache__")
LANGUAGE = "es"
CATALOGUE = Path("locale", LANGUAGE, "LC_MESSAGES", "django.po")
COMPILED = CATALOGUE.with_suffix(".mo")


@contextlib.contextmanager
def collected() -> Iterator[Path]:
    """A copy of the sources, with their catalogue brought up to date."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in FOLDERS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns(*IGNORED))
        (copy / CATALOGUE).parent.mkdir(parents=True, exist_ok=True)
        options = ["--locale", LANGUAGE, "--no-location", "--no-obsolete"]
        run([sys.executable, "-m", "django", "makemessages", *options], copy)
        yield copy


def compile_catalogue(tree: Path) -> None:
    """Compile the catalogue under this tree; gettext refuses one whose placeholders differ."""
    run(["msgfmt", "--check-header", "--check-format", "--output-file", str(COMPILED), str(CATALOGUE)], tree)


def run(command: list[str], tree: Path) -> str:
    """The output of a command run there; its complaint ends the program."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def texts(output: str) -> list[str]:
    """The source texts in a piece of catalogue, without its header."""
    found = (re.search(r'^msgid ((?:".*"\n)+)', entry + "\n", re.MULTILINE) for entry in output.split("\n\n"))
    joined = ("".join(line.strip()[1:-1] for line in match[1].splitlines()) for match in found if match)
    return [text for text in joined if text]


def read_compiled(path: Path) -> dict[object, str]:
    """What a compiled catalogue answers for each text."""
    with path.open("rb") as file:
        translations = gettext.GNUTranslations(file)
    return {key: text for key, text in vars(translations)["_catalog"].items() if key != ""}


def problems() -> list[str]:
    """What is untranslated, uncertain or not compiled, a sentence each."""
    if not (ROOT / CATALOGUE).exists() or not (ROOT / COMPILED).exists():
        return [f"{CATALOGUE} or {COMPILED} is missing: run make messages"]
    with collected() as copy:
        found = [
            f"{fault}: {text}"
            for fault, option in (("untranslated", "--untranslated"), ("fuzzy", "--only-fuzzy"))
            for text in texts(run(["msgattrib", "--no-obsolete", "--no-wrap", option, str(CATALOGUE)], copy))
        ]
        shutil.copy(ROOT / CATALOGUE, copy / CATALOGUE)
        compile_catalogue(copy)
        if read_compiled(ROOT / COMPILED) != read_compiled(copy / COMPILED):
            found.append(f"{COMPILED} is not compiled from its source: run make messages")
        return found


def main() -> int:
    """Check, or with --write collect and compile; the exit code is 1 when a translation is missing."""
    if "--write" in sys.argv[1:]:
        with collected() as copy:
            (ROOT / CATALOGUE).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(copy / CATALOGUE, ROOT / CATALOGUE)
        compile_catalogue(ROOT)
        return 0
    found = problems()
    print("\n".join(found) or "Every text has its Spanish translation.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
