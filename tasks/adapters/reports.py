"""Evidently: what its default preset says of two tables, and what people see of a window of rows."""

from __future__ import annotations

import json
import logging
import math
import warnings
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from tasks.adapters import home
from tasks.core.errors import StoreError
from tasks.core.page import number
from tasks.core.sight import DECISION, OUTCOMES, SIGNALS, draw, facts_of, feature_rows, judge, say_what_it_is, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from evidently import BinaryClassification, MulticlassClassification
    from evidently.core.metric_types import MetricResult
    from evidently.core.serialization import SnapshotModel
    from evidently.legacy.model.widget import BaseWidgetInfo
    from evidently.sdk.models import DashboardPanelPlot, PanelMetric

    from tasks.core.drift import FeatureDrift
    from tasks.core.sight import Drawing, Judged, Sight

T = TypeVar("T")
KEPT_RUNS = 200
DRAWN_RUNS = 30  # with pictures, for Evidently's UI reads all that there are when it starts
TOLD = 3  # widgets before the first picture
METHOD = "evergreen"
log = logging.getLogger("evergreen")
FEATURE_COLUMNS = ["feature", "drifted", "effect", "false discoveries", "importance", "missing before", "missing now"]
DRIFT_SHARE = 0.5  # of the columns, which is Evidently's default

# Evidently keeps its tests by name, one for all; what they answer belongs to the run that asks.
_DECIDED: ContextVar[Mapping[str, FeatureDrift]] = ContextVar("decided")


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


# ---------------------------------------------------------------------------------------------------------- what people see


@dataclass(frozen=True)
class Rendered:
    """A window as Evidently shows it.

    Attributes:
        html: A page that needs nothing else; empty where `why_not` says why.
        why_not: Why there are no pictures; empty where there are.
        run: The run for a workspace, in Evidently's own JSON; without pictures it holds the numbers over time alone.
    """

    html: str = field(repr=False)
    why_not: str
    run: str = field(repr=False)


def render(sight: Sight) -> Rendered:
    """Draw a window: what was decided on top, then features in our colours, then the quality on labelled rows.

    The score of each feature is its effect on all rows, its colour what was decided: Evidently is asked for the pictures alone.
    """
    from evidently.core.report import Snapshot

    reason = why_not(sight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tests and of pictures of constant columns
        drawn, notes = ([], [f"No pictures: {reason}."]) if reason else _pictures(sight)
        run = _together(sight, notes, drawn)
    html = "" if reason else Snapshot.load_model(run).get_html_str(as_iframe=False)
    return Rendered(html, reason, _as_json(run))


def _pictures(sight: Sight) -> tuple[list[SnapshotModel], list[str]]:
    """Give the runs that draw something, and sentences on what they leave out."""
    drawing, judged = draw(sight), judge(sight)
    drawn = [_tried(_draw_features, sight, drawing)] if drawing.drifts else []
    drawn += [judged if isinstance(judged, str) else _tried(_draw_quality, sight, judged)]
    runs = [run for run in drawn if not isinstance(run, str)]
    return runs, [*drawing.left_out, *(note for note in drawn if isinstance(note, str))]


def _tried(draw_it: Callable[[Sight, T], SnapshotModel], sight: Sight, what: T) -> SnapshotModel | str:
    """Draw, or say that Evidently cannot: some tables break its arithmetic, and no decision hangs on pictures."""
    try:
        return draw_it(sight, what)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        log.warning("Evidently cannot draw a part of %s: %s: %s", sight.use_case, type(error).__name__, error)
        return f"Evidently cannot draw one part of these rows ({type(error).__name__})."


def _draw_features(sight: Sight, drawing: Drawing) -> SnapshotModel:
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType
    from evidently.presets import DataDriftPreset

    kinds = [ColumnType.Numerical, ColumnType.Categorical]
    register_stattest(StatTest(METHOD, "effect on all rows", kinds, sight.least_effect), _as_decided)
    definition = DataDefinition(
        numerical_columns=[*drawing.numbers],
        categorical_columns=[name for name in drawing.drifts if name not in drawing.numbers],
    )
    current, reference = (Dataset.from_pandas(df, data_definition=definition) for df in (drawing.current, drawing.reference))
    preset = DataDriftPreset(columns=[*drawing.drifts], method=METHOD, threshold=sight.least_effect)
    token = _DECIDED.set(drawing.drifts)
    try:
        run = Report([preset], include_tests=True).run(current, reference, timestamp=sight.at)
    finally:
        _DECIDED.reset(token)
    return _tables_alone(run.to_snapshot_model())


def _as_decided(reference: pd.Series, current: pd.Series, kind: object, threshold: float) -> tuple[float, bool]:
    """Answer as a test of Evidently with what was decided of a column."""
    drift = _DECIDED.get()[str(current.name)]
    return drift.effect, drift.is_drifted


def _tables_alone(run: SnapshotModel) -> SnapshotModel:
    """Take out what Evidently says of the table as a whole, which decides nothing here."""
    return run.copy(update={"widgets": [widget for widget in run.widgets if widget.type == "big_table"]})


def _draw_quality(sight: Sight, judged: Judged) -> SnapshotModel:
    from evidently import DataDefinition, Dataset, Regression, Report
    from evidently.presets import ClassificationPreset, RegressionPreset

    if sight.task == "regression":
        definition = DataDefinition(
            numerical_columns=["truth", "prediction"], regression=[Regression(target="truth", prediction="prediction")]
        )
        preset = RegressionPreset()
    else:
        numbers = [*judged.classes]
        definition = DataDefinition(
            numerical_columns=numbers, categorical_columns=["truth", "prediction"], classification=[_classification(judged)]
        )
        preset = ClassificationPreset()
    columns = ["truth", "prediction", *judged.classes]
    current = Dataset.from_pandas(judged.current[columns], data_definition=definition)
    reference = None if judged.reference is None else Dataset.from_pandas(judged.reference[columns], data_definition=definition)
    return Report([preset]).run(current, reference, timestamp=sight.at).to_snapshot_model()


def _classification(judged: Judged) -> BinaryClassification | MulticlassClassification:
    from evidently import BinaryClassification, MulticlassClassification

    classes = [*judged.classes]
    if len(classes or judged.labels) == 2:
        positive, proba = (classes or judged.labels)[1], classes[1] if classes else None
        return BinaryClassification(target="truth", prediction_labels="prediction", prediction_probas=proba, pos_label=positive)
    return MulticlassClassification(target="truth", prediction_labels="prediction", prediction_probas=classes or None)


def _draw_facts(sight: Sight) -> SnapshotModel:
    """Give the numbers over time as what panels of a dashboard can be drawn from: means of columns of one row."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import MeanValue

    facts = facts_of(sight)
    rows = Dataset.from_pandas(pd.DataFrame([facts]), data_definition=DataDefinition(numerical_columns=[*facts]))
    return Report([MeanValue(column=name) for name in facts]).run(rows, timestamp=sight.at).to_snapshot_model()


def _together(sight: Sight, notes: Sequence[str], drawn: Sequence[SnapshotModel]) -> SnapshotModel:
    """Make one run of several: what is told comes first, then what is drawn."""
    from evidently.core.metric_types import metric_tests_widget

    facts = _draw_facts(sight)
    results = {name: result for run in (facts, *drawn) for name, result in run.metric_results.items() if _is_finite(result)}
    for result in results.values():
        result.widget = []  # the run has them, once
        result.tests = [test for test in result.tests if test.id == "drift"]  # the others compare with limits that nobody set
    tests = [test for result in results.values() for test in result.tests]
    return facts.copy(
        update={
            "name": f"{sight.at:%Y-%m-%d %H:%M} {sight.decision}",
            "tags": [sight.decision],
            "metric_results": results,
            "top_level_metrics": [*results],
            "widgets": [*_tell(sight, notes), *(widget for run in drawn for widget in run.widgets)],
            "tests_widgets": [metric_tests_widget(tests)] if tests else [],
        }
    )


def _tell(sight: Sight, notes: Sequence[str]) -> list[BaseWidgetInfo]:
    from evidently.legacy.renderers.html_widgets import table_data, text_widget

    numbers = [(name.replace("_", " "), number(value)) for name, value in facts_of(sight).items() if not name.startswith(DECISION)]
    return [
        text_widget(title=f"{sight.use_case}, {sight.at:%Y-%m-%d %H:%M %Z}", text=say_what_it_is(sight, notes)),
        table_data(title="Numbers", column_names=["", "value"], data=numbers),
        table_data(title="Features, as decided on all rows", column_names=FEATURE_COLUMNS, data=feature_rows(sight)),
    ]


def _is_finite(result: MetricResult) -> bool:
    """Say whether Evidently's UI can read a result: it takes no number that is none, and then starts no more."""
    return all(math.isfinite(value) for _, value in result.itervalues())


def _as_json(run: SnapshotModel) -> str:
    from evidently.legacy.utils import NumpyEncoder

    text = json.dumps(run.dict(), cls=NumpyEncoder)
    return json.dumps(json.loads(text, parse_constant=lambda _: None))  # a browser reads no NaN


# ------------------------------------------------------------------------------------------------------------- workspace


def keep(sight: Sight, rendered: Rendered, workspace: Path, keep_runs: int = KEPT_RUNS, draw_runs: int = DRAWN_RUNS) -> None:
    """Add a window to the use case's project of a workspace, once; begin the project where there is none.

    Each file is written whole, elsewhere, and then moved to its place: Evidently's UI does not start on half a file, and notices a
    new one by its name.

    Args:
        sight: The window.
        rendered: It, drawn.
        workspace: The folder `evidently` of a home.
        keep_runs: Older runs than so many are removed.
        draw_runs: Older runs than so many lose their pictures.

    Raises:
        StoreError: the workspace cannot be written.
    """
    try:
        with home.lock(workspace.parent, "evidently"):
            _add(sight, rendered, workspace)
            _clear(_runs(sight.use_case, workspace), workspace, keep_runs, draw_runs)
    except OSError as error:
        message = f"cannot write to {workspace}: {error.strerror}; make room or give the right to, then run again"
        raise StoreError(message, where=str(workspace)) from error


def _runs(use_case: str, workspace: Path) -> Path:
    return workspace / str(_identify(use_case, 0)) / "snapshots"


def _add(sight: Sight, rendered: Rendered, workspace: Path) -> None:
    runs = _runs(sight.use_case, workspace)
    project = runs.parent
    runs.mkdir(parents=True, exist_ok=True)
    if not (project / "metadata.json").exists():
        _write(project / "dashboard.json", _dashboard(), workspace)
        _write(project / "metadata.json", _project(sight.use_case, project.name), workspace)
    _write(runs / f"{_identify(sight.use_case, int(sight.at.timestamp() * 1000))}.json", rendered.run, workspace)


def _identify(use_case: str, at_ms: int) -> UUID:
    """Name a run by its use case and its time, so that names are in the order of time; at 0 the project itself."""
    digest = int.from_bytes(sha256(use_case.encode()).digest()[:10])
    return UUID(int=at_ms << 80 | digest)


def _write(path: Path, text: str, workspace: Path) -> None:
    if not path.exists():
        _put(path, text, workspace)


def _put(path: Path, text: str, workspace: Path) -> None:
    part = workspace.parent / "evidently.part"  # beside the workspace: Evidently's UI misses what is renamed within it
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _clear(runs: Path, workspace: Path, keep_runs: int, draw_runs: int) -> None:
    """Remove runs beyond so many, and from older ones the pictures."""
    there = sorted(runs.glob("*.json"))
    for old in there[:-keep_runs]:
        old.unlink()
    for old in there[-keep_runs:][-draw_runs - 10 : -draw_runs]:  # ten, should the last ones have been killed here
        run = json.loads(old.read_text(encoding="utf-8"))
        if len(run["widgets"]) > TOLD:
            run["widgets"] = run["widgets"][:TOLD]
            run["widgets"][0]["params"]["text"] += f"\n\n- Pictures are kept of the last {draw_runs} windows."
            _put(old, json.dumps(run), workspace)


def _project(use_case: str, uuid: str) -> str:
    from evidently.sdk.models import ProjectModel

    return ProjectModel(id=UUID(uuid), name=use_case, description=f"What came for the champion of {use_case}, and what was decided").json()


def _dashboard() -> str:
    from evidently.sdk.models import DashboardModel, DashboardTabModel

    panels = _panels()
    return DashboardModel(tabs=[DashboardTabModel(title="Over time", panels=[panel.id for panel in panels])], panels=panels).json()


def _panels() -> list[DashboardPanelPlot]:
    from evidently.sdk.panels import bar_plot_panel, line_plot_panel

    return [
        line_plot_panel("Loss", _values("loss", "reference_loss", "estimated_loss"), "on new labels, when judged, and as estimated"),
        *(line_plot_panel(f"Signal: {name}", _values(name, f"{name}_limit"), "fires at its limit", "half") for name in SIGNALS),
        line_plot_panel("Label lag", _values("label_lag_days"), "days from a row to its label", "half"),
        line_plot_panel("Drifted features", _values("drifted_percent"), "in percent; for people, decides nothing", "half"),
        bar_plot_panel("Rows", _values("rows", "labelled_rows"), "that came", "half"),
        bar_plot_panel("Decisions", _values(*(f"{DECISION}{each}" for each in OUTCOMES)), "what was decided", "half", stacked=True),
    ]


def _values(*names: str) -> list[PanelMetric]:
    from evidently.sdk.models import PanelMetric

    return [
        PanelMetric(legend=name.removeprefix(DECISION).replace("_", " "), metric="MeanValue", metric_labels={"column": name})
        for name in names
    ]
