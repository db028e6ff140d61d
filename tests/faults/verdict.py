"""What became of everything, by the database, the ledger and Graph's journal; no counter of the product's is read."""

import itertools
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.fernet import InvalidToken
from psycopg import Connection

from crm.foundation.secrets import unseal
from tests.faults import journal
from tests.faults.bodies import LADDER
from tests.faults.graph import ACCEPTED, REFUSED, UNHEARD

Rows = list[tuple[Any, ...]]
IN_FLIGHT = ("queued", "claimed", "sending")
BACKLOG = """
SELECT 'webhook', id::text FROM conversations_webhookevent
    WHERE state = 'pending' AND received_at <= to_timestamp(%(until)s)
UNION ALL SELECT 'message ' || status, text FROM conversations_message
    WHERE direction = 'out' AND status IN ('queued', 'claimed', 'sending') AND created_at <= to_timestamp(%(until)s)
UNION ALL SELECT 'parked status', p.external_id FROM conversations_parkedupdate p
    JOIN conversations_message m ON m.inbox_id = p.inbox_id AND m.external_id = p.external_id
    WHERE p.applied_at IS NULL AND p.created_at <= to_timestamp(%(until)s)
"""


@dataclass
class Verdict:
    """Each entry says what is wrong, in a few words; what follows `stuck` is told, not judged."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    settled: int = 0  # sends whose answer was lost, and whose status webhooks said what had become of them
    disorder: int = 0
    messages: int = 0
    sends: int = 0

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or stuck."""
        return not (self.lost or self.doubled or self.stuck)


@dataclass
class Evidence:
    """What Meta's side and the agents know of one scenario."""

    key: str
    people: str  # how the numbers of its people begin
    ledger: list[dict[str, Any]]
    posts: list[dict[str, Any]]
    said: dict[str, str]  # text of each message an agent was told is taken: its client id

    @classmethod
    def of(cls, folder: Path, key: str, people: str, said: dict[str, str]) -> "Evidence":
        """The lines of this scenario in the files of Meta's side."""
        posts = [entry for entry in journal.read(folder / "graph") if entry["text"].startswith(f"{key}.")]
        ours = {entry["id"] for entry in posts if entry["id"]}
        ledger = [
            entry
            for entry in journal.read(folder / "ledger")
            if entry["id"].startswith(f"wamid.{key}.") or entry["id"] in ours
        ]
        return cls(key, people, ledger, posts, said)


def backlog(connection: Connection[Any], until: float) -> Rows:
    """What is waiting since `until` (seconds since 1970) or longer: webhooks, messages on their way, statuses parked
    although their message exists.
    """
    return connection.execute(BACKLOG, {"until": until}).fetchall()


def judge(connection: Connection[Any], evidence: Evidence) -> Verdict:
    """Compare what Meta's side knows with what the database has; nothing may be under way any more."""
    verdict = Verdict(stuck=[f"{what} {which}" for what, which in backlog(connection, time.time())])
    rows = connection.execute(
        "SELECT m.external_id, m.sort_at, m.id, m.conversation_id, i.wa_id FROM conversations_message m"
        " JOIN conversations_conversation c ON c.id = m.conversation_id"
        " JOIN crm_channelidentity i ON i.id = c.identity_id"
        " WHERE m.direction = 'in' AND m.external_id LIKE %s",
        [f"wamid.{evidence.key}.%"],
    ).fetchall()
    _judge_inbound(verdict, evidence, rows, _kept(connection))
    _judge_people(verdict, evidence, connection)
    _judge_sends(verdict, evidence, connection)
    return verdict


def _judge_inbound(verdict: Verdict, evidence: Evidence, rows: Rows, kept: dict[str, set[str]]) -> None:
    promised = {entry["id"]: entry for entry in evidence.ledger if entry["kind"] == "message"}
    verdict.messages = len(promised)
    present = Counter(row[0] for row in rows)
    verdict.quarantined = sorted(promised.keys() & kept["quarantined"])
    missing = promised.keys() - present.keys() - kept["quarantined"]
    verdict.stuck += [f"message {wamid} is not processed" for wamid in sorted(missing & kept["pending"])]
    verdict.lost += [f"message {wamid}" for wamid in sorted(missing - kept["pending"])]
    verdict.doubled += [f"message {wamid} ×{count}" for wamid, count in present.items() if count > 1]
    verdict.lost += [
        f"{wamid} is in the thread of {person}"
        for wamid, _at, _pk, _conversation, person in rows
        if wamid in promised and promised[wamid]["person"] != person
    ]
    threads = defaultdict(list)
    for wamid, _at, _pk, conversation, _person in sorted(rows, key=lambda row: (row[1], row[2])):
        if wamid in promised:
            threads[conversation].append(promised[wamid]["at"])
    verdict.disorder = sum(
        later < earlier for times in threads.values() for earlier, later in itertools.pairwise(times)
    )


def _judge_people(verdict: Verdict, evidence: Evidence, connection: Connection[Any]) -> None:
    pattern = f"{evidence.people}%"
    identities = connection.execute(
        "SELECT wa_id, count(*), count(DISTINCT contact_id) FROM crm_channelidentity WHERE wa_id LIKE %s"
        " GROUP BY wa_id HAVING count(*) > 1",
        [pattern],
    ).fetchall()
    contacts = connection.execute(
        "SELECT phone, count(*) FROM crm_contact WHERE phone LIKE %s GROUP BY phone HAVING count(*) > 1",
        [f"+{pattern}"],
    ).fetchall()
    conversations = connection.execute(
        "SELECT i.wa_id, c.id, c.inbound_count, (SELECT count(*) FROM conversations_message m"
        " WHERE m.conversation_id = c.id AND m.direction = 'in') FROM conversations_conversation c"
        " JOIN crm_channelidentity i ON i.id = c.identity_id WHERE i.wa_id LIKE %s",
        [pattern],
    ).fetchall()
    verdict.doubled += [f"identity {wa_id} ×{count}" for wa_id, count, _contacts in identities]
    verdict.doubled += [f"contact {phone} ×{count}" for phone, count in contacts]
    threads = Counter(row[0] for row in conversations)
    verdict.doubled += [f"conversation of {wa_id} ×{count}" for wa_id, count in threads.items() if count > 1]
    for wa_id, _pk, counted, there in conversations:
        wrong = verdict.doubled if counted > there else verdict.lost
        if counted != there:
            wrong.append(f"unread count of {wa_id}: {counted} for {there} messages")


def _judge_sends(verdict: Verdict, evidence: Evidence, connection: Connection[Any]) -> None:
    rows = connection.execute(
        "SELECT text, client_id::text, status, external_id FROM conversations_message"
        " WHERE direction = 'out' AND text LIKE %s",
        [f"{evidence.key}.%"],
    ).fetchall()
    verdict.sends = len(evidence.said)
    taken = Counter(row[1] for row in rows)
    verdict.lost += [f"send {text}" for text, client_id in evidence.said.items() if client_id not in taken]
    verdict.doubled += [f"send {client_id} ×{count}" for client_id, count in taken.items() if count > 1]
    posts = defaultdict(list)
    for post in evidence.posts:
        posts[post["text"]].append(post)
    for text, tries in posts.items():
        if any(post["outcome"] != REFUSED for post in tries[:-1]):
            verdict.doubled.append(f"POST of {text}: {' / '.join(post['how'] for post in tries)}")
    reported = defaultdict(set)
    for entry in evidence.ledger:
        if entry["kind"] == "status":
            reported[entry["id"]].add(entry["status"])
    for text, _client_id, status, external_id in rows:
        _judge_outcome(verdict, text, status, external_id, posts[text], reported)


def _judge_outcome(
    verdict: Verdict, text: str, status: str, external_id: str | None, tries: list[dict[str, Any]],
    reported: dict[str, set[str]],
) -> None:  # fmt: skip
    taken = [post for post in tries if post["outcome"] == ACCEPTED]
    accepted = [post["id"] for post in taken]
    if taken:
        known = ["accepted", *(state for wamid in accepted for state in reported.get(wamid, ()))]
        wanted = max(known, key=LADDER.index)
        # A status can be stored although its 200 was lost.
        told = [state for post in taken for state in post["states"]]
        if status in told and LADDER.index(status) > LADDER.index(wanted):
            wanted = status
        if status in IN_FLIGHT:
            return  # stuck says so
        if status != wanted:
            verdict.lost.append(f"{text} is {status}, Meta said {wanted}")
        elif external_id not in accepted:
            verdict.lost.append(f"{text} has the id {external_id}, Meta gave {accepted[0]}")
        elif tries[-1]["how"] in UNHEARD:
            verdict.settled += 1
    elif status == "unknown":
        verdict.unknown.append(text)
    elif status not in (*IN_FLIGHT, "failed"):
        verdict.lost.append(f"{text} is {status}, but Meta never took it")


def _kept(connection: Connection[Any]) -> dict[str, set[str]]:
    """The wamids in webhooks that are pending, and in those that wait for a manager, whole or in part."""
    found: dict[str, set[str]] = {"pending": set(), "quarantined": set()}
    rows = connection.execute(
        "SELECT CASE state WHEN 'pending' THEN state ELSE 'quarantined' END, sealed_body"
        " FROM conversations_webhookevent WHERE state <> 'processed'"
        " OR id IN (SELECT event_id FROM conversations_eventitem WHERE outcome = 'quarantined')"
    ).fetchall()
    for state, sealed in rows:
        try:
            body = json.loads(unseal(bytes(sealed)))
        except (InvalidToken, ValueError):
            continue
        changes = (change for entry in body["entry"] for change in entry["changes"])
        found[state] |= {item["id"] for change in changes for item in change["value"].get("messages", [])}
    return found


def stored_without_answer(connection: Connection[Any], folder: Path) -> int:
    """Webhooks that are in the database although their 200 never reached Meta's side."""
    row = connection.execute("SELECT count(*) FROM conversations_webhookevent").fetchone()
    answered = {entry["post"] for entry in journal.read(folder / "ledger")}
    return (row[0] if row else 0) - len(answered)
