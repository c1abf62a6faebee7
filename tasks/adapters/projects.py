"""Use cases and suites as files: those of the project first, then the bundled ones."""

from __future__ import annotations

import logging
from contextlib import suppress
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core import behaviour, names
from tasks.core.errors import UsageError
from tasks.core.snapshot import Case
from tasks.core.suites import Suite
from tasks.core.use_case import LAKE, MAX_NAME, UseCase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tasks.core.behaviour import Expected
    from tasks.core.options import SourceOptions
    from tasks.core.reading.terms import Sort
    from tasks.core.settings import Settings

DEFAULT_USE_CASE = "diabetes"
log = logging.getLogger("evergreen")

USE_CASES = Path("deployments") / "use_cases"
SUITES = Path("expectations")
PREFECT_YAML = Path("prefect.yaml")


def bundled() -> Path:
    """Locate what comes with Evergreen: inside the wheel, or the checkout itself."""
    package = Path(__file__).resolve().parents[1]
    return package / "bundled" if (package / "bundled").is_dir() else package.parent


def resolve(
    options: SourceOptions, settings: Settings, has_lake: Callable[[str], bool] = lambda _: False, *, default: str | None = DEFAULT_USE_CASE
) -> Case:
    """Find the use case that a call means: named, or made of the table that it brings.

    Args:
        options: The call.
        settings: Where use cases are.
        has_lake: Says whether rows of a use case were ingested; they go before the table that its file names.
        default: Which is meant where the call says nothing; None where it must say something.

    Raises:
        UsageError: there is no such use case, its file is wrong, or none is named.
    """
    name = options.use_case or (names.use_case_of(options.data) if options.data else default)
    if name is None:
        message = f"say which use case is meant, with --use-case NAME (there are: {', '.join(use_case_names(settings.project))})"
        raise UsageError(message, where="--use-case")
    if not settings.project.is_dir():
        message = f"EVERGREEN_PROJECT is '{settings.project}', which is no folder"
        raise UsageError(message, where="EVERGREEN_PROJECT")
    found = load_use_case(name, settings.project)
    data = options.data or (LAKE if has_lake(name) else None)
    if found is None and data is None:
        raise UsageError.unknown("use case", name, use_case_names(settings.project), where="--use-case")
    if found and found.data != LAKE and data == LAKE:
        log.warning("ingested rows go before data: %s, which is not read; ingest that too, if it is to be trained on", found.data)
    use_case = (found or UseCase.from_values(name, {}, where="--use-case")).with_options(options)
    if options.data is None:
        use_case = use_case.model_copy(update={"data": data or locate(use_case.data, settings.project)})
    return Case(use_case, settings, find_suite(name, settings.project), _expected(use_case, settings.project))


def resolve_known(name: str | None, settings: Settings, decided: Callable[[], list[str]]) -> Case:
    """Find a use case by its file, or else because something of it was decided.

    Args:
        name: Its name; None where the call says none.
        settings: Where use cases are.
        decided: Names the use cases of which something was decided.

    Raises:
        UsageError: no name is given, there is no such use case, or its file is wrong.
    """
    found = load_use_case(name, settings.project) if name else None
    if found is None and name not in (known := decided()):
        if name is None:
            message = f"say which use case is meant, with --use-case NAME (there are: {', '.join(known) or 'none yet'})"
            raise UsageError(message, where="--use-case")
        raise UsageError.unknown("use case", name, known, where="--use-case")
    use_case = found or UseCase.from_values(str(name), {}, where="--use-case")
    return Case(use_case, settings, find_suite(use_case.name, settings.project), _expected(use_case, settings.project))


def _expected(use_case: UseCase, project: Path) -> tuple[Expected, ...]:
    """Read the rows of which a person knows what must be predicted.

    Raises:
        UsageError: there is no such file, or it holds none.
    """
    name = use_case.gate.behaviour
    if name is None:
        return ()
    try:
        return behaviour.parse((project / name).read_text(encoding="utf-8-sig"), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"gate.behaviour of {use_case.name} names {name}, which cannot be read in {project}: {reason}"
        raise UsageError(message, where="gate.behaviour") from error


def locate(data: str, project: Path) -> str:
    """Give data as a project names them so that they are found from any folder."""
    return str(project / data) if _is_path(data) else data


def name_in(data: str, project: Path) -> str:
    """Give data as a project names them: below its folder by the path from there."""
    path = Path(data).absolute()
    return (str(path.relative_to(project)) if path.is_relative_to(project) else str(path)) if _is_path(data) else data


def _is_path(data: str) -> bool:
    return not (names.is_bundled(data) or "://" in data or data == LAKE)


def use_case_names(project: Path) -> list[str]:
    """List the use cases that can be named."""
    return sorted({path.stem for folder in (project, bundled()) for path in (folder / USE_CASES).glob("*.yaml") if path.is_file()})


def load_use_case(name: str, project: Path) -> UseCase | None:
    """Load a use case by name; None when there is no such file.

    Raises:
        UsageError: the file cannot be read as a use case.
    """
    if len(name) > MAX_NAME:
        return None  # a file system may refuse to look for it
    path = next((p for folder in (project, bundled()) if (p := folder / USE_CASES / f"{name}.yaml").is_file()), None)
    return None if path is None else _load(path)


def _load(path: Path) -> UseCase:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{path} is not YAML: {error}"
        raise UsageError(message, where=str(path)) from error
    return parse_use_case(path.stem, text, where=str(path))


def parse_use_case(name: str, text: str, *, where: str) -> UseCase:
    """Read the text of a use case.

    Raises:
        UsageError: it is none.
    """
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        found = f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}" if mark else str(error).splitlines()[0]
        message = f"{where} is not YAML: {found}"
        raise UsageError(message, where=where) from error
    if not isinstance(values, dict):
        message = f"{where} must hold keys and values, such as `data: table.csv`"
        raise UsageError(message, where=where)
    if "name" in values:
        message = f"{where} holds a key 'name', but a use case is named by its file: '{name}'; take the key out, or rename the file"
        raise UsageError(message, where=where)
    return UseCase.from_values(name, values, where=where)


def find_suite(name: str, project: Path) -> Path | None:
    """Find the suite of a use case, if it has one."""
    return next((p for folder in (project, bundled()) if (p := folder / SUITES / f"{name}.json").is_file()), None)


def kinds_of(suite: Path | None) -> dict[str, Sort]:
    """Say what columns hold, as far as a suite expects it; nothing where the file is no suite, which whoever judges by it will tell."""
    try:
        return Suite.from_json(suite.read_text(encoding="utf-8"), where=str(suite)).kinds if suite else {}
    except (UsageError, UnicodeDecodeError):
        return {}


def own_use_case(name: str, project: Path) -> UseCase | None:
    """Load a use case of the project itself; None when it has no such file.

    Raises:
        UsageError: the file cannot be read as a use case.
    """
    path = project / USE_CASES / f"{name}.yaml"
    return _load(path) if path.is_file() else None


def own_use_cases(project: Path) -> list[UseCase]:
    """Load the use cases of the project itself, in the order of their names."""
    return [_load(path) for path in sorted((project / USE_CASES).glob("*.yaml")) if path.is_file()]


def own_suite(name: str, project: Path) -> Suite | None:
    """Load a suite of the project itself; None when it has no such file.

    Raises:
        UsageError: the file is no suite.
    """
    path = project / SUITES / f"{name}.json"
    try:
        return Suite.from_json(path.read_text(encoding="utf-8"), where=str(path)) if path.is_file() else None
    except UnicodeDecodeError as error:
        message = f"{path} is not a Great Expectations suite: it is not UTF-8 text"
        raise UsageError(message, where=str(path)) from error


def read_prefect_yaml(project: Path) -> str | None:
    """Read the project's `prefect.yaml`; None when there is none."""
    path = project / PREFECT_YAML
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write_files(project: Path, texts: Mapping[Path, str]) -> None:
    """Write files of the project by their paths in it: each at one stroke, and none where one cannot be written.

    Whoever writes holds the home's lock `project`.

    Raises:
        UsageError: they cannot be written.
    """
    partials = {project / path.with_name(f"{path.name}.partial"): project / path for path in texts}
    try:
        for (partial, path), text in zip(partials.items(), texts.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(EISDIR, "there is a folder of that name", str(path))
            partial.write_text(text, encoding="utf-8")
        for partial, path in partials.items():
            partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            for partial in partials:
                partial.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        message = f"cannot write {error.filename or project}: {reason}; nothing was written; mend that, or set EVERGREEN_PROJECT"
        raise UsageError(message, where=str(error.filename or project)) from error
