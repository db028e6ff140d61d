"""Background work: bells ring after the commit, a lost bell costs a tick, a broken drain costs a round."""

import threading
import time

import pytest
from django.db import transaction

from crm.foundation import work


@pytest.fixture
def house(monkeypatch, settings):
    """A worker's house with no drains yet; its threads end with the test."""
    settings.WORK = "threads"
    monkeypatch.setattr(work, "_drains", {})
    monkeypatch.setattr(work, "_bells", {})
    monkeypatch.setattr(work, "_threads", [])
    monkeypatch.setattr(work, "_stop", threading.Event())
    monkeypatch.setattr(work, "_checks", [])
    yield work
    work.stop()


class Rounds:
    """A drain that notes when it ran."""

    def __init__(self, *answers):
        self.times, self.answers = [], list(answers)

    def __call__(self):
        self.times.append(time.monotonic())
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait_for(self, count, seconds=5):
        deadline = time.monotonic() + seconds
        while len(self.times) < count:
            assert time.monotonic() < deadline, f"{len(self.times)} of {count} rounds"
            time.sleep(0.005)


@pytest.mark.django_db(transaction=True)
def test_a_bell_rings_after_the_commit_and_not_after_a_rollback(house):
    house.register("x", Rounds())
    bell = house._bells["x"]
    with transaction.atomic():
        house.ring("x")
        house.ring("x")
        assert not bell.is_set()
    assert bell.is_set()
    bell.clear()
    with transaction.atomic():
        house.ring("x")
        transaction.set_rollback(True)
    assert not bell.is_set()
    house.ring("x")
    assert bell.is_set()


@pytest.mark.django_db(transaction=True)
def test_a_bell_wakes_the_drain_at_once(house, monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 30)
    rounds = Rounds()
    house.register("x", rounds)
    house.start()
    rounds.wait_for(1)
    time.sleep(0.05)
    house.ring("x")
    rounds.wait_for(2, seconds=2)


@pytest.mark.django_db(transaction=True)
def test_a_lost_bell_costs_a_tick_at_most(house):
    rounds = Rounds()
    house.register("x", rounds)
    house.start()
    rounds.wait_for(2, seconds=3)
    assert 0.5 < rounds.times[1] - rounds.times[0] < 2


@pytest.mark.django_db(transaction=True)
def test_a_drain_with_more_to_do_goes_on_without_waiting(house, monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 30)
    rounds = Rounds(True, True, True, False)
    house.register("x", rounds)
    house.start()
    rounds.wait_for(4, seconds=3)


@pytest.mark.django_db(transaction=True)
def test_a_drain_that_breaks_is_run_again_and_does_not_touch_the_others(house, monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 0.05)
    broken, fine = Rounds(*[RuntimeError("a bug")] * 3), Rounds()
    house.register("broken", broken)
    house.register("fine", fine)
    house.start()
    broken.wait_for(5)
    fine.wait_for(5)
    assert all(thread.is_alive() for thread in house._threads)


@pytest.mark.django_db(transaction=True)
def test_stopping_takes_no_longer_than_three_seconds_in_all(house, monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 30)
    release = threading.Event()
    for number in range(4):
        house.register(f"stuck {number}", lambda: release.wait(20))
    house.register("idle", Rounds())
    house.start()
    time.sleep(0.1)
    threads = list(house._threads)
    started = time.monotonic()
    house.stop()
    assert time.monotonic() - started < 3.5
    release.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_idle_drains_stop_at_once(house, monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 30)
    for number in range(5):
        house.register(f"idle {number}", Rounds())
    house.start()
    time.sleep(0.05)
    threads = list(house._threads)
    started = time.monotonic()
    house.stop()
    assert time.monotonic() - started < 1
    assert not any(thread.is_alive() for thread in threads)


def test_nothing_starts_where_work_is_done_elsewhere(house, settings):
    settings.WORK = "none"
    house.register("x", Rounds())
    house.start()
    assert house._threads == []


def test_run_until_idle_runs_the_named_drains_to_their_end(house):
    one, other = Rounds(True, True), Rounds()
    house.register("one", one)
    house.register("other", other)
    house.run_until_idle("one")
    assert (len(one.times), len(other.times)) == (3, 0)


def test_what_must_be_looked_at_first_is_before_any_round(house):
    seen, checks = [], []
    drains = [Rounds(), Rounds()]
    house.before_first_round(lambda: (checks.append(1), seen.extend(drain.times[:1] for drain in drains)))
    for name, drain in zip("xy", drains, strict=True):
        house.register(name, drain)
    house.start()
    for drain in drains:
        drain.wait_for(2)
    assert (checks, seen) == ([1], [[], []])


def test_a_first_look_that_breaks_stops_no_drain(house):
    drain = Rounds()
    house.before_first_round(lambda: 1 / 0)
    house.register("x", drain)
    house.start()
    drain.wait_for(2)
