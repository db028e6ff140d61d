"""The photos and videos of a conversation, oldest first, in pages: what the media viewer leafs through."""

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from conversations.desk.bubbles import author_label
from conversations.messaging.models import Attachment, Conversation, Message

SIDE = 30
KINDS = ("image", "video")


@dataclass(frozen=True)
class Picture:
    """One photo or video in the viewer."""

    id: str
    kind: str
    url: str
    name: str
    message: Message
    author_label: str


@dataclass(frozen=True)
class Strip:
    """Neighbouring pictures; `before` and `after` are ids to go on from, "" where there is nothing more."""

    pictures: list[Picture]
    before: str
    after: str


def newest(conversation: Conversation) -> uuid.UUID | None:
    """The last picture of the conversation; None if it has none."""
    found = _pictures(conversation).order_by("-message__sort_at", "-message_id", "-pk")
    return found.values_list("pk", flat=True).first()


def around(conversation: Conversation, pk: uuid.UUID) -> Strip | None:
    """A file with its neighbours on both sides; None if it is no picture of this conversation."""
    found = _pictures(conversation).filter(pk=pk).first()
    if found is None:
        return None
    older, newer = _older(conversation, found), _newer(conversation, found)
    shown = [*reversed(older[:SIDE]), found, *newer[:SIDE]]
    return _strip(shown, more_before=len(older) > SIDE, more_after=len(newer) > SIDE)


def before(conversation: Conversation, pk: uuid.UUID) -> Strip | None:
    """The pictures before this one; None if it is no picture of this conversation."""
    found = _pictures(conversation).filter(pk=pk).first()
    if found is None:
        return None
    older = _older(conversation, found)
    return _strip(list(reversed(older[:SIDE])), more_before=len(older) > SIDE)


def after(conversation: Conversation, pk: uuid.UUID) -> Strip | None:
    """The pictures after this one; None if it is no picture of this conversation."""
    found = _pictures(conversation).filter(pk=pk).first()
    if found is None:
        return None
    newer = _newer(conversation, found)
    return _strip(newer[:SIDE], more_after=len(newer) > SIDE)


def _pictures(conversation: Conversation) -> QuerySet[Attachment]:
    """Only what the conversation shows: stored, of messages that were not deleted."""
    found = Attachment.objects.filter(
        conversation=conversation, message__revoked_at=None, kind__in=KINDS, state=Attachment.State.STORED
    )
    return found.select_related("message__author", "message__conversation__contact")


def _older(conversation: Conversation, than: Attachment) -> list[Attachment]:
    at, message, pk = _place(than)
    earlier = Q(message__sort_at__lt=at) | Q(message__sort_at=at, message__lt=message) | Q(message=message, pk__lt=pk)
    found = _pictures(conversation).filter(earlier).order_by("-message__sort_at", "-message_id", "-pk")
    return list(found[: SIDE + 1])


def _newer(conversation: Conversation, than: Attachment) -> list[Attachment]:
    at, message, pk = _place(than)
    later = Q(message__sort_at__gt=at) | Q(message__sort_at=at, message__gt=message) | Q(message=message, pk__gt=pk)
    found = _pictures(conversation).filter(later).order_by("message__sort_at", "message_id", "pk")
    return list(found[: SIDE + 1])


def _place(attachment: Attachment) -> tuple[object, int, uuid.UUID]:
    assert attachment.message is not None
    return attachment.message.sort_at, attachment.message.pk, attachment.pk


def _strip(found: list[Attachment], *, more_before: bool = False, more_after: bool = False) -> Strip:
    pictures = [_picture(attachment) for attachment in found]
    first, last = (pictures[0].id, pictures[-1].id) if pictures else ("", "")
    return Strip(pictures, first if more_before else "", last if more_after else "")


def _picture(attachment: Attachment) -> Picture:
    message = attachment.message
    assert message is not None
    return Picture(
        id=str(attachment.pk),
        kind=attachment.kind,
        url=reverse("desk:media", args=[attachment.pk]),
        name=attachment.filename,
        message=message,
        author_label=author_label(message),
    )
