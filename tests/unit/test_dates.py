from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.reading.cells import Typed, typed
from tasks.core.reading.terms import ReadingOptions


def read(*cells: str, name: str = "when", **told: object) -> Typed:
    return typed(pd.Series(cells, dtype="str", name=name), np.arange(2, len(cells) + 2), ReadingOptions.model_validate(told))


def shown(column: Typed) -> list[str]:
    assert column.values.dtype == "datetime64[us]"
    return ["" if pd.isna(value) else str(value).removesuffix(" 00:00:00") for value in column.values]


@given(st.lists(st.one_of(st.just(""), st.datetimes().map(lambda moment: moment.isoformat())), min_size=1))
def test_an_iso_date_time_is_read_back_to_the_microsecond(cells: list[str]) -> None:
    values = read(*cells).values
    if any(cells):
        assert values.dtype == "datetime64[us]"
    expected = [dt.datetime.fromisoformat(cell) if cell else None for cell in cells]
    assert [None if pd.isna(value) else value.to_pydatetime() for value in values] == expected


DAYS = [
    "%Y-%m-%d",
    "%d-%m-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%A, %d %B %Y",
]
SHORT = ["%d/%m/%y", "%m/%d/%y", "%d-%b-%y", "%d.%m.%y"]
CLOCKS = ["", " %H:%M", " %H:%M:%S", "T%H:%M:%S.%f", " %I:%M:%S %p", ", %I:%M %p"]


@given(
    st.lists(st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2030-12-31")), min_size=1, max_size=40),
    st.sampled_from(DAYS + SHORT),
    st.sampled_from(CLOCKS),
    st.booleans(),
)
def test_a_date_in_any_format_is_read_back_or_left_as_text(moments: list[dt.datetime], day: str, clock: str, is_early: bool) -> None:
    moments = [moment.replace(day=min(moment.day, 12)) for moment in moments] if is_early else moments
    # The order of the rows is evidence from five dates on, so there it has to be that of the dates.
    moments = sorted(moments) if len(moments) > 4 else moments
    clock = "" if day == "%Y%m%d" else clock
    cells = [moment.strftime(day + clock) for moment in moments]
    column = read(*cells, name="date")
    if column.values.dtype == "str":
        assert column.values.tolist() == cells
        assert column.evidence.startswith("text: ")
        return
    for row, moment in enumerate(moments):
        # The day for two-digit years, too: what strftime drops cannot come back.
        expected = dt.datetime.strptime(moment.strftime("%Y-%m-%d") + moment.strftime(clock), "%Y-%m-%d" + clock)  # noqa: DTZ007
        assert row in column.odd or column.values[row].to_pydatetime() == expected, (cells[row], column)


@pytest.mark.parametrize(
    ("cells", "dates", "evidence"),
    [
        (("2024-02-29", "2024-03-01 10:00"), ["2024-02-29", "2024-03-01 10:00:00"], ""),
        (("01-02-2011", "13-02-2011"), ["2011-02-01", "2011-02-13"], "dd-mm-yyyy"),
        (("01/02/2011", "13/02/2011"), ["2011-02-01", "2011-02-13"], "dd/mm/yyyy"),
        (("1/2/2011", "2/13/2011"), ["2011-01-02", "2011-02-13"], "mm/dd/yyyy"),
        (("01.02.2011", "03.04.2011"), ["2011-02-01", "2011-04-03"], "dd.mm.yyyy"),
        (("2011/02/01", "2011/2/13"), ["2011-02-01", "2011-02-13"], "yyyy/mm/dd"),
        (("12-Jan-2024", "13-FEB-2024"), ["2024-01-12", "2024-02-13"], "12 Jan 2024"),
        (("12 January 2024", "1st Sept. 2024"), ["2024-01-12", "2024-09-01"], "12 Jan 2024"),
        (("Jan 12, 2024", "March 3 2024"), ["2024-01-12", "2024-03-03"], "Jan 12, 2024"),
        (("Fri, 12 Jan 2024", "Saturday, 13 Jan 2024"), ["2024-01-12", "2024-01-13"], "12 Jan 2024"),
        (("12/31/2024 11:59 PM", "1/1/2024 12:00 AM"), ["2024-12-31 23:59:00", "2024-01-01"], "mm/dd/yyyy"),
        (("2024-01-01 10:00:00,5", "2024-01-01T10:00"), ["2024-01-01 10:00:00.500000", "2024-01-01 10:00:00"], ""),
        (("2024-01-01T00:00:00.1230000", "2024-01-02"), ["2024-01-01 00:00:00.123000", "2024-01-02"], ""),
        (("2024-01-01T10:00Z", "2024-01-01 11:00Z"), ["2024-01-01 10:00:00", "2024-01-01 11:00:00"], "in UTC"),
        (("2024-01-01T10:00+01:00", "2024-01-01 11:00-0230"), ["2024-01-01 09:00:00", "2024-01-01 13:30:00"], "offsets turned to UTC"),
        (("13/01/24", "25/02/99"), ["2024-01-13", "1999-02-25"], "dd/mm/yy; years of two digits are 1969 to 2068"),
        (("12-Jan-24", "13-Feb-24"), ["2024-01-12", "2024-02-13"], "12-Jan-24; years of two digits are 1969 to 2068"),
    ],
)
def test_dates_as_people_write_them_are_read_and_told(cells: tuple[str, ...], dates: list[str], evidence: str) -> None:
    column = read(*cells)
    assert (shown(column), column.evidence, column.repairs, column.odd) == (dates, evidence, (), {})


def test_a_compact_date_is_a_date_only_under_the_name_of_one() -> None:
    assert shown(read("20240131", "20240201", name="order_date")) == ["2024-01-31", "2024-02-01"]
    assert read("20240131", "20240201", name="amount").values.dtype == "float64"
    assert read("20240131", "7", "8", name="date").values.dtype == "float64"


@pytest.mark.parametrize(
    "cells",
    [
        ("12:30", "12:45"),
        ("1.2.3", "1.10.2"),
        ("192.168.1.1", "10.0.0.1"),
        ("Jan 2024", "Feb 2024"),
        ("2024-Q1", "2024-Q2"),
        ("2024-01-01T00:00:00.1234567", "2024-01-01T00:00:00.1234568"),
    ],
)
def test_other_dates_and_times_stay_text(cells: tuple[str, ...]) -> None:
    assert tuple(read(*cells).values) == cells


@pytest.mark.parametrize("cells", [("12-Jan-45", "13-Feb-50"), ("01/02/24", "03/04/25"), ("24-01-12", "25-01-12")])
def test_a_year_of_two_digits_that_may_be_read_otherwise_stays_text(cells: tuple[str, ...]) -> None:
    column = read(*cells)
    assert tuple(column.values) == cells
    assert column.evidence == f"text: '{cells[0]}' has a year of two digits that may be read otherwise"


def test_day_and_month_that_nothing_decides_stay_text() -> None:
    cells = ("01/02/2024", "07/03/2024", "05/04/2024")
    column = read(*cells)
    assert tuple(column.values) == cells
    assert column.evidence == ("text: '01/02/2024' may be day-first or month-first; --read dates=day-first, or dates=month-first decides")
    assert shown(read(*cells, dates="day-first"))[0] == "2024-02-01"
    assert shown(read(*cells, dates="month-first"))[0] == "2024-01-02"


def test_the_order_of_five_rows_decides_where_one_reading_is_in_order() -> None:
    column = read("01/01/2024", "02/01/2024", "03/01/2024", "01/02/2024", "02/02/2024")
    assert shown(column) == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-02-01", "2024-02-02"]
    assert read("01/01/2024", "02/01/2024", "03/01/2024", "01/02/2024").values.dtype == "str"


def test_dates_whose_day_is_their_month_need_no_decision() -> None:
    assert shown(read("01/01/2024", "02/02/2024")) == ["2024-01-01", "2024-02-02"]


@pytest.mark.parametrize(
    ("cells", "dates", "lines"),
    [
        (("2024-01-01", "13/01/2024", "2024-01-03"), ["2024-01-01", "2024-01-13", "2024-01-03"], (3,)),
        (("13/01/2024", "01/14/2024", "15/01/2024"), ["2024-01-13", "2024-01-14", "2024-01-15"], (3,)),
        (("13/01/2024", "Jan 14, 2024", "02.02.2024", "02/03/2024"), ["2024-01-13", "2024-01-14", "2024-02-02", "2024-03-02"], (3, 4)),
    ],
)
def test_mixed_formats_are_a_repair_where_each_cell_has_one_reading(cells: tuple[str, ...], dates: list[str], lines: tuple[int]) -> None:
    column = read(*cells)
    assert shown(column) == dates
    assert [(repair.code, repair.lines) for repair in column.repairs] == [("mixed_dates", lines)]


def test_a_cell_of_a_mixed_column_with_two_readings_is_set_aside() -> None:
    column = read("2024-01-01", "02/01/2024", "2024-01-03")
    assert column.odd == {1: "'02/01/2024' may be day-first or month-first"}
    assert shown(column) == ["2024-01-01", "", "2024-01-03"]


def test_dates_with_and_without_an_offset_are_not_compared() -> None:
    column = read("2024-01-01T10:00Z", "2024-01-01T10:00", "2024-01-01T11:00Z")
    assert column.odd == {1: "'2024-01-01T10:00' among dates with an offset"}
    assert read("2024-01-01T10:00Z", "2024-01-01T10:00").evidence == "text: some dates have an offset and others none"
