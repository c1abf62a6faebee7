"""Count false incidents on tables with nothing wrong, and planted faults that are found.

Usage: python benchmarks/incidents.py FOLDER. Every CSV in the folder is cut into 24 batches in its order; the first six
together are the reference. Each later batch is inspected as it is, with and without those before it, and then with one
fault planted in one column: each fault in each column of numbers (text too, where a fault is about missing values or constants).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from tasks.core.findings import Arrival
from tasks.core.incidents import inspect_batch
from tasks.core.profiles import Profile, profile_rows

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES, FIRST = 24, 6


def blank(values: pd.Series) -> pd.Series:
    """Lose 60 % of the values."""
    lost = np.random.default_rng(len(values)).random(len(values)) < 0.6
    return values.where(~lost)


def stick(values: pd.Series) -> pd.Series:
    """Repeat the first value."""
    return pd.Series([values.dropna().iloc[0]] * len(values), dtype=values.dtype)


FAULTS: dict[str, tuple[str, Callable[[pd.Series], pd.Series]]] = {
    "x1000": ("unit-changed", lambda values: values * 1000),
    "x0.001": ("unit-changed", lambda values: values / 1000),
    "x100": ("unit-changed", lambda values: values * 100),
    "x10": ("unit-changed", lambda values: values * 10),
    "°C to °F": ("unit-changed", lambda values: values * 1.8 + 32),
    "°F to °C": ("unit-changed", lambda values: (values - 32) / 1.8),
    "60 % missing": ("values-missing", blank),
    "constant": ("values-constant", stick),
}
DRIFTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "shift by 1 sd": lambda values: values + values.std(),
    "shift by 3 sd": lambda values: values + 3 * values.std(),
    "30 % more": lambda values: values * 1.3,
    "twice": lambda values: values * 2.013,
    "spread x2": lambda values: (values - values.mean()) * 2.03 + values.mean(),
    "spread x5": lambda values: (values - values.mean()) * 5.07 + values.mean(),
    "upper half": lambda values: values.clip(lower=values.median()),
}


def as_written(values: pd.Series, like: pd.Series) -> pd.Series:
    """Round a drifted column as its own values are: those that drift are measured anew, not multiplied."""
    decimals = next((d for d in range(6) if like.round(d).equals(like)), 6)
    return values.round(decimals)


def is_temperature(values: pd.Series) -> bool:
    """Say whether values could be temperatures in °C or °F."""
    return values.quantile(0.01) > -90 and values.quantile(0.99) < 100 and values.nunique() > 10 and values.std() > 1


def read(path: Path) -> pd.DataFrame:
    """Read a table as the project does: numbers, dates and text."""
    df = pd.read_csv(path, float_precision="round_trip")
    for name in df.columns:
        if name == "ts" and not pd.api.types.is_numeric_dtype(df[name]):
            dates = pd.to_datetime(df[name], format="mixed", dayfirst=not str(df[name].iloc[0])[:4].isdigit())
            df[name] = dates.astype("datetime64[us]")
        else:
            df[name] = df[name].astype("float64" if pd.api.types.is_numeric_dtype(df[name]) else "str")
    return df


def profile(df: pd.DataFrame) -> Profile:
    """Profile one batch."""
    return profile_rows([df])


def measure(path: Path) -> None:
    """Print what is found in one table."""
    df = read(path)
    time = "ts" if "ts" in df else None
    batches = [df.iloc[rows].reset_index(drop=True) for rows in np.array_split(np.arange(len(df)), BATCHES)]
    arrivals = [Arrival(f"batch {number}", profile(batch)) for number, batch in enumerate(batches)]
    reference = profile_rows(batches[:FIRST])
    false, alone, found, tried, elsewhere = Counter(), Counter(), Counter(), Counter(), Counter()
    for number in range(FIRST, BATCHES):
        before = arrivals[:number]
        clean = inspect_batch(arrivals[number], reference, before, time=time).findings
        for finding in clean:
            false[f"{finding.severity} {finding.code} {finding.column}"] += 1
        alone.update(f"{f.severity} {f.code} {f.column}" for f in inspect_batch(arrivals[number], reference, time=time).findings)
        repeated = inspect_batch(arrivals[number - 1], reference, before, time=time).findings
        found["repeated"] += any(finding.code == "batch-repeated" for finding in repeated)
        tried["repeated"] += 1
        if (number - FIRST) % 4:
            continue  # planting takes minutes
        for name in df.columns.drop(time or []):
            is_number = df[name].dtype.kind == "f"
            plants = {kind: plant for kind, (_, plant) in FAULTS.items() if is_number or kind in ("60 % missing", "constant")}
            drifts = DRIFTS if is_number else {}
            for kind, plant in {**plants, **drifts}.items():
                values = batches[number][name]
                planted = as_written(plant(values), values) if kind in DRIFTS else plant(values)
                if planted.equals(values) or ("°" in kind and not is_temperature(values)) or (is_number and values.nunique() < 2):
                    continue  # nothing is changed, or it is no such fault
                changed = profile(batches[number][[name]].assign(**{name: planted})).columns[0]
                columns = tuple(changed if column.name == name else column for column in arrivals[number].profile.columns)
                now = arrivals[number].profile.model_copy(update={"columns": columns, "digest": "", "contents": ""})
                told = inspect_batch(Arrival("now", now), reference, before, time=time).findings
                code = FAULTS[kind][0] if kind in FAULTS else "unit-changed"
                tried[kind] += 1
                hits = [finding for finding in told if finding.code == code and finding.column == name]
                found[kind] += bool(hits)
                if bool(hits) == (kind in DRIFTS):
                    print(f"    {kind} in '{name}' of batch {number}: {hits[0].message if hits else 'not found'}")
                elsewhere[kind] += any(f.column != name and f not in clean for f in told)
    print(f"{path.stem}: {len(df)} rows; false: {dict(false) or 'none'}; without history: {dict(alone) or 'none'}")
    for kind in tried:
        print(f"    {kind:14} {found[kind]:4} of {tried[kind]:4}" + (f"  (other columns {elsewhere[kind]})" if elsewhere[kind] else ""))
    TOTAL.update(found)
    TRIED.update(tried)


TOTAL, TRIED = Counter(), Counter()
for file in sorted(Path(sys.argv[1]).glob("*.csv")):
    measure(file)
print("together: " + ", ".join(f"{kind} {TOTAL[kind]} of {TRIED[kind]}" for kind in TRIED))
