"""The algorithms that training chooses from. A new one is a function and a line in `CANDIDATES`.

Preprocessing is part of each fitted pipeline, so serving cannot differ from training. A pipeline holds only classes of
scikit-learn, none of this repository's; the types that it stores are listed in `core/trust.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    from tasks.core.table import Schema, Task

BASELINE = "dummy"
MAX_CATEGORIES = 100
MIN_ROWS_TO_STOP_EARLY = 20


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
    def numbers(self) -> list[str]:
        """Name the numeric features."""
        return self.schema.names("feature", "number")

    @property
    def categories(self) -> list[str]:
        """Name the categorical features."""
        return self.schema.names("feature", "category")


@dataclass(frozen=True)
class Candidate:
    """An algorithm: the tasks that it serves, and how it is built."""

    name: str
    tasks: tuple[Task, ...]
    build: Callable[[Recipe], Pipeline]


def candidates_for(task: Task, wanted: Sequence[str] = ()) -> list[Candidate]:
    """List the candidates of a task, the baseline always among them.

    Raises:
        UsageError: a wanted name is none of them.
    """
    serving = {c.name: c for c in CANDIDATES if task in c.tasks}
    for name in wanted:
        if name not in serving:
            raise UsageError.unknown(f"{task} candidate", name, serving, where="candidates")
    return [c for c in serving.values() if not wanted or c.name in (*wanted, BASELINE)]


def build_dummy(recipe: Recipe) -> Pipeline:
    """Predict the mean, or the shares of the classes: what a model must beat."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline

    regressor = recipe.schema.task == "regression"
    return Pipeline([("model", DummyRegressor() if regressor else DummyClassifier(strategy="prior"))])


def build_linear(recipe: Recipe) -> Pipeline:
    """Fit ridge or logistic regression on scaled numbers and one-hot categories."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline

    regressor = recipe.schema.task == "regression"
    return Pipeline([("features", _scaled(recipe)), ("model", Ridge() if regressor else LogisticRegression(max_iter=1000))])


def build_hist_gradient_boosting(recipe: Recipe) -> Pipeline:
    """Fit strongly regularised histogram gradient boosting; missing numbers and categories are its own affair."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline

    settings: dict[str, Any] = {
        "learning_rate": 0.03,
        "max_iter": 1000 if recipe.can_stop_early else 200,
        "early_stopping": recipe.can_stop_early,
        "max_leaf_nodes": 24,
        "min_samples_leaf": max(5, min(60, recipe.rows // 20)),
        "l2_regularization": 10.0,
        "max_features": 0.4,
        "categorical_features": list(range(len(recipe.numbers), len(recipe.numbers) + len(recipe.categories))),
        "random_state": recipe.seed,
    }
    booster = HistGradientBoostingRegressor if recipe.schema.task == "regression" else HistGradientBoostingClassifier
    return Pipeline([("features", _encoded(recipe)), ("model", booster(**settings))])


CANDIDATES = (
    Candidate(BASELINE, ("regression", "binary", "multiclass"), build_dummy),
    Candidate("ridge", ("regression",), build_linear),
    Candidate("logistic", ("binary", "multiclass"), build_linear),
    Candidate("hist_gradient_boosting", ("regression", "binary", "multiclass"), build_hist_gradient_boosting),
)


def _can_stratify(y: np.ndarray) -> bool:
    import numpy as np

    counts = np.unique(y, return_counts=True)[1]
    return int(counts.min()) > 1 and len(counts) <= len(y) // 10


def _scaled(recipe: Recipe) -> ColumnTransformer:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = Pipeline([("filled", SimpleImputer(strategy="median", keep_empty_features=True)), ("scaled", StandardScaler())])
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=MAX_CATEGORIES, sparse_output=False)
    return ColumnTransformer([("numbers", numbers, recipe.numbers), ("categories", categories, recipe.categories)])


def _encoded(recipe: Recipe) -> ColumnTransformer:
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, max_categories=MAX_CATEGORIES
    )
    return ColumnTransformer([("numbers", "passthrough", recipe.numbers), ("categories", codes, recipe.categories)])
