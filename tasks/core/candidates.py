"""The algorithms that training chooses from. A new one is a function and a line in `CANDIDATES`.

Preprocessing is part of each fitted pipeline, so serving cannot differ from training. A pipeline holds only classes of
scikit-learn, none of this repository's; the types that it stores are listed in `core/trust.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tasks.core import features
from tasks.core.errors import UsageError
from tasks.core.spaces import Choice, Log, Real, Whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

    from tasks.core.recipe import Recipe
    from tasks.core.spaces import Space
    from tasks.core.table import Task

BASELINE = "dummy"
QUICK = "shallow_boosting"  # asked where an answer is wanted and not a model
BLEND = "blend"  # the average of the others, see `blending`
TREES = 100
ITERATIONS = 1000  # of boosting, where it can stop before
FASTEST = 0.3
CALIBRATION_FOLDS = 3
LANDMARKS = 500  # of the kernel; with fewer rows it is exact
COSTED_ROWS = 10_000
LEAVES_OF_A_SMALL_TABLE = 20
ROWS_TO_WATCH_A_NETWORK = 1000
UNWATCHED_ALPHA = 1.0
LEAST_OF_A_CLASS = 10  # rows, so that each part of them that a machine is fitted to has some
ROWS_PER_LEAF = 5000  # a forest is stored with all its leaves: some thousands in a tree, however many rows


@dataclass(frozen=True)
class Candidate:
    """An algorithm.

    Attributes:
        name: As a use case and the leaderboard call it.
        tasks: That it serves.
        build: Gives an unfitted pipeline for rows of a kind and number; its keywords are settings, their defaults those that compete.
        cost: CPU seconds to fit 10,000 rows of 17 numbers and 3 categories and to predict 2,000, on one thread of a 2024 server.
        growth: The power of the number of rows that the cost rises with: 1 linear, 2 quadratic.
        space: What a search may choose for which settings.
        by_default: Whether it competes where a use case names none.
        most_by_default: Rows to which it does so, divided by the root of the number of classes; 0 for no limit.
        most_rows: More than these it cannot be fitted to in reasonable time; 0 for no limit.
        asks: Says in a clause why it is not for a target, empty where it is.
    """

    name: str
    tasks: tuple[Task, ...]
    build: Callable[..., Pipeline]
    cost: float = 1.0
    growth: float = 1.0
    space: Mapping[str, Space] = field(default_factory=dict[str, "Space"])
    by_default: bool = False
    most_by_default: int = 0
    most_rows: int = 0
    asks: Callable[[np.ndarray], str] | None = None

    def seconds(self, rows: int) -> float:
        """Estimate the CPU seconds to fit so many rows; good for an order of magnitude."""
        return self.cost * (rows / COSTED_ROWS) ** self.growth

    def is_quick_on(self, y: np.ndarray) -> bool:
        """Say whether it may compete unasked on the rows of a target.

        >>> import numpy as np
        >>> svm = Candidate("svm", ("regression", "binary"), build_svm, most_by_default=100)
        >>> svm.is_quick_on(np.zeros(100)), svm.is_quick_on(np.array(["no", "yes"] * 40))
        (True, False)
        """
        import numpy as np

        classes = 1 if y.dtype.kind == "f" else len(np.unique(y))
        return not self.most_by_default or len(y) <= self.most_by_default / classes**0.5

    def why_not(self, y: np.ndarray) -> str:
        """Say in a clause why it cannot be fitted to the rows of a target; empty where it can.

        >>> Candidate("svm", ("binary",), build_svm, most_rows=2).why_not([0, 1, 0])
        'it is for at most 2 rows, and 3 are to fit'
        """
        if self.most_rows and len(y) > self.most_rows:
            return f"it is for at most {self.most_rows:,} rows, and {len(y):,} are to fit"
        return self.asks(y) if self.asks else ""


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


def build_ridge(recipe: Recipe, *, alpha: float = 1.0) -> Pipeline:
    """Fit ridge regression on scaled numbers and one-hot categories."""
    from sklearn.linear_model import Ridge

    return _on_scaled(recipe, Ridge(alpha=alpha))


def build_lasso(recipe: Recipe) -> Pipeline:
    """Fit the lasso, with the penalty that its own folds like best: few columns out of many."""
    from sklearn.linear_model import LassoCV

    return _on_scaled(recipe, LassoCV(cv=min(5, recipe.rows), random_state=recipe.seed))


def build_logistic(recipe: Recipe, *, alpha: float = 1.0) -> Pipeline:
    """Fit logistic regression on scaled numbers and one-hot categories."""
    from sklearn.linear_model import LogisticRegression

    return _on_scaled(recipe, LogisticRegression(C=1 / alpha, max_iter=1000))


def build_kernel(recipe: Recipe, *, narrowness: float = 1.0) -> Pipeline:
    """Fit ridge or logistic regression on similarities to landmarks: kernel regression, exact while each row is a landmark (Nyström)."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import Pipeline

    gamma = narrowness * _bandwidth(recipe)
    landmarks = Nystroem(gamma=gamma, n_components=min(LANDMARKS, recipe.rows), random_state=recipe.seed)
    learner = RidgeCV(alphas=(0.01, 0.1, 1.0, 10.0)) if recipe.is_regression else LogisticRegression(max_iter=1000)
    return _on_scaled(recipe, Pipeline([("landmarks", landmarks), ("learner", learner)]))


def build_svm(recipe: Recipe, *, alpha: float = 1.0, narrowness: float = 1.0) -> Pipeline:
    """Fit a support vector machine with a radial kernel; its distances become probabilities on rows that it was not fitted to.

    Of several classes each has a machine of its own: the votes of pairs, which one machine gives, make poor probabilities.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import SVC, SVR

    radial: dict[str, Any] = {"kernel": "rbf", "C": 1 / alpha, "gamma": narrowness * _bandwidth(recipe)}
    if recipe.is_regression:
        return _on_scaled(recipe, _of_standard_target(SVR(**radial)))
    settings: dict[str, Any] = {"cv": max(2, min(CALIBRATION_FOLDS, recipe.rarest)), "ensemble": False}
    machine = SVC(**radial, random_state=recipe.seed)
    if recipe.task == "binary":
        return _on_scaled(recipe, CalibratedClassifierCV(machine, **settings))
    return _on_scaled(recipe, CalibratedClassifierCV(OneVsRestClassifier(machine), method="temperature", **settings))


def build_nearest_neighbours(recipe: Recipe, *, neighbours: int = 15) -> Pipeline:
    """Predict what the nearest rows were, the nearer the more they weigh."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    learner = KNeighborsRegressor if recipe.is_regression else KNeighborsClassifier
    return _on_scaled(recipe, learner(n_neighbors=min(neighbours, recipe.rows), weights="distance"))


def build_mlp(
    recipe: Recipe, *, hidden_layer_sizes: tuple[int, ...] = (64, 32), learning_rate_init: float = 0.003, alpha: float = 0.0001
) -> Pipeline:
    """Fit a small network; where rows are too few to watch the fit, its weights are held back instead."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    is_watched = recipe.can_stop_early and recipe.rows >= ROWS_TO_WATCH_A_NETWORK
    settings: dict[str, Any] = {
        "hidden_layer_sizes": hidden_layer_sizes,
        "learning_rate_init": learning_rate_init,
        "alpha": alpha if is_watched else max(alpha, UNWATCHED_ALPHA),
        "early_stopping": is_watched,
        "max_iter": 200,
        "random_state": recipe.seed,
    }
    return _on_scaled(recipe, _of_standard_target(MLPRegressor(**settings)) if recipe.is_regression else MLPClassifier(**settings))


def build_random_forest(recipe: Recipe, *, max_features: float = 0.4, min_samples_leaf: int = 3) -> Pipeline:
    """Average trees that each see other rows and, at each split, other columns."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    forest = RandomForestRegressor if recipe.is_regression else RandomForestClassifier
    return _on_encoded(recipe, forest(**_grown(recipe, max_features, min_samples_leaf)))


def build_extra_trees(recipe: Recipe, *, max_features: float = 0.8, min_samples_leaf: int = 2) -> Pipeline:
    """Average trees that split at random places, the best of a few."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    forest = ExtraTreesRegressor if recipe.is_regression else ExtraTreesClassifier
    return _on_encoded(recipe, forest(**_grown(recipe, max_features, min_samples_leaf)))


def build_boosting(
    recipe: Recipe,
    *,
    learning_rate: float = 0.03,
    max_leaf_nodes: int = 24,
    min_samples_leaf: int = 60,
    l2_regularization: float = 10.0,
    max_features: float = 0.4,
    of_log: bool = False,
) -> Pipeline:
    """Fit histogram gradient boosting, strongly regularised by default; missing numbers and categories are its own affair."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    # A step grows a tree for each of several classes: fewer and larger ones cost a third of the time, and lose nothing.
    pace = 3 if recipe.task == "multiclass" else 1
    iterations = ITERATIONS // pace
    settings: dict[str, Any] = {
        "learning_rate": min(pace * learning_rate, FASTEST),
        "max_iter": iterations if recipe.can_stop_early else iterations // 5,
        "max_leaf_nodes": max_leaf_nodes,
        "min_samples_leaf": min(min_samples_leaf, max(5, recipe.rows // LEAVES_OF_A_SMALL_TABLE)),
        "l2_regularization": l2_regularization,
        "max_features": max_features,
        "categorical_features": list(range(len(recipe.numbers), len(recipe.numbers) + len(recipe.categories))),
        "early_stopping": recipe.can_stop_early,
        "random_state": recipe.seed,
    }
    booster = HistGradientBoostingRegressor if recipe.is_regression else HistGradientBoostingClassifier
    return _on_encoded(recipe, _of_logarithm(booster(**settings)) if of_log else booster(**settings))


def _has_a_rare_class(y: np.ndarray) -> str:
    import numpy as np

    rarest = LEAST_OF_A_CLASS if y.dtype.kind == "f" else int(np.unique(y, return_counts=True)[1].min())
    if rarest >= LEAST_OF_A_CLASS:
        return ""
    return f"its rarest class has {rarest} row{'s' if rarest > 1 else ''} to fit, and probabilities need {LEAST_OF_A_CLASS}"


def _is_negative(y: np.ndarray) -> str:
    return "its target has negative values, and it takes logarithms" if y.min() < 0 else ""


ALL: tuple[Task, ...] = ("regression", "binary", "multiclass")
# Large trees for what depends on many columns at once, small ones for what adds up from one or two at a time, and amounts whose
# errors grow with their size.
DEEP = partial(build_boosting, learning_rate=0.05, max_leaf_nodes=96, min_samples_leaf=15, max_features=0.6)
SHALLOW = partial(build_boosting, learning_rate=0.08, max_leaf_nodes=5, min_samples_leaf=30, max_features=0.8)
LOGGED = partial(build_boosting, of_log=True)
BOOSTING: dict[str, Space] = {
    "learning_rate": Log(0.01, 0.3),
    "max_leaf_nodes": Whole(4, 128),
    "min_samples_leaf": Whole(3, 120),
    "l2_regularization": Log(0.01, 100.0),
    "max_features": Real(0.2, 1.0),
}
FOREST: dict[str, Space] = {"max_features": Real(0.2, 1.0), "min_samples_leaf": Whole(1, 20)}
NETWORK: dict[str, Space] = {
    "hidden_layer_sizes": Choice(((32,), (64, 32), (128,), (128, 64))),
    "learning_rate_init": Log(0.0003, 0.03),
    "alpha": Log(1e-5, 0.1),
}
PENALTY: dict[str, Space] = {"alpha": Log(0.001, 1000.0)}
WIDTH: dict[str, Space] = {"narrowness": Log(0.05, 20.0)}
CANDIDATES = (
    Candidate(BASELINE, ALL, build_dummy, 0.01, by_default=True),
    Candidate("ridge", ("regression",), build_ridge, 0.1, space=PENALTY, by_default=True),
    Candidate("lasso", ("regression",), build_lasso, 0.1),
    Candidate("logistic", ("binary", "multiclass"), build_logistic, 0.1, space=PENALTY, by_default=True),
    Candidate("kernel", ALL, build_kernel, 1.2, space=WIDTH),
    Candidate(
        "svm",
        ALL,
        build_svm,
        6.0,
        2.0,
        space={"alpha": Log(0.01, 100.0), **WIDTH},
        by_default=True,
        most_by_default=8000,
        most_rows=10_000,
        asks=_has_a_rare_class,
    ),
    Candidate("nearest_neighbours", ALL, build_nearest_neighbours, 0.2, 1.7, space={"neighbours": Whole(3, 60)}, most_rows=200_000),
    Candidate("mlp", ALL, build_mlp, 0.7, space=NETWORK, by_default=True),
    Candidate("random_forest", ALL, build_random_forest, 4.3, 1.1, space=FOREST),
    Candidate("extra_trees", ALL, build_extra_trees, 2.3, 1.1, space=FOREST, by_default=True),
    Candidate("hist_gradient_boosting", ALL, build_boosting, 0.9, 0.9, space=BOOSTING, by_default=True),
    Candidate("deep_boosting", ALL, DEEP, 1.6, 0.6, space=BOOSTING, by_default=True),
    Candidate("shallow_boosting", ALL, SHALLOW, 0.2, 1.1, space=BOOSTING, by_default=True),
    Candidate("log_boosting", ("regression",), LOGGED, 0.9, 0.9, space=BOOSTING, asks=_is_negative, by_default=True),
)


def _on_scaled(recipe: Recipe, learner: BaseEstimator) -> Pipeline:
    from sklearn.pipeline import Pipeline

    return Pipeline([("features", features.scaled(recipe)), ("model", learner)])


def _on_encoded(recipe: Recipe, learner: BaseEstimator) -> Pipeline:
    from sklearn.pipeline import Pipeline

    return Pipeline([("features", features.encoded(recipe)), ("model", learner)])


def _grown(recipe: Recipe, max_features: float, min_samples_leaf: int) -> dict[str, Any]:
    leaf = max(min_samples_leaf, recipe.rows // ROWS_PER_LEAF)
    return {"n_estimators": TREES, "max_features": max_features, "min_samples_leaf": leaf, "random_state": recipe.seed}


def _of_standard_target(learner: BaseEstimator) -> BaseEstimator:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(learner, transformer=StandardScaler())


def _of_logarithm(learner: BaseEstimator) -> BaseEstimator:
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor

    return TransformedTargetRegressor(learner, func=np.log1p, inverse_func=np.expm1, check_inverse=False)


def _bandwidth(recipe: Recipe) -> float:
    """Let a radial kernel see rows as alike where they differ by a deviation in each column, whatever the categories add."""
    return 1 / max(1, features.width(recipe))
