"""Tables from elsewhere: what pandas and openpyxl write is read as it was, and what is no table is said."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.files.sheet import read_sheet

openpyxl = pytest.importorskip("openpyxl")
_CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12).map(str.strip)
_ROWS = st.lists(st.tuples(st.text("0123456789abc", min_size=1, max_size=6), _CELLS, _CELLS), min_size=1, max_size=5)


def put(path: Path, rows: list[list[object]], *, form: dict[str, str] | None = None) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, shown in (form or {}).items():
        book.active[place].number_format = shown
    book.save(path)
    return path


@given(_ROWS)
def test_text_comes_back_from_both_kinds_as_it_was_put(tmp_path_factory: pytest.TempPathFactory, rows):
    import csv

    folder = tmp_path_factory.mktemp("sheet")
    kept = [list(row) for row in rows]
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "a", "b"], *kept])
    book = openpyxl.Workbook()
    for number, row in enumerate([["id", "a", "b"], *kept], start=1):
        for column, text in enumerate(row, start=1):
            cell = book.active.cell(number, column)
            cell.value, cell.data_type = text, "s"
    book.save(folder / "a.xlsx")
    for name in ("a.csv", "a.xlsx"):
        assert [[*line.cells.values()] for line in read_sheet(folder / name).lines] == kept, name


def test_what_spreadsheets_hold_is_read_as_it_is_shown(tmp_path: Path):
    day = dt.datetime(2024, 3, 1)  # noqa: DTZ001  spreadsheets know no zone
    path = put(
        tmp_path / "a.XLSX",
        [
            ["id", "number", "whole", "yes", "day", "code", "time"],
            ["007", 12.5, 3.0, True, day, 7, day.replace(hour=8)],
            ["8", 0.3, -4, False, day.date(), 12, None],
            [None, "  ", None],
        ],
        form={"F2": "000", "F3": "000"},
    )
    sheet = read_sheet(path)
    assert [[*line.cells.values()] for line in sheet.lines] == [
        ["007", "12.5", "3", "TRUE", "2024-03-01", "007", "2024-03-01 08:00:00"],
        ["8", "0.3", "-4", "FALSE", "2024-03-01", "012", ""],
    ]
    assert sheet.first == "id" and sheet.notices == ()


def test_numbers_in_percent_are_read_as_they_are_shown(tmp_path: Path):
    form = {"B2": "0%", "B3": "0.0%", "B4": "0.00%;[Red]-0.00%", "B5": '0.0"%"', "B6": "0.0\\%", "B7": "0%"}
    rows = [["id", "ki67"], *([str(number), value] for number, value in enumerate((0.4, 0.005, 0.07, 0.4, 40, "x")))]
    sheet = read_sheet(put(tmp_path / "a.xlsx", rows, form=form))
    assert [line.cells["ki67"] for line in sheet.lines] == ["40%", "0.5%", "7%", "0.4", "40", "x"]


def test_further_sheets_are_told_and_formulas_need_their_values(tmp_path: Path):
    book = openpyxl.Workbook()
    book.active.append(["id", "a"])
    book.active.append(["1", "=1+1"])
    book.create_sheet("other").append(["no", "table"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match=r"a\.xlsx, B2: its formula has no stored value; open and save it"):
        read_sheet(tmp_path / "a.xlsx")
    stored = tmp_path / "b.xlsx"  # as a spreadsheet program stores it
    with zipfile.ZipFile(tmp_path / "a.xlsx") as old, zipfile.ZipFile(stored, "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb"</f><v ?(/>|></v>)", b"</f><v>2</v>", old.read(name)))
    sheet = read_sheet(stored)
    assert sheet.lines[0].cells["a"] == "2"
    assert sheet.notices == ("b.xlsx has 2 sheets, of which the first is read.",)


@pytest.mark.parametrize(("mark", "cell"), [(",", '"7,5"'), (";", "7,5"), ("\t", "7,5")])
def test_other_marks_and_a_mark_of_the_encoding_are_read(tmp_path: Path, mark: str, cell: str):
    path = tmp_path / "a.csv"
    path.write_bytes(f"\ufeffid{mark}µ{mark}\r\n007{mark}{cell}{mark}\r\n{mark}{mark}\r\n".encode())
    sheet = read_sheet(path)
    assert sheet.heads == ("id", "µ") and [dict(line.cells) for line in sheet.lines] == [{"id": "007", "µ": "7,5"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_lines_end_as_on_any_machine(tmp_path: Path, end: str, mark: str):
    lines = [["case", "age", "sex"], ["P1", "63", '"f\nx"'], ["P2", "41", "m"]]
    (tmp_path / "a.csv").write_bytes("".join(mark.join(line) + end for line in lines).encode())
    sheet = read_sheet(tmp_path / "a.csv")
    assert [line.cells for line in sheet.lines] == [
        {"case": "P1", "age": "63", "sex": "f\nx"},
        {"case": "P2", "age": "41", "sex": "m"},
    ]


def test_lines_too_long_and_too_short_are_marked(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,a\n1\n2,x,y\n\n3,z\n4,\n", encoding="utf-8")
    found = [(line.number, [*line.cells.values()], bool(line.fault)) for line in read_sheet(path).lines]
    assert found == [(2, ["1", ""], True), (3, ["2", "x"], True), (5, ["3", "z"], False), (6, ["4", ""], False)]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"id,a\n", "has no row"),
        ("a.csv", b"", "has no row"),
        ("a.csv", b"id,,b\n1,2,3\n", "a column without a name"),
        ("a.csv", b"id,a,a\n1,2,3\n", "2 columns called “a”"),
        ("a.csv", "id,größe\n1,2\n".encode("cp1252"), "no text in UTF-8"),
        ("a.csv", "id,a\n1,2\n".encode("utf-16"), "no text in UTF-8"),
        ("a.xlsx", b"PK\x03\x04 no", "cannot be read as XLSX"),
        ("a.xlsx", b"id,a\n1,2\n", "cannot be read as XLSX"),
        ("a.csv", None, "cannot be read"),
        ("a.xlsx", None, "cannot be read"),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(tmp_path: Path, name: str, content: bytes | None, sentence: str):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_sheet(tmp_path / name)


def test_what_unpacks_to_more_than_any_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diffuscope.files.xlsx._UNPACKED", 1_000_000)
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.xml", bytes(2_000_000))
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        read_sheet(path)


def test_a_cell_far_out_in_every_row_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diffuscope.files.xlsx._CELLS", 100_000)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["id", *[None] * 16_000, "a"])
    for number in range(10):
        sheet.append([number, *[None] * 16_000, 1])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="more than 100000 cells"):
        read_sheet(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("others", "decimal"),
    [
        ("281,25", True),
        ("0,509", True),
        ("-1234,567", True),
        ("1.234,5", True),
        ("1 234,5", True),
        ("281,25;1.234", True),  # may be a thousand
        ("7", False),  # nothing decides
        ("12,345", False),
        ("1.234", False),
        ("281,25;3.5", False),  # commas and points
        ("281,25;0.123", False),
        ("281,25;1,234,567", False),
        ("281,25;1,234.5", False),
        ("a,25", False),
    ],
)
def test_commas_are_decimal_where_one_number_says_so(tmp_path: Path, others: str, decimal: bool):
    path = tmp_path / "a.csv"
    path.write_text(f"id;a;b;c\n1,2a;340,509;{others};\n" if ";" not in others else f"id;a;b;c\n1;340,509;{others}\n")
    sheet = read_sheet(path)
    assert sheet.lines[0].decimal_commas is decimal and sheet.lines[0].cells["a"] == "340,509"
    assert sheet.lines[0].cells["b"] == others.split(";", maxsplit=1)[0]
    assert sheet.notices == (("a.csv has decimal commas: 340,509 is read as 340.509.",) if decimal else ())
    # Where a comma divides, one within a value was put there between quotes.
    path.write_text('id,a,b\n1,"340,509","281,25"\n')
    assert not read_sheet(path).lines[0].decimal_commas
