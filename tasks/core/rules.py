"""Row-level expectations as vectorised predicates: which rows fail, by the semantics of Great Expectations 1.24 on pandas.

A rule is compiled once from the plain JSON of an expectation and judges any frame of its columns. What has no rule is
refused by name, never passed over.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
    Frame = pd.DataFrame
    Column = pd.Series[Any]
    # Both see the considered rows only, and say of each whether it satisfies the expectation.
    ColumnTest = Callable[[Column], Mask]
    FrameTest = Callable[[Frame], Mask]

Kwargs = Mapping[str, Any]
Bound = float | date | datetime
Compare = Callable[[Any, Any], Any]

ORDERS: dict[str, Compare] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
COMPARISONS: dict[str, Compare] = {**ORDERS, "==": operator.eq, "!=": operator.ne}
NATIVE_TYPES: dict[str, type] = {
    "none": type(None),
    "bool": bool,
    "int": int,
    "long": int,
    "float": float,
    "bytes": bytes,
    "complex": complex,
    "str": str,
    "string_types": str,
    "list": list,
    "dict": dict,
}


class NoRuleError(Exception):
    """No rule stands for this expectation, or not for columns of this type; the message names which."""


@dataclass(frozen=True)
class Judgement:
    """What a rule found in a frame.

    Attributes:
        failing: Whether each row fails, in the order of the frame.
        considered: How many rows it is about; the others are missing, or outside its condition.
        mostly: The share of the considered rows that must satisfy it.
    """

    failing: Mask
    considered: int
    mostly: float

    @property
    def count(self) -> int:
        """Count the failing rows."""
        return int(self.failing.sum())

    @property
    def success(self) -> bool:
        """Say whether enough rows satisfy it; where no row is considered it holds."""
        return is_success(self.considered, self.count, self.mostly)


@dataclass(frozen=True)
class Rule:
    """A compiled expectation.

    Attributes:
        kind: The type of the expectation.
        columns: The columns that it reads, those of its condition among them.
        mostly: The share of the considered rows that must satisfy it.
    """

    kind: str
    columns: tuple[str, ...]
    mostly: float
    _considers: tuple[FrameTest, ...]
    _holds: FrameTest

    def judge(self, df: Frame) -> Judgement:
        """Say which rows of a frame fail.

        Raises:
            NoRuleError: a column has a type that the rule does not stand for.
            ValueError: a column is missing, or cannot be compared with what is asked; GX cannot evaluate it either.
        """
        import numpy as np

        missing = [name for name in self.columns if name not in df.columns]
        if missing:
            message = f"there is no column {missing[0]!r}"
            raise ValueError(message)
        df = df.loc[:, list(self.columns)]
        failing = np.zeros(len(df), dtype=bool)
        try:
            rows = _all([considers(df) for considers in self._considers] or [np.ones(len(df), dtype=bool)])
            considered = int(rows.sum())
            if considered:
                part = df if considered == len(df) else df[rows]
                failing[rows] = ~self._holds(part)
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from error
        return Judgement(failing, considered, self.mostly)


def is_success(considered: int, failing: int, mostly: float) -> bool:
    """Say whether enough of the considered rows satisfy an expectation, in the floating point of GX.

    >>> is_success(10, 2, 0.8), is_success(10, 3, 0.8), is_success(0, 0, 1.0)
    (True, False, True)
    """
    return not considered or (considered - failing) / considered >= mostly


def share(kwargs: Kwargs) -> float:
    """Give the share of the considered rows that must satisfy an expectation: all, where it does not say."""
    mostly = kwargs.get("mostly")
    return 1.0 if mostly is None else float(mostly)


def compile_rule(kind: str, kwargs: Kwargs) -> Rule:
    """Compile an expectation from its type and keyword arguments, as they stand in a suite.

    Raises:
        NoRuleError: no rule stands for its type, or for its condition.
        ValueError: what it asks for makes no sense.

    >>> import pandas as pd
    >>> rule = compile_rule("expect_column_values_to_be_between", {"column": "age", "min_value": 0, "mostly": 0.5})
    >>> found = rule.judge(pd.DataFrame({"age": [31.0, -1.0, None]}))
    >>> found.failing.tolist(), found.considered, found.success
    ([False, True, False], 2, True)
    """
    condition, conditioned = _condition(kwargs.get("row_condition"))
    if kind in COLUMN_TESTS:
        columns = [str(kwargs["column"])]
        considers = () if kind in ABOUT_MISSING else (_all_present(columns),)
        holds = _on_column(columns[0], COLUMN_TESTS[kind](kwargs))
    elif kind in PAIR_TESTS:
        columns = [str(kwargs["column_A"]), str(kwargs["column_B"])]
        considers = _ignoring(columns, str(kwargs.get("ignore_row_if") or "both_values_are_missing"))
        holds = PAIR_TESTS[kind](kwargs)
    elif kind in GROUP_TESTS:
        columns = [str(name) for name in kwargs["column_list"]]
        considers = _ignoring(columns, str(kwargs.get("ignore_row_if") or "all_values_are_missing"))
        holds = _on_columns(columns, GROUP_TESTS[kind](kwargs))
    else:
        message = f"no rule for {kind}"
        raise NoRuleError(message)
    return Rule(kind, tuple(dict.fromkeys([*columns, *conditioned])), share(kwargs), (*condition, *considers), holds)


# ------------------------------------------------------------------------------------------------- the rows that are considered


def _all_present(columns: list[str]) -> FrameTest:
    return lambda df: _all(_mask(df[name].notna()) for name in columns)


def _one_present(columns: list[str]) -> FrameTest:
    return lambda df: _any(_mask(df[name].notna()) for name in columns)


def _ignoring(columns: list[str], ignored: str) -> tuple[FrameTest, ...]:
    match ignored:
        case "both_values_are_missing" | "all_values_are_missing":
            return (_one_present(columns),)
        case "either_value_is_missing" | "any_value_is_missing":
            return (_all_present(columns),)
        case "neither" | "never":
            return ()
        case _:
            message = f"ignore_row_if={ignored!r} is unknown"
            raise ValueError(message)


def _condition(asked: Kwargs | str | None) -> tuple[tuple[FrameTest, ...], list[str]]:
    """Compile a row condition; give it with the columns that it reads."""
    if asked is None:
        return (), []
    if isinstance(asked, str):
        message = "no rule for a row_condition in the words of pandas"
        raise NoRuleError(message)
    columns: list[str] = []
    return (_compiled_condition(asked, columns),), columns


def _compiled_condition(asked: Kwargs, columns: list[str]) -> FrameTest:
    kind = asked.get("type")
    if kind in ("and", "or"):
        parts = [_compiled_condition(part, columns) for part in asked["conditions"]]
        join = _all if kind == "and" else _any
        return lambda df: join(part(df) for part in parts)
    if kind not in ("comparison", "nullity"):
        message = f"no rule for a row_condition of type {kind}"
        raise NoRuleError(message)
    name = str(asked["column"]["name"])
    columns.append(name)
    if kind == "nullity":
        return lambda df: _mask(df[name].isna() if asked["is_null"] else df[name].notna())
    return lambda df: _compared(df[name], str(asked["operator"]), asked["parameter"])


def _compared(column: Column, sign: str, parameter: Any) -> Mask:  # noqa: ANN401 (JSON)
    if column.dtype.kind == "M" and sign not in ORDERS:
        message = f"no rule for a row_condition with {sign} on times, in which Great Expectations finds no row"
        raise NoRuleError(message)
    if sign in COMPARISONS:
        return _mask(COMPARISONS[sign](column, parameter))
    found = _mask(column.isin(list(parameter)))
    return found if sign == "IN" else ~found


# ---------------------------------------------------------------------------------------------------------- tests of one column


def _on_column(name: str, holds: ColumnTest) -> FrameTest:
    return lambda df: holds(df[name])


def _missing(_: Kwargs) -> ColumnTest:
    return lambda column: _mask(column.isna())


def _not_missing(_: Kwargs) -> ColumnTest:
    return lambda column: _mask(column.notna())


def _between(kwargs: Kwargs) -> ColumnTest:
    low, high = _bound(kwargs.get("min_value")), _bound(kwargs.get("max_value"))
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        message = "min_value and max_value cannot both be missing"
        raise ValueError(message)
    _refuse_unordered(low, high)

    def holds(column: Column) -> Mask:
        _refuse_incomparable(column, bounds)
        return _is_within(column, low, high, kwargs)

    return holds


def _refuse_unordered(low: Any, high: Any) -> None:  # noqa: ANN401 (two bounds of one type, or a TypeError)
    if low is None or high is None:
        return
    try:
        is_wrong = low > high
    except TypeError as error:
        raise ValueError(str(error)) from error
    if is_wrong:
        message = "min_value cannot be greater than max_value"
        raise ValueError(message)


def _bound(value: Any) -> Bound | None:  # noqa: ANN401 (JSON)
    """Read a bound as GX does: as a number if it can be one, else as a date, else as a time."""
    if value is None or isinstance(value, date):
        return value
    try:
        return float(value)
    except ValueError:
        return date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else datetime.fromisoformat(value)


def _refuse_incomparable(column: Column, bounds: list[Bound]) -> None:
    is_time, is_text = column.dtype.kind == "M", str(column.dtype) == "str"
    if not is_time and not is_text and str(column.dtype) not in ("float64", "int64"):
        message = f"no rule for bounds on {column.dtype}"
        raise NoRuleError(message)
    if is_text or any(isinstance(bound, datetime if is_time else date) != is_time for bound in bounds):
        hint = "; write a date with its time, as 2024-01-31T00:00:00" if any(type(bound) is date for bound in bounds) else ""
        message = f"{column.dtype} cannot be compared with {' and '.join(map(str, bounds))}{hint}"
        raise ValueError(message)


def _is_within(column: Column, low: Bound | None, high: Bound | None, kwargs: Kwargs) -> Mask:
    lower: Compare = operator.gt if kwargs.get("strict_min") else operator.ge
    upper: Compare = operator.lt if kwargs.get("strict_max") else operator.le
    return _all(_mask(compare(column, bound)) for compare, bound in ((lower, low), (upper, high)) if bound is not None)


def _in_set(kwargs: Kwargs) -> ColumnTest:
    values = list(kwargs["value_set"])
    return lambda column: _mask(column.isin(values))


def _not_in_set(kwargs: Kwargs) -> ColumnTest:
    # Only this one of the two reads text as times (GX 1.24); `in_set` finds no text among times.
    values = list(kwargs["value_set"])

    def holds(column: Column) -> Mask:
        from dateutil.parser import parse

        times = [parse(value) if isinstance(value, str) else value for value in values] if column.dtype.kind == "M" else values
        return ~_mask(column.isin(times))

    return holds


def _matches(kwargs: Kwargs) -> ColumnTest:
    return lambda column: _contains(column.astype(str), kwargs["regex"])


def _matches_not(kwargs: Kwargs) -> ColumnTest:
    return lambda column: ~_contains(column.astype(str), kwargs["regex"])


def _matches_list(kwargs: Kwargs) -> ColumnTest:
    join = _all if kwargs.get("match_on") == "all" else _any
    return lambda column: join(_contains_each(column, kwargs))


def _matches_none(kwargs: Kwargs) -> ColumnTest:
    return lambda column: ~_any(_contains_each(column, kwargs))


def _contains_each(column: Column, kwargs: Kwargs) -> Iterable[Mask]:
    text = column.astype(str)
    return (_contains(text, pattern) for pattern in kwargs["regex_list"])


def _contains(text: Column, pattern: str) -> Mask:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This pattern is interpreted as a regular expression, and has match groups")
        return _mask(text.str.contains(pattern))


def _length_between(kwargs: Kwargs) -> ColumnTest:
    low, high = (None if bound is None else int(bound) for bound in (kwargs.get("min_value"), kwargs.get("max_value")))
    return lambda column: _is_within(column.astype(str).str.len(), low, high, kwargs)


def _length_equal(kwargs: Kwargs) -> ColumnTest:
    length = float(kwargs["value"])
    return lambda column: _mask(column.astype(str).str.len() == length)


def _unique(_: Kwargs) -> ColumnTest:
    return lambda column: ~_mask(column.duplicated(keep=False))


def _of_type(kwargs: Kwargs) -> ColumnTest:
    asked = str(kwargs["type_"])

    def holds(column: Column) -> Mask:
        if str(column.dtype) != "object" or asked in ("object", "object_", "O"):
            message = f"no rule for the type of a whole column of {column.dtype}"
            raise NoRuleError(message)
        types = _types(asked)
        return _mask(column.map(lambda cell: isinstance(cell, types)))

    return holds


def _types(asked: str) -> tuple[type, ...]:
    import numpy as np
    import pandas as pd

    found: list[type] = [NATIVE_TYPES[asked.lower()]] if asked.lower() in NATIVE_TYPES else []
    try:
        found.append(np.dtype(asked).type)
    except TypeError:
        found.extend(kind for kind in [getattr(pd, asked, None)] if isinstance(kind, type))
    if not found:
        message = f"there is no type {asked!r}"
        raise ValueError(message)
    return tuple(found)


# ------------------------------------------------------------------------------------------------------ tests of several columns


def _on_columns(names: list[str], holds: FrameTest) -> FrameTest:
    return lambda df: holds(df[names])


def _greater(kwargs: Kwargs) -> FrameTest:
    compare: Compare = operator.ge if kwargs.get("or_equal") else operator.gt
    return lambda df: _mask(compare(df[str(kwargs["column_A"])], df[str(kwargs["column_B"])]))


def _equal(kwargs: Kwargs) -> FrameTest:
    return lambda df: _mask(df[str(kwargs["column_A"])] == df[str(kwargs["column_B"])])


def _compound_unique(_: Kwargs) -> FrameTest:
    return lambda df: ~_mask(df.duplicated(keep=False))


def _all_equal(_: Kwargs) -> FrameTest:
    def holds(df: Frame) -> Mask:
        first, *others = (df.iloc[:, place] for place in range(df.shape[1]))
        return _all(_mask((other == first) | (other.isna() & first.isna())) for other in others)

    return holds


def _sum_equal(kwargs: Kwargs) -> FrameTest:
    return lambda df: _mask(df.sum(axis=1, skipna=False) == kwargs["sum_total"])


def _unique_within_record(_: Kwargs) -> FrameTest:
    def holds(df: Frame) -> Mask:
        pairs = combinations(range(df.shape[1]), 2)
        return ~_any(_same(df.iloc[:, one], df.iloc[:, other]) for one, other in pairs)

    return holds


def _same(one: Column, other: Column) -> Mask:
    """Say where two cells are one value: a missing number is a missing text, but no missing time."""
    for column in (one, other):
        if column.dtype.kind not in "Mfi" and str(column.dtype) != "str":
            message = f"no rule for different values within a record of {column.dtype}"
            raise NoRuleError(message)
    both_missing = _mask(one.isna() & other.isna())
    if (one.dtype.kind == "M") != (other.dtype.kind == "M"):
        return both_missing & False
    return _mask(one == other) | both_missing


# ------------------------------------------------------------------------------------------------------------------------- masks


def _mask(answers: Column) -> Mask:
    return answers.to_numpy(dtype=bool)


def _all(masks: Iterable[Mask]) -> Mask:
    import numpy as np

    return reduce(np.logical_and, masks)


def _any(masks: Iterable[Mask]) -> Mask:
    import numpy as np

    return reduce(np.logical_or, masks)


COLUMN_TESTS: dict[str, Callable[[Kwargs], ColumnTest]] = {
    "expect_column_values_to_not_be_null": _not_missing,
    "expect_column_values_to_be_null": _missing,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _matches,
    "expect_column_values_to_not_match_regex": _matches_not,
    "expect_column_values_to_match_regex_list": _matches_list,
    "expect_column_values_to_not_match_regex_list": _matches_none,
    "expect_column_value_lengths_to_be_between": _length_between,
    "expect_column_value_lengths_to_equal": _length_equal,
    "expect_column_values_to_be_unique": _unique,
    "expect_column_values_to_be_of_type": _of_type,
}
ABOUT_MISSING = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")
PAIR_TESTS: dict[str, Callable[[Kwargs], FrameTest]] = {
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _equal,
}
GROUP_TESTS: dict[str, Callable[[Kwargs], FrameTest]] = {
    "expect_compound_columns_to_be_unique": _compound_unique,
    "expect_select_column_values_to_be_unique_within_record": _unique_within_record,
    "expect_multicolumn_values_to_be_equal": _all_equal,
    "expect_multicolumn_sum_to_equal": _sum_equal,
}
COMPILED = frozenset({*COLUMN_TESTS, *PAIR_TESTS, *GROUP_TESTS})
