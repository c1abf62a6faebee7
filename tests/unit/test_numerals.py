from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.reading.cells import Typed, typed
from tasks.core.reading.terms import ReadingOptions

NAN = float("nan")


def read(*cells: str, **told: object) -> Typed:
    return typed(pd.Series(cells, dtype="str", name="price"), np.arange(2, len(cells) + 2), ReadingOptions.model_validate(told))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.booleans())
def test_a_printed_number_is_read_back_bit_for_bit(numbers: list[float], has_missing: bool) -> None:
    cells = [repr(number) for number in numbers]
    assert read(*cells, *["?"] * has_missing).values[: len(cells)].to_numpy().tobytes() == np.array(numbers).tobytes()


@given(
    st.lists(
        st.from_regex(
            r"[+-]?(0|[1-9][0-9]{0,14})(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True, alphabet=st.characters(codec="ascii")
        ),
        min_size=1,
    )
)
def test_any_plain_spelling_of_a_number_is_read_as_python_reads_it(cells: list[str]) -> None:
    column = read(*cells, decimal=".")
    assert column.values.to_numpy().tobytes() == np.array([float(cell) for cell in cells]).tobytes()
    assert column.evidence in {"", *(e for e in [column.evidence] if "may stand for missing" in e)}


@pytest.mark.parametrize(
    ("cells", "values", "evidence", "is_told"),
    [
        (("950", "1.200"), [950.0, 1200.0], "thousands as in 1.200", True),
        (("950 €", "1.200 €"), [950.0, 1200.0], "thousands as in 1.200; all in €", True),
        (("950", "?", "1.200"), [950.0, NAN, 1200.0], "thousands as in 1.200; '?' is missing in 1", True),
        (("950", "1.234"), [950.0, 1.234], "1.234 is a decimal; with --read decimal=, it is 1234", False),
        (("950 €", "1.234 €"), [950.0, 1.234], "all in €; 1.234 is a decimal; with --read decimal=, it is 1234", False),
        (("1500", "1.200"), [1500.0, 1.2], "1.200 is a decimal; with --read decimal=, it is 1200", False),
        (("1.200", "1.250"), [1.2, 1.25], "1.200 is a decimal; with --read decimal=, it is 1200", False),
        (("950", "0.200"), [950.0, 0.2], "", False),
        (("950", "1.2", "1.234"), [950.0, 1.2, 1.234], "", False),
    ],
)
def test_a_point_before_three_digits_is_told_whatever_it_is_read_as(
    cells: tuple[str, ...], values: list[float], evidence: str, is_told: bool
) -> None:
    column = read(*cells)
    np.testing.assert_array_equal(column.values, values)
    assert sorted(column.evidence.split("; ")) == sorted(evidence.split("; "))
    assert [repair.code for repair in column.repairs] == ["open_marks"] * is_told


@pytest.mark.parametrize(("decimal", "value"), [(".", 1.2), (",", 1200.0)])
def test_what_a_person_says_of_a_point_is_done_without_a_word(decimal: str, value: float) -> None:
    column = read("950", "1.200", decimal=decimal)
    assert (column.values.tolist(), column.repairs) == ([950.0, value], ())
    assert "--read" not in column.evidence


# Group and decimal mark; a point for thousands needs decimals beside it, for alone 1.234 is a plain number.
LOCALES = [("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("\u202f", ","), ("\u00a0", "."), ("'", "."), ("’", ",")]
SIGNS = ["-{}", "\u2212{}", "{}-", "({})"]
AFFIXES = ["{}", "${}", "{} €", "{}%", "{} kg", "EUR {}", " {} "]


@st.composite
def printed(draw: st.DrawFn) -> tuple[list[str], list[float]]:
    """Print numbers with at most the given decimals as one program would print a column."""
    group, mark = draw(st.sampled_from(LOCALES))
    decimals = draw(st.integers(2 if group == "." else 0, 4))
    is_short = group != "." and draw(st.booleans())
    sign, affix = draw(st.sampled_from(SIGNS)), draw(st.sampled_from(AFFIXES))
    cells: list[str] = []
    values: list[float] = []
    for whole in draw(st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=30)):
        digits = f"{abs(whole) // 10**decimals:,}"
        fraction = f"{abs(whole) % 10**decimals:0{decimals}d}" if decimals else ""
        fraction = fraction.rstrip("0") if is_short else fraction
        values.append(float(f"{'-' * (whole < 0)}{digits.replace(',', '')}.{fraction}"))
        text = digits.replace(",", group) + (mark + fraction if fraction else "")
        cells.append(affix.format(sign.format(text) if whole < 0 else text))
    return cells, values


@given(printed())
def test_a_number_in_the_style_of_any_locale_is_read_back_or_left_as_text(column: tuple[list[str], list[float]]) -> None:
    cells, values = column
    got = read(*cells)
    if got.values.dtype == "str":
        assert got.values.tolist() == cells
        assert got.evidence.startswith("text: ")
        return
    for row, value in enumerate(values):
        assert row in got.odd or got.values[row] == value, (cells[row], got)


def test_plain_numbers_have_no_evidence() -> None:
    assert read("1", "-2.5", "", "1e3", ".5", "+3.").evidence == ""


@pytest.mark.parametrize(
    ("cells", "values", "evidence"),
    [
        (("1,5", "2,25"), [1.5, 2.25], "decimal comma"),
        (("0,123", "1,234"), [0.123, 1.234], "decimal comma"),
        (("1234,567", "1,234"), [1234.567, 1.234], "decimal comma"),
        (("1,234.5", "1,234", "7"), [1234.5, 1234.0, 7.0], "thousands as in 1,234.5"),
        (("1,234,567", "1,234"), [1234567.0, 1234.0], "thousands as in 1,234,567"),
        (("12,34,567", "1,234"), [1234567.0, 1234.0], "thousands as in 12,34,567"),
        (("1.234,5", "7"), [1234.5, 7.0], "decimal comma; thousands as in 1.234,5"),
        (("1.234.567", "2.345"), [1234567.0, 2345.0], "thousands as in 1.234.567"),
        (("1 234", "7"), [1234.0, 7.0], "thousands as in 1 234"),
        (("1\u00a0234,5", "7"), [1234.5, 7.0], "decimal comma; thousands as in 1\u00a0234,5"),
        (("1'234.50", "7"), [1234.5, 7.0], "thousands as in 1'234.50"),
        (("950", "1,200"), [950.0, 1200.0], "thousands as in 1,200"),
        (("12.5", "950", "1,234"), [12.5, 950.0, 1234.0], "thousands as in 1,234"),
        (("$5", "-$6.50", "$-7"), [5.0, -6.5, -7.0], "all in $"),
        (("5 €", "6,50 €"), [5.0, 6.5], "decimal comma; all in €"),
        (("USD 5", "5 USD"), [5.0, 5.0], "all in USD"),
        (("Rs. 5", "Rs. 1,200.50"), [5.0, 1200.5], "thousands as in 1,200.50; all in Rs"),
        (("12 %", "7.5%"), [12.0, 7.5], "% signs dropped (12 % is 12)"),
        (("5 kg", "6 kg"), [5.0, 6.0], "all in kg"),
        (("(1.5)", "2"), [-1.5, 2.0], "(1) is -1"),
        (("$(5)", "$6", "($7)"), [-5.0, 6.0, -7.0], "all in $; (1) is -1"),
        (("5-", "6"), [-5.0, 6.0], "1- is -1"),
        (("\u22125", "6"), [-5.0, 6.0], "typographic minus signs"),
        ((" 5", "6\u00a0"), [5.0, 6.0], "blanks around the numbers"),
    ],
)
def test_numbers_as_people_write_them_are_read_and_told(cells: tuple[str, ...], values: list[float], evidence: str) -> None:
    column = read(*cells)
    assert (column.values.tolist(), column.evidence, column.repairs, column.odd) == (values, evidence, (), {})


@pytest.mark.parametrize(
    ("cells", "evidence"),
    [
        (("1,234", "2,345"), "text: '1,234' may be 1234 or 1.234; --read decimal=, or decimal=. decides"),
        (("950", "1,234"), "text: '1,234' may be 1234 or 1.234; --read decimal=, or decimal=. decides"),
        (("1500", "950", "1,230"), None),
        (("12.345", "950", "1,234"), None),
        (("1,5", "1.234", "7"), None),
        (("007", "8"), "text: leading zeros, such as '007'"),
        (("-01", "5"), "text: leading zeros, such as '-01'"),
        (("01.50", "2"), "text: leading zeros, such as '01.50'"),
        (("9007199254740993", "1"), "text: more digits than a number holds, such as '9007199254740993'"),
        (("9,007,199,254,740,993", "1"), "text: more digits than a number holds, such as '9,007,199,254,740,993'"),
        (("(1)", "(2)"), "text: all cells stand in brackets, such as '(1)'"),
        (("5 €", "5 $"), "text: units differ: '$' and '€'"),
        (("50%", "0.25", "0.5", "20%"), "text: 50% beside 0.25"),
        (("5m", "6m"), ""),
        (("0x10", "0x11"), ""),
        (("1_000", "2_000"), ""),
        (("1-2", "3-4"), ""),
        (("1,23,4", "5,6,7"), ""),
        (("12:30", "12:45"), ""),
    ],
)
def test_what_may_be_read_in_two_ways_stays_text_or_is_set_aside(cells: tuple[str, ...], evidence: str | None) -> None:
    column = read(*cells)
    if evidence is None:
        assert len(column.odd) == 1
        return
    assert (column.values.tolist(), column.evidence, column.odd) == (list(cells), evidence, {})


def test_integers_that_a_number_holds_are_numbers() -> None:
    assert read("9007199254740992", "-9007199254740992").values.dtype == "float64"
    assert read("0", "0.5", "-0", "00").values.dtype == "str"
    assert read("0", "0.5", "-0").values.dtype == "float64"


def test_a_number_that_is_too_large_is_set_aside() -> None:
    assert read("1e400", "1", "2").odd == {0: "'1e400' among numbers"}


@pytest.mark.parametrize(("cell", "point", "comma"), [("1,234", 1234.0, 1.234), ("1.234", 1.234, 1234.0)])
def test_the_decimal_mark_can_be_told_or_come_from_the_rest_of_the_table(cell: str, point: float, comma: float) -> None:
    cells, lines = pd.Series([cell], dtype="str"), np.array([2])
    assert read(cell, decimal=".").values.tolist() == typed(cells, lines, decimal=".").values.tolist() == [point]
    assert read(cell, decimal=",").values.tolist() == typed(cells, lines, decimal=",").values.tolist() == [comma]


def test_a_person_is_asked_before_the_rest_of_the_table() -> None:
    options = ReadingOptions(decimal=".")
    assert typed(pd.Series(["1,234"], dtype="str"), np.array([2]), options, decimal=",").values.tolist() == [1234.0]


def test_a_column_that_fits_only_the_other_mark_is_read_with_it() -> None:
    assert read("1.5", "2.25", decimal=",").values.tolist() == [1.5, 2.25]
    assert read("1,5", "2,25", decimal=".").values.tolist() == [1.5, 2.25]


@pytest.mark.parametrize(
    ("cells", "values", "code", "lines"),
    [
        (("1.5", "1,5", "2.5"), [1.5, 1.5, 2.5], "mixed_decimals", (3,)),
        (("1,5", "1.5", "2,25"), [1.5, 1.5, 2.25], "mixed_decimals", (3,)),
        (("1234", "1,234.5", "12,345.5"), [1234.0, 1234.5, 12345.5], "mixed_thousands", (2,)),
        (("1234", "12345", "12,345.5"), [1234.0, 12345.0, 12345.5], "mixed_thousands", (4,)),
        (("5", "6 kg", "7"), [5.0, 6.0, 7.0], "mixed_units", (3,)),
        (("$5", "$6", "7"), [5.0, 6.0, 7.0], "mixed_units", (4,)),
        (("12%", "7", "8"), [12.0, 7.0, 8.0], "mixed_units", (2,)),
    ],
)
def test_numbers_written_in_different_ways_are_a_repair(cells: tuple[str, ...], values: list[float], code: str, lines: tuple[int]) -> None:
    column = read(*cells)
    assert column.values.tolist() == values
    assert [(repair.code, repair.lines) for repair in column.repairs] == [(code, lines)]


def test_groups_from_ten_thousand_on_are_one_style() -> None:
    assert read("1234", "12,345.5").repairs == ()


def test_a_decimal_comma_of_three_digits_among_points_is_not_taken_for_thousands() -> None:
    column = read(*["1.234", "0.125", "7.5"] * 10, "1,234")
    assert column.odd == {30: "'1,234' may be a thousand or a decimal"}


def test_the_unit_of_few_sets_the_row_aside() -> None:
    assert read(*["5 €"] * 19, "6 $").odd == {19: "'6 $' among numbers"}
