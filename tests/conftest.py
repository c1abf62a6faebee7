"""What must stand before any engine is imported: no telemetry, no setting of the person who tests, a home that is nobody's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings

from tasks.adapters.home import SILENT, THREADS

if TYPE_CHECKING:
    import pytest

LONGEST = ("test_stack.py", "test_monitor_runs.py")  # begun first, they end beside the others instead of after them
AWAY = tempfile.TemporaryDirectory(prefix="evergreen-tests-")


# Machines that test are busy and shared, so no example has a deadline; CI tries the same examples every time.
settings.register_profile("evergreen", deadline=None, max_examples=25, derandomize="CI" in os.environ)
settings.load_profile("evergreen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--trials", type=int, default=1, help="how often each fault happens, more thoroughly from the second time on: make soak"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "trial" in metafunc.fixturenames:
        metafunc.parametrize("trial", range(metafunc.config.getoption("--trials")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))]:
        del os.environ[name]
    home = Path(AWAY.name) / "home"
    os.environ.update(SILENT | THREADS)
    os.environ.update(
        {
            "EVERGREEN_HOME": str(home),
            "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
            # A profile of the person who tests may name a server of theirs.
            "PREFECT_HOME": str(Path(AWAY.name) / "prefect"),
            "PREFECT_LOGGING_EXTRA_LOGGERS": "evergreen",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
    )


def pytest_unconfigure() -> None:
    AWAY.cleanup()
