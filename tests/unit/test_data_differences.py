from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.core.data_differences import DataDifference, Origin, difference_of
from tasks.core.results import RowCounts
from tasks.core.schema import infer_schema
from tasks.core.snapshot import Snapshot
from tasks.core.validation import Validation

RNG = np.random.default_rng(0)


def table(rows: int, start: str, *, shift: float = 0.0, city: str = "Rome") -> pd.DataFrame:
    times = pd.date_range(start, periods=rows, freq="h", unit="us")
    a, b = RNG.normal(shift, 1, rows), RNG.normal(0, 1, rows)
    return pd.DataFrame({"when": times, "a": a, "b": b, "town": [city, "Oslo", "Oslo", "Oslo"] * (rows // 4), "y": a + b})


def snapshot(df: pd.DataFrame, digest: str) -> Snapshot:
    return Snapshot(Path(digest), digest, "boilers.csv", infer_schema(df, target="y"), RowCounts(read=len(df)), Validation(suite=""))


def apart(
    one: pd.DataFrame, other: pd.DataFrame, origins: tuple[Origin, Origin] = (Origin({}), Origin({})), personal: tuple[str, ...] = ()
) -> DataDifference:
    return difference_of((one, other), (snapshot(one, "aa"), snapshot(other, "bb")), origins, personal)


def test_rows_times_columns_and_what_is_shifted_beyond_chance_are_told_the_furthest_first() -> None:
    one, other = table(400, "2024-01-01"), table(800, "2024-02-01", shift=1.0, city="Bonn")
    found = apart(one.assign(old=1.0), other.assign(new="x"))
    assert (found.rows, found.lost, found.added) == ((400, 800), ("old",), ("new",))
    assert found.times == ("2024-01-01 00:00 to 2024-01-17 15:00", "2024-02-01 00:00 to 2024-03-05 07:00")
    assert [shift.column for shift in found.shifts] == ["when", "a", "town"]
    assert found.shifts[2].effect == 0.25
    assert (found.shifts[2].one, found.shifts[2].other) == ("'Oslo' 75.0 %", "'Oslo' 75.0 %")
    assert found.target is not None
    assert found.target.effect > 0.2
    told = dict(found.told())
    assert told["rows"] == "400 → 800"
    assert told["columns"] == "without old, with new"
    assert told["shifted"].startswith("when: middle 2024-01-09 → middle 2024-02-17, effect 1.00; a: mean ")
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["columns_lost"] == ["old"]


def test_what_chance_makes_is_not_told_as_a_shift() -> None:
    found = apart(table(400, "2024-01-01"), table(400, "2024-01-01"))
    assert found.shifts == ()
    assert dict(found.told())["shifted"] == "no column beyond chance"


def test_of_personal_columns_only_the_effect_is_told() -> None:
    found = apart(table(400, "2024-01-01"), table(400, "2024-01-01", city="Bonn"), personal=("town", "y", "when"))
    assert [str(shift) for shift in found.shifts] == ["town: effect 0.25"]
    assert found.target is not None
    assert (found.target.one, found.target.other, found.times) == ("", "", ("", ""))


def test_values_that_are_missing_now_are_a_shift() -> None:
    one = table(400, "2024-01-01")
    found = apart(one, one.assign(b=one["b"].where(one.index % 2 == 0), town=None))
    assert [(shift.column, round(shift.effect, 2)) for shift in found.shifts] == [("town", 1.0), ("b", 0.5)]
    assert found.shifts[0].other == "all missing"


def test_versions_of_the_lake_and_batches_that_only_one_has_are_named() -> None:
    one = table(400, "2024-01-01")
    origins = (Origin({"observations": 3, "labels": None}, ("jan.csv",)), Origin({"observations": 5, "labels": 1}, ("jan.csv", "feb.csv")))
    found = apart(one, one, origins)
    told = dict(found.told())
    assert told["lake"] == "observations 3 → 5, labels none → 1"
    assert told["batches"] == "with feb.csv"
    assert apart(one, one, (origins[1], origins[0])).batches == (("feb.csv",), ())
