"""WhatsApp message ids: the same message may be quoted under an id wrapped for another phone or a LID."""

import base64
import binascii
import re

_CORE = re.compile(rb"[0-9A-F]{16,}")


def core(wamid: str) -> str:
    """The message's own hexadecimal id inside a wamid; "" where there is none."""
    if not wamid.startswith("wamid."):
        return ""
    text = wamid.removeprefix("wamid.").encode("ascii", "ignore")
    try:
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    found = _CORE.findall(decoded)
    return found[-1].decode() if found else ""
