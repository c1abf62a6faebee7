"""Verbs for what people ask; they train nothing, decide nothing, and do not need Prefect."""

from __future__ import annotations

from tasks.adapters import home, projects
from tasks.core import deployments


def write_deployments() -> str:
    """Bring the generated part of the project's `prefect.yaml` up to its use cases, and say what was done.

    Raises:
        UsageError: there is no prefect.yaml, it lacks the markers, or a use case is wrong.
    """
    project = home.settings().project
    text = projects.read_prefect_yaml(project)
    use_cases = projects.own_use_cases(project)
    updated = deployments.update(text, use_cases)
    if updated == text:
        return f"prefect.yaml is up to date: {len(use_cases)} use cases"
    projects.write_prefect_yaml(project, updated)
    return f"prefect.yaml: wrote the deployments of {', '.join(use_case.name for use_case in use_cases)}"
