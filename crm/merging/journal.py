"""What a merge does to rows, noted so that each step can be taken back."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, QuerySet

from crm.contacts.models import Contact
from crm.merging.rows import Row, packed, plain

KEPT, DROPPED = "kept", "dropped"


@dataclass
class Journal:
    """The steps of one merge. Models are named as `app.model`; both contacts are locked."""

    kept: Contact
    dropped: Contact
    choices: dict[str, str] = field(default_factory=dict)  # whose value of a field counts: KEPT or DROPPED
    moved: dict[str, dict[str, list[int]]] = field(default_factory=dict)  # {model: {field: [pk, …]}}
    away: dict[str, list[Row]] = field(default_factory=dict)  # {model: [row, …]}: deleted
    changed: dict[str, dict[str, dict[str, list[Any]]]] = field(default_factory=dict)  # {model: {pk: {column: pair}}}
    made: dict[str, list[int]] = field(default_factory=dict)  # {model: [pk, …]}: written by the merge
    notes: dict[str, Any] = field(default_factory=dict)  # {"app.model": what its own rule needs to undo}

    def move(self, rows: QuerySet[Any], name: str) -> None:
        """Have these rows, which are the dropped contact's by the field `name`, be those of the kept one."""
        keys = sorted(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
        if keys:
            label = rows.model._meta.label_lower
            rows.model._base_manager.filter(pk__in=keys).update(**{name: self.kept})
            self.moved.setdefault(label, {}).setdefault(name, []).extend(keys)

    def put_away(self, rows: QuerySet[Any]) -> None:
        """Delete rows that the kept contact has already, and keep what they said."""
        model = rows.model
        if model._meta.related_objects:
            raise TypeError(f"What hangs on a {model._meta.label} would be lost with it: it needs a rule of its own.")
        found = list(rows.order_by("pk"))
        self.away.setdefault(model._meta.label_lower, []).extend(packed(row) for row in found)
        model._base_manager.filter(pk__in=[row.pk for row in found]).delete()

    def change(self, row: Model, **values: Any) -> None:
        """Write other values into a row, by its columns' names."""
        before = packed(row, *values)
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
        pairs = self.changed.setdefault(row._meta.label_lower, {}).setdefault(str(row.pk), {})
        for name, value in values.items():
            pairs[name] = [pairs[name][0] if name in pairs else before[name], plain(value)]

    def note_made(self, *rows: Model) -> None:
        """Rows that are there because of the merge."""
        for row in rows:
            self.made.setdefault(row._meta.label_lower, []).append(row.pk)

    @property
    def lost(self) -> dict[str, Any]:
        """What a record keeps beside the moved rows."""
        return {"away": self.away, "changed": self.changed, "made": self.made, "notes": self.notes}

    def chosen(self, name: str) -> str:
        """Whose value of a field was asked for; "" for whichever there is, the kept contact's first."""
        return self.choices.get(name, "")
