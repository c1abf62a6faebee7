"""How columns become what an algorithm can learn from: transformers of scikit-learn alone, fitted with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.compose import ColumnTransformer

MAX_CATEGORIES = 100


def scaled(numbers: Sequence[str], categories: Sequence[str]) -> ColumnTransformer:
    """Fill and standardise numbers, and give each category a column: for algorithms that weigh or measure."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    standard = Pipeline([("filled", SimpleImputer(strategy="median", keep_empty_features=True)), ("scaled", StandardScaler())])
    each = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=MAX_CATEGORIES, sparse_output=False)
    return ColumnTransformer([("numbers", standard, list(numbers)), ("categories", each, list(categories))])


def encoded(numbers: Sequence[str], categories: Sequence[str]) -> ColumnTransformer:
    """Keep numbers as they are and number the categories: for trees, which split wherever it helps."""
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, max_categories=MAX_CATEGORIES
    )
    return ColumnTransformer([("numbers", "passthrough", list(numbers)), ("categories", codes, list(categories))])
