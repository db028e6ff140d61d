"""Webhooks into their table, a batch in one statement."""

import struct
from collections.abc import Sequence

import orjson
import psycopg
from django.db import connection, transaction

from conversations.ingest.lanes import lane_of
from conversations.ingest.models import WebhookEvent
from crm.foundation import clock
from crm.foundation.secrets import seal

Received = tuple[bytes, str, list[int]]
"""The exact bytes, the signature's header and the accounts whose secret made it."""

_TABLE = WebhookEvent._meta.db_table
_PENDING = WebhookEvent.State.PENDING.value
_COLUMNS = "sealed_body, signature, signer_ids, lane, received_at, state, reason, attempts_count"
_ROWS = f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, '{_PENDING}', '', 0)"
_ARRAYS = (
    f"INSERT INTO {_TABLE} ({_COLUMNS}) SELECT body, mark, signers::jsonb, lane, $5, '{_PENDING}', '', 0"
    " FROM unnest($1::bytea[], $2::text[], $3::text[], $4::int4[]) AS arrived (body, mark, signers, lane)"
).encode()
# PostgreSQL's numbers for the types of the elements, of the five parameters, and how each is written.
_BYTEA, _TEXT, _INT4 = 17, 25, 23
_PARAMETERS = (1001, 1009, 1009, 1007, 1184)
_BINARY_BUT_THE_TIME = (1, 1, 1, 1, 0)


def store(received: Sequence[Received]) -> None:
    """Commit these webhooks, sealed, as pending events; raises the database's errors, and then none is stored."""
    now = clock.real()
    rows = [(seal(body), mark, orjson.dumps(signers), lane_of(body)) for body, mark, signers in received]
    if connection.vendor == "postgresql":
        _insert_arrays(rows, now.isoformat())
        return
    at = connection.ops.adapt_datetimefield_value(now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(_ROWS, [(body, mark, signers.decode(), lane, at) for body, mark, signers, lane in rows])


def _insert_arrays(rows: Sequence[tuple[bytes, str, bytes, int]], at: str) -> None:
    """One statement, which is its own transaction, with the bytes as they are.

    Straight to the driver's connection: Django's cursors write each byte of a body as two digits into the statement,
    and psycopg's spend three times as long on arrays.
    """
    connection.ensure_connection()
    bodies, marks, signers, lanes = zip(*rows, strict=True)
    parameters = [
        _array(_BYTEA, bodies),
        _array(_TEXT, [mark.encode() for mark in marks]),
        _array(_TEXT, signers),
        _array(_INT4, [lane.to_bytes(4) for lane in lanes]),
        at.encode(),
    ]
    result = connection.connection.pgconn.exec_params(_ARRAYS, parameters, _PARAMETERS, _BINARY_BUT_THE_TIME)
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)


def _array(element_type: int, items: Sequence[bytes]) -> bytes:
    """A one-dimensional array in PostgreSQL's binary form: a header, then length and bytes of each element."""
    header = struct.pack(">iiIii", 1, 0, element_type, len(items), 1)
    return b"".join([header, *[part for item in items for part in (len(item).to_bytes(4), item)]])
