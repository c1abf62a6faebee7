"""How columns become what an algorithm can learn from: transformers of scikit-learn alone, fitted with the model."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from tasks.core.recipe import CYCLES, MAX_CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.base import BaseEstimator
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    from tasks.core.recipe import Recipe

SMOOTHING = 10.0  # rows of the average of all that are mixed into the average of a category
ENCODING_FOLDS = 5
WORDS = 2**13  # are told apart, by their hashes: memory is bounded whatever the texts are
TOPICS = 30
WAVES = (1, 2)  # in a cycle: with the second, an algorithm that weighs can tell the rush hours from noon and night
LARGEST = 1e30  # forests count with 32 bits
NO_MOMENT = float(-(2**63))  # what a missing date is as a number

_Blocks = list[tuple[str, Any, "Sequence[str] | Sequence[int]"]]


def scaled(recipe: Recipe) -> ColumnTransformer:
    """Fill and standardise numbers, and give each category a column: for algorithms that weigh or measure."""
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    each = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=MAX_CATEGORIES, sparse_output=False)
    blocks: _Blocks = [
        ("numbers", _chain(_finite(), _standard()), [name for name in recipe.numbers if name not in recipe.gaps]),
        ("gaps", _chain(_finite(), _standard(add_indicator=True)), recipe.gaps),
        ("categories", each, recipe.categories),
        ("many", _chain(_what_the_target_was(recipe), StandardScaler()), recipe.many),
        ("dates", _chain(*_moments(), _dates(recipe, WAVES), _standard()), recipe.dates),
        *((f"text {name}", _chain(*_topics(recipe), StandardScaler()), [name]) for name in recipe.texts),
    ]
    return _columns(blocks)


def encoded(recipe: Recipe) -> ColumnTransformer:
    """Keep numbers as they are and number the categories, these two first: for trees, which split wherever it helps."""
    import numpy as np
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, max_categories=MAX_CATEGORIES
    )
    blocks: _Blocks = [
        ("numbers", _chain(*_bounded()), recipe.numbers),
        ("categories", codes, recipe.categories),
        ("many", _what_the_target_was(recipe), recipe.many),
        ("dates", _chain(*_moments(), _dates(recipe)), recipe.dates),
        *((f"text {name}", _chain(*_topics(recipe)), [name]) for name in recipe.texts),
    ]
    return _columns(blocks)


def width(recipe: Recipe) -> int:
    """Count the columns that rows differ by, whatever categories and cycles are spread to."""
    cycles = sum(len(names) for names in recipe.cycles.values())
    return len(recipe.numbers) + len(recipe.categories) + len(recipe.many) + len(recipe.dates) + cycles + TOPICS * len(recipe.texts)


def _chain(*steps: BaseEstimator) -> Pipeline:
    from sklearn.pipeline import Pipeline

    return Pipeline([(type(step).__name__.lower() + str(place), step) for place, step in enumerate(steps)])


def _columns(blocks: _Blocks) -> ColumnTransformer:
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer([(name, transformer, list(columns)) for name, transformer, columns in blocks if len(columns)])


def _finite() -> BaseEstimator:
    """Count what is infinite, as after a division by zero, among the missing."""
    import numpy as np
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(np.nan_to_num, kw_args=dict.fromkeys(("nan", "posinf", "neginf"), np.nan))


def _bounded() -> list[BaseEstimator]:
    """Keep what is infinite or too large at the end of its column."""
    import numpy as np
    from sklearn.preprocessing import FunctionTransformer

    bounds = {"a_min": -LARGEST, "a_max": LARGEST}
    return [FunctionTransformer(np.asarray, kw_args={"dtype": "float64"}), FunctionTransformer(np.clip, kw_args=bounds)]


def _standard(*, add_indicator: bool = False) -> BaseEstimator:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    return _chain(SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=add_indicator), StandardScaler())


def _what_the_target_was(recipe: Recipe) -> BaseEstimator:
    """Give a category the mean of the target, or the share of each class; in the rows to fit, of the rows in other folds."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import TargetEncoder

    # Strata are not asked for: a class of one row can have none.
    folds = KFold(max(2, min(ENCODING_FOLDS, recipe.rows)), shuffle=True, random_state=recipe.seed)
    settings: dict[str, Any] = {"target_type": "continuous" if recipe.is_regression else recipe.task, "smooth": SMOOTHING, "cv": folds}
    return TargetEncoder(**settings)


def _moments() -> list[BaseEstimator]:
    """Make dates microseconds since 1970, missing where they are, whatever unit they come in."""
    import numpy as np
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer

    as_types = [FunctionTransformer(np.asarray, kw_args={"dtype": dtype}) for dtype in ("datetime64[us]", "float64")]
    missing: dict[str, Any] = {"missing_values": NO_MOMENT, "strategy": "constant", "fill_value": np.nan}
    return [*as_types, SimpleImputer(**missing, keep_empty_features=True)]


def _dates(recipe: Recipe, waves: Sequence[int] = ()) -> ColumnTransformer:
    """Tell of moments how late they are, how far from one another, and where in a day, a week and a year; that as waves where given."""
    import numpy as np
    from sklearn.preprocessing import FunctionTransformer

    places = list(range(len(recipe.dates)))
    blocks: _Blocks = [
        ("late", "passthrough", [at for at in places if recipe.dates[at] != recipe.clock]),
        ("between", FunctionTransformer(np.diff), places if len(places) > 1 else []),
    ]
    for cycle, names in recipe.cycles.items():
        at = [recipe.dates.index(name) for name in names]
        if not waves:
            # A week is told in whole days: trees that see hours of a week learn what happened in single ones.
            place = _chain(_place_in(cycle, 7.0), FunctionTransformer(np.floor)) if cycle == "week" else _place_in(cycle, 1.0)
            blocks.append((cycle, place, at))
        for count, wave in product(waves, (np.sin, np.cos)):
            name = f"{cycle} {wave.__name__} {count}"
            blocks.append((name, _chain(_place_in(cycle, count * 2 * np.pi), FunctionTransformer(wave)), at))
    return _columns(blocks)


def _place_in(cycle: str, whole: float) -> BaseEstimator:
    """Give the share of a cycle that has gone by, of what the whole of it counts."""
    import numpy as np
    from sklearn.preprocessing import FunctionTransformer

    length, began = CYCLES[cycle]
    ends = [float(began), float(began + length - 1)]  # a microsecond later another one begins
    return FunctionTransformer(np.interp, kw_args={"xp": ends, "fp": [0.0, whole * (1 - 1 / length)], "period": float(length)})


def _topics(recipe: Recipe) -> list[BaseEstimator]:
    """Make texts a few numbers: which words go together, the rarer a word the more it counts."""
    import numpy as np
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer

    hashes: dict[str, Any] = {"n_features": WORDS, "alternate_sign": False, "norm": None, "token_pattern": r"\w+"}
    return [
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel),
        HashingVectorizer(**hashes),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(n_components=max(1, min(TOPICS, recipe.rows - 1)), random_state=recipe.seed),
    ]
