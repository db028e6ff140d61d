"""Encryption at rest: a ring of Fernet keys (the first encrypts, all decrypt) and a model field that uses it."""

import functools
from typing import Any

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

log = structlog.get_logger(__name__)


@functools.lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "ENCRYPTION_KEYS must be Fernet keys (32 bytes, url-safe base64), comma separated."
        ) from error


def key_ring() -> MultiFernet:
    """The installation's key ring from ENCRYPTION_KEYS; raises ImproperlyConfigured for a malformed key."""
    return _ring(tuple(settings.ENCRYPTION_KEYS))


def seal(data: bytes) -> bytes:
    """Encrypt bytes with the first key."""
    return key_ring().encrypt(data)


def unseal(token: bytes) -> bytes:
    """Decrypt what `seal` made; raises cryptography.fernet.InvalidToken if no key of the ring fits."""
    return key_ring().decrypt(token)


class EncryptedTextField(models.TextField):
    """Text that is readable in Python and encrypted in the database; cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return seal(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        try:
            return unseal(value.encode()).decode() if value else value
        except InvalidToken:  # fails closed: an empty secret signs nothing, an empty token is refused
            log.error("secret unreadable: its encryption key is not configured", field=str(self))
            return ""
