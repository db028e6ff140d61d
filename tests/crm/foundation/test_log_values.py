"""Log lines carry no values of rows."""

import json
import logging

import pytest
import structlog
from django.db import IntegrityError

from crm.foundation import logs
from crm.foundation.logs import configure_logging


def lines_of(write):
    """What `write` logs, as the JSON formatter of a real installation prints it."""
    configure_logging(level="INFO", as_json=True)
    formatter, said = logging.getLogger().handlers[0].formatter, []
    for name, exc_info in write:
        try:
            raise exc_info
        except type(exc_info) as error:
            record = logging.LogRecord(
                name, logging.ERROR, __file__, 1, "failed", (), (type(error), error, error.__traceback__)
            )
            said.append(json.loads(formatter.format(record)))
    return said


@pytest.mark.covers("G21")
def test_a_database_error_leaves_its_row_out():
    (line,) = lines_of([("anything", IntegrityError("Key (wa_id)=(34600111222) already exists: luna rota"))])
    assert "34600111222" not in json.dumps(line)
    assert line["error"] == "IntegrityError"
    assert any("test_log_values" in place for place in line["at"])


def test_other_errors_keep_their_trace():
    (line,) = lines_of([("anything", KeyError("status"))])
    assert "KeyError" in line["exception"]


@pytest.mark.covers("G21")
def test_an_error_does_not_quote_what_somebody_wrote():
    (line,) = lines_of([("anything", ValueError("no number: luna rota 34600111222"))])
    assert "luna" not in json.dumps(line)
    assert "34600111222" not in json.dumps(line)
    assert line["exception"].endswith("ValueError")
    assert "test_log_values.py" in line["exception"]


def test_an_error_about_the_machine_keeps_its_words():
    (line,) = lines_of([("anything", ConnectionRefusedError(111, "Connection refused"))])
    assert line["exception"].endswith("ConnectionRefusedError: [Errno 111] Connection refused")


def test_the_causes_of_an_error_are_told_first():
    try:
        try:
            int("luna rota")
        except ValueError as cause:
            raise KeyError("luna rota") from cause
    except KeyError as error:
        told = logs.without_values(None, "", {"exc_info": error})["exception"]
    assert told.index("ValueError") < told.index("KeyError")
    assert "luna rota" not in told.replace('int("luna rota")', "").replace('KeyError("luna rota")', "")


def test_structlog_is_configured():
    assert structlog.is_configured()
