"""WhatsApp's limits for what we send: the one table that server and page use.

Source: Meta's Cloud API reference (messages, media, messaging limits, throughput), November 2026.
"""

import re
from typing import Any

TEXT_MAX = 4096
CAPTION_MAX = 1024
NOTE_MAX = 10_000
BUTTONS_MAX = 3
BUTTON_TITLE_MAX = 20
QUESTION_MAX = 1024  # the text above buttons
MB = 1024 * 1024

MEDIA: dict[str, tuple[int, tuple[str, ...]]] = {
    "image": (5 * MB, ("image/jpeg", "image/png")),
    "sticker": (500 * 1024, ("image/webp",)),
    "video": (16 * MB, ("video/mp4", "video/3gpp")),
    "audio": (16 * MB, ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg")),
    "document": (
        100 * MB,
        (
            "text/plain",
            "text/csv",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        ),
    ),
}
INBOUND_MAX = 100 * MB
# Messages per second of a number, by what Graph calls its level.
THROUGHPUT = {"STANDARD": 80, "HIGH": 1000}
_TIER = re.compile(r"TIER_(\d{1,6})(K?)", re.ASCII)


def kind_of_mime(mime_type: str) -> str | None:
    """As which kind of message a file of this type can be sent, None if WhatsApp does not take it."""
    bare = mime_type.partition(";")[0].strip().lower()
    return next((kind for kind, (_, mimes) in MEDIA.items() if bare in mimes), None)


def number_columns(number: dict[str, Any]) -> dict[str, Any]:
    """What of an inbox's columns Graph's record of its number tells: its display number, its messages per second."""
    columns: dict[str, Any] = {"display_phone_number": str(number.get("display_phone_number") or "")[:32]}
    throughput = number.get("throughput")
    level = throughput.get("level") if isinstance(throughput, dict) else None
    if isinstance(level, str) and level in THROUGHPUT:
        columns["sends_per_second"] = THROUGHPUT[level]
    return columns


def people_per_day(tier: object) -> int | None:
    """How many people may be written to first in 24 hours, from Graph's `TIER_250`, `TIER_10K` …; None: no limit, or
    one nobody knows.
    """
    found = _TIER.fullmatch(tier) if isinstance(tier, str) else None
    return int(found[1]) * (1000 if found[2] else 1) if found else None
