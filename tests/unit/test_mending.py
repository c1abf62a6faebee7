from __future__ import annotations

import pytest

from tasks.adapters.sources import split_columns
from tasks.core import mending
from tasks.core.formats.source import Content
from tasks.core.reading import reader
from tasks.core.reading.blob import Blob


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('h5,"flat, old",3', ["h5", "flat, old", "3"]),
        ('h5;"a ""b""";3', ["h5", 'a "b"', "3"]),
        ("h5|1,5|3", ["h5", "1,5", "3"]),
        ("h5;1,5;many,x", [None] * 3),  # commas and semicolons yield three cells alike
        ('h5,"open', [None] * 3),
        ("", [None] * 3),
    ],
)
def test_a_row_is_taken_apart_where_there_is_one_way(text: str, cells: list[str | None]) -> None:
    assert mending.taken_apart(text, 3) == cells


def test_the_only_cell_of_a_row_is_its_text() -> None:
    assert mending.taken_apart("h5", 1) == ["h5"]


def test_a_sheet_whose_reasons_hold_quotes_and_commas_is_read_as_it_was_written() -> None:
    sheet = b"""_row,_line,_reasons,_text,colour
1a2b-5,7,"'colour': column values to be in set value_set=['red', 'green', 'blue']",,red
1a2b-9,11,"'colour': column values to be in set value_set=['red', 'green', 'blue']",,blue
"""
    options = mending.options_of(sheet)
    assert options is not None
    reading = reader.read([Content("mended.csv", "text", data=Blob(sheet))], options, split_columns, as_text=True)
    assert (reading.verdict, list(reading.table.df["colour"])) == ("exact", ["red", "blue"])
