from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.adapters.sources import split_columns
from tasks.core.errors import DataRefusedError, EvergreenError
from tasks.core.formats.source import Content
from tasks.core.reading import reader
from tasks.core.reading.blob import Blob
from tasks.core.reading.reader import Reading, as_frame
from tasks.core.reading.terms import ReadingOptions, SetAside, Sort
from tasks.core.table import Table

ROWS = [f"{n},word {n % 3},{n}.5" for n in range(1, 41)]


def text_of(*rows: str, header: str = "id,word,size") -> str:
    return "\n".join([header, *rows]) + "\n"


def read(*texts: str | bytes, as_text: bool = False, **told: object) -> Reading:
    data = [text if isinstance(text, bytes) else text.encode() for text in texts]
    contents = [Content(f"t{place}.csv", "text", data=Blob(each)) for place, each in enumerate(data, start=1)]
    return reader.read(contents, ReadingOptions.model_validate(told), split_columns, as_text=as_text)


def of_frame(name: str, values: list[object]) -> Content:
    return Content(name, "parquet", table=Table.of(pd.DataFrame({"a": values}), name, np.arange(1, len(values) + 1)))


def refusal(*texts: str) -> str:
    with pytest.raises(DataRefusedError) as refused:
        read(*texts)
    return refused.value.message


def test_a_file_that_keeps_every_rule_is_exact() -> None:
    reading = read(text_of(*ROWS))
    assert (reading.verdict, reading.rows, reading.repairs, reading.aside) == ("exact", 40, (), ())
    assert [str(dtype) for dtype in reading.table.df.dtypes] == ["float64", "str", "float64"]
    assert reading.table.lines.tolist() == list(range(2, 42))


def test_a_row_with_an_odd_cell_is_set_aside_with_its_line_text_and_reason() -> None:
    reading = read(text_of(*ROWS[:5], "6,word 0,heavy", *ROWS[6:]))
    assert reading.aside == (SetAside(7, "6,word 0,heavy", "column 'size': 'heavy' among numbers"),)
    assert (reading.rows, len(reading.table.df), 7 in reading.table.lines) == (40, 39, False)


def test_the_text_of_a_row_that_is_set_aside_keeps_the_quotes_that_it_needs() -> None:
    reading = read(text_of(*ROWS[:5], '6,"word, ""0""",heavy', *ROWS[6:]))
    assert [row.text for row in reading.aside] == ['6,"word, ""0""",heavy']


def test_as_text_keeps_a_row_with_one_odd_cell_but_not_one_that_is_out_of_step() -> None:
    rows = [*ROWS[:5], "6,word 0,heavy", "x,word 1,heavy", *ROWS[7:]]
    assert [row.line for row in read(text_of(*rows), as_text=True).aside] == [8]
    assert [row.line for row in read(text_of(*rows)).aside] == [7, 8]


def test_files_of_equal_columns_are_read_below_one_another() -> None:
    reading = read(text_of(*ROWS[:3]), text_of("", *ROWS[3:6], "7"))
    assert reading.table.df["id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert reading.table.lines.tolist() == [2, 3, 4, 3, 4, 5]
    assert reading.table.source == "t1.csv and 1 more"
    assert all(repair.detail.startswith("t2.csv: ") for repair in reading.repairs)


def test_a_table_that_cannot_be_one_is_refused() -> None:
    other = text_of(*ROWS[:3], header="id,word,mass")
    assert refusal(text_of(*ROWS), other) == "t2.csv has other columns than t1.csv, see 'mass'; read them one by one"
    assert refusal(text_of()).startswith("t1.csv")
    frame = of_frame("t.parquet", [1.0])
    with pytest.raises(DataRefusedError, match=r"^t\.parquet and t\.csv are of different kinds; read them one by one$"):
        reader.read([frame, Content("t.csv", "text", data=Blob(b"a\n1\n"))], ReadingOptions(), split_columns)


def test_frames_of_other_types_are_refused() -> None:
    contents = [of_frame(name, [value]) for name, value in (("p", 1.0), ("q", "x"))]
    with pytest.raises(DataRefusedError, match=r"^column 'a' is str in q, float64 in p; mend one of them, or read them one by one$"):
        reader.read(contents, ReadingOptions(), split_columns)
    reading = reader.read([contents[0], contents[0]], ReadingOptions(), split_columns)
    assert (reading.rows, reading.table.lines.tolist(), reading.raw) == (2, [1, 1], None)


@pytest.mark.parametrize(
    ("other", "cell", "value", "codes"),
    [
        ("3,5", "1.234", 1234.0, ["open_marks"]),
        ("3.5", "1.234", 1.234, []),
        ("3.5", "1,234", 1234.0, ["open_marks"]),
        ("3,5", "1,234", 1.234, []),
        ("3", "1.234", 1.234, []),
    ],
)
def test_what_a_mark_means_is_learnt_from_the_other_columns(other: str, cell: str, value: float, codes: list[str]) -> None:
    reading = read("id;a;b\n" + "".join(f"{n};{other};{cell}\n" for n in range(30)))
    assert reading.table.df["b"].tolist() == [value] * 30
    assert [repair.code for repair in reading.repairs] == codes


def test_columns_that_contradict_one_another_teach_nothing() -> None:
    reading = read("a;b;c\n" + "3,5;3.5;1,234\n" * 30)
    assert set(reading.table.df["c"]) == {"1,234"}


def test_no_cell_of_a_hidden_column_is_quoted() -> None:
    rows = [f"{n},{n}.200" for n in range(1, 40)] + ["40,secret", "?,7"]
    content = Content("t.csv", "text", data=Blob(text_of(*rows, header="id,salary").encode()))
    shown, hushed = (reader.read([content], ReadingOptions(), split_columns, hidden=hidden) for hidden in ((), ("salary",)))
    assert (hushed.rows, hushed.table.df.equals(shown.table.df), hushed.verdict) == (shown.rows, True, shown.verdict)
    assert [row.reason for row in hushed.aside] == ["column 'salary': a value of another type"]
    assert hushed.evidence == {"id": shown.evidence["id"], "salary": "how it was read is not shown"}
    assert [(repair.code, repair.lines) for repair in hushed.repairs] == [(repair.code, repair.lines) for repair in shown.repairs]
    assert "1.200" in str(shown.repairs[0])
    assert "1.200" not in str(hushed.repairs[0])


def test_rows_set_aside_become_a_table() -> None:
    assert as_frame([SetAside(4, "x", "why")]).to_dict("list") == {"line": [4], "text": ["x"], "reason": ["why"]}


BAD_ROWS = st.sampled_from(["", "7", "7,x", "7,x,1.5,9,9", '7,"x,1.5', "7;x;1.5", "# note", "total,,820", "x,7,heavy", "id,word,size"])


@given(st.lists(st.tuples(st.integers(0, 39), BAD_ROWS), max_size=5))
def test_every_line_is_kept_or_set_aside_or_told(damage: list[tuple[int, str]]) -> None:
    rows = list(ROWS)
    for place, row in damage:
        rows[place] = row
    reading = read(text_of(*rows))
    told = {line for repair in reading.repairs for line in repair.lines}
    aside = [row.line for row in reading.aside]
    kept = reading.table.lines.tolist()
    assert len(kept) + len(aside) == reading.rows
    assert not set(kept) & set(aside)
    blank_end = {number for number in range(2, 42) if not "".join(rows[number - 2 :])}
    assert {*kept, *aside, *told, *blank_end} >= set(range(2, 42))
    assert all(row.text == rows[row.line - 2] for row in reading.aside)
    unharmed = [number for number in range(2, 42) if rows[number - 2] == ROWS[number - 2]]
    assert set(unharmed) <= set(kept)
    assert reading.table.df["id"][np.isin(kept, unharmed)].astype("float64").tolist() == [number - 1 for number in unharmed]


@given(st.one_of(st.binary(max_size=80), st.text(st.sampled_from('ab,;\n"1.-/ \t'), max_size=60).map(str.encode)), st.booleans())
def test_arbitrary_bytes_are_a_reading_or_one_sentence(data: bytes, as_text: bool) -> None:
    try:
        reading = read(data, as_text=as_text)
    except EvergreenError as error:
        reading, message = None, error.message
    if reading is None:
        assert "\n" not in message
        assert "t1.csv" in message
    else:
        assert reading.rows == len(reading.table.lines) + len(reading.aside)


def test_what_is_known_to_hold_text_stays_as_it_stands() -> None:
    text = text_of(*(f"{n},{n % 7},{n / 4}" for n in range(1, 40)), "40,A7,10.0", "41,NA,10.25")
    known = ReadingOptions().knowing(["id", "word", "size"], {"id": "text", "word": "text"})
    reading = reader.read([Content("t.csv", "text", data=Blob(text.encode()))], known, split_columns)
    assert reading.table.df["word"].tolist()[-3:-1] == ["4", "A7"]
    assert [str(dtype) for dtype in reading.table.df.dtypes] == ["str", "str", "float64"]
    assert (reading.verdict, len(reading.aside), int(reading.table.df["word"].isna().sum())) == ("exact", 0, 1)
    assert [str(dtype) for dtype in read(text).table.df.dtypes] == ["float64", "float64", "float64"]


def test_what_is_known_to_hold_text_and_holds_nothing_has_no_type() -> None:
    known = ReadingOptions().knowing(["id", "word", "size"], {"word": "text"})
    reading = reader.read([Content("t.csv", "text", data=Blob(text_of("1,,2", "2,NA,3").encode()))], known, split_columns)
    assert reading.table.df.dtypes["word"] == "float64"


def test_whole_numbers_of_a_typed_source_become_text_where_that_is_known_and_others_do_not() -> None:
    known = ReadingOptions().knowing(["a"], {"a": "text"})
    reading = reader.read([of_frame("p", [7.0, None, 8123.0]), of_frame("q", ["x"])], known, split_columns)
    assert reading.table.df["a"].astype(object).where(reading.table.df["a"].notna(), None).tolist() == ["7", None, "8123", "x"]
    told = "numbers for text: column 'a' comes as whole numbers; they were read as the text of their digits"
    assert [str(repair) for repair in reading.repairs] == [told]
    assert reader.read([of_frame("p", [7.5])], known, split_columns).table.df.dtypes["a"] == "float64"


@pytest.mark.parametrize("text", ["id,word\na,yes\n", "id,word\na,b\nb,a\n", "id,note,word\nx,a,yes\n"])
def test_a_first_row_that_holds_known_names_is_the_header(text: str) -> None:
    known = ReadingOptions().knowing(["id", "word", "size"])
    reading = reader.read([Content("t.csv", "text", data=Blob(text.encode()))], known, split_columns)
    assert ",".join(reading.table.names) == text.splitlines()[0]
    assert "is this row the header" in refusal(text)
    with pytest.raises(DataRefusedError, match=r"^t\.csv has no rows below its header$"):
        reader.read([Content("t.csv", "text", data=Blob(b"id,word\n"))], known, split_columns)


# ------------------------------------------------------------------------------------------- one value, whatever it comes from


def known_as(kinds: dict[str, Sort], keys: list[str] | None = None) -> ReadingOptions:
    return ReadingOptions().knowing(["id", "word", "size"], kinds, keys or [])


def read_knowing(options: ReadingOptions, *rows: str, header: str = "id,word,size") -> Reading:
    content = Content("t.csv", "text", data=Blob(text_of(*rows, header=header).encode()))
    return reader.read([content], options, split_columns)


def listed(values: pd.Series) -> list[object]:
    return [None if pd.isna(value) else value for value in values]


@pytest.mark.parametrize("spelled", [("TRUE", "FALSE"), ("True", "False"), ("tRuE", " false")])
def test_true_and_false_have_one_form_and_that_is_told(spelled: tuple[str, str]) -> None:
    yes, no = spelled
    reading = read(text_of(f"1,{yes},x", f"2,{no},y", "3,?,z", f"4,{yes},z"))
    assert listed(reading.table.df["word"]) == ["true", "false", None, "true"]
    assert [str(repair) for repair in reading.repairs] == [
        "booleans: column 'word': true and false, however they were spelled, were read as these"
    ]


def test_of_true_and_false_those_that_are_spelled_otherwise_are_told_with_their_lines() -> None:
    reading = read(text_of("1,true,x", "2,FALSE,y", "3,false,z", "4,True,z"))
    assert reading.table.df["word"].tolist() == ["true", "false", "false", "true"]
    assert [(repair.code, repair.lines) for repair in reading.repairs] == [("booleans", (3, 5))]
    assert read(text_of("1,true,x", "2,false,y")).verdict == "exact"


@pytest.mark.parametrize(
    "cells",
    [["True", "False", "maybe"], ["yes", "no", "no"], ["T", "F", "T"], ["Y", "N", "Y"], ["on", "off", "on"], ["true", "no", "true"]],
)
def test_other_words_are_categories_and_stay_as_written(cells: list[str]) -> None:
    reading = read(text_of(*(f"{n},{cell},x" for n, cell in enumerate(cells))))
    assert (reading.table.df["word"].tolist(), reading.verdict) == (cells, "exact")


def test_as_text_keeps_true_and_false_as_they_were_spelled() -> None:
    reading = read(text_of("1,True,x", "2,False,y"), as_text=True)
    assert reading.raw is not None
    assert (reading.raw.cells[1].tolist(), reading.repairs) == (["True", "False"], ())


def test_a_column_that_is_known_to_hold_booleans_takes_them_in_digits_too_and_others_as_written() -> None:
    options = known_as({"word": "boolean"})
    assert read_knowing(options, "1,1,x", "2,0,y", "3,,z").table.df["word"].tolist()[:2] == ["true", "false"]
    assert read_knowing(options, "1,TRUE,x", "2,maybe,y").table.df["word"].tolist() == ["true", "maybe"]
    assert read_knowing(known_as({"word": "words"}), "1,True,x", "2,False,y").table.df["word"].tolist() == ["True", "False"]
    assert read_knowing(known_as({"word": "text"}), "1,True,x", "2,False,y").table.df["word"].tolist() == ["true", "false"]


@pytest.mark.parametrize(
    ("kind", "values", "read_as"),
    [
        ("boolean", [1.0, None, 0.0], ["true", None, "false"]),
        ("boolean", [1.0, 2.0], ["true", "2"]),
        ("boolean", ["TRUE", "0"], ["true", "false"]),
        ("text", [1.0, None, 0.0], ["1", None, "0"]),
        ("words", [1.0, None, 0.0], ["1", None, "0"]),
        ("number", [1.0, None, 0.0], [1.0, None, 0.0]),
        (None, ["True", None, "FALSE"], ["true", None, "false"]),
        (None, ["True", "x"], ["True", "x"]),
    ],
)
def test_values_of_a_source_with_types_get_the_form_of_their_column(kind: Sort | None, values: list[object], read_as: list[object]) -> None:
    known = ReadingOptions().knowing(["a"], {"a": kind} if kind else {})
    reading = reader.read([of_frame("p", values)], known, split_columns)
    assert listed(reading.table.df["a"]) == read_as
    assert (reading.verdict == "exact") == (read_as == values)


def test_a_key_has_no_blanks_around_it_and_keeps_its_zeros_and_marks() -> None:
    rows = ['" 1000 ",a,1', "007,b,2", '"1,000",c,3', "1000.0,d,4"]
    reading = read_knowing(known_as({"id": "text"}, ["id"]), *rows)
    assert reading.table.df["id"].tolist() == ["1000", "007", "1,000", "1000.0"]
    assert [(repair.code, repair.lines) for repair in reading.repairs] == [("padded_keys", (2,))]
    padded = reader.read([of_frame("p", [" x", " "])], ReadingOptions().knowing(["a"], key=["a"]), split_columns)
    assert listed(padded.table.df["a"]) == ["x", None]


def test_of_what_is_known_to_be_numbers_a_few_odd_cells_set_their_rows_aside() -> None:
    kinds: dict[str, Sort] = {"size": "number", "word": "date"}
    reading = read_knowing(known_as(kinds), "1,2024-05-01,7.5", "2,2024-05-02,heavy")
    assert (reading.table.df["size"].tolist(), len(reading.table)) == ([7.5], 1)
    assert [(row.line, row.reason) for row in reading.aside] == [(3, "column 'size': 'heavy' among numbers")]
    reading = read_knowing(known_as(kinds), "1,2024-05-01,7.5", "2,soon,8")
    assert [(row.line, row.reason) for row in reading.aside] == [(3, "column 'word': 'soon' among dates")]
    assert read_knowing(known_as({}), "1,2024-05-01,7.5", "2,2024-05-02,heavy").table.df["size"].tolist() == ["7.5", "heavy"]


@pytest.mark.parametrize(("rows", "odd", "is_text"), [(3, 2, True), (4, 2, False), (100, 10, False), (100, 11, True), (400, 20, False)])
def test_where_more_than_a_few_cells_are_odd_the_column_is_what_it_shows(rows: int, odd: int, is_text: bool) -> None:
    cells = [f"{n},w,{'heavy' if n < odd else n}" for n in range(rows)]
    reading = read_knowing(known_as({"size": "number"}), *cells)
    assert (reading.table.df["size"].dtype == "str", len(reading.aside)) == (is_text, 0 if is_text else odd)


@pytest.mark.parametrize(
    ("kind", "values", "kept", "odd"),
    [
        ("number", ["1000", "7.5", None], [1000.0, 7.5, None], {}),
        ("number", ["1", "2", "many"], [1.0, 2.0], {3: "column 'a': 'many' among numbers"}),
        ("number", ["few", "many", "1"], ["few", "many", "1"], {}),
        ("date", ["2024-05-01", "5/13/2024"], [pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-13")], {}),
    ],
)
def test_text_of_a_source_with_types_is_read_as_what_is_known(
    kind: Sort, values: list[object], kept: list[object], odd: dict[int, str]
) -> None:
    known = ReadingOptions().knowing(["a"], {"a": kind})
    reading = reader.read([of_frame("p", values)], known, split_columns)
    assert listed(reading.table.df["a"]) == kept
    assert {row.line: row.reason for row in reading.aside} == odd
    assert [row.text for row in reading.aside] == ['{"a": "many"}'] * len(odd)
    assert [repair.code for repair in reading.repairs] == ([] if kept == values else ["text_for_numbers"])
    assert reading.rows == len(values)
