"""MLflow: the store of its runs and models, created here; what asks it of each stands in a module of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tasks.adapters import home

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.settings import Settings

log = logging.getLogger("evergreen")


def create_own_store(settings: Settings) -> None:
    """Create the home's own MLflow store where it is missing; a person's is theirs to create."""
    path = settings.own_mlflow_file
    with home.lock(settings.home, "stores"):
        if path and not path.exists():
            log.info("creating the MLflow store")
            create_sqlite_store(path)
            home.switch_to_wal(path)


def create_sqlite_store(path: Path) -> None:
    """Create an MLflow store in one SQLite file: whole, or not at all when the process is killed."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    new = path.with_suffix(".new")
    for leftover in path.parent.glob(f"{new.name}*"):
        leftover.unlink()
    store = SqlAlchemyStore(f"sqlite:///{new}", (path.parent / "artifacts").as_uri())
    store.engine.dispose()  # or a journal would be written beside a name that is gone
    new.replace(path)
