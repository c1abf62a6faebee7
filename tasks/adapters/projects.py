"""Use cases and suites as files: those of the project first, then the bundled ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import names
from tasks.core.errors import UsageError
from tasks.core.snapshot import Case
from tasks.core.use_case import LAKE, MAX_NAME, UseCase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.core.options import CaseOptions
    from tasks.core.settings import Settings

DEFAULT_USE_CASE = "diabetes"

USE_CASES = Path("deployments") / "use_cases"
SUITES = Path("expectations")


def bundled() -> Path:
    """Locate what comes with Evergreen: inside the wheel, or the checkout itself."""
    package = Path(__file__).resolve().parents[1]
    return package / "bundled" if (package / "bundled").is_dir() else package.parent


def resolve(options: CaseOptions, settings: Settings, has_lake: Callable[[str], bool] = lambda _: False) -> Case:
    """Find the use case that a call means: named, or made of the table that it brings.

    Args:
        options: The call.
        settings: Where use cases are.
        has_lake: Says whether rows of a use case were ingested; they go before the table that its file names.

    Raises:
        UsageError: there is no such use case, or its file is wrong.
    """
    name = options.use_case or (names.use_case_of(options.data) if options.data else DEFAULT_USE_CASE)
    if not settings.project.is_dir():
        message = f"EVERGREEN_PROJECT is '{settings.project}', which is no folder"
        raise UsageError(message, where="EVERGREEN_PROJECT")
    found = load_use_case(name, settings.project)
    data = options.data or (LAKE if has_lake(name) else None)
    if found is None and data is None:
        raise UsageError.unknown("use case", name, use_case_names(settings.project), where="--use-case")
    use_case = (found or UseCase.from_values(name, {}, where="--use-case")).with_options(options)
    if options.data is None:
        use_case = use_case.model_copy(update={"data": data or _absolute(use_case.data, settings.project)})
    return Case(use_case, settings, find_suite(name, settings.project))


def _absolute(data: str, project: Path) -> str:
    return data if data.startswith("sklearn:") or "://" in data or data == LAKE else str(project / data)


def use_case_names(project: Path) -> list[str]:
    """List the use cases that can be named."""
    return sorted({path.stem for folder in (project, bundled()) for path in (folder / USE_CASES).glob("*.yaml") if path.is_file()})


def load_use_case(name: str, project: Path) -> UseCase | None:
    """Load a use case by name; None when there is no such file.

    Raises:
        UsageError: the file cannot be read as a use case.
    """
    import yaml

    if len(name) > MAX_NAME:
        return None  # a file system may refuse to look for it
    path = next((p for folder in (project, bundled()) if (p := folder / USE_CASES / f"{name}.yaml").is_file()), None)
    if path is None:
        return None
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        found = f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}" if mark else str(error).splitlines()[0]
        message = f"{path} is not YAML: {found}"
        raise UsageError(message, where=str(path)) from error
    if not isinstance(values, dict):
        message = f"{path} must hold keys and values, such as `data: table.csv`"
        raise UsageError(message, where=str(path))
    if "name" in values:
        message = f"{path} holds a key 'name', but a use case is named by its file: '{name}'; take the key out, or rename the file"
        raise UsageError(message, where=str(path))
    return UseCase.from_values(name, values, where=str(path))


def find_suite(name: str, project: Path) -> Path | None:
    """Find the suite of a use case, if it has one."""
    return next((p for folder in (project, bundled()) if (p := folder / SUITES / f"{name}.json").is_file()), None)


def own_use_cases(project: Path) -> list[UseCase]:
    """Load the use cases of the project itself, in the order of their names."""
    found = [load_use_case(path.stem, project) for path in sorted((project / USE_CASES).glob("*.yaml"))]
    return [use_case for use_case in found if use_case is not None]


def read_prefect_yaml(project: Path) -> str:
    """Read the project's `prefect.yaml`.

    Raises:
        UsageError: there is none.
    """
    path = project / "prefect.yaml"
    if not path.is_file():
        message = f"there is no {path}; run this in the project's folder, or set EVERGREEN_PROJECT"
        raise UsageError(message, where=str(path))
    return path.read_text(encoding="utf-8")


def write_prefect_yaml(project: Path, text: str) -> None:
    """Replace the project's `prefect.yaml` at one stroke."""
    partial = project / "prefect.yaml.partial"
    partial.write_text(text, encoding="utf-8")
    partial.replace(project / "prefect.yaml")
