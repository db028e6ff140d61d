"""A person's copy of their data (GDPR articles 15 and 20): a ZIP with JSON for machines, a page to read, and the files.

Staff appear by their function, not by name: they are third parties (article 15(4)).
"""

import io
import json
import secrets
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import structlog
from django.conf import settings
from django.core.files import File
from django.db.models import FileField, ForeignKey
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from crm.audit import log as audit
from crm.contacts.models import ContactChange
from crm.foundation import clock
from crm.foundation.files import PART
from crm.privacy import processing, requests, rules
from crm.privacy.lease import advance
from crm.privacy.models import PrivacyRequest
from crm.privacy.person import Person
from crm.staff.models import User

log = structlog.get_logger(__name__)

KEPT_DAYS = 30
ROWS_AT_ONCE = 500
INTERNAL = frozenset({"search_text", "lease", "lease_until"})
NAMED = frozenset({"tag", "stage", "segment", "inbox", "team"})


def steps(row: PrivacyRequest) -> Iterator[None]:
    """What the drain does. A copy is made from its beginning whenever it is begun."""
    contact = row.contact
    if contact is None:
        raise requests.NotNow(_("This person is no longer there."))
    person = Person.of(contact)
    with tempfile.TemporaryFile(suffix=PART) as file:
        counts: dict[str, int] = {}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for _step in _fill(archive, person, counts):
                advance(row)
                yield
        file.seek(0)
        _keep(row, file, counts)


def sections(person: Person) -> Iterator[tuple[rules.Rule, Iterator[dict[str, Any]]]]:
    """What is in the copy: each table with its rows."""
    for rule in rules.sections():
        yield rule, _rows(rule, person)


def _fill(archive: zipfile.ZipFile, person: Person, counts: dict[str, int]) -> Iterator[None]:
    about = processing.for_person()
    with archive.open("data.json", "w", force_zip64=True) as raw:
        out = io.TextIOWrapper(raw, "utf-8", write_through=True)
        out.write('{"about": ' + json.dumps(about, ensure_ascii=False, indent=1) + ', "data": {')
        for number, (rule, found) in enumerate(sections(person)):
            out.write(("," if number else "") + f'\n"{rule.name}": [')
            for at, values in enumerate(found):
                out.write(("," if at else "") + "\n" + json.dumps(values, ensure_ascii=False))
                counts[rule.name] = at + 1
                if at % ROWS_AT_ONCE == 0:
                    yield
            out.write("]")
        out.write("}}\n")
        out.flush()
        out.detach()
    yield
    yield from _write_page(archive, person, about)
    yield from _write_files(archive, person)


def _write_page(archive: zipfile.ZipFile, person: Person, about: dict[str, Any]) -> Iterator[None]:
    """To be read in a browser without a network: no scripts, nothing from elsewhere."""
    with archive.open("index.html", "w", force_zip64=True) as raw:
        context = {"about": about, "made": clock.now(), "business": settings.BUSINESS_NAME}
        raw.write(render_to_string("privacy/head.html", context).encode())
        for rule, found in sections(person):
            number = 0
            for number, values in enumerate(found, 1):
                if number == 1:
                    raw.write(render_to_string("privacy/section.html", {"title": rule.section}).encode())
                raw.write(render_to_string("privacy/row.html", {"pairs": _readable(values)}).encode())
                if number % ROWS_AT_ONCE == 0:
                    yield
        raw.write(render_to_string("privacy/foot.html", context).encode())
    yield


def _write_files(archive: zipfile.ZipFile, person: Person) -> Iterator[None]:
    for rule in rules.sections():
        for name in rule.files:
            for row in rule.rows(person):
                if getattr(row, name):
                    _write_file(archive, row, name)
                    yield


def _write_file(archive: zipfile.ZipFile, row: Any, name: str) -> None:
    stored = getattr(row, name)
    try:
        with stored.open("rb") as source, archive.open(_place(row, name), "w", force_zip64=True) as target:
            while piece := source.read(1 << 20):
                target.write(piece)
    except (OSError, ValueError):
        log.warning("a file is not in a copy of the data: it is gone", model=row._meta.label_lower, pk=str(row.pk))


def _rows(rule: rules.Rule, person: Person) -> Iterator[dict[str, Any]]:
    names: dict[tuple[str, Any], str] = {}
    for row in rule.rows(person):
        yield _values(rule, row, names)


def _values(rule: rules.Rule, row: Any, names: dict[tuple[str, Any], str]) -> dict[str, Any]:
    """The columns that say something, as JSON holds them."""
    found = {}
    for column in rule.model._meta.concrete_fields:
        if column.name in rule.without or column.name in INTERNAL:
            continue
        value = getattr(row, column.attname)
        if isinstance(column, FileField):
            value = _place(row, column.name) if value and column.name in rule.files else None
        elif isinstance(column, ForeignKey) and value is not None:
            value = _("staff") if column.related_model is User else _named(row, column.name, value, names)
        elif isinstance(row, ContactChange) and row.field == "owner" and column.name in ("before", "after"):
            value = _("staff") if value else None
        if value not in (None, "", [], {}):
            found[column.name] = _plain(value)
    return found


def _named(row: Any, key: str, value: Any, names: dict[tuple[str, Any], str]) -> Any:
    """Of what the business has named, its name; of the rest its key."""
    if key not in NAMED:
        return value
    if (key, value) not in names:
        names[key, value] = str(getattr(row, key))
    return names[key, value]


def _place(row: Any, name: str) -> str:
    """Where a file lies in the ZIP: under its row's key, and with an ending that opens it."""
    title = getattr(row, "filename", "") or getattr(row, "name", "")
    ending = title.rpartition(".")[2] if "." in title else ""
    ending = ending if ending.isascii() and ending.isalnum() and len(ending) <= 5 else ""
    return f"files/{row._meta.model_name}-{row.pk}" + (f".{ending}" if ending else "")


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | float() | str() | list() | dict():
            return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _readable(values: dict[str, Any]) -> Sequence[tuple[str, str]]:
    return [(name.replace("_", " "), _in_words(value)) for name, value in values.items()]


def _in_words(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) if isinstance(value, list | dict) else str(value)


def _keep(row: PrivacyRequest, file: IO[bytes], counts: dict[str, int]) -> None:
    row.file.save(f"{secrets.token_hex(16)}.zip", File(file), save=False)
    now = clock.now()
    try:
        advance(
            row, state=PrivacyRequest.State.DONE, finished_at=now, file=row.file.name, result={"rows": counts},
            expires_at=now + processing.days(KEPT_DAYS), lease_token="",
            lease_until=None,
        )  # fmt: skip
    except BaseException:
        row.file.delete(save=False)
        raise
    changes = {"state": [PrivacyRequest.State.RUNNING.value, PrivacyRequest.State.DONE.value]}
    audit.record("copy_made", row, by=row.by, changes=changes)
