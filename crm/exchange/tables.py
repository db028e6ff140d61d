"""Files with rows: CSV in the encodings and with the separators that offices use, and XLSX; read row by row."""

import codecs
import contextlib
import csv
import datetime as dt
import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filetype
from django.utils.translation import gettext as _
from openpyxl.reader.excel import ExcelReader

from crm.foundation.errors import Refusal

warnings.filterwarnings("ignore", module="openpyxl")  # what it does not read of a workbook is nothing we want

ROWS_MAX = 200_000
COLUMNS_MAX = 200
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
DELIMITERS = (",", ";", "\t", "|")
# Of an XLSX, unpacked. All but cells and pictures, above all the texts, is held in memory while it is read.
UNPACKED_MAX = 600 * 1024**2
HELD_MAX = 60 * 1024**2
CONTENTS_MAX = 1024**2
_CELLS_OR_PICTURES = re.compile(r"xl/(media/.+|worksheets/[^/]+\.xml)")
PARTS_MAX = 2000
RATIO_MAX = 200
_HEAD = 64 * 1024
_SAMPLE = 25
_BROKEN = (
    OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, OverflowError,
    zipfile.BadZipFile, zlib.error, ElementTree.ParseError,
)  # fmt: skip

type Record = tuple[int, list[str]]


class FileProblem(Refusal):
    """A file that cannot be read as rows."""

    code = "bad_file"
    http_status = 422


@dataclass(frozen=True)
class Layout:
    """How a file is to be read."""

    format: str  # "csv" or "xlsx"
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)


def look(path: Path) -> Layout:
    """How this file is most likely written; raises FileProblem if it is nothing with rows."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise FileProblem(_("The file is empty. Choose another one."))
    if head.startswith(b"PK\x03\x04"):
        with _opened(path) as book:
            names = [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not names:
            raise FileProblem(_("This workbook has no sheet with cells."))
        return Layout("xlsx", sheet=names[0], sheets=names)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileProblem(_("This is an old or a locked workbook. Save it as XLSX without a password, or as CSV."))
    if filetype.guess_mime(head):
        raise FileProblem(_("This is no table. Choose a CSV or XLSX file."))
    encoding = _encoding(path, head)
    return Layout("csv", encoding, _delimiter(path, encoding))


def records(path: Path, options: Mapping[str, Any]) -> Iterator[Record]:
    """The rows of a file with their numbers in it, counted from 1, without blank ones; raises FileProblem."""
    rows = _of_workbook(path, options) if options.get("format") == "xlsx" else _of_text(path, options)
    for number, row in rows:
        if any(cell.strip() for cell in row):
            yield number, row
        if number > ROWS_MAX + 1:
            raise FileProblem(
                _("The file has too many rows: %(most)d at most. Split it and import the parts.") % {"most": ROWS_MAX}
            )


def head_of(path: Path, options: Mapping[str, Any], rows: int = 3) -> tuple[list[str], list[list[str]]]:
    """The headers and the first rows below them; raises FileProblem."""
    found = list(itertools.islice(records(path, options), rows + 1))
    if not found:
        raise FileProblem(_("The file is empty. Choose another one."))
    headers = [cell.strip() for cell in found[0][1]]
    while headers and not headers[-1]:
        headers.pop()
    if len(headers) > COLUMNS_MAX:
        raise FileProblem(_("The file has too many columns: %(most)d at most.") % {"most": COLUMNS_MAX})
    return headers, [row for _number, row in found[1:]]


def _of_text(path: Path, options: Mapping[str, Any]) -> Iterator[Record]:
    encoding, delimiter = options.get("encoding") or "utf-8", options.get("delimiter") or ","
    number = 0
    with path.open(encoding=_reading(encoding), errors="replace", newline="") as file:
        try:
            for number, row in enumerate(csv.reader(file, delimiter=delimiter), 1):
                if number == 1 and row and row[0].lower().startswith("sep="):
                    continue  # a word of Excel's to itself
                yield number, row
        except csv.Error as error:
            sentence = _("Row %(number)d cannot be read: perhaps a quotation mark is opened there and never closed.")
            raise FileProblem(sentence % {"number": number + 1}) from error


def _of_workbook(path: Path, options: Mapping[str, Any]) -> Iterator[Record]:
    with _opened(path) as book:
        name = options.get("sheet")
        if name not in book.sheetnames:
            raise FileProblem(_("This workbook has no sheet with cells."))
        sheet = book[name]
        try:
            sheet.reset_dimensions()
            for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX + 1, values_only=True), 1):
                yield number, [_as_text(cell) for cell in _without_end(row)]
        except _BROKEN as error:
            raise FileProblem(_("This workbook is damaged. Open it, save it anew, and try again.")) from error


class _Cells(ExcelReader):
    """Charts are nothing with rows, and would be read whole."""

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """Passed over."""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A workbook to read from, once it is known that unpacking it is safe; raises FileProblem."""
    with path.open("rb") as file:  # by its name openpyxl would not take it: uploads have no ending
        try:
            with zipfile.ZipFile(file) as archive:
                _check_size(archive)
            reader = _Cells(file, read_only=True, data_only=True, keep_links=False)
            reader.read()
        except _BROKEN as error:
            raise FileProblem(_("This is no workbook that can be read. Save it as XLSX or CSV.")) from error
        try:
            yield reader.wb
        finally:
            reader.wb.close()


def _check_size(archive: zipfile.ZipFile) -> None:
    """Small files that unpack to gigabytes, and texts that grow while they are read, are no workbooks."""
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts) or 1
    is_bomb = unpacked > 50 * 1024**2 and unpacked / packed > RATIO_MAX
    if len(parts) > PARTS_MAX or unpacked > UNPACKED_MAX or is_bomb:
        raise FileProblem(_too_big())
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            with archive.open(part) as file:
                if b"<!" in file.read(2048).replace(b"<!--", b""):
                    raise FileProblem(_("This is no workbook that can be read. Save it as XLSX or CSV."))
    if _held(archive) > HELD_MAX:
        raise FileProblem(_too_big())


def _held(archive: zipfile.ZipFile) -> int:
    """How much is read at once. A part is what the table of contents says it is, wherever it lies."""
    contents = archive.getinfo("[Content_Types].xml")
    if contents.file_size > CONTENTS_MAX:
        raise FileProblem(_too_big())
    told = ElementTree.fromstring(archive.read(contents))
    said = [(one.get("PartName", ""), one.get("ContentType", "")) for one in told]
    others = {name[1:] for name, kind in said if name and not kind.endswith(".worksheet+xml")}
    return sum(
        part.file_size
        for part in archive.infolist()
        if part.filename in others or not _CELLS_OR_PICTURES.fullmatch(part.filename)
    )


def _too_big() -> str:
    return _("This workbook is too big once it is unpacked. Save the sheet as CSV.")


def _without_end(row: Sequence[Any]) -> Sequence[Any]:
    """Rows come filled up to the widest that is allowed."""
    width = len(row)
    while width and row[width - 1] is None:
        width -= 1
    return row[:width]


def _as_text(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case dt.datetime() if cell.time() == dt.time():
            return cell.date().isoformat()
        case dt.datetime() | dt.date() | dt.time():
            return cell.isoformat()
    return str(cell)


def _encoding(path: Path, head: bytes) -> str:
    """By its mark, by the zeros of UTF-16, by whether all of it is UTF-8; else what Windows writes in Europe."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 4:
        return "utf-16-le" if odd > even else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1024**2):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _reading(encoding: str) -> str:
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _delimiter(path: Path, encoding: str) -> str:
    """The one that makes rows of one width, and of more cells than one."""
    with path.open(encoding=_reading(encoding), errors="replace", newline="") as file:
        text = file.read(_HEAD)
    lines = text.splitlines(keepends=True)[: 4 * _SAMPLE]
    if lines and lines[0].lower().startswith("sep=") and lines[0][4:5] in DELIMITERS:
        return lines[0][4]
    return max(DELIMITERS, key=lambda one: _fits(lines, one))


def _fits(lines: Iterable[str], delimiter: str) -> tuple[bool, float, int]:
    try:
        rows = [row for row in itertools.islice(csv.reader(lines, delimiter=delimiter), _SAMPLE) if row]
    except csv.Error:
        return False, 0.0, 0
    if not rows:
        return False, 0.0, 0
    width, number = Counter(len(row) for row in rows).most_common(1)[0]
    return width > 1, number / len(rows), width
