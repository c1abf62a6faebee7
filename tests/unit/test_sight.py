from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from tasks.core import sight as sights
from tasks.core.drift import FeatureDrift
from tasks.core.sight import Sight, draw, facts_of, feature_rows, judge, say_what_it_is, why_not

ROWS = 600


def rows(seed: int, count: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(100, 10, count)
    return pd.DataFrame(
        {"size": size, "colour": rng.choice(["red", "blue"], count), "price": size * 2, "prediction": size * 2 + rng.normal(0, 1, count)}
    )


def drift(name: str, *, is_drifted: bool = False) -> FeatureDrift:
    return FeatureDrift(name, 0.3 if is_drifted else 0.01, 0.001, 0.2, is_drifted)


def sight_of(current: pd.DataFrame | None = None, reference: pd.DataFrame | None = None, *names: str) -> Sight:
    return Sight(
        use_case="houses",
        task="regression",
        reference=rows(1) if reference is None else reference,
        current=rows(2) if current is None else current,
        features=tuple(drift(name) for name in names or ("size", "colour")),
        numbers=("size",),
        target="price",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        facts={"loss": 0.5, "estimated_loss": float("nan")},
        decision="keep",
        rows=(12_000, 7_000),
    )


def test_a_sample_is_the_same_each_time_and_keeps_the_order_of_rows() -> None:
    sight = sight_of(rows(2, sights.MOST_ROWS + 50))
    drawn = draw(sight).current
    assert len(drawn) == sights.MOST_ROWS
    assert drawn.equals(draw(sight).current)
    where = pd.Index(sight.current["size"]).get_indexer(drawn["size"])
    assert (np.diff(where) > 0).all()


def test_features_without_a_picture_are_told_apart() -> None:
    reference, current = rows(1), rows(2)
    reference["gone"], current["late"], current["bare"], reference["bare"] = 1.0, "x", np.inf, 1.0
    reference["vast"] = current["vast"] = np.where(np.arange(ROWS) % 2, 1e308, -1e308)
    sight = sight_of(current, reference, "size", "gone", "late", "vast")
    features = (*sight.features, drift("bare", is_drifted=True))
    drawing = draw(replace(sight, features=features, numbers=("size", "gone", "bare", "vast")))
    assert [*drawing.current] == ["size"]
    assert drawing.left_out == (
        "`gone` is not among the current rows",
        "`late` is not among the reference rows",
        "`vast` spans a range that no histogram can be drawn of",
        "`bare` has no value in the current rows; it counts as drifted",
    )


def test_what_is_personal_is_drawn_nowhere() -> None:
    sight = replace(sight_of(), personal=("colour", "price"))
    drawing = draw(sight)
    assert [*drawing.current] == ["size"]
    assert drawing.left_out == ("1 feature not shown, for they are personal",)
    assert [name for name, *_ in feature_rows(sight)] == ["size"]
    assert judge(sight) == "Target or prediction are personal, so their quality is not drawn."


def test_numbers_and_categories_of_any_type_become_what_engines_can_draw() -> None:
    reference, current = rows(1), rows(2)
    for df in (reference, current):
        df["count"] = pd.array([1, None] * (ROWS // 2), dtype="Int64")
        df["flag"] = pd.array([True, None] * (ROWS // 2), dtype="boolean")
        df["kind"] = pd.Categorical(df["colour"])
    drawing = draw(replace(sight_of(current, reference, "count", "flag", "kind"), numbers=("count",)))
    assert drawing.numbers == ("count",)
    assert [str(dtype) for dtype in drawing.current.dtypes] == ["float64", "object", "object"]
    assert drawing.current["flag"].isna().sum() == ROWS // 2


def test_rare_values_of_a_category_become_one() -> None:
    current = rows(2)
    current["colour"] = [f"shade {place}" for place in range(ROWS)]
    drawn = draw(sight_of(current, None, "colour"))
    found = set(drawn.current["colour"]) | set(drawn.reference["colour"])
    assert len(found) == sights.MOST_VALUES + 1
    assert f"({ROWS + 2 - sights.MOST_VALUES} other values)" in found


def test_names_and_values_cannot_end_the_script_of_a_page() -> None:
    reference, current = rows(1), rows(2)
    for df in (reference, current):
        df["</script>"] = df["a<b"] = df["a\u2039b"] = "<!--"
    drawing = draw(sight_of(current, reference, "</script>", "a<b", "a\u2039b"))
    assert [*drawing.current] == ["\u2039/script\u203a", "a\u2039b", "a\u2039b_"]
    assert "<" not in "".join(drawing.current.iloc[0])


def test_few_rows_have_no_pictures() -> None:
    assert why_not(sight_of()) == ""
    assert why_not(sight_of(rows(2, 499))) == "499 rows came, and pictures are drawn of 500 or more"
    assert why_not(sight_of(None, rows(1, 499))) == "the reference has 499 rows, and pictures are drawn of 500 or more"
    assert "sample" not in say_what_it_is(sight_of(rows(2, 499)), ())


def test_the_first_sentences_say_what_was_decided_on_which_rows() -> None:
    told = say_what_it_is(replace(sight_of(), decision="retrain", because="the loss rose by 12 %"), ("`late` is missing",))
    assert told.startswith("**Decided: retrain**, because the loss rose by 12 %.")
    assert "compared on all rows: 12,000 of the reference, 7,000 of this window; loss and predictions are of 600 of these" in told
    assert "Pictures are drawn from a seeded sample of 600 and 600 " in told
    assert told.endswith("- `late` is missing")


def test_numbers_over_time_are_those_that_are_known() -> None:
    sight = replace(sight_of(), features=(drift("size", is_drifted=True), drift("colour")))
    assert facts_of(sight) == {"rows": 7000.0, "drifted_percent": 50.0, "loss": 0.5, "decision: keep": 1.0}


def test_quality_is_that_of_labelled_rows() -> None:
    current = rows(2)
    current.loc[current.index[:500], "price"] = np.nan
    judged = judge(sight_of(current))
    assert not isinstance(judged, str)
    assert len(judged.current) == ROWS - 500
    current["price"] = np.nan
    assert judge(sight_of(current)) == "Fewer than 50 rows have a label and a prediction, so their quality is not drawn."
    current["price"] = 3.0
    assert judge(sight_of(current)) == "All labels that came are alike, so their quality is not drawn."
    current["price"], current["prediction"] = rows(2)["price"], np.where(np.arange(ROWS) % 2, 1e300, 1.0)
    assert judge(sight_of(current)) == "Targets or predictions span a range that no picture can be drawn of."


def test_classes_without_probabilities_have_no_curves_and_others_no_reference() -> None:
    reference, current = rows(1), rows(2)
    for df in (reference, current):
        df["price"] = df["prediction"] = np.where(df["size"] > 100, "dear", "cheap")
        df["proba_cheap"], df["proba_dear"] = 0.4, 0.6
    judged = judge(replace(sight_of(current, reference), task="binary"))
    assert not isinstance(judged, str)
    assert (judged.labels, judged.classes) == (("cheap", "dear"), ("cheap", "dear"))
    assert judged.reference is not None
    current.loc[0, "price"] = "new"
    judged = judge(replace(sight_of(current, reference), task="multiclass"))
    assert not isinstance(judged, str)
    assert (judged.labels, judged.classes, judged.reference) == (("cheap", "dear", "new"), (), None)
