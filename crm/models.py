"""Index of the app's models."""

from crm.audit.models import AuditEntry
from crm.contacts.models import (
    ChannelIdentity,
    Contact,
    ContactChange,
    ContactNote,
    ContactTag,
    CustomAttribute,
    IdentityValue,
    Tag,
)
from crm.staff.models import ApiToken, Membership, Team, User

__all__ = [
    "ApiToken",
    "AuditEntry",
    "ChannelIdentity",
    "Contact",
    "ContactChange",
    "ContactNote",
    "ContactTag",
    "CustomAttribute",
    "IdentityValue",
    "Membership",
    "Tag",
    "Team",
    "User",
]
