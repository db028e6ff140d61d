"""A person who has left something in every store, each with a marker of its own; and where markers are found again."""

import datetime as dt
import itertools
import json
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection

from conversations.desk.models import Draft, SavedView
from conversations.ingest.models import EventItem, WebhookEvent
from conversations.messaging.models import (
    Attachment,
    Attempt,
    ConversationEvent,
    ConversationPin,
    ConversationRead,
    ConversationTag,
    ParkedUpdate,
    PortfolioUse,
    Reaction,
    ScheduledMessage,
)
from conversations.notices.models import Notice
from crm.audit import log
from crm.consent import ledger
from crm.contacts import profile
from crm.contacts.models import Contact, ContactEvent, ContactFile, ContactNote, CustomAttribute, IdentityValue
from crm.exchange.models import BulkJob, ExportJob, ImportJob, ImportRow
from crm.foundation import clock, work
from crm.foundation.secrets import seal, unseal
from crm.merging.models import DuplicatePair, MergeRecord
from crm.privacy import accesses, holds, requests
from crm.segments.models import Segment, SegmentMember
from crm.staff import tokens
from crm.staff.models import ApiToken, StoredAnswer
from tests.factories import (
    ContactFactory,
    ConversationFactory,
    IdentityFactory,
    MessageFactory,
    TagFactory,
)

AGO = dt.timedelta(days=2)


class Planted:
    """`contact` with markers; `other` shares stores, group and conversations with them."""

    def __init__(self, manager):
        self.manager = manager
        self.markers = {}
        self.numbers = itertools.count(1)
        self.wa_id = "34655000111"
        self.other = ContactFactory(name="Bruno Bystander", phone="+34655999888")
        self.other_account = IdentityFactory(contact=self.other)
        attribute = CustomAttribute.objects.create(key="plan", label="Plan")
        self.contact = profile.write(
            Contact(), by=manager, name=self.mark("name", "Zoraida "), phone=f"+{self.wa_id}",
            company=self.mark("company"), external_id=self.mark("external id"),
            email=f"{self.mark('email')}@example.test", attributes={attribute.key: self.mark("attribute")},
        )  # fmt: skip
        Contact.objects.filter(pk=self.contact.pk).update(created_at=clock.now() - AGO)
        self.markers["number"] = self.wa_id
        self.account = IdentityFactory(
            contact=self.contact, wa_id=self.wa_id, match_key=self.wa_id, user_id=self.mark("user id"),
            username=self.mark("username"), profile_name=self.mark("profile name"),
        )  # fmt: skip
        IdentityValue.objects.create(
            identity=self.account, field="wa_id", value="34655222333", match_key="34655222333", until=clock.now()
        )
        self.markers["former number"] = "34655222333"
        self._plant_about_them()
        self._plant_conversation()
        self._plant_group()
        self._plant_copies()
        self.contact.refresh_from_db()

    def mark(self, store, before=""):
        """A word that is nowhere else."""
        self.markers[store] = f"{before}marker{next(self.numbers):03}x"
        return self.markers[store]

    def _plant_about_them(self):
        contact, by = self.contact, self.manager
        profile.write(contact, by=by, company=self.mark("former company"))
        profile.write(contact, by=by, company=self.mark("present company"))
        profile.tag(contact, "vip", by=by, reason=self.mark("reason of a tag"))
        ContactNote.objects.create(contact=contact, text=self.mark("note"), author=by)
        self.paper = ContactFile.objects.create(
            contact=contact, file=ContentFile(self.mark("document").encode(), "x"), name=self.mark("document name"),
            mime_type="text/plain", size=9, sha256="",
        )  # fmt: skip
        ContactEvent.objects.create(
            contact=contact, kind="visit", title=self.mark("event title"), text=self.mark("event text"), at=clock.now(),
            url=f"https://example.test/{self.mark('event link')}",
        )  # fmt: skip
        ledger.record(
            contact, purpose="marketing", state="withdrawn", source="form", wording=self.mark("wording"), by=by,
            evidence={"text": self.mark("evidence")},
        )  # fmt: skip
        segment = Segment.objects.create(name="Frozen", is_static=True)
        SegmentMember.objects.create(segment=segment, contact=contact)
        self.rule = Segment.objects.create(
            name="By number", rule={"all": [{"field": "phone", "op": "is", "value": f"+{self.wa_id}"}]}
        )
        first, second = sorted((contact, self.other), key=lambda one: one.pk)
        DuplicatePair.objects.create(
            first=first, second=second, evidence=[{"value": self.mark("evidence of a pair")}], score=80
        )
        MergeRecord.objects.create(
            kept=contact, dropped_id=987654, dropped={"id": 987654, "name": self.mark("merged name")}, moved={},
            kept_before={"company": [self.mark("lost value"), ""]}, lost={},
        )  # fmt: skip
        accesses.note(by, contact, "profile", detail=self.mark("detail of a look"))
        requests.record(contact, "rectification", by=by, verified_by="passport", reason=f"{contact.name} wrote")
        holds.lift(holds.hold(contact, reason=self.mark("reason of a hold"), by=by), by=by)
        log.record("changed", contact, by=by, changes={"notes": [self.mark("audited"), None]})
        self._plant_among_others()

    def _plant_among_others(self):
        """The bystander was one contact with them for a while; and staff looked for them."""
        other, by, number = self.other, self.manager, f"+{self.wa_id}"
        lent = {"company": [None, self.mark("lent to another")], log.ABSORBED: [None, self.contact.pk]}
        log.record("merged", other, by=by, changes=lent)
        log.record("changed", other, by=by, changes={"phones": [None, number]})
        log.record("merge_undone", other, by=by, changes={"contact": [other.pk, self.contact.pk]})
        gone = Segment(pk=987654, name=f"Only {number}")
        log.record("deleted", gone, by=by, changes={"rule": [{"all": [{"field": "phone", "value": number}]}, None]})
        log.record("exported", ExportJob(pk=987654), by=by, changes={"selection": [None, {"query": {"q": number}}]})

    def _plant_conversation(self):
        self.conversation = ConversationFactory(identity=self.account, contact=self.contact)
        row, by, inbox = self.conversation, self.manager, self.conversation.inbox
        self.said = MessageFactory(
            conversation=row, text=self.mark("message"), payload={"location": self.mark("payload")}, sender=self.account
        )
        answer = MessageFactory(conversation=row, outbound=True, text=self.mark("answer"), reply_to=self.said)
        row.last_preview, row.last_message_id = self.mark("preview"), answer.pk
        row.save()
        MessageFactory(conversation=row, note=True, text=self.mark("private note"))
        self.queued = MessageFactory(conversation=row, outbound=True, status="queued", text=self.mark("queued message"))
        Attempt.objects.create(message=answer, error_details=self.mark("attempt"))
        Reaction.objects.create(message=answer, actor=str(self.account.pk), emoji="👍", reacted_at=clock.now())
        self.picture = Attachment.objects.create(
            message=self.said, conversation=row, kind="image", state="stored", filename=self.mark("file name"),
            file=ContentFile(self.mark("picture").encode(), "x"),
            rendition=ContentFile(self.mark("rendition").encode(), "y"),
        )  # fmt: skip
        ScheduledMessage.objects.create(
            conversation=row, text=self.mark("scheduled"), send_at=clock.now() + dt.timedelta(hours=1), author=by
        )
        ConversationEvent.objects.create(conversation=row, kind="note", data={"text": self.mark("event of thread")})
        ConversationTag.objects.create(conversation=row, tag=TagFactory())
        ConversationPin.objects.create(conversation=row, user=by)
        ConversationRead.objects.create(conversation=row, user=by, inbound_upto=1)
        Draft.objects.create(user=by, conversation=row, text=self.mark("draft"))
        Notice.objects.create(user=by, conversation=row, message=answer)
        PortfolioUse.objects.create(scope="portfolio", identity=self.account)
        ParkedUpdate.objects.create(
            inbox=inbox, external_id="x", dedup_key="1", kind="status",
            payload={"recipient_id": self.wa_id, "text": self.mark("parked")},
        )  # fmt: skip
        self.raw = self._webhook("processed", self.mark("raw webhook"))
        EventItem.objects.create(event=self.raw, position=0, kind="text", outcome="recorded", message=self.said)
        self.quarantined = self._webhook("quarantined", self.mark("quarantined webhook"), others="kept of others")
        log.record("retried", self.said, by=by, changes={"text": [self.mark("audited message"), None]})

    def _webhook(self, state, text, others=""):
        said = [{"from": self.wa_id, "id": "wamid.1", "text": {"body": text}}]
        said += [{"from": "34655999888", "id": "wamid.2", "text": {"body": others}}] if others else []
        value = {"contacts": [{"wa_id": self.wa_id, "profile": {"name": text}}], "messages": said}
        payload = {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
        body = seal(json.dumps(payload).encode())
        return WebhookEvent.objects.create(sealed_body=body, state=state, processed_at=clock.real())

    def _plant_group(self):
        """They wrote in a group that somebody else belongs to as well."""
        group = ContactFactory(name="The group", kind="group", phone=None)
        account = IdentityFactory(contact=group, channel="whatsapp_group", wa_id=None, match_key=None, user_id="g1")
        self.group = ConversationFactory(identity=account, contact=group, last_preview=self.mark("group preview"))
        MessageFactory(conversation=self.group, sender=self.other_account, text="said by the bystander")
        said = MessageFactory(conversation=self.group, sender=self.account, text=self.mark("said in a group"))
        Reaction.objects.create(message=said, actor=str(self.other_account.pk), emoji="🎉", reacted_at=clock.now())

    def _plant_copies(self):
        by, number = self.manager, f"+{self.wa_id}"
        token = ApiToken.objects.get(digest=tokens.digest(tokens.issue(by, ["read"])))
        StoredAnswer.objects.create(token=token, key="1", body={"phone": number, "note": self.mark("stored answer")})
        text = f"name;phone\n{self.mark('import file')};{number}\n"
        self.imported = ImportJob.objects.create(
            file=ContentFile(text.encode("utf-16"), "x"), file_name="people.csv", state="done", step="commit"
        )
        ImportRow.objects.create(
            job=self.imported, number=2, outcome="update", contact=self.contact,
            before={"company": self.mark("before an import")},
        )  # fmt: skip
        ImportRow.objects.create(
            job=self.imported, number=3, outcome="error", reason=f"“{number}” {self.mark('reason of a row')}"
        )
        self.exported = ExportJob.objects.create(
            file=ContentFile(self.mark("export file").encode(), "x"), secret="s", expires_at=clock.now() + AGO,
            state="done", selection={"query": {"q": number}}, created_by=by,
        )  # fmt: skip
        BulkJob.objects.create(action="add_tag", selection={"query": {"q": number}}, created_by=by)
        SavedView.objects.create(name="Them", query=f"q={self.wa_id}&status=open", owner=by)


def erase(contact, by):
    """As a manager does, and the background until it is idle."""
    row = requests.start(requests.record(contact, "erasure", by=by, verified_by="wrote from the number"), by=by)
    work.run_until_idle(requests.DRAIN)
    row.refresh_from_db()
    return row


def found(markers):
    """Where each marker is: tables by column, files; an independent look at all that is stored."""
    places = {}
    for where, data in stored():
        for store, word in markers.items():
            if any(word.encode(how) in data for how in ("utf-8", "utf-16-le")):
                places.setdefault(store, set()).add(where)
    return places


def stored():
    """Every value of every table the database itself knows, sealed ones opened, and the bytes of every file."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    yield f"{table}.{name}", opened(value)
    for path in Path(settings.MEDIA_ROOT).rglob("*"):
        if path.is_file():
            yield f"file {path.parent.name}", path.read_bytes()
    for path in Path(settings.DATA_DIR).glob("*.txt"):
        yield f"file {path.name}", path.read_bytes()


def opened(value):
    """As bytes; JSON with its letters as they are."""
    if isinstance(value, bytes | memoryview):
        try:
            return unseal(bytes(value))
        except (InvalidToken, ValueError):
            return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).encode()
    return str(value).encode()
