"""Snapshots: immutable Parquet files of rows, named by the digest of their content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def write(df: pd.DataFrame, folder: Path, name: str) -> Path:
    """Store rows under a name, unless they are stored already; a killed write leaves no half file of that name."""
    path = folder / f"{name}.parquet"
    if not path.exists():
        partial = folder / f"{name}.{os.getpid()}.partial"
        df.to_parquet(partial, index=False)
        partial.replace(path)
    return path


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
