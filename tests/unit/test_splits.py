from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.splits import (
    FIRST_SPREAD,
    FOLDS,
    Split,
    content_digest,
    folds,
    gate_size,
    hash_rows,
    hash_units,
    split_by_hash,
    split_by_time,
)
from tasks.core.table import Column, Schema

# Rows of 0 … 39 that are the gate side of use case diabetes.
GATE_OF_FORTY = [5, 16, 21, 22, 30, 38]

Row = tuple[float, str | None]

ROWS: st.SearchStrategy[list[Row]] = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0.0, -0.0, 1.0, math.nan, -math.nan]), st.floats(allow_infinity=False)),
        st.one_of(st.sampled_from([None, "a", "b"]), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)),
    ),
    min_size=1,
    max_size=20,
)


def table(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame({"x": np.array([x for x, _ in rows], dtype="float64"), "kind": pd.Series([kind for _, kind in rows], dtype="str")})


def split(rows: list[Row], size: int, use_case: str = "diabetes") -> Split:
    return split_by_hash(hash_rows(table(rows)), use_case, size)


def sides(rows: list[Row]) -> list[bool]:
    """Say of each row whether it lies in the part of hash space that the gate may use."""
    gate = set(split(rows, len(rows)).gate.tolist())
    return [position in gate for position in range(len(rows))]


def spread_hashes(rows: int, seed: int = 0) -> np.ndarray:
    return hash_rows(pd.DataFrame({"x": np.random.default_rng(seed).normal(size=rows)}))


# ------------------------------------------------------------------------------------------------------------ groups


def grouped(shops: list[str | None]) -> tuple[pd.DataFrame, Schema]:
    df = pd.DataFrame({"x": np.arange(float(len(shops))), "shop": pd.Series(shops, dtype="str"), "y": 0.0})
    roles = {"x": "feature", "shop": "group", "y": "target"}
    return df, Schema(tuple(Column(name, "number", role, "") for name, role in roles.items()), "regression")


@given(st.lists(st.sampled_from([None, *"abcdefghij"]), min_size=20, max_size=60), st.integers(1, 30))
def test_rows_of_a_group_lie_on_one_side_and_in_one_fold_and_are_side_by_side_at_the_gate(shops: list[str | None], size: int) -> None:
    df, schema = grouped(shops)
    hashes = hash_units(df, schema)
    found = split_by_hash(hashes, "diabetes", size, is_grouped=True)
    assert sorted([*found.fit, *found.gate]) == list(range(len(shops)))
    parts = [(found.fit, found.gate), *folds(hashes, is_ordered=False)]
    for fit, other in parts:
        assert {shops[row] for row in fit} & {shops[row] for row in other} <= {None}
    units = [hashes[row] for row in found.gate]
    assert found.gate_groups == len(set(units)) == sum(a != b for a, b in pairwise([None, *units]))
    assert found.gate_blocks == min(20, found.gate_groups)


def test_a_row_of_no_group_stands_for_itself() -> None:
    df, schema = grouped([None, None, "a", "a"])
    first, second, *both = hash_units(df, schema)
    assert first != second
    assert both[0] == both[1]


# ------------------------------------------------------------------------------------------------------------ row hashes


def test_a_row_has_one_hash_whatever_number_type_its_cells_have() -> None:
    as_floats = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    for dtype in ("int64", "int8", "uint16", "float32"):
        assert hash_rows(as_floats.astype(dtype)).tolist() == hash_rows(as_floats).tolist()
    assert hash_rows(pd.DataFrame({"x": [False, True]})).tolist() == hash_rows(as_floats).tolist()[:2]


def test_minus_zero_is_zero_and_missing_is_missing_whatever_its_bits() -> None:
    zero, minus_zero = hash_rows(pd.DataFrame({"x": [0.0, -0.0]}))
    assert zero == minus_zero
    not_a_number, its_negative = hash_rows(pd.DataFrame({"x": np.array([np.nan, -np.nan])}))
    assert not_a_number == its_negative
    assert len({zero, not_a_number}) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": ["p"], "b": ["q"]}, {"a": ["q"], "b": ["p"]}),
        ({"a": ["pq"], "b": [""]}, {"a": ["p"], "b": ["q"]}),
        ({"a": ["p"], "b": [None]}, {"a": [None], "b": ["p"]}),
        ({"a": [""]}, {"a": [None]}),
        ({"a": ["nan"]}, {"a": [None]}),
        ({"a": ["p"]}, {"a": ["p"], "b": ["p"]}),
    ],
)
def test_other_cells_make_another_hash(first: dict[str, list[str | None]], second: dict[str, list[str | None]]) -> None:
    assert hash_rows(pd.DataFrame(first, dtype="str")).tolist() != hash_rows(pd.DataFrame(second, dtype="str")).tolist()


def test_text_is_hashed_beyond_a_nul_and_by_no_other_row() -> None:
    words = pd.DataFrame({"word": ["a", "a\0", "a\0b", "a"]}, dtype="str")
    hashes = hash_rows(words).tolist()
    assert len(set(hashes)) == 3
    assert [hash_rows(words.iloc[row : row + 1])[0] for row in range(4)] == hashes


def test_dates_are_hashed_by_their_moment_and_by_no_other_row() -> None:
    days = pd.DataFrame({"when": np.array(["2024-01-01", "2024-01-02", "NaT", "2024-01-01"], dtype="datetime64[us]")})
    hashes = hash_rows(days).tolist()
    assert hashes[0] == hashes[3]
    assert len(set(hashes)) == 3
    assert [hash_rows(days.iloc[row : row + 1])[0] for row in range(4)] == hashes


@given(ROWS)
def test_equal_rows_have_equal_hashes_and_others_do_not(rows: list[Row]) -> None:
    known = {("missing" if math.isnan(x) else x + 0.0, kind) for x, kind in rows}
    assert len(np.unique(hash_rows(table(rows)))) == len(known)


def test_hashes_stay_what_they_are_for_the_life_of_a_use_case() -> None:
    df = pd.DataFrame(
        {
            "x": [0.5, np.nan, -3.0],
            "kind": pd.Series(["a", None, "größe"], dtype="str"),
            "when": np.array(["2024-01-01", "2024-02-29T10:00:00.000001", "NaT"], dtype="datetime64[us]"),
        }
    )
    assert hash_rows(df).tolist() == [2989398504579098414, 14597230549153923236, 4204194663043918311]
    assert content_digest(df) == "556cf706de16c22bf77f9f196ef22499f76608d8f6cad2b4fbd5f06d6bf00d66"
    assert split_by_hash(hash_rows(pd.DataFrame({"x": np.arange(40.0)})), "diabetes", 40).gate.tolist() == GATE_OF_FORTY


# -------------------------------------------------------------------------------------------------------- content digest


def test_a_digest_names_columns_types_and_cells_in_their_order() -> None:
    df = pd.DataFrame({"a": [1.0, 2.0], "b": pd.Series(["p", "q"], dtype="str")})
    digest = content_digest(df)
    assert len(digest) == 64
    assert int(digest, 16)
    assert content_digest(df.copy()) == digest
    others = [
        df.rename(columns={"a": "c"}),
        df[["b", "a"]],
        df.iloc[::-1],
        df.iloc[:1],
        df.assign(a=[1.0, 3.0]),
        df.astype({"a": "int64"}),
        df.assign(b=pd.Series(["p", None], dtype="str")),
    ]
    assert len({digest, *(content_digest(other) for other in others)}) == len(others) + 1


def test_a_digest_does_not_depend_on_the_index() -> None:
    df = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    assert content_digest(df.iloc[1:]) == content_digest(df.iloc[1:].reset_index(drop=True))


# ------------------------------------------------------------------------------------------------------------- gate size


@pytest.mark.parametrize(
    ("rows", "spread", "size"),
    [
        (0, FIRST_SPREAD, 0),
        (4, FIRST_SPREAD, 0),
        (5, FIRST_SPREAD, 1),
        (442, FIRST_SPREAD, 88),
        (5_555, FIRST_SPREAD, 1_111),
        (1_000_000, FIRST_SPREAD, 1_111),
        (1_000_000, 0.05, 200),
        (1_000_000, 0.0, 200),
        (1_000_000, 0.3, 400),
        (1_000_000, 3.0, 40_000),
        (999, 0.0, 199),
        (1_000, 0.0, 200),
    ],
)
def test_the_gate_takes_what_shows_a_small_loss_and_at_most_a_fifth(rows: int, spread: float, size: int) -> None:
    assert gate_size(rows, spread) == size


def test_a_comparison_on_one_row_says_nothing_of_the_spread_so_the_gate_takes_its_fifth() -> None:
    assert gate_size(1_000, math.inf) == 200
    assert gate_size(100_000, math.inf) == 20_000


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 10), st.floats(0, 10))
def test_more_rows_and_a_wider_spread_never_make_the_gate_smaller(rows: int, more: int, spread: float, wider: float) -> None:
    size = gate_size(rows, spread)
    assert 0 <= size <= rows // 5
    assert gate_size(rows + more, spread) >= size
    assert gate_size(rows, spread + wider) >= size


# ------------------------------------------------------------------------------------------------------------ by hash


@given(ROWS, st.integers(0, 25))
def test_each_row_is_on_exactly_one_side(rows: list[Row], size: int) -> None:
    found = split(rows, size)
    assert sorted([*found.fit, *found.gate]) == list(range(len(rows)))
    assert not found.is_ordered


@given(ROWS, st.integers(0, 25))
def test_duplicates_fall_on_one_side(rows: list[Row], size: int) -> None:
    hashes = hash_rows(table(rows * 3))
    found = split_by_hash(hashes, "diabetes", size)
    assert not set(hashes[found.fit]) & set(hashes[found.gate])
    assert np.array_equal(np.unique(found.gate % len(rows)), found.gate[: len(found.gate) // 3])


@given(ROWS, st.randoms(use_true_random=False))
def test_a_side_does_not_depend_on_the_order_of_the_rows(rows: list[Row], random: object) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # pyright: ignore[reportAttributeAccessIssue]
    found = sides(rows)
    assert sides([rows[position] for position in order]) == [found[position] for position in order]


@given(ROWS, ROWS)
def test_a_side_does_not_depend_on_the_other_rows(rows: list[Row], others: list[Row]) -> None:
    assert sides(others + rows)[len(others) :] == sides(rows)


@pytest.mark.parametrize("target", [np.zeros(40), np.arange(40.0)[::-1], np.full(40, np.nan)])
def test_a_side_does_not_depend_on_the_target(target: np.ndarray) -> None:
    schema = Schema((Column("x", "number", "feature", ""), Column("y", "number", "target", "")), "regression")
    df = pd.DataFrame({"x": np.arange(40.0), "y": target})
    assert split_by_hash(hash_rows(df[schema.features]), "diabetes", 40).gate.tolist() == GATE_OF_FORTY


@given(st.sets(st.integers(0, 2**64 - 1), max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_the_gate_rows_are_the_lowest_hashes_so_a_larger_gate_holds_the_smaller(hashes: set[int], size: int, more: int) -> None:
    distinct = np.array(sorted(hashes), dtype=np.uint64)
    side = split_by_hash(distinct, "diabetes", 60).gate
    small, large = (split_by_hash(distinct, "diabetes", n).gate for n in (size, size + more))
    assert len(small) == min(size, len(side))
    assert set(small) <= set(large) <= set(side)


def test_no_size_is_no_gate() -> None:
    found = split_by_hash(spread_hashes(100), "diabetes", 0)
    assert (len(found.fit), len(found.gate)) == (100, 0)


def test_a_fifth_of_hash_space_is_set_aside_and_another_fifth_for_another_use_case() -> None:
    hashes = spread_hashes(20_000)
    diabetes, wine = (set(split_by_hash(hashes, name, 20_000).gate.tolist()) for name in ("diabetes", "wine"))
    assert 0.19 < len(diabetes) / 20_000 < 0.21
    assert 0.19 < len(wine) / 20_000 < 0.21
    assert 0.03 < len(diabetes & wine) / 20_000 < 0.05


# ------------------------------------------------------------------------------------------------------------ by time


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(0, 40))
def test_ordered_rows_are_judged_on_the_last_of_them(minutes: list[int], size: int) -> None:
    times = np.array(minutes, dtype="datetime64[m]").astype("datetime64[us]")
    size = min(size, len(times))
    found = split_by_time(times, size)
    assert found.is_ordered
    # Rows of one time are on one side, unless all rows are of one time.
    assert len(found.gate) >= size
    assert len(found.gate) == size or not set(times[found.fit]) & set(times[found.gate])
    assert sorted([*found.fit, *found.gate]) == list(range(len(times)))
    ordered = [*found.fit, *found.gate]
    assert (np.diff(times[ordered]) >= np.timedelta64(0)).all()
    assert all(a < b for a, b in pairwise(ordered) if times[a] == times[b])


@pytest.mark.parametrize(("rows", "blocks"), [(0, 0), (4, 0), (5, 1), (30, 6), (99, 19), (100, 20), (10_000, 20)])
def test_ordered_gate_rows_make_blocks_of_at_least_five_and_at_most_twenty_blocks(rows: int, blocks: int) -> None:
    nothing, gate = np.array([], dtype=np.int64), np.arange(rows)
    assert Split(nothing, gate, is_ordered=True).gate_blocks == blocks
    assert Split(nothing, gate, is_ordered=False).gate_blocks == 0


# -------------------------------------------------------------------------------------------------------------- folds


@given(ROWS)
def test_unordered_folds_validate_each_row_once_and_keep_duplicates_together(rows: list[Row]) -> None:
    hashes = hash_rows(table(rows * 2))
    validated: list[int] = []
    for fit, validate in folds(hashes, is_ordered=False):
        assert sorted([*fit, *validate]) == list(range(len(hashes)))
        assert not set(hashes[fit]) & set(hashes[validate])
        validated.extend(validate.tolist())
    assert sorted(validated) == list(range(len(hashes)))


def test_folds_are_even_on_the_rows_that_the_gate_leaves() -> None:
    hashes = spread_hashes(20_000)
    left = hashes[split_by_hash(hashes, "diabetes", 20_000).fit]
    shares = [len(validate) / len(left) for _, validate in folds(left, is_ordered=False)]
    assert len(shares) == FOLDS
    assert all(0.185 < share < 0.215 for share in shares)


@given(st.integers(1, 200))
def test_ordered_folds_validate_what_comes_after_the_rows_that_they_fit(rows: int) -> None:
    windows = list(folds(np.zeros(rows, dtype=np.uint64), is_ordered=True))
    assert len(windows) == FOLDS
    for fit, validate in windows:
        assert fit.tolist() == list(range(len(fit)))
        assert validate.tolist() == list(range(len(fit), len(fit) + len(validate)))
    assert np.concatenate([validate for _, validate in windows]).tolist() == list(range(rows // 2, rows))
