from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import summary
from tasks.core.gate import Check, Decision
from tasks.core.honesty import Doubt
from tasks.core.metrics import Interval
from tasks.core.reading.terms import Repair, SetAside
from tasks.core.results import RowCounts, Score, TrainReport
from tasks.core.table import Column, Schema
from tasks.core.validation import ExpectationResult, Validation

HOME = "/home/eva/wine"
ORDINARY = TrainReport(
    use_case="wine-quality",
    source="wine.csv",
    schema=Schema(
        (Column("acid", "number", "feature", "numbers 3 to 9"), Column("quality", "number", "target", "last column")), "regression"
    ),
    rows=RowCounts(read=1599, used=1270, holdout=320, unlabelled=5, quarantined=4),
    snapshot="466cf5c955bc48fe",
    validation=Validation("wine.json", (ExpectationResult("'acid': column values to be between", "critical", True),)),
    decision=Decision("not_worse", "promoted", ("loss −1.2 %",), (Check("not_worse", "passed", "loss −1.2 %", "+2.0 %"),)),
    run_id="a72d326cd19a44cb",
    version=3,
    aliases=("challenger", "champion"),
    loss="squared_error",
    leaderboard=(
        Score("ridge", 2990.2, 212.13, 0.04, folds=5),
        Score("hist_gradient_boosting", 3140.0, 157.0, 46.23),
        Score("dummy", 5735, 415.8, 0),
    ),
    metrics={"rmse": Interval(58.54, 51.15, 66.62), "r2": Interval(0.4914, 0.3464, 0.6041)},
    baseline={"rmse": 83.9, "r2": -0.04463},
    links={
        "report": f"{HOME}/.evergreen/reports/wine/3.html",
        "mlflow": f"{HOME}/.venv/bin/mlflow ui sqlite:///{HOME}/.evergreen/mlflow.db",
    },
    seconds={"validate": 0.26, "choose": 46.4},
)
NUMBERS = st.floats() | st.sampled_from([0.0, 1e-300, -1e-300, 134_050_927_699.0, -1e300, math.inf, math.nan])
NAMES = st.text(max_size=12)
REPAIRS = st.builds(Repair, NAMES, st.lists(st.integers(1), max_size=9).map(tuple), NAMES)
ASIDE = st.builds(SetAside, st.integers(1), NAMES, NAMES)
CLASSIFIERS = ("brier", "log_loss", "roc_auc", "accuracy", "f1_macro", "cost")
SCORES = st.builds(Score, NAMES, NUMBERS, NUMBERS, st.floats(0, 1e6))
CHECKS = st.builds(Check, NAMES, st.sampled_from(["failed", "warned", "passed", "waived"]), NAMES, NAMES, NAMES)
VERDICTS = st.sampled_from(["promoted", "kept", "refused", "unchanged"])
DECISIONS = st.builds(
    Decision, NAMES, VERDICTS, st.lists(NAMES, min_size=1, max_size=12).map(tuple), st.lists(CHECKS, max_size=5).map(tuple)
)


@st.composite
def reports(draw: st.DrawFn) -> TrainReport:
    names = CLASSIFIERS if draw(st.booleans()) else ("rmse", "mae", "r2")
    features = [Column(name, "number", draw(st.sampled_from(["feature", "unused"])), "constant") for name in draw(st.lists(NAMES))]
    return replace(
        ORDINARY,
        schema=Schema((*features, Column(draw(NAMES), "number", "target", "")), "regression"),
        decision=draw(DECISIONS),
        leaderboard=tuple(draw(st.lists(SCORES, max_size=9))),
        metrics={name: Interval(draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)) for name in names},
        baseline={name: draw(NUMBERS) for name in names},
        repairs=tuple(draw(st.lists(REPAIRS, max_size=4))),
        aside=tuple(draw(st.lists(ASIDE, max_size=3))),
        doubts=tuple(draw(st.lists(st.builds(Doubt, NAMES, NAMES), max_size=2))),
    )


def blocks(text: str) -> tuple[list[str], list[str]]:
    """Give the lines of the leaderboard and those of the metrics table."""
    lines = text.splitlines()
    starts = [next(k for k, line in enumerate(lines) if line.startswith(word)) for word in ("candidates", "metrics", "decision")]
    return lines[starts[0] : starts[1]], lines[starts[1] : starts[2]]


def test_a_run_is_told_from_rows_to_links() -> None:
    assert summary.of_training(ORDINARY, HOME).splitlines() == [
        "wine-quality · regression of 'quality' from 1 column",
        "rows        1,599 read = 1,270 used + 320 holdout + 5 unlabelled + 4 quarantined",
        "suite       1 of 1 expectations hold",
        "candidates  mean squared_error, 5 folds         seconds",
        "  * ridge                       2,990 ± 415.8       0.0",
        "    hist_gradient_boosting      3,140 ± 307.7      46.2",
        "    dummy                       5,735 ± 815         0.0",
        "metrics     on 320 gate rows       value   95 % interval         dummy",
        "    rmse                           58.54   51.15 to 66.62         83.9",
        "    r2                            0.4914   0.3464 to 0.6041   -0.04463",
        "decision    promoted · loss −1.2 %",
        "version     3 of wine-quality (challenger, champion)",
        "report      .evergreen/reports/wine/3.html",
        "mlflow      .venv/bin/mlflow ui sqlite:///.evergreen/mlflow.db",
    ]


@settings(max_examples=60, deadline=None)
@given(reports())
def test_whatever_the_run_it_is_told_in_at_most_20_lines_that_a_terminal_can_show(report: TrainReport) -> None:
    text = summary.of_training(report, HOME)
    assert len(text.splitlines()) <= 20
    assert not {unicodedata.category(sign) for sign in text.replace("\n", "")} & {"Cc", "Cs", "Zl", "Zp"}


@settings(max_examples=60, deadline=None)
@given(st.lists(SCORES.map(lambda score: replace(score, candidate="ridge")), min_size=1, max_size=6), NUMBERS, NUMBERS, NUMBERS)
def test_columns_are_aligned_whatever_the_numbers(scores: list[Score], value: float, low: float, high: float) -> None:
    metrics = {"rmse": Interval(value, low, high), "r2": Interval(0.5, 0.4, 0.6)}
    report = replace(ORDINARY, leaderboard=tuple(scores), metrics=metrics, baseline={"rmse": high, "r2": 0.0})
    (head, *candidates), measured = blocks(summary.of_training(report, HOME))
    assert len({line.index("±") for line in candidates}) == 1
    assert {len(line) for line in candidates} == {len(head)}
    assert len({len(line) for line in measured}) == 1
    starts = [
        measured[0].index("95 %"),
        *(line.index(f" {figure} to ") + 1 for line, figure in zip(measured[1:], [summary.figure(low), "0.4"], strict=True)),
    ]
    assert len(set(starts)) == 1


def test_losses_of_many_digits_keep_their_columns() -> None:
    scores = (Score("ridge", 17_163_212_198, 1_803_588_505, 0.1), Score("dummy", 134_050_927_699, 4_965_251_902, 103.25))
    (_, *candidates), _ = blocks(summary.of_training(replace(ORDINARY, leaderboard=scores), HOME))
    assert candidates == [
        "  * ridge                   17,163,212,198 ± 3,535,033,470       0.1",
        "    dummy                  134,050,927,699 ± 9,731,893,728     103.2",
    ]


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e12, -1e12])
def test_ordinary_lines_fit_a_terminal_of_140_characters(scale: float) -> None:
    metrics = {name: Interval(0.1234567 * scale, -0.1234567 * scale, 1.234567 * scale) for name in CLASSIFIERS}
    scores = tuple(Score("hist_gradient_boosting", 1.234567 * scale, 0.1234567 * scale, 3600.0) for _ in range(9))
    report = replace(ORDINARY, leaderboard=scores, metrics=metrics, baseline=dict.fromkeys(metrics, -1.234567 * scale))
    assert max(map(len, summary.of_training(report, HOME).splitlines())) <= 140


def test_the_first_warning_stands_before_the_decision_in_one_line() -> None:
    doubts = (Doubt("target_copy", "'copy' gives the target away; " + "drop it, " * 20), Doubt("few_rows", "bring more"))
    lines = summary.of_training(replace(ORDINARY, doubts=doubts), HOME).splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("warning"))
    assert lines[place].startswith("warning     'copy' gives the target away; drop it,")
    assert lines[place].endswith("… (and 1 more)")
    assert len(lines[place]) <= summary.MAX_WIDTH
    assert lines[place + 1].startswith("decision")
    (alone,) = [line for line in summary.of_training(replace(ORDINARY, doubts=doubts[1:]), HOME).splitlines() if line.startswith("warning")]
    assert alone == "warning     bring more"


def test_a_refusal_tells_every_reason_in_a_line_of_its_own_and_how_to_promote_in_spite_of_them() -> None:
    failed = tuple(Check(code, "failed", f"{code} is 9", "3", "mend it") for code in ("not_worse", "latency", "size"))
    decision = Decision("not_worse", "kept", tuple(map(str, failed)), failed)
    lines = summary.of_training(replace(ORDINARY, decision=decision), HOME).splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("decision"))
    assert lines[place : place + 4] == [
        "decision    kept champion · not_worse is 9 (limit: 3); to pass, mend it",
        "            latency is 9 (limit: 3); to pass, mend it",
        "            size is 9 (limit: 3); to pass, mend it",
        "            or promote it all the same: python -m flows.promote 3 --use-case wine-quality --waive not_worse --waive latency"
        " --waive size --because TEXT",
    ]


def test_a_check_that_warns_is_the_first_warning() -> None:
    checks = (Check("worst_slice", "warned", "loss +31.0 % where town is 'Bern'", "+5.0 %"), Check("leakage", "warned", "'tax' tells", ""))
    report = replace(ORDINARY, decision=replace(ORDINARY.decision, checks=checks), doubts=(Doubt("single_column", "'tax' tells"),))
    (line,) = [line for line in summary.of_training(report, HOME).splitlines() if line.startswith("warning")]
    assert line == "warning     worst slice: loss +31.0 % where town is 'Bern' (and 1 more)"


def test_metrics_that_the_terminal_has_no_room_for_are_left_to_the_page() -> None:
    metrics = {name: Interval(1.0, 0.5, 1.5) for name in ("brier", "calibration_error", "balanced_accuracy", "accuracy")}
    text = summary.of_training(replace(ORDINARY, metrics=metrics, baseline=dict.fromkeys(metrics, 2.0)), HOME)
    assert [line.split()[0] for line in blocks(text)[1][1:]] == ["brier", "accuracy"]


def test_an_unchanged_run_has_neither_leaderboard_nor_metrics() -> None:
    decision = Decision("unchanged", "unchanged", ("same as version 3",))
    text = summary.of_training(replace(ORDINARY, leaderboard=(), metrics={}, baseline={}, decision=decision), HOME)
    assert "decision    unchanged · same as version 3" in text.splitlines()
    assert not any(line.startswith(("candidates", "metrics")) for line in text.splitlines())


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("/data/.evergreen/1.html", ".evergreen/1.html"),
        ("/mnt/data/.evergreen/1.html", "/mnt/data/.evergreen/1.html"),
        ("/database/1.html", "/database/1.html"),
        ("mlflow ui sqlite:////mnt/data/mlflow.db", "mlflow ui sqlite:////mnt/data/mlflow.db"),
        ("http://localhost/data/1.html", "http://localhost/data/1.html"),
    ],
)
def test_only_paths_below_the_folder_are_shown_relative(link: str, shown: str) -> None:
    assert summary.of_training(replace(ORDINARY, links={"report": link}), "/data").splitlines()[-1] == f"report      {shown}"


@settings(max_examples=60, deadline=None)
@given(reports())
def test_the_document_for_scripts_is_strict_json_with_every_promised_key(report: TrainReport) -> None:
    document = json.loads(json.dumps(report.as_json(), allow_nan=False))
    promised = (
        "use_case run_id version aliases task target inferred complete rows snapshot metrics baseline leaderboard decision links seconds"
    )
    assert set(promised.split()) <= document.keys()
    assert {"read", "used", "holdout", "unlabelled", "quarantined"} <= document["rows"].keys()
    assert {"versions", "digest"} <= document["snapshot"].keys()
    assert {"code", "verdict", "reasons", "checks"} <= document["decision"].keys()
    assert all({"value", "low", "high"} <= metric.keys() for metric in document["metrics"].values())
    assert all({"candidate", "score", "seconds"} <= score.keys() for score in document["leaderboard"])
    assert all({"code", "outcome", "value", "limit"} <= check.keys() for check in document["decision"]["checks"])


def test_a_number_that_is_none_is_null_in_the_document() -> None:
    report = replace(ORDINARY, metrics={"r2": Interval(math.nan, -math.inf, 0.5)}, baseline={"r2": math.inf})
    document = report.as_json()
    assert (document["metrics"], document["baseline"]) == ({"r2": {"value": None, "low": None, "high": 0.5}}, {"r2": None})


REPAIRED = (
    Repair("encoding", (), "read as cp1252, because byte 0xe9 is not UTF-8"),
    Repair("thousands", (3, 4, 5, 6, 7, 8, 9), "column 'price': 1.234,50 read as 1234.5"),
    Repair("decimal", (2,), "column 'size': a comma is the decimal mark"),
)
LINKS = {
    "report": f"{HOME}/.evergreen/reports/wine-quality/12.html",
    "mlflow": f"{HOME}/.venv/bin/mlflow ui --backend-store-uri sqlite:///{HOME}/.evergreen/mlflow.db --allowed-hosts localhost:5000",
}


def repaired_line(report: TrainReport) -> list[str]:
    return [line for line in summary.of_training(report, HOME).splitlines() if line.startswith("repaired")]


def test_what_was_repaired_and_set_aside_is_told_in_one_line() -> None:
    assert repaired_line(ORDINARY) == []
    assert repaired_line(replace(ORDINARY, repairs=REPAIRED[2:])) == [
        "repaired    decimal: column 'size': a comma is the decimal mark (line 2)"
    ]
    aside = (SetAside(62, "1,2,3,4", "4 cells where the table has 3"),)
    assert repaired_line(replace(ORDINARY, aside=aside)) == [
        "repaired    1 row set aside, the first on line 62: 4 cells where the table has 3"
    ]
    assert repaired_line(replace(ORDINARY, aside=aside * 1200)) == [
        "repaired    1,200 rows set aside, the first on line 62: 4 cells where the table has 3"
    ]


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("rows", [0, 1, 1200])
def test_lines_of_a_run_on_a_damaged_file_fit_120_characters_and_name_the_rows_set_aside(count: int, rows: int) -> None:
    aside = (SetAside(62, "1,2,3,4", "4 cells where the table has 3"),) * rows
    report = replace(ORDINARY, repairs=REPAIRED[:count], aside=aside, links=LINKS)
    assert max(map(len, summary.of_training(report, HOME).splitlines())) <= 120
    assert ("set aside, the first on line 62" in "".join(repaired_line(report))) == (rows > 0)


@settings(max_examples=60, deadline=None)
@given(reports())
def test_the_line_of_repairs_fits_whatever_stood_in_the_file(report: TrainReport) -> None:
    assert all(len(line) <= 120 for line in repaired_line(report))


def test_the_document_tells_what_was_repaired_and_lists_the_first_hundred_rows_set_aside() -> None:
    assert ORDINARY.as_json()["reading"] == {"verdict": "exact", "repairs": [], "quarantined": []}
    aside = tuple(SetAside(line, "1,2", "2 cells where the table has 3") for line in range(1, 102))
    reading = replace(ORDINARY, repairs=REPAIRED[2:], aside=aside).as_json()["reading"]
    assert isinstance(reading, dict)
    assert reading["verdict"] == "repaired"
    assert reading["repairs"] == [{"code": "decimal", "lines": [2], "detail": "column 'size': a comma is the decimal mark"}]
    assert [row["line"] for row in reading["quarantined"]] == list(range(1, 101))
    assert reading["quarantined"][0] == {"line": 1, "text": "1,2", "reason": "2 cells where the table has 3"}
