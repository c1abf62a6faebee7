"""Declared columns, and the cast of a frame to them that refuses to change a value.

Delta Lake casts without a word (1.75 becomes 1 in a column of integers), so nothing is handed to it that has not been cast here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from tasks.core.errors import DataRefusedError
from tasks.core.reading.forms import are_booleans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import numpy as np
    import pandas as pd

    from tasks.core.reading.terms import Sort

Kind = Literal["float64", "str", "datetime64[us]", "datetime64[us, UTC]", "bool", "int64"]

WORDS: dict[Kind, str] = {
    "float64": "numbers",
    "str": "text",
    "datetime64[us]": "times without a zone",
    "datetime64[us, UTC]": "times with a zone",
    "bool": "true and false",
    "int64": "whole numbers",
}
SORTS: dict[Kind, Sort] = {"float64": "number", "int64": "number", "str": "words", "datetime64[us]": "date"}
# What other readers of Delta tables can tell; in microseconds since 1970.
FIRST_TIME, LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
# Columns that the lake, or a file of rows to mend, adds to the declared ones.
OWN = ("_row_key", "_batch", "_position", "_arrived_at", "_mends", "_row", "_line", "_reasons", "_text")
SHOWN = 40

TOO_LONG = "has more digits than a 64-bit float keeps"
TOO_WIDE = "has more digits than 64 bits keep"
FRACTION = "has a fraction"
NOT_WHOLE = "is no whole number"
NO_NUMBER = "is no number"
NO_TEXT = "is no text"
NO_UNICODE = "holds half a character and cannot be written as UTF-8"
NO_TIME = "is no time"
NO_BOOLEAN = "is neither true nor false"
MISSING = "is missing"
HAS_ZONE = "has a time zone"
HAS_NO_ZONE = "has no time zone"
TOO_FINE = "is finer than a microsecond"
TOO_FAR = "is outside the years 1 to 9999"


@dataclass(frozen=True)
class Column:
    """A column as it is declared; of text it may be known that it holds true and false alone."""

    name: str
    kind: Kind
    is_boolean: bool = field(default=False, repr=False)

    @property
    def sort(self) -> Sort | None:
        """Say what a reader has to read such a column as; None where it has no say.

        >>> Column("smoker", "str", is_boolean=True).sort, Column("size", "int64").sort
        ('boolean', 'number')
        """
        return "boolean" if self.is_boolean else SORTS.get(self.kind)


@dataclass(frozen=True)
class Columns:
    """The declared columns of a table, in their order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Name the columns in their order."""
        return [column.name for column in self.columns]

    def kind(self, name: str) -> Kind:
        """Give the kind of a column."""
        return self.column(name).kind

    def column(self, name: str) -> Column:
        """Give a column by its name."""
        return next(column for column in self.columns if column.name == name)

    def without(self, names: Collection[str]) -> Columns:
        """Give these columns less some of them."""
        return Columns(tuple(column for column in self.columns if column.name not in names))

    def only(self, names: Collection[str]) -> Columns:
        """Give some of these columns."""
        return Columns(tuple(column for column in self.columns if column.name in names))

    def empty(self) -> pd.DataFrame:
        """Give a frame of these columns without rows."""
        import pandas as pd

        return pd.DataFrame({column.name: pd.Series([], dtype=column.kind) for column in self.columns})


class _MisfitError(Exception):
    """The cell at a position would change."""

    def __init__(self, why: str, position: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.position = position


def declare(df: pd.DataFrame, *, integers: Collection[str] = ()) -> Columns:
    """Derive the columns of a table from its first rows: numbers are float64, and int64 only on request.

    Args:
        df: The first rows.
        integers: Columns that are to keep whole numbers exactly, and never a missing one.

    Raises:
        DataRefusedError: two names differ in case only, or a column has no kind.

    >>> import pandas as pd
    >>> declare(pd.DataFrame({"rooms": [3, 4], "id": [1, 2], "town": ["Lyon", None]}), integers=["id"]).columns
    (Column(name='rooms', kind='float64'), Column(name='id', kind='int64'), Column(name='town', kind='str'))
    """
    check_names(df.columns)
    if absent := [name for name in integers if name not in df.columns]:
        message = f"there is no column '{absent[0]}' to keep as whole numbers (available: {', '.join(df.columns)})"
        raise DataRefusedError(message, where=absent[0])
    kinds: dict[str, Kind] = {str(name): "int64" if name in integers else _kind(df[name]) for name in df.columns}
    return Columns(tuple(Column(name, kind, is_boolean=kind == "str" and are_booleans(df[name])) for name, kind in kinds.items()))


def check_names(names: Iterable[object]) -> None:
    """Refuse names that a Delta table cannot tell apart, or that are the lake's own.

    Raises:
        DataRefusedError: a name is no text, stands twice, twice but for case, or is reserved.
    """
    found = list(names)
    if not found:
        message = "the table has no columns; bring at least one"
        raise DataRefusedError(message)
    for name in found:
        if not isinstance(name, str) or name == "":
            message = f"a column is called {name!r}, and the lake needs a text that is not empty; give it a name"
            raise DataRefusedError(message, where=str(name))
        if name.lower() in OWN:
            message = f"a column is called '{name}', which is a name of the lake's own; rename it (taken: {', '.join(OWN)})"
            raise DataRefusedError(message, where=name)
    texts = [str(name) for name in found]
    folded = Counter(name.lower() for name in texts)
    twins = [name for name in texts if folded[name.lower()] > 1]
    if twins:
        first, second = [name for name in twins if name.lower() == twins[0].lower()][:2]
        how = "two columns are both called" if first == second else "two columns differ only in case:"
        message = f"{how} '{first}'{'' if first == second else f' and {second!r}'}, which a Delta table cannot tell apart; rename one"
        raise DataRefusedError(message, where=first)


def check_same(df: pd.DataFrame, columns: Columns, optional: Collection[str] = ()) -> None:
    """Refuse a frame that lacks declared columns or brings new ones.

    Raises:
        DataRefusedError: naming them.
    """
    check_names(df.columns)
    missing = [name for name in columns.names if name not in df.columns and name not in optional]
    new = [str(name) for name in df.columns if name not in columns.names]
    if missing or new:
        told = [f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("new", new)) if names]
        message = f"the columns are not those of the lake ({'; '.join(told)}); bring the declared ones: {', '.join(columns.names)}"
        raise DataRefusedError(message, where=(missing or new)[0])


def check_cast(
    df: pd.DataFrame, columns: Columns, *, first_row: int = 1, hidden: Collection[str] = (), optional: Collection[str] = ()
) -> pd.DataFrame:
    """Give the frame in the declared kinds and order, every value as it was.

    Missing cells are NaN or NaT. Times with a zone become the same instants in UTC; a time without one never gets one.

    Args:
        df: Rows in whatever types they came in.
        columns: What they have to become.
        first_row: Number of the first row, for messages.
        hidden: Columns whose values no message may show.
        optional: Columns that may be absent; they stay absent.

    Raises:
        DataRefusedError: a value would change, or the columns are others.

    >>> import pandas as pd
    >>> check_cast(pd.DataFrame({"x": [1, 2]}), Columns((Column("x", "float64"),)))["x"].tolist()
    [1.0, 2.0]
    >>> check_cast(pd.DataFrame({"x": [1, 2.5]}), Columns((Column("x", "int64"),)))
    Traceback (most recent call last):
    tasks.core.errors.DataRefusedError: column 'x', row 2: 2.5 has a fraction, and the lake keeps whole numbers there; ...
    """
    import pandas as pd

    check_same(df, columns, optional)
    kept = [column for column in columns.columns if column.name in df.columns]
    cells: dict[str, Any] = {}
    for column in kept:
        try:
            cells[column.name] = _cast(df[column.name], column.kind)
        except _MisfitError as misfit:
            raise _refusal(df[column.name], column, misfit, first_row, hidden) from None
    return pd.DataFrame(cells, columns=[column.name for column in kept], index=pd.RangeIndex(len(df)))


def _refusal(cells: pd.Series[Any], column: Column, misfit: _MisfitError, first_row: int, hidden: Collection[str]) -> DataRefusedError:
    text = "a value (not shown: personal)" if column.name in hidden else _shown(cells.iloc[misfit.position])
    return DataRefusedError(
        f"column '{column.name}', row {first_row + misfit.position:,}: {text} {misfit.why}, and the lake keeps {WORDS[column.kind]} there; "
        "mend the value, or set the row aside",
        where=column.name,
    )


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, bytes)) else str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _kind(cells: pd.Series[Any]) -> Kind:
    """Name the kind that the values of a column already have."""
    import pandas as pd

    is_time = pd.api.types.is_datetime64_any_dtype(cells.dtype)
    if is_time:
        return "datetime64[us]" if getattr(cells.dtype, "tz", None) is None else "datetime64[us, UTC]"
    inferred = pd.api.types.infer_dtype(cells, skipna=True)
    numbers = ("floating", "integer", "mixed-integer-float", "decimal")
    if inferred in numbers or (inferred == "empty" and pd.api.types.is_numeric_dtype(cells.dtype)):
        return "float64"
    if inferred in ("string", "empty") or (inferred == "categorical" and pd.api.types.infer_dtype(cells.cat.categories) == "string"):
        return "str"
    if inferred == "boolean" and not cells.isna().any():
        return "bool"
    message = (
        f"column '{cells.name}' holds {inferred} values, which are neither numbers, text, times nor true and false throughout; convert them"
    )
    raise DataRefusedError(message, where=str(cells.name))


# ------------------------------------------------------------------------------------------------------ casts by column


def _cast(cells: pd.Series[Any], kind: Kind) -> Any:  # noqa: ANN401 - a numpy array or a pandas one
    import pandas as pd

    is_missing = cells.isna().to_numpy(dtype=bool)
    if kind in ("bool", "int64"):
        if is_missing.any():
            raise _MisfitError(MISSING, _first(is_missing))
        return _booleans(cells) if kind == "bool" else _integers(cells)
    # A column without any value has no type of its own.
    if is_missing.all():
        return pd.Series([None] * len(cells), dtype=kind).array
    if kind == "float64":
        return _floats(cells, is_missing)
    return _texts(cells, is_missing) if kind == "str" else _times(cells, is_missing, has_zone=kind == "datetime64[us, UTC]")


def _floats(cells: pd.Series[Any], is_missing: np.ndarray) -> np.ndarray:
    import numpy as np

    kind = _numpy_kind(cells)
    if kind == "f":
        given = cells.to_numpy()
        with np.errstate(over="ignore"):
            made = given.astype(np.float64)
        return _if(made, (made == given) | is_missing, TOO_LONG)
    if kind in ("i", "u"):
        return _floats_of_integers(cells.to_numpy())
    return np.array(_each(cells, is_missing, _float, np.nan), dtype=np.float64)


def _floats_of_integers(given: np.ndarray) -> np.ndarray:
    import numpy as np

    made = given.astype(np.float64)
    # A float that was rounded up to 2**63 or 2**64 has no integer to go back to.
    inside = made < float(2 ** (63 if given.dtype.kind == "i" else 64))
    return _if(made, inside & (np.where(inside, made, 0.0).astype(given.dtype) == given), TOO_LONG)


def _integers(cells: pd.Series[Any]) -> np.ndarray:
    import numpy as np

    if _numpy_kind(cells) == "i":
        return cells.to_numpy().astype(np.int64)
    return np.array(_each(cells, np.zeros(len(cells), dtype=bool), _integer, 0), dtype=np.int64)


def _booleans(cells: pd.Series[Any]) -> np.ndarray:
    import numpy as np

    if _numpy_kind(cells) == "b":
        return cells.to_numpy()
    return np.array(_each(cells, np.zeros(len(cells), dtype=bool), _boolean, None), dtype=bool)


def _texts(cells: pd.Series[Any], is_missing: np.ndarray) -> Any:  # noqa: ANN401 - pandas' array of text
    import pandas as pd

    if cells.dtype == "str" and getattr(cells.dtype, "storage", "") == "pyarrow":
        return cells.array
    return pd.Series(_each(cells, is_missing, _text, None), dtype="str").array


def _times(cells: pd.Series[Any], is_missing: np.ndarray, *, has_zone: bool) -> Any:  # noqa: ANN401 - numpy's or pandas' array of times
    import numpy as np
    import pandas as pd

    zone = getattr(cells.dtype, "tz", None)
    if _numpy_kind(cells) != "M" and not isinstance(cells.dtype, pd.DatetimeTZDtype):
        read = _each(cells, is_missing, _zoned if has_zone else _unzoned, None)
        made = np.array(read, dtype="M8[us]")
    elif (zone is not None) != has_zone:
        raise _MisfitError(HAS_NO_ZONE if has_zone else HAS_ZONE, _first(~is_missing))
    else:
        given = (cells.dt.tz_convert("UTC").dt.tz_localize(None) if has_zone else cells).to_numpy()
        made = given.astype("M8[us]")
        _if(made, (made.astype(given.dtype) == given) | is_missing, TOO_FINE if given.dtype == "M8[ns]" else TOO_FAR)
    ticks = made.astype(np.int64)
    _if(made, ((ticks >= FIRST_TIME) & (ticks <= LAST_TIME)) | is_missing, TOO_FAR)
    return pd.DatetimeIndex(made, tz="UTC").array if has_zone else made


def _if(made: np.ndarray, same: np.ndarray, why: str) -> np.ndarray:
    """Give what was made of a column if every value is the same as before."""
    if not same.all():
        raise _MisfitError(why, _first(~same))
    return made


def _first(mask: np.ndarray) -> int:
    return int(mask.argmax())


def _numpy_kind(cells: pd.Series[Any]) -> str:
    import numpy as np

    return cells.dtype.kind if isinstance(cells.dtype, np.dtype) else ""


# -------------------------------------------------------------------------------------------------------- casts by value


def _each(cells: pd.Series[Any], is_missing: np.ndarray, convert: Callable[[object], object], missing: object) -> list[object]:
    made: list[object] = []
    for position, (value, is_empty) in enumerate(zip(cells.astype(object), is_missing, strict=True)):
        try:
            made.append(missing if is_empty else convert(value))
        except _MisfitError as misfit:
            raise _MisfitError(misfit.why, position) from None
    return made


def _float(value: object) -> float:
    number = _number(value)
    try:
        made = float(number)
    except OverflowError:
        raise _MisfitError(TOO_LONG) from None
    if made != number:
        raise _MisfitError(TOO_LONG)
    return made


def _integer(value: object) -> int:
    number = _number(value)
    if abs(number) == float("inf"):
        raise _MisfitError(NOT_WHOLE)
    if number != int(number):
        raise _MisfitError(FRACTION)
    if not -(2**63) <= int(number) < 2**63:
        raise _MisfitError(TOO_WIDE)
    return int(number)


def _number(value: object) -> float | Decimal:
    plain = _plain(value)
    if isinstance(plain, bool) or not isinstance(plain, (int, float, Decimal)):
        raise _MisfitError(NO_NUMBER)
    return plain


def _boolean(value: object) -> bool:
    plain = _plain(value)
    if not isinstance(plain, bool):
        raise _MisfitError(NO_BOOLEAN)
    return plain


def _plain(value: object) -> object:
    """Give Python's own number for one of numpy's."""
    import numpy as np

    return cast("np.generic[Any]", value).item() if isinstance(value, np.generic) else value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _MisfitError(NO_TEXT)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _MisfitError(NO_UNICODE) from None
    return value


def _zoned(value: object) -> np.datetime64:
    stamp = _stamp(value)
    if stamp.tzinfo is None:
        raise _MisfitError(HAS_NO_ZONE)
    return stamp.tz_convert("UTC").tz_localize(None).to_datetime64()


def _unzoned(value: object) -> np.datetime64:
    stamp = _stamp(value)
    if stamp.tzinfo is not None:
        raise _MisfitError(HAS_ZONE)
    return stamp.to_datetime64()


def _stamp(value: object) -> pd.Timestamp:
    import pandas as pd

    if not isinstance(value, datetime):
        raise _MisfitError(NO_TIME)
    try:
        return pd.Timestamp(value).as_unit("us", round_ok=False)
    except ValueError:
        raise _MisfitError(TOO_FINE) from None
