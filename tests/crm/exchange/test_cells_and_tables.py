import csv
import io
import os
import zipfile

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from crm.exchange import cells, exporter, tables
from crm.exchange.tables import FileProblem

ROWS = [
    ["nombre", "teléfono", "nota"],
    ["José Muñoz", "+34600111222", 'dice "hola"; y adiós'],
    ["Ana", "", "línea\ndos"],
]
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\xa0=1",
    "\u200b=1",
    "＝1",
    "＋1",
    "－1",
    "＠a",
    "a\n=1",
)


def written(rows, delimiter, encoding):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_csv_file_is_read_in_the_encodings_and_with_the_separators_of_offices(tmp_path, delimiter, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(written(ROWS, delimiter, encoding))
    layout = tables.look(path)
    assert layout.delimiter == delimiter
    assert list(tables.records(path, vars(layout))) == list(enumerate(ROWS, 1))


def test_a_letter_beyond_ascii_far_down_a_file_still_tells_its_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,x\n" + b"Ana,1\n" * 30_000 + "Muñoz,1\n".encode("cp1252"))
    assert tables.look(path).encoding == "cp1252"


def test_rows_keep_their_numbers_and_blank_ones_are_none(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"sep=;\r\nname;x\r\n\r\n;\r\nAna;1\r\n")
    assert list(tables.records(path, vars(tables.look(path)))) == [(2, ["name", "x"]), (5, ["Ana", "1"])]


def test_an_unclosed_quotation_mark_is_a_sentence(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'name,x\nAna,"1\n' + b"x" * 200_000)
    with pytest.raises(FileProblem):
        list(tables.records(path, vars(tables.look(path))))


def test_a_workbook_is_read_as_text(tmp_path, workbook):
    path = tmp_path / "a.xlsx"
    path.write_bytes(
        workbook([["name", "phone", "n", "yes"], ["Ana", 34600111222, 1.5, True], [None, None, None, None]])
    )
    layout = tables.look(path)
    assert layout.format == "xlsx"
    assert list(tables.records(path, vars(layout))) == [
        (1, ["name", "phone", "n", "yes"]), (2, ["Ana", "34600111222", "1.5", "yes"]),
    ]  # fmt: skip


def packed(path, **parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", data)


def noise(megabytes):
    """What does not look like a bomb."""
    return (bytes(range(97, 122)) + os.urandom(199).hex().encode()) * (megabytes * 1024**2 // 420)


STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
STRINGS_ELSEWHERE = f'<Types><Override PartName="/xl/worksheets/a.xml" ContentType="{STRINGS}"/></Types>'.encode()


def test_what_is_held_in_memory_is_bounded_before_it_is_read(tmp_path, monkeypatch, workbook):
    path = tmp_path / "a"
    path.write_bytes(workbook([["name"], ["Ana"]]))
    monkeypatch.setattr(tables, "HELD_MAX", 30_000)
    assert list(tables.records(path, vars(tables.look(path)))) == [(1, ["name"]), (2, ["Ana"])]
    for part in ("xl/calcChain.xml", "xl/a.bin", "docProps/a.xml"):
        path.write_bytes(workbook([["name"], ["Ana"]]))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(part, noise(1))
        with translation.override("en"), pytest.raises(FileProblem, match="too big"):
            tables.look(path)


@pytest.mark.parametrize(
    "parts",
    [
        {"xl__worksheets__sheet1": b"<a>" + b" " * (80 * 1024**2)},
        {"xl__sharedStrings": b" " * (61 * 1024**2)},
        {"xl__workbook": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'},
        {"nothing": b"<a/>"},
        {"[Content_Types]": STRINGS_ELSEWHERE, "xl__worksheets__a": noise(61)},
        {"[Content_Types]": STRINGS_ELSEWHERE, "xl__b": noise(61)},
        {"[Content_Types]": b"<a>" + noise(2) + b"</a>"},
    ],
    ids=[
        "unpacks to much",
        "texts in memory",
        "entities",
        "no workbook",
        "texts where cells are",
        "other parts",
        "contents",
    ],
)
def test_a_workbook_that_is_a_trap_is_refused_before_it_is_unpacked(tmp_path, parts):
    path = tmp_path / "a.xlsx"
    packed(path, **parts)
    with pytest.raises(FileProblem):
        tables.look(path)


@pytest.mark.parametrize("start", [b"\xd0\xcf\x11\xe0rest", b"\x89PNG\r\n\x1a\n0000", b"PK\x03\x04broken"])
def test_what_is_no_table_is_refused(tmp_path, start):
    path = tmp_path / "a"
    path.write_bytes(start + b"\x00" * 100)
    with pytest.raises(FileProblem):
        tables.look(path)


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS_MAX", 3)
    path = tmp_path / "a.csv"
    path.write_bytes(b"name\n" + b"Ana\n" * 4)
    with pytest.raises(FileProblem, match=r"3"):
        list(tables.records(path, vars(tables.look(path))))


@pytest.mark.covers("E01")
@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_that_goes_out_is_a_formula_and_each_comes_back_as_it_was(text):
    safe = cells.safe(text)
    assert "'" in safe
    for line in safe.replace("\r", "\n").split("\n"):
        assert line.lstrip("\xa0\u200b \t")[:1] not in tuple("=+-@＝＋－＠")
    assert cells.plain(safe) == text


@pytest.mark.covers("E02")
@given(
    st.text(
        alphabet=st.one_of(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), st.sampled_from("'=+-@\t\r\n \xa0")),
        max_size=40,
    )
)
def test_every_text_survives_going_out_and_coming_in(text):
    assert cells.plain(cells.safe(text)) == text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


@pytest.mark.covers("E01", "E02")
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_made_by_us_reads_back_as_it_was_and_has_texts_only(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    rows = [["name", "phone"], ["=cmd|'/c calc'!A0", "+34600111222"], ["-1", "a\x00b"]]
    with path.open("w+b") as file:
        out = exporter.CSV(file) if kind == "csv" else exporter.Sheet(file)
        for row in rows:
            out.row(row)
        out.close()
    layout = tables.look(path)
    found = [[cells.plain(cell) for cell in row] for _number, row in tables.records(path, vars(layout))]
    assert found == [*rows[:2], ["-1", "a\ufffdb"]]
    if kind == "xlsx":
        with zipfile.ZipFile(path) as archive:
            sheet = archive.read("xl/worksheets/sheet1.xml")
        assert b"<f>" not in sheet
        assert sheet.count(b't="inlineStr"') == 6
