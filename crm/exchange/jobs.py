"""Work on many contacts, step by step: a drain per kind of job, which keeps what it has read between its rounds.

A step commits what it did together with how far the job is, and only while the lease is its own: killed at any moment,
the job goes on from its last step, and none is done twice.
"""

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.dispatch import Signal
from django.utils import translation
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.exchange.models import Job
from crm.foundation import clock, work
from crm.foundation.errors import Refusal
from crm.foundation.retrying import in_transaction
from crm.staff.models import User

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=60)
ROUND_SECONDS = 8.0
State = Job.State
OPEN = (State.QUEUED, State.RUNNING)

handed_out = Signal()
"""Sent inside the transaction with the `user` who is given a file with people in it, and `detail`: what it is."""


class Lost(Exception):
    """The job is somebody else's by now, or was cancelled: what this step did is undone."""


class NoLonger(Refusal):
    """A job that is not where this can be asked of it."""

    code = "wrong_step"


def at_once() -> int:
    """Rows of one transaction: on SQLite everybody waits for the writer."""
    return 500 if connection.vendor == "postgresql" else 50


def advance(job: Job, **values: Any) -> None:
    """Say how far a job is, inside the transaction of the step; raises Lost."""
    mine = type(job)._default_manager.filter(pk=job.pk, lease_token=job.lease_token, state=State.RUNNING)
    if not mine.update(lease_until=clock.real() + LEASE, **values):
        raise Lost
    for name, value in values.items():
        setattr(job, name, value)


def done(job: Job, **values: Any) -> None:
    """The last step is over; raises Lost."""
    advance(job, state=State.DONE, finished_at=clock.now(), **values)


def maker_of(job: Job, permission: str) -> User:
    """Who asked for it, as long as they still may; raises NoLonger."""
    maker = User.objects.filter(pk=job.created_by_id or 0).first()
    if maker is None or not maker.is_active or not maker.has_perm(permission):
        raise NoLonger(_("Who asked for this may not do it any more."))
    return maker


@transaction.atomic
def cancel(job: Job, *, by: User) -> None:
    """It goes no further; what it has done stays. Raises NoLonger if it is over."""
    rows = type(job)._default_manager.filter(pk=job.pk, state__in=(State.DRAFT, *OPEN))
    if not rows.update(state=State.CANCELLED, lease_token="", lease_until=None, finished_at=clock.now()):
        raise NoLonger(_("This is over already."))
    job.refresh_from_db()
    audit.record("cancelled", job, by=by, changes={"done": [None, job.done]})


def hand_out(job: Job, *, by: User, what: str) -> None:
    """Somebody is given a file with people in it: it stands in the audit log, and whoever listens is told."""
    with transaction.atomic():
        audit.record("downloaded", job, by=by, changes={"file": [None, what]})
        handed_out.send(type(job), user=by, detail=f"{str(job._meta.model_name).removesuffix('job')} {job.pk}: {what}")


class Line:
    """The drain of one kind of job: the oldest first, a few seconds each round. `alone`: of these no two run at once,
    whatever the number of workers.
    """

    def __init__(
        self, kind: str, model: type[Job], steps: Callable[[Any], Iterator[None]], alone: Q | None = None
    ) -> None:
        self.kind, self.model, self.steps, self.alone = kind, model, steps, alone
        self._job: Job | None = None
        self._running: Iterator[None] | None = None

    def register(self) -> None:
        """Announce it; called once at start."""
        work.register(self.kind, self.drain)

    def ring(self) -> None:
        """There is something to do, once this transaction is committed."""
        work.ring(self.kind)

    def drain(self) -> bool:
        """Work for some seconds on a job; True if there may be more."""
        if self._running is None and not self._begin():
            return False
        job, running, until = self._job, self._running, time.monotonic() + ROUND_SECONDS
        if job is None or running is None:
            return False
        language = job.created_by.language if job.created_by else None
        try:
            with translation.override(language):
                while time.monotonic() < until and not work.is_stopping():
                    next(running)
        except StopIteration:
            self._let_go()
        except Lost:
            self._let_go()
        except (OperationalError, InterfaceError):  # the database is away: begun again from the last step
            self._let_go()
            raise
        except Refusal as refusal:
            self._fail(job, str(refusal))
        except Exception:
            log.exception("job failed", kind=self.kind, job=job.pk)
            with translation.override(language):
                self._fail(job, _("Something went wrong on our side. Try to go on; if it fails again, tell a manager."))
        if work.is_stopping():
            self._let_go(release=job)
        return True

    def _begin(self) -> bool:
        if not self._waiting().exists():
            return False
        self._job = self._claim()
        self._running = self.steps(self._job) if self._job else None
        return self._job is not None

    def _waiting(self) -> Any:
        free = Q(lease_until=None) | Q(lease_until__lt=clock.real())
        return self.model._default_manager.filter(free, state__in=OPEN)

    @in_transaction
    def _claim(self) -> Job | None:
        rows = self._waiting()
        if self.alone is not None and self._is_taken():
            rows = rows.exclude(self.alone)
        rows = rows.select_for_update(of=("self",), skip_locked=True)
        job: Job | None = rows.order_by("pk").first()
        if job is not None:
            job.state, job.lease_token, job.lease_until = State.RUNNING, uuid.uuid4().hex, clock.real() + LEASE
            job.save(update_fields=["state", "lease_token", "lease_until"])
        return job

    def _is_taken(self) -> bool:
        """Whether one of those that run alone is running; whoever asks at the same moment waits for our answer."""
        lone = self.model._default_manager.filter(self.alone, state__in=OPEN)
        list(lone.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
        return lone.filter(state=State.RUNNING, lease_until__gte=clock.real()).exists()

    def _fail(self, job: Job, sentence: str) -> None:
        self._let_go()
        self.model._default_manager.filter(pk=job.pk, lease_token=job.lease_token).update(
            state=State.FAILED, problem=sentence[:300], lease_until=None, lease_token="", finished_at=clock.now()
        )

    def _let_go(self, release: Job | None = None) -> None:
        """Close what the steps hold open; `release`: others may go on with it at once."""
        running, self._running, self._job = self._running, None, None
        if running is not None:
            running.close()  # type: ignore[attr-defined]
        if release is not None:
            mine = self.model._default_manager.filter(pk=release.pk, lease_token=release.lease_token)
            mine.filter(state=State.RUNNING).update(lease_until=None)
