"""Who looks at what is being made: set once per request, read where a user is not at hand (`crm.contacts.masking`)."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from crm.staff.models import User

_viewer: ContextVar[User | None] = ContextVar("_viewer", default=None)


@contextlib.contextmanager
def seen_by(user: User | None) -> Iterator[None]:
    """What is made inside is for this user; None: for nobody in particular, as in background work."""
    token = _viewer.set(user)
    try:
        yield
    finally:
        _viewer.reset(token)


def set_viewer(user: User) -> None:
    """From here on in this request: an API token has said whose it is."""
    _viewer.set(user)


def viewer() -> User | None:
    """Who looks; None in background work."""
    return _viewer.get()
