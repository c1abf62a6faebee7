"""Maintenance beside versions that name what they were trained on."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Pending, Running

from tasks import maintenance, record
from tasks.adapters import home, ledger
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_registry
from tasks.core.champions import Epoch
from tasks.core.decisions import Entry
from tasks.core.errors import StoreError, UsageError
from tasks.core.lake.values import LakeSnapshot
from tasks.core.options import MaintainOptions

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from conftest import Project, Run


def batch(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    a, b = draw.normal(50, 9, 200).round(3), draw.normal(size=200).round(3)
    return pd.DataFrame({"key": [f"{seed}-{n}" for n in range(200)], "a": a, "b": b, "y": (a + 9 * b).round(3)})


def ingest(project: Project, seed: int) -> None:
    run = project.ingest(use_case="pumps", data=project.write_table(f"p{seed}", batch(seed)))
    assert run.flow_run.state.name == "Ingested"


@pytest.fixture(scope="module")
def life(project: Project) -> tuple[pd.DataFrame, LakeSnapshot, Run]:
    """Train on a lake, let more come, and maintain; give the rows that the version named, their name, and the maintenance."""
    project.write_use_case("pumps", key=["key"], target="y", candidates=["ridge"])
    for seed in (1, 2):
        ingest(project, seed)
    assert project.train(use_case="pumps").flow_run.state.name == "Promoted"
    (named,) = [rows for rows in model_registry.named_rows() if rows.use_case == "pumps"]
    snapshot = LakeSnapshot.from_text(named.lake)
    rows = lake().read(snapshot)
    for seed in (3, 4):
        ingest(project, seed)
    return rows, snapshot, project.maintain()


def lake() -> Lake:
    return Lake(home.settings().lake_address, "pumps")


def test_a_version_is_fitted_again_from_the_lake_when_its_rows_are_no_longer_beside_it(
    project: Project, life: tuple[pd.DataFrame, LakeSnapshot, Run]
) -> None:
    stored = home.settings().home / "snapshots" / f"{life[1].digest}.parquet"
    kept = stored.read_bytes()
    stored.unlink()
    run = project.reproduce(use_case="pumps", version=1)
    assert (run.flow_run.state.name, run.report.likeness, run.report.is_as_recorded) == ("Reproduced", "identical", True)
    assert stored.read_bytes() == kept
    assert "taking the rows of version 1 from the lake again" in run.log


def test_a_run_says_what_was_put_together_and_what_was_removed(life: tuple[pd.DataFrame, LakeSnapshot, Run]) -> None:
    _, _, run = life
    assert (run.flow_run.state.type.value, run.flow_run.state.name) == ("COMPLETED", "Maintained")
    done = {lake.use_case: lake for lake in run.state.result().lakes}["pumps"]
    assert str(done) == "8 files put together to 2, nothing removed; kept for model versions: 1 snapshot"
    assert "pumps: 8 files put together to 2" in run.artifacts["maintenance"].data


def test_whatever_is_removed_the_rows_that_a_version_names_are_rebuilt_bit_for_bit(life: tuple[pd.DataFrame, LakeSnapshot, Run]) -> None:
    rows, snapshot, _ = life
    newest = lake().snapshot()
    before = lake().read(newest)
    with maintenance.upkeep(MaintainOptions()) as plan:
        done = maintenance.maintain_lake(dataclasses.replace(plan, unused_for=timedelta(0)), "pumps").done
    # Two batches came after the version, which does not need their four files.
    assert done.removed == 4
    assert done.removed_bytes > 0
    pd.testing.assert_frame_equal(lake().read(snapshot), rows, check_exact=True)
    pd.testing.assert_frame_equal(lake().read(newest), before, check_exact=True)


def test_what_killed_searches_had_tried_is_removed_from_the_home(project: Project, life: tuple[pd.DataFrame, LakeSnapshot, Run]) -> None:
    assert life
    left = project.folder / "home" / "trials" / "search-trial.npz"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"predictions")
    os.utime(left, (0, time.time() - 8 * 86_400))
    report = project.maintain().state.result()
    assert report.as_json()["trials"] == {"files": 1, "bytes": 11}
    assert not left.exists()


def test_training_goes_on_after_all_that(life: tuple[pd.DataFrame, LakeSnapshot, Run], project: Project) -> None:
    report = project.train(use_case="pumps").report
    assert report.rows.read == 800
    assert str(report.decision.code) != ""


def test_a_lake_that_is_not_there_is_told_with_those_that_are(life: tuple[pd.DataFrame, LakeSnapshot, Run], project: Project) -> None:
    error = project.maintain(use_case="pump").error
    assert isinstance(error, UsageError)
    assert error.message.startswith("there is no lake of a use case 'pump'; did you mean 'pumps'? (available: ")


def test_one_lake_that_cannot_be_used_does_not_keep_the_others_from_it(
    life: tuple[pd.DataFrame, LakeSnapshot, Run], project: Project
) -> None:
    project.write_use_case("broken", key=["key"], target="y")
    project.ingest(use_case="broken", data=project.write_table("x1", batch(9)))
    folder = project.folder / "home" / "lake" / "broken" / "labels"
    for path in folder.glob("_delta_log/*.json"):
        path.write_text("{", encoding="utf-8")
    ingest(project, 5)
    files = len(list((project.folder / "home" / "lake" / "pumps").glob("*/*.parquet")))
    run = project.maintain()
    assert isinstance(run.error, StoreError)
    assert run.error.message.startswith("broken: cannot use the lake at ")
    assert len(list((project.folder / "home" / "lake" / "pumps").glob("*/*.parquet"))) == files + 2
    (project.folder / "home" / "lake" / "broken").rename(project.folder / "home" / "broken")


def test_where_the_registry_does_not_know_the_champion_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    address = home.settings().ledger_address
    ledger.create(address)
    entry = Entry("pumps", "promote", 3, "first_champion", "", "eva@lab", "2024-03-03T14:00:00+00:00")
    ledger.crown(address, Epoch("pumps", 1, 3, "run", "first_champion", "", "2024-03-03T14:00:00+00:00", {}), entry)
    with pytest.raises(StoreError) as refused, maintenance.upkeep(MaintainOptions()):
        pass
    assert refused.value.message.startswith("version 3 of pumps, the champion by the ledger, is not in the registry at sqlite:///")
    assert refused.value.message.endswith("; nothing was removed")


def test_what_a_killed_worker_had_taken_runs_again_and_what_it_had_begun_is_told_as_crashed() -> None:
    def taken(name: str, state: Any, pid: int | None) -> UUID:  # noqa: ANN401 (Prefect's states have no common type)
        run = prefect.create_flow_run_from_deployment(deployment, name=name)
        prefect.set_flow_run_state(run.id, state, force=True)
        prefect.update_flow_run(run.id, infrastructure_pid=pid and str(pid))
        return run.id

    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with get_client(sync_client=True) as prefect:
        prefect.create_work_pool(WorkPoolCreate(name="mended", type="process"))
        deployment = prefect.create_deployment(prefect.create_flow_from_name("mended"), "mended", work_pool_name="mended")
        runs = [
            taken("taken", Pending(), None),
            taken("begun and killed before it ran", Pending(), gone.pid),
            taken("killed", Running(), gone.pid),
            taken("lives", Running(), os.getpid()),
        ]
        assert record.mend_runs_of("mended") == 3
        states = [prefect.read_flow_run(run).state_name for run in runs]
        assert states == ["Scheduled", "Scheduled", "Crashed", "Running"]
        assert record.mend_runs_of("another") == 0
