"""What a batch looks like, in a few kilobytes: a profile, taken in one pass over its rows.

Quantiles, means and spreads are of finite numbers; dates count in microseconds since 1970. A profile does not depend on
how its rows were cut into chunks. A column that is marked `pii` keeps counts and no value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.core.errors import DataRefusedError, StoreError
from tasks.core.sketches import BLOCK, Distinct, Frequent, Moments, Quantiles, Runs, unique
from tasks.core.splits import hash_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import numpy as np
    import pandas as pd

Kind = Literal["number", "date", "text"]
Count = Annotated[int, Field(ge=0)]
Quantity = Annotated[float, Field(allow_inf_nan=False)]

SHARES = tuple(percent / 100 for percent in range(101))
FREQUENT_KEPT = 100


class ColumnProfile(BaseModel):
    """What one column holds.

    Attributes:
        missing: Rows without a value.
        infinite: Rows that hold an infinity; they count in nothing that follows.
        present: Rows that hold any other value.
        distinct: Distinct values.
        distinct_is_exact: Whether they were counted; else they are estimated within about 1.6 %.
        longest_run: The most rows in a row that hold the same value, missing ones passed over.
        minimum, maximum, mean, spread: Of the values; spread is their standard deviation.
        quantiles: The values at 0 %, 1 % … 100 %: a histogram of equal counts.
        rank_error: The share of values by which the rank of a quantile may be wrong.
        frequent: The most frequent texts of at most 100 characters, with their counts.
        frequent_error: By how much these counts may be too low.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    pii: bool = False
    missing: Count = 0
    infinite: Count = 0
    present: Count = 0
    distinct: Count = 0
    distinct_is_exact: bool = True
    longest_run: Count = 0
    minimum: Quantity | None = None
    maximum: Quantity | None = None
    mean: Quantity | None = None
    spread: Quantity | None = None
    quantiles: tuple[Quantity, ...] = ()
    rank_error: Quantity = 0.0
    frequent: tuple[tuple[str, Count], ...] = ()
    frequent_error: Count = 0


class Profile(BaseModel):
    """What a batch holds.

    Attributes:
        digest: Of its columns and rows in their order, 64 hexadecimal digits.
        contents: The same, whatever the order of the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: Count
    columns: tuple[ColumnProfile, ...]
    digest: str
    contents: str

    @property
    def names(self) -> list[str]:
        """Name the columns in their order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> ColumnProfile | None:
        """Give a column by its name, if there is one.

        >>> Profile(rows=0, columns=(), digest="", contents="").column("size") is None
        True
        """
        return next((column for column in self.columns if column.name == name), None)

    def without(self, name: str | None) -> Profile:
        """Leave a column out, such as the target: labels may be late, and are looked at beside labels."""
        return self.model_copy(update={"columns": tuple(column for column in self.columns if column.name != name)})

    def only(self, name: str | None) -> Profile:
        """Leave all columns out but one."""
        return self.model_copy(update={"columns": tuple(column for column in self.columns if column.name == name)})

    def limited_to(self, names: Collection[str]) -> Profile:
        """Leave all columns out but some."""
        return self.model_copy(update={"columns": tuple(column for column in self.columns if column.name in names)})

    def replacing(self, column: ColumnProfile) -> Profile:
        """Put a column in the place of the one of its name."""
        return self.model_copy(update={"columns": tuple(column if one.name == column.name else one for one in self.columns)})

    def to_json(self) -> str:
        """Write the profile as plain JSON; what is as by default is left out."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Profile:
        """Read a profile that `to_json` wrote.

        Raises:
            StoreError: the text is no such profile, or holds a key that profiles do not have.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            message = f"{where} is not a profile: {f'{at!r}: ' if at else ''}{first['msg'].lower()}; take the profile again"
            raise StoreError(message, where=where) from error


def profile_rows(chunks: Iterable[pd.DataFrame], *, pii: Collection[str] = ()) -> Profile:
    """Profile a batch that comes in chunks, in one pass and bounded memory.

    Args:
        chunks: Rows in their order; all with the same columns.
        pii: Columns of which no value may be kept.

    Raises:
        DataRefusedError: chunks differ in their columns, or in what a column holds.

    >>> import pandas as pd
    >>> chunk = pd.DataFrame({"size": [70.0, None, 64.0], "sold": pd.Series(["yes", "no", "yes"], dtype="str")})
    >>> size, sold = profile_rows([chunk, chunk]).columns
    >>> size.missing, size.mean, size.quantiles[50], sold.frequent
    (2, 67.0, 64.0, (('yes', 4), ('no', 2)))
    """
    batch = _Batch(frozenset(pii))
    for chunk in chunks:
        batch.add(chunk)
    return batch.profile()


class _Batch:
    def __init__(self, pii: frozenset[str]) -> None:
        self.pii = pii
        self.rows = 0
        self.sum = 0
        self.digest = hashlib.sha256()
        self.head = b""
        self.columns: dict[str, _Column] | None = None

    def add(self, chunk: pd.DataFrame) -> None:
        import numpy as np

        if self.columns is None:
            self.head = "\0".join(f"{name}:{chunk[name].dtype}" for name in chunk.columns).encode()
            self.digest.update(self.head + b"\0")
            self.columns = {name: _Column(name, _kind(chunk[name]), name in self.pii) for name in chunk.columns}
        if list(chunk.columns) != list(self.columns):
            message = f"rows {self.rows + 1} to {self.rows + len(chunk)} have other columns than those before; give one table at a time"
            raise DataRefusedError(message)
        hashes = hash_rows(_without_dates(chunk))
        self.digest.update(hashes.tobytes())
        self.sum = (self.sum + int(hashes.sum(dtype=np.uint64))) % 2**64
        for name, column in self.columns.items():
            column.add(chunk[name], self.rows)
        self.rows += len(chunk)

    def profile(self) -> Profile:
        columns = tuple(column.profile() for column in (self.columns or {}).values())
        contents = hashlib.sha256(self.head + self.sum.to_bytes(8, "big") + self.rows.to_bytes(8, "big")).hexdigest()
        return Profile(rows=self.rows, columns=columns, digest=self.digest.hexdigest(), contents=contents)


def _kind(values: pd.Series) -> Kind:
    from pandas.api import types

    if types.is_datetime64_any_dtype(values):
        return "date"
    return "number" if types.is_numeric_dtype(values) else "text"


def _without_dates(chunk: pd.DataFrame) -> pd.DataFrame:
    """Give dates as numbers, because pandas would hash them as objects, ten times slower."""
    plain = chunk.copy(deep=False)
    for name in chunk.columns:
        if _kind(chunk[name]) == "date":
            plain[name] = _microseconds(chunk[name])
    return plain


def _microseconds(values: pd.Series) -> np.ndarray:
    """Give dates as microseconds since 1970, float64, NaN where there is none."""
    import numpy as np

    moments = values.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))


@dataclass
class _Column:
    """What is known of a column so far.

    Values wait until they fill a block, so that sums and samples do not depend on where chunks end.
    """

    name: str
    kind: Kind
    pii: bool
    missing: int = 0
    infinite: int = 0
    present: int = 0
    waiting: list[np.ndarray] = field(default_factory=list["np.ndarray"])
    quantiles: Quantiles = field(default_factory=Quantiles)
    distinct: Distinct = field(default_factory=Distinct)
    frequent: Frequent = field(default_factory=Frequent)
    moments: Moments = field(default_factory=Moments)
    runs: Runs = field(default_factory=Runs)
    least: list[float] = field(default_factory=list[float])
    greatest: list[float] = field(default_factory=list[float])

    def add(self, values: pd.Series, before: int) -> None:
        present = values.dropna()
        self.missing += len(values) - len(present)
        kind = _kind(values)
        if not len(present):
            return
        if kind != self.kind and self.present:
            message = f"column '{self.name}' is {self.kind} up to row {before} and {kind} after it; read it as one kind"
            raise DataRefusedError(message, where=self.name)
        self.kind = kind
        self.present += len(present)
        self.waiting.append(self._cells(present))
        for block in self._whole_blocks():
            self._add_block(block)

    def _cells(self, present: pd.Series) -> np.ndarray:
        """Give text as objects, and everything else as finite float64 without minus zero."""
        import numpy as np

        if self.kind == "text":
            return present.astype("str").to_numpy(dtype=object)
        if self.kind == "date":
            return _microseconds(present)
        numbers = present.to_numpy(dtype=np.float64) + 0.0
        finite = np.isfinite(numbers)
        self.infinite += len(numbers) - int(finite.sum())
        return numbers if finite.all() else numbers[finite]

    def _whole_blocks(self) -> Iterator[np.ndarray]:
        import numpy as np

        if sum(map(len, self.waiting)) < BLOCK:
            return
        held = self.waiting[0] if len(self.waiting) == 1 else np.concatenate(self.waiting)
        whole = len(held) - len(held) % BLOCK
        yield from (held[start : start + BLOCK] for start in range(0, whole, BLOCK))
        self.waiting = [held[whole:].copy()]

    def _add_block(self, block: np.ndarray) -> None:
        if self.kind == "text":
            self._add_texts(block)
        else:
            self._add_numbers(block)

    def _add_texts(self, block: np.ndarray) -> None:
        import numpy as np
        import pandas as pd

        codes, texts = pd.factorize(block)
        hashes = pd.util.hash_array(texts, categorize=False)
        self.distinct.add(hashes)
        self.runs.add(hashes[codes])
        if not self.pii:
            self.frequent.add(texts.tolist(), np.bincount(codes).tolist())

    def _add_numbers(self, block: np.ndarray) -> None:
        import numpy as np
        import pandas as pd

        ordered = np.sort(block)
        self.distinct.add(pd.util.hash_array(unique(ordered)))
        self.runs.add(block)
        if not self.pii:
            self.quantiles.add(ordered)
            self.moments.add(block)
            self.least = [min(*self.least, float(ordered[0]))] if self.least else [float(ordered[0])]
            self.greatest = [max(*self.greatest, float(ordered[-1]))] if self.greatest else [float(ordered[-1])]

    def profile(self) -> ColumnProfile:
        import numpy as np

        if any(map(len, self.waiting)):
            self._add_block(np.concatenate(self.waiting))
            self.waiting = []
        counts = ColumnProfile(
            name=self.name,
            kind=self.kind,
            pii=self.pii,
            missing=self.missing,
            infinite=self.infinite,
            present=self.present - self.infinite,
            distinct=self.distinct.count,
            distinct_is_exact=self.distinct.is_exact,
            longest_run=self.runs.longest,
        )
        return counts if self.pii else counts.model_copy(update=self._values())

    def _values(self) -> dict[str, object]:
        """Give what tells values."""
        if self.kind == "text":
            return {"frequent": tuple(self.frequent.most(FREQUENT_KEPT)), "frequent_error": self.frequent.error}
        if not self.quantiles.count:
            return {}
        (least,), (greatest,) = self.least, self.greatest
        return {
            "minimum": least,
            "maximum": greatest,
            "mean": self.moments.mean,
            "spread": self.moments.spread,
            "quantiles": (least, *self.quantiles.at(SHARES[1:-1]).tolist(), greatest),
            "rank_error": self.quantiles.rank_error / self.quantiles.count,
        }
