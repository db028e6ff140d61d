"""The drain of requests: copies and erasures, a step after the other, a few seconds each round."""

import datetime as dt
import time
from collections.abc import Iterator

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, InterfaceError, OperationalError
from django.utils import translation

from crm.foundation import clock, work
from crm.foundation.errors import Refusal
from crm.privacy import copying, erasure
from crm.privacy.lease import Lost, claim, let_go
from crm.privacy.models import PrivacyRequest

log = structlog.get_logger(__name__)

ROUND_SECONDS = 8.0
PAUSE = dt.timedelta(seconds=5)  # after an error of ours nobody tries for as long as a lease lasts
STEPS = {PrivacyRequest.Kind.ACCESS: copying.steps, PrivacyRequest.Kind.ERASURE: erasure.steps}

_row: PrivacyRequest | None = None
_running: Iterator[None] | None = None


def drain() -> bool:
    """Work on a request for some seconds; True if there may be more."""
    global _row, _running
    if _running is None:
        _row = claim()
        if _row is None:
            return False
        _running = STEPS[PrivacyRequest.Kind(_row.kind)](_row)
    row, running, until = _row, _running, time.monotonic() + ROUND_SECONDS
    assert row is not None
    language = row.by.language if row.by else None
    try:
        with translation.override(language):
            while time.monotonic() < until and not work.is_stopping():
                next(running)
    except (StopIteration, Lost):
        _row = _running = None
    except (OperationalError, InterfaceError):  # the database is away: begun again from the last step
        _row = _running = None
        raise
    except (Refusal, ObjectDoesNotExist) as error:
        _row = _running = None
        if PrivacyRequest.objects.filter(pk=row.pk).exclude(sealed=None).exists():
            log.exception("an erasure that nobody can stop has stopped: once more after the lease", request=row.pk)
            return False
        let_go(row, state=PrivacyRequest.State.OPEN, result={"problem": str(error)[:300]})
    except IntegrityError:  # a message came in between: once more, from the last step
        _row = _running = None
        let_go(row, lease_until=clock.real() + PAUSE)
    except Exception:
        _row = _running = None
        log.exception("request about data failed", request=row.pk)
        return False
    if work.is_stopping() and _row is not None:
        _row = _running = None
        let_go(row)
    return True
