"""Where a model errs most: its loss on parts of the gate rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.core.metrics import Interval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy as np
    import pandas as pd

MIN_ROWS = 20
SLICED_FEATURES = 8
MAX_CATEGORIES = 12
BINS = 4
CHANCE = 0.05  # that any slice at all is called worse by mistake


@dataclass(frozen=True)
class Slice:
    """The rows in which a feature is something.

    Attributes:
        feature: Its name.
        values: What it is there, in words.
        rows: How many there are.
        loss: Their mean loss.
        is_worse: Whether that is more than on the other rows, beyond what the worst of so many slices would be by chance.
    """

    feature: str
    values: str
    rows: int
    loss: Interval
    is_worse: bool


def error_by_slice(X: pd.DataFrame, losses: np.ndarray, features: Sequence[str]) -> list[Slice]:
    """Compare the losses of rows by categories and by quarters of numbers, the largest loss first.

    Whether a slice is worse than the rest is tested with Holm's correction for the number of slices.

    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"kind": ["a"] * 50 + ["b"] * 50})
    >>> [(part.values, part.is_worse) for part in error_by_slice(X, np.arange(100.0), ["kind"])]
    [("'b'", True), ("'a'", False)]
    """
    found = [(name, words, inside) for name in features for words, inside in _parts(X[name])]
    chances = [_chance_of(losses[inside], losses[~inside]) for _, _, inside in found]
    worse = holm(chances, CHANCE)
    slices = [
        Slice(name, words, int(inside.sum()), _interval(losses[inside]), is_worse)
        for (name, words, inside), is_worse in zip(found, worse, strict=True)
    ]
    return sorted(slices, key=lambda part: -part.loss.value)


def _parts(values: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    """Yield parts of enough rows that leave enough others, with what they have in common."""
    for words, inside in named_parts(values):
        if MIN_ROWS <= inside.sum() <= len(inside) - MIN_ROWS:
            yield words, inside


def named_parts(values: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the categories, or the quarters of numbers and dates, with what their rows have in common; without a floor of rows."""
    import numpy as np

    missing = values.isna().to_numpy()
    yield "missing", missing
    present = values[~missing]
    if values.dtype.kind not in "fM":
        for value in present.value_counts().index[:MAX_CATEGORIES]:
            yield f"'{value}'", (values == value).to_numpy(dtype=bool)
    elif present.nunique() <= BINS:
        for value in np.unique(present):
            yield _shown(value), (values == value).to_numpy()
    else:
        cuts = np.unique(present.quantile(np.linspace(0, 1, BINS + 1)[1:-1], interpolation="nearest"))
        yield f"up to {_shown(cuts[0])}", (values <= cuts[0]).to_numpy()
        for low, high in pairwise(cuts):
            yield f"above {_shown(low)} to {_shown(high)}", ((values > low) & (values <= high)).to_numpy()
        yield f"above {_shown(cuts[-1])}", (values > cuts[-1]).to_numpy()


def _shown(value: float | np.datetime64) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)[:16].replace("T", " ")


def _interval(losses: np.ndarray) -> Interval:
    mean = float(losses.mean())
    reach = 1.96 * float(losses.std(ddof=1)) / len(losses) ** 0.5
    return Interval(mean, max(0.0, mean - reach), mean + reach)


def _chance_of(inside: np.ndarray, others: np.ndarray) -> float:
    """Give the chance that a part which is no worse looks as bad (Welch's test, large samples)."""
    from math import erfc, sqrt

    error = sqrt(float(inside.var(ddof=1)) / len(inside) + float(others.var(ddof=1)) / len(others))
    difference = float(inside.mean() - others.mean())
    return 0.5 * erfc(difference / error / sqrt(2)) if error else float(difference <= 0)


def column_of(given: str, columns: Collection[str]) -> tuple[str, str | None]:
    """Take a slice as a person writes it apart: a column, and one value of it or None for all.

    >>> column_of("region", ["region"]), column_of("region=north", ["region"]), column_of("a=b", ["a=b"])
    (('region', None), ('region', 'north'), ('a=b', None))
    """
    if given in columns or "=" not in given:
        return given, None
    name, _, value = given.partition("=")
    return name, value


def parts_of(given: str, rows: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the column, the words and the rows of each part that a slice, as a person writes it, stands for."""
    name, value = column_of(given, [*rows.columns])
    if value is None:
        yield from ((name, words, inside) for words, inside in named_parts(rows[name]))
    elif rows[name].dtype.kind == "f":
        yield name, value, (rows[name] == _as_number(value)).to_numpy(dtype=bool)
    else:
        yield name, f"'{value}'", (rows[name].astype("str") == value).to_numpy(dtype=bool)


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def holm(chances: Sequence[float], rate: float) -> list[bool]:
    """Say which chances are too small to be chance, so that there is an error among all of them at that rate at most (Holm 1979).

    >>> holm([0.04, 0.01, 0.03], 0.05)
    [False, True, False]
    """
    refused = [False] * len(chances)
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda place: chances[place])):
        if chances[place] > rate / (len(chances) - rank):
            break
        refused[place] = True
    return refused
