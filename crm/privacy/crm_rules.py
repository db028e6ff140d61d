"""What becomes of this app's tables in a person's copy and in an erasure."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm.audit.models import AuditEntry
from crm.consent import ledger
from crm.consent.models import Consent, ConsentEvent, OptOutWord, Suppression
from crm.contacts import files
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
from crm.privacy import audit_trail, copies_elsewhere, requests, rules
from crm.privacy.models import AccessLogEntry, ErasedSubject, LegalHold, PrivacyRequest, Processor
from crm.privacy.person import Person
from crm.segments.models import Segment, SegmentMember
from crm.staff.models import ApiToken, Membership, StoredAnswer, Team, User
from crm.staff.signin_models import Invitation, StaffSession, Tries

KEY = frozenset({"match_key"})


def add() -> None:
    """Tell `rules` what this app's tables need."""
    _add_who_it_is()
    _add_what_happened()
    _add_sweeps()
    rules.at_once(copies_elsewhere.stop_imports)
    rules.impersonal(CustomAttribute, LifecycleStage, Tag, OptOutWord, because="words of the business")
    rules.impersonal(ImportMapping, DuplicateSearch, StaleSearch, because="places in files and tables, not people")
    rules.impersonal(ApiToken, Invitation, Membership, StaffSession, Team, Tries, User, because="staff")
    rules.impersonal(Processor, because="companies")
    rules.impersonal(Suppression, because="keyed hashes that must outlive the person (objection, GDPR article 21)")


def _add_who_it_is() -> None:
    rules.add(
        rules.Rule(
            model=Contact, ways=_the_contact, section=_("Profile"), without=frozenset({"search_text"}),
        ),
        rules.linked(ContactPoint, "contact", at_once=True, section=_("Phones and e-mails"), without=KEY),
        rules.linked(ChannelIdentity, "contact", section=_("Accounts"), without=KEY),
        rules.linked(
            IdentityValue, "identity__contact", at_once=True, section=_("Former numbers and ids"), without=KEY
        ),
        rules.linked(ContactTag, "contact", section=_("Tags")),
        rules.linked(SegmentMember, "contact", section=_("Segments")),
        rules.linked(ContactNote, "contact", section=_("Notes")),
        rules.linked(ContactChange, "contact", section=_("Changes of the profile")),
        rules.linked(
            ContactFile, "contact", section=_("Documents"), files=("file",), erase=_with_bytes
        ),
        rules.linked(ContactEvent, "contact", section=_("What happened elsewhere")),
    )  # fmt: skip


def _add_what_happened() -> None:
    rules.add(
        rules.linked(ConsentEvent, "contact", "identity__contact", section=_("Consent"), erase=_from_the_ledger),
        rules.linked(Consent, "contact", section=_("Consent as it stands")),
        rules.linked(
            ImportRow, "contact", at_once=True, section=_("Imports"), without=frozenset({"before"}),
            erase=_unlink_imports,
        ),
        rules.Rule(model=DuplicatePair, ways=_pairs, at_once=True, why_not="guesses about other contacts, too"),
        rules.linked(
            MergeRecord, "kept", at_once=True, why_not="former states of rows that are in the copy as they are now"
        ),
        rules.linked(
            PrivacyRequest, "contact", section=_("Requests about data"), erase=_close,
            without=frozenset({"subject", "file", "secret", "sealed", "lease_until", "lease_token", "result"}),
            stays=_("That and when the person asked, without who they are: to show that we answered"),
        ),
        rules.linked(LegalHold, "contact", section=_("Legal holds")),
        rules.Rule(
            model=ErasedSubject, ways=lambda person: [],
            why_not="keyed hashes of people who are gone",
        ),
        rules.linked(
            AccessLogEntry, "contact", section=_("Who looked"), without=frozenset({"detail"}), erase=_unlink_accesses,
            stays=_("That staff looked at somebody, without at whom"),
        ),
    )  # fmt: skip


def _add_sweeps() -> None:
    rules.add(
        rules.Sweep(
            model=StoredAnswer, rows=lambda person: StoredAnswer.objects.filter(body__isnull=False),
            take=copies_elsewhere.empty_answer, why_not="copies of answers, kept for a day",
        ),
        rules.Sweep(
            model=ImportJob, rows=lambda person: ImportJob.objects.all(), at_once=1,
            reads=copies_elsewhere.is_theirs, take=copies_elsewhere.delete_import,
            why_not="files of many people; what they said of this one is a row",
        ),
        rules.Sweep(
            model=ExportJob, rows=lambda person: ExportJob.objects.all(),
            take=copies_elsewhere.delete_export, why_not="files of many people, made from what is in the copy",
        ),
        rules.Sweep(
            model=BulkJob, rows=lambda person: BulkJob.objects.all(), why_not="what was to be done to many",
            take=lambda row, person: copies_elsewhere.scrub(row, person, "selection", "value"),
        ),
        rules.Sweep(
            model=Segment, rows=lambda person: Segment.objects.all(), why_not="rules that staff sort people by",
            take=lambda row, person: copies_elsewhere.scrub(row, person, "rule"),
        ),
        rules.Sweep(  # those about the person go by `audit.keeping`
            model=AuditEntry, rows=audit_trail.of_what_concerns_many, take=audit_trail.forget_addresses,
            why_not="acts of staff",
        ),
    )  # fmt: skip


def _the_contact(person: Person) -> list[QuerySet[Contact]]:
    return [Contact._base_manager.filter(pk=person.pk)]


def _pairs(person: Person) -> list[QuerySet[DuplicatePair]]:
    return [DuplicatePair._base_manager.filter(**{end: person.pk}) for end in ("first", "second")]


def _with_bytes(rows: Sequence[Any]) -> None:
    files.delete_bytes(rows)
    rules.delete(rows)


def _from_the_ledger(rows: Sequence[Any]) -> None:
    """The one door out of it. Where somebody is on the suppression list they stay."""
    with ledger.opened():
        Consent.objects.filter(event__in=[row.pk for row in rows]).delete()
        rules.delete(rows)


def _unlink_imports(rows: Sequence[Any]) -> None:
    """The report still counts them."""
    ImportRow.objects.filter(pk__in=[row.pk for row in rows]).update(contact=None, before=None, reason="")


def _unlink_accesses(rows: Sequence[Any]) -> None:
    AccessLogEntry.objects.filter(pk__in=[row.pk for row in rows]).update(contact=None, detail="")


def _close(rows: Sequence[Any]) -> None:
    """The register keeps that and when they asked; `erasure` has taken names out of what staff wrote."""
    copies_elsewhere.delete_copies(rows)
    closing = PrivacyRequest.objects.filter(pk__in=[row.pk for row in rows])
    requests.answer_by_erasure(closing)
    closing.update(contact=None)
