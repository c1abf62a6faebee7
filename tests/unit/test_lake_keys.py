from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError
from tasks.core.lake.columns import check_cast, declare
from tasks.core.lake.keys import Digest, RowKeys

CELLS = st.tuples(
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]),
    st.sampled_from([None, "", "nan", "a", "a\0", "ü"]),
)


def table(rows: list[tuple[float, str | None]]) -> pd.DataFrame:
    xs, kinds = [x for x, _ in rows], [kind for _, kind in rows]
    return pd.DataFrame({"x": np.array(xs, dtype=float), "kind": pd.Series(kinds, dtype="str")})


def digest(*chunks: pd.DataFrame) -> str:
    made = Digest(declare(chunks[0]))
    for chunk in chunks:
        made.add(chunk)
    return made.hex()


@given(st.lists(CELLS, min_size=1, max_size=30), st.integers(1, 7))
def test_keys_and_digests_do_not_depend_on_the_chunks(rows: list[tuple[float, str | None]], size: int) -> None:
    df = table(rows)
    chunks = [df[start : start + size].reset_index(drop=True) for start in range(0, len(df), size)]
    keys = RowKeys()
    names = [name for chunk in chunks for name in keys.of(chunk)]
    assert names == RowKeys().of(df).tolist()
    assert len(set(names)) == len(names)
    assert digest(*chunks) == digest(df)


def test_equal_rows_are_numbered_and_others_never_share_a_name() -> None:
    rows = [(0.0, "a"), (-0.0, "a"), (math.nan, "a"), (0.0, None), (0.0, "nan"), (0.0, ""), (0.0, "a\0"), (0.0, "a"), (math.nan, "a")]
    names = RowKeys().of(table(rows))
    assert names.nunique() == len(rows)
    assert [name[32:] for name in names] == ["", "", "", "", "", "", "", "-2", "-2"]
    assert names[7][:32] == names[0][:32]


def test_the_names_of_rows_are_for_ever() -> None:
    assert RowKeys().of(table([(1.0, "a")])).tolist() == ["56c0925845a1c090f609f0ed9ce18ce6"]
    df = pd.DataFrame({"n": [2**53 + 1], "at": pd.to_datetime(["2024-01-01"]).as_unit("us"), "is": [True]})
    assert RowKeys().of(check_cast(df, declare(df, integers=["n"]))).tolist() == ["ed891f4dcd39a47035bad25dac63a62d"]


def test_a_missing_cell_has_one_hash_whatever_its_bits() -> None:
    odd = np.array([math.nan, math.nan])
    odd.view(np.uint64)[1] ^= np.uint64(1 << 63 | 5)
    names = RowKeys().of(pd.DataFrame({"x": odd}))
    assert names[1] == names[0] + "-2"


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pd.Series(["a", "b|c", ""], dtype="str"), ["a", "b|c", ""]),
        (pd.Series([1.0, 0.5, -0.0]), ["1", "0.5", "0"]),
        (pd.Series([1e300, 2.0**53, -7.0]), ["1e+300", "9007199254740992.0", "-7"]),
        (pd.Series([2**63 - 1]), ["9223372036854775807"]),
        (pd.Series([True, False]), ["true", "false"]),
        (pd.Series(pd.to_datetime(["2024-01-01 10:00"])).dt.as_unit("us"), ["2024-01-01T10:00:00"]),
    ],
)
def test_a_key_column_names_its_rows_as_a_person_would(column: pd.Series, names: list[str]) -> None:
    assert RowKeys(["k"]).of(pd.DataFrame({"k": column, "x": 1.0})).tolist() == names


def test_several_key_columns_cannot_be_confused() -> None:
    df = pd.DataFrame({"a": ["x|y", "x", "x\\"], "b": ["z", "y|z", "|z"]}, dtype="str")
    assert RowKeys(["a", "b"]).of(df).tolist() == ["x\\|y|z", "x|y\\|z", "x\\\\|\\|z"]


def test_a_key_that_is_absent_or_missing_is_refused() -> None:
    df = pd.DataFrame({"id": pd.Series(["a", None], dtype="str")})
    with pytest.raises(DataRefusedError, match="column 'id', row 12 is empty, and it names the row; fill it, or set the row aside"):
        RowKeys(["id"]).of(df, first_row=11)
    with pytest.raises(DataRefusedError, match=r"there is no column 'day' to name rows by \(available: id\)"):
        RowKeys(["day"]).of(df)


@pytest.mark.parametrize(
    "other",
    [
        pd.DataFrame({"x": [-0.0, 1.0], "s": ["a", "b"]}),
        pd.DataFrame({"x": [1.0, 0.0], "s": ["b", "a"]}),
        pd.DataFrame({"x": [0.0, 1.0], "t": ["a", "b"]}),
        pd.DataFrame({"x": [0.0, 1.0], "s": ["a", None]}),
        pd.DataFrame({"x": [0.0], "s": ["a"]}),
        pd.DataFrame({"s": ["a", "b"], "x": [0.0, 1.0]}),
    ],
)
def test_any_other_table_has_another_digest(other: pd.DataFrame) -> None:
    assert digest(other) != digest(pd.DataFrame({"x": [0.0, 1.0], "s": ["a", "b"]}))


def test_the_digest_keeps_the_last_digit_of_an_integer() -> None:
    made = [Digest(declare(pd.DataFrame({"n": [0]}), integers=["n"])) for _ in range(2)]
    made[0].add(pd.DataFrame({"n": [2**53]}))
    made[1].add(pd.DataFrame({"n": [2**53 + 1]}))
    assert made[0].hex() != made[1].hex()
