"""The key to a conversation's group: signed by the page that showed it, so that the socket asks no database."""

import datetime as dt
from typing import NamedTuple

from django.core import signing

LIFE = dt.timedelta(hours=12)
_signer = signing.TimestampSigner(salt="conversations.live.keys")


class Place(NamedTuple):
    """A conversation and the number of ours it belongs to."""

    conversation: int
    inbox: int


def key_for(user_id: int, place: Place) -> str:
    """What lets this user's sockets into the conversation for 12 hours, as long as they hear of that number at all."""
    return _signer.sign(f"{user_id}.{place.conversation}.{place.inbox}")


def read_key(key: str, user_id: int) -> Place | None:
    """The place that a key of this user opens; None if it is not theirs, too old, or invented."""
    try:
        owner, conversation, inbox = _signer.unsign(key, max_age=LIFE).split(".")
    except (signing.BadSignature, ValueError):
        return None
    return Place(int(conversation), int(inbox)) if owner == str(user_id) else None
