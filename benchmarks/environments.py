"""The peers' environment: a virtual environment of its own under var/bench/env, filled by pip from PyPI."""

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import ALL_CORES, on

PACKAGES = ("django~=6.1.0", "psycopg[binary]~=3.3", "gunicorn", "pywa")
INSTALL_SECONDS = 300


class NotThere(Exception):
    """The peers cannot be installed here; the text says why in one line."""


def peers(folder: Path) -> str:
    """The Python of the peers' environment, made at the first use; raises NotThere."""
    python, marker = folder / "env/bin/python", folder / "env/complete"
    if marker.exists() and marker.read_text() == repr(PACKAGES):
        return str(python)
    try:
        with on(ALL_CORES):
            subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True, capture_output=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            subprocess.run([*command, *PACKAGES], check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise NotThere(f"the peers' packages could not be installed ({type(error).__name__})") from error
    marker.write_text(repr(PACKAGES))
    return str(python)
