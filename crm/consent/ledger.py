"""The one way consent is recorded, and the one answer to whether a person may be written to.

The ledger is appended to; `Consent` says where a person stands: by the newest word, whatever the order of the news. Of
two words of one moment the withdrawal counts, and what an import says never undoes a withdrawal.
"""

import contextlib
import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.dispatch import Signal
from django.utils.translation import gettext as _

from crm.audit import log
from crm.consent import suppression
from crm.consent.models import Consent, ConsentEvent, Purpose, State
from crm.contacts.addresses import Given
from crm.contacts.models import ChannelIdentity, Contact
from crm.foundation import appendonly, clock
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.foundation.rows import update_rows
from crm.staff.models import User

WHATSAPP = suppression.WHATSAPP
DOOR = "consent ledger"
Source = ConsentEvent.Source
# A withdrawal that WhatsApp itself keeps: only the person takes it back, by their own word.
AT_WHATSAPP = (Source.WHATSAPP, Source.PROVIDER)
BY_OTHERS = (Source.AGENT, Source.API)
# What staff and programs write down one by one; the rest is news, or told by the act that caused it.
AUDITED = (*BY_OTHERS, Source.FORM)
# What the person says themselves.
BY_PERSON = (Source.KEYWORD, Source.BUTTON, Source.WHATSAPP)
# The same news may come several times, always with its own time.
REPEATED = (Source.WHATSAPP, Source.PROVIDER, Source.KEYWORD, Source.BUTTON, Source.IMPORT)

type Place = tuple[int, str, str]  # a contact's key, a channel, a purpose

consent_changed = Signal()
"""Sent inside the transaction with the `events` after which their contacts stand differently."""


class OnlyThePerson(Refusal):
    """Somebody else would take back what a person has set in WhatsApp."""

    code = "only_the_person"


@in_transaction
def record(
    contact: Contact,
    *,
    purpose: str,
    state: str,
    source: str,
    channel: str = WHATSAPP,
    identity: ChannelIdentity | None = None,
    wording: str = "",
    wording_version: str = "",
    language: str = "",
    evidence: Mapping[str, Any] | None = None,
    by: User | None = None,
    at: dt.datetime | None = None,
) -> ConsentEvent:
    """Append what a person said (at `at`, now without) and keep `Consent` and the suppression list in step; the same
    news twice is one event. Raises OnlyThePerson.
    """
    event = news(
        contact, purpose=purpose, state=state, source=source, channel=channel, identity=identity, wording=wording,
        wording_version=wording_version, language=language, evidence=evidence, by=by, at=at,
    )  # fmt: skip
    known = _known(event) if at is not None and source in REPEATED else None
    if known is not None:
        return known
    standing = _standing(event)
    _check(event, standing, _heard([event] if standing else []))
    event.save(force_insert=True)
    before = standing.state if standing else ""
    if _settle(event, standing):
        _tell([(event, before)])
    return event


def news(
    contact: Contact, *, purpose: str, state: str, source: str, channel: str = WHATSAPP,
    evidence: Mapping[str, Any] | None = None, at: dt.datetime | None = None, **more: Any,
) -> ConsentEvent:  # fmt: skip
    """What a person said, as an event for `record_many`; nothing is saved."""
    now = clock.now()
    return ConsentEvent(
        contact=contact, channel=channel, purpose=Purpose(purpose), state=State(state), source=Source(source),
        evidence=dict(evidence or {}), at=min(at or now, now), **more,
    )  # fmt: skip


@in_transaction
def record_many(events: Sequence[ConsentEvent]) -> None:
    """Append many `news`, each with its time, to the same end as `record` one after the other, by a handful of
    statements. Raises OnlyThePerson, and IntegrityError if somebody else hears of one of these people at this moment:
    then nothing of it counts.
    """
    told, stands, heard = _told(events), _all_standing(events), _heard(events)
    fresh: list[ConsentEvent] = []
    counting: list[tuple[ConsentEvent, str]] = []
    moved: dict[Place, Consent] = {}
    for event in events:
        if event.source in REPEATED:
            word = (*_place(event), event.state, event.source, event.at)
            if word in told:
                continue
            told.add(word)
        standing = stands.get(_place(event))
        _check(event, standing, heard)
        fresh.append(event)
        heard[_place(event)].append(event)
        if standing is not None and _weight(event) <= _weight(standing.event):
            continue
        counting.append((event, standing.state if standing else ""))
        if standing is None:
            standing = stands[_place(event)] = Consent(
                contact=event.contact, channel=event.channel, purpose=event.purpose
            )
        standing.state, standing.since, standing.event = event.state, event.at, event
        moved[_place(event)] = standing
    ConsentEvent.objects.bulk_create(fresh)
    for standing in moved.values():
        standing.event = standing.event  # by its key, which it has by now
    Consent.objects.bulk_create([one for one in moved.values() if one.pk is None])
    update_rows([one for one in moved.values() if one.pk is not None], ["state", "since", "event"])
    _tell(counting)


def may(contact: Contact, purpose: str, channel: str = WHATSAPP) -> bool:
    """Whether this person may be written to for a purpose now; one query."""
    return Contact.objects.filter(allowed(purpose, channel), pk=contact.pk).exists()


def allowed(purpose: str, channel: str = WHATSAPP) -> Q:
    """The condition on contacts who may be written to: for audiences, and for each person.

    What needs consent (CONSENT_NEEDED_FOR) is for those who gave it, the rest for those who did not refuse; whose data
    is restricted is not written to.
    """
    said = Consent.objects.filter(contact=OuterRef("pk"), channel=channel, purpose=Purpose(purpose))
    if purpose in settings.CONSENT_NEEDED_FOR:
        return Q(Exists(said.filter(state=State.GRANTED)), restricted_at=None)
    return not_refused(purpose, channel)


def not_refused(purpose: str, channel: str = WHATSAPP) -> Q:
    """The condition on contacts who have not said no, whether or not consent is needed."""
    said = Consent.objects.filter(contact=OuterRef("pk"), channel=channel, purpose=Purpose(purpose))
    return Q(~Exists(said.filter(state=State.WITHDRAWN)), restricted_at=None)


def split(contacts: QuerySet[Contact], purpose: str, channel: str = WHATSAPP) -> dict[str, int]:
    """How many of an audience granted, withdrew, or said nothing ("unknown"); two queries."""
    said = Consent.objects.filter(contact__in=contacts.order_by().values("pk"), channel=channel, purpose=purpose)
    counts = {row["state"]: row["count"] for row in said.values("state").annotate(count=Count("pk"))}
    counts = {str(state): counts.get(state, 0) for state in State.values}
    return counts | {"unknown": max(contacts.count() - sum(counts.values()), 0)}


def state_of(contact: Contact, purpose: str, channel: str = WHATSAPP) -> str:
    """Where a person stands: "granted", "withdrawn", or "" if they have said nothing."""
    rows = Consent.objects.filter(contact=contact, channel=channel, purpose=purpose)
    return rows.values_list("state", flat=True).first() or ""


def opened() -> contextlib.AbstractContextManager[None]:
    """For erasure (and the undoing of a merge) only: rows may be deleted inside."""
    return appendonly.opened(DOOR)


@in_transaction
def join(kept: Contact, gone: Contact) -> None:
    """Two contacts are one person (both locked): the events of both are theirs, and they stand by the stricter of what
    either stood by. Call it before the rest is re-pointed; nothing of `gone` is left here then.
    """
    rows = list(Consent.objects.filter(contact__in=(kept, gone)))
    places = {(row.channel, row.purpose) for row in rows}
    withdrawn = {(row.channel, row.purpose) for row in rows if row.state == State.WITHDRAWN}
    ConsentEvent._base_manager.filter(contact=gone).update(contact=kept)
    Consent.objects.filter(contact=gone).delete()
    for channel, purpose in sorted(places):
        refresh(kept, purpose, channel)
        if (channel, purpose) not in withdrawn:
            continue
        if state_of(kept, purpose, channel) != State.WITHDRAWN:
            record(kept, purpose=purpose, state=State.WITHDRAWN, source=Source.MERGE, channel=channel)
        theirs = suppression.addresses_of(kept, channel) | suppression.addresses_of(gone, channel)
        suppression.put(theirs, purpose, reason=Source.MERGE)


def join_accounts(kept: ChannelIdentity, dropped: ChannelIdentity) -> None:
    """Two accounts are one: what was said by either was said by it."""
    ConsentEvent._base_manager.filter(identity=dropped).update(identity=kept)


def refresh(contact: Contact, purpose: str, channel: str = WHATSAPP) -> None:
    """Make `Consent` say what the ledger says, after events came or went by other ways than `record`."""
    refresh_many({(contact.pk, channel, purpose)})


@in_transaction
def refresh_many(places: Collection[Place]) -> None:
    """The same for several: keys of contacts, each with a channel and a purpose."""
    keys = {key for key, _channel, _purpose in places}
    newest: dict[Place, ConsentEvent] = {}
    for event in ConsentEvent.objects.filter(contact__in=keys).order_by("pk"):
        place = _place(event)
        if place in places and (place not in newest or _weight(event) > _weight(newest[place])):
            newest[place] = event
    rows = Consent.objects.filter(contact__in=keys).values_list("pk", "contact", "channel", "purpose")
    Consent.objects.filter(pk__in=[pk for pk, *place in rows if tuple(place) in places]).delete()
    Consent.objects.bulk_create(
        Consent(contact_id=key, channel=channel, purpose=purpose, state=event.state, since=event.at, event=event)
        for (key, channel, purpose), event in newest.items()
    )


def note_addresses(given: list[Given]) -> None:
    """Contacts have been given addresses: one on the list is withdrawn at once, whatever they said before, and who has
    withdrawn stays so by every address.
    """
    pairs = [
        (address, one.contact)
        for one in given
        for address in (suppression.number(one.number), suppression.user_id(one.user_id))
        if address is not None
    ]
    listed = suppression.found(address for address, _contact in pairs)
    for row, contact in ((row, contact) for address, contact in pairs for row in listed.get(address, ())):
        said = Consent.objects.filter(contact=contact, channel=row.channel, purpose=row.purpose).first()
        if said is None or said.state != State.WITHDRAWN:
            record(
                contact, purpose=row.purpose, state=State.WITHDRAWN, source=Source.SUPPRESSED, channel=row.channel,
                evidence={"reason": row.reason}, at=max(row.at, said.since) if said else row.at,
            )  # fmt: skip
    refused = Consent.objects.filter(contact__in={contact for _address, contact in pairs}, state=State.WITHDRAWN)
    for no in refused.select_related("event"):
        theirs = [address for address, contact in pairs if contact.pk == no.contact_id]
        suppression.put(theirs, no.purpose, reason=_reason(no.event))


def _known(event: ConsentEvent) -> ConsentEvent | None:
    same = ConsentEvent.objects.filter(
        contact=event.contact_id, channel=event.channel, purpose=event.purpose, state=event.state, source=event.source,
        at=event.at,
    )  # fmt: skip
    return same.first()


def _place(event: ConsentEvent) -> Place:
    return event.contact_id, event.channel, event.purpose


def _told(events: Sequence[ConsentEvent]) -> set[tuple[Any, ...]]:
    """What may come several times and is in the ledger, of all these people."""
    rows = ConsentEvent.objects.filter(contact__in={event.contact_id for event in events}, source__in=REPEATED)
    return set(rows.values_list("contact", "channel", "purpose", "state", "source", "at"))


def _all_standing(events: Sequence[ConsentEvent]) -> dict[Place, Consent]:
    """Where all these people stand, locked."""
    rows = Consent.objects.select_for_update(of=("self",)).select_related("event")
    rows = rows.filter(contact__in={event.contact_id for event in events}).order_by("contact", "pk")
    return {(row.contact_id, row.channel, row.purpose): row for row in rows}


def _standing(event: ConsentEvent) -> Consent | None:
    rows = Consent.objects.select_for_update(of=("self",)).select_related("event")
    return rows.filter(contact=event.contact_id, channel=event.channel, purpose=event.purpose).first()


def _heard(events: Sequence[ConsentEvent]) -> defaultdict[Place, list[ConsentEvent]]:
    """What these people said before, if anything here is for others to say; with room for what comes."""
    found: defaultdict[Place, list[ConsentEvent]] = defaultdict(list)
    asking = {event.contact_id for event in events if event.state == State.GRANTED and event.source in AUDITED}
    if asking:
        for one in ConsentEvent.objects.filter(contact__in=asking):
            found[_place(one)].append(one)
    return found


def _check(event: ConsentEvent, standing: Consent | None, heard: Mapping[Place, Sequence[ConsentEvent]]) -> None:
    """Others do not bring back who, when they last spoke of it themselves, stopped in WhatsApp itself."""
    if event.state != State.GRANTED or event.source not in AUDITED or standing is None:
        return
    words = heard.get(_place(event), ()) if standing.state == State.WITHDRAWN else ()
    stops = [one.at for one in words if one.state == State.WITHDRAWN and _reason(one) in AT_WHATSAPP]
    last = max((at for at in stops if at <= event.at), default=None)
    own = (one.at for one in words if one.state == State.GRANTED and one.source in BY_PERSON)
    if last is not None and not any(at > last for at in own):
        raise OnlyThePerson(
            _("This person has stopped these messages in WhatsApp itself. Only they can allow them again, there.")
        )


def _reason(event: ConsentEvent) -> str:
    """Where a word comes from in the end: of what the suppression list said, that by which it was put there."""
    first = event.evidence.get("reason") if event.source == Source.SUPPRESSED else ""
    return str(first or event.source)


def _settle(event: ConsentEvent, standing: Consent | None) -> bool:
    """Let `Consent` say what the event says, if that counts; whether it does."""
    values = {"state": event.state, "since": event.at, "event": event}
    if standing is None:
        place = {"contact": event.contact, "channel": event.channel, "purpose": event.purpose}
        try:
            with transaction.atomic():
                Consent.objects.create(**place, **values)
        except IntegrityError:  # somebody else heard something at this moment
            standing = _standing(event)
            if standing is None:
                raise
        else:
            return True
    if _weight(event) <= _weight(standing.event):
        return False
    Consent.objects.filter(pk=standing.pk).update(**values)
    return True


def _weight(event: ConsentEvent) -> tuple[bool, dt.datetime, bool]:
    """Which of two events counts: a total order, so that the order of arrival does not matter."""
    is_heard = not (event.source == Source.IMPORT and event.state == State.GRANTED)
    return is_heard, event.at, event.state == State.WITHDRAWN


def _tell(counting: Sequence[tuple[ConsentEvent, str]]) -> None:
    """Whoever has to know of events that count, each with the state before it."""
    audited = [(event, before) for event, before in counting if event.source in AUDITED]
    for (state, by), some in itertools.groupby(audited, key=lambda one: (one[0].state, one[0].by)):
        told = [(event.contact, {str(event.purpose): [before, event.state]}) for event, before in some]
        log.record_each(f"consent_{state}", told, by=by)
    moving = [event for event, before in counting if event.state != before]
    if moving:
        _list(moving)
        consent_changed.send(Consent, events=moving)


def _list(events: Sequence[ConsentEvent]) -> None:
    """The suppression list follows where people stand."""
    heard = sorted((event for event in events if _weight(event)[0]), key=lambda one: (one.channel, one.purpose))
    for (channel, purpose, state, reason), some in itertools.groupby(heard, key=_kind):
        addresses = suppression.addresses_of_all({event.contact for event in some}, channel)
        if state == State.WITHDRAWN:
            suppression.put(addresses, purpose, reason=reason)
        else:
            suppression.lift(addresses, purpose)


def _kind(event: ConsentEvent) -> tuple[str, str, str, str]:
    return event.channel, event.purpose, event.state, _reason(event)
