from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from threadpoolctl import threadpool_limits

from tasks.core import candidates
from tasks.core.candidates import BASELINE, CANDIDATES, Candidate, Recipe, candidates_for
from tasks.core.errors import UsageError
from tasks.core.features import MAX_CATEGORIES
from tasks.core.table import Column, ColumnType, Schema, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn.pipeline import Pipeline

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
EACH = pytest.mark.parametrize(
    ("task", "candidate"), [pytest.param(task, c, id=f"{c.name}-{task}") for task in TASKS for c in CANDIDATES if task in c.tasks]
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Fit with one thread, and few trees: on tables this small, threads that wait for one another are most of the time."""
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "TREES", 20)
        yield


def schema_of(task: Task, **types: ColumnType) -> Schema:
    features = (Column(name, kind, "feature", "") for name, kind in types.items())
    return Schema((*features, Column("y", "number" if task == "regression" else "category", "target", "")), task)


def small_table(rows: int = 32) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": np.where(np.arange(rows) % 4 == 0, np.nan, rng.normal(size=rows)),
            "kind": pd.Series(rng.choice(["p", "q", None], rows), dtype="str"),
            "age": rng.normal(size=rows),
            "later": np.full(rows, np.nan),
            "note": pd.Series([None] * rows, dtype="str"),
        }
    )


def schema_of_small(task: Task) -> Schema:
    return schema_of(task, size="number", kind="category", age="number", later="number", note="category")


def target(task: Task, X: pd.DataFrame) -> np.ndarray:
    if task == "regression":
        return 10 + X["age"].to_numpy() * 2 + (X["kind"] == "p").to_numpy()
    classes = np.array(["a", "b"] if task == "binary" else ["a", "b", "c"])
    return classes[pd.qcut(X["age"], len(classes), labels=False).to_numpy()]


def fit(candidate: Candidate, schema: Schema, X: pd.DataFrame, y: np.ndarray, seed: int = 0) -> Pipeline:
    return candidate.build(Recipe.of(schema, X, y, seed)).fit(X, y)


def answers(model: Pipeline, X: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def check_answers(model: Pipeline, task: Task, X: pd.DataFrame) -> None:
    said = answers(model, X)
    assert np.isfinite(said).all()
    if task == "regression":
        assert said.shape == (len(X),)
    else:
        assert list(model.classes_) == ["a", "b", "c"][: 2 if task == "binary" else 3]
        assert said.shape == (len(X), len(model.classes_))
        assert said.sum(axis=1) == pytest.approx(1)


# ----------------------------------------------------------------------------------------------------------- choosing


def test_each_task_has_the_baseline_and_algorithms_to_choose_from() -> None:
    names = {task: [candidate.name for candidate in candidates_for(task)] for task in TASKS}
    assert names == {
        "regression": ["dummy", "ridge", "hist_gradient_boosting"],
        "binary": ["dummy", "logistic", "hist_gradient_boosting"],
        "multiclass": ["dummy", "logistic", "hist_gradient_boosting"],
    }


def test_a_blend_is_of_those_that_are_named_beside_it_or_that_compete_by_default() -> None:
    assert candidates_for("binary", ["blend"]) == candidates_for("binary")
    assert [candidate.name for candidate in candidates_for("binary", ["blend", "svm"])] == [BASELINE, "svm"]


def test_the_baseline_is_always_among_the_wanted() -> None:
    assert [candidate.name for candidate in candidates_for("regression", ["ridge"])] == [BASELINE, "ridge"]
    assert [candidate.name for candidate in candidates_for("regression", [BASELINE])] == [BASELINE]
    assert [candidate.name for candidate in candidates_for("binary", ["hist_gradient_boosting", "logistic"])] == [
        BASELINE,
        "logistic",
        "hist_gradient_boosting",
    ]


@pytest.mark.parametrize(
    ("task", "wanted", "message"),
    [
        (
            "regression",
            "rigde",
            "'rigde'; did you mean 'ridge'? (available: blend, deep_boosting, dummy, extra_trees,",
        ),
        ("regression", "gradient_boosting", "'gradient_boosting'; did you mean 'hist_gradient_boosting'?"),
        ("multiclass", "logistics", "'logistics'; did you mean 'logistic'? (available: blend, deep_boosting, dummy,"),
        ("binary", "lasso", "'lasso' (available: blend, deep_boosting, dummy, extra_trees, hist_gradient_boosting, kernel, logistic, mlp,"),
    ],
)
def test_an_unknown_candidate_gets_the_closest_one_of_its_task(task: Task, wanted: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        candidates_for(task, ["dummy", wanted])
    assert refused.value.message.startswith(f"there is no {task} candidate {message}")
    assert refused.value.where == "candidates"


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_a_search_may_choose_what_a_candidate_takes_and_what_it_has_by_default_is_among_it(candidate: Candidate) -> None:
    defaults = {name: each.default for name, each in signature(candidate.build).parameters.items() if name != "recipe"}
    assert {name: defaults[name] in space for name, space in candidate.space.items()} == dict.fromkeys(candidate.space, True)


def test_a_candidate_says_for_which_rows_it_is_not() -> None:
    by_name = {candidate.name: candidate for candidate in CANDIDATES}
    assert by_name["svm"].why_not(np.zeros(10_000)) == ""
    assert by_name["svm"].why_not(np.zeros(10_001)) == "it is for at most 10,000 rows, and 10,001 are to fit"
    assert by_name["log_boosting"].why_not(np.array([0.0, 3.0])) == ""
    assert by_name["log_boosting"].why_not(np.array([-0.1, 3.0])) == "its target has negative values, and it takes logarithms"


def test_a_candidate_costs_more_the_more_rows_it_is_fitted_to() -> None:
    cost = {candidate.name: (candidate.seconds(10_000), candidate.seconds(40_000)) for candidate in CANDIDATES}
    assert cost["svm"] == (6.0, 96.0)
    assert all(0 < few < many for few, many in cost.values())


# ------------------------------------------------------------------------------------------------------------- recipe


def test_a_recipe_names_numbers_and_categories_in_the_order_of_the_table() -> None:
    recipe = Recipe(schema_of_small("binary"), 32, 0)
    assert (recipe.numbers, recipe.categories) == (["size", "age", "later"], ["kind", "note"])


def test_a_recipe_leaves_out_the_features_without_any_value_in_the_rows_to_fit() -> None:
    X, y = small_table(), np.array(["a", "b"] * 16)
    recipe = Recipe.of(schema_of_small("binary"), X, y, seed=5)
    assert (recipe.numbers, recipe.categories, recipe.rows, recipe.seed) == (["size", "age"], ["kind"], 32, 5)
    assert recipe.schema.target == "y"
    late = X.assign(later=np.where(np.arange(32) < 31, np.nan, 1.0))
    assert "later" in Recipe.of(schema_of_small("binary"), late, y, seed=5).numbers


@pytest.mark.parametrize(
    ("labels", "stops_early"),
    [(["a", "b"] * 20, True), (["a"] * 39 + ["b"], False), ([f"class {row // 4}" for row in range(40)], False), (["a", "b"] * 9, False)],
    ids=["two classes", "a class of one row", "more classes than a tenth of the rows", "few rows"],
)
def test_boosting_watches_itself_only_where_a_tenth_of_the_rows_can_hold_every_class(labels: list[str], *, stops_early: bool) -> None:
    X, y = pd.DataFrame({"size": np.arange(len(labels), dtype=float)}), np.array(labels)
    schema = Schema((Column("size", "number", "feature", ""), Column("y", "category", "target", "")), "multiclass")
    recipe = Recipe.of(schema, X, y, seed=0)
    assert recipe.can_stop_early is stops_early
    boosting = next(c for c in CANDIDATES if c.name == "hist_gradient_boosting")
    assert len(boosting.build(recipe).fit(X, y).predict(X)) == len(y)


# ------------------------------------------------------------------------------------------------------------ fitting


@EACH
def test_a_small_table_with_missing_values_and_empty_columns_is_fitted_and_the_same_seed_fits_the_same(
    task: Task, candidate: Candidate
) -> None:
    X = small_table()
    y = target(task, X)
    model = fit(candidate, schema_of_small(task), X, y)
    check_answers(model, task, X)
    assert np.array_equal(answers(fit(candidate, schema_of_small(task), X, y), X), answers(model, X))
    unseen = X.assign(kind=pd.Series(["never seen"] * 32, dtype="str"), note=pd.Series(["now"] * 32, dtype="str"), later=1.5, size=np.nan)
    check_answers(model, task, unseen)
    # A column that was empty when the model was fitted cannot change what it says.
    assert np.array_equal(answers(model, X.assign(later=unseen["later"], note=unseen["note"])), answers(model, X))


@EACH
def test_categories_alone_are_enough(task: Task, candidate: Candidate) -> None:
    X = small_table()
    model = fit(candidate, schema_of(task, kind="category"), X[["kind"]], target(task, X))
    check_answers(model, task, X[["kind"]])


@pytest.mark.parametrize("name", ["ridge", "hist_gradient_boosting"])
def test_more_categories_than_are_kept_apart_are_fitted(name: str) -> None:
    rows = 5 * (MAX_CATEGORIES + 50)
    X = pd.DataFrame({"place": pd.Series([f"p{i // 5}" for i in range(rows)], dtype="str")})
    candidate = next(c for c in CANDIDATES if c.name == name)
    model = fit(candidate, schema_of("regression", place="category"), X, np.arange(rows) % 2.0)
    check_answers(model, "regression", X)
    assert len(np.unique(model[0].transform(X), axis=0)) == MAX_CATEGORIES


def test_boosting_is_told_which_columns_are_categories() -> None:
    X = small_table()
    boosting = next(c for c in CANDIDATES if c.name == "hist_gradient_boosting")
    model = fit(boosting, schema_of_small("regression"), X, target("regression", X))
    assert model[0].get_feature_names_out().tolist() == ["numbers__size", "numbers__age", "categories__kind"]
    assert model[-1].is_categorical_.tolist() == [False, False, True]


@EACH
def test_all_but_the_baseline_learn_what_numbers_say(task: Task, candidate: Candidate) -> None:
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"age": rng.normal(size=120), "noise": rng.normal(size=120)})
    y = target(task, X.assign(kind="q"))
    model = fit(candidate, schema_of(task, age="number", noise="number"), X, y)
    said = answers(model, X)
    if candidate.name == BASELINE:
        assert isinstance(model[-1], DummyRegressor | DummyClassifier)
        expected = y.mean() if task == "regression" else np.unique(y, return_counts=True)[1] / len(y)
        assert np.allclose(said, expected)
    elif task == "regression":
        assert ((said - y) ** 2).mean() < 0.3 * y.var()
    else:
        assert (model.predict(X) == y).mean() > 0.85


def test_another_seed_fits_another_boosting() -> None:
    X = small_table()
    y, schema = target("regression", X), schema_of_small("regression")
    boosting = next(c for c in CANDIDATES if c.name == "hist_gradient_boosting")
    first, other = (answers(fit(boosting, schema, X, y, seed), X) for seed in (0, 1))
    assert not np.array_equal(first, other)


@EACH
def test_a_pipeline_holds_nothing_of_this_repository(task: Task, candidate: Candidate) -> None:
    parts = candidate.build(Recipe(schema_of_small(task), 32, 0)).get_params(deep=True).values()
    modules = {type(part).__module__.partition(".")[0] for part in parts}
    assert modules <= {"builtins", "sklearn", "numpy"}
