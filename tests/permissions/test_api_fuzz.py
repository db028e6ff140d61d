"""The API against its own schema (P09): what schemathesis makes up, thrown at every operation; more by `make fuzz`."""

import itertools
import os
import sys

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from schemathesis import GenerationMode
from schemathesis.checks import FailureGroup, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.permissions.world import World

pytestmark = pytest.mark.django_db

# In the suite a taste of each operation; `make fuzz` sets both.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
CASES = int(os.environ.get("FUZZ_CASES", "200"))  # so many at least, or the operations were not what they seemed
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture
def one_connection(db):
    """Requests leave the test's own connection open, and so does PostgreSQL, however long a case is thought about."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def things_of(world):
    """The id of something that is there, by the word before it in an address."""
    rows = {
        "attachments": world.file, "attributes": world.attribute, "canned-answers": world.answer,
        "contacts": world.contact, "conversations": world.conversation, "inboxes": world.inbox,
        "messages": world.message, "notes": world.note, "products": world.product, "tags": world.tag,
        "teams": world.team, "users": world.users["agent"], "webhook-events": world.event,
        "consents": world.refusal, "erasure": world.erasure, "events": world.visit, "export": world.copy,
        "files": world.paper, "imports": world.import_, "merge": world.merged, "points": world.point,
        "segments": world.segment, "stages": world.stage,
    }  # fmt: skip
    return {word: str(row.pk) for word, row in rows.items()} | {"by-external-id": "policy-4711"}


def point_at(things, case):
    """Put ids of things that are there in place of the ones made up."""
    words = case.operation.path.strip("/").split("/")
    for before, word in itertools.pairwise(words):
        if word.startswith("{"):
            case.path_parameters[word.strip("{}")] = things[before]


def fired_at(operation, mode, things, headers):
    """How many cases an operation was asked, that fit its schema or do not, and what was wrong with an answer."""
    cases = 0

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def fire(case):
        nonlocal cases
        cases += 1
        if cases % 4:  # the others ask for what is not there
            point_at(things, case)
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    try:
        fire()
    except FailureGroup as error:
        return cases, f"{operation.label}: {error}"
    return cases, ""


@pytest.mark.covers("P09")
def test_p09_whatever_fits_the_schema_or_does_not_is_answered_as_it_says(one_connection, record_property):
    world = World()
    headers = {"Authorization": f"Bearer {world.texts['manager']}"}
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 50
    answers = [
        fired_at(operation, mode, things_of(world), headers)
        for operation, mode in itertools.product(operations, GenerationMode)
    ]
    total = sum(cases for cases, _wrong in answers)
    record_property("cases", total)
    sys.stdout.write(f"{total} cases at {len(operations)} operations\n")
    wrong = [told for _cases, told in answers if told]
    assert not wrong, "\n\n".join(wrong)
    assert total >= CASES
