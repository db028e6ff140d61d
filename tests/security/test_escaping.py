"""What people write is text on every page of the administration, whose policy would let a script run."""

import importlib
import itertools

import pytest
from django.contrib import admin as django_admin
from django.urls import reverse

from conversations.ingest.models import EventItem
from conversations.messaging.models import Attachment, Attempt
from crm.audit import keeping
from crm.audit.modeladmin import AuditedAdmin
from crm.audit.models import AuditEntry
from crm.contacts.models import ContactNote
from tests.conversations.desk.test_desk_escaping import Shape
from tests.permissions.world import World
from tests.security.corpus import PAYLOADS

pytestmark = pytest.mark.django_db

# The columns that hold what people, Meta or managers wrote, by the model they are shown with.
WRITTEN = {
    "crm.contact": "name company", "crm.tag": "name", "crm.customattribute": "label", "crm.user": "name",
    "crm.team": "name", "crm.apitoken": "name", "catalog.product": "name retailer_id",
    "conversations.cannedanswer": "shortcut title body", "conversations.savedview": "name",
    "conversations.inbox": "name display_phone_number", "conversations.whatsappaccount": "name",
    "conversations.message": "text original_text error_details error_code", "conversations.webhookevent": "reason",
    "conversations.conversation": "last_preview last_author_name", "conversations.scheduledmessage": "text",
    "crm.auditentry": "user_name object_name action", "crm.segment": "name description", "crm.lifecyclestage": "name",
    "crm.importjob": "file_name", "crm.processor": "name purpose", "crm.legalhold": "reason",
    "crm.privacyrequest": "verified_by reason",
}  # fmt: skip
ROUNDS = 4
RAW = ("<script>alert", "<img src=x", "<svg onload", "<iframe", "<base", "<details open", "<object", "x-init=alert(1)>")


def models():
    site = django_admin.site._registry
    return {model._meta.label_lower: model for model, one in site.items() if isinstance(one, AuditedAdmin)}


def say(shown, words):
    """Put the next words into every written column of the first row of each model, and of what hangs on them."""
    for label, columns in WRITTEN.items():
        row = shown[label]
        for name in columns.split():
            longest = row._meta.get_field(name).max_length or 5000
            row._meta.model._base_manager.filter(pk=row.pk).update(**{name: next(words)[:longest]})
    ContactNote.objects.update(text=next(words))
    Attempt.objects.update(error_details=next(words))
    EventItem.objects.update(reason=next(words)[:300])
    Attachment.objects.update(filename=next(words)[:200])
    changes = {next(words): [next(words), next(words)]}
    AuditEntry._base_manager.filter(pk=shown["crm.auditentry"].pk).update(changes=changes)


def pages(browser, shown):
    for label, row in shown.items():
        start = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        yield label, browser.get(reverse(f"{start}_changelist"))
        yield f"{label} change", browser.get(reverse(f"{start}_change", args=[row.pk]), follow=True)  # some compare
        yield f"{label} history", browser.get(reverse(f"{start}_history", args=[row.pk]))
    yield "overview", browser.get(reverse("admin:index"))


@pytest.mark.covers("I01", "A08")
def test_i01_no_words_change_the_shape_of_a_page_of_the_administration(monkeypatch):
    world = World()
    importlib.import_module("tests.conversations.admin.rows").furnish()
    browser = world.browser("manager")
    shown = {label: model._base_manager.order_by("pk").first() for label, model in models().items()}
    assert not {label for label, row in shown.items() if row is None}
    assert set(WRITTEN) <= set(shown)
    with keeping.opened():
        say(shown, (f"Plain words {number}" for number in itertools.count()))
    plain = {name: Shape(page.content.decode()).tags for name, page in pages(browser, shown)}
    assert len(plain) == 3 * len(shown) + 1
    used, wrong = 0, []
    for turn in range(ROUNDS):
        with keeping.opened():
            say(shown, (PAYLOADS[(turn * 17 + number) % len(PAYLOADS)] for number in itertools.count()))
        for name, page in pages(browser, shown):
            text = page.content.decode()
            wrong += [(name, page.status_code)] * (page.status_code != 200)
            wrong += [(name, raw) for raw in RAW if raw in text]
            wrong += [(name, tag) for tag in Shape(text).tags if tag not in plain[name]][:3]
            used += sum("alert(1)" in line for line in text.splitlines())
    assert wrong == []
    assert used > 100, "the words are on the pages"


@pytest.mark.covers("I01")
def test_the_corpus_is_large_and_of_different_kinds():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 60
