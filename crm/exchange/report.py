"""What became of every row of an import, as a file: with the row itself, so that it can be put right and sent again."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from crm.contacts import masking
from crm.exchange import cells, jobs, tables
from crm.exchange.models import ImportJob, ImportRow
from crm.staff.models import User

AT_ONCE = 1000
_EMAIL = re.compile(r"[^\s“”«»\"'<>]+[@\uff20][^\s“”«»\"'<>]+")
_NUMBER = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d(?!\d))\+?\d(?:[\s().\-/]*\d){6,}")  # seven digits that are no day


def hand_out(job: ImportJob, user: User, outcome: str = "") -> Iterator[bytes]:
    """The report for somebody, without the file's cells if they may not see people's addresses; it is logged."""
    pieces = report(job, outcome, user=user)
    jobs.hand_out(job, by=user, what=f"report {outcome}".strip())
    return pieces


def report(job: ImportJob, outcome: str = "", *, user: User | None = None) -> Iterator[bytes]:
    """CSV in UTF-8 with a mark, as spreadsheets like it, piece by piece; `outcome`: only these rows; `user`: as this
    user may see it.
    """
    with_cells = user is None or masking.may_see_addresses(user)
    words = {str(value): str(label) for value, label in ImportRow.Outcome.choices}
    head = [_("Row"), _("Result"), _("Reason"), _("Contact"), *(job.headers if with_cells else [])]
    told = _cells(job) if with_cells else iter(())
    return _written(itertools.chain([head], _lines(job, outcome, words, told, user)))


def covered(text: str, user: User | None = None) -> str:
    """A header or a reason, which may quote a cell, without numbers and e-mail addresses for who may not see them."""
    if not masking.hides(user):
        return text
    text = _EMAIL.sub(lambda found: masking.cover("email", found[0]), masking.name(text, user))
    return _NUMBER.sub(lambda found: masking.cover("phone", found[0]), text)


def _lines(
    job: ImportJob, outcome: str, words: dict[str, str], told: Iterator[tables.Record], user: User | None
) -> Iterator[list[str]]:
    number, cells_ = 0, list[str]()
    for row in _rows(job, outcome):
        while number < row.number:
            number, cells_ = next(told, (row.number, []))
        shown = cells_ if number == row.number else []
        reason = covered(row.reason, user) if user else row.reason
        said = [str(row.number), words.get(row.outcome, row.outcome), reason, str(row.contact_id or "")]
        yield [*said, *(cells.plain(cell) for cell in shown)]


def _rows(job: ImportJob, outcome: str) -> Iterator[ImportRow]:
    """Some at a time: whoever takes the file slowly holds no cursor open."""
    rows, last = job.rows.order_by("number"), 0
    rows = rows.filter(outcome=outcome) if outcome else rows
    while found := list(rows.filter(number__gt=last)[:AT_ONCE]):
        yield from found
        last = found[-1].number


def _written(lines: Iterable[Sequence[str]]) -> Iterator[bytes]:
    mark = "\ufeff"
    for some in itertools.batched(lines, AT_ONCE):
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([cells.safe(one) for one in line] for line in some)
        yield f"{mark}{text.getvalue()}".encode("utf-8", "replace")
        mark = ""


def _cells(job: ImportJob) -> Iterator[tables.Record]:
    """The file's rows, as long as it is kept."""
    try:
        yield from tables.records(Path(job.file.path), job.options)
    except (OSError, ValueError, tables.FileProblem):
        return
