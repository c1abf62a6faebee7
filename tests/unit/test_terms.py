from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.core.errors import UsageError
from tasks.core.names import on_one_line
from tasks.core.reading.terms import ReadingOptions, Repair


@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ("header=no", "header", False),
        ("header=yes", "header", True),
        ("names=a, b,c", "names", ("a", "b", "c")),
        ("delimiter=tab", "delimiter", "\t"),
        ("delimiter=\\t", "delimiter", "\t"),
        ("delimiter=;", "delimiter", ";"),
        ("delimiter==", "delimiter", "="),
        ("quote=single", "quote", "'"),
        ("quote=none", "quote", ""),
        ("decimal=,", "decimal", ","),
        ("dates=day-first", "dates", "day-first"),
        ("missing=n.v.,-9", "missing", ("n.v.", "-9")),
        ("skip=3", "skip", 3),
        ("query=SELECT a=1", "query", "SELECT a=1"),
    ],
)
def test_each_key_is_read_as_a_person_writes_it(pair: str, key: str, value: object) -> None:
    assert getattr(ReadingOptions.from_pairs([pair]), key) == value


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("header", "--read takes KEY=VALUE, such as header=no; got 'header'"),
        ("header=perhaps", "--read header is 'perhaps'; it takes whether the first row of the table names the columns: yes or no"),
        ("delimiter=ab", "--read delimiter is 'ab'; it takes one character, or comma, semicolon, tab, pipe, space"),
        ("delimiter=", "--read delimiter is ''; it takes one character, or comma, semicolon, tab, pipe, space"),
        ("skip=-1", "--read skip is '-1'; it takes the number of lines before the table"),
        ("decimal=;", "--read decimal is ';'; it takes the decimal mark of numbers, . or ,"),
        ("dates=first", "--read dates is 'first'; it takes the order in dates such as 03/04/2024, day-first or month-first"),
    ],
)
def test_a_value_that_a_key_cannot_have_is_refused_with_what_it_takes(pair: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        ReadingOptions.from_pairs([pair])
    assert refused.value.message == message


def test_an_unknown_key_gets_the_closest_one() -> None:
    with pytest.raises(UsageError) as refused:
        ReadingOptions.from_pairs(["delimeter=,"])
    assert "delimiter" in refused.value.message
    with pytest.raises(ValidationError):
        ReadingOptions.model_validate({"delimeter": ","})


@pytest.mark.parametrize(("given", "name"), [("UTF8", "utf-8"), ("latin1", "iso8859-1"), ("windows-1252", "cp1252")])
def test_an_encoding_may_be_written_in_several_ways(given: str, name: str) -> None:
    assert ReadingOptions(encoding=given).checked_encoding() == name
    assert ReadingOptions().checked_encoding() is None


@pytest.mark.parametrize("given", ["klingon", "base64", "rot13", "zlib", "unicode_escape", "punycode", "undefined", "utf-7", "a\0b", ""])
def test_what_is_no_encoding_of_files_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as refused:
        ReadingOptions(encoding=given).checked_encoding()
    shown = on_one_line(given)
    assert refused.value.message == f"--read encoding is '{shown}', which is not known; name one such as utf-8, cp1252, utf-16"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((), "short row: filled"),
        ((4,), "short row: filled (line 4)"),
        ((4, 7), "short row: filled (lines 4, 7)"),
        ((1, 2, 3, 4, 5, 6, 7), "short row: filled (lines 1, 2, 3, 4, 5 and 2 more)"),
    ],
)
def test_a_repair_tells_its_first_lines(lines: tuple[int, ...], text: str) -> None:
    assert str(Repair("short_row", lines, "filled")) == text
