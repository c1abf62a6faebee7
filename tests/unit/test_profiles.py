from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError, StoreError
from tasks.core.profiles import SHARES, ColumnProfile, Profile, profile_rows
from tasks.core.sketches import BLOCK

CELLS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 5e-324]), st.floats()),
        st.one_of(st.none(), st.sampled_from(["a", "b"]), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)),
        st.one_of(st.none(), st.integers(-(10**14), 10**14)),
    ),
    max_size=30,
)


def table(cells: list[tuple[float, str | None, int | None]]) -> pd.DataFrame:
    numbers, texts, dates = ([row[place] for row in cells] for place in range(3))
    moments = np.array([np.iinfo("int64").min if date is None else date for date in dates], dtype="int64")
    return pd.DataFrame(
        {
            "x": np.array(numbers, dtype="float64"),
            "kind": pd.Series(texts, dtype="str"),
            "when": moments.astype("datetime64[us]"),
        }
    )


def houses(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": random.normal(80, 15, rows),
            "colour": pd.Series(random.choice(["red", "blue", "green"], rows), dtype="str"),
            "owner": pd.Series([f"secret-{place}" for place in range(rows)], dtype="str"),
            "tax": 7_770_000 + random.integers(0, 9, rows).astype("float64"),
            "born": pd.date_range("1970-01-02", periods=rows, freq="D").as_unit("us"),
        }
    )


def column(profile: Profile, name: str) -> ColumnProfile:
    found = profile.column(name)
    assert found is not None
    return found


# ---------------------------------------------------------------------------------------------------------- what it holds


@settings(max_examples=15)
@given(CELLS)
def test_a_profile_tells_what_pandas_tells(cells: list[tuple[float, str | None, int | None]]) -> None:
    df = table(cells)
    profile = profile_rows([df])
    assert (profile.rows, profile.names) == (len(df), ["x", "kind", "when"])
    x, kind, when = profile.columns
    finite = df["x"][np.isfinite(df["x"])]
    assert (x.missing, x.infinite, x.distinct) == (df["x"].isna().sum(), np.isinf(df["x"]).sum(), finite.nunique())
    assert (kind.missing, kind.distinct) == (df["kind"].isna().sum(), df["kind"].nunique())
    assert dict(kind.frequent) == df["kind"].value_counts().to_dict()
    if len(finite):
        assert (x.minimum, x.maximum) == (finite.min(), finite.max())
        assert list(x.quantiles) == np.sort(finite)[[max(0, math.ceil(share * len(finite) - 1e-6) - 1) for share in SHARES]].tolist()
    if df["when"].notna().any():
        assert (when.minimum, when.maximum) == (df["when"].min().value // 1000, df["when"].max().value // 1000)
    assert [c.kind for c in profile.columns] == ["number", "text", "date"]


@settings(max_examples=15)
@given(CELLS, st.lists(st.integers(0, 30), max_size=3))
def test_a_profile_does_not_depend_on_its_chunks(cells: list[tuple[float, str | None, int | None]], cuts: list[int]) -> None:
    df = table(cells)
    chunks = [df.iloc[start:end] for start, end in pairwise([0, *sorted(cuts), 99])]
    assert profile_rows(chunks) == profile_rows([df])


def test_nor_do_those_of_many_rows() -> None:
    df = pd.DataFrame({"x": np.random.default_rng(0).normal(size=3 * BLOCK + 5)})
    df["kind"] = pd.Series(df["x"].round(1).astype("str"), dtype="str")
    whole = profile_rows([df])
    assert profile_rows(df.iloc[start : start + 1000] for start in range(0, len(df), 1000)) == whole
    x = column(whole, "x")
    assert (x.distinct_is_exact, x.longest_run) == (False, 1)
    assert 0 < x.rank_error < 0.002
    assert abs(x.distinct - len(df)) < 0.06 * len(df)
    assert abs(x.quantiles[50]) < 0.03


def test_the_order_of_rows_shows_in_the_digest_only() -> None:
    df = houses()
    one, other = profile_rows([df]), profile_rows([df[::-1]])
    assert one.digest != other.digest
    assert one.contents == other.contents
    changed = df.assign(size=df["size"].where(df.index != 7, 1.0))
    assert profile_rows([changed]).contents != one.contents


def test_dates_are_microseconds_and_time_zones_are_moments() -> None:
    days = pd.Series(pd.to_datetime(["1970-01-02", None, "1970-01-03"], utc=True))
    born = profile_rows([pd.DataFrame({"born": days.dt.tz_convert("Europe/Berlin")})]).columns[0]
    day = 24 * 3600 * 1e6
    assert (born.kind, born.missing, born.minimum, born.maximum, born.mean) == ("date", 1, day, 2 * day, 1.5 * day)


def test_integers_booleans_and_categories_are_numbers_and_text() -> None:
    df = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64"), "b": [True, False, True], "c": pd.Categorical(["a", "b", "a"])})
    n, b, c = profile_rows([df]).columns
    assert (n.kind, n.missing, n.maximum) == ("number", 1, 3.0)
    assert (b.kind, b.mean) == ("number", pytest.approx(2 / 3))
    assert (c.kind, c.frequent) == ("text", (("a", 2), ("b", 1)))


def test_infinities_are_counted_and_huge_values_kept_finite() -> None:
    df = pd.DataFrame({"x": [math.inf, -math.inf, 1e308, -1e308, math.nan], "all": [math.inf] * 5})
    x, infinite = profile_rows([df]).columns
    assert (x.infinite, x.missing, x.minimum, x.maximum, x.mean, x.spread) == (2, 1, -1e308, 1e308, 0.0, 1e308)
    assert (infinite.infinite, infinite.distinct, infinite.minimum, infinite.quantiles) == (5, 0, None, ())


def test_no_rows_and_no_chunks_have_profiles_too() -> None:
    assert profile_rows([houses().head(0)]).rows == 0
    assert profile_rows([]).columns == ()


# ------------------------------------------------------------------------------------------------------------------- pii


def test_columns_marked_pii_keep_counts_and_no_value() -> None:
    profile = profile_rows([houses()], pii={"owner", "tax", "born"})
    text = profile.to_json()
    assert "secret" not in text
    assert "77700" not in text
    owner, tax, born = (column(profile, name) for name in ("owner", "tax", "born"))
    assert (owner.pii, owner.distinct, tax.distinct, born.distinct) == (True, 200, 9, 200)
    for hidden in (owner, tax, born):
        assert (hidden.minimum, hidden.mean, hidden.quantiles, hidden.frequent) == (None, None, (), ())
    assert column(profile, "size").mean is not None


# --------------------------------------------------------------------------------------------------------------- refusals


def test_chunks_of_two_tables_are_refused() -> None:
    df = houses()
    with pytest.raises(DataRefusedError, match=r"^rows 201 to 400 have other columns than those before; give one table at a time$"):
        profile_rows([df, df.rename(columns={"size": "area"})])


def test_a_column_that_becomes_text_is_refused_but_an_empty_piece_of_it_is_not() -> None:
    numbers, texts = pd.DataFrame({"x": [1.0, 2.0]}), pd.DataFrame({"x": pd.Series(["many"], dtype="str")})
    empty = pd.DataFrame({"x": [np.nan, np.nan]})
    with pytest.raises(DataRefusedError, match=r"^column 'x' is number up to row 2 and text after it; read it as one kind$"):
        profile_rows([numbers, texts])
    kept = profile_rows([empty, texts]).columns[0]
    assert (kept.kind, kept.missing) == ("text", 2)


# ------------------------------------------------------------------------------------------------------------------ JSON


@settings(max_examples=15)
@given(CELLS)
def test_a_profile_comes_back_from_json_as_it_was(cells: list[tuple[float, str | None, int | None]]) -> None:
    profile = profile_rows([table(cells)])
    text = profile.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert Profile.from_json(text, where="p.json") == profile


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"row": 3}, "p.json is not a profile: 'row': extra inputs are not permitted; take the profile again"),
        ({"rows": -1}, "p.json is not a profile: 'rows': input should be greater than or equal to 0; take the profile again"),
        ({"columns": [{"name": "x", "kind": "number", "mode": 1}]}, "'columns.0.mode': extra inputs are not permitted"),
        ({"columns": [{"name": "x", "kind": "colour"}]}, "'columns.0.kind': input should be 'number', 'date' or 'text'"),
    ],
)
def test_what_is_no_profile_is_refused_by_its_place(change: dict[str, object], told: str) -> None:
    text = json.dumps({**json.loads(profile_rows([houses()]).to_json()), **change})
    with pytest.raises(StoreError) as refused:
        Profile.from_json(text, where="p.json")
    assert told in refused.value.message
    assert refused.value.where == "p.json"
