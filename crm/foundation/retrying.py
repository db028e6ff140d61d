"""Deadlocks and serialization failures are normal on a busy database: try the transaction again."""

import functools
import random
import time
from collections.abc import Callable

from django.db import OperationalError, transaction

TRIES = 3


def in_transaction[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """Run the function in a transaction, up to three times with jitter when the database asks to retry; nested: in a
    savepoint, once.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        if transaction.get_connection().in_atomic_block:
            with transaction.atomic():
                return function(*args, **kwargs)
        for attempt in range(1, TRIES + 1):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0.01, 0.05) * attempt)
        raise AssertionError("unreachable")

    return wrapper
