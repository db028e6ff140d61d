"""Rows as JSON, to the last digit, and back."""

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import SET_NULL, ForeignKey, Model
from django.db.models.fields.files import FieldFile

type Row = dict[str, Any]


def packed(row: Model, *columns: str) -> Row:
    """The columns of a row (all without a choice) by their names, as JSON can hold them."""
    fields = [field for field in row._meta.concrete_fields if not columns or field.attname in columns]
    return {field.attname: plain(getattr(row, field.attname)) for field in fields}


def plain(value: Any) -> Any:
    """A value as JSON can hold it; raises TypeError for a type that nobody has thought of."""
    match value:
        case None | bool() | int() | float() | str() | list() | dict():
            return value
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Decimal() | uuid.UUID():
            return str(value)
        case FieldFile():
            return value.name
    raise TypeError(f"A {type(value).__name__} cannot be kept with a merge yet.")


def unpacked[M: Model](model: type[M], row: Mapping[str, Any]) -> M:
    """The row, not saved. Columns that are gone meanwhile are left out, new ones have their default."""
    fields = [field for field in model._meta.concrete_fields if field.attname in row]
    return model(**{field.attname: field.to_python(row[field.attname]) for field in fields})


def value(model: type[Model], column: str, kept: Any) -> Any:
    """One value as the column has it."""
    field = next(field for field in model._meta.concrete_fields if field.attname == column)
    return field.to_python(kept)


def still_whole[M: Model](rows: list[M]) -> list[M]:
    """Those whose foreign keys still point at something; a key that may be empty is emptied."""
    if not rows:
        return []
    keys = [field for field in rows[0]._meta.concrete_fields if isinstance(field, ForeignKey)]
    for field in keys:
        wanted = {getattr(row, field.attname) for row in rows} - {None}
        there = set(field.remote_field.model._base_manager.filter(pk__in=wanted).values_list("pk", flat=True))
        gone = wanted - there
        if field.null and field.remote_field.on_delete is SET_NULL:
            for row in rows:
                if getattr(row, field.attname) in gone:
                    setattr(row, field.attname, None)
        else:
            rows = [row for row in rows if getattr(row, field.attname) not in gone]
    return rows
