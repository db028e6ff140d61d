"""SQLite's writers queue: first come, first served, and nobody is told that the database is locked."""

import threading
import time

import pytest
from django.db import OperationalError, close_old_connections, connection, transaction

from crm.foundation.sqlite import base
from crm.foundation.sqlite.base import FifoLock
from crm.staff.models import Team
from tests.conftest import ON_SQLITE

only_sqlite = pytest.mark.skipif(not ON_SQLITE, reason="about SQLite")


def test_the_lock_is_handed_over_in_the_order_of_asking():
    lock, order, threads = FifoLock(), [], []
    assert lock.acquire(0)

    def take(number):
        assert lock.acquire(5)
        order.append(number)
        lock.release()

    for number in range(20):
        thread = threading.Thread(target=take, args=(number,))
        threads.append(thread)
        thread.start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == list(range(20))


def test_who_waits_too_long_leaves_the_queue_and_the_others_move_up():
    lock, got = FifoLock(), []
    lock.acquire(0)
    started = time.monotonic()
    assert lock.acquire(0.05) is False
    assert 0.04 < time.monotonic() - started < 2
    waiting = threading.Thread(target=lambda: got.append(lock.acquire(5)))
    waiting.start()
    while not lock._waiting:
        time.sleep(0.001)
    lock.release()
    waiting.join(5)
    assert got == [True]
    lock.release()
    assert lock.acquire(0)


def test_each_database_file_has_one_lock():
    assert base.lock_of("/a") is base.lock_of("/a")
    assert base.lock_of("/a") is not base.lock_of("/b")


def busily(work, count, seconds):
    """Run `work` over and over in threads; how often it was done, and what went wrong."""
    done, problems, until = [0] * count, [], time.monotonic() + seconds

    def run(index):
        try:
            while time.monotonic() < until:
                work(index)
                done[index] += 1
        except Exception as error:  # noqa: BLE001 (whatever it is, the test must see it)
            problems.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return done, problems


@only_sqlite
@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
def test_eight_writers_for_a_second_all_get_their_turn():
    def work(index):
        name = f"{index}-{time.monotonic_ns()}"
        if index % 2:
            with transaction.atomic():
                team = Team.objects.create(name=name)
                Team.objects.filter(pk=team.pk).update(name=name + "!")
        else:
            team = Team.objects.create(name=name)
            team.name += "!"
            team.save()

    done, problems = busily(work, 8, 1)
    assert problems == []
    assert min(done) > 0
    assert max(done) < 4 * min(done) + 10, f"nobody starves: {done}"
    assert Team.objects.count() == sum(done)


@only_sqlite
@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
def test_the_turn_is_given_back_after_every_way_a_transaction_can_end():
    lock = base.lock_of(str(connection.settings_dict["NAME"]))
    with transaction.atomic():
        Team.objects.create(name="kept")
        assert lock._held
    assert not lock._held
    with transaction.atomic():
        Team.objects.create(name="dropped")
        transaction.set_rollback(True)
    assert not lock._held
    Team.objects.create(name="autocommit")
    assert not lock._held
    with pytest.raises(base.base.Database.IntegrityError.__mro__[0]) as broken, transaction.atomic():
        connection.connection.execute("INSERT INTO crm_team (name) VALUES ('kept')")
    assert "UNIQUE" in str(broken.value)
    assert not lock._held
    connection.ensure_connection()
    with transaction.atomic():
        Team.objects.create(name="cut off")
        connection.close()
        assert not lock._held
        connection.closed_in_transaction = connection.needs_rollback = True
    assert not lock._held
    assert set(Team.objects.values_list("name", flat=True)) == {"kept", "autocommit"}


@only_sqlite
@pytest.mark.sqlite_too
@pytest.mark.django_db(transaction=True)
def test_a_writer_that_waits_too_long_gets_the_usual_error(monkeypatch):
    monkeypatch.setattr(base, "WAIT_SECONDS", 0.05)
    lock = base.lock_of(str(connection.settings_dict["NAME"]))
    assert lock.acquire(0)
    try:
        with pytest.raises(OperationalError, match="database is locked"):
            Team.objects.create(name="late")
        assert Team.objects.count() == 0, "reading needs no turn"
    finally:
        lock.release()
    Team.objects.create(name="in time")
