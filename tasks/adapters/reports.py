"""Evidently: what its default preset says of two tables."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def default_flag(reference: pd.DataFrame, current: pd.DataFrame, numbers: Sequence[str]) -> bool:
    """Say whether Evidently's default preset calls the table drifted: at least half of its columns, each by its default test.

    Args:
        reference: Rows to compare with.
        current: The rows in question.
        numbers: Columns that hold numbers; the others are categories. A column that is empty on either side is left out, for Evidently
            raises on one.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = [str(name) for name in reference if reference[name].notna().any() and current[name].notna().any()]
    kinds = {name: "float64" if name in numbers else "object" for name in columns}
    definition = DataDefinition(
        numerical_columns=[name for name in columns if name in numbers],
        categorical_columns=[name for name in columns if name not in numbers],
    )
    new, old = (Dataset.from_pandas(df[columns].astype(kinds), data_definition=definition) for df in (current, reference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tests on constant columns
        found = Report([DataDriftPreset()], include_tests=True).run(new, old).dict()
    drifted = next(metric for metric in found["metrics"] if metric["metric_name"].startswith("DriftedColumnsCount"))
    return bool(drifted["value"]["share"] >= 0.5)
