from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.lake.known import Cells, KeyBook, Meeting, hash_features, hash_keys, name_differences

# key, cell, label
ROWS = st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, -0.0, 1.0, np.nan]), st.sampled_from([None, 1.0, 2.0]))
STORED = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([None, 1.0])))

Row = tuple[str, float, float | None]


@dataclass
class Sorted:
    known: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    differing: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


def frame(rows: list[Row]) -> pd.DataFrame:
    ids = pd.Series([row[0] for row in rows], dtype="str")
    return pd.DataFrame({"id": ids, "x": [row[1] for row in rows], "y": [row[2] for row in rows]}).astype({"x": "float64", "y": "float64"})


def cells(rows: list[Row]) -> Cells:
    df = frame(rows)
    return Cells(hash_keys(df, ["id"]), hash_features(df[["id", "x"]]), df["y"])


def by_hand(rows: list[Row], out: list[bool], stored: dict[str, tuple[float, float | None]]) -> Sorted:
    """Take one row after the other in, as if each came with a batch of its own."""
    stands, found = {key: list(value) for key, value in stored.items()}, Sorted()
    for place, ((key, cell, label), is_out) in enumerate(zip(rows, out, strict=True)):
        if is_out:
            continue
        if key not in stands:
            stands[key] = [cell, label]
            found.kept.append(place)
            continue
        there, told = stands[key]
        is_same = there == cell or (np.isnan(there) and np.isnan(cell))
        if not is_same or (label is not None and told is not None and label != told):
            found.differing.append(place)
            continue
        found.known.append(place)
        if label is not None and told is None:
            stands[key][1] = label
            found.late.append(place)
    return found


@given(st.lists(st.tuples(ROWS, st.booleans()), max_size=12), STORED)
def test_rows_are_settled_as_if_each_came_alone(came: list[tuple[Row, bool]], stored: dict[str, tuple[float, float | None]]) -> None:
    rows, out = [row for row, _ in came], [is_out for _, is_out in came]
    there = cells([(key, *value) for key, value in stored.items()])
    meeting, is_out = Meeting.of(np.arange(len(rows)), cells(rows), there), np.array(out, dtype=bool)
    settled, expected = meeting.settle(is_out[meeting.places]), by_hand(rows, out, stored)
    found = Sorted(settled.known.tolist(), settled.late.tolist(), settled.differing.tolist(), expected.kept)
    assert found == expected
    parts = [part.settle(is_out[part.places]) for part in meeting.split()]
    assert sorted(place for part in parts for place in part.known.tolist()) == expected.known
    for place, beside in zip(settled.differing, settled.beside, strict=True):
        assert (beside < 0) == (rows[place][0] in stored)
        assert beside < 0 or (rows[beside][0] == rows[place][0] and beside in expected.kept)


@given(st.lists(st.sampled_from("abcde"), max_size=12), st.lists(st.sampled_from("abcdefg"), max_size=6), st.integers(1, 5))
def test_keys_are_looked_up_as_in_a_list(ours: list[str], theirs: list[str], size: int) -> None:
    book = KeyBook()
    for start in range(0, len(ours), size):
        book.add(hash_keys(pd.DataFrame({"id": pd.Series(ours[start : start + size], dtype="str")}), ["id"]))
    book.close()
    asked = hash_keys(pd.DataFrame({"id": pd.Series(theirs, dtype="str")}), ["id"])
    assert book.meet(asked).tolist() == [key in ours for key in theirs]
    assert book.met_or_repeated().tolist() == [place for place, key in enumerate(ours) if key in theirs or ours.count(key) > 1]


def test_keys_that_share_half_of_their_hash_are_told_apart() -> None:
    def half(*names: str) -> np.ndarray:
        return np.array([(7, ord(name)) for name in names], dtype=np.uint64).reshape(-1, 2)

    ours = Cells(half("a", "b", "c", "b"), np.array([1, 2, 3, 2], dtype=np.uint64), pd.Series([np.nan] * 4))
    there = Cells(half("c", "a"), np.array([9, 1], dtype=np.uint64), pd.Series([np.nan] * 2))
    settled = Meeting.of(np.arange(4), ours, there).settle()
    assert (settled.known.tolist(), settled.differing.tolist(), settled.beside.tolist()) == ([0, 3], [2], [-1])


def test_a_difference_names_its_columns_and_a_label_that_is_missing_is_none() -> None:
    rows = pd.DataFrame({name: [1.0, 1.0] for name in "abcde"} | {"y": [None, 3.0]})
    beside = rows.assign(a=[1.0, 2.0], b=[None, 2.0], c=2.0, d=[1.0, 2.0], y=[2.0, 4.0])
    one, other = name_differences(rows, beside, "y")
    assert one == "its key came before with other values in columns 'b', 'c'"
    assert other == "its key came before with other values in columns 'a', 'b', 'c' and 2 more"


@pytest.mark.parametrize("count", [0, 3])
def test_a_batch_without_rows_meets_nothing(count: int) -> None:
    book = KeyBook()
    book.close()
    assert book.meet(np.zeros((count, 2), dtype=np.uint64)).tolist() == [False] * count
    assert len(book.met_or_repeated()) == 0
    assert len(Meeting.of(np.zeros(0, dtype=np.int64), cells([]), cells([])).settle().known) == 0
