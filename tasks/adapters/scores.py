"""Files of predictions: made of parts that outlive a kill, and put in place whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError
from tasks.core.names import digest
from tasks.core.reading.numerals import EXACT_INTEGERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

ENDINGS = (".parquet", ".csv")


@dataclass(frozen=True)
class Scored:
    """What is remembered of a scoring: its files, and how many rows went where."""

    out: str
    aside: str
    sha256: str
    scored: int
    quarantined: int


@dataclass(frozen=True)
class Parts:
    """What a scoring has written so far: for each part of its rows those that are scored, and those that are set aside.

    Attributes:
        folder: That no other scoring uses; a part is in it whole or not at all.
    """

    folder: Path

    def holds(self, place: int) -> bool:
        """Say whether a part was written, by this process or one before it."""
        return self._path(place, "scored").exists()

    def write(self, place: int, scored: pd.DataFrame, aside: pd.DataFrame) -> None:
        """Keep a part; what is set aside first, so that a part that is there is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for df, what in ((aside, "aside"), (scored, "scored")):
            partial = self.folder / f"{place:06}-{what}.{os.getpid()}.partial"
            df.to_parquet(partial, index=False)
            partial.replace(self._path(place, what))

    def read(self, what: str) -> Iterator[pd.DataFrame]:
        """Yield the parts in their order: what was `scored`, or set `aside`."""
        import pandas as pd

        for path in sorted(self.folder.glob(f"*-{what}.parquet")):
            yield pd.read_parquet(path)

    def count(self, what: str) -> int:
        """Count the rows that were scored, or set aside."""
        from pyarrow import parquet

        return sum(parquet.read_metadata(path).num_rows for path in self.folder.glob(f"*-{what}.parquet"))

    def remove(self) -> None:
        """Remove the parts, once the file of all is in place."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, place: int, what: str) -> Path:
        return self.folder / f"{place:06}-{what}.parquet"


def check_out(place: str | Path, known: Iterable[Path]) -> None:
    """See that a file of predictions can be put in a place before anything is predicted.

    Args:
        place: As a person wrote it.
        known: Files that scorings have put in place before.

    Raises:
        UsageError: its ending says no format, its folder cannot be written, or something else stands there.
    """
    message, out = "", Path(place).absolute()
    if out.is_dir() or str(place).endswith(os.sep):
        message = f"'{place}' names a folder, and predictions are one file; name that, such as {Path(place) / 'predictions.csv'}"
    elif out.suffix.lower() not in ENDINGS:
        message = f"'{out}' ends with neither .parquet nor .csv; name a file that does"
    elif out.exists() and out not in known:
        message = f"'{out}' is there already and holds something else; name another file, or move that one away"
    else:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot write to '{out.parent}': {(error.strerror or str(error)).lower()}; name another file"
        if not message and not os.access(out.parent, os.W_OK):
            message = f"cannot write to '{out.parent}': permission denied; name another file"
    if message:
        raise UsageError(message, where="--out")


def put(frames: Iterable[pd.DataFrame], out: Path) -> None:
    """Write frames of equal columns as one file, Parquet or CSV by its ending; a kill leaves no half of it.

    Raises:
        UsageError: the file cannot be written.
    """
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        (_put_parquet if out.suffix.lower() == ".parquet" else _put_csv)(frames, partial)
        partial.replace(out)
    except OSError as error:
        message = f"cannot write '{out}': {(error.strerror or str(error)).lower()}; name another file with --out"
        raise UsageError(message, where="--out") from error
    finally:
        partial.unlink(missing_ok=True)


def _put_parquet(frames: Iterable[pd.DataFrame], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    writer: Any = None
    for df in frames:
        rows = pa.Table.from_pandas(df, schema=writer.schema if writer else None, preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    if writer:
        writer.close()


def _put_csv(frames: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for place, df in enumerate(frames):
            numbers = {name: _shown(df[name]) for name in df.columns if df[name].dtype.kind == "f"}
            df.assign(**numbers).to_csv(file, index=False, header=place == 0)


def _shown(values: pd.Series[float]) -> pd.Series[Any]:
    """Give whole numbers as integers, so that a key is written as it came."""
    is_whole = (values % 1 == 0) & (values.abs() < EXACT_INTEGERS)
    if not is_whole.any():
        return values
    return values.astype(object).where(~is_whole, values.where(is_whole, 0).astype("int64").astype(object))


def remember(folder: Path, scoring: str, told: Scored) -> None:
    """Write down what came of a scoring, for whoever asks for the same again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _memory(folder, scoring, told.out)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(asdict(told)), encoding="utf-8")
    partial.replace(path)


def recall(folder: Path, scoring: str, out: Path) -> Scored | None:
    """Give what came of a scoring into a file, if it came to its end and the file is still as it was."""
    path = _memory(folder, scoring, str(out))
    told = Scored(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    return told if told and out.exists() and digest_of(out) == told.sha256 else None


def _memory(folder: Path, scoring: str, out: str) -> Path:
    return folder / f"{scoring}-{digest(out)[:8]}.json"


def written(folder: Path) -> list[Path]:
    """List the files that scorings have put in place."""
    return [Path(json.loads(path.read_text(encoding="utf-8"))["out"]) for path in folder.glob("*.json")]


def digest_of(path: Path) -> str:
    """Digest a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
