"""Snapshots: immutable Parquet files of rows, named by the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def write(df: pd.DataFrame, folder: Path, name: str) -> Path:
    """Store rows under a name, unless they are stored already; a killed write leaves no half file of that name."""
    path = folder / f"{name}.parquet"
    if not path.exists():
        partial = folder / f"{name}.{os.getpid()}.partial"
        df.to_parquet(partial, index=False)
        partial.replace(path)
    return path


def write_csv(text: str, folder: str, name: str) -> str:
    """Store CSV text in a folder of a person's choice, under a name that nothing there has yet.

    Raises:
        UsageError: the folder cannot be written.
    """
    taken, place = Path(folder), 1
    try:
        taken.mkdir(parents=True, exist_ok=True)
        while True:
            path = taken / (f"{name}.csv" if place == 1 else f"{name}-{place}.csv")
            try:
                with path.open("x", encoding="utf-8", newline="") as file:
                    file.write(text)
            except FileExistsError:
                place += 1
            else:
                return str(path)
    except OSError as error:
        message = f"cannot write to '{folder}': {(error.strerror or str(error)).lower()}; name another folder with --out"
        raise UsageError(message, where="--out") from error


def read(path: Path) -> pd.DataFrame:
    """Read rows as they were stored."""
    import pandas as pd

    return pd.read_parquet(path)


def remove_partials(folder: Path) -> None:
    """Remove what killed writes of this host left behind."""
    import psutil

    for partial in folder.glob("*.partial"):
        if not psutil.pid_exists(int(partial.name.rsplit(".", 2)[1])):
            partial.unlink(missing_ok=True)
