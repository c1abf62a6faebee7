"""Evidently's view of a window, with Evidently itself: drawn, kept in a workspace, and read as its UI reads it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import reports
from tasks.core.drift import FeatureDrift
from tasks.core.errors import StoreError
from tasks.core.sight import Sight

if TYPE_CHECKING:
    from evidently.core.serialization import SnapshotModel

    from tasks.adapters.reports import Rendered

ROOT = Path(__file__).parents[2]
ROWS = 520
AT = datetime(2026, 3, 1, tzinfo=UTC)
FEATURES = ["shift", "same", "level", "sparse", "colour", "one", "</script>"]
DRIFTED = {"same", "one", "colour"}  # by our decision, whatever the rows look like
CLASSES = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c")}


def rows(seed: int, task: str, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(
        {
            "shift": rng.normal(shift, 1, ROWS),
            "same": rng.normal(0, 1, ROWS),
            "level": 1.0,
            "sparse": pd.array([None, 3] * (ROWS // 2), dtype="Int64"),
            "colour": rng.choice(["red", "blue", "</script><script>alert(1)</script>"], ROWS),
            "one": "always",
            "</script>": rng.choice(["x", "y"], ROWS),
        }
    )
    if task == "regression":
        truth = rng.normal(10, 2, ROWS)
        return df.assign(target=truth, prediction=truth + rng.normal(0, 1, ROWS))
    classes = np.array(CLASSES[task])
    proba = rng.dirichlet([1.0] * len(classes), ROWS)
    df["target"], df["prediction"] = rng.choice(classes, ROWS), classes[proba.argmax(1)]
    return df.assign(**{f"proba_{name}": proba[:, place] for place, name in enumerate(classes)})


def sight_of(task: str = "regression", at: datetime = AT) -> Sight:
    features = tuple(FeatureDrift(name, 0.25 if name in DRIFTED else 0.02, 0.001, 0.1, name in DRIFTED) for name in FEATURES)
    current = rows(2, task, shift=3.0)
    current.loc[current.index[:200], "target"] = None
    facts = {"loss": 0.3, "reference_loss": 0.2, "performance": 0.12, "performance_limit": 0.1, "label_lag_days": 2.0}
    return Sight(
        use_case="houses",
        task=task,  # type: ignore[arg-type]
        reference=rows(1, task),
        current=current,
        features=features,
        numbers=("shift", "same", "level", "sparse"),
        target="target",
        at=at,
        facts=facts,
        decision="retrain",
        rows=(9_000, 5_000),
    )


def run_of(rendered: Rendered) -> SnapshotModel:
    from evidently.core.report import Snapshot

    return Snapshot.loads(rendered.run).to_snapshot_model()


def colours_of(run: SnapshotModel) -> dict[str, bool]:
    tests = [test for result in run.metric_results.values() for test in result.tests]
    return {
        test.metric_config.params["column"].replace("\u2039", "<").replace("\u203a", ">"): test.status.value == "FAIL" for test in tests
    }


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return reports.render(sight_of())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "home" / "evidently"


def files(workspace: Path) -> list[Path]:
    return sorted(workspace.glob("*/snapshots/*.json"))


def test_the_colours_are_what_was_decided(rendered: Rendered) -> None:
    run = run_of(rendered)
    assert colours_of(run) == {name: name in DRIFTED for name in FEATURES}
    table = next(widget for widget in run.widgets if widget.type == "big_table")
    assert {row["stattest_name"]: row["column_name"] for row in table.params["data"]}.keys() == {"effect on all rows"}
    detected = {row["column_name"]: row["data_drift"] for row in table.params["data"]}
    assert {name for name, said in detected.items() if said == "Detected"} == DRIFTED


def test_the_page_says_first_what_was_decided_and_holds_no_script_of_the_rows(rendered: Rendered) -> None:
    told = run_of(rendered).widgets[0].params["text"]
    assert told.startswith("**Decided: retrain**")
    assert "9,000 of the reference, 5,000 of this window" in told
    assert "seeded sample of 520 and 520" in told
    assert "alert(1)" in rendered.html
    assert "</script><script>alert(1)" not in rendered.html


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_are_drawn_in_our_colours_with_their_quality(task: str) -> None:
    run = run_of(reports.render(sight_of(task)))
    assert colours_of(run) == {name: name in DRIFTED for name in FEATURES}
    named = {result.display_name for result in run.metric_results.values()}
    assert {"Accuracy metric", "RocAuc metric", "LogLoss metric"} <= named


def test_regression_is_drawn_with_its_quality_on_labelled_rows(rendered: Rendered) -> None:
    named = {result.display_name: result for result in run_of(rendered).metric_results.values()}
    sight = sight_of()
    error = (sight.current["prediction"] - sight.current["target"]).dropna()
    assert named["RMSE"].to_simple_dict() == pytest.approx(float(np.sqrt((error**2).mean())))


def test_few_rows_have_no_pictures_and_still_their_numbers(workspace: Path) -> None:
    sight = sight_of()
    few = reports.render(replace(sight, current=sight.current[:100]))
    assert (few.html, few.why_not) == ("", "100 rows came, and pictures are drawn of 500 or more")
    reports.keep(sight, few, workspace)
    assert len(files(workspace)) == 1


def test_rows_that_evidently_cannot_draw_are_told(caplog: pytest.LogCaptureFixture) -> None:
    sight = sight_of()
    sight.current["target"] = np.where(np.arange(ROWS) % 2, 1.0, -1.0)  # whose inverse values, which it divides by, add up to 0
    run = run_of(reports.render(sight))
    assert run.widgets[0].params["text"].endswith("- Evidently cannot draw one part of these rows (IndexError).")
    assert colours_of(run) == {name: name in DRIFTED for name in FEATURES}
    assert "houses" in caplog.text


def test_threads_that_begin_a_project_at_once_begin_one(rendered: Rendered, workspace: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        kept = [pool.submit(reports.keep, sight_of(at=AT + timedelta(days=place % 2)), rendered, workspace) for place in range(8)]
    assert [each.exception() for each in kept] == [None] * 8
    assert len([*workspace.iterdir()]) == 1
    assert len(files(workspace)) == 2


def test_two_processes_keep_a_window_once(rendered: Rendered, workspace: Path, tmp_path: Path) -> None:
    reports.keep(sight_of(), rendered, workspace)
    (tmp_path / "windows").write_bytes(pickle.dumps([(sight_of(at=AT + timedelta(days=day)), rendered) for day in range(4)]))
    program = (
        "import pickle, sys; from pathlib import Path; from tasks.adapters import reports\n"
        "for sight, rendered in pickle.loads(Path(sys.argv[1]).read_bytes()): reports.keep(sight, rendered, Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "windows"), str(workspace)]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(process.communicate()[1], process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0], ended
    assert len(files(workspace)) == 4
    assert {path.name for path in workspace.parent.iterdir()} == {"evidently", "locks"}


def test_evidentlys_ui_finds_the_windows_and_every_panel_has_its_numbers(rendered: Rendered, workspace: Path) -> None:
    from evidently.ui.service.base import SeriesFilter
    from evidently.ui.service.storage.local.base import InMemoryDataStorage, LocalState
    from evidently.ui.workspace import Workspace

    for day in range(2):
        reports.keep(sight_of(at=AT + timedelta(days=day)), rendered, workspace)
    (project,) = Workspace(str(workspace)).list_projects()
    storage = InMemoryDataStorage(str(workspace), LocalState.load(str(workspace), None))
    found = {}
    for panel in project.dashboard.model().panels:
        wanted = [SeriesFilter(tags=[], metadata={}, metric=value.metric, metric_labels=value.metric_labels) for value in panel.values]
        found[panel.title] = len(asyncio.run(storage.get_data_series(project.id, wanted, None, None)).series)
    assert project.name == "houses"
    assert {title for title, count in found.items() if count} == {
        "Loss", "Signal: performance", "Label lag", "Drifted features", "Rows", "Decisions"
    }  # fmt: skip
    assert found["Loss"] == 2


def test_old_windows_lose_their_pictures_and_then_go(rendered: Rendered, workspace: Path) -> None:
    for day in (0, 3, 1, 2):
        reports.keep(sight_of(at=AT + timedelta(days=day)), rendered, workspace, keep_runs=3, draw_runs=2)
    oldest, *drawn = files(workspace)
    assert len(drawn) == 2
    assert all(path.stat().st_size == len(rendered.run.encode()) for path in drawn)
    run = run_of(replace(rendered, run=oldest.read_text(encoding="utf-8")))
    assert len(run.widgets) == reports.TOLD
    assert run.widgets[0].params["text"].endswith("- Pictures are kept of the last 2 windows.")
    assert {result.display_name for result in run.metric_results.values()} >= {"Mean value of 'loss'"}


def test_a_kill_in_the_middle_is_mended_by_the_next_window(rendered: Rendered, workspace: Path) -> None:
    reports.keep(sight_of(), rendered, workspace)
    (project,) = workspace.iterdir()
    (project / "metadata.json").unlink()
    (workspace.parent / "evidently.part").write_text('{"half', encoding="utf-8")
    reports.keep(sight_of(at=AT + timedelta(days=1)), rendered, workspace)
    assert (project / "metadata.json").exists()
    assert not (workspace.parent / "evidently.part").exists()
    assert len(files(workspace)) == 2


def test_a_workspace_that_cannot_be_written_says_so(rendered: Rendered, workspace: Path) -> None:
    workspace.parent.mkdir()
    workspace.write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write to .*evidently: .*; make room or give the right to, then run again"):
        reports.keep(sight_of(), rendered, workspace)
