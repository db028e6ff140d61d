"""Contacts of every kind for random rules, and the rules' meaning once more, in Python."""

import datetime as dt
import itertools
import operator

from django.utils import timezone

from conversations.messaging.models import Conversation
from crm.consent.models import Consent, ConsentEvent
from crm.contacts.models import Contact, ContactTag, CustomAttribute, LifecycleStage
from crm.foundation import clock
from crm.segments import operators
from crm.segments.fields import Catalogue, Type
from tests.factories import ConversationFactory, IdentityFactory, InboxFactory, TagFactory, UserFactory

NAMES = ("", "Ana", "ana lopez", "Bruno%", "Zoë_Quist", "O'Hara", "100")
WORDS = ("an", "Ana", "%", "_", "'", "x", "100", "lopez", "Bruno%")


class World:
    """Thirty people whose values run through all combinations that matter; `facts` is what rules ask of each."""

    def __init__(self):
        self.tags = [TagFactory() for _ in range(3)]
        self.stages = [LifecycleStage.objects.create(name=f"Stage {n}", position=n) for n in range(2)]
        self.users = [UserFactory(manager=True) for _ in range(2)]
        self.inboxes = [InboxFactory() for _ in range(2)]
        for key, type_, choices in (
            ("word", "text", []), ("amount", "number", []), ("renewal", "date", []), ("plan", "choice", ["A", "B"]),
            ("vip", "yes_no", []), ("odd__gt", "number", []),
        ):  # fmt: skip
            CustomAttribute.objects.create(key=key, label=key.title(), type=type_, choices=choices)
        self.facts = {self._person(n).pk: None for n in range(30)}
        self.facts = {contact.pk: self._facts(contact) for contact in Contact.objects.filter(pk__in=self.facts)}

    def _person(self, n):
        now, today = clock.now(), operators.today()
        attributes = {
            "word": NAMES[n % 7], "amount": (None, 0, 3, 2.5, 10)[n % 5],
            "renewal": None if n % 3 == 0 else (today + dt.timedelta(days=n - 15)).isoformat(),
            "plan": (None, "A", "B", "gone")[n % 4], "vip": (None, True, False)[n % 3], "odd__gt": (None, 7)[n % 2],
        }  # fmt: skip
        contact = Contact.objects.create(
            name=NAMES[n % 7], company=("", "ACME", "acme sl")[n % 3], kind=("person", "employee")[n % 2],
            language=("", "es", "pt-BR", "en")[n % 4], country=("", "FR", "")[n % 3],
            phone=None if n % 5 == 0 else f"+{34 if n % 2 else 33}600000{n:03}",
            stage=(None, *self.stages)[n % 3], owner=(None, *self.users)[n % 3],
            last_inbound_at=None if n % 4 == 0 else now - dt.timedelta(days=n),
            created_at=now - dt.timedelta(days=2 * n, hours=1),
            attributes={key: value for key, value in attributes.items() if value not in (None, "")},
        )  # fmt: skip
        for number, tag in enumerate(self.tags):
            if n >> number & 1:
                ContactTag.objects.create(contact=contact, tag=tag)
        if n % 3:
            event = ConsentEvent.objects.create(
                contact=contact, purpose="marketing", state=("granted", "withdrawn")[n % 2], source="form", at=now
            )
            Consent.objects.create(
                contact=contact, purpose="marketing", state=event.state, since=event.at, event=event
            )  # fmt: skip
        for number in range(n % 3):
            ConversationFactory(
                identity=IdentityFactory(contact=contact, wa_id=f"{n}{number}99999"), inbox=self.inboxes[number],
                status=("open", "resolved")[n % 2], assignee=(None, *self.users)[n % 3],
                waiting_since=now if n % 5 == 0 else None, last_activity_at=now - dt.timedelta(days=n + number),
                window_expires_at=now + dt.timedelta(hours=3 if n % 4 else -3),
            ).tags.add(*self.tags[: n % 3])  # fmt: skip
        return contact

    def _facts(self, contact):
        """By field: None for none; a list for sets."""
        talks = list(Conversation.objects.filter(contact=contact))
        calling = {"34": "ES", "33": "FR"}
        consent = Consent.objects.filter(contact=contact, purpose="marketing").first()
        return {
            "name": contact.name or None, "company": contact.company or None, "kind": contact.kind,
            "language": contact.language.partition("-")[0] or None,
            "country": contact.country or calling.get((contact.phone or "")[1:3], ""),
            "stage": contact.stage_id, "owner": contact.owner_id, "has_phone": contact.phone is not None,
            "tags": [link.tag_id for link in contact.contact_tags.all()],
            "created": contact.created_at, "last_inbound": contact.last_inbound_at,
            "consent.marketing": consent.state if consent else "unknown",
            "conversation.open": any(talk.status == "open" for talk in talks),
            "conversation.waiting": any(talk.status == "open" and talk.waiting_since for talk in talks),
            "conversation.window": any(talk.window_is_open(clock.now()) for talk in talks),
            "conversation.status": [talk.status for talk in talks],
            "conversation.inbox": [talk.inbox_id for talk in talks],
            "conversation.assignee": [talk.assignee_id for talk in talks if talk.assignee_id],
            "conversation.tags": list(itertools.chain(*(talk.tags.values_list("pk", flat=True) for talk in talks))),
            "conversation.activity": max((talk.last_activity_at for talk in talks), default=None),
        } | {f"attribute.{key}": contact.attributes.get(key) for key in (
            "word", "amount", "renewal", "plan", "vip", "odd__gt"
        )}  # fmt: skip

    def described(self, rule):
        """The keys of those whom a rule describes."""
        catalogue = Catalogue()
        return {pk for pk, facts in self.facts.items() if _fits(rule, facts, catalogue)}


def _fits(rule, facts, catalogue):
    if "all" in rule or "any" in rule:
        rows = rule.get("all", rule.get("any"))
        found = [_fits(row, facts, catalogue) for row in rows]
        return all(found) if "all" in rule or not rows else any(found)
    field = catalogue.find(rule["field"])
    return _said(field.type, facts[rule["field"]], rule["op"], rule.get("value"))


def _said(type_, fact, op, value):
    if op in ("set", "empty"):
        return (fact not in (None, [])) == (op == "set")
    if type_ == Type.SET:
        return {
            "any": bool(set(fact) & set(value)), "all": set(value) <= set(fact), "none": not set(fact) & set(value)
        }[op]  # fmt: skip
    if fact is None:
        return op in ("is_not", "contains_not", "none", "ne")
    match op:
        case "is" | "is_not" if type_ == Type.TEXT:
            return (fact.casefold() == value.casefold()) == (op == "is")
        case "contains" | "contains_not":
            return (value.casefold() in fact.casefold()) == (op == "contains")
        case "starts":
            return fact.casefold().startswith(value.casefold())
        case "is":
            return fact is value
        case "any" | "none":
            return (fact in value) == (op == "any")
        case "between" if type_ == Type.NUMBER:
            return value[0] <= fact <= value[1]
        case "eq" | "ne" | "lt" | "lte" | "gt" | "gte":
            return getattr(operator, {"lte": "le", "gte": "ge"}.get(op, op))(fact, value)
    return _when(type_, fact, op, value)


def _days_from(today, number):
    return {today + dt.timedelta(days=n) for n in range(number + 1)}


def _in_year(day, year):
    is_there = (day.month, day.day) != (2, 29) or year % 4 == 0
    return day.replace(year=year) if is_there else dt.date(year, 2, 28)


def _when(type_, fact, op, value):
    now, today = clock.now(), operators.today()
    day = dt.date.fromisoformat(fact) if type_ == Type.DAY else timezone.localdate(
        fact, timezone.get_default_timezone()
    )  # fmt: skip
    match op:
        case "past" | "older" if type_ == Type.MOMENT:
            return (fact >= now - dt.timedelta(days=value)) == (op == "past")
        case "past":
            return today - dt.timedelta(days=value) <= day <= today
        case "older":
            return day < today - dt.timedelta(days=value)
        case "next":
            return today <= day <= today + dt.timedelta(days=value)
        case "yearly":
            return any(_in_year(day, year) in _days_from(today, value) for year in (today.year, today.year + 1))
    first, last = value if isinstance(value, list) else (value, value)
    first, last = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    return {"before": day < first, "after": day > last, "on": day == first, "between": first <= day <= last}[op]
