from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import UsageError
from tasks.core.results import RowCounts
from tasks.core.settings import Settings
from tasks.core.snapshot import Case, Snapshot, Study, target_of
from tasks.core.splits import Split
from tasks.core.table import Column, Schema, Task
from tasks.core.use_case import Loss, UseCase
from tasks.core.validation import Validation


def schema(task: Task) -> Schema:
    return Schema((Column("x", "number", "feature", ""), Column("y", "number", "target", "")), task)


def labels(*values: float, task: Task = "multiclass") -> list[str]:
    return target_of(pd.DataFrame({"y": np.array(values, dtype="float64")}), schema(task)).tolist()


def study(task: Task, rows: RowCounts, fit: int, gate: int, loss: Loss | None = None) -> Study:
    return Study(
        case=Case(UseCase(name="wine", data="wine.csv", loss=loss), Settings(), suite=None),
        snapshot=Snapshot(Path("aa.parquet"), "aa", "wine.csv", schema(task), rows, Validation("")),
        split=Split(np.arange(fit), np.arange(fit, fit + gate), is_ordered=False),
    )


# ------------------------------------------------------------------------------------------------------------- target


def test_the_target_of_a_regression_is_numbers() -> None:
    values = target_of(pd.DataFrame({"y": [0.5, -2.0]}), schema("regression"))
    assert values.dtype == np.float64
    assert values.tolist() == [0.5, -2.0]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_class_labels_are_text(task: Task) -> None:
    texts = pd.DataFrame({"y": pd.Series(["no", "yes", "größe"], dtype="str")})
    values = target_of(texts, schema(task))
    assert values.dtype.kind == "U"
    assert values.tolist() == ["no", "yes", "größe"]


def test_whole_numbers_are_labels_without_a_fraction_and_others_keep_theirs() -> None:
    assert labels(0.0, 1.0, -3.0, 1e20) == ["0", "1", "-3", "100000000000000000000"]
    assert labels(0.25, 0.5, 1.0) == ["0.25", "0.5", "1"]


def test_zero_is_one_class_whatever_its_sign() -> None:
    assert labels(0.0, -0.0, 1.0, task="binary") == ["0", "0", "1"]


@pytest.mark.parametrize("values", [np.array([], dtype="float64"), pd.Series([], dtype="str")])
def test_labels_of_no_rows_are_text_too(values: object) -> None:
    assert target_of(pd.DataFrame({"y": values}), schema("binary")).dtype.kind == "U"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_equal_numbers_have_equal_labels_and_a_label_is_its_number(values: list[float]) -> None:
    found = labels(*values)
    assert [float(label) for label in found] == values
    assert len(set(found)) == len(set(values))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_texts_are_labels_character_for_character(values: list[str]) -> None:
    df = pd.DataFrame({"y": pd.Series(values, dtype="str")})
    assert target_of(df, schema("multiclass")).tolist() == values


# ----------------------------------------------------------------------------------------------------------- the study


@given(st.integers(0, 1000), st.integers(0, 200), st.integers(0, 50), st.integers(0, 50))
def test_the_rows_of_a_study_add_up(fit: int, gate: int, unlabelled: int, quarantined: int) -> None:
    read = fit + gate + unlabelled + quarantined
    rows = study("binary", RowCounts(read=read, unlabelled=unlabelled, quarantined=quarantined), fit, gate).rows
    assert rows == RowCounts(read=read, used=fit, holdout=gate, unlabelled=unlabelled, quarantined=quarantined)
    assert rows.read == rows.used + rows.holdout + rows.unlabelled + rows.quarantined


def test_the_sum_of_rows_is_printed() -> None:
    rows = study("binary", RowCounts(read=1_250, unlabelled=30, quarantined=20), fit=1_000, gate=200).rows
    assert str(rows) == "1,250 read = 1,000 used + 200 holdout + 30 unlabelled + 20 quarantined"


@pytest.mark.parametrize(
    ("task", "configured", "loss"),
    [
        ("regression", None, "squared_error"),
        ("regression", "absolute_error", "absolute_error"),
        ("binary", None, "brier"),
        ("multiclass", None, "brier"),
        ("multiclass", "log_loss", "log_loss"),
    ],
)
def test_the_loss_of_a_study_is_that_of_its_task_or_the_configured_one(task: Task, configured: Loss | None, loss: Loss) -> None:
    wanted = study(task, RowCounts(read=10), fit=8, gate=2, loss=configured)
    assert (wanted.loss, wanted.schema.task, wanted.case.name) == (loss, task, "wine")


def test_a_loss_that_does_not_serve_the_task_is_wrong_usage() -> None:
    with pytest.raises(UsageError) as refused:
        _ = study("regression", RowCounts(read=10), fit=8, gate=2, loss="brier").loss
    assert refused.value.message == "there is no regression loss 'brier' (available: absolute_error, squared_error)"
    assert refused.value.where == "loss"
