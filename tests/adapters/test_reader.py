from __future__ import annotations

import csv
import io
import os
import tempfile
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.adapters.reader import read_table
from tasks.core.errors import DataRefusedError, EvergreenError, UsageError

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


def test_a_file_that_is_being_written_is_refused(here: Path) -> None:
    path = Path("t.csv")
    path.write_text("a,b\n" + "1,2\n" * (8 * MIB))
    stop, started = threading.Event(), threading.Event()

    def append() -> None:
        with path.open("a") as file:
            while not stop.is_set():
                file.write("1,2\n")
                file.flush()
                started.set()

    writer = threading.Thread(target=append)
    writer.start()
    started.wait()
    try:
        assert refusal("t.csv", DataRefusedError) == "t.csv changed while it was read; try again when it is complete"
    finally:
        stop.set()
        writer.join()


# ------------------------------------------------------------------------------------------------------------ wrong calls


def test_a_missing_file_gets_the_closest_name_in_its_folder(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "adult.csv").write_text("a\n1\n")
    assert refusal("data/audlt.csv", UsageError) == "there is no file 'data/audlt.csv'; did you mean 'data/adult.csv'?"
    assert (
        refusal("data/zzz.csv", UsageError) == "there is no file 'data/zzz.csv'; name a .csv or .parquet file, or sklearn:diabetes to try"
    )
    assert refusal("date/adult.csv", UsageError) == "there is no file 'date/adult.csv', and no folder 'date'"


def test_what_is_no_regular_file_is_refused(here: Path) -> None:
    (here / "folder.csv").mkdir()
    os.mkfifo("pipe.csv")
    Path("dangling.csv").symlink_to("gone.csv")
    Path("loop.csv").symlink_to("loop.csv")
    assert refusal("folder.csv", UsageError) == "'folder.csv' is a folder; name a .csv or .parquet file"
    assert refusal("pipe.csv", UsageError) == "'pipe.csv' is no regular file; name a .csv or .parquet file"
    assert refusal("dangling.csv", UsageError) == "'dangling.csv' is a link to 'gone.csv', which does not exist"
    assert refusal("loop.csv", UsageError) == "'loop.csv' cannot be read: too many levels of symbolic links"
    assert refusal("nul\0.csv", UsageError) == "'nul\0.csv' cannot be read: embedded null byte"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(here: Path) -> None:
    Path("t.csv").write_text("a\n1\n")
    Path("t.csv").chmod(0)
    assert refusal("t.csv", UsageError) == "'t.csv' cannot be read: permission denied"


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz", ".csv"])
def test_another_format_is_refused(here: Path, name: str) -> None:
    Path(name).write_text("a\n1\n")
    assert refusal(name, UsageError) == f"'{name}' is neither a .csv nor a .parquet file; convert it, or rename it if it is one"


def test_the_extension_may_be_in_capitals(here: Path) -> None:
    assert rows(read("a,b\n1,2\n", "T.CSV")) == [[1.0, 2.0]]


# -------------------------------------------------------------------------------------------------------- bundled tables


@pytest.mark.parametrize(
    ("name", "shape", "targets"),
    [
        ("iris", (150, 5), {"setosa", "versicolor", "virginica"}),
        ("wine", (178, 14), None),
        ("breast_cancer", (569, 31), {"malignant", "benign"}),
    ],
)
def test_bundled_tables_have_class_names_as_their_target(name: str, shape: tuple[int, int], targets: set[str] | None) -> None:
    table = read_table(f"sklearn:{name}")
    assert table.df.shape == shape
    assert table.df.columns[-1] == "target"
    assert {str(dtype) for dtype in table.df.dtypes[:-1]} == {"float64"}
    assert table.df["target"].dtype == "str"
    assert targets is None or set(table.df["target"]) == targets
    assert table.lines.tolist() == list(range(1, shape[0] + 1))


def test_diabetes_is_given_in_units_that_people_read() -> None:
    df = read_table("sklearn:diabetes").df
    assert df["age"].iloc[0] == 59.0
    assert df["target"].iloc[:2].tolist() == [151.0, 75.0]


def test_an_unknown_bundled_table_gets_the_closest_name() -> None:
    assert refusal("sklearn:diabetis", UsageError) == (
        "there is no bundled table 'diabetis'; did you mean 'diabetes'? (available: breast_cancer, diabetes, iris, wine)"
    )


# --------------------------------------------------------------------------------------------------------------- parquet


def parquet(**columns: pa.Array) -> str:
    pq.write_table(pa.table(columns), "t.parquet")
    return "t.parquet"


def test_parquet_types_become_the_three_of_a_table(here: Path) -> None:
    berlin = timezone(timedelta(hours=2))
    source = parquet(
        whole=pa.array([1, None, 2**53]),
        small=pa.array([1, 2, 255], pa.uint8()),
        single=pa.array([0.1, None, float("nan")], pa.float32()),
        flag=pa.array([True, None, False]),
        word=pa.array(["a", "", None]),
        kind=pa.array(["p", "q", None]).dictionary_encode(),
        level=pa.array([3, 4, None]).dictionary_encode(),
        money=pa.array([Decimal("1.10"), None, Decimal("-99999.99")]),
        day=pa.array([date(2024, 2, 29), None, date(1, 1, 1)]),
        moment=pa.array([np.datetime64("2024-01-01T12:30:00.000005000"), None, None], pa.timestamp("ns")),
        zoned=pa.array(
            [datetime(2024, 7, 1, 12, tzinfo=berlin), datetime(2024, 7, 1, 12, tzinfo=UTC), None], pa.timestamp("ms", "Europe/Berlin")
        ),
        nothing=pa.nulls(3),
    )
    table = read_table(source)
    df = table.df
    assert df.index.equals(pd.RangeIndex(3))
    assert table.lines.tolist() == [1, 2, 3]
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        **dict.fromkeys(("whole", "small", "single", "level", "money", "nothing"), "float64"),
        **dict.fromkeys(("flag", "word", "kind"), "str"),
        **dict.fromkeys(("day", "moment", "zoned"), "datetime64[us]"),
    }
    got = {name: [None if pd.isna(value) else value for value in df[name]] for name in df.columns}
    assert got == {
        "whole": [1.0, None, 2.0**53],
        "small": [1.0, 2.0, 255.0],
        "single": [float(np.float32(0.1)), None, None],
        "flag": ["true", None, "false"],
        "word": ["a", None, None],
        "kind": ["p", "q", None],
        "level": [3.0, 4.0, None],
        "money": [1.1, None, -99999.99],
        "day": [pd.Timestamp("2024-02-29"), None, pd.Timestamp("0001-01-01")],
        "moment": [pd.Timestamp("2024-01-01 12:30:00.000005"), None, None],
        "zoned": [pd.Timestamp("2024-07-01 10:00"), pd.Timestamp("2024-07-01 12:00"), None],
        "nothing": [None, None, None],
    }


def test_parquet_integers_that_a_number_cannot_hold_become_text(here: Path) -> None:
    source = parquet(a=pa.array([2**53 + 1, None, 1]), b=pa.array([2**64 - 1, 0, 1], pa.uint64()))
    assert rows(read_table(source)) == [["9007199254740993", "18446744073709551615"], [None, "0"], ["1", "1"]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, float("inf")]), "t.parquet, column 'c', row 2 is infinite; write a number, or leave the cell empty"),
        (
            pa.array([Decimal("1.5"), Decimal("0.12345678901234567890")]),
            "t.parquet, column 'c', row 2 0.12345678901234567890 has more digits than a number holds; store it as text or as double",
        ),
        (
            pa.array([[1], [2]]),
            "t.parquet, column 'c' is of type list<element: int64>; numbers, text, booleans, dates and times can be read",
        ),
        (pa.array([{"x": 1}]), "t.parquet, column 'c' is of type struct<x: int64>; numbers, text, booleans, dates and times can be read"),
        (pa.array([b"x"]), "t.parquet, column 'c' is of type binary; numbers, text, booleans, dates and times can be read"),
        (
            pa.array([1], pa.time32("s")),
            "t.parquet, column 'c' is of type time32[ms]; numbers, text, booleans, dates and times can be read",
        ),
        (pa.array([1], pa.timestamp("ns")), "t.parquet, column 'c' cannot be read exactly (Casting from timestamp[ns] to timestamp[us]"),
    ],
)
def test_what_a_table_cannot_hold_exactly_is_refused(here: Path, column: pa.Array, message: str) -> None:
    assert message in refusal(parquet(c=column), DataRefusedError)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": pa.array([1]), "A": pa.array([1])}, "columns 'a' and 'A' of t.parquet have the same name"),
        ({"a ": pa.array([1])}, "column 1 of t.parquet is called 'a '; give it a name without padding"),
        ({"a": pa.array([], pa.int64())}, "t.parquet has no rows"),
        ({}, "t.parquet has no rows"),
    ],
)
def test_parquet_names_and_rows_are_checked_as_those_of_csv(here: Path, columns: dict[str, pa.Array], message: str) -> None:
    assert message in refusal(parquet(**columns), DataRefusedError)


def test_a_pandas_index_is_not_taken_for_the_last_column(here: Path) -> None:
    df = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}, index=pd.Index([10, 20], name="id"))
    df.to_parquet("t.parquet")
    assert refusal("t.parquet", DataRefusedError) == "t.parquet holds a pandas index as column 'id'; write it with index=False"
    df.reset_index(drop=True).to_parquet("t.parquet")
    assert rows(read_table("t.parquet")) == [[1.0, "a"], [2.0, "b"]]


def test_a_damaged_parquet_file_is_refused(here: Path) -> None:
    content = Path(parquet(a=pa.array(range(1000)))).read_bytes()
    for damaged in (content[:-5], content[100:], b"a,b\n1,2\n", content[:200]):
        Path("t.parquet").write_bytes(damaged)
        assert refusal("t.parquet", DataRefusedError).startswith("t.parquet is no Parquet file, or a damaged one (")


@given(st.lists(st.tuples(st.floats(allow_infinity=False), st.text(min_size=1, max_size=5), st.datetimes()), min_size=1, max_size=20))
def test_parquet_is_read_back_cell_for_cell(cells: list[tuple[float, str, datetime]]) -> None:
    numbers, words, moments = (list(column) for column in zip(*cells, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "t.parquet")
        pq.write_table(pa.table({"n": pa.array(numbers), "w": pa.array(words), "m": pa.array(moments, pa.timestamp("us"))}), source)
        df = read_table(source).df
    assert np.array_equal(df["n"].to_numpy(), np.array(numbers), equal_nan=True)
    assert df["w"].tolist() == words
    assert [moment.to_pydatetime() for moment in df["m"]] == moments
