"""EMAIL_URL in Django's words: `smtp://user:password@host:587`, `smtps://…`, or `console:`."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BACKENDS = "django.core.mail.backends"
SECONDS = 20


def mailers(url: str) -> dict[str, dict[str, Any]]:
    """The MAILERS setting. smtp: STARTTLS except to this machine; smtps: TLS from the start. Raises
    ImproperlyConfigured.
    """
    parts = urlsplit(url)
    if parts.scheme == "console":
        return {"default": {"BACKEND": f"{BACKENDS}.console.EmailBackend"}}
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL is smtp://user:password@host:587, smtps://… or console: (docs/sign-in.md)."
        )
    is_tls = parts.scheme == "smtps"
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    options = {
        "host": parts.hostname,
        "port": parts.port or (465 if is_tls else 25 if is_here else 587),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": is_tls,
        "use_tls": not is_tls and not is_here,
        "timeout": SECONDS,
    }
    return {"default": {"BACKEND": f"{BACKENDS}.smtp.EmailBackend", "OPTIONS": options}}
