"""A use case that many tests share: its table, and folders that are copied with their home."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

# Where MLflow keeps the folders of artifacts.
ARTIFACT_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def write_houses(folder: Path, seed: int) -> None:
    """Write a table of houses, another one for each seed."""
    rows = np.random.default_rng(seed).normal(size=(200, 3)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room + noise:.3f}\n" for size, room, noise in rows)
    (folder / "houses.csv").write_text(table, encoding="utf-8")


def copy_home(folder: Path, other: Path) -> None:
    """Copy a folder with its home to another one, where the registry then names the other one's files."""
    shutil.copytree(folder, other, dirs_exist_ok=True)
    with closing(sqlite3.connect(other / ".evergreen" / "mlflow.db")) as mlflow:
        for table, column in ARTIFACT_COLUMNS:
            mlflow.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(folder), str(other)))
        mlflow.commit()
