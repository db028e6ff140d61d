"""Index of the app's models."""

from crm.audit.models import AuditEntry
from crm.consent.models import Consent, ConsentEvent, OptOutWord, Suppression
from crm.contacts.models import (
    ChannelIdentity,
    Contact,
    ContactChange,
    ContactEvent,
    ContactFile,
    ContactNote,
    ContactPoint,
    ContactTag,
    CustomAttribute,
    IdentityValue,
    LifecycleStage,
    StaleSearch,
    Tag,
)
from crm.exchange.models import BulkJob, ExportJob, ImportJob, ImportMapping, ImportRow
from crm.merging.models import DuplicatePair, DuplicateSearch, MergeRecord
from crm.privacy.models import AccessLogEntry, ErasedSubject, LegalHold, PrivacyRequest, Processor
from crm.segments.models import Segment, SegmentMember
from crm.staff.models import ApiToken, Membership, StoredAnswer, Team, User
from crm.staff.signin_models import Invitation, StaffSession, Tries

__all__ = [
    "AccessLogEntry",
    "ApiToken",
    "AuditEntry",
    "BulkJob",
    "ChannelIdentity",
    "Consent",
    "ConsentEvent",
    "Contact",
    "ContactChange",
    "ContactEvent",
    "ContactFile",
    "ContactNote",
    "ContactPoint",
    "ContactTag",
    "CustomAttribute",
    "DuplicatePair",
    "DuplicateSearch",
    "ErasedSubject",
    "ExportJob",
    "IdentityValue",
    "ImportJob",
    "ImportMapping",
    "ImportRow",
    "Invitation",
    "LegalHold",
    "LifecycleStage",
    "Membership",
    "MergeRecord",
    "OptOutWord",
    "PrivacyRequest",
    "Processor",
    "Segment",
    "SegmentMember",
    "StaffSession",
    "StaleSearch",
    "StoredAnswer",
    "Suppression",
    "Tag",
    "Team",
    "Tries",
    "User",
]
