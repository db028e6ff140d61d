"""What of a contact is edited in the panel beside name and company: stage, owner, phones and e-mails, documents."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from crm.contacts import points
from crm.contacts.models import Contact, ContactFile, LifecycleStage
from tests.factories import ConversationFactory, InboxFactory, TagFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db


def post(client, name, conversation, **data):
    return client.post(reverse(f"desk:{name}", args=[conversation.pk]), data)


def page(client, name, conversation):
    return client.get(reverse(f"desk:{name}", args=[conversation.pk])).content.decode()


def test_each_new_field_is_saved_in_place_and_refused_with_a_sentence(desk, conversation, agent):
    stage = LifecycleStage.objects.create(name="Customer")
    good = {
        "email": "ana@example.com", "stage": str(stage.pk), "owner": str(agent.pk), "country": "co",
        "time_zone": "America/Bogota", "external_id": "P-1", "kind": "employee",
    }  # fmt: skip
    for field, value in good.items():
        answer = post(desk, "contact", conversation, field=field, value=value)
        assert answer.status_code == 200, field
        assert "field-saved" in answer.content.decode()
    contact = Contact.objects.get(pk=conversation.contact_id)
    assert (contact.stage, contact.owner, contact.country, contact.kind) == (stage, agent, "CO", "employee")
    assert list(points.current(contact).filter(kind="email").values_list("value", flat=True)) == ["ana@example.com"]
    shown = page(desk, "panel", conversation)
    assert 'title="America/Bogota"' in shown
    assert f'<option value="{stage.pk}" selected>Customer</option>' in shown
    bad = {"email": "ana", "stage": "99", "owner": "99", "country": "XX", "time_zone": "Mars", "kind": "group"}
    for field, value in bad.items():
        answer = post(desk, "contact", conversation, field=field, value=value)
        assert answer.status_code == 422, field
        assert "field-error" in answer.content.decode()


def test_an_external_id_of_another_is_refused(desk, conversation):
    other = ConversationFactory().contact
    Contact.objects.filter(pk=other.pk).update(external_id="P-1")
    answer = post(desk, "contact", conversation, field="external_id", value="P-1")
    assert answer.status_code == 422
    assert "Another contact has this external id already." in answer.content.decode()


def test_further_phones_and_emails_come_first_and_end(desk, conversation):
    contact = conversation.contact
    added = post(desk, "contact-points", conversation, value="+34 611 222 333", label="work").content.decode()
    assert "+34 611 22 23 33" in added
    assert "work" in added
    point = points.current(contact).get(value="+34611222333")
    post(desk, "contact-points", conversation, first=point.pk)
    contact.refresh_from_db()
    assert contact.phone == "+34611222333"
    post(desk, "contact-points", conversation, off=point.pk)
    contact.refresh_from_db()
    assert contact.phone != "+34611222333"
    refused = post(desk, "contact-points", conversation, value="12")
    assert (refused.status_code, refused.headers["X-Error"]) == (422, "invalid")
    assert "is no longer theirs" in page(desk, "panel-timeline", conversation)


def test_a_document_is_kept_downloaded_and_deleted(desk, conversation):
    file = SimpleUploadedFile("policy.pdf", b"%PDF-1.7", "application/pdf")
    assert "policy.pdf" in post(desk, "contact-files", conversation, file=file).content.decode()
    kept = ContactFile.objects.get()
    answer = desk.get(reverse("desk:contact-file", args=[kept.pk]))
    assert (answer.content, answer.headers["Content-Type"]) == (b"%PDF-1.7", "application/octet-stream")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    stranger = UserFactory(teams=[TeamFactory()])
    desk.force_login(stranger)
    assert desk.get(reverse("desk:contact-file", args=[kept.pk])).status_code == 404


def test_nothing_chosen_and_pages_are_refused(desk, conversation):
    assert post(desk, "contact-files", conversation).status_code == 422
    page_ = SimpleUploadedFile("a.html", b"<script>1</script>", "text/html")
    assert post(desk, "contact-files", conversation, file=page_).status_code == 422
    assert not ContactFile.objects.exists()


def test_a_tag_says_who_put_it_there_and_why(desk, conversation, agent):
    TagFactory(name="VIP", group="Value")
    shown = post(desk, "contact-tags", conversation, tag="vip", reason="Asked at the fair").content.decode()
    assert f'title="{agent.name} · ' in shown
    assert "Asked at the fair" in shown


def test_a_restricted_agent_can_neither_read_nor_overwrite_a_hidden_phone(sign_in, agent):
    team = TeamFactory()
    restricted = UserFactory(restricted=True, teams=[team])
    conversation = ConversationFactory(inbox=InboxFactory(teams=[team]), assignee=restricted)
    client = sign_in(restricted)
    assert 'class="masked"' in page(client, "panel", conversation)
    assert post(client, "contact", conversation, field="phone", value="+34611222333").status_code == 400
