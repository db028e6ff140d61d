"""Secrets, clock, text, search, retries, the background loop: small things that everything stands on."""

import asyncio
import datetime as dt
import threading
import time

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction

from conversations.inboxes.models import WhatsAppAccount
from crm.foundation import aio, clock, retrying, secrets, text
from crm.foundation.search import fold, search_text
from crm.staff.models import Team
from tests.factories import AccountFactory

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_a_rotated_key_still_opens_what_the_old_one_sealed(settings):
    settings.ENCRYPTION_KEYS = [OLD]
    sealed = secrets.seal(b"token")
    assert b"token" not in sealed
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert secrets.unseal(sealed) == b"token"
    fresh = secrets.seal(b"token")
    settings.ENCRYPTION_KEYS = [NEW]
    assert secrets.unseal(fresh) == b"token"
    with pytest.raises(InvalidToken):
        secrets.unseal(sealed)
    settings.ENCRYPTION_KEYS = [OTHER]
    with pytest.raises(InvalidToken):
        secrets.unseal(fresh)


def test_what_fernet_sealed_before_stays_readable(settings):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert secrets.unseal(Fernet(OLD).encrypt(b"token")) == b"token"


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20, -1])
def test_what_was_cut_or_changed_does_not_open(settings, length):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    sealed = secrets.seal(b"token")
    with pytest.raises(InvalidToken):
        secrets.unseal(sealed[:length])
    with pytest.raises(InvalidToken):
        secrets.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert secrets.seal(b"token") != sealed


@pytest.mark.parametrize("keys", [[""], ["short"], ["x" * 44], ["ñ" * 44], []])
def test_a_malformed_key_is_said_so(settings, keys):
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEYS"):
        secrets.seal(b"x")


@pytest.mark.sqlite_too
@pytest.mark.django_db
def test_a_secret_is_unreadable_in_its_row_and_readable_in_python():
    account = AccountFactory(access_token="EAAG-plain-token ñ")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM conversations_whatsappaccount")
        row = str(cursor.fetchall())
    assert "plain-token" not in row
    assert account.verify_token not in row
    assert WhatsAppAccount.objects.get().access_token == "EAAG-plain-token ñ"
    assert not WhatsAppAccount.objects.filter(access_token="EAAG-plain-token ñ").exists()
    account.access_token = ""
    account.save()
    assert WhatsAppAccount.objects.get().access_token == ""


@pytest.fixture
def clock_file(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(clock, "_CHECK_SECONDS", 0)
    return tmp_path / "clock"


def test_only_a_demo_can_move_the_clock(settings, clock_file):
    clock_file.write_text("90000")
    assert clock.offset() == 0
    assert abs(clock.now() - clock.real()) < dt.timedelta(seconds=1)
    settings.DEMO = True
    assert clock.offset() == 90_000
    assert clock.now() - clock.real() > dt.timedelta(seconds=89_990)
    assert clock.now().tzinfo is dt.UTC


def test_the_past_is_told_at_its_time_and_then_it_is_now_again():
    then = clock.real() - dt.timedelta(days=9)
    with clock.stands_at(then):
        assert clock.now() == then
        assert clock.real() > then + dt.timedelta(days=8)
    assert clock.now() > then + dt.timedelta(days=8)


@pytest.mark.parametrize("content", ["", "soon", "1.5", "\x00", "9" * 5000])
def test_a_broken_clock_file_is_real_time(settings, clock_file, content):
    settings.DEMO = True
    clock_file.write_text(content)
    assert clock.offset() == 0
    clock_file.unlink()
    assert clock.offset() == 0


@pytest.mark.parametrize(
    ("given", "year"),
    [
        (1763797322, 2025), ("1763797322", 2025), (1763797322123, 2025), ("1763797322123", 2025),
        (0, None), (-1, None), ("-5", None), ("", None), ("soon", None), ("²", None), ("१", None), (None, None),
        (True, None), (1.5, None), ([], None), (10**30, None), ("9" * 17, None), ("9" * 5000, None), (10**9, None),
        (7258118400, 2200), (7258118401, None),
    ],
)  # fmt: skip
def test_a_providers_time_is_read_or_refused(given, year):
    read = clock.from_timestamp(given)
    assert (read.year if read else None) == year
    assert read is None or read.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("one", "other"),
    [("José Muñoz", "JOSE MUNOZ"), ("straße", "STRASSE"), ("ﬁn", "fin"), ("Ａｎａ", "ana"), ("İ", "i"), ("", "")],
)
def test_search_minds_neither_case_nor_accents(one, other):
    assert fold(one) == fold(other)


def test_search_text_is_one_line_of_bounded_length():
    assert search_text("Ana", None, "", "+34600") == "ana +34600"
    assert len(search_text("x" * 5000)) == 1000


@pytest.mark.parametrize(
    ("given", "limit", "clean"),
    [
        ("a\x00b", None, "a\ufffdb"), ("\ud800x", None, "\ufffdx"), ("abc", 2, "ab"), (None, None, ""), (7, None, ""),
        (b"x", None, ""), ("👩‍👩‍👧", None, "👩‍👩‍👧"),
    ],
)  # fmt: skip
def test_text_from_outside_is_made_fit_for_every_database(given, limit, clean):
    assert text.clean_text(given, limit) == clean


def test_json_from_outside_is_made_fit_for_every_database():
    deep = current = []
    for _ in range(1000):
        current.append([])
        current = current[0]
    given = {"a\x00": ["\ud800", float("nan"), float("inf"), 10**400, 1.5, True, None], "deep": deep}
    clean = text.clean_json(given)
    assert clean["a\ufffd"] == ["\ufffd", None, None, str(10**400)[:40], 1.5, True, None]
    depth, inside = 0, clean["deep"]
    while inside:
        depth, inside = depth + 1, inside[0]
    assert depth <= text.MAX_DEPTH
    assert text.clean_json(10**5000) is None


@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
def test_a_deadlocked_transaction_is_tried_three_times():
    tries = []

    @retrying.in_transaction
    def work(fails):
        tries.append(1)
        Team.objects.create(name=f"try {len(tries)}")
        if len(tries) <= fails:
            raise OperationalError("deadlock detected")
        return "done"

    assert work(2) == "done"
    assert list(Team.objects.values_list("name", flat=True)) == ["try 3"], "what failed was rolled back"
    tries.clear()
    Team.objects.all().delete()
    with pytest.raises(OperationalError):
        work(9)
    assert len(tries) == 3


@pytest.mark.django_db
def test_inside_a_transaction_nothing_is_repeated():
    tries = []

    @retrying.in_transaction
    def work():
        tries.append(1)
        raise OperationalError("deadlock detected")

    with pytest.raises(OperationalError), transaction.atomic():
        work()
    assert len(tries) == 1


def test_one_loop_serves_every_thread_and_can_be_started_again():
    async def where():
        return threading.current_thread().name, asyncio.get_running_loop()

    first = aio.run(where(), 5)
    results = []
    thread = threading.Thread(target=lambda: results.append(aio.run(where(), 5)))
    thread.start()
    thread.join(5)
    assert results == [first]
    assert first[0] == "aio"
    aio.close()
    aio.close()
    assert aio.run(where(), 5)[1] is not first[1]
    aio.close()


def test_the_loop_gives_up_waiting_in_time():
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        aio.run(asyncio.sleep(5), timeout=0.05)
    assert time.monotonic() - started < 2
    with pytest.raises(ZeroDivisionError):
        aio.run(_fails(), 5)
    aio.close()


async def _fails():
    raise ZeroDivisionError


@pytest.mark.django_db
def test_a_secret_whose_key_is_gone_is_empty_and_stops_nobody_else(settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    AccountFactory(access_token="lost")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    AccountFactory(access_token="kept")
    tokens = WhatsAppAccount.objects.order_by("pk").values_list("access_token", flat=True)
    assert list(tokens) == ["", "kept"]
