from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from tasks.core.errors import DataRefusedError
from tasks.core.metrics import Prediction
from tasks.core.scoring import Input, ScoredRows, Scorer, ScoreReport, check_columns, describe, fit_inputs, write_predictions

SCORER = Scorer("houses", 3, Pipeline([("model", DummyClassifier())]), "price", (Input("size", "number"), Input("town", "category")))


@pytest.mark.parametrize(
    ("values", "wanted", "fitted", "lost"),
    [
        (pd.Series([1.5, None]), "number", [1.5, None], []),
        (pd.Series(["1.5", None, "x"], dtype="str"), "number", [1.5, None, None], [2]),
        (pd.to_datetime(pd.Series(["2024-01-01", None])).astype("datetime64[us]"), "number", [None, None], [0]),
        (pd.Series(["a", None], dtype="str"), "category", ["a", None], []),
        (pd.Series([7.0, -0.0, 1.25, None, 1e22]), "category", ["7", "0", "1.25", None, "10000000000000000000000"], []),
        (pd.to_datetime(pd.Series(["2024-01-01", None])).astype("datetime64[us]"), "category", [None, None], [0]),
        (pd.Series([None, None], dtype="str"), "number", [None, None], []),
        (pd.to_datetime(pd.Series(["2024-01-01", None])).astype("datetime64[us]"), "datetime", [pd.Timestamp("2024-01-01"), None], []),
        (
            pd.Series(["2024-01-01T10:00+02:00", "5 May", None], dtype="str"),
            "datetime",
            [pd.Timestamp("2024-01-01 08:00"), None, None],
            [1],
        ),
        (pd.Series([20240101.0, None]), "datetime", [None, None], [0]),
    ],
)
def test_a_column_gets_the_type_that_the_model_asks_for_or_the_row_says_why_not(
    values: pd.Series, wanted: str, fitted: list[object], lost: list[int]
) -> None:
    columns, reasons = fit_inputs(pd.DataFrame({"x": values}), [Input("x", wanted)])  # type: ignore[arg-type]
    assert columns["x"].dtype == {"number": "float64", "category": "str", "datetime": "datetime64[us]"}[wanted]
    assert [None if pd.isna(cell) else cell for cell in columns["x"]] == fitted
    assert [row for row, reason in enumerate(reasons) if reason] == lost


def test_a_row_says_every_reason_and_no_value() -> None:
    rows = pd.DataFrame({"a": pd.Series(["secret"], dtype="str"), "b": pd.Series(["secret"], dtype="str")})
    assert fit_inputs(rows, [Input("a", "number"), Input("b", "number")])[1].tolist() == ["'a' is no number; 'b' is no number"]


@pytest.mark.parametrize(
    ("key", "columns", "message"),
    [
        ((), ["sise", "town"], "new.csv has no column 'size', which version 3 of houses asks for; did you mean 'sise'?"),
        ((), ["other"], "new.csv has no column 'size' and 1 more, which version 3 of houses asks for"),
        (("id",), ["size", "town"], "new.csv has no column 'id', which names the rows"),
    ],
)
def test_a_column_that_is_not_there_is_named(key: tuple[str, ...], columns: list[str], message: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        check_columns(SCORER, key, columns, "new.csv")
    assert refused.value.message == message


def test_columns_that_nobody_asks_for_do_not_disturb() -> None:
    check_columns(SCORER, ("id",), ["id", "note", "town", "size"], "new.csv")


def test_a_prediction_carries_what_names_the_row_and_who_said_it() -> None:
    prediction = Prediction(np.array(["no", "yes"]), np.array([[0.7, 0.3], [0.2, 0.8]]), ("no", "yes"))
    written = write_predictions(pd.DataFrame({"id": ["a", "b"]}), np.array([2, 5]), prediction, SCORER, "0123456789abcdef" * 4)
    assert written.to_dict("records")[1] == {
        "id": "b",
        "line": 5,
        "prediction": "yes",
        "proba_no": 0.2,
        "proba_yes": 0.8,
        "version": 3,
        "prediction_id": "0123456789abcdef-5",
    }


def test_a_key_keeps_its_column_whatever_it_is_called() -> None:
    written = write_predictions(pd.DataFrame({"line": ["a"]}), np.array([2]), Prediction(np.array([1.0])), SCORER, "f" * 64)
    assert written.iloc[0].tolist() == ["a", 1.0, 3, f"{'f' * 16}-2"]


def test_another_version_suite_or_content_is_another_scoring() -> None:
    other = Scorer("houses", 4, SCORER.model, "price", SCORER.inputs)
    named = {SCORER.scoring_of("b", "s"), other.scoring_of("b", "s"), SCORER.scoring_of("b", ""), SCORER.scoring_of("c", "s")}
    assert len(named) == 4


def test_a_person_reads_how_many_rows_went_where_and_the_files() -> None:
    report = ScoreReport("houses", "new.csv", 3, ScoredRows(10, 8, 2), "/home/eva/p.csv", "/home/eva/p-aside.csv", is_known=True)
    assert describe(report, "/home/eva").splitlines() == [
        "new.csv by version 3 of houses: 10 read = 8 scored + 2 quarantined, known already",
        "  predictions p.csv",
        "  set aside   p-aside.csv",
    ]
