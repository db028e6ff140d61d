"""How phones and e-mails, consent, and possible duplicates of two contacts become those of one."""

from typing import Any

from django.db.models import Max, Q

from crm.consent import ledger, suppression
from crm.consent.models import Consent, ConsentEvent, State, Suppression
from crm.contacts import points
from crm.contacts.models import ChannelIdentity, Contact, ContactPoint
from crm.merging import rules
from crm.merging.journal import DROPPED, Journal
from crm.merging.models import DuplicatePair
from crm.merging.rows import Row, packed, still_whole, unpacked


def add() -> None:
    """Tell `rules` what this app's models need."""
    rules.keep_one("contacttag_once", "segmentmember_once")
    rules.by_hand(
        ContactPoint, rules.ByHand(_merge_points, _undo_points), "contactpoint_once", "contactpoint_one_primary"
    )
    rules.by_hand(Consent, rules.ByHand(_merge_consents, _undo_consents), "consent_once")
    rules.by_hand(DuplicatePair, rules.ByHand(_merge_pairs), "duplicatepair_once")


# Phones and e-mails: what both have stays once, former ones stay former; of each kind one comes first.


def _merge_points(journal: Journal) -> None:
    kept, dropped = journal.kept, journal.dropped
    mine = {(point.kind, point.match_key): point for point in kept.points.filter(until=None)}
    theirs = {(point.kind, point.match_key): point for point in dropped.points.filter(until=None)}
    came_first = []
    for kind in ContactPoint.Kind.values:
        own = next((point for point in mine.values() if point.kind == kind and point.is_primary), None)
        other = next((point for point in theirs.values() if point.kind == kind and point.is_primary), None)
        if own is None or other is None:
            continue
        loser = own if journal.chosen(kind) == DROPPED else other
        journal.change(loser, is_primary=False)
        twin = mine.get((kind, other.match_key))
        if twin is None:
            continue
        came_first.append(other.pk)  # it is put away, as one that does not
        if loser is own:
            journal.change(other, is_primary=False)
            journal.change(twin, is_primary=True, **({"value": other.value} if twin.value != other.value else {}))
    journal.notes[ContactPoint._meta.label_lower] = came_first
    both = [point.pk for place, point in theirs.items() if place in mine]
    journal.put_away(ContactPoint._base_manager.filter(pk__in=both))
    journal.move(ContactPoint._base_manager.filter(contact=dropped), "contact")
    first = kept.points.filter(kind=points.PHONE, until=None, is_primary=True)
    kept.phone = first.values_list("value", flat=True).first()


def _undo_points(notes: Any, kept: Contact, restored: Contact) -> None:
    """Of each kind one comes first, the one that did unless another does by now, and `Contact.phone` is that one."""
    came_first = set(notes or ())
    for contact in (kept, restored):
        for kind in ContactPoint.Kind.values:
            present = contact.points.filter(kind=kind, until=None).order_by("pk")
            first = min(present, key=lambda one: (not one.is_primary, one.pk not in came_first, one.pk), default=None)
            if first is not None and not first.is_primary:
                first.is_primary = True
                first.save(update_fields=["is_primary"])
            if kind == points.PHONE:
                contact.phone = first.value if first else None


# Consent: the ledger of both, standing by the stricter of what either stood by.


def _merge_consents(journal: Journal) -> None:
    kept, dropped = journal.kept, journal.dropped
    before = [packed(row) for row in Consent.objects.filter(contact__in=(kept, dropped)).order_by("pk")]
    journal.move(ConsentEvent._base_manager.filter(contact=dropped), "contact")
    newest = ConsentEvent._base_manager.aggregate(newest=Max("pk"))["newest"] or 0
    channels = {row["channel"] for row in before}
    addresses = {
        one for channel in channels for who in (kept, dropped) for one in suppression.addresses_of(who, channel)
    }
    listed = _listed(addresses)
    ledger.join(kept, dropped)
    journal.notes[Consent._meta.label_lower] = {
        "rows": before,
        "upto": newest,
        "events": list(_events(kept).filter(pk__gt=newest).values_list("pk", flat=True)),
        "listed": sorted(_listed(addresses) - listed),
    }


def _undo_consents(notes: Any, kept: Contact, restored: Contact) -> None:
    """Each stands where they stood, or, for a purpose of which somebody spoke since, by the newest word."""
    both = (kept, restored)
    if notes is None:  # the kept contact went on into another one: nobody stands laxer for it
        for place in sorted(set(_events(*both).values_list("purpose", "channel"))):
            for contact in both:
                ledger.refresh(contact, *place)
        return
    later = _events(*both).filter(pk__gt=notes["upto"]).exclude(pk__in=notes["events"])
    spoken = set(later.values_list("purpose", "channel"))
    with ledger.opened():
        ConsentEvent._base_manager.filter(pk__in=notes["events"]).delete()
    rows: list[Row] = [row for row in notes["rows"] if (row["purpose"], row["channel"]) not in spoken]
    quiet = ~Q(pk__in=[])
    for purpose, channel in spoken:
        quiet &= ~Q(purpose=purpose, channel=channel)
    Consent.objects.filter(quiet, contact__in=both).delete()
    Consent._base_manager.bulk_create(still_whole([unpacked(Consent, row) for row in rows]), ignore_conflicts=True)
    for purpose, channel in sorted(spoken):
        for contact in both:
            ledger.refresh(contact, purpose, channel)
    _unlist(notes["listed"], spoken, kept, restored)


def _unlist(keys: list[int], spoken: set[tuple[str, str]], kept: Contact, restored: Contact) -> None:
    """Take addresses off the list that only the merge put there; whoever has withdrawn stays on it by all of theirs."""
    needed: set[int] = set()
    alike = Contact.objects.filter(pk__in=_who_shares(kept, restored))
    for consent in Consent.objects.filter(contact__in=alike, state=State.WITHDRAWN).select_related("contact"):
        theirs = suppression.addresses_of(consent.contact, consent.channel)
        needed |= {row.pk for rows in suppression.found(theirs, consent.purpose).values() for row in rows}
    free = Suppression.objects.filter(pk__in=set(keys) - needed)
    suppression.drop(row for row in free if (row.purpose, row.channel) not in spoken)


def _who_shares(*contacts: Contact) -> set[int]:
    """These and whoever has a number in common with them."""
    found = {contact.pk for contact in contacts}
    keys = set(ContactPoint.objects.filter(contact__in=found, until=None).values_list("match_key", flat=True))
    accounts = ChannelIdentity.objects.filter(contact__in=found).values_list("match_key", flat=True)
    keys |= {key for key in accounts if key}
    found |= set(ContactPoint.objects.filter(match_key__in=keys, until=None).values_list("contact_id", flat=True))
    return found | set(ChannelIdentity.objects.filter(match_key__in=keys).values_list("contact_id", flat=True))


def _events(*contacts: Contact) -> Any:
    return ConsentEvent._base_manager.filter(contact__in=contacts)


def _listed(addresses: set[suppression.Address]) -> set[int]:
    return {row.pk for rows in suppression.found(addresses).values() for row in rows}


# Possible duplicates: who looked like the dropped contact may be the kept one.


def _merge_pairs(journal: Journal) -> None:
    kept, dropped = journal.kept, journal.dropped
    pairs = DuplicatePair._base_manager.all()
    known = {pair.other_than(kept.pk) for pair in pairs.filter(Q(first=kept) | Q(second=kept))}
    for pair in pairs.filter(Q(first=dropped) | Q(second=dropped)).order_by("pk"):
        other = pair.other_than(dropped.pk)
        if other == kept.pk or other in known:
            journal.put_away(pairs.filter(pk=pair.pk))
        else:
            journal.change(pair, first_id=min(kept.pk, other), second_id=max(kept.pk, other))
