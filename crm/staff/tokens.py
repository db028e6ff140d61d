"""API tokens: `vt_` + 40 random characters, shown once, kept as SHA-256 (random secrets need no salt)."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable

from django.db import transaction

from crm.audit import log
from crm.foundation import clock
from crm.staff.models import ApiToken, User

PREFIX = "vt_"
READ_ONLY = ("addresses", "inboxes", "staff", "webhook-events")
RESOURCES = (
    "attributes",
    "canned-answers",
    "contacts",
    "conversations",
    "imports",
    *READ_ONLY,
    "messages",
    "privacy",
    "products",
    "segments",
    "stages",
    "tags",
)
# `read` and `write` open every resource, `contacts:read` and the like one.
SCOPES = (
    "read",
    "write",
    *(
        f"{name}:{verb}"
        for name in sorted(RESOURCES)
        for verb in ("read", "write")
        if verb == "read" or name not in READ_ONLY
    ),
)
_USE_RESOLUTION = dt.timedelta(minutes=1)


def issue(user: User, scopes: Iterable[str], *, name: str = "", expires_at: dt.datetime | None = None) -> str:
    """Make a token and return its text, the only time it can be read; raises ValueError for an unknown scope."""
    scopes = sorted(set(scopes))
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ValueError(f"Unknown scope {', '.join(unknown)!r}: use some of {', '.join(SCOPES)}.")
    text = PREFIX + secrets.token_urlsafe(30)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name, prefix=text[:8], digest=digest(text), scopes=scopes, expires_at=expires_at
        )
        log.created(token)
    return text


def find(text: str) -> ApiToken | None:
    """The live token with this text and an active user, or None; notes its use at most once a minute."""
    token = ApiToken.objects.select_related("user").filter(digest=digest(text), revoked_at=None).first()
    now = clock.real()
    if token is None or not token.user.is_active or (token.expires_at and token.expires_at <= now):
        return None
    if token.last_used_at is None or now - token.last_used_at > _USE_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def opens(token: ApiToken, resource: str, verb: str) -> bool:
    """Whether the scopes of a token allow to `read` or `write` a resource; never one that nobody knows."""
    return resource in RESOURCES and bool({verb, f"{resource}:{verb}"} & set(token.scopes))


def hides_addresses(token: ApiToken) -> bool:
    """Whether phones and e-mail addresses are masked: a narrow token shows them with the scope `addresses:read`."""
    return not {"read", "write", "addresses:read"} & set(token.scopes)


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
