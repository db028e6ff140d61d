"""Tables that the database itself keeps append-only, and the door through which erasure and retention get in."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction


@dataclass(frozen=True)
class Guard:
    """Triggers that refuse to change or delete rows of `table` while `door` is shut.

    `fixed` columns never change; `moving` ones (keys of rows that are joined) may; `fading` ones may become NULL.
    """

    table: str
    door: str
    fixed: tuple[str, ...]
    moving: tuple[str, ...] = ()
    fading: tuple[str, ...] = ()

    @property
    def setting(self) -> str:
        """What says on PostgreSQL that the door is open."""
        return _setting(self.door)

    def put(self, editor: Any) -> None:
        """Create the triggers. On SQLite whoever rebuilds the table must put them in again."""
        for statement in self._postgresql() if editor.connection.vendor == "postgresql" else self._sqlite():
            editor.execute(statement)

    def take(self, editor: Any) -> None:
        """Drop them."""
        if editor.connection.vendor == "postgresql":
            for name in ("append_only", "not_emptied"):
                editor.execute(f"DROP TRIGGER IF EXISTS {self.table}_{name} ON {self.table}")
            editor.execute(f"DROP FUNCTION IF EXISTS {self.table}_refuse()")
            return
        for name in ("not_changed", "not_deleted", "not_replaced"):
            editor.execute(f"DROP TRIGGER IF EXISTS {self.table}_{name}")

    def _allowed(self, same: str) -> str:
        kept = [f'NEW."{name}" {same} OLD."{name}"' for name in self.fixed]
        gone = [f'(NEW."{name}" IS NULL OR NEW."{name}" {same} OLD."{name}")' for name in self.fading]
        return " AND ".join([*kept, *gone])

    def _postgresql(self) -> list[str]:
        return [
            f"""CREATE FUNCTION {self.table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('{self.setting}', true) = 'yes' THEN
        IF TG_OP = 'UPDATE' THEN
            RETURN NEW;
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF {self._allowed("IS NOT DISTINCT FROM")} THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'The {self.door} is append-only.' USING ERRCODE = 'integrity_constraint_violation';
END $$""",
            f"""CREATE TRIGGER {self.table}_append_only BEFORE UPDATE OR DELETE ON {self.table}
    FOR EACH ROW EXECUTE FUNCTION {self.table}_refuse()""",
            f"""CREATE TRIGGER {self.table}_not_emptied BEFORE TRUNCATE ON {self.table}
    FOR EACH STATEMENT EXECUTE FUNCTION {self.table}_refuse()""",
        ]

    def _sqlite(self) -> list[str]:
        refusal = f"BEGIN SELECT RAISE(ABORT, 'The {self.door} is append-only.'); END"
        return [
            f"""CREATE TRIGGER {self.table}_not_changed BEFORE UPDATE ON {self.table}
    WHEN NOT ({self._allowed("IS")}) AND NOT is_door_open('{self.door}') {refusal}""",
            f"""CREATE TRIGGER {self.table}_not_deleted BEFORE DELETE ON {self.table}
    WHEN NOT is_door_open('{self.door}') {refusal}""",
            f"""CREATE TRIGGER {self.table}_not_replaced BEFORE INSERT ON {self.table}
    WHEN EXISTS (SELECT 1 FROM {self.table} WHERE id = NEW.id) {refusal}""",  # REPLACE fires no DELETE
        ]


@contextlib.contextmanager
def opened(door: str) -> Iterator[None]:
    """A transaction in which rows behind this door may be changed and deleted, by this connection only. Inside another
    it leaves the door as it found it.
    """
    connection: Any = transaction.get_connection()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            found = _swap(connection, door, "yes")  # until the end of the transaction, or a roll-back to before it
            yield
            _swap(connection, door, found)
            return
        is_mine = door not in connection.open_doors
        connection.open_doors.add(door)
        try:
            yield
        finally:
            if is_mine:
                connection.open_doors.discard(door)


def _setting(door: str) -> str:
    return f"ventanilla.{door.replace(' ', '_')}_is_open"


def _swap(connection: Any, door: str, value: str) -> str:
    """Set the door's state; returns what it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting(%s, true), '')", [_setting(door)])
        found: str = cursor.fetchone()[0]
        cursor.execute("SELECT set_config(%s, %s, true)", [_setting(door), value])
    return found
