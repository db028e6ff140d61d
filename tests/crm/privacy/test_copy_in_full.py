"""A copy shows every address: who sees them masked elsewhere gets none."""

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from crm.foundation import clock
from crm.privacy import requests
from crm.privacy.models import PrivacyRequest
from crm.staff import tokens

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("scopes", "status"), [(["privacy:read"], 403), (["privacy:read", "addresses:read"], 200)])
def test_a_token_that_sees_no_addresses_gets_no_copy(manager, factories, settings, tmp_path, scopes, status):
    settings.MEDIA_ROOT = tmp_path
    contact = factories.ContactFactory()
    row = requests.record(contact, "access", by=manager, verified_by="passport")
    PrivacyRequest.objects.filter(pk=row.pk).update(state="done", expires_at=clock.now() + requests.ANSWER_WITHIN)
    row.refresh_from_db()
    row.file.save("x.zip", ContentFile(b"PK"))
    text = tokens.issue(factories.UserFactory(integrator=True), scopes)
    program = Client(headers={"Authorization": f"Bearer {text}"})
    answer = program.get(f"/api/v1/contacts/{contact.pk}/export/{row.pk}/content/")
    assert answer.status_code == status
    assert answer.getvalue() == b"PK" if status == 200 else answer.json()
