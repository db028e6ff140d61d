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
from crm.staff.models import ApiToken, Membership, StoredAnswer, Team, User
from crm.staff.signin_models import Invitation, StaffSession, Tries

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
    "Invitation",
    "Membership",
    "StoredAnswer",
    "StaffSession",
    "Tag",
    "Team",
    "Tries",
    "User",
]
