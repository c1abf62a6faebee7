"""The deployments of `prefect.yaml`, generated between two markers: by use case for each job, and one that maintains them all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.use_case import UseCase

BEGIN = "# generated from deployments/use_cases by `make deployments`: begin"
END = "# generated: end"
WORK_POOL = "evergreen"
ALL = "all"
MAINTENANCE = "30 1 * * 0"  # weekly, before the week's training
NEW = f"""\
# Deploy with `prefect --no-prompt deploy --all`, after `prefect work-pool create {WORK_POOL} --type process`.
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


def update(text: str, use_cases: Sequence[UseCase]) -> str:
    """Put the entries of use cases between the markers of a `prefect.yaml`.

    Raises:
        UsageError: the markers are missing.
    """
    # Whole lines only: a description may hold a marker, but YAML never puts one at the left margin.
    found = re.search(rf"^{re.escape(BEGIN)}[ \t]*$.*?^(?P<end>{re.escape(END)}[ \t]*$)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        message = f"prefect.yaml needs the lines '{BEGIN}' and '{END}'; what stands between them is replaced"
        raise UsageError(message, where="prefect.yaml")
    return f"{text[: found.start()]}{BEGIN}\n{entries(use_cases)}{text[found.start('end') :]}"


def entries(use_cases: Sequence[UseCase]) -> str:
    """Write the deployments of use cases as YAML, those that train first."""
    import yaml

    deployments = [_train_entry(use_case) for use_case in use_cases]
    deployments += [_ingest_entry(use_case) for use_case in use_cases if use_case.landing or use_case.schedule.ingest]
    deployments += [_maintain_entry()] if use_cases else []
    return yaml.safe_dump({"deployments": deployments}, sort_keys=False, allow_unicode=True, width=140)


def _train_entry(use_case: UseCase) -> dict[str, object]:
    return _entry(
        "train",
        use_case.name,
        use_case.description or f"Train {use_case.name} and let the gate decide.",
        use_case.schedule.train,
        {"use_case": use_case.name},
        # A second run waits, because it may bring newer rows.
        collision="ENQUEUE",
    )


def _ingest_entry(use_case: UseCase) -> dict[str, object]:
    told = f"Take what has come for {use_case.name} into its lake."
    return _entry("ingest", use_case.name, told, use_case.schedule.ingest, {"use_case": use_case.name})


def _maintain_entry() -> dict[str, object]:
    told = "Put small files of all lakes together, and remove what no model version and no person needs."
    return _entry("maintain", ALL, told, MAINTENANCE, {})


def _entry(
    job: str, name: str, description: str, cron: str | None, options: dict[str, object], *, collision: str = "CANCEL_NEW"
) -> dict[str, object]:
    """Write a deployment: one run at a time; by default a second one would only do what the first is doing."""
    return {
        "name": name,
        "description": description,
        "entrypoint": f"flows.{job}:{job}",
        "tags": ["evergreen", name],
        "parameters": {"options": options},
        "concurrency_limit": {"limit": 1, "collision_strategy": collision},
        "work_pool": {"name": WORK_POOL, "job_variables": {"env": dict(WORKER_ENVIRONMENT)}},
        "schedules": [{"cron": cron, "timezone": "UTC", "slug": job}] if cron else [],
    }
