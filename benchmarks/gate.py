"""What the gate lets through, by simulation: rates with 95 % intervals, beside what is allowed.

Run: python benchmarks/gate.py [TABLE...] (files whose last column is the target; without any, what comes with scikit-learn)
Losses are drawn (or taken from two real models), a challenger is made better or worse by a share of the champion's mean loss, and
the very checks of the gate decide.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from tasks.core import checks, gate
from tasks.core.checks import Material, Pair
from tasks.core.gate_settings import Gate
from tasks.core.metrics import Prediction
from tasks.core.table import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.core.table import Task

TOLERANCE = 0.02
SPREAD = 0.5
DRAWS = 4000
YEARS = 1000
WEEKS = 52
TRIES = 20
BUDGETS = 1000
RATES = ("5 % worse, promoted", "equal, refused", "5 % better, promoted")
BUNDLED = ("friedman1 (simulated)", "breast_cancer", "digits")


@dataclass(frozen=True)
class Rate:
    """How often something happened."""

    count: int
    of: int

    def __str__(self) -> str:
        """Write the rate with its interval (Wilson 1927)."""
        share, z2 = self.count / self.of, 1.96**2
        middle = (share + z2 / (2 * self.of)) / (1 + z2 / self.of)
        half = 1.96 * math.sqrt(share * (1 - share) / self.of + z2 / (4 * self.of**2)) / (1 + z2 / self.of)
        return f"{share:6.1%} ({max(0.0, middle - half):.1%} to {middle + half:.1%})"


def main(tables: list[str]) -> None:
    """Print the rates on drawn and on real losses, of repeated looks, and of a year of small losses."""
    random = np.random.default_rng(0)
    print(f"{'rows that judge':<48}" + "".join(f"{each:>26}" for each in RATES) + f"{'resolution':>12}{'noticed':>26}")
    for error in (0.01, 0.015, 0.03, 0.05):
        rows = round((SPREAD / error) ** 2)
        told = f"drawn, {rows:,} rows, s = {error:.1%}"
        show(told, lambda shift, rows=rows: drawn(random, rows, shift))
    print("allowed at s = 1.5 %: at most 5 %, at most 10 %, at least 95 %; the resolution is to be noticed four times out of five\n")
    for table in tables or BUNDLED:
        champion, challenger = losses_of(table)
        spread = float(((challenger - champion) / champion.mean()).std())
        for error in (0.015, 0.03):
            rows = round((spread / error) ** 2)
            told = f"{Path(table).name}, {rows:,} rows, s = {error:.1%}"
            show(told, lambda shift, rows=rows, pair=(champion, challenger): sampled(random, *pair, rows, shift))
    budget(random)
    tries = Rate(sum(any(promoted_in_tries(random)) for _ in range(YEARS)), YEARS)
    print(f"\n{TRIES} tries of a model that is 5 % worse on the same rows: one promoted in {tries}, allowed 5 %")
    for told, is_relative in (("than the champion", True), ("than the one before", False)):
        ends = np.array([year(random, is_relative=is_relative) for _ in range(YEARS)])
        worst = Rate(int((ends > 0.0501).sum()), YEARS)
        print(
            f"{WEEKS} weekly challengers, each 1 % worse {told}: {ends.mean():.1%} below the anchor in the mean, "
            f"95 % of years within {np.quantile(ends, 0.95):.0%}; more than 5 % below in {worst}"
        )


def show(told: str, draw: Callable[[float], tuple[np.ndarray, np.ndarray]]) -> None:
    """Print the three rates, and whether a loss of the size of the announced resolution is noticed."""
    worse, equal, better = (sum(is_promoted(*draw(shift)) for _ in range(DRAWS)) for shift in (0.05, 0.0, -0.05))
    resolution = float(np.mean([compared(*draw(0.0)).resolution(TOLERANCE) for _ in range(200)]))
    noticed = DRAWS - sum(is_promoted(*draw(resolution)) for _ in range(DRAWS))
    rates = [Rate(count, DRAWS) for count in (worse, DRAWS - equal, better)]
    print(f"{told:<48}" + "".join(f"{rate!s:>26}" for rate in rates) + f"{resolution:>12.1%}{Rate(noticed, DRAWS)!s:>26}", flush=True)


def drawn(random: np.random.Generator, rows: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw the losses of a challenger that is worse by a share, and of a champion, whose differences spread by `SPREAD`."""
    champion = random.exponential(size=rows)
    return champion + shift + SPREAD * random.standard_normal(rows), champion


def sampled(
    random: np.random.Generator, champion: np.ndarray, challenger: np.ndarray, rows: int, shift: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of real losses, with the challenger's moved so that it is worse by a share over all rows."""
    moved = challenger - challenger.mean() + (1 + shift) * champion.mean()
    chosen = random.integers(len(champion), size=rows)
    return moved[chosen], champion[chosen]


def compared(challenger: np.ndarray, champion: np.ndarray) -> gate.Comparison:
    """Compare as the gate does where rows have no order."""
    return gate.compare(challenger, champion, blocks=0)


def is_promoted(challenger: np.ndarray, champion: np.ndarray) -> bool:
    """Ask the gate at a first look."""
    return gate.check_not_worse(compared(challenger, champion), TOLERANCE).outcome == "passed"


def promoted_in_tries(random: np.random.Generator) -> list[bool]:
    """Try challengers that are 5 % worse on the same rows, one after the other."""
    rows = round((SPREAD / 0.015) ** 2)
    champion = random.exponential(size=rows)
    tried = [compared(champion + 0.05 + SPREAD * random.standard_normal(rows), champion) for _ in range(TRIES)]
    checks = [(gate.check_not_worse(found, TOLERANCE), gate.check_looks(found, look)) for look, found in enumerate(tried, start=1)]
    return [all(check.outcome != "failed" for check in each) for each in checks]


def year(random: np.random.Generator, *, is_relative: bool) -> float:
    """Let challengers come week after week, each judged on rows of its own, and say how far the champion is below the anchor."""
    rows, below = round((SPREAD / 0.015) ** 2), 0.0
    for week in range(1, WEEKS + 1):
        level = below + 0.01 if is_relative else 0.01 * week
        anchor = random.exponential(size=rows)
        champion = anchor + below + SPREAD * random.standard_normal(rows) if below else anchor
        challenger = anchor + level + SPREAD * random.standard_normal(rows)
        checks = [gate.check_not_worse(compared(challenger, champion), TOLERANCE)]
        checks += [gate.check_anchor(compared(challenger, anchor), TOLERANCE)] if below else []
        if all(check.outcome == "passed" for check in checks):
            below = level
    return below


def budget(random: np.random.Generator) -> None:
    """Print how often any check finds something about a challenger that is like the champion, and about one that fails in one region."""
    heads = ("like the champion: warned", "the same, limits at 0", "a fifth of a region fails")
    print(f"\n{'the other checks, all together':<48}" + "".join(f"{head:>30}" for head in heads) + f"{'seconds':>10}")
    without = Gate(slices=("region",), protected=("sex",), slice_loss=0.0, calibration_rise=0.0, protected_gap=0.0, flips=0.0)
    limits = without.model_copy(update=Gate().model_dump(include={"slice_loss", "calibration_rise", "protected_gap", "flips"}))
    for task in ("binary", "regression"):
        for rows in (400, 2_000, 20_000):
            draws, began = BUDGETS if rows < 20_000 else BUDGETS // 5, time.perf_counter()
            alike, strictly = (sum(bool(warnings_of(random, task, rows, 0.0, each)) for _ in range(draws)) for each in (limits, without))
            seconds = (time.perf_counter() - began) / draws / 2
            noticed = sum("slices" in warnings_of(random, task, rows, 0.2, limits) for _ in range(100))
            rates = (Rate(alike, draws), Rate(strictly, draws), Rate(noticed, 100))
            told = f"{task}, {rows:,} rows, 10 slices, 2 groups"
            print(f"{told:<48}" + "".join(f"{rate!s:>30}" for rate in rates) + f"{seconds:>10.3f}", flush=True)
    print(f"allowed: {limits.error_rate:.0%}")


def warnings_of(random: np.random.Generator, task: Task, rows: int, share: float, limits: Gate) -> list[str]:
    """Let two models err alike and independently, but for a share of one region that one of them fails, and name the checks that warn."""
    df = pd.DataFrame({"region": random.integers(10, size=rows).astype(str), "sex": random.choice(["f", "m"], rows)})
    df = df.assign(age=random.normal(size=rows), size=random.exponential(size=rows))
    truth, fails = df["age"].to_numpy() + (df["sex"] == "f"), (df["region"] == "3").to_numpy() & (random.random(rows) < share)
    if task == "regression":
        y = truth + random.normal(size=rows)
        new, old = (Prediction(truth + 0.3 * random.normal(size=rows) + worse) for worse in (3.0 * fails, 0.0))
    else:
        y = np.where(truth + random.logistic(size=rows) > 0, "yes", "no")
        new, old = (of_scores(truth + 0.3 * random.normal(size=rows), turned) for turned in (fails, 0 * fails))
    pair = Pair(df, y, new, old, "brier" if task == "binary" else "squared_error", blocks=0)
    columns = [Column(name, "category" if name in ("region", "sex") else "number", "feature", "") for name in df]
    schema = Schema((*columns, Column("y", "category", "target", "")), task)
    material = Material(limits, schema, lambda _: new, lambda: (0.0, 0.0), lambda: (0, 0), pair=pair, positive="yes")
    return [check.code for check in checks.run(material) if check.outcome == "warned"]


def of_scores(scores: np.ndarray, are_turned: np.ndarray) -> Prediction:
    """Predict the more likely of two classes by log odds, some of them turned round."""
    proba = 1 / (1 + np.exp(np.where(are_turned, -scores, scores)))
    return Prediction(np.where(proba < 0.5, "yes", "no"), np.stack([proba, 1 - proba], axis=1), ("no", "yes"))


def losses_of(table: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the losses of two models of much the same quality on the half of a table that neither was fitted on."""
    from sklearn import datasets
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

    bundled = {
        BUNDLED[0]: lambda: datasets.make_friedman1(20_000, noise=1.0, random_state=0),
        BUNDLED[1]: lambda: datasets.load_breast_cancer(return_X_y=True),
        BUNDLED[2]: lambda: datasets.load_digits(return_X_y=True),
    }
    if table in bundled:
        X, y = bundled[table]()
    else:
        df = pd.read_csv(table).dropna()
        target = df.pop(df.columns[-1])
        X = pd.get_dummies(df.select_dtypes("number")).to_numpy()
        y = target.to_numpy() if target.dtype.kind in "if" else (target == target.iloc[0]).to_numpy()
    y = np.asarray(y, dtype=np.float64)
    half = np.random.default_rng(1).permutation(len(y)) < len(y) // 2
    models = (HistGradientBoostingRegressor(random_state=0), ExtraTreesRegressor(100, min_samples_leaf=3, random_state=0, n_jobs=2))
    champion, challenger = ((model.fit(X[half], y[half]).predict(X[~half]) - y[~half]) ** 2 for model in models)
    return champion, challenger


if __name__ == "__main__":
    main(sys.argv[1:])
