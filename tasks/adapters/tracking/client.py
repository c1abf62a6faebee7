"""How MLflow is asked: what it, its server or the disk under it raises is one sentence."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mlflow import MlflowClient


def open_client() -> MlflowClient:
    """Open a client of the store in force, which stays silent where it raises."""
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # it prints a trace of what it then raises
    return MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


@contextmanager
def asking() -> Generator[None]:
    """Tell in one sentence what MLflow, its server, or the disk under it raises.

    Raises:
        StoreError: they do.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        message = f"MLflow does not answer: {reason(error)}; see that it runs and has room, and run again"
        raise StoreError(message, where="MLflow") from error


def find(call: Callable[[], Any]) -> Any:  # noqa: ANN401 (MLflow's entities have no common type)
    """Give what a call finds; None where MLflow has no such thing.

    Raises:
        StoreError: it does not answer.
    """
    from mlflow.exceptions import MlflowException

    with asking():
        try:
            return call()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise


def reason(error: Exception) -> str:
    """Give the first line of an error, or of what it lists; of a request that failed, only what was asked for."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("#####")] or [type(error).__name__]
    line = lines[1] if lines[0].rstrip().endswith(":") and len(lines) > 1 else lines[0].strip()
    asked, failed, _ = line.partition(" failed with ")
    return f"{asked} failed" if failed else line
