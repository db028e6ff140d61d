"""What became of every row of an import, as a file: with the row itself, so that it can be put right and sent again."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm.contacts import masking
from crm.exchange import cells, jobs, tables
from crm.exchange.models import ImportJob, ImportRow
from crm.staff.models import User


def hand_out(job: ImportJob, user: User, outcome: str = "") -> bytes:
    """The report for somebody, without the file's cells if they may not see people's addresses; it is logged."""
    body = report(job, outcome, with_cells=masking.may_see_addresses(user))
    jobs.hand_out(job, by=user, what=f"report {outcome}".strip())
    return body


def report(job: ImportJob, outcome: str = "", *, with_cells: bool = True) -> bytes:
    """CSV in UTF-8 with a mark, as spreadsheets like it; `outcome`: only these rows; `with_cells`: with the file's."""
    rows: QuerySet[ImportRow] = job.rows.order_by("number")
    if outcome:
        rows = rows.filter(outcome=outcome)
    words = {str(value): str(label) for value, label in ImportRow.Outcome.choices}
    text = io.StringIO(newline="")
    text.write("\ufeff")
    out = csv.writer(text, quoting=csv.QUOTE_ALL)
    headers = job.headers if with_cells else []
    out.writerow([cells.safe(one) for one in (_("Row"), _("Result"), _("Reason"), _("Contact"), *headers)])
    told = _cells(job) if with_cells else iter(())
    number, cells_ = 0, list[str]()
    for row in rows.iterator(chunk_size=2000):
        while number < row.number:
            number, cells_ = next(told, (row.number, []))
        shown = cells_ if number == row.number else []
        said = [str(row.number), words.get(row.outcome, row.outcome), row.reason, str(row.contact_id or "")]
        out.writerow([cells.safe(one) for one in (*said, *(cells.plain(cell) for cell in shown))])
    return text.getvalue().encode("utf-8", "replace")


def _cells(job: ImportJob) -> Iterator[tables.Record]:
    """The file's rows, as long as it is kept."""
    try:
        yield from tables.records(Path(job.file.path), job.options)
    except (OSError, ValueError, tables.FileProblem):
        return
