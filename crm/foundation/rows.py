"""Many rows, one statement: Django's bulk_update builds a CASE per row and field, which costs more than the rows."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_rows(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write `fields` of rows of one model by primary key with UPDATE … FROM (VALUES …), in ascending key order."""
    if not rows:
        return
    model = type(rows[0])
    columns: list[Any] = [model._meta.pk, *(model._meta.get_field(name) for name in fields)]
    values: list[str] = []
    parameters: list[Any] = []
    for row in sorted({row.pk: row for row in rows}.values(), key=lambda row: row.pk):
        values.append("(" + ", ".join(["%s"] * len(columns)) + ")")
        parameters += [column.get_db_prep_save(getattr(row, column.attname), connection) for column in columns]
    quote = connection.ops.quote_name
    casts = [f"::{column.db_type(connection)}" if connection.vendor == "postgresql" else "" for column in columns]
    assignments = ", ".join(
        f"{quote(column.column)} = fresh.column{number}{cast}"
        for number, (column, cast) in enumerate(zip(columns, casts, strict=True), start=1)
        if number > 1
    )
    table = quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {assignments} FROM (VALUES {', '.join(values)}) AS fresh"
            f" WHERE {table}.{quote(columns[0].column)} = fresh.column1{casts[0]}",
            parameters,
        )

