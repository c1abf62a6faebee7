from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.adapters.sources import split_columns
from tasks.core.errors import EvergreenError
from tasks.core.reading import texts
from tasks.core.reading.again import Head
from tasks.core.reading.blob import Blob
from tasks.core.reading.clean import CleanRows, read_clean
from tasks.core.reading.delimited import TextTable, read_text
from tasks.core.reading.layout import Layout
from tasks.core.reading.records import Style
from tasks.core.reading.shapes import Kind
from tasks.core.reading.terms import ReadingOptions

LAYOUT = Layout(2, 1, ("a", "b"), (Kind("text", has_missing=True),) * 2, (), Head(("a", "b")))
STARTS = (
    "name,size\nx,1\ny,2\nz,3\n",
    "k\tv\n1\tp\n2\tq\n",
    "k|v\n1|p\n2|q\n",
    "a;b;c\r\n1;x;2\r\n2;y;3\r\n",
    '"n","m"\n"x","1"\n"y","2"\n',
)


def clean(body: str, style: Style = Style(",")) -> CleanRows | None:  # noqa: B008 (frozen)
    return read_clean(body.encode(), 2, style, LAYOUT, split_columns)


def outcome(data: bytes, *, fast: bool) -> TextTable | str:
    try:
        return read_text(Blob(data), ReadingOptions(), "t.csv", split_columns if fast else (lambda *_: None))
    except EvergreenError as error:
        return error.message


def told(table: TextTable | str) -> object:
    if isinstance(table, str):
        return table
    cells = [column.tolist() for column in table.cells]
    return table.names, table.raw_names, cells, table.lines.tolist(), table.repairs, table.aside, table.dialect


@example("k|v\n1|p\n2|q\n|---\n3|z\n")
@example("k\tv\n1\tp\n2\tq\n\t===\n3\tz\n")
@example("name,size\nx,1\ny,2\nz,3\nNAME,SIZE\nv,4\n")
@example('"Title\nsub\nmore"\na,b,c\n1,x,2\n2,y,3\n')
@given(
    st.builds(
        str.__add__,
        st.sampled_from(STARTS),
        st.text(st.sampled_from('ab1,;\t|"\n\r# -=:\\\x0c\u2028é'), max_size=40),
    )
)
def test_the_fast_way_and_the_careful_way_tell_the_same(content: str) -> None:
    data = content.encode()
    assert told(outcome(data, fast=True)) == told(outcome(data, fast=False))


@given(st.lists(st.tuples(*[st.text(st.sampled_from('ab,"\n\r é'), min_size=1, max_size=5).map("w{}".format)] * 2), min_size=1))
def test_rows_that_keep_the_rules_are_taken_at_once_with_their_lines(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    found = clean(text.getvalue())
    assert found is not None
    assert list(zip(*(column.tolist() for column in found.columns), strict=True)) == rows
    ends = [sum(cell.replace("\r\n", "\n").replace("\r", "\n").count("\n") for cell in row) + 1 for row in rows]
    assert found.lines.tolist() == [2 + sum(ends[:place]) for place in range(len(rows))]


@pytest.mark.parametrize(
    "body",
    ["1", "1,2,3", "1,2\n\n3,4", "1,2\n,", "1,2\n-,---", "# 1,2", "a,b", '1,5" x', '1,"x', '1,"x"y', '"1"2,"3"', ""],
)
def test_where_a_rule_is_broken_or_a_choice_has_to_be_made_it_steps_aside(body: str) -> None:
    assert clean(body) is None


@settings(max_examples=100)
@example("k\tv\n1\tp\n2\tq\n\r111\t", 3)
@example('name,size\nx,1\ny,2\nz,3\n"a\nb",4\n\n5,"c\n\nd"\n', 9)
@given(
    st.builds(
        str.__add__,
        st.sampled_from(STARTS),
        st.text(st.sampled_from('ab1,;\t|"\r\n# -\u2028é'), max_size=60),
    ),
    st.integers(1, 40),
)
def test_it_makes_no_difference_how_a_text_is_cut_into_blocks(content: str, size: int) -> None:
    data = content.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BLOCK_BYTES", size)
        patch.setattr(texts, "LINES_BYTES", size)
        cut = told(outcome(data, fast=True))
    assert cut == told(outcome(data, fast=True))


@pytest.mark.parametrize("style", [Style(","), Style(";"), Style("|"), Style("\t")])
def test_simple_styles_go_the_fast_way(style: Style) -> None:
    assert clean(f"1{style.delimiter}x\n2{style.delimiter}y", style) is not None


@pytest.mark.parametrize("style", [Style(",", "'"), Style(",", escape="\\"), Style(",", is_padded=True), Style(" "), Style("::")])
def test_other_styles_go_the_careful_way(style: Style) -> None:
    assert clean(f"1{style.delimiter}x\n2{style.delimiter}y", style) is None
