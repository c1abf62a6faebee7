from __future__ import annotations

import pytest

from tasks.core import mending


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
