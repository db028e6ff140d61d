"""Keyed hashes of addresses: whoever reads the database cannot try out numbers, and equal ones are still found."""

import base64
import functools
import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


@functools.lru_cache(maxsize=64)
def _key(key: str, use: str) -> bytes:
    material = base64.urlsafe_b64decode(key)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"ventanilla digest {use}".encode()).derive(material)


def digest(text: str, *, use: str) -> str:
    """HMAC-SHA256 in hex under the ring's first key; the same text has another digest for another `use`."""
    return digests(text, use=use)[0]


def digests(text: str, *, use: str) -> list[str]:
    """The text's digest under every key of the ring, the first key's first: a digest is looked for by all of them."""
    keys = [_key(key, use) for key in settings.ENCRYPTION_KEYS]
    return [hmac.new(key, text.encode(), hashlib.sha256).hexdigest() for key in keys]
