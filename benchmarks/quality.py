"""How well default training predicts, beside every single default model of scikit-learn and beside FLAML where that is installed.

Run: python benchmarks/quality.py TABLE... (files, or sklearn:NAME; the last column is the target)
Install `flaml[automl]` into the environment for its column; it gets 60 seconds on all cores for each table.
All are fitted on the same rows and compared on the same gate rows by the loss that decides. Scores are normalised:
0 is the dummy, 1 the best of all.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
FLAML_SECONDS = 60
ROWS_FOR_SVM = 10_000

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.core.recipe import Recipe


@dataclass(frozen=True)
class Found:
    """Losses of the gate rows, and CPU and wall seconds."""

    losses: np.ndarray
    cpu: float
    wall: float

    @property
    def loss(self) -> float:
        """Give the mean loss."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Rows:
    """What is fitted to, and what is judged on."""

    recipe: Recipe
    task: str
    loss: str
    is_ordered: bool
    X: pd.DataFrame
    y: np.ndarray
    gate: pd.DataFrame
    truth: np.ndarray


def main(tables: list[str]) -> None:
    """Compare on each table, and in the mean."""
    print(f"{'table':<20}{'rows':>8}{'ours':>12}{'best single default':>36}{'ours against it':>20}{'FLAML':>12}{'CPU s':>8}{'wall s':>8}")
    scores: list[tuple[float, float, float]] = []
    spent: list[float] = []
    for table in tables:
        rows, ours, dummy = train(table)
        singles = {name: measured(rows, model) for name, model in single_models(rows).items()}
        name, best = min(singles.items(), key=lambda item: item[1].loss)
        flaml = by_flaml(rows)
        least = min(found.loss for found in (ours, best, flaml) if found)
        scores.append(tuple(normalised(found, dummy, least) for found in (ours, best, flaml)))
        spent.append(ours.cpu)
        print(
            f"{Path(table).name:<20}{len(rows.y):>8,}{ours.loss:>12.5g}{f'{best.loss:.5g} {name}':>36}{against(ours, best):>20}"
            f"{f'{flaml.loss:.5g}' if flaml else '–':>12}{ours.cpu:>8.1f}{ours.wall:>8.1f}",
            flush=True,
        )
    ours_mean, best_mean, flaml_mean = (sum(each) / len(scores) for each in zip(*scores, strict=True))
    print(f"mean score: ours {ours_mean:.3f}, best single default in hindsight {best_mean:.3f}, FLAML {flaml_mean:.3f}")
    print(f"mean CPU seconds of ours: {sum(spent) / len(spent):.1f}")


def train(table: str) -> tuple[Rows, Found, Found]:
    """Choose and fit as `flows.train` does."""
    from tasks import choosing, data, registry, training
    from tasks.adapters import models, snapshots
    from tasks.core.metrics import row_losses
    from tasks.core.options import TrainOptions
    from tasks.core.recipe import Recipe
    from tasks.core.snapshot import target_of
    from tasks.core.validation import Validation

    case = data.resolve(TrainOptions(data=table))
    registry.prepare_stores(case)
    snapshot = data.take_snapshot(case, data.read_rows(case), Validation(suite=""))
    study = data.split_rows(case, snapshot, None)
    before = now()
    with registry.open_run(study):
        fits = training.fit_judged(study, choosing.choose(study))
    cpu, wall = (after - start for after, start in zip(now(), before, strict=True))
    df = snapshots.read(snapshot.path)
    fit, gate = df.iloc[study.split.fit], df.iloc[study.split.gate]
    schema = study.schema
    target = target_of(fit, schema)
    rows = Rows(
        recipe=Recipe.of(schema, fit[schema.features], target, case.use_case.seed),
        task=schema.task,
        loss=study.loss,
        is_ordered=study.split.is_ordered,
        X=fit[schema.features],
        y=target,
        gate=gate[schema.features],
        truth=target_of(gate, schema),
    )
    ours, dummy = (row_losses(study.loss, rows.truth, models.predict(model, rows.gate)) for model in (fits.judged, fits.dummy))
    return rows, Found(ours, cpu, wall), Found(dummy, 0.0, 0.0)


def single_models(rows: Rows) -> dict[str, Any]:
    """Give scikit-learn's models with its own settings, behind the plainest preprocessing that they work with."""
    from sklearn import ensemble, linear_model, neighbors, neural_network, svm
    from sklearn.pipeline import make_pipeline

    from tasks.core import features

    if rows.task == "regression":
        scaled: list[Any] = [linear_model.Ridge(), neighbors.KNeighborsRegressor(), neural_network.MLPRegressor(random_state=0)]
        scaled += [svm.SVR()] if len(rows.y) <= ROWS_FOR_SVM else []
        trees: list[Any] = [ensemble.RandomForestRegressor(random_state=0), ensemble.ExtraTreesRegressor(random_state=0)]
        trees += [ensemble.HistGradientBoostingRegressor(random_state=0)]
    else:
        scaled = [linear_model.LogisticRegression(), neighbors.KNeighborsClassifier(), neural_network.MLPClassifier(random_state=0)]
        scaled += [svm.SVC(probability=True, random_state=0)] if len(rows.y) <= ROWS_FOR_SVM else []
        trees = [ensemble.RandomForestClassifier(random_state=0), ensemble.ExtraTreesClassifier(random_state=0)]
        trees += [ensemble.HistGradientBoostingClassifier(random_state=0)]
    made = {type(model).__name__: make_pipeline(features.scaled(rows.recipe), model) for model in scaled}
    return made | {type(model).__name__: make_pipeline(features.encoded(rows.recipe), model) for model in trees}


def measured(rows: Rows, model: Any) -> Found:  # noqa: ANN401 (an estimator)
    """Fit a model and let it predict the gate rows."""
    from tasks.adapters import models
    from tasks.core.metrics import row_losses

    before = now()
    said = models.predict(models.fit(model, rows.X, rows.y), rows.gate)
    cpu, wall = (after - start for after, start in zip(now(), before, strict=True))
    return Found(row_losses(rows.loss, rows.truth, said), cpu, wall)


def by_flaml(rows: Rows) -> Found | None:
    """Let FLAML search for the loss that is nearest to ours; None where it is not installed."""
    try:
        from flaml import AutoML
    except ImportError:
        return None
    import numpy as np

    from tasks.core.metrics import Prediction, row_losses

    categories = {name: "category" for name in rows.X if rows.X[name].dtype.kind not in "fM"}
    search = AutoML()
    before = now()
    asked: dict[str, Any] = {"task": "regression" if rows.task == "regression" else "classification", "time_budget": FLAML_SECONDS}
    asked |= {"metric": "mse" if rows.task == "regression" else "log_loss", "n_jobs": -1, "seed": 0, "verbose": 0}
    asked |= {"split_type": "time"} if rows.is_ordered else {}
    search.fit(rows.X.astype(categories), rows.y, **asked)
    gate = rows.gate.astype({name: rows.X[name].astype("category").dtype for name in categories})
    if rows.task == "regression":
        said = Prediction(np.asarray(search.predict(gate), dtype=np.float64))
    else:
        proba, classes = search.predict_proba(gate), search.classes_
        said = Prediction(np.asarray(classes)[proba.argmax(axis=1)], proba, tuple(str(label) for label in classes))
    cpu, wall = (after - start for after, start in zip(now(), before, strict=True))
    return Found(row_losses(rows.loss, rows.truth, said), cpu, wall)


def against(ours: Found, other: Found) -> str:
    """Give the paired difference as a share of the other's loss, with its 95 % interval."""
    paired = (ours.losses - other.losses) / other.loss
    return f"{100 * paired.mean():+.1f} % ± {196 * paired.std(ddof=1) / len(paired) ** 0.5:.1f}"


def normalised(found: Found | None, dummy: Found, least: float) -> float:
    """Put a loss between the dummy's, 0, and the least, 1."""
    return float("nan") if found is None else (dummy.loss - found.loss) / ((dummy.loss - least) or 1.0)


def now() -> tuple[float, float]:
    """Give CPU and wall seconds so far, with those of other processes that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used), time.perf_counter()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({"EVERGREEN_HOME": folder, "EVERGREEN_RECORD": "false"})
        from tasks.adapters import home

        home.bootstrap()
        main(sys.argv[1:] or ["sklearn:diabetes", "sklearn:breast_cancer", "sklearn:wine", "sklearn:iris"])
