"""Index of the feature's models."""

from crm.contacts.contact_models import (
    ChannelIdentity,
    Contact,
    ContactPoint,
    ContactQuerySet,
    IdentityValue,
    StaleSearch,
)
from crm.contacts.describing_models import ContactTag, CustomAttribute, LifecycleStage, Tag
from crm.contacts.history_models import ContactChange, ContactEvent, ContactFile, ContactNote

__all__ = [
    "ChannelIdentity",
    "Contact",
    "ContactChange",
    "ContactEvent",
    "ContactFile",
    "ContactNote",
    "ContactPoint",
    "ContactQuerySet",
    "ContactTag",
    "CustomAttribute",
    "IdentityValue",
    "LifecycleStage",
    "StaleSearch",
    "Tag",
]
