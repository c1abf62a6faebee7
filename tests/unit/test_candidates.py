from __future__ import annotations

from functools import cache
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from threadpoolctl import threadpool_limits

from tasks.core import candidates, features, recipe
from tasks.core.candidates import BASELINE, CANDIDATES, Candidate, candidates_for
from tasks.core.errors import UsageError
from tasks.core.recipe import Recipe
from tasks.core.table import Column, ColumnType, Schema, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn.pipeline import Pipeline

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}
EACH = pytest.mark.parametrize(
    ("task", "candidate"), [pytest.param(task, c, id=f"{c.name}-{task}") for task in TASKS for c in CANDIDATES if task in c.tasks]
)
# Two classes are prepared for as many are, but for what `test_models` fits.
EACH_KIND = pytest.mark.parametrize(
    ("task", "candidate"),
    [pytest.param(task, c, id=f"{c.name}-{task}") for task in ("regression", "multiclass") for c in CANDIDATES if task in c.tasks],
)
EACH_CLASSIFIER = pytest.mark.parametrize("candidate", [c for c in CANDIDATES if "multiclass" in c.tasks], ids=lambda c: c.name)
KINDS: dict[str, ColumnType] = {
    "size": "number",
    "kind": "category",
    "age": "number",
    "ratio": "number",
    "is_new": "category",
    "place": "category",
    "seen": "datetime",
    "made": "datetime",
    "note": "text",
    "later": "number",
    "remark": "category",
}
ROWS = 48
FAR = 1e200


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Fit with one thread, few trees and few categories: on tables this small, threads that wait for one another are most of the time."""
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "TREES", 8)
        patch.setattr(candidates, "ITERATIONS", 50)
        patch.setattr(recipe, "MAX_CATEGORIES", 6)
        patch.setattr(features, "WORDS", 64)
        yield


def schema_of(task: Task, **types: ColumnType) -> Schema:
    features = (Column(name, kind, "feature", "") for name, kind in types.items())
    return Schema((*features, Column("y", "number" if task == "regression" else "category", "target", "")), task)


@cache
def table() -> pd.DataFrame:
    """Make rows of every kind of column, with something missing in most, something infinite in one, and nothing in two."""
    rng = np.random.default_rng(0)
    words = np.array(["oak", "pine", "teak", "desk", "chair", "lamp"])
    seen = pd.Series(pd.date_range("2022-01-01", periods=ROWS, freq="209h", unit="us"))
    return pd.DataFrame(
        {
            "size": np.where(np.arange(ROWS) % 4 == 0, np.nan, rng.normal(size=ROWS)),
            "kind": pd.Series(rng.choice(["p", "q", None], ROWS), dtype="str"),
            "age": rng.normal(size=ROWS),
            "ratio": np.where(np.arange(ROWS) % 9 == 0, np.inf, rng.normal(size=ROWS)),
            "is_new": pd.Series(rng.choice(["True", "False"], ROWS), dtype="str"),
            "place": pd.Series([None if row % 11 == 5 else f"place {row % 8}" for row in range(ROWS)], dtype="str"),
            "seen": seen.where(np.arange(ROWS) % 10 != 0),
            "made": seen - pd.to_timedelta(rng.integers(1, 900, ROWS), unit="h"),
            "note": pd.Series([None if row % 7 == 0 else " ".join(rng.choice(words, 4)) for row in range(ROWS)], dtype="str"),
            "later": np.full(ROWS, np.nan),
            "remark": pd.Series([None] * ROWS, dtype="str"),
        }
    )


def unseen() -> pd.DataFrame:
    """Make rows with everything that training has not seen."""
    never = pd.Series(["never seen"] * ROWS, dtype="str")
    long_ago = pd.Series(np.array(["0001-01-01", "NaT"] * (ROWS // 2), dtype="datetime64[us]"))
    texts = {"kind": never, "is_new": never, "place": never, "note": pd.Series(["", None] * (ROWS // 2), dtype="str")}
    return table().assign(size=FAR, age=-np.inf, ratio=np.nan, seen=pd.NaT, made=long_ago, **texts)


def target(task: Task, X: pd.DataFrame) -> np.ndarray:
    if task == "regression":
        return 10 + X["age"].to_numpy() * 2
    classes = np.array(["a", "b"] if task == "binary" else ["a", "b", "c"])
    return classes[pd.qcut(X["age"], len(classes), labels=False).to_numpy()]


def fit(candidate: Candidate, schema: Schema, X: pd.DataFrame, y: np.ndarray, seed: int = 0) -> Pipeline:
    return candidate.build(Recipe.of(schema, X, y, seed)).fit(X, y)


@cache
def fitted(name: str, task: Task) -> Pipeline:
    return fit(BY_NAME[name], schema_of(task, **KINDS), table(), target(task, table()))


def answers(model: Pipeline, X: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def check_answers(model: Pipeline, task: Task, X: pd.DataFrame) -> np.ndarray:
    said = answers(model, X)
    assert np.isfinite(said).all()
    if task == "regression":
        assert said.shape == (len(X),)
    else:
        assert list(model.classes_) == ["a", "b", "c"][: 2 if task == "binary" else 3]
        assert said.shape == (len(X), len(model.classes_))
        assert said.sum(axis=1) == pytest.approx(1)
    return said


# ----------------------------------------------------------------------------------------------------------- choosing


def test_each_task_has_the_baseline_and_algorithms_to_choose_from() -> None:
    names = {task: [candidate.name for candidate in candidates_for(task)] for task in TASKS}
    boosted = ["hist_gradient_boosting", "deep_boosting", "shallow_boosting"]
    assert names == {
        "regression": ["dummy", "ridge", "svm", "mlp", "extra_trees", *boosted, "log_boosting"],
        "binary": ["dummy", "logistic", "svm", "mlp", "extra_trees", *boosted],
        "multiclass": ["dummy", "logistic", "svm", "mlp", "extra_trees", *boosted],
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


def test_only_a_machine_that_is_slow_on_many_rows_and_classes_does_not_compete_on_them_unasked() -> None:
    slow = {candidate.name for candidate in CANDIDATES if candidate.by_default and not candidate.is_quick_on(np.zeros(8001))}
    assert slow == {"svm"}
    assert BY_NAME["svm"].is_quick_on(np.zeros(8000))
    classes = np.array(["a", "b", "c", "d"])
    assert [BY_NAME["svm"].is_quick_on(np.resize(classes, rows)) for rows in (4000, 4004)] == [True, False]


def test_the_weights_of_a_network_are_held_back_where_too_few_rows_could_watch_it() -> None:
    few, many = (BY_NAME["mlp"].build(Recipe("binary", rows, 0, rows // 2, can_stop_early=True))["model"] for rows in (999, 1000))
    assert (few.alpha, few.early_stopping) == (1.0, False)
    assert (many.alpha, many.early_stopping) == (0.0001, True)


def test_a_machine_for_each_of_several_classes_gives_better_probabilities_than_the_votes_of_pairs() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(600, 2)), columns=["a", "b"])
    y = np.array([f"c{sector}" for sector in (np.arctan2(X["a"], X["b"]) // (np.pi / 3)).astype(int)])
    model = fit(BY_NAME["svm"], schema_of("multiclass", a="number", b="number"), X[:400], y[:400])
    truth = y[400:, None] == model.classes_[None, :]
    assert ((model.predict_proba(X[400:]) - truth) ** 2).sum(axis=1).mean() < 0.12


def test_a_candidate_says_for_which_rows_it_is_not() -> None:
    assert BY_NAME["svm"].why_not(np.zeros(10_000)) == ""
    assert BY_NAME["svm"].why_not(np.zeros(10_001)) == "it is for at most 10,000 rows, and 10,001 are to fit"
    assert BY_NAME["log_boosting"].why_not(np.array([0.0, 3.0])) == ""
    assert BY_NAME["log_boosting"].why_not(np.array([-0.1, 3.0])) == "its target has negative values, and it takes logarithms"


def test_a_candidate_costs_more_the_more_rows_it_is_fitted_to() -> None:
    cost = {candidate.name: (candidate.seconds(10_000), candidate.seconds(40_000)) for candidate in CANDIDATES}
    assert cost["svm"] == (6.0, 96.0)
    assert all(0 < few < many for few, many in cost.values())


# ------------------------------------------------------------------------------------------------------------ fitting


@EACH_KIND
def test_a_table_of_every_kind_of_column_is_fitted_and_what_was_never_seen_is_predicted_too(task: Task, candidate: Candidate) -> None:
    model = fitted(candidate.name, task)
    filled = table().assign(later=1.5, remark=pd.Series(["now"] * ROWS, dtype="str"))
    rows = pd.concat([table(), unseen(), filled], ignore_index=True)
    said = check_answers(model, task, rows)
    # A column that was empty when the model was fitted cannot change what it says.
    assert np.array_equal(said[:ROWS], said[2 * ROWS :])


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_the_same_seed_fits_the_same(candidate: Candidate) -> None:
    task = candidate.tasks[-1]
    model = fitted(candidate.name, task)
    again = clone(model).fit(table(), target(task, table()))
    assert np.array_equal(answers(again, table()), answers(model, table()))


@pytest.mark.parametrize("column", ["size", "ratio", "kind", "place", "seen", "note"])
@pytest.mark.parametrize("name", ["logistic", "hist_gradient_boosting"])
def test_a_column_of_any_kind_alone_is_enough(name: str, column: str) -> None:
    X = table()[[column]]
    check_answers(fit(BY_NAME[name], schema_of("multiclass", **{column: KINDS[column]}), X, target("multiclass", table())), "multiclass", X)


@EACH
def test_all_but_the_baseline_learn_what_numbers_say(task: Task, candidate: Candidate) -> None:
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"age": rng.normal(size=120), "noise": rng.normal(size=120)})
    y = target(task, X)
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


@EACH_CLASSIFIER
def test_classes_of_one_row_or_two_and_names_of_any_kind_break_nothing(candidate: Candidate) -> None:
    rng = np.random.default_rng(2)
    X = pd.DataFrame({"age": rng.normal(size=80), "place": pd.Series([f"p{row % 9}" for row in range(80)], dtype="str")})
    y = np.array(["größer als 0"] * 40 + ["True"] * 37 + ["0"] * 2 + [""])
    if why_not := candidate.why_not(y):
        assert (candidate.name, why_not) == ("svm", "its rarest class has 1 row to fit, and probabilities need 10")
        y[-1] = "0"
    model = fit(candidate, schema_of("multiclass", age="number", place="category"), X, y)
    assert list(model.classes_) == sorted(set(y.tolist()))
    assert answers(model, X).sum(axis=1) == pytest.approx(1)


@EACH_CLASSIFIER
def test_one_positive_in_a_hundred_is_given_about_one_chance_in_a_hundred(candidate: Candidate) -> None:
    X = pd.DataFrame({"noise": np.random.default_rng(3).normal(size=300)})
    y = np.array(["yes"] * 3 + ["no"] * 297)
    model = fit(candidate, schema_of("binary", noise="number"), X, y)
    assert answers(model, X)[:, 1].mean() == pytest.approx(0.01, abs=0.01)


@pytest.mark.parametrize(
    ("labels", "stops_early"),
    [(["a", "b"] * 20, True), (["a"] * 39 + ["b"], False), ([f"class {row // 4}" for row in range(40)], False), (["a", "b"] * 9, False)],
    ids=["two classes", "a class of one row", "more classes than a tenth of the rows", "few rows"],
)
def test_boosting_watches_itself_only_where_a_tenth_of_the_rows_can_hold_every_class(labels: list[str], *, stops_early: bool) -> None:
    X, y = pd.DataFrame({"size": np.arange(len(labels), dtype=float)}), np.array(labels)
    found = Recipe.of(schema_of("multiclass", size="number"), X, y, seed=0)
    assert found.can_stop_early is stops_early
    assert len(BY_NAME["hist_gradient_boosting"].build(found).fit(X, y).predict(X)) == len(y)


def test_another_seed_fits_another_boosting() -> None:
    X = table()
    y, schema = target("regression", X), schema_of("regression", **KINDS)
    first, other = (answers(fit(BY_NAME["hist_gradient_boosting"], schema, X, y, seed), X) for seed in (0, 1))
    assert not np.array_equal(first, other)


def test_boosting_of_the_logarithm_says_nothing_below_zero_and_errs_less_on_amounts() -> None:
    size = np.linspace(0, 8, 200)
    X, y = pd.DataFrame({"size": size}), np.expm1(size + np.random.default_rng(4).normal(size=200).clip(-1, 1) * (size > 1))
    plain, logged = (fit(BY_NAME[f"{kind}_boosting"], schema_of("regression", size="number"), X, y) for kind in ("hist_gradient", "log"))
    assert (logged.predict(X) >= 0).all()
    error = [np.abs(np.log1p(model.predict(X).clip(0)) - np.log1p(y)).mean() for model in (plain, logged)]
    assert error[1] < error[0] / 2


@EACH_KIND
def test_a_pipeline_holds_nothing_of_this_repository(task: Task, candidate: Candidate) -> None:
    parts = fitted(candidate.name, task).get_params(deep=True).values()
    modules = {type(part).__module__.partition(".")[0] for part in parts}
    assert modules <= {"builtins", "sklearn", "numpy"}
