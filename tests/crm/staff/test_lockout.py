"""How often one may try: strangers are slowed down, and cannot lock anybody out (reliability.md, U01 and U02)."""

import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.audit.models import AuditEntry
from crm.foundation import clock
from crm.staff import lockout, signin
from crm.staff.signin_models import Tries
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def fail(enter, client, email, times):
    return [enter(client, email, f"wrong {n}").status_code for n in range(times)]


@pytest.mark.covers("U01")
@pytest.mark.parametrize("is_there", [True, False])
def test_u01_the_sixth_failure_in_five_minutes_is_told_to_wait(browser, enter, is_in, is_there):
    email = UserFactory().email if is_there else "nobody@example.test"
    client = browser()
    assert fail(enter, client, email, 5) == [200] * 5
    refused = enter(client, email, PASSWORD)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 300
    assert "5 min" in refused.content.decode()
    assert not is_in(client)


@pytest.mark.covers("U01")
def test_u01_the_wait_ends(browser, enter, is_in, monkeypatch):
    user, client = UserFactory(), browser()
    fail(enter, client, user.email, 6)
    later = clock.real() + dt.timedelta(seconds=301)
    monkeypatch.setattr(clock, "real", lambda: later)
    enter(client, user.email)
    assert is_in(client)


@pytest.mark.covers("U01")
def test_u01_a_stranger_locks_out_nobody_else(browser, enter, is_in):
    user = UserFactory()
    assert 429 in fail(enter, browser("198.51.100.7"), user.email, 7)
    victim = browser("192.0.2.1")
    enter(victim, user.email)
    assert is_in(victim)


@pytest.mark.covers("U01")
def test_u01_a_thousand_addresses_slow_down_strangers_and_not_the_browser_that_is_known(browser, enter, is_in):
    user, own = UserFactory(), browser("192.0.2.1")
    enter(own, user.email)
    own.post("/accounts/logout/")
    for _n in range(lockout.STRANGERS.most - 2):
        lockout.count((lockout.STRANGERS, user.email))
    codes = [enter(browser(f"198.51.100.{n}"), user.email, "wrong").status_code for n in range(3)]
    assert codes == [200, 200, 429]
    assert enter(browser("203.0.113.9"), user.email).status_code == 429
    enter(own, user.email)
    assert is_in(own)


@pytest.mark.covers("U01")
def test_u01_one_address_cannot_try_all_accounts(browser, enter):
    client = browser("192.0.2.1")
    for _n in range(lockout.ADDRESS.most - 2):
        lockout.count((lockout.ADDRESS, "192.0.2.1"))
    codes = [enter(client, f"user{n}@example.test", "Summer2026!").status_code for n in range(3)]
    assert codes == [200, 200, 429]


def test_the_networks_of_ipv6_count_as_one_address(browser, enter):
    user = UserFactory()
    codes = [enter(browser(f"2001:db8:1:2::{n}"), user.email, "wrong").status_code for n in range(1, 7)]
    assert codes[-1] == 429


@pytest.mark.covers("U01")
def test_a_cookie_that_somebody_made_up_is_no_known_browser(browser, enter):
    user = UserFactory()
    other = browser("192.0.2.1")
    enter(other, UserFactory().email)
    cookie = other.cookies["known"].value
    for value in (cookie, cookie[:-2] + "AA", "x", "eyJ9:x:y"):
        client = browser("198.51.100.1")
        client.cookies["known"] = value
        enter(client, user.email, "wrong")
    client.cookies["known"] = cookie
    enter(client, user.email, "wrong")
    assert enter(client, user.email).status_code == 429


def test_the_right_password_forgives_the_wrong_ones(browser, enter, is_in):
    user = UserFactory()
    for _round in range(3):
        client = browser()
        assert fail(enter, client, user.email, 4) == [200] * 4
        enter(client, user.email)
        assert is_in(client)
    assert not Tries.objects.filter(count__gt=12)  # the wrong ones of the address, and the right ones given back


@pytest.mark.covers("U02")
def test_u02_known_and_unknown_users_cost_the_same(browser, enter, monkeypatch):
    hashed = []
    whole = Argon2PasswordHasher.encode, Argon2PasswordHasher.verify
    monkeypatch.setattr(Argon2PasswordHasher, "encode", lambda *a, **k: hashed.append(1) or whole[0](*a, **k))
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda *a, **k: hashed.append(1) or whole[1](*a, **k))
    invited = UserFactory()
    invited.set_unusable_password()
    invited.save()
    costs = set()
    for email in (UserFactory().email, "nobody@example.test", UserFactory(is_active=False).email, invited.email):
        del hashed[:]
        with CaptureQueriesContext(connection) as queries:
            assert enter(browser(), email, "wrong").status_code == 200
        costs.add((len(hashed), len(queries)))
    assert len(costs) == 1
    assert costs.pop()[0] == 1


def test_failures_are_recorded_but_not_without_bound(browser, enter):
    user, client = UserFactory(), browser("192.0.2.1")
    fail(enter, client, user.email, 12)
    fail(enter, client, "nobody@example.test", 3)
    entries = list(AuditEntry.objects.values_list("action", "object_id", "ip"))
    assert sorted(entries) == [
        ("sign_in_blocked", str(user.pk), "192.0.2.1"),
        ("sign_in_failed", "", "192.0.2.1"),
        ("sign_in_failed", str(user.pk), "192.0.2.1"),
    ]
    assert "nobody" not in str(AuditEntry.objects.values_list())


@pytest.mark.covers("U01")
@pytest.mark.django_db(transaction=True)
def test_u01_who_tries_many_at_once_gets_no_further():
    def one(_n):
        try:
            lockout.count((lockout.PAIR, "ana 192.0.2.1"))
        except lockout.TooManyTries:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(40))) == lockout.PAIR.most


@pytest.mark.covers("U01")
def test_u01_who_came_by_the_link_in_a_letter_starts_anew_in_that_browser(browser, enter, is_in, letters):
    user, client = UserFactory(), browser()
    fail(enter, client, user.email, 6)
    for _n in range(lockout.STRANGERS.most - 5):
        lockout.count((lockout.STRANGERS, user.email))
    [letter] = letters(lambda: client.post("/accounts/forgotten/", {"email": user.email}))
    form = client.get(re.search(r"http://testserver(/\S+)", letter.body)[1])["Location"]
    new = "a quite different phrase"
    assert client.post(form, {"new_password1": new, "new_password2": new}).status_code == 302
    enter(client, user.email, new)
    assert is_in(client)
    assert enter(browser("203.0.113.9"), user.email, new).status_code == 429  # elsewhere nothing is forgiven


def test_failures_of_invented_addresses_use_up_nobody_elses_record(browser, enter):
    user = UserFactory()
    for _n in range(signin.NOTED.most):
        lockout.count((signin.NOTED, "sign_in_failed nobody"))
    for email in ("nobody@example.test", user.email):
        enter(browser(), email, "wrong")
    assert list(AuditEntry.objects.values_list("action", "object_id")) == [("sign_in_failed", str(user.pk))]
