"""How the rows of two versions differ: how many, of which time and batches, which columns, and how these are distributed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.gate import percent
from tasks.core.page import number, shorten
from tasks.core.retraining import distance

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.snapshot import Snapshot

SHOWN_SHIFTS = 5
SHOWN_NAMES = 8
MAX_VALUE = 30
SURE = 1.63  # of Kolmogorov's distribution: the distance of equal columns exceeds it once in 100 times


@dataclass(frozen=True)
class Origin:
    """Where the rows of a version come from.

    Attributes:
        lake: Versions of the tables of the lake, by name; empty where the rows are not from there.
        batches: Names of the batches that had come by then.
    """

    lake: Mapping[str, int | None]
    batches: Sequence[str] = ()


@dataclass(frozen=True)
class Shift:
    """How far a column of two tables lies apart.

    Attributes:
        column: Its name.
        effect: From 0 to 1: the largest distance of the distributions of numbers and dates (Kolmogorov-Smirnov), half the sum of the
            differences of the shares of categories, or the difference of the shares of missing values where that is larger.
        one: The first table's values in a few words; empty where they are personal.
        other: The second's.
    """

    column: str
    effect: float
    one: str
    other: str

    def __str__(self) -> str:
        """Say it on one line."""
        values = f"{self.one} → {self.other}, " if self.one or self.other else ""
        return f"{self.column}: {values}effect {self.effect:.2f}"


@dataclass(frozen=True)
class DataDifference:
    """How the rows of two versions differ.

    Attributes:
        rows: How many each has.
        times: From when until when they are, as text; empty where no column tells.
        lost: Columns that the second has no more.
        added: Columns that it has beside those of the first.
        target: The target's distribution.
        shifts: Other columns that are apart beyond chance, the furthest first.
        lake: Versions of the tables of the lake that differ, by name.
        batches: Names of the batches that only the first has, and only the second.
    """

    rows: tuple[int, int]
    times: tuple[str, str]
    lost: tuple[str, ...]
    added: tuple[str, ...]
    target: Shift | None
    shifts: tuple[Shift, ...]
    lake: Mapping[str, tuple[int | None, int | None]]
    batches: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "rows": list(self.rows),
            "times": list(self.times),
            "columns_lost": list(self.lost),
            "columns_added": list(self.added),
            "target": {**vars(self.target)} if self.target else None,
            "shifted": [{**vars(shift)} for shift in self.shifts],
            "lake": {name: list(pair) for name, pair in self.lake.items()},
            "batches": {"only_one": list(self.batches[0]), "only_other": list(self.batches[1])},
        }

    def told(self) -> list[tuple[str, str]]:
        """Say it as pairs of what and how, the shortest way."""
        lake = ", ".join(f"{name} {_version(one)} → {_version(other)}" for name, (one, other) in self.lake.items())
        alone = [f"{what} {_few(names)}" for what, names in zip(("without", "with"), self.batches, strict=True) if names]
        columns = [f"{what} {_few(names)}" for what, names in (("without", self.lost), ("with", self.added)) if names]
        pairs = {
            "rows": f"{self.rows[0]:,} → {self.rows[1]:,}",
            "time": f"{self.times[0]} → {self.times[1]}" if any(self.times) else "",
            "lake": lake,
            "batches": ", ".join(alone),
            "columns": ", ".join(columns),
            "target": str(self.target) if self.target else "",
            "shifted": "; ".join(map(str, self.shifts)) or "no column beyond chance",
        }
        return [(what, how) for what, how in pairs.items() if how]


def difference_of(
    frames: tuple[pd.DataFrame, pd.DataFrame],
    snapshots: tuple[Snapshot, Snapshot],
    origins: tuple[Origin, Origin],
    personal: Collection[str],
) -> DataDifference:
    """Compare all rows of two versions, those that judged too.

    Args:
        frames: Their rows.
        snapshots: What is known of these.
        origins: Where they come from.
        personal: Columns of which no value may be shown.
    """
    one, other = frames
    target = snapshots[1].schema.target
    both = [name for name in one.columns if name in other.columns]
    shifts = {name: _shift(one[name], other[name], is_personal=name in personal) for name in both}
    noise = SURE * math.sqrt(1 / max(1, len(one)) + 1 / max(1, len(other)))
    beyond = [shift for name, shift in shifts.items() if name != target and shift.effect > noise]
    times = tuple(_times(df, snapshot.schema.time, personal) for df, snapshot in zip(frames, snapshots, strict=True))
    lakes = {name: (origins[0].lake.get(name), origins[1].lake.get(name)) for name in {**origins[0].lake, **origins[1].lake}}
    return DataDifference(
        rows=(len(one), len(other)),
        times=(times[0], times[1]),
        lost=tuple(name for name in one.columns if name not in other.columns),
        added=tuple(name for name in other.columns if name not in one.columns),
        target=shifts.get(target),
        shifts=tuple(sorted(beyond, key=lambda shift: -shift.effect)[:SHOWN_SHIFTS]),
        lake={name: pair for name, pair in lakes.items() if pair[0] != pair[1]},
        batches=(_alone(*origins), _alone(*reversed(origins))),
    )


def _alone(one: Origin, other: Origin) -> tuple[str, ...]:
    return tuple(name for name in one.batches if name not in set(other.batches))


def _shift(one: pd.Series, other: pd.Series, *, is_personal: bool) -> Shift:
    sides = (one.dropna(), other.dropna())
    missing = abs(float(one.isna().mean()) - float(other.isna().mean())) if len(one) and len(other) else 0.0
    are_ordered = all(side.dtype.kind in "iufM" for side in (one, other))
    found = 0.0
    if all(len(side) for side in sides):
        found = distance(*map(_numbers, sides)) if are_ordered else _apart(*sides)
    words = ("", "") if is_personal else tuple(_words(side, is_ordered=are_ordered) for side in sides)
    return Shift(str(one.name), max(found, missing), words[0], words[1])


def _numbers(values: pd.Series) -> np.ndarray:
    import numpy as np

    return np.sort(values.astype("int64" if values.dtype.kind == "M" else "float64").to_numpy())


def _apart(one: pd.Series, other: pd.Series) -> float:
    """Give half the sum of the differences of the shares of values."""
    shares = [side.astype(str).value_counts(normalize=True) for side in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum()) / 2


def _words(values: pd.Series, *, is_ordered: bool) -> str:
    if not len(values):
        return "all missing"
    if values.dtype.kind == "M":
        return f"middle {values.sort_values().iloc[len(values) // 2]:%Y-%m-%d}"
    if is_ordered:
        return f"mean {number(float(values.mean()))}"
    counts = values.astype(str).value_counts(normalize=True)
    return f"'{shorten(str(counts.index[0]), MAX_VALUE)}' {percent(float(counts.iloc[0]))}"


def _times(df: pd.DataFrame, time: str | None, personal: Collection[str]) -> str:
    if time is None or time in personal or time not in df or not df[time].notna().any():
        return ""
    first, last = df[time].min(), df[time].max()
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}" if df[time].dtype.kind == "M" else f"{first} to {last}"


def _version(version: int | None) -> str:
    return "none" if version is None else str(version)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")
