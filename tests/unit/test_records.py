from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.reading.records import RUN, Record, Style, lines_with, physical_lines, read_records, split

COMMA = Style(",")


def records(text: str, style: Style = COMMA, width: int | None = None) -> list[Record]:
    return list(read_records(physical_lines(text), style, width))


def cells(text: str, style: Style = COMMA, width: int | None = None) -> list[tuple[int, tuple[str, ...], bool]]:
    return [(record.line, record.cells, record.is_odd) for record in records(text, style, width)]


@given(st.text(st.sampled_from("a\r\n\x0b\u2028,"), max_size=20))
def test_lines_with_their_ends_are_the_text_again(text: str) -> None:
    lines = list(physical_lines(text))
    assert "".join(line.text + line.end for line in lines) == text
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(line.end in ("\n", "\r\n", "\r") for line in lines[:-1])


def test_lines_that_hold_a_pattern_are_counted_by_line_ends_alone() -> None:
    assert lines_with(re.compile("x"), "a\u2028b\rx\x0b\r\n\nx") == (2, 4)


def test_a_quoted_cell_goes_on_over_lines() -> None:
    assert cells('a,"b\n\nc",d\ne,f,g') == [(1, ("a", "b\n\nc", "d"), False), (4, ("e", "f", "g"), False)]


@pytest.mark.parametrize("width", [None, 2])
def test_a_quote_that_is_never_closed_stands_for_itself(width: int | None) -> None:
    assert cells('1,"x\n2,y\n3,z', width=width) == [(1, ("1", '"x'), True), (2, ("2", "y"), False), (3, ("3", "z"), False)]


def test_lines_are_not_joined_to_a_record_of_another_width() -> None:
    assert cells('1,"x\n2,y",z\n', width=2)[0] == (1, ("1", '"x'), True)
    assert cells('1,"x\n2,y",z\n', width=3) == [(1, ("1", "x\n2,y", "z"), False)]


def test_a_quoted_cell_ends_within_five_hundred_lines() -> None:
    assert len(records('1,"x\n' + "w\n" * 499 + 'y"')) == 1
    assert len(records('1,"x\n' + "w\n" * 500 + 'y"')) == 502


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ('0,"a, b" ,c', COMMA, (("0", "a, b", "c"), False, True)),
        ('0, "a, b",c', COMMA, (("0", "a, b", "c"), False, True)),
        ('0, "a" b,c', COMMA, (("0", ' "a" b', "c"), False, True)),
        ('a "b" ', Style(" "), (("a", "b", ""), False, False)),
        ('"a ""b""",c', COMMA, (('a "b"', "c"), False, False)),
        ('"a\\"b",c', Style(",", escape="\\"), (('a"b', "c"), False, False)),
        ("'a,b',c", Style(",", "'"), (("a,b", "c"), False, False)),
        ('"a" , b', Style(",", is_padded=True), (("a", "b"), False, False)),
        ("| a | b |", Style("|", is_padded=True, has_border=True), (("a", "b"), False, False)),
        ("a b   c", Style(" ", is_padded=True), (("a", "b", "c"), False, False)),
        ("a b   c d", Style(RUN, ""), (("a b", "c d"), False, False)),
        ("a::b", Style("::"), (("a", "b"), False, False)),
        ("a,b", Style(""), (("a,b",), False, False)),
        ('"a"b",c', COMMA, (('a"b', "c"), False, True)),
        ('a"b,c', COMMA, (('a"b', "c"), False, True)),
        ('a,"b', COMMA, (("a", "b"), True, False)),
        ("", COMMA, (("",), False, False)),
        ('a,"",', COMMA, (("a", "", ""), False, False)),
    ],
)
def test_a_record_is_split_by_its_style(text: str, style: Style, expected: object) -> None:
    assert split(text, style) == expected


@given(st.lists(st.lists(st.text(st.sampled_from('ab,;"\n\r '), max_size=6), min_size=2, max_size=4), min_size=1, max_size=6))
def test_what_the_csv_module_writes_is_split_as_it_was(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    found = records(text.getvalue())
    assert [list(record.cells) for record in found] == rows
    assert not any(record.is_odd for record in found)


@pytest.mark.parametrize("body", ['{n},"never closed\n', '{n},"a"\n', '{n},"x ""\n', '{n},"two\nlines"\n'])
def test_many_quotes_take_work_in_proportion_to_their_number(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def counted(text: str, style: Style) -> tuple[tuple[str, ...], bool, bool]:
        nonlocal looked_at
        looked_at += len(text)
        return split(text, style)

    monkeypatch.setattr("tasks.core.reading.records.split", counted)
    text = '0,"open\n' + "".join(body.format(n=n) for n in range(2000))
    records(text, width=2)
    assert looked_at < 10 * len(text)
