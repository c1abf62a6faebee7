"""A first suite for a table that has none: inferred from its profile, for a person to review.

What cannot be drift blocks: the column set and types. Everything else only warns, because on real streams up to all later rows
leave the first rows' ranges; and nothing sets rows aside by itself, but for those without a key. Rows of one key only warn as
well, for the lake takes the first of them and knows or sets aside the others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError
from tasks.core.suites import Expectation, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pydantic import JsonValue

    from tasks.core.profiles import ColumnProfile, Profile
    from tasks.core.table import Column, Schema
    from tasks.core.validation import Severity

# How Great Expectations 1.24 names the only three types that a reader gives; with pandas 3 it knows no list of them.
TYPES = {"number": "float64", "text": "str", "datetime": "datetime64[us]", "category": "str", "date": "datetime64[us]"}
RANGE_SLACK = 0.5  # widths on each side: half as wide again is rare even where a stream wanders
FEW_ROWS = 1000  # fewer have not seen the tails: twice the slack
SET_VALUES = 50  # texts; more is no list that a person reads
SET_ROWS = 10  # rows for each text: fewer, and the next new one is only a matter of time
FEW_NULLS = 0.01  # share of rows that may be missing where none was
RULE_OF_THREE = 3.0  # divided by the rows without one: the share below which it is with 95 % confidence
NULL_SLACK = 0.05  # share of rows that may be missing beyond what was, or three standard errors of it
DIGITS = 3  # of a bound; more would pretend to know


def propose_suite(name: str, profile: Profile, schema: Schema, *, key: Sequence[str] = (), pii: Collection[str] = ()) -> Suite:
    """Propose a suite that the profiled rows satisfy.

    Args:
        name: The use case.
        profile: Of the table as the reader gives it.
        schema: What its columns are for.
        key: Columns that together name a row.
        pii: Columns of which no value may stand in the suite, besides those that the profile marks.

    Raises:
        UsageError: a name that is no column.

    >>> import pandas as pd
    >>> from tasks.core.profiles import profile_rows
    >>> from tasks.core.schema import infer_schema
    >>> df = pd.DataFrame({"size": [70.0, 82.0, 64.0] * 9, "sold": pd.Series(["yes", "no", "yes"] * 9, dtype="str")})
    >>> for expectation in propose_suite("houses", profile_rows([df]), infer_schema(df)).expectations[:4]:
    ...     print(expectation.severity, expectation.title)
    critical table columns to match set
    critical 'size': column values to be of type
    warning 'size': column values to be between
    warning 'size': column values to not be null
    """
    for given in (*key, *pii):
        if given not in profile.names:
            what = "column"
            raise UsageError.unknown(what, given, profile.names)
    found = [_expect_columns(profile), *_expect_key(profile, key)]
    for column in schema.columns:
        known = profile.column(column.name)
        if known is not None:
            found += _expect_values(known, column, profile.rows, is_key=column.name in key, is_hidden=known.pii or column.name in pii)
    return Suite(
        name=name,
        expectations=tuple(expectation.marked() for expectation in found),
        notes=f"Proposed from {profile.rows:,} rows; review each warning, and make it critical or quarantine where you know better.",
    ).remembering()


def _expect(kind: str, severity: Severity, notes: str, **kwargs: JsonValue) -> Expectation:
    return Expectation(type=f"expect_{kind}", kwargs=kwargs, severity=severity, notes=notes)


def _expect_columns(profile: Profile) -> Expectation:
    names: list[JsonValue] = [*profile.names]
    notes = f"A missing column cannot be drift: the table had these {len(names)}."
    return _expect("table_columns_to_match_set", "critical", notes, column_set=names)


def _expect_key(profile: Profile, key: Sequence[str]) -> Iterator[Expectation]:
    """Expect that a key names each row once; what becomes of a row whose key came before, the lake knows better than a suite."""
    if len(key) > 1:
        columns: list[JsonValue] = [*key]
        yield _expect("compound_columns_to_be_unique", "warning", "The key: together these name a row.", column_list=columns)
    elif key:
        column = profile.column(key[0])
        distinct, how = (column.distinct, "" if column.distinct_is_exact else "about ") if column else (0, "")
        notes = f"The key: it names a row. {how}{distinct:,} distinct values were in {profile.rows:,} rows."
        yield _expect("column_values_to_be_unique", "warning", _capital(notes), column=key[0])


def _capital(text: str) -> str:
    return ". ".join(sentence[:1].upper() + sentence[1:] for sentence in text.split(". "))


def _expect_values(known: ColumnProfile, column: Column, rows: int, *, is_key: bool, is_hidden: bool) -> list[Expectation]:
    """Expect of a column what its profile shows, if it shows anything."""
    if known.present + known.infinite == 0:
        return []  # of what type an empty column is nobody knows
    expected = [_expect_type(column, known)]
    is_used = column.role in ("feature", "target")
    if is_used and not is_hidden and not is_key:  # times go on, and so do numbered keys
        expected += [*_expect_range(known, column), *_expect_set(known, column, rows)]
    if is_key or column.role in ("feature", "time"):  # labels may be late, and are counted
        expected += _expect_present(known, column, rows, is_key=is_key)
    return expected


def _expect_type(column: Column, known: ColumnProfile) -> Expectation:
    notes = f"A column that changes its type cannot be drift: it held {known.present + known.infinite:,} values of type {column.type}."
    return _expect("column_values_to_be_of_type", "critical", notes, column=column.name, type_=TYPES[column.type])


def _expect_present(known: ColumnProfile, column: Column, rows: int, *, is_key: bool) -> Iterator[Expectation]:
    share = known.missing / rows
    told = f"{known.missing:,} of {rows:,} rows had no value"
    if is_key:
        notes = f"Part of the key: a row without it has no name, and is set aside; {told}."
        yield _expect("column_values_to_not_be_null", "warning", notes, column=column.name).model_copy(
            update={"meta": {"quarantine": True}}
        )
    elif not known.missing:
        slack = max(FEW_NULLS, RULE_OF_THREE / rows)
        least = math.floor((1 - slack) * 100) / 100
        if least > 0:
            notes = f"None of {rows:,} rows lacked it; the slack is {1 - least:.0%}."
            yield _expect("column_values_to_not_be_null", "warning", notes, column=column.name, mostly=least)
    else:
        slack = max(NULL_SLACK, 3 * math.sqrt(share * (1 - share) / rows))
        least = math.floor((1 - share - slack) * 100) / 100
        if least > 0:
            notes = f"{told} ({share:.1%}); the slack is {slack:.1%}."
            yield _expect(
                "column_proportion_of_non_null_values_to_be_between", "warning", _capital(notes), column=column.name, min_value=least
            )


def _why(column: Column) -> str:
    return "What is predicted. " if column.role == "target" else ""


def _expect_range(known: ColumnProfile, column: Column) -> Iterator[Expectation]:
    """Expect numbers near those that were; a column that holds infinities has no range."""
    if column.type != "number" or known.infinite or known.minimum is None or known.maximum is None:
        return
    low, high = known.minimum, known.maximum
    if low == high:
        return  # one value says nothing of others
    widths = RANGE_SLACK if known.present >= FEW_ROWS else 2 * RANGE_SLACK
    slack = 2 * widths * (high / 2 - low / 2)  # halves: the width itself may be infinite
    least = 0.0 if low >= 0 > low - slack else _round_out(low - slack, math.floor)
    most = 0.0 if high <= 0 < high + slack else _round_out(high + slack, math.ceil)
    notes = f"{_why(column)}It was {low:.6g} to {high:.6g} in {known.present:,} rows; the slack is {slack:.3g} on each side"
    stays = ", and it never was negative." if least == 0 <= low else ", and it never was positive." if most == 0 >= high else "."
    bounds: dict[str, JsonValue] = {name: bound for name, bound in (("min_value", least), ("max_value", most)) if math.isfinite(bound)}
    if bounds:
        yield _expect("column_values_to_be_between", "warning", notes + stays, column=column.name, **bounds)


def _round_out(value: float, towards: Callable[[float], int]) -> float:
    """Round to three digits, away from the values."""
    if value == 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - DIGITS + 1)
    if unit == 0 or not math.isfinite(value / unit):
        return value
    return float(f"{towards(value / unit) * unit:.15g}")


def _expect_set(known: ColumnProfile, column: Column, rows: int) -> Iterator[Expectation]:
    """Expect texts that were, where all of them are known and each came often."""
    texts = sorted(text for text, _ in known.frequent)
    is_whole = known.distinct_is_exact and len(texts) == known.distinct and not known.frequent_error
    if known.kind != "text" or not texts or not is_whole or len(texts) > SET_VALUES or known.present < SET_ROWS * len(texts):
        return
    rarest, count = known.frequent[-1]
    notes = f"{_why(column)}These {len(texts)} came in {rows:,} rows, '{rarest}' the least often ({count:,})."
    values: list[JsonValue] = [*texts]
    yield _expect("column_values_to_be_in_set", "warning", notes, column=column.name, value_set=values)
