"""API tokens: kept as a hash, alive until they expire or are revoked, no wider than their scopes."""

import datetime as dt

import pytest
from django.db import connection

from crm.foundation import clock
from crm.staff import tokens
from crm.staff.models import ApiToken, User
from tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_too]


@pytest.mark.covers("P15")
def test_only_a_hash_is_kept():
    text = tokens.issue(UserFactory(), ["write", "read", "read"], name="ERP")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM crm_apitoken")
        row = str(cursor.fetchall())
    assert text not in row
    assert text[8:] not in row
    token = ApiToken.objects.get()
    assert (token.scopes, token.name, token.prefix) == (["read", "write"], "ERP", text[:8])
    assert text.startswith("vt_")
    assert len(text) >= 43
    assert str(token) == f"{text[:8]}…"


def test_a_token_is_found_by_its_text_only():
    text = tokens.issue(UserFactory(), ["read"])
    assert tokens.find(text).user == User.objects.get()
    for wrong in ("", text[:-1], text + "x", text.upper(), text[:8], ApiToken.objects.get().digest, "\x00", "\ud800"):
        assert tokens.find(wrong) is None


@pytest.mark.covers("P20")
def test_two_tokens_are_never_alike():
    user = UserFactory()
    assert len({tokens.issue(user, ["read"]) for _ in range(50)}) == 50


@pytest.mark.covers("P15", "U04")
def test_a_token_ends_with_its_time_its_revocation_and_its_user():
    user = UserFactory()
    soon = tokens.issue(user, ["read"], expires_at=clock.real() + dt.timedelta(minutes=1))
    over = tokens.issue(user, ["read"], expires_at=clock.real() - dt.timedelta(seconds=1))
    revoked, kept = tokens.issue(user, ["read"]), tokens.issue(user, ["read"])
    ApiToken.objects.filter(prefix=revoked[:8], pk=tokens.find(revoked).pk).update(revoked_at=clock.real())
    assert [tokens.find(text) is not None for text in (soon, over, revoked, kept)] == [True, False, False, True]
    User.objects.update(is_active=False)
    assert tokens.find(kept) is None


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "everything"], ["READ"]])
def test_scopes_nobody_knows_are_refused(scopes):
    with pytest.raises(ValueError, match="Unknown scope"):
        tokens.issue(UserFactory(), scopes)
    assert not ApiToken.objects.exists()


def test_its_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    text = tokens.issue(UserFactory(), ["read"])
    with django_assert_num_queries(2):
        tokens.find(text)
    first = ApiToken.objects.get().last_used_at
    with django_assert_num_queries(1):
        tokens.find(text)
    ApiToken.objects.update(last_used_at=first - dt.timedelta(minutes=2))
    tokens.find(text)
    assert ApiToken.objects.get().last_used_at >= first
