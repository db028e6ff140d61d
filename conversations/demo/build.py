"""Writes the demo data: stories by a few statements per table, whatever their number; the rest as staff would."""

import dataclasses
import datetime as dt
import random
from collections.abc import Sequence

from django.db import transaction

from conversations.demo.everyday import EVERYDAY
from conversations.demo.fleet import fleet
from conversations.demo.furniture import furnish
from conversations.demo.people import House, found_house
from conversations.demo.relations import relate
from conversations.demo.scene import Scene
from conversations.demo.script import Story
from conversations.demo.stories import STORIES
from conversations.messaging import previews
from conversations.messaging.models import (
    Attachment,
    Attempt,
    Conversation,
    ConversationEvent,
    ConversationRead,
    Message,
    Reaction,
)
from crm.contacts import points
from crm.contacts.models import ChannelIdentity, Contact, ContactTag, IdentityValue
from crm.foundation import clock
from crm.staff.models import User

SEED = 20_261_100
# Numbers that start with 79 are not assigned in Spain.
FIRST_NUMBER = 34_799_100_101
FOLDED = (
    "status",
    "assignee",
    "team",
    "version",
    "window_expires_at",
    "free_entry_expires_at",
    "inbound_count",
    "waiting_since",
    "last_activity_at",
    *previews.FIELDS,
)


def load() -> bool:
    """Fill an empty installation; False, and nothing changed, if there are users already."""
    with transaction.atomic():
        if User.objects.exists():
            return False
        rng, house, now = random.Random(SEED), found_house(), clock.now()
        scenes = build([*STORIES, *EVERYDAY, fleet(rng)], house, rng, now)
        furnish(scenes, house, now)
        relate(scenes, house, now)
    return True


def build(stories: Sequence[Story], house: House, rng: random.Random, now: dt.datetime) -> list[Scene]:
    """Write these stories as if they had happened up to `now`."""
    scenes = [Scene(_with_number(story, index), house, rng, now) for index, story in enumerate(stories)]
    identities = [identity for scene in scenes for identity in (scene.identity, *scene.members.values())]
    Contact.objects.bulk_create([identity.contact for identity in identities])
    points.keep_many(identity.contact for identity in identities)
    ChannelIdentity.objects.bulk_create(identities)
    Conversation.objects.bulk_create([scene.conversation for scene in scenes])
    for scene in scenes:
        scene.tell()
    _save_rows(scenes)
    reads = [read for scene in scenes for read in scene.fold()]
    ConversationRead.objects.bulk_create(reads)
    answers = [message for scene in scenes for message in scene.messages if message.answered_after is not None]
    Message.objects.bulk_update(answers, ["answered_after"])
    ConversationEvent.objects.bulk_create([event for scene in scenes for event in scene.events])
    IdentityValue.objects.bulk_create([value for scene in scenes for value in scene.former])
    Conversation.objects.bulk_update([scene.conversation for scene in scenes], FOLDED)
    Contact.objects.bulk_update([scene.contact for scene in scenes], ["last_inbound_at"])
    ChannelIdentity.objects.bulk_update(identities, ["last_seen_at", "number_seen_at", "profile_at"])
    ContactTag.objects.bulk_create(
        ContactTag(contact=scene.contact, tag=house.tags[tag], added_by=house.staff["marta"], added_at=scene.times[0])
        for scene in scenes
        for tag in scene.story.person.tags
    )
    return scenes


def _save_rows(scenes: list[Scene]) -> None:
    """Messages in the order in which they came, then what hangs on them."""
    messages = [message for scene in scenes for message in scene.messages]
    Message.objects.bulk_create(sorted(messages, key=lambda message: message.created_at))
    quotes = [quote for scene in scenes for quote in scene.quotes]
    for message, quoted in quotes:
        message.reply_to = quoted
    Message.objects.bulk_update([message for message, _quoted in quotes], ["reply_to"])
    Attachment.objects.bulk_create([row for scene in scenes for row in scene.attachments])
    Attempt.objects.bulk_create([row for scene in scenes for row in scene.attempts])
    Reaction.objects.bulk_create([row for scene in scenes for row in scene.reactions])


def _with_number(story: Story, index: int) -> Story:
    """The story, its person with a number of the demo's own if they have none."""
    person = story.person
    if person.address or person.user_id or story.group_id:
        return story
    return dataclasses.replace(story, person=dataclasses.replace(person, address=str(FIRST_NUMBER + index)))
