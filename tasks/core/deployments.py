"""The deployments of `prefect.yaml`: one per job and use case, generated between two markers."""

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
    """Write the deployments of use cases as YAML."""
    import yaml

    deployments = [_train_entry(use_case) for use_case in use_cases]
    return yaml.safe_dump({"deployments": deployments}, sort_keys=False, allow_unicode=True, width=140)


def _train_entry(use_case: UseCase) -> dict[str, object]:
    schedules = [{"cron": use_case.schedule, "timezone": "UTC", "slug": "train"}] if use_case.schedule else []
    return {
        "name": use_case.name,
        "description": use_case.description or f"Train {use_case.name} and let the gate decide.",
        "entrypoint": "flows.train:train",
        "tags": ["evergreen", use_case.name],
        "parameters": {"options": {"use_case": use_case.name}},
        # One run at a time; a second one waits, because it may bring newer rows.
        "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
        "work_pool": {"name": WORK_POOL, "job_variables": {"env": dict(WORKER_ENVIRONMENT)}},
        "schedules": schedules,
    }
