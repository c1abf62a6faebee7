from __future__ import annotations

import pytest

from tasks.core.errors import DataRefusedError
from tasks.core.reading.dialects import RULE_LINE, find_style
from tasks.core.reading.records import RUN, Style, physical_lines
from tasks.core.reading.terms import ReadingOptions


def style_of(text: str, **told: object) -> Style:
    return find_style(list(physical_lines(text)), ReadingOptions.model_validate(told), "t.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::", "||", "\x01", "~", "^", ":"])
def test_each_delimiter_is_found(delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (("name", "size", "note"), ("Ann", "1", "x"), ("Bob", "2", "y")))
    assert style_of(text).delimiter == delimiter


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a;b\n1,5;x\n2,5;y\n", Style(";")),
        ("a,b\n'x, y',1\n'z, w',2\n", Style(",", "'")),
        ("a,b\nit's,1\nshe's,2\n", Style(",")),
        ('a,b\n"x \\"y\\"",1\n"z",2\n', Style(",", escape="\\")),
        ('a,b\n"C:\\",1\n"D:\\",2\n', Style(",")),
        ("a , b , c\n1 , x , 2\n2 , y , 3\n", Style(",", is_padded=True)),
        ("| a | b |\n|---|---|\n| 1 | x |\n", Style("|", is_padded=True, has_border=True)),
        ("a   b\n1   2\n10  3\n", Style(" ", is_padded=True)),
        ("full name  home town\nAnn Lee    New York\nBob        Leeds\n", Style(RUN, "")),
        ("name\nAnn\nBob\n", Style("")),
        ("at\n2024-01-01 10:00\n2024-01-02 11:00\n", Style("")),
    ],
)
def test_a_style_is_found_whole(text: str, style: Style) -> None:
    assert style_of(text) == style


def test_two_styles_that_fit_equally_well_are_refused() -> None:
    with pytest.raises(DataRefusedError) as refused:
        style_of("a,b;c\nx,y;z\nu,v;w\n")
    assert refused.value.message == "t.csv: rows could be split at ',' or at ';'; say which with --read delimiter="


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_what_is_given_is_kept(delimiter: str) -> None:
    assert style_of("a,b;c\n1,2;3\n4,5;6\n", delimiter=delimiter) == Style(delimiter)
    assert style_of('"a"x,b\n', delimiter=",", quote="none").quote == ""


def test_one_line_of_another_length_does_not_hide_the_style() -> None:
    assert style_of("a,b\n1,x\n" + "w,;" * 400_000 + "\n2,y\n") == Style(",")


@pytest.mark.parametrize("line", ["---", "|---|:--:|", "+-----+---+", "=====", "--- | ---", "  ---  "])
def test_a_rule_is_told_from_a_row(line: str) -> None:
    assert RULE_LINE.fullmatch(line)


@pytest.mark.parametrize("line", ["--", "", "a---", "---a", "-,---", "-1", "|-|-|"])
def test_a_row_is_no_rule(line: str) -> None:
    assert not RULE_LINE.fullmatch(line)
