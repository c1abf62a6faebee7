"""The algorithms that training chooses from. A new one is a function and a line in `CANDIDATES`.

Preprocessing is part of each fitted pipeline, so serving cannot differ from training. A pipeline holds only classes of
scikit-learn, none of this repository's; the types that it stores are listed in `core/trust.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.core import features
from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from tasks.core.table import Schema, Task

BASELINE = "dummy"
BLEND = "blend"  # the average of the others, see `blending`
MIN_ROWS_TO_STOP_EARLY = 20
TREES = 300
LANDMARKS = 500  # of the kernel; with fewer rows it is exact
NEIGHBOURS = 15
ROWS_TO_WATCH_A_NETWORK = 1000
ROWS_PER_LEAF = 5000  # a forest is stored with all its leaves: some thousands in a tree, however many rows


@dataclass(frozen=True)
class Recipe:
    """What a candidate needs to know to be built."""

    schema: Schema
    rows: int
    seed: int
    can_stop_early: bool = True

    @classmethod
    def of(cls, schema: Schema, X: pd.DataFrame, y: np.ndarray, seed: int) -> Recipe:
        """Build from rows to fit; features without any value in them are left out, for they teach nothing.

        A column that came late is empty in the early rows; boosting of scikit-learn 1.9.1 raises on one. It also raises
        where a tenth of the rows, on which it watches itself, cannot hold every class.
        """
        empty = {name for name in schema.features if X[name].isna().all()}
        columns = tuple(replace(column, role="unused") if column.name in empty else column for column in schema.columns)
        can_stop_early = len(X) >= MIN_ROWS_TO_STOP_EARLY and (schema.task == "regression" or _can_stratify(y))
        return cls(replace(schema, columns=columns), len(X), seed, can_stop_early)

    @property
    def is_regression(self) -> bool:
        """Say whether a number is predicted."""
        return self.schema.task == "regression"

    @property
    def numbers(self) -> list[str]:
        """Name the numeric features."""
        return self.schema.names("feature", "number")

    @property
    def categories(self) -> list[str]:
        """Name the categorical features."""
        return self.schema.names("feature", "category")


@dataclass(frozen=True)
class Candidate:
    """An algorithm.

    Attributes:
        name: As a use case and the leaderboard call it.
        tasks: That it serves.
        build: Gives an unfitted pipeline for rows of a kind and number.
        by_default: Whether it competes where a use case names none.
        most_rows: More than these it cannot be fitted to in reasonable time; 0 for no limit.
    """

    name: str
    tasks: tuple[Task, ...]
    build: Callable[[Recipe], Pipeline]
    by_default: bool = False
    most_rows: int = 0


def candidates_for(task: Task, wanted: Sequence[str] = ()) -> list[Candidate]:
    """List the candidates of a task, the baseline always among them; where none but the blend is wanted, those that compete by default.

    Raises:
        UsageError: a wanted name is none of them.
    """
    serving = {c.name: c for c in CANDIDATES if task in c.tasks}
    for name in wanted:
        if name not in serving and name != BLEND:
            raise UsageError.unknown(f"{task} candidate", name, [*serving, BLEND], where="candidates")
    named = {*wanted} - {BLEND}
    return [c for c in serving.values() if c.name in {*named, BASELINE} or (c.by_default and not named)]


def build_dummy(recipe: Recipe) -> Pipeline:
    """Predict the mean, or the shares of the classes: what a model must beat."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline

    return Pipeline([("model", DummyRegressor() if recipe.is_regression else DummyClassifier(strategy="prior"))])


def build_linear(recipe: Recipe) -> Pipeline:
    """Fit ridge or logistic regression on scaled numbers and one-hot categories."""
    from sklearn.linear_model import LogisticRegression, Ridge

    return _on_scaled(recipe, Ridge() if recipe.is_regression else LogisticRegression(max_iter=1000))


def build_lasso(recipe: Recipe) -> Pipeline:
    """Fit the lasso, with the penalty that its own folds like best: few columns out of many."""
    from sklearn.linear_model import LassoCV

    return _on_scaled(recipe, LassoCV(cv=min(5, recipe.rows), random_state=recipe.seed))


def build_kernel(recipe: Recipe) -> Pipeline:
    """Fit ridge or logistic regression on similarities to landmarks: kernel regression, exact while each row is a landmark (Nyström)."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import Pipeline

    landmarks = Nystroem(gamma=_bandwidth(recipe), n_components=min(LANDMARKS, recipe.rows), random_state=recipe.seed)
    learner = RidgeCV(alphas=(0.01, 0.1, 1.0, 10.0)) if recipe.is_regression else LogisticRegression(max_iter=1000)
    return _on_scaled(recipe, Pipeline([("landmarks", landmarks), ("learner", learner)]))


def build_svm(recipe: Recipe) -> Pipeline:
    """Fit a support vector machine with a radial kernel; its distances become probabilities on rows that it was not fitted to."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC, SVR

    radial: dict[str, Any] = {"kernel": "rbf", "gamma": _bandwidth(recipe)}
    if recipe.is_regression:
        return _on_scaled(recipe, _of_standard_target(SVR(**radial)))
    settings: dict[str, Any] = {"cv": 3, "ensemble": False}
    return _on_scaled(recipe, CalibratedClassifierCV(SVC(**radial, random_state=recipe.seed), **settings))


def build_nearest_neighbours(recipe: Recipe) -> Pipeline:
    """Predict what the nearest rows were, the nearer the more they weigh."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    learner = KNeighborsRegressor if recipe.is_regression else KNeighborsClassifier
    return _on_scaled(recipe, learner(n_neighbors=min(NEIGHBOURS, recipe.rows), weights="distance"))


def build_mlp(recipe: Recipe) -> Pipeline:
    """Fit a small network."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    settings: dict[str, Any] = {
        "hidden_layer_sizes": (64, 32),
        "learning_rate_init": 0.003,
        "early_stopping": recipe.can_stop_early and recipe.rows >= ROWS_TO_WATCH_A_NETWORK,
        "max_iter": 200,
        "random_state": recipe.seed,
    }
    return _on_scaled(recipe, _of_standard_target(MLPRegressor(**settings)) if recipe.is_regression else MLPClassifier(**settings))


def build_random_forest(recipe: Recipe) -> Pipeline:
    """Average trees that each see other rows and, at each split, other columns."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    settings: dict[str, Any] = {
        "n_estimators": TREES,
        "max_features": 0.4,
        "min_samples_leaf": max(3, recipe.rows // ROWS_PER_LEAF),
        "random_state": recipe.seed,
    }
    return _on_encoded(recipe, RandomForestRegressor(**settings) if recipe.is_regression else RandomForestClassifier(**settings))


def build_extra_trees(recipe: Recipe) -> Pipeline:
    """Average trees that split at random places, the best of a few."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    settings: dict[str, Any] = {
        "n_estimators": TREES,
        "max_features": 0.8,
        "min_samples_leaf": max(2, recipe.rows // ROWS_PER_LEAF),
        "random_state": recipe.seed,
    }
    return _on_encoded(recipe, ExtraTreesRegressor(**settings) if recipe.is_regression else ExtraTreesClassifier(**settings))


def build_hist_gradient_boosting(recipe: Recipe) -> Pipeline:
    """Fit strongly regularised histogram gradient boosting; missing numbers and categories are its own affair."""
    leaf = max(5, min(60, recipe.rows // 20))
    return _boosted(recipe, {"learning_rate": 0.03, "max_leaf_nodes": 24, "min_samples_leaf": leaf, "max_features": 0.4})


def build_deep_boosting(recipe: Recipe) -> Pipeline:
    """Fit it with large trees, for what depends on many columns at once."""
    leaf = max(3, min(15, recipe.rows // 50))
    return _boosted(recipe, {"learning_rate": 0.05, "max_leaf_nodes": 96, "min_samples_leaf": leaf, "max_features": 0.6})


def build_shallow_boosting(recipe: Recipe) -> Pipeline:
    """Fit it with small trees, for what adds up from one or two columns at a time."""
    leaf = max(5, min(30, recipe.rows // 20))
    return _boosted(recipe, {"learning_rate": 0.08, "max_leaf_nodes": 5, "min_samples_leaf": leaf, "max_features": 0.8})


ALL: tuple[Task, ...] = ("regression", "binary", "multiclass")
CANDIDATES = (
    Candidate(BASELINE, ALL, build_dummy, by_default=True),
    Candidate("ridge", ("regression",), build_linear, by_default=True),
    Candidate("lasso", ("regression",), build_lasso),
    Candidate("logistic", ("binary", "multiclass"), build_linear, by_default=True),
    Candidate("kernel", ALL, build_kernel),
    Candidate("svm", ALL, build_svm, most_rows=10_000),
    Candidate("nearest_neighbours", ALL, build_nearest_neighbours, most_rows=200_000),
    Candidate("mlp", ALL, build_mlp),
    Candidate("random_forest", ALL, build_random_forest),
    Candidate("extra_trees", ALL, build_extra_trees),
    Candidate("hist_gradient_boosting", ALL, build_hist_gradient_boosting, by_default=True),
    Candidate("deep_boosting", ALL, build_deep_boosting),
    Candidate("shallow_boosting", ALL, build_shallow_boosting),
)


def _on_scaled(recipe: Recipe, learner: BaseEstimator) -> Pipeline:
    from sklearn.pipeline import Pipeline

    return Pipeline([("features", features.scaled(recipe.numbers, recipe.categories)), ("model", learner)])


def _on_encoded(recipe: Recipe, learner: BaseEstimator) -> Pipeline:
    from sklearn.pipeline import Pipeline

    return Pipeline([("features", features.encoded(recipe.numbers, recipe.categories)), ("model", learner)])


def _boosted(recipe: Recipe, settings: dict[str, Any]) -> Pipeline:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    booster = HistGradientBoostingRegressor if recipe.is_regression else HistGradientBoostingClassifier
    common: dict[str, Any] = {
        "max_iter": 1000 if recipe.can_stop_early else 200,
        "early_stopping": recipe.can_stop_early,
        "l2_regularization": 10.0,
        "categorical_features": list(range(len(recipe.numbers), len(recipe.numbers) + len(recipe.categories))),
        "random_state": recipe.seed,
    }
    return _on_encoded(recipe, booster(**common, **settings))


def _of_standard_target(learner: BaseEstimator) -> BaseEstimator:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(learner, transformer=StandardScaler())


def _bandwidth(recipe: Recipe) -> float:
    """Let a radial kernel see rows as alike where they differ by a deviation in each column, whatever the categories add."""
    return 1 / max(1, len(recipe.numbers) + len(recipe.categories))


def _can_stratify(y: np.ndarray) -> bool:
    import numpy as np

    counts = np.unique(y, return_counts=True)[1]
    return int(counts.min()) > 1 and len(counts) <= len(y) // 10
