"""Tags on conversations, and pins: what a conversation is about, what one agent keeps at hand."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from conversations.messaging import events, threads
from conversations.messaging.models import Conversation, ConversationPin, ConversationTag
from crm.contacts import profile
from crm.contacts.attributes import InvalidValue
from crm.contacts.models import Tag
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

TAGS_MAX = 30
PINS_MAX = 20


class NotATag(Refusal):
    """A tag that does not exist, or a name that cannot be one."""

    code = "not_a_tag"
    http_status = 400


class TooMany(Refusal):
    """More tags on a conversation, or pins of an agent, than anybody could overlook."""

    code = "too_many"
    http_status = 400


def tag(conversation: Conversation, *tags: Tag, by: User, version: int | None = None) -> Conversation:
    """Put tags on a conversation; those it has already change nothing. Raises as `change`."""
    return change(conversation, add=tags, by=by, version=version)


def untag(conversation: Conversation, *tags: Tag, by: User, version: int | None = None) -> Conversation:
    """Take tags off a conversation; those it has not change nothing. Raises as `change`."""
    return change(conversation, remove=tags, by=by, version=version)


@in_transaction
def change(
    conversation: Conversation,
    *,
    add: Iterable[Tag] = (),
    remove: Iterable[Tag] = (),
    by: User,
    version: int | None = None,
) -> Conversation:
    """Put tags on and take tags off; what is in both is put on. Raises TooMany, Conflict if `version` is stale."""
    row = threads.current(conversation, version)
    has = {one.pk: one for one in row.tags.all()}
    wanted = {one.pk: one for one in add}
    added = [one for pk, one in wanted.items() if pk not in has]
    removed = [has[pk] for pk in {one.pk for one in remove} if pk in has and pk not in wanted]
    if not added and not removed:
        return row
    if added and len(has) + len(added) - len(removed) > TAGS_MAX:
        raise TooMany(_("A conversation can have %(most)d tags at most. Take one off first.") % {"most": TAGS_MAX})
    row.conversation_tags.filter(tag__in=removed).delete()
    ConversationTag.objects.bulk_create(
        [ConversationTag(conversation=row, tag=one, added_by=by) for one in added], ignore_conflicts=True
    )
    row.version += 1
    row.save(update_fields=["version"])
    for kind, changed in (("tagged", added), ("untagged", removed)):
        if changed:
            events.record(row, kind, by=by, what=["tags"], tags=[one.name for one in changed])
    return row


def find(name: str) -> Tag:
    """The tag of this name, whatever its case; raises NotATag."""
    found = profile.find_tag(" ".join(name.split()))
    if found is None:
        raise NotATag(_("There is no tag with this name. A manager can create it."))
    return found


@in_transaction
def find_or_make(name: str) -> Tag:
    """The tag of this name, made if there is none; raises NotATag for what cannot be a name."""
    try:
        return profile.find_or_make_tag(name)
    except InvalidValue as error:
        raise NotATag(str(error)) from error


@in_transaction
def pin(conversation: Conversation, user: User) -> None:
    """Keep it at the top of this user's lists; raises TooMany."""
    if ConversationPin.objects.filter(user=user, conversation=conversation).exists():
        return
    if ConversationPin.objects.filter(user=user).count() >= PINS_MAX:
        raise TooMany(_("You have pinned %(most)d conversations. Unpin one first.") % {"most": PINS_MAX})
    _pinned, made = ConversationPin.objects.get_or_create(user=user, conversation=conversation)
    if made:
        events.announce_pin(conversation, user)


@in_transaction
def unpin(conversation: Conversation, user: User) -> None:
    """Back to its place in this user's lists."""
    gone, _kinds = ConversationPin.objects.filter(user=user, conversation=conversation).delete()
    if gone:
        events.announce_pin(conversation, user)
