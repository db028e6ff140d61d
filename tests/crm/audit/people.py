"""Changes of what the product knows of people, by every road there is; and what is recorded of each."""

import io

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from crm.contacts import tagging
from crm.contacts.models import ContactFile, ContactPoint, Tag
from crm.exchange import bulk, exporter, selection
from crm.foundation import clock, work
from crm.merging import merge
from crm.merging.models import DuplicatePair, MergeRecord
from crm.privacy.models import LegalHold, PrivacyRequest
from crm.segments.models import Segment
from tests.api import Integrator
from tests.factories import ContactFactory, ConversationFactory, IdentityFactory, TagFactory, UserFactory

PROCESSOR = {"name": "Host & Co", "purpose": "Hosting", "country": "DE", "transfer_basis": "", "contract_date": ""}


def integrator(*scopes):
    return Integrator(UserFactory(integrator=True), *scopes)


def manager():
    client = Client()
    client.force_login(UserFactory(manager=True))
    return client


def page(model, *, pk=None, deed="change"):
    return reverse(f"admin:crm_{model}_{deed}", args=[pk] if pk else [])


def edited(client, model, **values):
    """A row added, changed and deleted by the administration's own forms."""
    first, second = ({name: pair[at] if isinstance(pair, tuple) else pair for name, pair in values.items()}
                     for at in (0, 1))  # fmt: skip
    added = client.post(page(model, deed="add"), first)
    assert added.status_code == 302, added.context["adminform"].form.errors
    pk = int(client.get(page(model, deed="changelist")).context["cl"].result_list[0].pk)
    changed = client.post(page(model, pk=pk), second)
    assert changed.status_code == 302, changed.context["adminform"].form.errors
    client.post(page(model, pk=pk, deed="delete"), {"post": "yes"})


def stage_by_api():
    caller = integrator()
    pk = caller.post("stages/", {"name": "Lead"}).json()["id"]
    caller.patch(f"stages/{pk}/", {"name": "Prospect"})
    caller.delete(f"stages/{pk}/")


def stage_by_hand():
    edited(manager(), "lifecyclestage", name=("Lead", "Prospect"), colour="1", position="0")


def tag_by_hand():
    edited(manager(), "tag", name=("VIP", "Gold"), colour="1", group="")


def attribute_by_hand():
    same = {"key": "plan", "type": "text", "choices": "", "position": "0"}
    edited(manager(), "customattribute", label=("Plan", "Tariff"), **same)


def word_by_hand():
    edited(manager(), "optoutword", text=("no mas", "no más por favor"), language="es", meaning="stop")


def processor_by_hand():
    edited(manager(), "processor", **PROCESSOR | {"purpose": ("Hosting", "Hosting and backups")})


def tags_merged():
    tagging.merge(TagFactory(name="vip"), TagFactory(name="VIPs"), by=UserFactory())


def tags_of_many_by_api():
    people, tag = [ContactFactory().pk for _ in range(2)], TagFactory()
    integrator().post("contacts/tags/", {"contacts": people, "add": [tag.name], "reason": "Fair"})


def point_by_api():
    caller, contact = integrator(), ContactFactory(phone=None)
    base = f"contacts/{contact.pk}/points/"
    pk = caller.post(base, {"kind": "email", "value": "a@example.test"}).json()["id"]
    caller.patch(f"{base}{pk}/", {"label": "Work"})
    caller.patch(f"{base}{pk}/", {"label": "Work"})  # as it is
    caller.delete(f"{base}{pk}/")


def point_at_the_desk():
    talk = ConversationFactory(contact__phone=None)
    client, address = manager(), reverse("desk:contact-points", args=[talk.pk])
    client.post(address, {"value": "a@example.test"})
    client.post(address, {"value": "b@example.test"})
    client.post(address, {"first": ContactPoint.objects.get(value="b@example.test").pk})
    client.post(address, {"off": ContactPoint.objects.get(value="b@example.test").pk})


def file_by_api():
    caller, contact = integrator(), ContactFactory()
    pk = caller.upload(f"contacts/{contact.pk}/files/", file=io.BytesIO(b"Paid in full")).json()["id"]
    caller.delete(f"contacts/{contact.pk}/files/{pk}/")


def file_at_the_desk():
    client, address = manager(), reverse("desk:contact-files", args=[ConversationFactory().pk])
    client.post(address, {"file": SimpleUploadedFile("bill.txt", b"Paid in full")})
    client.post(address, {"off": ContactFile.objects.get().pk})


def event_by_api():
    caller, contact = integrator(), ContactFactory()
    told = {"kind": "call", "title": "Secret title", "text": "Secret words", "at": clock.now().isoformat(),
            "url": "https://example.test/secret", "external_id": "secret-1"}  # fmt: skip
    for status in (201, 200):  # told twice, recorded once
        assert caller.post(f"contacts/{contact.pk}/events/", told).status_code == status


def segment_by_api():
    caller = integrator()
    pk = caller.post("segments/", {"name": "All", "rule": {}}).json()["id"]
    caller.patch(f"segments/{pk}/", {"description": "Everybody"})
    caller.post(f"segments/{pk}/freeze/", {"name": "Then"})
    caller.delete(f"segments/{pk}/")


def segment_by_hand():
    client, data = manager(), {"name": "All", "description": "", "rule": "{}"}
    client.post(page("segment", deed="add"), data)
    segment = Segment.objects.get()
    client.post(page("segment", pk=segment.pk), data | {"description": "Everybody"})
    client.post(reverse("admin:crm_segment_freeze", args=[segment.pk]), {"name": "Then"})
    client.post(page("segment", pk=segment.pk, deed="delete"), {"post": "yes"})


def consent_by_api():
    caller, contact = integrator(), ContactFactory()
    for state, source in (("granted", "form"), ("withdrawn", "api")):
        caller.post(f"contacts/{contact.pk}/consents/", {"purpose": "marketing", "state": state, "source": source})


def consent_at_the_desk():
    address = reverse("desk:contact-consents", args=[ConversationFactory().pk])
    manager().post(address, {"purpose": "marketing", "state": "withdrawn", "reason": "said so by phone"})


def hold_by_hand():
    client = manager()
    client.post(page("legalhold", deed="add"), {"contact": ContactFactory().pk, "reason": "Secret suit", "until": ""})
    lift = {"action": "lift", "_selected_action": LegalHold.objects.get().pk, "index": 0}
    client.post(page("legalhold", deed="changelist"), lift)


def request_by_hand():
    client, now = manager(), clock.now()
    asked = {"contact": ContactFactory().pk, "kind": "restriction", "verified_by": "passport", "reason": "Secret"}
    client.post(page("privacyrequest", deed="add"), asked | {"asked_at_0": f"{now:%Y-%m-%d}", "asked_at_1": "00:00"})
    act = reverse("admin:crm_privacyrequest_act", args=[PrivacyRequest.objects.get().pk])
    client.post(act, {"act": "extend"})
    client.post(act, {"act": "start"})
    client.post(act, {"act": "release"})


def erasure_by_api():
    integrator().post(f"contacts/{ContactFactory().pk}/erasure/", {"verified_by": "passport"})


def import_by_api():
    caller = integrator()
    pk = caller.upload("imports/", file=io.BytesIO(b"name,phone\nAna,+34600111222\n")).json()["id"]
    for step in ("check", "commit", "undo"):
        assert caller.post(f"imports/{pk}/{step}/").status_code == 202
        work.run_until_idle("imports")


def export():
    job = exporter.start(selection.of_ids([ContactFactory().pk]), by=UserFactory(manager=True))
    assert job.pk


def change_of_many():
    people, tag = [ContactFactory().pk for _ in range(2)], TagFactory()
    bulk.start(selection.of_ids(people), "add_tag", {"tag": tag.pk}, by=UserFactory(manager=True))
    work.run_until_idle("bulk")
    assert Tag.objects.get().contacts.count() == 2


def two():
    return [IdentityFactory(contact=ContactFactory(phone=f"+3460000000{n}")).contact for n in (1, 2)]


def merge_by_api():
    (kept, gone), caller = two(), integrator()
    pk = caller.post(f"contacts/{kept.pk}/merge/", {"contact": gone.pk}).json()["id"]
    assert caller.post(f"contacts/{kept.pk}/merge/{pk}/undo/").status_code == 200


def merge_by_hand():
    (kept, gone), client = two(), manager()
    compare = reverse("admin:crm_duplicatepair_compare", args=[kept.pk, gone.pk])
    client.post(compare, {"keep": "first"})
    undo = {"action": "take_back", "_selected_action": MergeRecord.objects.get().pk, "index": 0}
    client.post(page("mergerecord", deed="changelist"), undo)


def split_by_hand():
    kept, gone = two()
    account = gone.identities.get()
    merge.merge(kept, gone, by=UserFactory())
    manager().post(reverse("admin:crm_mergerecord_split", args=[account.pk]))


def dismissed_by_hand():
    first, second = two()
    pair = DuplicatePair.objects.create(first=first, second=second, evidence=[], score=75)
    ticked = {"action": "dismiss", "_selected_action": pair.pk, "index": 0}
    for _twice in range(2):
        manager().post(page("duplicatepair", deed="changelist"), ticked)


def acts(model, *names):
    return [f"crm.{model} {name}" for name in names]


ROW = ("created", "changed", "deleted")
# As in `test_audit_everywhere.DRIVEN`.
DRIVEN = [
    ("crm.lifecyclestage", stage_by_api, "api", "crm.lifecyclestage", acts("lifecyclestage", *ROW)),
    ("crm.lifecyclestage", stage_by_hand, "admin", "crm.lifecyclestage", acts("lifecyclestage", *ROW)),
    ("crm.tag", tag_by_hand, "admin", "crm.tag", acts("tag", *ROW)),
    ("crm.tag", tags_merged, "system", "crm.tag", acts("tag", "merged")),
    ("crm.customattribute", attribute_by_hand, "admin", "crm.customattribute", acts("customattribute", *ROW)),
    ("crm.optoutword", word_by_hand, "admin", "crm.optoutword", acts("optoutword", *ROW)),
    ("crm.processor", processor_by_hand, "admin", "crm.processor", acts("processor", *ROW)),
    ("crm.contacttag", tags_of_many_by_api, "api", "crm.contact", acts("contact", "changed", "changed")),
    ("crm.contactpoint", point_by_api, "api", "crm.contact", acts("contact", *["changed"] * 3)),
    ("crm.contactpoint", point_at_the_desk, "desk", "crm.contact", acts("contact", *["changed"] * 4)),
    ("crm.contactfile", file_by_api, "api", "crm.contact", acts("contact", "file_added", "file_deleted")),
    ("crm.contactfile", file_at_the_desk, "desk", "crm.contact", acts("contact", "file_added", "file_deleted")),
    ("crm.contactevent", event_by_api, "api", "crm.contact", acts("contact", "event_added")),
    ("crm.segment", segment_by_api, "api", "crm.segment", acts("segment", "created", "changed", "frozen", "deleted")),
    ("crm.segment", segment_by_hand, "admin", "crm.segment",
     acts("segment", "created", "changed", "frozen", "deleted")),
    ("crm.segmentmember", segment_by_api, "api", "crm.segment",
     acts("segment", "created", "changed", "frozen", "deleted")),
    ("crm.consentevent", consent_by_api, "api", "crm.contact",
     acts("contact", "consent_granted", "consent_withdrawn")),
    ("crm.consentevent", consent_at_the_desk, "desk", "crm.contact", acts("contact", "consent_withdrawn")),
    ("crm.legalhold", hold_by_hand, "admin", "crm.contact", acts("contact", "held", "hold_lifted")),
    ("crm.privacyrequest", request_by_hand, "admin", "crm.privacyrequest",
     [*acts("privacyrequest", "created", "extended", "started"), *acts("contact", "restricted", "unrestricted")]),
    ("crm.privacyrequest", erasure_by_api, "api", "crm.privacyrequest", acts("privacyrequest", "created", "started")),
    ("crm.importjob", import_by_api, "api", "crm.importjob",
     acts("importjob", "file_added", "import_started", "import_undone")),
    ("crm.exportjob", export, "system", "crm.exportjob", acts("exportjob", "exported")),
    ("crm.bulkjob", change_of_many, "system", "crm.bulkjob",
     [*acts("bulkjob", "bulk_change"), *acts("contact", "changed", "changed")]),
    ("crm.mergerecord", merge_by_api, "api", "crm.contact",
     acts("contact", "merged", "merged", "merge_undone", "merge_undone")),
    ("crm.mergerecord", merge_by_hand, "admin", "crm.contact",
     acts("contact", "merged", "merged", "merge_undone", "merge_undone")),
    ("crm.mergerecord", split_by_hand, "admin", "crm.contact",
     acts("contact", "merged", "merged", "split", "split")),
    ("crm.duplicatepair", dismissed_by_hand, "admin", "crm.duplicatepair", acts("duplicatepair", "dismissed")),
]  # fmt: skip

NOT_AUDITED = {
    "crm.consent": "what the ledger's events come to",
    "crm.suppression": "follows the ledger; nobody writes it by hand",
    "crm.duplicatesearch": "how far a search is",
    "crm.stalesearch": "what the background is to make anew",
    "crm.importrow": "the report of an import, which is recorded",
    "crm.importmapping": "what the form of the next import starts with",
    "crm.erasedsubject": "made by an erasure, which is recorded",
    "crm.accesslogentry": "is a log",
}
# What happened, where nothing was other than before.
WITHOUT_CHANGES = frozenset({"import_undone"})
