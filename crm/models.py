"""Index of the app's models."""

from crm.contacts.models import ChannelIdentity, Contact, ContactTag, IdentityValue, Tag
from crm.staff.models import ApiToken, Membership, Team, User

__all__ = [
    "ApiToken",
    "ChannelIdentity",
    "Contact",
    "ContactTag",
    "IdentityValue",
    "Membership",
    "Tag",
    "Team",
    "User",
]
