"""Snapshots: immutable Parquet files of rows, named by the digest of their content."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd


def write(df: pd.DataFrame, folder: Path, name: str) -> Path:
    """Store rows under a name, unless they are stored already; a killed write leaves no half file of that name."""
    return write_frames([df], folder, name)


def write_frames(frames: Iterable[pd.DataFrame], folder: Path, name: str) -> Path:
    """Store rows that come in parts of equal columns, likewise."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / f"{name}.parquet"
    if path.exists():
        return path
    partial = folder / f"{name}.{os.getpid()}.partial"
    parts = (pa.Table.from_pandas(df, preserve_index=False) for df in frames)
    first = next(parts)
    with parquet.ParquetWriter(partial, first.schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part)
    partial.replace(path)
    return path


def write_csv(parts: Iterable[str], folder: str, name: str) -> str:
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
                    file.writelines(parts)
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
