from __future__ import annotations

import pytest

from tasks.core.errors import DataRefusedError
from tasks.core.reading.dialects import RULE_LINE, find_style
from tasks.core.reading.records import RUN, Style, physical_lines
from tasks.core.reading.terms import ReadingOptions


def style_of(text: str, **told: object) -> Style:
    return find_style(list(physical_lines(text)), ReadingOptions.model_validate(told), "t.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::", "||", ";;", "~|~", "\x01", "~", "^", ":"])
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


ROWS = (("id", "town", "price", "day"), *((f"{n}", f"t{n}", f"{n}.5", f"2024-05-0{n}") for n in range(1, 6)))


@pytest.mark.parametrize("mark", "#&%!*@$§¦/_")
def test_a_rare_mark_that_parts_every_row_into_typed_cells_is_a_delimiter(mark: str) -> None:
    assert style_of("\n".join(mark.join(row) for row in ROWS)).delimiter == mark


@pytest.mark.parametrize(
    "cells",
    [
        ["day", "2024/05/01", "2024/05/02", "2024/05/03", "2024/05/04"],
        ["user_item_id", "AB_12_7", "AC_13_8", "AD_14_9", "AE_15_3"],
        ["path", "/var/log/a", "/var/log/b", "/var/lib/c", "/usr/lib/d"],
        ["mail", "ann@a.org", "bob@b.org", "eve@c.org", "joe@d.org"],
        ["tag", "#1 of 2", "#2 of 2", "#1 of 3", "#2 of 3"],
        ["query", "a=1&b=2&c=3", "a=4&b=5&c=6", "a=7&b=8&c=9", "a=1&b=3&c=5"],
    ],
)
def test_marks_inside_one_column_part_nothing(cells: list[str]) -> None:
    assert style_of("\n".join(cells)).delimiter in ("", " ")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a\tb\n0,5\t0,25\n1,5\t1,25\n2,5\t2,25\n", "\t"),
        ("0,5;0,25\n1,5;1,25\n2,5;2,25\n", ";"),
        ("name;val\nx0;74 448,54\nx1;44 419,59\nx2;88 384,68\n", ";"),
        ('"mpg" "cyl"\n"Mazda RX4" 21 6\n"Datsun 710" 22.8 4\n', " "),
        ('18.0   8   307.0   130.0   70  1\t"chevelle malibu"\n15.0   8   350.0   165.0   70  1\t"buick skylark"\n', " "),
    ],
)
def test_of_two_delimiters_the_one_that_leaves_values_in_the_cells_is_taken(text: str, delimiter: str) -> None:
    assert style_of(text).delimiter == delimiter


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
