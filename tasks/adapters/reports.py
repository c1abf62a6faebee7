"""Evidently: what its default preset says of two tables."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

DRIFT_SHARE = 0.5  # of the columns, which is Evidently's default


def default_flag(reference: pd.DataFrame, current: pd.DataFrame, numbers: Sequence[str]) -> bool:
    """Say whether Evidently's default preset calls the table drifted: at least half of its columns, each by its default test.

    Asked is the one metric of `DataDriftPreset` that says so; the preset computes each column's drift twice more, for its pictures.

    Args:
        reference: Rows to compare with.
        current: The rows in question.
        numbers: Columns that hold numbers; the others are categories. A column that is empty on either side is left out, for Evidently
            raises on one.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DriftedColumnsCount

    columns = [str(name) for name in reference if reference[name].notna().any() and current[name].notna().any()]
    kinds = {name: "float64" if name in numbers else "object" for name in columns}
    definition = DataDefinition(
        numerical_columns=[name for name in columns if name in numbers],
        categorical_columns=[name for name in columns if name not in numbers],
    )
    new, old = (Dataset.from_pandas(df[columns].astype(kinds), data_definition=definition) for df in (current, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tests on constant columns
        found = Report([DriftedColumnsCount()]).run(new, old).dict()
    return bool(found["metrics"][0]["value"]["share"] >= DRIFT_SHARE)
