from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.adapters.reader import read_table
from tasks.core.errors import DataRefusedError, EvergreenError

if TYPE_CHECKING:
    from tasks.core.table import Table

MIB = 2**20


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(content: str | bytes, name: str = "t.csv") -> Table:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(name)


def rows(table: Table) -> list[list[object]]:
    return [[None if pd.isna(cell) else cell for cell in row] for row in table.df.itertuples(index=False)]


def read_or_refusal(content: bytes) -> Table | str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(content)
        try:
            return read_table(str(path))
        except EvergreenError as refused:
            return refused.message


def refusal(source: str, kind: type[EvergreenError]) -> str:
    with pytest.raises(EvergreenError) as refused:
        read_table(source)
    assert type(refused.value) is kind
    return refused.value.message


# ------------------------------------------------------------------------------------------------------------ clean files


def test_a_clean_file_is_read_exactly(here: Path) -> None:
    table = read('age,name,when\n31,"Ann, B.",2024-01-01\n,,2024-01-02\n2.5,"say ""hi""",\n')
    assert [str(dtype) for dtype in table.df.dtypes] == ["float64", "str", "datetime64[us]"]
    assert rows(table) == [
        [31.0, "Ann, B.", pd.Timestamp("2024-01-01")],
        [None, None, pd.Timestamp("2024-01-02")],
        [2.5, 'say "hi"', None],
    ]
    assert (table.source, table.lines.tolist(), table.lines.dtype) == ("t.csv", [2, 3, 4], np.int64)
    assert table.df.index.equals(pd.RangeIndex(3))


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n",
        b"a,b\r\n1,x\r\n",
        b"a,b\n1,x",
        b"\xef\xbb\xbfa,b\n1,x\n",
        b'"a","b"\n"1","x"\n',
        b'\xef\xbb\xbf"a",b\n1,x\n',
        b"a,b\n1,x\n\n\n",
    ],
    ids=["lf", "crlf", "no newline at the end", "bom", "quoted", "bom and quoted", "blank lines at the end"],
)
def test_spellings_of_one_table_read_the_same(here: Path, content: bytes) -> None:
    table = read(content)
    assert list(table.df.columns) == ["a", "b"]
    assert rows(table) == [[1.0, "x"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_decides_the_delimiter(here: Path, delimiter: str) -> None:
    table = read(f"a{delimiter}b\n1{delimiter}x y\n")
    assert rows(table) == [[1.0, "x y"]]


def test_a_delimiter_inside_a_quoted_name_decides_nothing(here: Path) -> None:
    assert list(read('"a, in m";b\n1;x\n').df.columns) == ["a, in m", "b"]


def test_lines_are_those_of_an_editor_when_cells_hold_newlines(here: Path) -> None:
    table = read('a,b\n"x\ny\rz\r\n",1\nu,2\n"\n\n",3\n')
    assert table.lines.tolist() == [2, 5, 6]
    assert table.df["a"].tolist() == ["x\ny\rz\r\n", "u", "\n\n"]


def test_rows_beyond_one_chunk_keep_their_order_and_lines(here: Path) -> None:
    table = read("n,s\n" + "".join(f"{i},s{i}\n" for i in range(120_000)))
    assert table.df["n"].tolist() == list(range(120_000))
    assert table.df["s"].iloc[-1] == "s119999"
    assert table.lines.tolist() == list(range(2, 120_002))


def test_a_row_of_empty_cells_is_a_row(here: Path) -> None:
    assert rows(read("a,b\n1,x\n,\n2,y\n")) == [[1.0, "x"], [None, None], [2.0, "y"]]


def test_one_column_of_text_with_blanks_in_it_is_one_column(here: Path) -> None:
    assert rows(read('full name\nAnn\n"Bob B"\n')) == [["Ann"], ["Bob B"]]


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.sampled_from(["", "1", "2.5", "-3e7", '"', ",", "\n", "\r\n", "\r", ";", "007", "2024-01-01", "x", "NA"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(2, 4))
    return draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12))


def same_cell(value: object, cell: str) -> bool:
    if pd.isna(value):
        return cell == ""
    if isinstance(value, float):
        return value == float(cell)
    if isinstance(value, pd.Timestamp):
        return value == pd.Timestamp(cell)
    return value == cell


@given(tables(), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_was_written_is_read_or_refused_and_never_something_else(cells: list[list[str]], delimiter: str, end: str, bom: bool) -> None:
    header = [f"column{i}" for i in range(len(cells[0]))]
    written = io.StringIO(newline="")
    # With "\n" as line end Python's writer leaves a cell of "\r" unquoted, which no reader can tell from the end of a CRLF line.
    quoting = csv.QUOTE_ALL if end == "\n" and any("\r" in cell for row in cells for cell in row) else csv.QUOTE_MINIMAL
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([header, *cells])
    table = read_or_refusal((b"\xef\xbb\xbf" if bom else b"") + written.getvalue().encode())
    if isinstance(table, str):
        assert " among " in table  # the only thing wrong with such a table can be a nearly typed column
        return
    assert list(table.df.columns) == header
    assert table.df.shape == (len(cells), len(header))
    assert all(
        same_cell(value, cell)
        for got, row in zip(table.df.to_numpy(object), cells, strict=True)
        for value, cell in zip(got, row, strict=True)
    )
    assert table.lines[0] == 2
    assert (np.diff(table.lines) == [1 + sum(cell.count("\n") for cell in row) for row in cells[:-1]]).all()


@given(st.binary(max_size=60) | st.text(alphabet='ab1,;"\n\r \t|?', max_size=60).map(str.encode))
def test_any_bytes_are_read_as_a_strict_parser_does_or_refused_in_one_sentence(content: bytes) -> None:
    table = read_or_refusal(content)
    if isinstance(table, str):
        assert "t.csv" in table
        return
    text = content.decode("utf-8-sig")
    delimiter = next((d for d in ",;\t|" if d in text.split("\n", 1)[0]), ",")
    expected = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    assert list(table.df.columns) == expected[0]
    assert [len(row) for row in expected] == [table.df.shape[1]] * (len(table.df) + 1)
    assert all(
        same_cell(v, c) for got, row in zip(table.df.to_numpy(object), expected[1:], strict=True) for v, c in zip(got, row, strict=True)
    )


# ---------------------------------------------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv is empty"),
        (b"\xef\xbb\xbf", "t.csv is empty"),
        (b"\n\n", 't.csv, line 1: a blank line; remove it, or write "" for a missing cell'),
        (b"a,b\n", "t.csv has no rows"),
        (b"a,b\n1,2,3\n", "t.csv, line 2: 3 fields where the header has 2"),
        (b"a,b\n1,2\n3\n", "t.csv, line 3: 1 field where the header has 2"),
        (b'a,b\n"x\ny",2\n3\n', "t.csv, line 4: 1 field where the header has 2"),
        (b"a,b\n1,2\n3,4", None),
        (b"a,b\n1,2\n3,", None),
        (b"a,b\n1,2\n\n3,4\n", "t.csv, line 3: a blank line; remove it"),
        (b"\na,b\n1,2\n", "t.csv, line 1: a blank line; remove it"),
        (b"a\n1\n\n", 't.csv, line 3: a blank line; remove it, or write "" for a missing cell'),
        (b'a,b\n"1,2\n3,4\n', "t.csv, line 2: a quoted cell is never closed"),
        (b'a,b\n1,2\n3,"4', "t.csv, line 3: a quoted cell is never closed"),
        (b'a,b\n"x"y,2\n', "t.csv, line 2: text follows a closing quote"),
        (b'a,b\n"x\\"y",2\n', "t.csv, line 2: text follows a closing quote"),
        (b'a,b\n"x" ,2\n', "t.csv, line 2: text follows a closing quote"),
        (b'a,b\n1,5" pipe\n', "t.csv, line 2: a quote inside a cell that is not quoted; quote the whole cell and double the quotes in it"),
        (
            b'a,b\n"x\n""",2\n1, "y"\n',
            "t.csv, line 4: a quote inside a cell that is not quoted; quote the whole cell and double the quotes in it",
        ),
        (b"a,b\r1,2\r", "t.csv, line 1: a carriage return stands alone; end lines with LF or CRLF"),
        (b"a,b\n1,2\r3,4\n", "t.csv, line 2: a carriage return stands alone; end lines with LF or CRLF"),
        (b"a,b\n1,x\0y\n", "t.csv, line 2: a NUL byte; save the file as UTF-8 text"),
        ("a,b\n1,x\n".encode("utf-16"), "t.csv, line 1: a NUL byte; save the file as UTF-8 text"),
        ("a,b\n1,x\n".encode("utf-16-le"), "t.csv, line 1: a NUL byte; save the file as UTF-8 text"),
        ("a,b\n1,Zürich\n".encode("latin-1"), "t.csv, line 2: byte 0xfc is not UTF-8; save the file as UTF-8 text"),
        ("a,b\n1,2\n3,Zür".encode()[:-2], "t.csv, line 3: byte 0xc3 is not UTF-8; save the file as UTF-8 text"),
        (b'{"a": 1}\n', "t.csv is HTML, XML or JSON, not CSV"),
        (b"<html>\n<body>\n", "t.csv is HTML, XML or JSON, not CSV"),
        (b"PK\x03\x04\x00\x00", "t.csv, line 1: a NUL byte; save the file as UTF-8 text"),
        (b"5.1,3.5,setosa\n4.9,3,setosa\n", "the first line of t.csv looks like data ('5.1' is a value, not a name): add a header line"),
        (b"?,x\n1,y\n", "the first line of t.csv looks like data ('?' is a value, not a name): add a header line"),
        (b",a,b\n0,1,2\n", "the first line of t.csv looks like data (column 1 has no name): add a header line"),
        (b"x,p\ny,q\nx,q\n", "t.csv, line 1: the first line looks like data ('x' is also a value below): add a header line"),
        (b"a,A\n1,2\n", "columns 'a' and 'A' of t.csv have the same name; rename one, or add a header line if there is none"),
        (b"a, b\n1, 2\n", "column 2 of t.csv is called ' b'; give it a name without padding and invisible characters"),
        (b"a,b\nkg,m\n1,2\n3,4\n", "line 2, column 'a': 'kg' among numbers"),
        (b"# made by x\na,b\n1,2\n", "t.csv, line 2: 2 fields where the header has 1"),
        (b"sep=;\na;b\n1;2\n", "the first line of t.csv looks like data (column 2 has no name): add a header line"),
        (b"a,b\n1,2\na,b\n3,4\n", "t.csv, line 3: the header line again; remove it"),
        (b"a,b\n1,2\nTotal,\n", None),
        (b"a,b\n1,2\n3,4\n4,6\n5,6\n6,1\nTotal,9\n", "t.csv, line 7, column 'a': 'Total' among numbers"),
        (b"a,b;c\n1,2;3\n", "t.csv, line 1: the header could be split at ',' or at ';'; keep one of them, or quote the names"),
        (b"a b c\n1 2 3\n4 5 6\n", "t.csv, line 1: one column, or several with blanks between them? separate columns with commas"),
        (b"a^b\n1^x\n4^y\n", "t.csv, line 1: one column, or several with '^' between them? separate columns with commas"),
        (b"a;b\n1,5;x\n2,5;y\n", "t.csv, line 2, column 'a': '1,5' among numbers"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "t.csv, line 2: a cell has more than 131,072 characters; is a quote missing?"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(here: Path, content: bytes, message: str | None) -> None:
    Path("t.csv").write_bytes(content)
    if message is None:
        read_table("t.csv")
        return
    assert message in refusal("t.csv", DataRefusedError)
