"""Many rows, one statement: Django's bulk_update builds a CASE per row and field, which costs more than the rows."""

import itertools
from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of rows of one model by primary key, with one UPDATE … FROM."""
    if not rows:
        return
    model = type(rows[0])
    columns: list[Any] = [model._meta.pk, *(model._meta.get_field(name) for name in fields)]
    unique = sorted({row.pk: row for row in rows}.values(), key=lambda row: row.pk)
    values = [
        [column.get_db_prep_save(getattr(row, column.attname), connection) for row in unique] for column in columns
    ]
    names = [f"column{number}" for number in range(1, len(columns) + 1)]
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{column.db_type(connection)}[]" for column in columns)
        fresh, parameters = f"unnest({arrays}) AS fresh ({', '.join(names)})", values
    else:
        row_of_values = f"({', '.join(['%s'] * len(columns))})"
        fresh = f"(VALUES {', '.join([row_of_values] * len(unique))}) AS fresh"
        parameters = list(itertools.chain.from_iterable(zip(*values, strict=True)))
    table, quote = connection.ops.quote_name(model._meta.db_table), connection.ops.quote_name
    key, *rest = (quote(column.column) for column in columns)
    assignments = ", ".join(f"{column} = fresh.{name}" for column, name in zip(rest, names[1:], strict=True))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {assignments} FROM {fresh} WHERE {table}.{key} = fresh.column1", parameters)
