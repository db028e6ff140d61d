"""The simulated customers: who they are, when they last wrote, what was said to and by them."""

import json
import secrets
import sqlite3
from base64 import b64encode
from dataclasses import asdict, dataclass
from typing import Any

from simulator.store import Store

Json = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """A person with WhatsApp; either id may be missing, never both."""

    id: int
    wa_id: str | None
    user_id: str | None
    name: str
    username: str | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Customer":
        """The customer in a row of the table."""
        return cls(row["id"], row["wa_id"], row["user_id"], row["name"], row["username"])

    def as_contact(self, *, empty_wa_id: bool = False) -> Json:
        """The person as an item of a webhook's `contacts`; `empty_wa_id` hides the phone as Meta does."""
        profile: Json = {"name": self.name}
        if self.username:
            profile["username"] = self.username
        contact: Json = {"profile": profile, "wa_id": "" if empty_wa_id else self.wa_id or ""}
        if self.user_id:
            contact["user_id"] = self.user_id
        return contact


@dataclass(frozen=True)
class Habits:
    """How a person uses the phone: `network` online, offline or none (no WhatsApp), read receipts, phone number hidden
    behind the user id, promotions stopped."""

    network: str = "online"
    reads: bool = True
    hides_phone: bool = False
    stopped: bool = False

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Habits":
        """The habits in a row; the usual ones where it has none."""
        if row["network"] is None:
            return cls()
        return cls(row["network"], bool(row["reads"]), bool(row["hides_phone"]), bool(row["stopped"]))


def new_wamid(wa_id: str | None, *, inbound: bool) -> str:
    """A message id wrapped as Meta wraps it: the phone and a random core in base64."""
    phone = (wa_id or "".join(secrets.choice("0123456789") for _ in range(11))).encode()[:32]
    core = ("3A" + secrets.token_hex(9) if inbound else secrets.token_hex(9)).upper().encode()
    way = b"\x12" if inbound else b"\x11"
    wrapped = b"\x1c\x18" + bytes([len(phone)]) + phone + b"\x15\x02\x00" + way + b"\x18" + bytes([len(core)]) + core
    return "wamid." + b64encode(wrapped + b"\x00").decode()


class Customers:
    """Reads and writes people and the log of their messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def meet(
        self, wa_id: str | None, user_id: str | None, name: str | None = None, username: str | None = None
    ) -> Customer:
        """The person with either id, made when new; ids, name and username given are remembered."""

        def work(connection: sqlite3.Connection) -> Customer:
            row = _find(connection, wa_id, user_id)
            if row is None:
                sql = "INSERT INTO customers (wa_id, user_id, name, username) VALUES (?, ?, ?, ?)"
                new = (wa_id, user_id, name or wa_id or username or user_id or "", username)
                key = connection.execute(sql, new).lastrowid
            else:
                key = row["id"]
                sql = "UPDATE OR IGNORE customers SET wa_id = ?, user_id = ?, name = ?, username = ? WHERE id = ?"
                known = (wa_id or row["wa_id"], user_id or row["user_id"], name or row["name"])
                connection.execute(sql, (*known, username or row["username"], key))
            return Customer.of(connection.execute("SELECT * FROM customers WHERE id = ?", (key,)).fetchone())

        return await self._store.run(work)

    async def change(self, customer: Customer, *, wa_id: str | None = None, user_id: str | None = None) -> None:
        """Give a person a new phone number or user id; whoever had it keeps nothing but the name."""

        def work(connection: sqlite3.Connection) -> None:
            for column, value in (("wa_id", wa_id), ("user_id", user_id)):
                if value:
                    connection.execute(f"UPDATE customers SET {column} = NULL WHERE {column} = ?", (value,))
                    connection.execute(f"UPDATE customers SET {column} = ? WHERE id = ?", (value, customer.id))

        await self._store.run(work)

    async def find(self, wa_id: str | None, user_id: str | None) -> Customer | None:
        """The person with either id, if known."""
        row = await self._store.run(lambda connection: _find(connection, wa_id, user_id))
        return Customer.of(row) if row else None

    async def everyone(self) -> list[Json]:
        """All people, the one of the latest message first, each with what the phone page lists."""
        sql = """
            SELECT c.*, (SELECT MAX(m.id) FROM messages m WHERE m.customer_id = c.id AND m.direction != 'mark') AS last,
                h.network, h.reads, h.hides_phone, h.stopped
            FROM customers c LEFT JOIN habits h ON h.customer_id = c.id
            WHERE c.wa_id IS NOT NULL OR c.user_id IS NOT NULL
            ORDER BY last IS NULL, last DESC, c.id LIMIT 500
        """
        rows = await self._store.run(lambda connection: connection.execute(sql).fetchall())
        names = ("id", "wa_id", "user_id", "name", "username")
        return [{**{name: row[name] for name in names}, **asdict(Habits.of(row))} for row in rows]

    async def by_id(self, key: str) -> Customer | None:
        """The person with this row id, if known."""
        if not (key.isascii() and key.isdecimal() and len(key) < 16):
            return None
        sql = "SELECT * FROM customers WHERE id = ?"
        row = await self._store.run(lambda connection: connection.execute(sql, (int(key),)).fetchone())
        return Customer.of(row) if row else None

    async def habits(self, customer: Customer) -> Habits:
        """How this person uses the phone."""
        sql = "SELECT * FROM habits WHERE customer_id = ?"
        row = await self._store.run(lambda connection: connection.execute(sql, (customer.id,)).fetchone())
        return Habits.of(row) if row else Habits()

    async def set_habits(self, customer: Customer, habits: Habits) -> None:
        """Keep how this person uses the phone."""
        row = (customer.id, habits.network, habits.reads, habits.hides_phone, habits.stopped)
        sql = "INSERT OR REPLACE INTO habits VALUES (?, ?, ?, ?, ?)"
        await self._store.run(lambda connection: connection.execute(sql, row))

    async def undelivered(self, customer: Customer) -> list[sqlite3.Row]:
        """What the business sent that this person's phone has not got, oldest first."""
        sql = """
            SELECT m.*, c.wa_id, c.user_id FROM messages m JOIN customers c ON c.id = m.customer_id
            WHERE m.customer_id = ? AND m.direction = 'out' AND m.state IN ('accepted', 'sent') ORDER BY m.id
        """
        return await self._store.run(lambda connection: connection.execute(sql, (customer.id,)).fetchall())

    async def chats(self, customer: Customer) -> list[sqlite3.Row]:
        """The newest message between this person and each number."""
        sql = """
            SELECT * FROM messages WHERE id IN (
                SELECT MAX(id) FROM messages WHERE customer_id = ? AND direction != 'mark' AND state != 'failed'
                GROUP BY phone_number_id
            )
        """
        return await self._store.run(lambda connection: connection.execute(sql, (customer.id,)).fetchall())

    async def wrote(self, customer: Customer, phone_number_id: str, at: float) -> None:
        """Open the 24-hour window of this person with this number."""
        sql = """
            INSERT INTO windows VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET wrote_at = MAX(wrote_at, excluded.wrote_at)
        """
        values = (phone_number_id, customer.id, at)
        await self._store.run(lambda connection: connection.execute(sql, values))

    async def wrote_at(self, customer: Customer, phone_number_id: str) -> float | None:
        """When this person last wrote to this number by the simulator's clock; None: never here."""
        sql = "SELECT wrote_at FROM windows WHERE phone_number_id = ? AND customer_id = ?"
        values = (phone_number_id, customer.id)
        row = await self._store.run(lambda connection: connection.execute(sql, values).fetchone())
        return float(row["wrote_at"]) if row else None

    async def log(
        self,
        *,
        wamid: str,
        phone_number_id: str,
        customer: Customer | None,
        direction: str,
        time: float,
        body: Json,
        recipient: str = "",
        state: str = "",
    ) -> int:
        """Write one line of what was said; answers its row id."""
        key = customer.id if customer else None
        row = (wamid, phone_number_id, key, direction, time, recipient, json.dumps(body), state)
        sql = "INSERT INTO messages (wamid, phone_number_id, customer_id, direction, time, recipient, body, state)"
        return await self._store.run(
            lambda connection: connection.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid or 0
        )

    async def line(self, wamid: str) -> sqlite3.Row | None:
        """The message with this wamid, with its customer's ids."""
        sql = """
            SELECT m.*, c.wa_id, c.user_id FROM messages m LEFT JOIN customers c ON c.id = m.customer_id
            WHERE m.wamid = ? AND m.direction != 'mark' ORDER BY m.id DESC LIMIT 1
        """
        return await self._store.run(lambda connection: connection.execute(sql, (wamid,)).fetchone())

    async def sent(self, after_id: int = 0) -> list[sqlite3.Row]:
        """What the business asked the Graph API to send or mark, oldest first."""
        sql = "SELECT * FROM messages WHERE direction IN ('out', 'mark') AND id > ? ORDER BY id"
        return await self._store.run(lambda connection: connection.execute(sql, (after_id,)).fetchall())

    async def history(self, customer_id: int, phone_number_id: str) -> list[sqlite3.Row]:
        """The latest 300 messages between a person and a number, oldest first."""
        sql = """
            SELECT * FROM (
                SELECT * FROM messages WHERE customer_id = ? AND phone_number_id = ? AND direction != 'mark'
                ORDER BY id DESC LIMIT 300
            ) ORDER BY id
        """
        return await self._store.run(
            lambda connection: connection.execute(sql, (customer_id, phone_number_id)).fetchall()
        )

    async def mark_read(self, line: sqlite3.Row) -> None:
        """Read marks reach back: this message and the earlier ones of the same person."""
        sql = """
            UPDATE messages SET state = 'read'
            WHERE customer_id = ? AND phone_number_id = ? AND direction = 'in' AND id <= ?
        """
        values = (line["customer_id"], line["phone_number_id"], line["id"])
        await self._store.run(lambda connection: connection.execute(sql, values))


def _find(connection: sqlite3.Connection, wa_id: str | None, user_id: str | None) -> sqlite3.Row | None:
    for column, value in (("user_id", user_id), ("wa_id", wa_id)):
        if value:
            row = connection.execute(f"SELECT * FROM customers WHERE {column} = ?", (value,)).fetchone()
            if row:
                return row
    return None
