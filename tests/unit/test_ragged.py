from __future__ import annotations

import pytest

from tasks.core.reading.ragged import WAYS, fit, two_rows
from tasks.core.reading.records import Record, Style, physical_lines, read_records
from tasks.core.reading.shapes import kinds_of

COMMA = Style(",")
WORDS = ("word {}", 'the "word {}", or so', '5" pipe {}; word', "'word', {}")
KINDS = kinds_of([(str(n), WORDS[n % 4].format(n), f"{n}.5", "" if n % 2 else "7") for n in range(60)])


def record(text: str, style: Style = COMMA) -> Record:
    return next(read_records(physical_lines(text), style))


@pytest.mark.parametrize(
    ("text", "code", "cells"),
    [
        ("1,word 1,1.5,,,", "long_row", ("1", "word 1", "1.5", "")),
        ('1,"word, 1" ,1.5,', "padded_quotes", ("1", "word, 1", "1.5", "")),
        ('1, "word, 1", 1.5,', "padded_quotes", ("1", "word, 1", " 1.5", "")),
        ('1,"word \\"1\\", 2",1.5,7', "row_escape", ("1", 'word "1", 2', "1.5", "7")),
        ('1,"word 1,1.5,', "unclosed_quote", ("1", "word 1", "1.5", "")),
        ('1,"word 1, 2,1.5,', "unclosed_quote", ("1", "word 1, 2", "1.5", "")),
        ('1,5" pipe,1.5,', "stray_quotes", ("1", '5" pipe', "1.5", "")),
        ('"1,word 1,1.5,"', "wrapped_row", ("1", "word 1", "1.5", "")),
        ("'1','word, 1','1.5',''", "row_quote", ("1", "word, 1", "1.5", "")),
        ("1,“word, 1”,1.5,", "row_quote", ("1", "word, 1", "1.5", "")),
        ("1;word 1;1.5;", "row_delimiter", ("1", "word 1", "1.5", "")),
        ("1,word 1;1.5,", "row_delimiter", ("1", "word 1", "1.5", "")),
        ("1,,word 1,1.5,", "empty_cell", ("1", "word 1", "1.5", "")),
        ("1,word 1, 2,1.5,7", "unquoted_delimiter", ("1", "word 1, 2", "1.5", "7")),
        ("1,word 1,1.5", "short_row", ("1", "word 1", "1.5", "")),
    ],
)
def test_each_way_makes_a_row_fit(text: str, code: str, cells: tuple[str, ...]) -> None:
    found = fit(record(text), COMMA, KINDS)
    assert not isinstance(found, str), found
    assert (found[0], found[1].code) == (cells, code)


def test_every_way_is_tested_here() -> None:
    marks = test_each_way_makes_a_row_fit.pytestmark
    assert {way.code for way in WAYS} == {code for _, code, _ in marks[0].args[1]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1", "1 cell where the table has 4"),
        ("1,word 1", "2 cells where the table has 4"),
        ("1,word 1,1.5,9,9", "5 cells where the table has 4"),
        ('a,5" pipe,1.5,', "its quotes break the rules, and no reading fits the columns"),
        ("word 1,1.5,", "3 cells where the table has 4"),
    ],
)
def test_a_row_without_a_way_is_not_guessed(text: str, reason: str) -> None:
    assert fit(record(text), COMMA, KINDS) == reason


def test_two_ways_to_read_a_row_are_one_too_many() -> None:
    kinds = kinds_of([("1", "", "2"), ("1", "3", ""), ("", "2", "3")])
    assert fit(record(",1,,2"), COMMA, kinds) == "4 cells where the table has 3, and 2 ways to read them"


def test_two_rows_on_one_line_are_parted_only_if_both_fit() -> None:
    assert two_rows(record("1,word 1,1.5,,2,word 2,2.5,"), KINDS) == (("1", "word 1", "1.5", ""), ("2", "word 2", "2.5", ""))
    assert two_rows(record("1,word 1,1.5,,x,word 2,2.5,"), KINDS) is None
    assert two_rows(record("1,word 1"), KINDS) is None
