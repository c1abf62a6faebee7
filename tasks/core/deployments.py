"""The deployments of `prefect.yaml`, generated between two markers: by use case for each job, and some for all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from tasks.core import cron
from tasks.core.alarms import ACTION_FAILED, NOT_MONITORED, RUN_FAILED, RUN_LATE
from tasks.core.errors import UsageError
from tasks.core.stack import PORTS, page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.core.use_case import UseCase

BEGIN = "# generated from deployments/use_cases by `make deployments`: begin"
END = "# generated: end"
WORK_POOL = "evergreen"
ALL = "all"
PAGES = page(PORTS["prefect"])
MAINTENANCE = "30 1 * * 0"  # weekly, before the week's training
RETRAIN_WANTED = "evergreen.retrain.wanted"
ASKED_ONCE_S = 120  # what a monitor asks for again within it is the same wish
ALARM_ONCE_S = 600
REFUSED = "Refused"  # what a person started whose options are wrong, and who sees that where it was started
GRACE_S = 3600  # a monitor may take an hour, or wait for another run
NEW = f"""\
# Deploy with `make up`, or on a server of your own with `prefect --no-prompt deploy --all`, after
# `prefect work-pool create {WORK_POOL} --type process`.
# Hand-written deployments may stand in another file; what is between the markers belongs to `make deployments`.
name: evergreen
pull:
- prefect.deployments.steps.set_working_directory: {{directory: "{{{{ $PWD }}}}"}}

{BEGIN}
{END}
"""
# Read when Prefect is imported, so they cannot be set by the flow itself.
WORKER_ENVIRONMENT = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "evergreen",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
Block = dict[str, object]
Collision = Literal["ENQUEUE", "CANCEL_NEW"]


@dataclass(frozen=True)
class Kind:
    """How a job is deployed.

    Attributes:
        job: The flow, and its module.
        told: What it does, with {name} for the use case.
        collision: What becomes of a run that comes while another one goes on.
    """

    job: str
    told: str
    collision: Collision


# A second run waits where it may bring something that the first has not: newer rows, another order of a person. It is
# cancelled where it would only do what the first is doing.
TRAIN = Kind("train", "Train {name} and let the gate decide.", "ENQUEUE")
INGEST = Kind("ingest", "Take what has come for {name} into its lake.", "ENQUEUE")
MONITOR = Kind("monitor", "Look at the champion of {name}, and retrain it when that pays.", "CANCEL_NEW")
SCORE = Kind("score", "Let the champion of {name} predict the rows of a table.", "ENQUEUE")
ON_DEMAND = (
    Kind("promote", "Approve a version of {name}, or reject it.", "ENQUEUE"),
    Kind("rollback", "Go back to an earlier champion of {name}, and hold it.", "ENQUEUE"),
    Kind("reproduce", "Fit a version of {name} again, and compare its predictions with those of the stored one.", "ENQUEUE"),
    Kind("backtest", "Replay the history of {name}: what would retraining have been worth?", "ENQUEUE"),
)
MAINTAIN = Kind("maintain", "Put small files of all lakes together, and remove what no model version and no person needs.", "CANCEL_NEW")
ALARM = Kind("alarm", "Tell people of a run that failed, came late, or did not come.", "ENQUEUE")


def update(text: str, use_cases: Sequence[UseCase], pages: str = PAGES) -> str:
    """Put the entries of use cases between the markers of a `prefect.yaml`.

    Args:
        text: Of the file.
        use_cases: All that are deployed.
        pages: Address of Prefect's pages, to which alarms lead.

    Raises:
        UsageError: the markers are missing.
    """
    # Whole lines only: a description may hold a marker, but YAML never puts one at the left margin.
    found = re.search(rf"^{re.escape(BEGIN)}[ \t]*$.*?^(?P<end>{re.escape(END)}[ \t]*$)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        message = f"prefect.yaml needs the lines '{BEGIN}' and '{END}'; what stands between them is replaced"
        raise UsageError(message, where="prefect.yaml")
    return f"{text[: found.start()]}{BEGIN}\n{entries(use_cases, pages=pages)}{text[found.start('end') :]}"


def names_in(text: str) -> set[str]:
    """Name what a `prefect.yaml` deploys, each with its flow.

    >>> names_in("deployments: [{name: houses, entrypoint: 'flows.train:train'}]"), names_in("")
    ({'train/houses'}, set())
    """
    import yaml

    told = yaml.safe_load(text)
    found = cast("Mapping[str, Sequence[Mapping[str, str]]]", told).get("deployments") or () if isinstance(told, dict) else ()
    return {f"{each['entrypoint'].rpartition(':')[2]}/{each['name']}" for each in found}


def entries(use_cases: Sequence[UseCase], pages: str = PAGES) -> str:
    """Write the deployments of use cases as YAML, those that train first."""
    import yaml

    deployments = [_of_use_case(TRAIN, one, one.schedule.train, [_when_wanted(one.name)]) for one in use_cases]
    deployments += [_of_use_case(INGEST, one, one.schedule.ingest) for one in use_cases if one.landing or one.schedule.ingest]
    deployments += [_of_use_case(MONITOR, one, one.schedule.monitor) for one in use_cases if _is_watched(one)]
    deployments += [_of_use_case(SCORE, one, one.schedule.score) for one in use_cases]
    deployments += [_of_use_case(kind, one) for kind in ON_DEMAND for one in use_cases]
    deployments += [_entry(MAINTAIN, ALL, MAINTAIN.told, {}, MAINTENANCE), _alarm(use_cases, pages)] if use_cases else []
    return yaml.safe_dump({"deployments": deployments}, sort_keys=False, allow_unicode=True, width=140)


def _is_watched(use_case: UseCase) -> bool:
    """Say whether rows can come that a monitor sees: into a lake, by themselves or by a person."""
    return use_case.schedule.monitor is not None or use_case.landing is not None or not use_case.has_deliveries


def _of_use_case(kind: Kind, use_case: UseCase, when: str | None = None, triggers: Sequence[Block] = ()) -> Block:
    told = (use_case.description if kind is TRAIN else "") or kind.told.format(name=use_case.name)
    given = use_case.score.model_dump(exclude_none=True) if kind is SCORE else {}
    return _entry(kind, use_case.name, told, {"use_case": use_case.name, **given}, when, triggers)


def _alarm(use_cases: Sequence[UseCase], pages: str) -> Block:
    unwatched = [_when_unwatched(one.name, one.schedule.monitor) for one in use_cases if one.schedule.monitor]
    return _entry(ALARM, ALL, ALARM.told, {}, None, [*_when_runs_fail(pages), _when_automations_fail(), *unwatched])


def _entry(
    kind: Kind, name: str, description: str, options: Mapping[str, str], when: str | None = None, triggers: Sequence[Block] = ()
) -> Block:
    """Write a deployment: one run at a time, and one for each time of its schedule."""
    return {
        "name": name,
        "description": description,
        "entrypoint": f"flows.{kind.job}:{kind.job}",
        "tags": ["evergreen", name],
        "parameters": {"options": dict(options)},
        "concurrency_limit": {"limit": 1, "collision_strategy": kind.collision},
        "work_pool": {"name": WORK_POOL, "job_variables": {"env": dict(WORKER_ENVIRONMENT)}},
        "schedules": [{"cron": when, "timezone": "UTC", "slug": kind.job}] if when else [],
        **({"triggers": list(triggers)} if triggers else {}),
    }


# ------------------------------------------------------------------------------------------------------------- triggers


def _when_wanted(use_case: str) -> Block:
    """Train when a monitor asks for it. The run itself claims what was asked for, so that it is done once."""
    return {
        "name": f"retrain {use_case} when its monitor asks for it",
        "description": "Once in two minutes, however often it asks.",
        "expect": [RETRAIN_WANTED],
        "match": {"prefect.resource.id": f"evergreen.use-case.{use_case}"},
        **_at_most_once_in(ASKED_ONCE_S, for_each="prefect.resource.id"),
        **_with_options({"use_case": use_case, "asked_by": "{{ event.payload.asked_by }}"}),
    }


def _when_runs_fail(pages: str) -> list[Block]:
    link = f"{pages}/runs/flow-run/{{{{ flow_run.id }}}}"
    failed = "run {{ flow_run.name }} ended as {{ flow_run.state.name }}: {{ flow_run.state.message }}"
    late = "run {{ flow_run.name }} should have begun by now; is the worker up? (evergreen up)"
    # The name of a state, which names the event, may be any; its type is one of few.
    types: Block = {"prefect.state-type": ["FAILED", "CRASHED"], "prefect.state-name": f"!{REFUSED}"}
    said_failed = {"code": f"{RUN_FAILED}.{{{{ flow.name }}}}", "text": failed, "link": link}
    said_late = {"code": f"{RUN_LATE}.{{{{ flow.name }}}}", "text": late, "link": link}
    return [
        _when_a_run("fails or crashes", "prefect.flow-run.*", types, said_failed),
        _when_a_run("is late", "prefect.flow-run.Late", {}, said_late),
    ]


def _when_a_run(told: str, event: str, state: Block, says: Mapping[str, str]) -> Block:
    return {
        "name": f"alarm when a run {told}",
        "expect": [event],
        "match": {"prefect.resource.id": "prefect.flow-run.*", **state},
        "match_related": [
            # Whoever began a run on the command line was told there; and an alarm that fails must not raise one.
            {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.evergreen"},
            {"prefect.resource.role": "flow", "prefect.resource.name": "!alarm"},
        ],
        **_at_most_once_in(ALARM_ONCE_S, for_each="related:deployment:prefect.resource.id"),
        **_with_options({"use_case": "{{ deployment.name }}", **says}),
    }


def _when_automations_fail() -> Block:
    text = "automation {{ event.resource.name }} could not act: {{ event.payload.reason }}"
    return {
        "name": "alarm when an automation cannot act",
        "expect": ["prefect.automation.action.failed"],
        "match": {"prefect.resource.id": "prefect.automation.*"},
        **_at_most_once_in(ALARM_ONCE_S, for_each="prefect.resource.id"),
        **_with_options({"use_case": ALL, "code": f"{ACTION_FAILED}.{{{{ event.resource.id }}}}", "text": text}),
    }


def _when_unwatched(use_case: str, when: str) -> Block:
    """Alarm when no monitor of a use case has ended well for its longest period and some more."""
    silence_s = cron.longest_gap_minutes(when) * 60 + GRACE_S
    text = f"no monitor of {use_case} has ended well for {silence_s // 3600} hours; is the stack up? (evergreen up)"
    return {
        "name": f"alarm when {use_case} is not monitored",
        "expect": ["prefect.flow-run.*"],
        "match": {"prefect.resource.id": "prefect.flow-run.*", "prefect.state-type": "COMPLETED"},
        "match_related": [
            {"prefect.resource.role": "flow", "prefect.resource.name": MONITOR.job},
            {"prefect.resource.role": "deployment", "prefect.resource.name": use_case},
        ],
        "posture": "Proactive",
        "threshold": 1,
        "within": silence_s,
        **_with_options({"use_case": use_case, "code": NOT_MONITORED, "text": text}),
    }


def _at_most_once_in(seconds: int, for_each: str) -> Block:
    """Act on the first event, and on no other one of the same kind within some seconds."""
    return {"for_each": [for_each], "posture": "Reactive", "threshold": 1, "within": seconds}


def _with_options(options: Mapping[str, str]) -> Block:
    """Give options to the run; templates in the form that is always filled in as text."""
    filled = {name: {"__prefect_kind": "jinja", "template": value} if "{{" in value else value for name, value in options.items()}
    return {"parameters": {"options": filled}}
