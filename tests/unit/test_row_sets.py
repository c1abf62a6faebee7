from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.row_sets import RowSet

POSITIONS = st.sets(st.integers(0, 70))


@given(POSITIONS)
def test_rows_are_kept_once_each_in_ascending_order(positions: set[int]) -> None:
    rows = RowSet.of(positions)
    assert (len(rows), list(rows), rows.positions().tolist()) == (len(positions), sorted(positions), sorted(positions))
    assert [rows[place] for place in range(len(rows))] == sorted(positions)
    assert (bool(rows), list(rows[:2])) == (bool(positions), sorted(positions)[:2])


@given(POSITIONS, st.integers(0, 80), st.integers(0, 80))
def test_a_window_says_of_each_of_its_rows_whether_it_is_among_them(positions: set[int], start: int, size: int) -> None:
    found = RowSet.of(positions).mask(start, start + size)
    assert found.tolist() == [row in positions for row in range(start, start + size)]


@given(POSITIONS, POSITIONS)
def test_rows_are_joined_and_compared_as_sets_are(one: set[int], other: set[int]) -> None:
    assert RowSet.of(one).union(RowSet.of(other)) == RowSet.of(one | other)
    assert (RowSet.of(one) == RowSet.of(other)) == (one == other)
    assert hash(RowSet.of(sorted(one))) == hash(RowSet.of(one))


def test_rows_without_a_last_one_are_the_same_however_long_the_table_is() -> None:
    short, long = np.zeros(3, dtype=bool), np.zeros(300, dtype=bool)
    short[1] = long[1] = True
    assert RowSet.where(short) == RowSet.where(long)


def test_a_set_is_written_with_its_first_rows() -> None:
    assert (repr(RowSet.of([3, 1])), repr(RowSet.of(range(7)))) == ("RowSet(1, 3)", "RowSet(0, 1, 2, 3, 4 and 2 more)")
