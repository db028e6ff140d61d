"""Which tests prove what must hold: the list of ids, and the table of docs/proofs.md made from the tests' marks.

`python -m tests.covering` prints the table and what has no test, `--write` puts the table into docs/proofs.md. A test
names what it proves by `@pytest.mark.covers("W01")`, on a function, a class or by `pytestmark` a whole module; only the
source is read, nothing is imported or run.
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.table import BEGIN, END, write

ROOT = Path(__file__).resolve().parent
DOCUMENT = ROOT.parent / "docs" / "proofs.md"

FAMILIES = {
    "F": "What arrives",
    "W": "The webhook address",
    "I": "The inbox",
    "S": "The socket",
    "A": "The administration",
    "P": "The API",
    "M": "Files",
    "U": "Signing in",
    "E": "Imports and exports",
    "G": "Privacy",
}

# What must hold, by id. What a case is about stands before the colon.
IDS = {
    "F14": "every webhook ten times in the same moment: one message, one contact, one conversation",
    "F15": "everything shuffled, albums, a new person's first two messages at once: one contact, WhatsApp's order",
    "F16": "a status before its message: parked, applied when the message appears, shown to managers if it never does",
    "F17": "statuses in any order: they only climb; a failure keeps its reason, each status its own time",
    "F18": "unknown fields and kinds, missing and extra keys, echoes, people without a number: 200 and stored",
    "F19": "impossible times and clocks that differ: accepted, shown where they arrived, no window wrongly open",
    "F20": "an item that always fails among a hundred: the others are processed, it is set aside and can be replayed",
    "F21": "large, endless, chunked, slow and compressed bodies: 4 MB are taken, more is refused with bounded memory",
    "F22": "deep JSON: signed 200 and set aside, unsigned 401 without being parsed",
    "F23": "NUL, surrogates, other encodings, huge numbers, 65,536 characters in every field: text and raw bytes kept",
    "F24": "wrong, missing, empty signatures, a thousand a second: 401, nothing written, good webhooks do not suffer",
    "F25": "a burst of webhooks: all are taken, the backlog drains, each person's order stays",
    "F26": "a week-old backlog: stored in its place, nobody answers it by itself, no free text outside 24 hours",
    "F27": "a number that is not ours: 200, set aside, no inbox guessed",
    "F28": "a bad item at the head and restarts: tries are counted in the database, no loop of crashes",
    "W01": "a valid body without a signature: 401, no row, no work",
    "W02": "signed with the secret of another app or another account: 401",
    "W03": "no app secret, an empty or blank one: all are refused, and the set-up page says so",
    "W04": "signed with the empty key while there is no secret: 401",
    "W05": "malformed signature headers: 401, never 500",
    "W07": "one byte changed, white space, keys in another order: 401",
    "W08": "letters escaped as Meta sends them are accepted; the same text written otherwise needs its own signature",
    "W09": "signatures are compared in constant time, as bytes",
    "W10": "answer and log of a bad signature hold neither the expected value nor the body",
    "W12": "the handshake's challenge comes back as plain text, digits only",
    "W13": "a valid webhook again, an hour or a week later: 200 and no new effect",
    "W14": "another account's number in a validly signed body: set aside, no row in that account",
    "W15": "other methods and content types: 405, 415",
    "W16": "floods, huge and slow unsigned bodies: bounded work; who signs is answered in time",
    "W17": "a forged X-Forwarded-For changes no limit unless a proxy is declared",
    "W18": "a Host that is not ours: 400",
    "W20": "addresses inside a webhook are never fetched; media only by Graph's id",
    "W21": "line breaks, escape sequences and format characters in names and texts: log lines stay one line",
    "W22": "the webhook's address holds no secret; knowing it opens nothing",
    "I01": "a corpus of scripts in every text people write: shown as text everywhere",
    "I02": "links with dangerous schemes are not clickable; others open without a way back to us",
    "I03": "links are not fetched for a preview",
    "I04": "another team's conversation by its id: 404, no change, written down as denied",
    "I06": "who left the team meanwhile gets nothing with the next click",
    "I07": "every act without its permission: refused, over all routes",
    "I08": "a change without our form's token, or from another site: 403",
    "I09": "no page can be framed",
    "I10": "the content policy allows no inline script in the inbox, the sign-in and the API's page",
    "I12": "a private note never reaches the customer",
    "S01": "no session, an ended one: accepted, closed with its reason, nothing sent",
    "S02": "an Origin that is not ours: refused",
    "S03": "another team's groups, by id or guess: no event",
    "S05": "huge, binary, malformed and too many frames: closed, the server goes on",
    "S06": "user disabled, role lowered, password changed, session ended: closed within five seconds",
    "S08": "no token in an address opens a socket",
    "S09": "no page listens to messages of foreign windows",
    "S10": "no act goes through the socket",
    "S11": "a replay from any number: only one's own permitted events",
    "A01": "rights come by role only; nobody raises their own, no form takes is_superuser, groups or permissions",
    "A02": "another's password, address, token or second factor: for managers only, who prove again who they are",
    "A04": "nobody makes a token or user with more rights than their own",
    "A05": "actions, inlines, autocomplete, history of every model respect permission",
    "A07": "secrets are written and never read: not in forms, histories, JSON, errors or logs",
    "A08": "input is validated; no data is ever marked safe",
    "A09": "messages and the audit log cannot be deleted in bulk",
    "A11": "no debug pages, no listings, no repository; check --deploy finds nothing",
    "A12": "each sensitive act is in the audit log: who, what, before and after, from where; nobody edits it",
    "A13": "a GET changes nothing",
    "A14": "looking as somebody else is visible, read-only and for managers",
    "P01": "every route, role and scope answers as the published table says; a route without a line fails",
    "P02": "what does not say what it is about is closed",
    "P03": "lists hold only what one may see",
    "P04": "so do the acts on one of their rows, and those on many",
    "P05": "ids of what one may not see in a body: refused as if they were not there",
    "P08": "what a request may not say changes nothing",
    "P09": "wrong types and made-up requests: 4xx, never 5xx",
    "P10": "hidden columns neither filter nor order",
    "P11": "SQL in values, names and orders: data, with no effect and no delay",
    "P13": "pages are bounded whatever limit or depth is asked for",
    "P15": "tokens: a digest at rest, a prefix, scopes, an end, revoked at once, last use, never in an address",
    "P16": "no other site's pages read an answer",
    "P17": "answers to who is signed in are kept by no cache",
    "P19": "limits per token and per address: 429 with Retry-After",
    "P20": "addresses that open something by themselves hold at least 128 random bits",
    "M01": "an upload without a session, or into another's conversation: refused, no file kept",
    "M02": "a file is checked at every access: team, session, role of now",
    "M03": "HTML and scripts with an innocent name: a download that cannot act in our name",
    "M04": "SVG is never shown in place",
    "M05": "PDF and documents of customers are downloads",
    "M08": "the file of a deleted message is gone at once",
    "M09": "positions in the pictures agents send",
    "M12": "a scanner's verdict",
    "U01": "thousands of wrong passwords slow down who tries, and lock nobody out of their own browser",
    "U02": "known and unknown users: same words, same status, same work",
    "U03": "a session from before signing in is not the one afterwards",
    "U04": "password, second factor, address, state changed: sessions and sockets end, tokens if asked",
    "U07": "cookies are __Host-, Secure, HttpOnly, SameSite; HSTS; signing out happens on the server",
    "U08": "single sign-on with an unverified address, for nobody, without our state: merges nothing",
    "U09": "an invitation is for one person, one role, once",
    "U11": "no secret in the repository, the static files, the metrics or the probes",
    "U12": "dependencies with known holes",
    "F37": "what WhatsApp refuses for the person's sake is final, and says why; 131050 is an opt-out",
    "F41": "an opt-out counts for what was planned before it: asked when a message leaves",
    "E01": "cells that begin as formulas do, in every form: written as text, in CSV and in XLSX",
    "E02": "phone numbers survive a round trip",
    "E03": "an export without permission, or with columns hidden from the role: refused, absent",
    "E04": "the link to an export, for another user, after its time, guessed: 404",
    "E07": "an import sets no owner or rights, and no consent without source and date",
    "E08": "an import of many rows with duplicates in it, twice, killed half-way: the same end",
    "E09": "an import does not bring back who has opted out",
    "G01": "who agreed to what, when, how and to which words: appended, never changed",
    "G02": "nobody is sent what they did not agree to, out of an audience of all kinds",
    "G04": "one word or one button withdraws, is confirmed once, and counts for what waits to be sent",
    "G05": "opt-out words by language, as a whole message, in any spelling",
    "G06": "WhatsApp's own setting and its refusal of marketing count, in any order",
    "G07": "an opt-out stops marketing; answers and service go on",
    "G08": "an opt-out survives merge, import, other spellings, erasure and restore",
    "G09": "an objection to direct marketing is an opt-out",
    "G10": "a copy of all that is known of a person, as ZIP of JSON and a readable page",
    "G12": "a request about data has a month, may be extended or refused with a reason",
    "G14": "erasure leaves nothing: rows, files, queues, raw webhooks, other people's lists",
    "G15": "the audit log keeps that and who, under a pseudonym",
    "G16": "who writes during or after an erasure is somebody new",
    "G18": "a restored backup forgets again who was erased",
    "G19": "restricted data is shown, not used, not sent",
    "G20": "each class of data has its time, with a dry run; a legal hold beats it",
    "G21": "logs hold no text, no name, no full number, no token, no address that opens a file",
    "G24": "the record of processing is made of what is set and stored",
    "G28": "who saw or took what in a period is one table",
    "G29": "looking at a conversation or a profile, copies and exports are noted",
    "G34": "merged contacts stand by the stricter consent",
}

# What has no test, and why.
WITHOUT = {
    "M09": "Positions are not taken out yet; comes with the settings of outgoing pictures.",
    "U12": "The advisories are online: `make advisories`, above. What is installed is the lock's, by hash.",
    "M12": "There is no scanner yet; nothing is served in place but pictures, sound and film in any case.",
}


@dataclass(frozen=True, order=True)
class Proof:
    """One test that says it proves an id: its file below tests/ and its name without `test_`."""

    file: str
    name: str


def _ids(decorators: list[ast.expr]) -> list[str]:
    calls = [node for node in decorators if isinstance(node, ast.Call)]
    marks = [call for call in calls if ast.unparse(call.func).endswith("mark.covers")]
    return [ast.literal_eval(argument) for mark in marks for argument in mark.args]


def _of_module(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            return _ids(node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value])
    return []


def _tests(body: list[ast.stmt], ids: list[str]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, ids + _ids(node.decorator_list))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for one in ids + _ids(node.decorator_list):
                yield one, node.name.removeprefix("test_")


def proofs(root: Path = ROOT) -> dict[str, list[Proof]]:
    """Every id that a test names, with its tests in order."""
    found: dict[str, set[Proof]] = {}
    for path in sorted(root.rglob("test_*.py")):
        tree = ast.parse(path.read_text(), filename=str(path))
        for one, name in _tests(tree.body, _of_module(tree)):
            found.setdefault(one, set()).add(Proof(path.relative_to(root).as_posix(), name))
    return {one: sorted(tests) for one, tests in sorted(found.items())}


def table(found: dict[str, list[Proof]]) -> str:
    """Markdown: a table for each family, an id per line."""
    parts = []
    for letter, title in FAMILIES.items():
        lines = [f"### {letter}: {title}", "", "| id | what must hold | tests |", "|---|---|---|"]
        for one, sentence in IDS.items():
            if one[0] == letter:
                lines.append(f"| {one} | {sentence} | {_cell(one, found.get(one, []))} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(one: str, tests: list[Proof]) -> str:
    by_file: dict[str, list[str]] = {}
    for test in tests:
        by_file.setdefault(test.file, []).append(test.name)
    lines = [f"`{file}`: {', '.join(names)}" for file, names in by_file.items()]
    return "<br>".join(lines) or WITHOUT.get(one, "–")


def missing(found: dict[str, list[Proof]]) -> list[str]:
    """Ids that have neither a test nor a reason."""
    return [one for one in IDS if one not in found and one not in WITHOUT]


def main() -> int:
    """Print or write the table; the exit code is 1 when an id has no test and no reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    found = proofs()
    if parser.parse_args().write:
        write(DOCUMENT, table(found))
    else:
        sys.stdout.write(table(found) + "\n")
    lacking = missing(found)
    tests = {test for all_of_one in found.values() for test in all_of_one}
    sys.stderr.write(f"{len(IDS)} ids, {len(tests)} tests; without: {', '.join(lacking) or 'none'}\n")
    return 1 if lacking else 0


def written() -> str:
    """The table as it stands in the document."""
    return DOCUMENT.read_text().partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0]


if __name__ == "__main__":
    sys.exit(main())
