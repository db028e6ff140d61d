"""A small volume of its own for the database and the media, where this machine lets us mount one."""

import functools
import os
import subprocess
from pathlib import Path

BLOCK = 64 * 1024
FULL = 28  # ENOSPC


@functools.cache
def missing() -> str:
    """Why it cannot be done here; "" if it can. Moves this process into a mount namespace of its own: nothing is left
    mounted when it ends. To be called before any thread is started.
    """
    if os.geteuid() != 0:
        return "mounting needs root"
    try:
        os.unshare(os.CLONE_NEWNS)
    except OSError as error:
        return f"no mount namespace here ({error.strerror})"
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True, check=False)
    return done.stderr.strip()


def mount(folder: Path, megabytes: int) -> None:
    """A volume of this size over an existing, empty folder, with its owner."""
    of = folder.stat()
    options = f"size={megabytes}m,uid={of.st_uid},gid={of.st_gid},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def unmount(folder: Path) -> None:
    """Give the folder back."""
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def fill(path: Path) -> None:
    """Write a file until nothing more fits on its volume."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(BLOCK))
        except OSError as error:
            if error.errno != FULL:
                raise
