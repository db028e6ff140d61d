"""One account leaves its contact and becomes a contact of its own, with its conversations."""

from django.utils.translation import gettext as _

from crm.audit import log
from crm.consent import ledger, suppression
from crm.consent.models import Consent, ConsentEvent, State
from crm.contacts import phones, points
from crm.contacts.models import ChannelIdentity, Contact
from crm.contacts.profile import contact_changed
from crm.foundation import clock
from crm.foundation.repointing import keys_to, relations_to
from crm.foundation.retrying import in_transaction
from crm.merging import duplicates, merge
from crm.merging.errors import CannotSplit
from crm.merging.models import DuplicatePair
from crm.staff.models import User


@in_transaction
def split(identity: ChannelIdentity, *, by: User) -> Contact:
    """Make a contact of an account: with its number, its profile's name, its conversations and what it said of
    consent; who had withdrawn stays so on both sides. Raises CannotSplit, and what a veto does (`merge.unless`).
    """
    owner = Contact.objects.select_for_update(of=("self",)).filter(identities=identity.pk).first()
    if owner is None:
        raise CannotSplit(_("This account is no longer there."))
    merge.ask(owner.pk)
    account = owner.identities.select_for_update(of=("self",)).get(pk=identity.pk)
    if not owner.identities.exclude(pk=account.pk).exists():
        raise CannotSplit(_("This is the contact's only account: there is nothing to split."))
    fresh = Contact(
        kind=owner.kind, name=account.profile_name, language=owner.language, restricted_at=owner.restricted_at,
        last_inbound_at=account.last_seen_at if owner.last_inbound_at else None,
    )  # fmt: skip
    fresh.save()
    account.contact = fresh
    account.save(update_fields=["contact"])
    for model, key in relations_to(Contact):
        for field in keys_to(model, ChannelIdentity):
            model._base_manager.filter(**{key.name: owner, field: account}).update(**{key.name: fresh})
    _part_points(owner, fresh, account)
    _part_consents(owner, fresh)
    owner.version += 1
    for contact in (owner, fresh):
        contact.refresh_search_text()
        contact.save()
    _remember(owner, fresh, by)
    for contact in (owner, fresh):
        log.record("split", contact, by=by, changes={"contact": [owner.pk, fresh.pk]})
        contact_changed.send(Contact, contact=contact)
    return fresh


def _part_points(owner: Contact, fresh: Contact, account: ChannelIdentity) -> None:
    """The account's number goes along; another one of the owner's takes its place."""
    point = owner.points.filter(kind=points.PHONE, match_key=account.match_key or "", until=None).first()
    if point is not None:
        was_primary, point.contact, point.is_primary = point.is_primary, fresh, True
        point.save(update_fields=["contact", "is_primary"])
        fresh.phone = point.value
        if was_primary:
            following = points.current(owner).filter(kind=points.PHONE).first()
            if following is not None:
                following.is_primary = True
                following.save(update_fields=["is_primary"])
            owner.phone = following.value if following else None
    elif number := phones.e164(account.wa_id or ""):
        fresh.phone = number
        fresh.save(update_fields=["phone"])
        points.keep(fresh)


def _part_consents(owner: Contact, fresh: Contact) -> None:
    """Each by their own words; a withdrawal of before stays on both sides, for nobody knows whose it was."""
    withdrawn = set(Consent.objects.filter(contact=owner, state=State.WITHDRAWN).values_list("purpose", "channel"))
    said = ConsentEvent._base_manager.filter(contact__in=(owner, fresh))
    for purpose, channel in sorted(set(said.values_list("purpose", "channel"))):
        for contact in (owner, fresh):
            ledger.refresh(contact, purpose, channel)
            if (purpose, channel) not in withdrawn:
                continue
            if ledger.state_of(contact, purpose, channel) != State.WITHDRAWN:
                source = ConsentEvent.Source.MERGE
                ledger.record(contact, purpose=purpose, state=State.WITHDRAWN, source=source, channel=channel)
            suppression.put(suppression.addresses_of(contact, channel), purpose, reason=ConsentEvent.Source.MERGE)


def _remember(owner: Contact, fresh: Contact, by: User) -> None:
    """Nobody proposes to merge what somebody has just parted."""
    duplicates.propose([(owner.pk, fresh.pk)])
    DuplicatePair.objects.update_or_create(
        first_id=min(owner.pk, fresh.pk),
        second_id=max(owner.pk, fresh.pk),
        defaults={"state": DuplicatePair.State.DISMISSED, "decided_at": clock.now(), "decided_by": by},
        create_defaults={
            "evidence": [], "score": 0, "state": DuplicatePair.State.DISMISSED, "decided_at": clock.now(),
            "decided_by": by,
        },
    )  # fmt: skip
