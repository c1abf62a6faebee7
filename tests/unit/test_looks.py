from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.looks import SAMPLE_ROWS, GateRows, count_looks

HASHES = st.sets(st.integers(0, 400), min_size=1, max_size=300).map(lambda found: np.array(sorted(found), dtype=np.uint64))


@given(HASHES, HASHES)
def test_of_few_rows_the_share_is_exact(now: np.ndarray, before: np.ndarray) -> None:
    expected = len(set(now.tolist()) & set(before.tolist())) / len(now)
    assert GateRows.of(now).share_seen(GateRows.of(before)) == expected


def test_of_many_rows_it_is_nearly_exact_even_where_they_were_chosen_by_their_hashes() -> None:
    hashes = np.sort(np.random.default_rng(0).integers(0, 2**63, 200_000, dtype=np.uint64))
    lowest, others = GateRows.of(hashes[:50_000]), GateRows.of(hashes[20_000:150_000])
    assert len(lowest.sample) == SAMPLE_ROWS
    assert abs(lowest.share_seen(others) - 0.6) < 0.03
    assert abs(others.share_seen(lowest) - 30 / 130) < 0.03


def test_rows_that_came_twice_count_once() -> None:
    assert GateRows.of(np.array([5, 5, 7], dtype=np.uint64)).rows == 2


def test_a_look_counts_where_more_than_half_of_the_rows_were_looked_at() -> None:
    now, half, more = (GateRows.of(np.arange(start, start + 100, dtype=np.uint64)) for start in (0, 50, 49))
    assert [count_looks(now, before) for before in ([], [half], [more], [half, more, now])] == [1, 1, 2, 3]


def test_a_sample_comes_back_from_the_ledger_as_it_was() -> None:
    rows = GateRows.of(np.random.default_rng(1).integers(0, 2**63, 5000, dtype=np.uint64))
    again = GateRows.from_json(json.loads(json.dumps(rows.as_json())))
    assert (again.rows, again.digest, again.sample.tolist()) == (rows.rows, rows.digest, rows.sample.tolist())
