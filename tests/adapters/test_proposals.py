"""What is proposed, judged by Great Expectations itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import sources, suites
from tasks.core.profiles import profile_rows
from tasks.core.proposals import propose_suite
from tasks.core.reading import reader
from tasks.core.reading.terms import ReadingOptions
from tasks.core.schema import infer_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tasks.core.validation import ExpectationResult


def read(name: str) -> pd.DataFrame:
    options = ReadingOptions()
    return reader.read(sources.load(f"sklearn:{name}", options), options, sources.split_columns).table.df


def houses() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(300.0),
            "ts": pd.date_range("2024-01-01", periods=300, freq="h").as_unit("us"),
            "size": random.normal(80, 15, 300),
            "colour": pd.Series(random.choice(["red", "blue", None], 300), dtype="str"),
            "owner": pd.Series([f"Ann {place}" for place in range(300)], dtype="str"),
            "price": random.lognormal(12, 0.3, 300),
        }
    )


def evaluate(df: pd.DataFrame, table: pd.DataFrame, folder: Path, key: Sequence[str] = ()) -> list[ExpectationResult]:
    """Judge rows by the suite that is proposed for a table."""
    path = folder / "proposed.json"
    path.write_text(propose_suite("proposed", profile_rows([table]), infer_schema(table), key=key).to_json(), encoding="utf-8")
    return list(suites.evaluate(df, path))


def consequences(results: Sequence[ExpectationResult]) -> dict[str, str]:
    return {result.expectation: result.consequence for result in results if result.consequence != "none"}


@pytest.mark.parametrize("name", ["diabetes", "wine", "breast_cancer", "iris"])
def test_a_bundled_table_passes_what_is_proposed_for_it(name: str, tmp_path: Path) -> None:
    df = read(name)
    results = evaluate(df, df, tmp_path)
    assert consequences(results) == {}
    assert len(results) > len(df.columns)


def test_a_table_of_every_kind_passes_and_its_missing_values_are_no_news(tmp_path: Path) -> None:
    assert consequences(evaluate(houses(), houses(), tmp_path, key=["id"])) == {}
    assert consequences(evaluate(houses(), houses(), tmp_path, key=["id", "ts"])) == {}


def test_what_cannot_be_drift_is_refused(tmp_path: Path) -> None:
    df = houses()
    without = evaluate(df.drop(columns="size"), df, tmp_path)
    assert "refused" in consequences(without[:1]).values()
    text = consequences(evaluate(df.assign(size=pd.Series(["large"] * 300, dtype="str")), df, tmp_path))
    assert text["'size': column values to be of type type_=float64"] == "refused"


def test_a_key_that_comes_twice_is_told_and_left_to_the_lake(tmp_path: Path) -> None:
    df = houses()
    twice = consequences(evaluate(df.assign(id=[0.0, *range(299)]), df, tmp_path, key=["id"]))
    assert twice == {"'id': column values to be unique": "reported"}


def test_rows_without_a_key_are_set_aside_and_the_others_are_not(tmp_path: Path) -> None:
    df = houses()
    for key in (["id"], ["id", "ts"]):
        found = evaluate(df.assign(id=df["id"].where(df.index > 1)), df, tmp_path, key=key)
        assert consequences(found) == {"'id': column values to not be null": "quarantined"}
        assert sum(len(result.failing_rows) for result in found) == 2


def test_drift_is_reported_and_sets_no_row_aside(tmp_path: Path) -> None:
    df = houses()
    drifted = df.assign(size=df["size"] + 500, price=df["price"] * 50, colour=df["colour"].replace("red", "green"))
    found = consequences(evaluate(drifted.assign(size=drifted["size"].where(df.index > 9)), df, tmp_path, key=["id"]))
    assert set(found.values()) == {"reported"}
    assert [name.split(":")[0] for name in found] == ["'size'", "'size'", "'colour'", "'price'"]
    assert "'size': column values to not be null mostly=0.99" in found


def test_what_is_of_no_use_to_a_model_is_no_news(tmp_path: Path) -> None:
    df = houses()
    other = df.assign(id=df["id"] + 9000, owner=df["owner"].where(df.index > 99), price=df["price"].where(df.index > 99))
    assert consequences(evaluate(other, df, tmp_path)) == {}
    empty = consequences(evaluate(df.assign(colour=df["colour"].where(df.index < 90)), df, tmp_path, key=["id"]))
    assert list(empty.values()) == ["reported"]
