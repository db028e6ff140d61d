"""Two people answering at once: the second one is asked before theirs leaves."""

import datetime as dt

from django.utils.translation import gettext as _

from conversations.messaging.models import Conversation, Message
from crm.foundation import clock
from crm.foundation.errors import Refusal
from crm.staff.models import User

JUST_NOW = dt.timedelta(seconds=10)


class Collision(Refusal):
    """A colleague answered a moment ago, and this page had not shown it yet."""

    code = "collision"


def check(conversation: Conversation, user: User, seen: str) -> None:
    """Raise Collision if a colleague sent something within the last ten seconds that comes after the bubble with the
    sort key `seen` (nothing is known of what a page that says none has seen).
    """
    milliseconds, _dot, pk = seen.partition(".")
    if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= 15):
        return
    upto = (int(milliseconds), int(pk) if pk.isascii() and pk.isdigit() and len(pk) <= 18 else 0)
    others = (
        Message.objects.filter(conversation=conversation, direction="out", sort_at__gt=clock.now() - JUST_NOW)
        .filter(author__isnull=False, author_kind=Message.Author.AGENT)
        .exclude(author=user)
        .exclude(status__in=(Message.Status.CANCELLED, Message.Status.FAILED))
        .bubbles()
        .select_related("author")
        .order_by("-sort_at", "-pk")
    )
    newest = others.first()
    if newest is None or newest.author is None:
        return
    if (int(newest.sort_at.timestamp() * 1000), newest.pk) > upto:
        raise Collision(_("%(name)s replied a few seconds ago. Send anyway?") % {"name": newest.author.name})
