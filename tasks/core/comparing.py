"""Two versions of a use case side by side: how well they predict the same rows, where they disagree, what they are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import charts
from tasks.core.gate import percent, signed_percent
from tasks.core.page import Facts, Figure, Page, Section, Table, Text, Verdict, number, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.data_differences import DataDifference
    from tasks.core.gate import Comparison
    from tasks.core.metrics import Interval, Prediction

SHOWN_FLIPS = 20
SHOWN_POINTS = 2000
SHOWN_COLUMNS = 8


@dataclass(frozen=True)
class Origin:
    """What a version is made from.

    Attributes:
        version: Its number.
        params: Of its run.
        packages: With their versions.
        commit: Of the code; empty where that was no checkout.
        snapshot: Digest of its rows.
        fitted_rows: Hashes of the rows that its judged fit saw, uint64.
    """

    version: int
    params: Mapping[str, str]
    packages: tuple[str, ...]
    commit: str
    snapshot: str
    fitted_rows: np.ndarray


@dataclass(frozen=True)
class Sides:
    """Two versions on the rows that neither was fitted on.

    Attributes:
        use_case: Whose versions.
        one: The first.
        other: The second; differences are this less the first.
        rows: The cells of the rows that judged, those of personal columns left out.
        y: Their true values.
        said: What the two predict.
        metrics: By name the two values and their difference.
        compared: Losses of the second against those of the first.
        page: The file that shows it.
        apart: How their rows differ; None where those of one are no longer stored.
    """

    use_case: str
    one: Origin
    other: Origin
    rows: pd.DataFrame
    y: np.ndarray
    said: tuple[Prediction, Prediction]
    metrics: Mapping[str, tuple[float, float, Interval]]
    compared: Comparison
    page: str = ""
    apart: DataDifference | None = None

    @property
    def flips(self) -> dict[str, int]:
        """Count the rows by who is right, or where numbers are predicted by who is nearer."""
        import numpy as np

        one, other = self._are_right
        told = {"only_one": one & ~other, "only_other": other & ~one, "both": one & other, "neither": ~one & ~other}
        if self._is_regression:
            told = {"only_one": one & ~other, "only_other": other & ~one, "both": one & other}
        return {name: int(np.sum(those)) for name, those in told.items()}

    @property
    def _is_regression(self) -> bool:
        return self.said[0].proba is None

    @property
    def _are_right(self) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        if not self._is_regression:
            return self.said[0].values == self.y, self.said[1].values == self.y
        one, other = (np.abs(said.values - self.y) for said in self.said)
        return one <= other, other <= one

    @property
    def changed(self) -> dict[str, tuple[str, str]]:
        """Name what the two are made from differently: parameters, packages, code."""
        told = {name: (self.one.params.get(name, ""), self.other.params.get(name, "")) for name in {**self.one.params, **self.other.params}}
        told["commit"] = (self.one.commit, self.other.commit)
        return {name: pair for name, pair in told.items() if pair[0] != pair[1]} | changes(self.one.packages, self.other.packages)

    @property
    def data(self) -> dict[str, int]:
        """Count the different rows that the two were fitted on: both, and each alone."""
        import numpy as np

        one, other = (np.unique(side.fitted_rows) for side in (self.one, self.other))
        both = len(np.intersect1d(one, other, assume_unique=True))
        return {"both": both, "only_one": len(one) - both, "only_other": len(other) - both}

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        measured = {
            name: {"one": _finite(one), "other": _finite(other), "difference": found.as_json()}
            for name, (one, other, found) in self.metrics.items()
        }
        return {
            "use_case": self.use_case,
            "one": self.one.version,
            "other": self.other.version,
            "rows": len(self.y),
            "loss": self.compared.as_json(),
            "identical": self.compared.identical,
            "metrics": measured,
            "flips": self.flips,
            "changed": {name: list(pair) for name, pair in self.changed.items()},
            "page": self.page,
            "data": {
                "snapshots": [self.one.snapshot, self.other.snapshot],
                "rows": self.data,
                "difference": self.apart.as_json() if self.apart else None,
            },
        }

    def as_text(self) -> str:
        """Give what a person reads."""
        one, other, data = f"version {self.one.version}", f"version {self.other.version}", self.data
        metrics = [
            f"{name:<18} {number(before):>10} → {number(now):>10}   {_signed(found)}" for name, (before, now, found) in self.metrics.items()
        ]
        alone = f"{data['only_one']:,} by {one} alone, {data['only_other']:,} by {other} alone"
        told = [
            f"{self.use_case}: {other} against {one}, on {len(self.y):,} rows that neither was fitted on",
            f"verdict     {self.verdict}",
            *_under("measured", metrics),
            f"rows        {self.told_flips}",
            *_under("data", [f"{data['both']:,} rows fitted by both, {alone}", *(f"{what}: {how}" for what, how in self.told_data)]),
            *_under("differs", [f"{name}: {_shown(pair)}" for name, pair in self.changed.items()]),
            f"page        {self.page}",
        ]
        return "\n".join(told)

    @property
    def verdict(self) -> str:
        """Say in one sentence which is better, if that can be said."""
        if self.compared.identical:
            return "they predict the same"
        if not self.compared.rows:
            return "there is no row that neither was fitted on, so nothing can be said of who is better"
        share = f"loss {signed_percent(self.compared.difference)} ± {percent(self.compared.half_width)}"
        sure = abs(self.compared.difference) > self.compared.half_width
        better = self.other.version if self.compared.difference < 0 else self.one.version
        return f"version {better} is better ({share})" if sure else f"no difference beyond noise ({share})"

    @property
    def told_data(self) -> list[tuple[str, str]]:
        """Say how their rows differ."""
        if self.apart is None:
            return [("difference", "the rows of one of them are no longer stored here, so nothing more can be said")]
        return [] if self.one.snapshot == self.other.snapshot else self.apart.told()

    @property
    def told_flips(self) -> str:
        """Say where they disagree."""
        flips = self.flips
        right = "nearer" if self._is_regression else "right"
        one = f"{flips['only_one']:,} where only version {self.one.version} is {right}"
        other = f"{flips['only_other']:,} where only version {self.other.version} is"
        neither = f", {flips['neither']:,} where neither is" if "neither" in flips else ""
        return f"{one}, {other}, {flips['both']:,} where both are{neither}"


def build_page(sides: Sides) -> str:
    """Give the comparison as HTML; of personal columns it shows no values."""
    names = (f"version {sides.one.version}", f"version {sides.other.version}")
    rows = [(name, number(one), number(other), _signed(found)) for name, (one, other, found) in sides.metrics.items()]
    changed = [(name, *pair) for name, pair in sides.changed.items()]
    data = sides.data
    facts = Facts((("Rows that judge", f"{len(sides.y):,}"), ("Fitted by both", f"{data['both']:,}"), *_alone(names, data)))
    sections = [
        Section("How well", (facts, Table("Metrics on the same rows", ("metric", *names, "difference, 95 %"), rows))),
        Section("Where they disagree", (Text(sides.told_flips), *_plots(sides, names), *_flipped(sides, names))),
        Section("Their rows", (Table("How they differ", ("what", "how"), sides.told_data),) if sides.told_data else (Text("The same."),)),
        Section("What they are made from", (Table("What differs", ("what", *names), changed),) if changed else (Text("Nothing differs."),)),
    ]
    title = f"{sides.use_case}: {names[1]} against {names[0]}"
    return render(Page(title=title, verdict=Verdict("neutral", "Compared", sides.verdict), sections=tuple(sections)))


def _alone(names: tuple[str, str], data: Mapping[str, int]) -> Sequence[tuple[str, str]]:
    return tuple((f"By {name} alone", f"{data[key]:,}") for name, key in zip(names, ("only_one", "only_other"), strict=True))


def _plots(sides: Sides, names: tuple[str, str]) -> list[Figure]:
    """Draw what one says against what the other says: numbers, or the probability of the last class."""
    one, other = (said.values if said.proba is None else said.proba[:, -1] for said in sides.said)
    what = "prediction" if sides.said[0].proba is None else f"probability of {sides.said[0].classes[-1]}"
    step = max(1, len(one) // SHOWN_POINTS)
    chart = charts.scatter_chart(one[::step].tolist(), other[::step].tolist(), title="What both say", x_title=names[0], y_title=names[1])
    return [Figure(f"The {what} of both; on the diagonal they agree", chart)] if len(one) else []


def _flipped(sides: Sides, names: tuple[str, str]) -> list[Table]:
    """List the rows on which they differ most, with the first columns."""
    import numpy as np

    one, other = (said.values if said.proba is None else said.proba for said in sides.said)
    apart = np.abs(one - other) if sides.said[0].proba is None else np.abs(one - other).max(axis=1)
    most = [int(place) for place in np.argsort(-apart, kind="stable")[:SHOWN_FLIPS] if apart[place] > 0]
    columns = list(sides.rows.columns[:SHOWN_COLUMNS])
    said = [sides.y, *(each.values for each in sides.said)]
    cells = [(*map(_cell, sides.rows.iloc[place][columns]), *(_cell(values[place]) for values in said)) for place in most]
    return [Table("The rows on which they differ most", (*columns, "true", *names), cells)] if cells else []


def changes(one: Sequence[str], other: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name the packages that two lists of pins have in different versions.

    >>> changes(["numpy==2.4.6", "scipy==1.17.1"], ["numpy==2.5.0", "scipy==1.17.1"])
    {'numpy': ('2.4.6', '2.5.0')}
    """
    before, now = _versions_of(one), _versions_of(other)
    told = {name: (before.get(name, ""), now.get(name, "")) for name in {**before, **now}}
    return {name: pair for name, pair in told.items() if pair[0] != pair[1]}


def _versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Take pins apart: by name the version."""
    return {name: version for name, _, version in (package.partition("==") for package in packages)}


def _under(heading: str, lines: Sequence[str]) -> list[str]:
    """Write lines of which the first stands behind its heading."""
    return [f"{'' if place else heading:<11} {line}" for place, line in enumerate(lines)]


def _cell(value: object) -> str:
    return number(float(value)) if isinstance(value, float) else str(value)


def _signed(found: Interval) -> str:
    return f"{'+' * (found.value > 0)}{number(found.value)} ({number(found.low)} to {number(found.high)})"


def _shown(pair: tuple[str, str]) -> str:
    return " → ".join(value or "nothing" for value in pair)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
