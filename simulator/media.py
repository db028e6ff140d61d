"""Media files: what may be uploaded, where the bytes lie, how long ids and addresses live."""

import asyncio
import hashlib
import hmac
import secrets
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from simulator.clock import Clock
from simulator.store import Store

MB = 1024 * 1024
DAY = 24 * 3600
UPLOADED_LIFE, INBOUND_LIFE, ADDRESS_LIFE = 30 * DAY, 7 * DAY, 300  # seconds
LARGEST = 100 * MB

_OFFICE = "application/vnd.openxmlformats-officedocument."
# kind: (largest size in bytes, MIME types). Source: Meta's page of supported media.
UPLOADS: dict[str, tuple[int, frozenset[str]]] = {
    "audio": (16 * MB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"})),
    "document": (
        100 * MB,
        frozenset(
            {"text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel"}
            | {"application/vnd.ms-powerpoint", f"{_OFFICE}wordprocessingml.document"}
            | {f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation"}
        ),
    ),
    "image": (5 * MB, frozenset({"image/jpeg", "image/png"})),
    "sticker": (500 * 1024, frozenset({"image/webp"})),
    "video": (16 * MB, frozenset({"video/mp4", "video/3gpp"})),
}

SAMPLES = Path(__file__).parent / "samples"
# kind: (file, MIME type, file name a customer would send)
SAMPLE_FILES: dict[str, tuple[str, str, str]] = {
    "image": ("photo.jpg", "image/jpeg", "foto.jpg"),
    "video": ("video.mp4", "video/mp4", "video.mp4"),
    "audio": ("audio.mp3", "audio/mpeg", "audio.mp3"),
    "voice": ("voice.ogg", "audio/ogg; codecs=opus", "voz.ogg"),
    "document": ("document.pdf", "application/pdf", "parte-de-accidente.pdf"),
    "sticker": ("sticker.webp", "image/webp", "sticker.webp"),
}


def kind_of(mime_type: str) -> str | None:
    """Which kind of message a MIME type may be uploaded for; None: Meta takes no such file."""
    plain = mime_type.split(";")[0].strip().lower()
    return next((kind for kind, (_, types) in UPLOADS.items() if plain in types), None)


@dataclass(frozen=True)
class Medium:
    """One file the simulator keeps; `expires_at` is by the simulator's clock."""

    id: str
    waba_id: str
    mime_type: str
    filename: str | None
    sha256: str
    file_size: int
    expires_at: float


class MediaStore:
    """Keeps the files in a folder, what is known of them in the database."""

    def __init__(self, store: Store, clock: Clock, folder: Path) -> None:
        self._store, self._clock, self._folder = store, clock, folder

    def path(self, medium: Medium) -> Path:
        """Where the bytes lie."""
        return self._folder / medium.id

    async def keep(
        self, source: BinaryIO, *, waba_id: str, mime_type: str, filename: str | None, life: float
    ) -> Medium:
        """Copy a file in and give it an id that lives `life` seconds."""
        key = str(secrets.randbelow(9 * 10**15) + 10**15)
        sha256, size = await asyncio.to_thread(self._copy, source, self._folder / key)
        medium = Medium(key, waba_id, mime_type, filename, sha256, size, self._clock.now() + life)
        values = (key, waba_id, mime_type, filename, sha256, size, medium.expires_at)
        sql = "INSERT INTO media VALUES (?, ?, ?, ?, ?, ?, ?)"
        await self._store.run(lambda connection: connection.execute(sql, values))
        return medium

    async def sample(self, kind: str, *, waba_id: str, life: float) -> Medium:
        """A file of this kind that comes with the simulator."""
        name, mime_type, filename = SAMPLE_FILES[kind]
        with await asyncio.to_thread((SAMPLES / name).open, "rb") as source:
            return await self.keep(source, waba_id=waba_id, mime_type=mime_type, filename=filename, life=life)

    async def get(self, key: str) -> Medium | None:
        """The file with this id, unless its time is over."""

        def work(connection: sqlite3.Connection) -> sqlite3.Row | None:
            return connection.execute("SELECT * FROM media WHERE id = ?", (key,)).fetchone()

        row = await self._store.run(work)
        if row is None or row["expires_at"] < self._clock.now():
            return None
        return Medium(*tuple(row))

    async def delete(self, medium: Medium) -> None:
        """Forget a file and its id."""
        await self._store.run(lambda connection: connection.execute("DELETE FROM media WHERE id = ?", (medium.id,)))
        await asyncio.to_thread(self.path(medium).unlink, missing_ok=True)

    async def query(self, medium: Medium) -> str:
        """The query string of a download address that works for 5 minutes of the simulator's clock."""
        until = int(self._clock.now()) + ADDRESS_LIFE
        return f"mid={medium.id}&ext={until}&hash={await self._hash(medium.id, until)}"

    async def is_valid(self, key: str, until: str, hash_given: str) -> bool:
        """Whether a download address was issued here and is not older than 5 minutes."""
        if not until.isascii() or not until.isdecimal() or int(until) < self._clock.now():
            return False
        return hmac.compare_digest(await self._hash(key, int(until)), hash_given)

    async def _hash(self, key: str, until: int) -> str:
        secret = await self._store.fact("media address secret", secrets.token_hex(32))
        return hmac.new(bytes.fromhex(secret), f"{key} {until}".encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def _copy(source: BinaryIO, target: Path) -> tuple[str, int]:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        with target.open("rb") as copy:
            return hashlib.file_digest(copy, "sha256").hexdigest(), target.stat().st_size
