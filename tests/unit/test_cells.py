from __future__ import annotations

import datetime as dt
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.cells import check_header, check_names, typed
from tasks.core.errors import DataRefusedError


def read(*cells: str) -> pd.Series:
    return typed(pd.Series(cells, dtype="str", name="age"), np.arange(2, len(cells) + 2), "t.csv")


def dtype_of(*cells: str) -> str:
    return str(read(*cells).dtype)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_printed_number_is_read_back_bit_for_bit(numbers: list[float]) -> None:
    cells = [repr(number) for number in numbers]
    assert read(*cells).to_numpy().tobytes() == np.array(numbers).tobytes()


@given(
    st.lists(
        st.from_regex(
            r"[+-]?(0|[1-9][0-9]{0,14})(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True, alphabet=st.characters(codec="ascii")
        ),
        min_size=1,
    )
)
def test_any_spelling_of_a_number_is_read_as_python_reads_it(cells: list[str]) -> None:
    assert read(*cells).to_numpy().tobytes() == np.array([float(cell) for cell in cells]).tobytes()


@given(st.lists(st.one_of(st.just(""), st.datetimes().map(lambda moment: moment.isoformat())), min_size=1))
def test_a_date_time_is_read_back_to_the_microsecond(cells: list[str]) -> None:
    values = read(*cells)
    if any(cells):
        assert values.dtype == "datetime64[us]"
    expected = [dt.datetime.fromisoformat(cell) if cell else None for cell in cells]
    assert [None if pd.isna(value) else value.to_pydatetime() for value in values] == expected


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_text_is_kept_character_for_character(cells: list[str]) -> None:
    try:
        values = read(*cells)
    except DataRefusedError:
        return
    if values.dtype == "str":
        assert [value if isinstance(value, str) else "" for value in values] == cells


@given(
    st.lists(
        st.one_of(st.sampled_from(["1", " 2", "1,5", "?", "NA", "", "x", "0.5", "007", "9007199254740993", "2024-01-01", "nan"])),
        min_size=1,
        max_size=12,
    )
)
def test_no_cell_becomes_missing_but_the_empty_one(cells: list[str]) -> None:
    try:
        values = read(*cells)
    except DataRefusedError:
        return
    assert values.isna().tolist() == [cell == "" for cell in cells]


def test_only_the_empty_cell_is_missing() -> None:
    numbers = read("1", "", "2.5")
    assert numbers.tolist()[0] == 1.0
    assert math.isnan(numbers[1])
    assert read("NA", "", "x").isna().tolist() == [False, True, False]


def test_a_column_of_empty_cells_is_a_number_column_without_values() -> None:
    values = read("", "")
    assert values.dtype == "float64"
    assert values.isna().all()


@pytest.mark.parametrize("cells", [("1", "+2", "-3."), (".5", "1e5", "1E-3"), ("0", "0.5", "-0")])
def test_plain_numbers_are_numbers(cells: tuple[str, ...]) -> None:
    assert dtype_of(*cells) == "float64"


@pytest.mark.parametrize("cells", [("007", "8", "9"), ("-01", "5"), ("00501", "?", "10001"), ("01.50", "2")])
def test_leading_zeros_make_an_identifier(cells: tuple[str, ...]) -> None:
    assert read(*cells).tolist() == list(cells)


def test_integers_that_a_number_cannot_hold_stay_text() -> None:
    assert dtype_of("9007199254740992", "1") == "float64"
    assert dtype_of("-9007199254740992", "1") == "float64"
    assert read("9007199254740993", "1").tolist() == ["9007199254740993", "1"]
    assert read("-9007199254740993").tolist() == ["-9007199254740993"]
    assert dtype_of("1" * 400) == "str"


@pytest.mark.parametrize(
    "cells",
    [
        ("2024-02-29", "2024-03-01"),
        ("2024-01-01 10:00", "2024-01-01T10:00:01"),
        ("2024-01-01T00:00:00.123456Z", "2024-01-01T23:59Z"),
        ("2024-01-01", "2024-01-01 10:00:00", ""),
    ],
)
def test_iso_dates_are_dates(cells: tuple[str, ...]) -> None:
    assert dtype_of(*cells) == "datetime64[us]"


@pytest.mark.parametrize(
    "cells", [("01-02-2011", "02-02-2011"), ("2024-01-01T10:00:00+01:00", "2024-01-02T10:00:00+01:00"), ("12:30", "12:45")]
)
def test_other_dates_and_times_stay_text(cells: tuple[str, ...]) -> None:
    assert read(*cells).tolist() == list(cells)


def test_text_with_some_numbers_stays_text() -> None:
    assert dtype_of("1", "2", "A/5 21171", "PC 17599") == "str"
    assert dtype_of("a", "1") == "str"


@pytest.mark.parametrize(
    ("odd", "others"),
    [
        ("?", ["1", "2", "3"]),
        ("NA", ["1", "NA", "NA", "NA", "NA"]),
        ("n/a", ["1", "2"]),
        ("-", ["1", "2"]),
        ("nan", ["1.5", "2.5"]),
        ("inf", ["1.5", "2.5"]),
        ("1,234", ["1", "2"]),
        ("1,5", ["2,5", "3,5"]),
        ("1.234,5", ["1.234,5"]),
        ("12%", ["13%", "14%"]),
        ("$5.00", ["$6.00"]),
        (" 5", ["6", "7"]),
        (" 5", [" 6", " 7"]),
        ("5\u00a0", ["6\u00a0"]),
        ("1\u00a0234", ["2\u00a0345"]),
        ("\u22125", ["\u22126", "7"]),
        ("5\n", ["6", "7"]),
        ("\uff11", ["2", "3", "4", "5", "6"]),
        ("1_000", ["2", "3", "4", "5", "6"]),
        ("0x10", ["2", "3", "4", "5", "6"]),
        ("1e400", ["2", "3"]),
        ("kg", ["1", "2"]),
    ],
)
def test_what_is_no_plain_number_is_refused_among_numbers(odd: str, others: list[str]) -> None:
    with pytest.raises(DataRefusedError) as refused:
        read(odd, *others)
    assert refused.value.where == "t.csv, line 2, column 'age'"
    assert refused.value.message == (
        f"t.csv, line 2, column 'age': {odd!r} among numbers; write numbers plainly (1234.5) and leave a missing cell empty"
    )


@pytest.mark.parametrize(
    ("odd", "others"),
    [
        ("?", ["2024-01-01", "2024-01-02"]),
        ("2024-02-30", ["2024-01-01", "2024-01-02"]),
        ("2024-31-12", ["2024-30-12"]),
        ("0000-01-01", ["2024-01-02"]),
        ("2024-01-01 24:00", ["2024-01-02 23:00"]),
        (" 2024-01-01", ["2024-01-02"]),
        ("01.02.2024", ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]),
    ],
)
def test_what_is_no_plain_date_is_refused_among_dates(odd: str, others: list[str]) -> None:
    with pytest.raises(DataRefusedError) as refused:
        read(odd, *others)
    assert refused.value.message == (
        f"t.csv, line 2, column 'age': {odd!r} among dates; "
        "write dates as 2024-12-31 or 2024-12-31 23:59:59 (all with Z, or none) and leave a missing cell empty"
    )


def test_dates_with_and_without_a_zone_are_not_mixed() -> None:
    with pytest.raises(DataRefusedError, match=r"line 3, column 'age': '2024-01-01T10:00' among dates"):
        read("2024-01-01T10:00Z", "2024-01-01T10:00", "2024-01-01T11:00Z")


def test_the_line_of_an_odd_cell_is_that_of_its_row() -> None:
    cells = pd.Series(["1", "", "?", "4"], dtype="str", name="age")
    with pytest.raises(DataRefusedError, match=r"^t.csv, line 9, column 'age': '\?' among numbers"):
        typed(cells, np.array([2, 5, 9, 10]), "t.csv")


def test_a_long_cell_is_shown_in_part() -> None:
    with pytest.raises(DataRefusedError, match="'" + "x" * 40 + "…' among numbers"):
        read("x" * 41, "1", "2")


@pytest.mark.parametrize(
    "name", ["5.1", "-3", "1e5", "2024-01-01", "2024-01-01T10:00:00Z", "01-02-2011", "12:30", "1,234", "?", "NA", "nan", "true"]
)
def test_a_first_line_with_a_value_is_data(name: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        check_header(["a", name], "t.csv")
    assert refused.value.message == f"the first line of t.csv looks like data ('{name}' is a value, not a name): add a header line"


def test_a_first_line_with_an_empty_cell_is_data() -> None:
    with pytest.raises(DataRefusedError) as refused:
        check_header(["a", ""], "t.csv")
    assert refused.value.message == "the first line of t.csv looks like data (column 2 has no name): add a header line"


def test_names_of_columns_may_hold_anything_that_shows() -> None:
    check_header(["x1", "PT08.S1(CO)", "od280/od315", "größe (m²)", "2019-Q1", "Na", "#"], "t.csv")


@pytest.mark.parametrize("name", [" b", "b ", "b\n", "\ufeffb", "b\u200b", ""])
def test_padded_and_invisible_names_are_refused(name: str) -> None:
    message = f"column 2 of t.csv is called {name!r}; give it a name without padding and invisible characters"
    with pytest.raises(DataRefusedError, match=re.escape(message)):
        check_names(["a", name], "t.csv")


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("Age", "age"), ("straße", "STRASSE")])
def test_names_that_differ_at_most_by_case_are_refused(first: str, second: str) -> None:
    with pytest.raises(DataRefusedError, match=f"columns '{first}' and '{second}' of t.csv have the same name; rename one"):
        check_names([first, "b", second], "t.csv")
