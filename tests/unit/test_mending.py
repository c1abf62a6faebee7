from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import sheets
from tasks.adapters.sources import split_columns
from tasks.core import mending
from tasks.core.formats.source import Content
from tasks.core.lake.columns import Column, Columns
from tasks.core.reading import reader
from tasks.core.reading.blob import Blob
from tasks.core.reading.terms import SetAside


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


def test_rows_come_back_from_the_quarantine_as_they_stood_in_their_table() -> None:
    cells = pd.DataFrame(
        {"n": [1.5, 300.0, None], "a": ['it\'s "a"', None, "{}"], "at": pd.to_datetime(["2024-01-02", None, "2024-05-06"])}
    )
    kept = mending.Aside(cells, np.array([4, 5, 6]), np.array([5, 6, 7]), np.array(["why"] * 3, dtype=object))
    broken = next(mending.unread([SetAside(9, "x;y;z;more", "4 cells"), SetAside(10, "2;b;never", "no time")], list(cells), 7))
    rows = pd.concat([sheets.for_quarantine(kept), sheets.for_quarantine(broken)])
    (found,) = mending.stored(rows, list(cells))
    names = list(cells)
    written = b"".join([*sheets.write([kept, broken], names, "0" * 64)])
    assert b"".join([*sheets.write([found], names, "0" * 64)]).replace(b'"', b"") == written.replace(b'"', b"")
    assert sheets.for_quarantine(found)["text"].tolist()[3:] == ["x;y;z;more", "2;b;never"]


def test_times_with_a_zone_are_read_where_one_is_kept() -> None:
    columns = Columns((Column("at", "datetime64[us, UTC]"),))
    cells = pd.DataFrame({"at": ["2024-05-06T07:08:09+02:00", "soon", None]}, dtype="str")
    values, failing = mending.read_cells(cells, columns, np.array([2, 3, 4]))
    assert values["at"].tolist()[0] == pd.Timestamp("2024-05-06T05:08:09Z")
    assert failing == {3: "column 'at': there is no time with a zone, such as 2024-05-06T07:08:09Z"}
