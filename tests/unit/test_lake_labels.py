from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import StoreError
from tasks.core.lake.labels import LabelBook
from tasks.core.lake.values import LakeSnapshot

# (key, value) in the order of arrival
ARRIVALS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([1.0, 2.0, -0.0])), max_size=20)


def texts(*values: str) -> pd.Series:
    return pd.Series(values, dtype="str")


def book(arrivals: list[tuple[str, float]], *, as_text: bool = False) -> LabelBook:
    made = LabelBook()
    for time, (key, value) in enumerate(arrivals):
        values = texts(str(value)) if as_text else pd.Series([value])
        made.add(texts(key), values, pd.Series([time]))
    made.close()
    return made


@given(ARRIVALS, st.booleans())
def test_the_latest_label_that_arrived_wins(arrivals: list[tuple[str, float]], as_text: bool) -> None:
    found = book(arrivals, as_text=as_text).of(texts(*"abcdz")).tolist()
    latest = {key: str(value) if as_text else value for key, value in arrivals}
    for key, value in zip("abcdz", found, strict=True):
        assert value == latest[key] if key in latest else pd.isna(value)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1.0, 2.0]), st.integers(0, 3)), max_size=12), st.integers(1, 4))
def test_the_label_that_was_observed_last_wins_and_of_one_time_the_one_that_arrived_last(
    arrivals: list[tuple[str, float, int]], size: int
) -> None:
    made, latest = LabelBook(), dict[str, tuple[int, float]]()
    for start in range(0, len(arrivals), size):
        keys, values, times = zip(*arrivals[start : start + size], strict=True)
        made.add(texts(*keys), pd.Series(values), observed=pd.Series(times))
    made.close()
    for key, value, time in arrivals:
        if key not in latest or time >= latest[key][0]:
            latest[key] = (time, value)
    for key, value in zip("abc", made.of(texts(*"abc")).tolist(), strict=True):
        assert value == latest[key][1] if key in latest else pd.isna(value)


@given(ARRIVALS, st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=6))
def test_labels_are_counted_as_one_would_by_hand(arrivals: list[tuple[str, float]], rows: list[tuple[str, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    made = book(arrivals)
    for key, time in rows:
        made.meet(texts(key), pd.Series([time]))
    first = dict(reversed(rows))
    before: dict[str, float] = {}
    corrected = duplicate = 0
    for key, value in arrivals:
        corrected += key in before and before[key] != value
        duplicate += key in before and before[key] == value
        before[key] = value
    assert (made.total, made.corrected, made.duplicate) == (len(arrivals), corrected, duplicate)
    assert made.unknown == sum(key not in first for key, _ in arrivals)
    assert made.late == sum(key in first and time > first[key] for time, (key, _) in enumerate(arrivals))


def test_keys_that_share_half_of_their_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(names: np.ndarray) -> np.ndarray:
        return np.array([(7, ord(name)) for name in names], dtype=np.uint64).reshape(-1, 2)

    monkeypatch.setattr("tasks.core.lake.labels.hash_texts", half)
    made = book([("a", 1.0), ("b", 2.0), ("c", 3.0), ("b", 4.0)])
    assert made.of(texts("c", "b", "a", "z")).fillna(-1).tolist() == [3.0, 4.0, 1.0, -1.0]


def test_a_book_without_labels_has_none() -> None:
    assert book([]).of(texts("a")).isna().all()
    assert (book([]).total, book([]).unknown, book([]).late) == (0, 0, 0)


SNAPSHOT = LakeSnapshot(
    use_case="wine", observations=3, labels=None, as_of=datetime(2024, 1, 1, tzinfo=UTC), rows=1, labelled=0, digest="0" * 64
)


def test_a_snapshot_is_a_text_and_back() -> None:
    assert LakeSnapshot.from_text(SNAPSHOT.as_text()) == SNAPSHOT


@pytest.mark.parametrize(
    "text", ["", "{}", "null", SNAPSHOT.as_text().replace('"rows":1', '"rows":-1'), SNAPSHOT.as_text()[:-1] + ',"a":1}']
)
def test_another_text_names_no_snapshot(text: str) -> None:
    with pytest.raises(StoreError, match="this text names no snapshot of a lake"):
        LakeSnapshot.from_text(text)
