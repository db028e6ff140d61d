"""A manager's browser in the administration, in process: what a list shows, in how many queries, and how soon."""

import benchmarks.sides.django  # noqa: F401, I001 (first: the models need it)
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.processes import obey
from benchmarks.sides.timing import timed
from crm.staff.models import User

MANAGER = "manager@bench.test"


def _browser() -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.get(email=MANAGER))
    return client


def _list(client: Client, path: str) -> Any:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    return answer


def place(model: str, page: int, size: int) -> tuple[int, int]:
    """A page of the list, newest first, with rows before and behind it: its number, and the last key before it."""
    rows = apps.get_model(model)._default_manager.order_by("-pk").values_list("pk", flat=True)
    page = max(min(page, rows.count() // size // 2), 2)
    return page, rows[(page - 1) * size - 1]


def look(path: str) -> dict[str, Any]:
    """The keys of the rows on the page, and how many queries it takes, those of session and user included."""
    client = _browser()
    _list(client, path)
    with CaptureQueriesContext(connection) as captured:
        answer = _list(client, path)
    return {"rows": [row.pk for row in answer.context_data["cl"].result_list], "queries": len(captured)}


def page(path: str, rounds: int) -> list[float]:
    """Seconds of each round for the whole page, HTML included; `look` has warmed it up."""
    client = _browser()
    return timed(lambda: _list(client, path), rounds, is_warm=True)


COMMANDS: dict[str, Callable[..., Any]] = {"place": place, "look": look, "page": page}

if __name__ == "__main__":
    obey(COMMANDS)
