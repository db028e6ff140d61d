"""What the routes of the matrix are asked about: one of everything, and somebody of every kind."""

import datetime as dt
import uuid

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.products.models import Product
from conversations.answers.models import CannedAnswer
from conversations.ingest.models import WebhookEvent
from conversations.messaging.models import Attachment, ScheduledMessage
from crm.audit import log
from crm.consent import ledger
from crm.consent.models import OptOutWord
from crm.contacts.models import (
    Contact,
    ContactEvent,
    ContactFile,
    ContactNote,
    ContactPoint,
    CustomAttribute,
    LifecycleStage,
)
from crm.exchange import importer
from crm.exchange.models import BulkJob, ExportJob
from crm.foundation import clock
from crm.foundation.secrets import seal
from crm.merging import merge
from crm.merging.models import DuplicatePair
from crm.privacy import holds, requests
from crm.privacy.models import AccessLogEntry, PrivacyRequest, Processor
from crm.segments.models import Segment
from crm.staff import tokens
from crm.staff.models import ApiToken
from tests.factories import (
    AccountFactory,
    ContactFactory,
    ConversationFactory,
    InboxFactory,
    MessageFactory,
    TagFactory,
    TeamFactory,
    UserFactory,
)
from tests.permissions.routes import Route
from tests.permissions.table import WHO


class World:
    """A conversation of the agent's team that the restricted agent has, and all that hangs on it."""

    def __init__(self):
        self.team = TeamFactory()
        self.users = {
            "anonymous": None,
            "integrator": UserFactory(integrator=True),
            "restricted": UserFactory(restricted=True, teams=[self.team]),
            "agent": UserFactory(teams=[self.team]),
            "stranger": UserFactory(teams=[TeamFactory()]),
            "manager": UserFactory(manager=True),
        }
        UserFactory(manager=True)  # the last one can do less
        self.tag = TagFactory()
        # What asks Meta is refused at once.
        self.inbox = InboxFactory(account=AccountFactory(graph_base_url="http://127.0.0.1:9"), teams=[self.team])
        self.conversation = ConversationFactory(inbox=self.inbox, assignee=self.users["restricted"], team=self.team)
        self.contact = self.conversation.contact
        self.message = MessageFactory(conversation=self.conversation, outbound=True, status="failed")
        self.file = Attachment.objects.create(
            message=self.message, conversation=self.conversation, kind="image", state="stored", mime_type="image/png",
            size=3, file=ContentFile(b"png", "x"),
        )  # fmt: skip
        self.planned = ScheduledMessage.objects.create(
            conversation=self.conversation, text="Later", send_at=clock.now() + dt.timedelta(hours=2)
        )
        self.note = ContactNote.objects.create(contact=self.contact, text="Vegetarian", author=self.users["agent"])
        Contact.objects.filter(pk=self.contact.pk).update(external_id="policy-4711")
        self.stage = LifecycleStage.objects.create(name="Customer")
        self.point = ContactPoint.objects.create(
            contact=self.contact, kind="email", value="ana@example.test", match_key="ana@example.test", is_primary=True
        )
        self.paper = ContactFile.objects.create(
            contact=self.contact, file=ContentFile(b"text", "x"), name="a.txt", mime_type="text/plain", size=4
        )
        self.visit = ContactEvent.objects.create(contact=self.contact, kind="visit", title="Visit", at=clock.now())
        self.refusal = ledger.record(self.contact, purpose="profiling", state="withdrawn", source="form")
        OptOutWord.objects.create(language="es", text="Chao", folded="chao", meaning="stop")
        self.attribute = CustomAttribute.objects.create(key="plan", label="Plan")
        self.merged = merge.merge(self.contact, ContactFactory(), by=self.users["manager"])
        self.alike = ContactFactory()
        DuplicatePair.objects.create(first=self.contact, second=self.alike, score=75, evidence=[])
        self.segment = Segment.objects.create(name="Everybody")
        manager = self.users["manager"]
        self.import_ = importer.upload(ContentFile(b"name\nEva\n", "a.csv"), by=manager)
        self.export = ExportJob.objects.create(
            created_by=manager, state="done", secret="s" * 43, file=ContentFile(b"id", "x"), columns=["id"],
            expires_at=clock.now() + dt.timedelta(days=1),
        )  # fmt: skip
        self.bulk = BulkJob.objects.create(created_by=manager, action="add_tag", value={"tag": self.tag.pk})
        self.copy = requests.record(self.contact, "access", by=manager, verified_by="passport")
        PrivacyRequest.objects.filter(pk=self.copy.pk).update(
            state="done", secret="s" * 43, expires_at=clock.now() + dt.timedelta(days=1)
        )
        self.copy.refresh_from_db()
        self.copy.file.save("x", ContentFile(b"PK"))
        self.erasure = requests.record(self.contact, "erasure", by=manager, verified_by="passport")
        holds.hold(self.alike, reason="lawsuit", by=manager)
        AccessLogEntry.objects.create(user=manager, contact=self.contact, what="profile")
        Processor.objects.create(name="Host", purpose="Hosting", country="DE")
        self.product = Product.objects.create(retailer_id="P1", name="Home", price="1.000", currency="EUR")
        self.answer = CannedAnswer.objects.create(shortcut="hi", body="Hello", team=self.team)
        self.event = WebhookEvent.objects.create(sealed_body=seal(b"{}"), state="processed")
        self.token = ApiToken.objects.get(digest=tokens.digest(tokens.issue(self.users["agent"], ["read"])))
        self.entry = log.record("created", self.tag, by=self.users["manager"])
        self.cookies = {}
        self.texts = {name: tokens.issue(user, ["read", "write"]) for name, user in self.users.items() if user}

    def browser(self, who):
        """Signed in as one of WHO; what the server breaks on fails the test."""
        client = Client()
        if self.users[who]:
            if who not in self.cookies:
                client.force_login(self.users[who])
                self.cookies[who] = client.cookies[settings.SESSION_COOKIE_NAME].value
            client.cookies[settings.SESSION_COOKIE_NAME] = self.cookies[who]
        return client

    def program(self, who, scopes=None):
        """With a token of one of WHO that opens everything, or these scopes."""
        if not self.users[who]:
            return Client()
        text = tokens.issue(self.users[who], scopes) if scopes else self.texts[who]
        return Client(headers={"Authorization": f"Bearer {text}"})

    def arguments(self, route: Route):
        """Values for the arguments of a route."""
        if route.page:
            app, _sep, model = route.page[0].partition("_")
            rows = Group.objects if app == "auth" else apps.get_model(app, model)._base_manager
            row = self._known(model) or rows.order_by("pk").first()
            return {"object_id": row.pk if row else 1}
        own = next((row for part, row in self._jobs().items() if part in route.name), self.conversation)
        pk = {
            "api:attachment": self.file, "desk:media": self.file, "desk:media-retry": self.file,
            "api:attribute-detail": self.attribute, "api:canned-answer-detail": self.answer,
            "api:contact-detail": self.contact, "api:contact-note-detail": self.note, "api:inbox-detail": self.inbox,
            "api:contact-consent-detail": self.refusal, "api:contact-tags": self.contact,
            "api:contact-event-detail": self.visit,
            "api:contact-file-detail": self.paper, "api:contact-file-content": self.paper,
            "api:contact-point-detail": self.point, "api:stage-detail": self.stage, "api:tag-merge": self.tag,
            "api:message-detail": self.message, "api:message-cancel": self.message, "api:message-retry": self.message,
            "api:product-detail": self.product, "api:tag-detail": self.tag, "api:team-detail": self.team,
            "api:user-detail": self.users["agent"], "api:webhook-event-detail": self.event,
            "desk:scheduled-change": self.planned, "desk:contact-file": self.paper,
            "admin:conversations_inbox_setup": self.inbox,
            "api:contact-erasure-detail": self.erasure, "api:contact-export-detail": self.copy,
            "api:contact-export-content": self.copy, "admin:crm_privacyrequest_act": self.copy,
            "admin:crm_privacyrequest_copy": self.copy,
            "api:contact-merge-detail": self.merged, "api:contact-merge-undo": self.merged,
            "admin:crm_mergerecord_split": self.conversation.identity,
            "api:segment-detail": self.segment, "api:segment-freeze": self.segment,
            "api:segment-members": self.segment, "admin:crm_segment_freeze": self.segment,
        }.get(route.name, own).pk  # fmt: skip
        return {
            "pk": pk, "contact": self.contact.pk, "conversation": self.conversation.pk,
            "client_id": self.message.client_id, "app_label": "crm", "object_id": self.users["agent"].pk,
            "content_type_id": 1, "url": "nothing", "uidb64": "MQ", "token": "x", "provider_id": "x",
            "first": self.contact.pk, "second": self.alike.pk, "external_id": "policy-4711",
            "secret": self.export.secret,
        }  # fmt: skip

    def _jobs(self):
        return {
            "api:import-": self.import_, "crm_importjob_": self.import_, "crm_exportjob_": self.export,
            "crm_bulkjob_": self.bulk,
        }  # fmt: skip

    def _known(self, model):
        return {"user": self.users["agent"], "contact": self.contact, "apitoken": self.token, "tag": self.tag}.get(
            model
        )

    def form(self):
        """A form that every POST of the desk would accept."""
        return {
            "client_id": str(uuid.uuid4()), "text": "Hello", "message": str(self.message.client_id), "emoji": "👍",
            "send_at": (clock.now() + dt.timedelta(hours=1)).isoformat(), "shortcut": "bye", "body": "Bye",
            "assignee": "me", "status": "resolved", "version": self.conversation.version, "until": "reply",
            "priority": "2", "pinned": "1", "add": self.tag.pk, "conversation": self.conversation.pk,
            "language": "es", "theme": "dark", "field": "company", "value": "", "tag": self.tag.name,
            "user": self.users["stranger"].pk, "file": SimpleUploadedFile("a.txt", b"text", "text/plain"),
        }  # fmt: skip


assert set(WHO) == {"anonymous", "integrator", "restricted", "agent", "stranger", "manager"}
