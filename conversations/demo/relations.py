"""What the demo's house keeps of its customers, by the functions of staff and integrators, each at its time."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.db.models import Model

from conversations.demo import customers
from conversations.demo.customers import Profile
from conversations.demo.people import House
from conversations.demo.scene import Scene
from conversations.messaging import consenting
from conversations.messaging import events as conversation_events
from conversations.messaging.models import Message
from crm.audit import log
from crm.consent import ledger
from crm.consent.models import ConsentEvent, Purpose, State
from crm.contacts import events, profile, tagging
from crm.contacts.models import Contact, CustomAttribute, LifecycleStage
from crm.exchange import importer
from crm.exchange.models import ImportJob
from crm.foundation import clock
from crm.merging import duplicates
from crm.privacy import requests
from crm.segments import saving
from crm.segments.models import Segment

Source = ConsentEvent.Source
MINUTE = dt.timedelta(minutes=1)


@dataclass
class Known:
    """The house's customers by the name in the list, and the stages they can be at."""

    house: House
    now: dt.datetime
    scenes: dict[str, Scene]
    contacts: dict[str, Contact]
    stages: dict[str, LifecycleStage]

    def ago(self, days: float, contact: Contact | None = None) -> dt.datetime:
        """So many days ago, but not before we knew of the contact."""
        at = self.now - dt.timedelta(days=days)
        return at if contact is None else min(max(at, contact.created_at + MINUTE), self.now)


def relate(scenes: Sequence[Scene], house: House, now: dt.datetime) -> None:
    """Write it all for the people of these scenes, whose conversations have been saved, and for some others."""
    by_name = {scene.contact.title: scene for scene in scenes}
    contacts = {name: scene.contact for name, scene in by_name.items()}
    known = Known(house, now, by_name, contacts, _define(house))
    for name, what in customers.KNOWN.items():
        with clock.stands_at(known.ago(3650, contacts[name])):
            _write(known, contacts[name], what, by="marta")
    _write_down(known)
    _note_events(known)
    _note_consents(known)
    _import(known)
    _group(known)
    name, by, days, verified_by = customers.ASKED_FOR_A_COPY
    with clock.stands_at(known.ago(days, known.contacts[name])):
        requests.record(known.contacts[name], requests.Kind.ACCESS, by=house.staff[by], verified_by=verified_by)
    while duplicates.drain():
        pass


def _define(house: House) -> dict[str, LifecycleStage]:
    """Stages and attributes, as the administration makes them."""
    stages = {
        name: LifecycleStage.objects.create(name=name, colour=colour, position=position)
        for position, (name, colour) in enumerate(customers.STAGES.items())
    }
    attributes = [
        CustomAttribute.objects.create(key=key, label=label, type=kind, choices=choices, position=position)
        for position, (key, (label, kind, choices)) in enumerate(customers.ATTRIBUTES.items())
    ]
    for row in (*stages.values(), *attributes):
        log.created(row, by=house.staff["marta"])
    return stages


def _write(known: Known, contact: Contact, what: Profile, *, by: str, **columns: Any) -> Contact:
    staff = known.house.staff
    columns |= what.columns
    if what.stage:
        columns["stage"] = known.stages[what.stage]
    if what.owner:
        columns["owner"] = staff[what.owner]
    contact = profile.write(contact, by=staff[by], attributes=_resolved(what.attributes, known.now), **columns)
    for kind, value, label in what.further:
        profile.add_point(contact, kind, value, by=staff[by], label=label)
    return contact


def _resolved(attributes: Mapping[str, Any], now: dt.datetime) -> dict[str, Any]:
    """With days from now as dates."""
    return {
        key: (now + value).date().isoformat() if isinstance(value, dt.timedelta) else value
        for key, value in attributes.items()
    }


def _write_down(known: Known) -> None:
    """Those who have not written to us."""
    twice, once = customers.TWICE_BY_PHONE
    for name, (days, by, what) in customers.BY_HAND.items():
        number = {"phone": known.contacts[once].phone} if name == twice else {}
        with clock.stands_at(known.ago(days)):
            known.contacts[name] = _write(known, Contact(), what, by=by, name=name, **number)
    names, by, reason = customers.RECOMMENDED
    keys = [known.contacts[name].pk for name in names]
    tag = known.house.tags["Recomendado"]
    tagging.change(Contact.objects.filter(pk__in=keys), add=[tag], by=known.house.staff[by], reason=reason)


def _note_events(known: Known) -> None:
    """What the programs of the house tell of calls, e-mails and visits."""
    for number, (name, kind, days, title, text) in enumerate(customers.EVENTS, 4101):
        events.record(
            known.contacts[name], kind=kind, title=title, text=text, at=known.now - dt.timedelta(days=days),
            url=customers.LINK.format(number=number) if kind == "call" else "",
            external_id=f"{kind}-{number}", by=known.house.staff["bridge"],
        )  # fmt: skip


def _note_consents(known: Known) -> None:
    staff = known.house.staff
    for name, days in customers.BY_FORM.items():
        _consent(
            known, name, days, state=State.GRANTED, source=Source.FORM, wording=customers.WORDING,
            wording_version="2026-01", language="es", evidence=customers.FORM,
        )  # fmt: skip
    for name, days in customers.BY_PORTAL.items():
        _consent(
            known, name, days, purpose=Purpose.UTILITY, state=State.GRANTED, source=Source.API,
            evidence=customers.PORTAL, by=staff["bridge"],
        )  # fmt: skip
    for purpose, state, name, by, days, reason in customers.BY_STAFF:
        _consent(
            known, name, days, purpose=purpose, state=state, source=Source.AGENT, evidence={"reason": reason},
            by=staff[by],
        )  # fmt: skip
    name, hours = customers.IN_WHATSAPP
    scene = known.scenes[name]
    with clock.stands_at(at := known.ago(hours, scene.contact)):
        consenting.note_preference(scene.inbox, scene.identity, is_stop=True, details="User stopped marketing", at=at)
    for name, source in customers.IN_THE_CHAT:
        scene = known.scenes[name]
        said = [one for one in scene.messages if one.direction == Message.Direction.INBOUND][-1]
        with clock.stands_at(said.sort_at):
            ledger.record(
                scene.contact, purpose=Purpose.MARKETING, state=State.WITHDRAWN, source=source,
                identity=scene.identity, evidence={"message": said.pk, "text": said.text}, at=said.sort_at,
            )  # fmt: skip
            conversation_events.record(scene.conversation, "consent_withdrawn")


def _consent(known: Known, name: str, days: float, *, purpose: str = Purpose.MARKETING, **what: Any) -> None:
    """Said so many days ago, recorded as soon as we knew the person."""
    contact = known.contacts[name]
    with clock.stands_at(known.ago(days, contact)):
        ledger.record(contact, purpose=purpose, at=known.ago(days), **what)


def _import(known: Known) -> None:
    """A file from a fair: uploaded, tried and taken over by the drain that does it for everybody."""
    marta, day = known.house.staff["marta"], known.ago(customers.FAIR_DAYS)
    text = customers.FAIR.format(day=f"{day:%d/%m/%Y}", petra=known.contacts[customers.UPDATED].phone)
    with clock.stands_at(known.ago(customers.IMPORTED_DAYS)):
        job = importer.upload(ContentFile(text.encode(), name=customers.FAIR_NAME), by=marta)
        tags = [known.house.tags[customers.FAIR_TAG].pk]
        job = importer.configure(job, options=job.options | {"tags": tags, "consent_source": customers.FAIR_SOURCE})
        _finish(importer.start_check(job))
        job.refresh_from_db()
        _finish(importer.start_commit(job, by=marta))


def _finish(job: ImportJob) -> None:
    while importer.LINE.drain():
        pass
    job.refresh_from_db()
    if job.state != ImportJob.State.DONE:
        raise RuntimeError(f"the demo's import: {job.state} {job.problem}")


def _group(known: Known) -> None:
    """The segments, their stages and tags by key."""
    keys: dict[str, Mapping[str, Model]] = {"stage": known.stages, "tags": known.house.tags}
    for name, description, rule in customers.SEGMENTS:
        keyed = {"all": [_keyed(part, keys) for part in rule["all"]]}
        saving.save(Segment(), by=known.house.staff["marta"], name=name, description=description, rule=keyed)


def _keyed(part: dict[str, Any], keys: Mapping[str, Mapping[str, Model]]) -> dict[str, Any]:
    named = keys.get(part.get("field", ""))
    return part | {"value": [named[name].pk for name in part["value"]]} if named else part
