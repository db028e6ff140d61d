"""The signature of a webhook: `X-Hub-Signature-256: sha256=<hmac of the exact body>`."""

import hashlib
import hmac
from collections.abc import Iterable

PREFIX = b"sha256="


def sign(secret: str, body: bytes) -> str:
    """The header's value for `body`; raises ValueError for an empty secret, with which anybody could sign."""
    if not secret.strip():
        raise ValueError("an empty app secret signs nothing")
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def matching(header: bytes, body: bytes, secrets: Iterable[str]) -> list[str]:
    """The secrets whose signature the header carries; compares bytes in constant time, [] for any malformed header."""
    if not header.startswith(PREFIX) or len(header) != len(PREFIX) + 64:
        return []
    return [secret for secret in secrets if secret.strip() and hmac.compare_digest(header, sign(secret, body).encode())]
