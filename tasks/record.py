"""Prefect's decorators and artifacts, or pass-throughs when runs are not recorded.

The only module that imports Prefect. With `EVERGREEN_RECORD=false` (`--no-record`) a flow and its tasks are the plain
functions, and Prefect is never imported.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, get_type_hints

from tasks.adapters import home, memory
from tasks.core.deployments import REFUSED
from tasks.core.errors import EvergreenError, UsageError
from tasks.core.names import dashed, digest, run_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow

P = ParamSpec("P")
R = TypeVar("R")
OWNER_LABEL = "evergreen.owner"
FLUSH_TIMEOUT_S = 10
START_TIMEOUT_S = 300  # within it a worker begins the process of a run; a later one only has got its number
RECORDING = home.settings().record
_seconds: ContextVar[dict[str, float]] = ContextVar("seconds", default={})  # noqa: B039 (a run without a flow is one process)


class Outcome(Protocol):
    """What a flow returns: its run shows the two texts as the name and the message of its final state."""

    @property
    def state_name(self) -> str:
        """Give two or three words, such as `Promoted`."""
        ...

    @property
    def state_message(self) -> str:
        """Give one sentence."""
        ...


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def task(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function a timed Prefect task of the same name; its inputs and results stay in memory."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            memory.give_back()
            _seconds.get()[function.__name__] = time.perf_counter() - started

    if not RECORDING:
        return run
    from prefect import task as prefect_task
    from prefect.cache_policies import NO_CACHE

    return cast("Callable[P, R]", prefect_task(cache_policy=NO_CACHE)(run))


def flow(function: Callable[P, OutcomeT]) -> Callable[P, OutcomeT]:
    """Make a function a Prefect flow of the same name whose final state tells its outcome."""
    if not RECORDING:
        return function
    from prefect import flow as prefect_flow
    from prefect.states import Completed, Failed

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> State[OutcomeT]:
        _seconds.set({})
        try:
            outcome = function(*args, **kwargs)
        except UsageError as error:
            if not _is_of_a_form():
                raise
            return Failed(name=REFUSED, message=f"UsageError: {error.message}", data=error)
        return Completed(name=outcome.state_name, message=outcome.state_message, data=outcome)

    # Prefect resolves annotations where it finds the function, and that is here instead of in the flow's own file.
    vars(run).update(__annotations__=get_type_hints(function), __signature__=inspect.signature(function, eval_str=True))
    _say_refusals_in_one_line()
    # Prefect hands its handlers to our logger, and no level: without one a worker's log would hold warnings only.
    logging.getLogger("evergreen").setLevel(logging.INFO)
    return cast("Callable[P, OutcomeT]", prefect_flow(name=function.__name__, on_running=[_claim])(run))


def named(function: Callable[P, OutcomeT], run_name: str) -> Callable[P, OutcomeT]:
    """Give a flow a run name for one call; runs from the Prefect UI keep the name that a person typed."""
    if not RECORDING:
        return function
    return cast("Callable[P, OutcomeT]", cast("Flow[P, OutcomeT]", function).with_options(flow_run_name=run_name))


def started_by() -> str:
    """Say what started this run: a schedule, a deployment that somebody or something asked, or a person's call."""
    flow_run = _own_run()
    if flow_run is None or not flow_run.deployment_id:
        return "call"
    return "schedule" if flow_run.auto_scheduled else "deployment"


def started_by_automation() -> str:
    """Name the automation that started this run as Prefect's events do; empty where none did."""
    flow_run = _own_run()
    creator = flow_run.created_by if flow_run else None
    return f"prefect.automation.{creator.id}" if creator and creator.type == "AUTOMATION" else ""


def _is_of_a_form() -> bool:
    """Say whether a person started this run of a deployment, and sees what becomes of it."""
    return started_by() == "deployment" and not started_by_automation()


def _own_run() -> FlowRun | None:
    if not RECORDING:
        return None
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return context.flow_run if context else None


def seconds() -> dict[str, float]:
    """Give the seconds that each task of this run has taken so far."""
    return dict(_seconds.get())


def publish_table(name: str, rows: Sequence[Mapping[str, str]], description: str) -> None:
    """Show a table on the run's page in Prefect."""
    if RECORDING:
        from prefect.artifacts import create_table_artifact

        create_table_artifact(key=dashed(name), table=[dict(row) for row in rows], description=description)


def publish_text(name: str, markdown: str) -> None:
    """Show Markdown on the run's page in Prefect."""
    if RECORDING:
        from prefect.artifacts import create_markdown_artifact

        create_markdown_artifact(key=dashed(name), markdown=markdown)


def emit(event: str, use_case: str, payload: Mapping[str, str]) -> None:
    """Tell Prefect that something happened to a use case; automations may act on it."""
    if RECORDING:
        from prefect.events import emit_event

        emit_event(event, resource={"prefect.resource.id": f"evergreen.use-case.{use_case}"}, payload=dict(payload))


def is_deployed() -> bool:
    """Say whether this run is one of a deployment, so that others of the same server can act on its events."""
    if not RECORDING:
        return False
    from prefect.runtime import deployment

    return deployment.id is not None


def flush() -> None:
    """Send what Prefect still holds of this run's log, while its server is there to take it."""
    if RECORDING:
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=FLUSH_TIMEOUT_S)


def close_dead_runs() -> int:
    """Set flow runs whose process was killed on this host to Crashed, with their task runs, and count the flow runs."""
    if not RECORDING:
        return 0
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        FlowRunFilterState,
        FlowRunFilterStateType,
        TaskRunFilter,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=running)
        dead = [run for run in runs if OWNER_LABEL in run.labels and home.is_dead(str(run.labels[OWNER_LABEL]))]
        if not dead:
            return 0
        killed = Crashed(message="The process of this run was killed.")
        open_tasks = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])))
        of_dead = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in dead]))
        for task_run in client.read_task_runs(flow_run_filter=of_dead, task_run_filter=open_tasks):
            client.set_task_run_state(task_run.id, killed, force=True)
        for run in dead:
            client.set_flow_run_state(run.id, killed, force=True)
    return len(dead)


def mend_runs_of(work_pool: str) -> int:
    """Mend what a worker on this host left when it was killed, and count the runs; only while none works.

    A run that it had taken and not begun is scheduled again; one whose process ended before it was known crashed.
    """
    if not RECORDING:
        return 0
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        WorkPoolFilter,
        WorkPoolFilterName,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed, Scheduled

    taken = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])))
    of_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[work_pool]))
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs(flow_run_filter=taken, work_pool_filter=of_pool) if _is_left(run)]
        for run in runs:
            crashed = Crashed(message="The process of this run was killed.")
            again = Scheduled(message="The worker that had taken this run was killed before it began.")
            client.set_flow_run_state(run.id, again if run.state_type == StateType.PENDING else crashed, force=True)
    return len(runs)


def remove_deployments(names: Collection[str]) -> None:
    """Remove deployments from the server that answers, with their triggers; what they ran stays.

    Args:
        names: Each with its flow: `train/houses`. One that is not there is passed over.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        for name in names:
            try:
                found = client.read_deployment_by_name(name)
                client.delete_resource_owned_automations(f"prefect.deployment.{found.id}")
                client.delete_deployment(found.id)
            except ObjectNotFound:
                continue


def _is_left(run: FlowRun) -> bool:
    """Say whether nobody is at a run that a worker on this host has taken."""
    pid = (run.infrastructure_pid or "").rpartition(":")[2]
    if OWNER_LABEL in run.labels or run.state is None:
        return False  # it has begun, and says itself whose it is
    return not pid.isdecimal() or home.is_gone(int(pid), run.state.timestamp.timestamp() + START_TIMEOUT_S)


def _claim(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run.id, {OWNER_LABEL: home.owner()})
        if flow_run.auto_scheduled:  # only then is the name certainly none that a person typed
            whose = flow_run.parameters.get("options", {}).get("use_case") or "all"
            client.update_flow_run(flow_run.id, name=run_name(flow.name, whose, digest(str(flow_run.id))))


def _say_refusals_in_one_line() -> None:
    """Keep stack traces out of the run's log for what a person can cause."""

    def shorten(record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], EvergreenError):
            record.msg, record.args, record.exc_info = record.exc_info[1].message, (), None
        return True

    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(shorten)
