from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.reading.cells import Typed, typed, typed_pieces
from tasks.core.reading.terms import ReadingOptions
from tasks.core.schema import infer_schema

DATA = Path(__file__).parents[3] / "shared/data"


def read(*cells: str, name: str = "age", **told: object) -> Typed:
    return typed(pd.Series(cells, dtype="str", name=name), np.arange(2, len(cells) + 2), ReadingOptions.model_validate(told))


def listed(column: Typed) -> list[object]:
    return [None if pd.isna(value) else value for value in column.values]


ANY_CELL = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(["1", " 2", "1,5", "1,234", "1.234", "1.234,5", "0.5", "007", "9007199254740993", "$5", "5 kg", "(3)", "3-", "1e400"]),
    st.sampled_from(["2024-01-01", "01/02/2024", "13/01/2024", "2024-02-30", "12:30", "20240101", "Jan 1, 2024"]),
    st.sampled_from(["?", "NA", "", "nan", "inf", "x", "yes", "Yes"]),
)


@given(st.lists(ANY_CELL, max_size=40), st.sampled_from([None, ".", ","]), st.sampled_from(["x", "date"]))
def test_any_column_is_one_of_three_dtypes_and_never_an_error(cells: list[str], decimal: str | None, name: str) -> None:
    column = typed(pd.Series(cells, dtype="str", name=name), np.arange(2, len(cells) + 2), decimal=decimal)
    assert str(column.values.dtype) in {"float64", "datetime64[us]", "str"}
    assert column.values.index.equals(pd.RangeIndex(len(cells)))
    assert column.values.name == name
    assert all(pd.isna(column.values[row]) and cells[row] for row in column.odd)
    lost = [cell for cell, value in zip(cells, column.values, strict=True) if cell and pd.isna(value)]
    assert len(lost) == len(column.odd) or "is missing in" in column.evidence


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1))
def test_text_is_kept_character_for_character(cells: list[str]) -> None:
    column = read(*cells)
    if column.values.dtype == "str" and "missing" not in column.evidence and not column.repairs:
        assert [value if isinstance(value, str) else "" for value in column.values] == cells


@pytest.mark.parametrize("form", ["{}", "{},5", "${}.25", "name {}", "2024-01-01 00:00:00.{:06}", "01/13/2024 10:00:00.{:06}"])
def test_a_long_column_of_different_cells_is_read_as_a_short_one_is(form: str) -> None:
    cells = [form.format(n) for n in range(25_000)]
    assert read(*cells, "?").values[:40].tolist() == read(*cells[:40]).values.tolist()


# ------------------------------------------------------------------------------------------------------------- missing


def test_a_column_of_empty_cells_is_a_number_column_without_values() -> None:
    for cells in [("", ""), ("?", "", "NA"), ()]:
        values = read(*cells).values
        assert values.dtype == "float64"
        assert values.isna().all()


@pytest.mark.parametrize(
    "word",
    ["?", "NA", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "none", "-", "--", ".", "\\N", "missing", "Unknown", " ", " ? "],
)
@pytest.mark.parametrize("value", ["1.5", "2,5", "2024-01-31", "31/01/2024"])
def test_a_word_for_missing_is_missing_among_numbers_and_dates_and_told(word: str, value: str) -> None:
    column = read(word, value, word)
    assert column.values.isna().tolist() == [True, False, True]
    assert f"{repr(word.strip()) if word.strip() else 'blank'} is missing in 2" in column.evidence
    assert not column.odd


def test_only_an_unmistakable_word_is_missing_in_text() -> None:
    column = read("red", "NA", "?", "None", "unknown", "Na", "-", "", " ")
    assert listed(column) == ["red", None, None, "None", "unknown", "Na", None, None, None]
    assert column.evidence == "blank is missing in 1; '-' is missing in 1; '?' is missing in 1; 1 more words for missing"


def test_na_is_namibia_among_countries_and_a_minus_is_a_value_beside_a_plus() -> None:
    assert listed(read("DE", "NA", "FR", "US")) == ["DE", "NA", "FR", "US"]
    assert listed(read("+", "-", "+")) == ["+", "-", "+"]
    assert listed(read("F", "NA", "M")) == ["F", None, "M"]


def test_more_words_for_missing_can_be_told() -> None:
    assert listed(read("1", "n.v.", "2", missing="n.v.,-9")) == [1.0, None, 2.0]
    assert listed(read("1", "-9", "2", missing="n.v.,-9")) == [1.0, None, 2.0]
    assert listed(read("a", "n.v.", missing="n.v.")) == ["a", None]


def test_a_sentinel_stays_a_number_and_is_told() -> None:
    column = read("1.5", "-200", "2.5", "-200")
    assert listed(column) == [1.5, -200.0, 2.5, -200.0]
    assert column.evidence == "-200 in 2 may stand for missing"
    assert read("-200", "-199", "1").evidence == ""


# ------------------------------------------------------------------------------------------------------- rows set aside


@pytest.mark.parametrize(("odd", "rest", "kind"), [("kg", "1.5", "numbers"), ("inf", "1", "numbers"), ("2,5,", "2,5", "numbers")])
def test_a_cell_that_is_no_number_sets_its_row_aside(odd: str, rest: str, kind: str) -> None:
    column = read(*[rest] * 19, odd)
    assert column.odd == {19: f"{odd!r} among {kind}"}
    assert column.values.dtype == "float64"


@pytest.mark.parametrize("odd", ["2024-02-30", "2024-01-01 24:00", "0000-01-01", "soon"])
def test_a_cell_that_is_no_date_sets_its_row_aside(odd: str) -> None:
    column = read(*["2024-01-01"] * 3, odd)
    assert column.odd == {3: f"{odd!r} among dates"}
    assert column.values.dtype == "datetime64[us]"


@pytest.mark.parametrize(
    ("odd", "rows", "is_text"), [(1, 2, True), (1, 3, False), (2, 19, True), (2, 40, False), (3, 40, True), (6, 100, True)]
)
def test_at_most_one_cell_in_twenty_may_be_odd(odd: int, rows: int, is_text: bool) -> None:
    cells = ["kg"] * odd + [str(n) for n in range(rows - odd)]
    column = read(*cells)
    assert (column.values.dtype == "str") == is_text
    assert len(column.odd) == (0 if is_text else odd)
    if is_text:
        assert column.values.tolist() == cells
        assert column.evidence == f"text: {odd} of {rows} cells are no numbers, the first 'kg' on line 2"


def test_text_with_some_numbers_is_plain_text() -> None:
    column = read("1", "a", "b")
    assert (listed(column), column.evidence) == (["1", "a", "b"], "")


def test_a_long_cell_is_shown_in_part() -> None:
    assert read("x" * 41, "1", "2").odd == {0: "'" + "x" * 40 + "…' among numbers"}


# ------------------------------------------------------------------------------------------------------ yes, no, damage


def test_spellings_of_yes_and_no_become_the_most_frequent_one() -> None:
    column = read("yes", "Yes", "yes", "NO", "no", "no", "?")
    assert listed(column) == ["yes", "yes", "yes", "no", "no", "no", None]
    assert [str(repair) for repair in column.repairs] == [
        "mixed spellings: column 'age': 'Yes' is spelled 'yes' as in most cells (lines 3, 5)"
    ]


@pytest.mark.parametrize("cells", [("yes", "no"), ("TRUE", "FALSE"), ("Y", "N"), ("on", "off"), ("t", "f")])
def test_words_for_yes_and_no_stay_as_they_are(cells: tuple[str, ...]) -> None:
    column = read(*cells)
    assert (tuple(column.values), column.repairs, column.evidence) == (cells, (), "")


@pytest.mark.parametrize("cell", ["\u200fשלום", "co\u00adop", "a\u2066b", "x\u200dy"])
def test_marks_that_nobody_sees_are_told(cell: str) -> None:
    assert read(cell, "x", cell).evidence == f"marks that nobody sees stand in 2, the first {cell!r}"


@pytest.mark.parametrize("cell", ["👨\u200d👩", "می\u200cخواهم", "größe", "a b"])
def test_joiners_that_a_script_needs_are_not(cell: str) -> None:
    assert read(cell, "x").evidence == ""


def test_other_words_keep_their_case() -> None:
    assert listed(read("Red", "red", "no")) == ["Red", "red", "no"]


# ---------------------------------------------------------------------------------------------------------- real tables

TIMES = {"air_quality": "ts", "bike_hour": "ts", "elec2": "ts", "kc_house": "ts"}
TASKS = {"adult": "binary", "elec2": "binary", "wine_white": "multiclass"}
WORDS = {
    "adult": {"workclass", "education", "marital", "occupation", "relationship", "race", "sex", "country", "income"},
    "california_housing": {"ocean_proximity"},
    "elec2": {"class"},
}


@pytest.mark.parametrize("name", ["adult", "air_quality", "bike_hour", "california_housing", "elec2", "kc_house", "wine_white"])
def test_real_tables_get_their_types_time_and_task_without_odd_rows(name: str) -> None:
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"the public table {name} is not beside the project")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    lines = np.arange(2, len(rows) + 2)
    columns = {n: typed(pd.Series(cells, dtype="str", name=n), lines) for n, *cells in zip(header, *rows, strict=True)}
    assert not any(column.odd or column.repairs for column in columns.values())
    schema = infer_schema(pd.DataFrame({n: column.values for n, column in columns.items()}))
    assert {c.name for c in schema.columns if c.type == "category"} == WORDS.get(name, set())
    assert (schema.time, schema.task) == (TIMES.get(name), TASKS.get(name, "regression"))
    assert not [c.evidence for c in schema.columns if "suspected" in c.evidence or c.role == "unused"]


# -------------------------------------------------------------------------------------------------------------- header


PIECES = st.one_of(
    st.sampled_from(["1", "-2.5", "1.234", "12.345", "", "007", "1e5", "-99", "2024-01-31", "2024-01-31 10:30", "x", "inf"]), ANY_CELL
)


@given(st.lists(PIECES, min_size=1, max_size=12), st.integers(1, 5), st.sampled_from([None, ".", ","]))
def test_a_column_that_is_read_in_pieces_is_read_as_the_whole(cells: list[str], size: int, decimal: str | None) -> None:
    options = ReadingOptions.model_validate({"decimal": decimal})
    lines = np.arange(2, len(cells) + 2)
    column = pd.Series(cells, name="x", dtype="str")
    pieces = [column.iloc[at : at + size].reset_index(drop=True) for at in range(0, len(column), size)]
    found, whole = typed_pieces(lambda: pieces, "x", lines, options), typed(column, lines, options)
    pd.testing.assert_series_equal(found.values, whole.values)
    assert replace(found, pieces=()) == replace(whole, pieces=())


def test_pieces_in_which_nearly_each_cell_is_another_one_are_read_as_the_whole_too() -> None:
    column = pd.Series(["a", "", "b", "a", *(f"name {n}" for n in range(30_000)), "a"], name="x", dtype="str")
    lines = np.arange(2, len(column) + 2)
    pieces = [column.iloc[:4], column.iloc[4:28_000].reset_index(drop=True), column.iloc[28_000:].reset_index(drop=True)]
    found, whole = typed_pieces(lambda: pieces, "x", lines), typed(column, lines)
    pd.testing.assert_series_equal(found.values, whole.values)
    assert replace(found, pieces=()) == replace(whole, pieces=())
