"""Random lives of a few contacts, and everything that is known of them, row by row."""

import datetime as dt

from django.core.files.base import ContentFile
from hypothesis import strategies as st

from crm.consent import ledger
from crm.consent.models import Suppression
from crm.contacts import addresses, notes, profile
from crm.contacts.models import Contact, ContactEvent, ContactFile, IdentityValue
from crm.exchange.models import ImportJob, ImportRow
from crm.foundation.repointing import relations_to
from crm.merging.models import DuplicatePair, MergeRecord
from crm.merging.rows import packed
from crm.privacy.models import AccessLogEntry, LegalHold, PrivacyRequest
from crm.segments.models import Segment, SegmentMember
from tests.factories import ContactFactory, ConversationFactory, IdentityFactory, InboxFactory, TagFactory, UserFactory

NOW = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
COUNTERS = ("version", "search_text")

DEEDS = ("name", "company", "stage", "attributes", "external_id", "phone", "email", "further", "end", "tag", "note",
         "file", "event", "account", "consent", "segment", "hold", "request", "access", "import", "restrict", "inbound",
         "pair")  # fmt: skip
deeds = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 2), st.integers(0, 3)), min_size=4, max_size=22
)  # (what, whose, which value)


class Lives:
    """Three contacts; `do` has one of them do something, with values that often meet those of the others."""

    def __init__(self):
        self.by = UserFactory(manager=True)
        self.people = [ContactFactory(phone=None, name="", is_name_confirmed=False) for _ in range(3)]
        self.tags = [TagFactory() for _ in range(4)]
        self.segments = [Segment.objects.create(name=f"S{n}", is_static=True) for n in range(4)]
        self.inboxes = [InboxFactory() for _ in range(2)]
        self.job = ImportJob.objects.create(file_name="a.csv")
        self.steps = 0

    def do(self, deed, whose, value):
        self.steps += 1
        contact = Contact.objects.get(pk=self.people[whose].pk)
        getattr(self, f"_{deed}")(contact, value)
        contact.refresh_from_db()
        contact.refresh_search_text()
        contact.save()

    def _write(self, contact, **values):
        profile.write(contact, by=self.by, **values)

    def _name(self, contact, value):
        self._write(contact, name=("", "Ana", "Ana Ruiz", "Luis")[value])

    def _company(self, contact, value):
        self._write(contact, company=("", "ACME", "Acme SL", "Otra")[value])

    def _stage(self, contact, value):
        self._write(contact, owner=(None, self.by)[value % 2], country=("", "ES", "MX", "BR")[value])

    def _attributes(self, contact, value):
        Contact.objects.filter(pk=contact.pk).update(attributes=({}, {"a": 1}, {"a": 2, "b": "x"}, {"c": True})[value])

    def _external_id(self, contact, value):
        taken = Contact.objects.filter(external_id=f"P{value}").exists()
        Contact.objects.filter(pk=contact.pk).update(external_id=None if taken else f"P{value}")

    def _phone(self, contact, value):
        self._write(contact, phone=(None, "+34600000001", "+5511987654321", "+525512345678")[value])

    def _email(self, contact, value):
        self._write(contact, email=(None, "a@example.test", "A@example.test", "b@example.test")[value])

    def _further(self, contact, value):
        kind, text = (("phone", "+34600000001"), ("phone", "+34600000002"), ("email", "a@example.test"),
                      ("email", "c@example.test"))[value]  # fmt: skip
        profile.add_point(contact, kind, text, by=self.by, is_primary=self.steps % 2 == 0)

    def _end(self, contact, value):
        point = contact.points.filter(until=None).order_by("pk").first()
        if point:
            profile.end_point(point, by=self.by)

    def _tag(self, contact, value):
        profile.tag(contact, self.tags[value].name, by=self.by, reason=f"why {value}")

    def _note(self, contact, value):
        notes.add(contact, f"Note {value}", by=self.by)

    def _file(self, contact, value):
        ContactFile.objects.create(
            contact=contact, file=ContentFile(b"x", "x"), name="a", mime_type="text/plain", size=1
        )

    def _event(self, contact, value):
        ContactEvent.objects.create(contact=contact, kind="visit", title="Visit", at=NOW)

    def _account(self, contact, value):
        number = f"346{self.steps:03}{value}"
        account = IdentityFactory(contact=contact, wa_id=number, first_seen_at=NOW, user_id=f"ES.{self.steps}")
        IdentityValue.objects.create(identity=account, field="wa_id", value="1" * 9, match_key="1" * 9, until=NOW)
        addresses.tell([addresses.Given(contact, number, account.user_id)])
        ConversationFactory(identity=account, inbox=self.inboxes[value % 2])

    def _consent(self, contact, value):
        account = contact.identities.order_by("pk").first()
        ledger.record(
            contact, purpose=("marketing", "profiling")[value % 2], state=("granted", "withdrawn")[value // 2],
            source="form", identity=account, at=NOW + dt.timedelta(days=self.steps % 3),
        )  # fmt: skip

    def _segment(self, contact, value):
        SegmentMember.objects.get_or_create(contact=contact, segment=self.segments[value])

    def _hold(self, contact, value):
        LegalHold.objects.create(contact=contact, reason="court")

    def _request(self, contact, value):
        PrivacyRequest.objects.create(contact=contact, kind="access", due_at=NOW)

    def _access(self, contact, value):
        AccessLogEntry.objects.create(contact=contact, user=self.by, what="profile")

    def _import(self, contact, value):
        ImportRow.objects.create(job=self.job, number=self.steps, outcome="new", contact=contact)

    def _restrict(self, contact, value):
        Contact.objects.filter(pk=contact.pk).update(restricted_at=(None, NOW)[value % 2])

    def _inbound(self, contact, value):
        Contact.objects.filter(pk=contact.pk).update(last_inbound_at=NOW + dt.timedelta(hours=value))

    def _pair(self, contact, value):
        other = self.people[(self.people.index(contact) + 1) % 3]
        first, second = sorted((contact.pk, other.pk))
        DuplicatePair.objects.get_or_create(
            first_id=first, second_id=second,
            defaults={"score": 50, "evidence": [], "state": ("open", "dismissed")[value % 2]},
        )  # fmt: skip


def known():
    """Every row that says something of a contact, but counters and merges themselves."""
    models = {model for model, _key in relations_to(Contact)} | {Contact, IdentityValue, Suppression}
    rows = {
        (model._meta.label, row.pk): packed(row)
        for model in models - {MergeRecord}
        for row in model._base_manager.all()
    }
    for (label, _pk), row in rows.items():
        if label == Contact._meta.label:
            for name in COUNTERS:
                row.pop(name)
    return rows


def words(contact):
    """What search finds a contact by, whatever its order."""
    contact.refresh_from_db()
    return sorted(contact.search_text.replace("\x1f", " ").split())
