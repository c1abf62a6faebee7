"""One Prefect server for all runs of this folder; a project and a home for each file, so that none meets what another left."""

from __future__ import annotations

import base64
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from tasks import record
from tasks.adapters.home import prepare
from tasks.adapters.server import HomeServer
from tasks.core.options import (
    AlarmOptions,
    BacktestOptions,
    IngestOptions,
    MaintainOptions,
    MonitorOptions,
    PromoteOptions,
    ReproduceOptions,
    RollbackOptions,
    ScoreOptions,
    TrainOptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    import pandas as pd
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import Artifact, FlowRun, State

    from tasks.core.options import Options
    from tasks.core.results import TrainReport


@dataclass(frozen=True)
class Run:
    """A flow run that has ended, as a person sees it in Prefect."""

    flow_run: FlowRun
    state: State[Any]

    @property
    def report(self) -> TrainReport:
        return self.state.result()

    @property
    def error(self) -> BaseException:
        return self.state.result(raise_on_failure=False)

    @property
    def log(self) -> list[str]:
        from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

        record.flush()
        with client() as prefect:
            logs = prefect.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.flow_run.id])))
        return [log.message for log in logs]

    @property
    def artifacts(self) -> dict[str | None, Artifact]:
        from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

        with client() as prefect:
            mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[self.flow_run.id]))
            return {artifact.key: artifact for artifact in prefect.read_artifacts(artifact_filter=mine)}


@dataclass(frozen=True)
class Project:
    """A folder with use cases and suites that tests write as people do."""

    folder: Path

    def train(self, run_name: str | None = None, **options: object) -> Run:
        from flows.train import train

        return self._run(train, TrainOptions.model_validate(options), run_name)

    def ingest(self, **options: object) -> Run:
        from flows.ingest import ingest

        return self._run(ingest, IngestOptions.model_validate(options))

    def score(self, **options: object) -> Run:
        from flows.score import score

        return self._run(score, ScoreOptions.model_validate(options))

    def monitor(self, **options: object) -> Run:
        from flows.monitor import monitor

        return self._run(monitor, MonitorOptions.model_validate(options))

    def maintain(self, **options: object) -> Run:
        from flows.maintain import maintain

        return self._run(maintain, MaintainOptions.model_validate(options))

    def alarm(self, **options: object) -> Run:
        from flows.alarm import alarm

        return self._run(alarm, AlarmOptions.model_validate(options))

    def decide(self, flow: str, **options: object) -> Run:
        """Run `promote` or `rollback`."""
        from flows.promote import promote
        from flows.rollback import rollback

        jobs = {"promote": (promote, PromoteOptions), "rollback": (rollback, RollbackOptions)}
        return self._run(jobs[flow][0], jobs[flow][1].model_validate(options))

    def reproduce(self, **options: object) -> Run:
        from flows.reproduce import reproduce

        return self._run(reproduce, ReproduceOptions.model_validate(options))

    def backtest(self, **options: object) -> Run:
        from flows.backtest import backtest

        return self._run(backtest, BacktestOptions.model_validate(options))

    def _run(self, flow: Any, options: Options, run_name: str | None = None) -> Run:  # noqa: ANN401
        """Run a flow as a worker does: on a flow run that the server already has, and that somebody may have named."""
        from prefect.flow_engine import run_flow

        parameters = {"options": options}
        with client() as prefect:
            created = prefect.create_flow_run(flow, name=run_name, parameters=parameters)
            state = run_flow(flow, flow_run=created, parameters=parameters, return_type="state")
            return Run(prefect.read_flow_run(created.id), state)

    def maintain_by_deployment(self, automation: UUID | None = None, **options: object) -> Run:
        """Run a deployment as a worker does, which a form or an automation asked for."""
        from prefect.flow_engine import run_flow

        from flows.maintain import maintain

        name = base64.b64encode(b"an automation").decode()
        headers = {"Prefect-Automation-ID": str(automation), "Prefect-Automation-Name": name} if automation else {}
        parameters = {"options": options}
        with client() as prefect:
            place = {"id": prefect.create_deployment(prefect.create_flow(maintain), "all")}
            asked = prefect.request("POST", "/deployments/{id}/create_flow_run", path_params=place, headers=headers, json={})
            created = prefect.read_flow_run(asked.json()["id"])
            state = run_flow(maintain, flow_run=created, parameters=parameters, return_type="state")
            return Run(prefect.read_flow_run(created.id), state)

    def write_use_case(self, name: str, **values: object) -> None:
        path = self.folder / "deployments" / "use_cases" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(values), encoding="utf-8")

    def write_suite(self, name: str, *expectations: dict[str, object]) -> None:
        path = self.folder / "expectations" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": name, "expectations": expectations}), encoding="utf-8")

    def write_table(self, name: str, df: pd.DataFrame) -> str:
        path = self.folder / f"{name}.csv"
        df.to_csv(path, index=False)
        return str(path)


def client() -> SyncPrefectClient:
    from prefect.client.orchestration import get_client

    return get_client(sync_client=True)


@pytest.fixture(scope="session", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Serve all runs; Prefect's own harness imports the server into this process, and with it warnings that are errors here."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    home = tmp_path_factory.mktemp("server")
    prepare(home)
    own = HomeServer(home)
    with warnings.catch_warnings():
        # The server is made to outlive whoever started it.
        warnings.simplefilter("ignore", ResourceWarning)
        own.join()
    process = psutil.Process(json.loads(own.state.read_text(encoding="utf-8"))["pid"])
    own.wait()
    with temporary_settings({PREFECT_API_URL: own.url}):
        yield
        record.flush()
    own.leave()
    process.wait(timeout=60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_PROJECT", str(folder))
        patch.setenv("EVERGREEN_HOME", str(folder / "home"))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'home' / 'mlflow.db'}")
        patch.chdir(folder)
        yield Project(folder)
