"""Files of the home that are written once and whole: snapshots of rows, named by the digest of their content, and what people read."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError, UsageError
from tasks.core.lake.values import Maintenance

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
    from datetime import timedelta

    import numpy as np
    import pandas as pd

FRAME_ROWS = 100_000


def write(df: pd.DataFrame, folder: Path, name: str) -> Path:
    """Store rows under a name, as `write_frames` does."""
    return write_frames([df], folder, name)


def write_frames(frames: Iterable[pd.DataFrame], folder: Path, name: str) -> Path:
    """Store rows that come in parts of equal columns, unless they are stored already; a killed write leaves no half file of that name.

    Raises:
        StoreError: they cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / f"{name}.parquet"
    if path.exists():
        path.touch()  # it is used, and `maintain` removes what is not
        return path
    parts = (pa.Table.from_pandas(df, preserve_index=False) for df in frames)
    first = next(parts)
    with _whole(path) as partial, parquet.ParquetWriter(partial, first.schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part, row_group_size=FRAME_ROWS)
    return path


def cut(frames: Iterable[pd.DataFrame], rows: int = FRAME_ROWS) -> Iterator[pd.DataFrame]:
    """Cut frames into smaller ones; what is done to one row after another then takes less memory."""
    for df in frames:
        yield from (df.iloc[start : start + rows] for start in range(0, max(1, len(df)), rows))


def write_parts(parts: Iterable[bytes], path: Path) -> Path:
    """Write a file in parts, likewise.

    Raises:
        StoreError: it cannot be written.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as partial, partial.open("wb") as file:
        file.writelines(parts)
    return path


def write_text(text: str, path: Path) -> Path:
    """Write a text, in the place of what was there.

    Raises:
        StoreError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _whole(path: Path) -> Generator[Path]:
    """Give a place to write to that takes its name once it is written in full, and is gone where it cannot be.

    Raises:
        StoreError: it cannot be written.
    """
    partial = path.parent / f"{path.stem}.{os.getpid()}.partial"
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)  # Arrow tells a story around it
        message = f"cannot write to {path.parent}: {why.lower()}; make room there, and run again"
        raise StoreError(message, where=str(path.parent)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_csv(parts: Iterable[str], folder: str, name: str) -> str:
    """Store CSV text in a folder of a person's choice, under a name that nothing there has yet.

    Raises:
        UsageError: the folder cannot be written.
    """
    taken, place = Path(folder), 1
    partial = taken / f".{name}.{os.getpid()}.partial"
    try:
        taken.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
        while True:
            path = taken / (f"{name}.csv" if place == 1 else f"{name}-{place}.csv")
            try:
                path.hardlink_to(partial)
            except FileExistsError:
                place += 1
            else:
                return str(path)
    except OSError as error:
        message = f"cannot write to '{folder}': {(error.strerror or str(error)).lower()}; name another folder with --out"
        raise UsageError(message, where="--out") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def find(folder: Path, name: str) -> Path | None:
    """Find stored rows by their name; None where they are gone."""
    path = folder / f"{name}.parquet"
    return path if path.exists() else None


def read(path: Path) -> pd.DataFrame:
    """Read rows as they were stored."""
    import pandas as pd

    return pd.read_parquet(path)


def read_frames(path: Path, rows: int = FRAME_ROWS, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield stored rows in parts that fit into memory, with all columns or some; at least one, be it empty."""
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path, pre_buffer=False) as file:  # a buffer would keep all that was read
        schema = pa.schema([file.schema_arrow.field(name) for name in columns]) if columns else file.schema_arrow
        for batch in file.iter_batches(rows, columns=columns):
            yield pa.Table.from_batches([batch.select(schema.names)], schema).to_pandas()
        if not file.metadata.num_rows:
            yield schema.empty_table().to_pandas()


def read_places(path: Path, places: np.ndarray, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield some of the stored rows, by their places, ascending."""
    import numpy as np

    start = 0
    for df in read_frames(path, columns=columns):
        first, last = np.searchsorted(places, [start, start + len(df)])
        yield df.iloc[places[first:last] - start].reset_index(drop=True)
        start += len(df)


def column_names(path: Path) -> list[str]:
    """Name the columns of stored rows."""
    from pyarrow import parquet

    return parquet.read_schema(path).names


def read_column(path: Path, name: str) -> pd.Series:
    """Read one column of stored rows."""
    import pandas as pd

    return pd.read_parquet(path, columns=[name])[name]


def remove_unnamed(folder: Path, names: Collection[str], unused_for: timedelta) -> Maintenance:
    """Remove the files of a folder that have none of the names and that nothing has used for some time."""
    latest, sizes = time.time() - unused_for.total_seconds(), list[int]()
    for path in folder.glob("*.parquet"):
        with suppress(FileNotFoundError):  # another process was quicker
            if path.stem not in names and (found := path.stat()).st_mtime <= latest:
                path.unlink()
                sizes.append(found.st_size)
    return Maintenance(removed=len(sizes), removed_bytes=sum(sizes))


def remove_partials(folder: Path) -> None:
    """Remove what killed writes of this host left behind."""
    import psutil

    for partial in folder.glob("*.partial"):
        if not psutil.pid_exists(int(partial.name.rsplit(".", 2)[1])):
            partial.unlink(missing_ok=True)
