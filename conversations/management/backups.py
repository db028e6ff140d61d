"""A backup as a folder: the database, the files and a manifest that says what must be in it.

The folder gets its name only when it is whole. `ENCRYPTION_KEYS` and other secrets of the environment are not in it.
"""

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import TextField
from django.db.models.functions import Cast

from conversations.live.models import LiveHint
from conversations.messaging.models import SendFence
from crm.foundation import clock, dumps
from crm.foundation.files import PART
from crm.foundation.secrets import EncryptedTextField, InvalidToken, unseal

FORMAT = 1
MANIFEST = "manifest.json"
MEDIA = "media"
# Not counted: a restore empties or fills these.
FLEETING = (Session, LiveHint, SendFence)


class BadBackup(Exception):
    """The folder is no backup, or not one for this installation; the text says why."""


@dataclass
class Manifest:
    """What a backup holds."""

    format: int
    version: str
    made_at: str
    vendor: str
    server: str
    database_file: str
    database_bytes: int
    database_sha256: str
    migrations: list[list[str]]
    counts: dict[str, int]
    media_files: int
    media_bytes: int
    # Fingerprints of the keys its secrets were encrypted with.
    keys: list[str]


def write(folder: Path) -> Manifest:
    """Make a backup in `folder`, which must not exist or be empty. Raises BadBackup, DumpFailed, OSError."""
    folder = folder.absolute()
    part = folder.with_name(f"{folder.name}.partial")
    if folder.exists() and any(folder.iterdir()):
        raise BadBackup(f"{folder} is not empty. Give each backup a folder of its own, e.g. one named by the date.")
    if part.exists():
        raise BadBackup(f"{part} is there: another backup is running, or one was interrupted. Then delete it first.")
    part.mkdir(parents=True, mode=0o700)
    try:
        manifest = _fill(part)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return manifest


def read(folder: Path) -> Manifest:
    """The manifest of a whole and intact backup for this kind of database. Raises BadBackup."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**told)
    except FileNotFoundError:
        raise BadBackup(f"{folder} is not a whole backup: it has no {MANIFEST}.") from None
    except (ValueError, TypeError) as error:
        raise BadBackup(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise BadBackup(f"This backup has format {manifest.format}; this version of the product reads {FORMAT}.")
    if manifest.vendor != connection.vendor:
        raise BadBackup(f"This is a backup of {manifest.vendor}, but DATABASE_URL names {connection.vendor}.")
    dump = folder / manifest.database_file
    if not dump.is_file() or checksum(dump) != manifest.database_sha256:
        raise BadBackup(f"{dump} is missing or damaged: its SHA-256 is not the one in the manifest.")
    files, size = measure(folder / MEDIA)
    if (files, size) != (manifest.media_files, manifest.media_bytes):
        raise BadBackup(
            f"{folder / MEDIA} has {files} files with {size} bytes; the manifest says {manifest.media_files} with"
            f" {manifest.media_bytes}."
        )
    unknown = {tuple(name) for name in manifest.migrations} - set(MigrationLoader(None).disk_migrations)
    if unknown:
        raise BadBackup(
            f"This backup was made by version {manifest.version} with migrations this version ({code_version()}) does"
            f" not know, e.g. {'.'.join(min(unknown))}. Install that version or a newer one."
        )
    return manifest


def copy_files(source: Path, target: Path) -> tuple[int, int]:
    """Bring every whole file below `source` to `target`, as a hard link where the disk is the same (files are never
    changed once written); returns how many and their bytes. One deleted meanwhile is left out.
    """
    files = size = 0
    target.mkdir(parents=True, exist_ok=True)
    for path in _whole_files(source):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        try:
            _bring(path, there)
        except FileNotFoundError:
            continue
        files, size = files + 1, size + there.stat().st_size
    return files, size


def remove_files(source: Path, target: Path) -> None:
    """Take away again what `copy_files` has brought."""
    for path in _whole_files(source):
        target.joinpath(path.relative_to(source)).unlink(missing_ok=True)


def measure(folder: Path) -> tuple[int, int]:
    """How many files lie below `folder`, and their bytes."""
    sizes = [path.stat().st_size for path in _whole_files(folder)]
    return len(sizes), sum(sizes)


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprints() -> list[str]:
    """A short name of each configured encryption key that tells nothing of it."""
    return [hashlib.sha256(b"ventanilla key " + key.encode()).hexdigest()[:12] for key in settings.ENCRYPTION_KEYS]


def unreadable_secrets() -> int:
    """How many stored secrets no configured key opens."""
    count = 0
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, EncryptedTextField):
                sealed = model._default_manager.values_list(Cast(field.name, TextField()), flat=True)
                count += sum(not _opens(value) for value in sealed.iterator() if value)
    return count


def code_version() -> str:
    """The version of this code."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _fill(part: Path) -> Manifest:
    dump = part / dumps.file_name()
    migrations = _applied()
    counts = dumps.write(dump, [model._meta.db_table for model in apps.get_models() if model not in FLEETING])
    # After the database: every file it speaks of has been written before.
    files, size = copy_files(Path(settings.MEDIA_ROOT), part / MEDIA)
    manifest = Manifest(
        format=FORMAT,
        version=code_version(),
        made_at=clock.real().isoformat(timespec="seconds"),
        vendor=connection.vendor,
        server=dumps.server_version(),
        database_file=dump.name,
        database_bytes=dump.stat().st_size,
        database_sha256=checksum(dump),
        migrations=migrations,
        counts=counts,
        media_files=files,
        media_bytes=size,
        keys=fingerprints(),
    )
    _write_durably(part / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


def _opens(value: str) -> bool:
    try:
        unseal(value.encode())
    except InvalidToken:
        return False
    return True


def _applied() -> list[list[str]]:
    return sorted([app, name] for app, name in MigrationLoader(connection).applied_migrations)


def _whole_files(folder: Path) -> Iterator[Path]:
    for path, _folders, names in os.walk(folder):
        yield from (Path(path, name) for name in sorted(names) if not name.endswith(PART) and name[:1] != ".")


def _bring(path: Path, there: Path) -> None:
    try:
        os.link(path, there)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copy2(path, there)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
