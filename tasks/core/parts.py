"""How a suite is judged on a table that is read in parts: what each expectation must see at once, and what parts add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tasks.core.row_sets import RowSet
from tasks.core.rules import COLUMN_TESTS, COMPILED, is_success

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tasks.core.validation import ExpectationResult

# Great Expectations writes times as text by the finest of all of them, so one cell's text depends on the others.
BY_TEXT = frozenset(kind for kind in COLUMN_TESTS if "regex" in kind or "lengths" in kind)
AMONG_ROWS = frozenset({"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"})
OF_TYPE = "expect_column_values_to_be_of_type"
BY_ROW = COMPILED - AMONG_ROWS - {OF_TYPE}
BY_NAMES = frozenset(
    {
        "expect_column_to_exist",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
    }
)
BY_LENGTH = frozenset({"expect_table_row_count_to_be_between", "expect_table_row_count_to_equal"})


@dataclass(frozen=True)
class Sight:
    """What an expectation must see at once.

    Attributes:
        of: The names and types of the columns, any rows, or whole columns.
        columns: The columns of the table that it reads; of expectations about names all.
    """

    of: Literal["names", "rows", "columns"]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """What of a suite a table is asked.

    Attributes:
        unasked: Columns of which nothing is expected, not even that they are there.
        unseen: Columns that are passed over, as if they had not come, unless the suite names them.
        only: The column that alone is asked about, as far as what else an expectation needs is there.
    """

    unasked: Collection[str] = ()
    unseen: Collection[str] = ()
    only: str | None = None

    def narrow(self, asked: Mapping[str, Any], present: Collection[str]) -> Mapping[str, Any] | None:
        """Give an expectation less what is not asked; None where nothing is left.

        Args:
            asked: In the form of Great Expectations.
            present: The columns of the table.

        >>> scope = Scope(only="price")
        >>> [scope.narrow({"type": "expect_x", "kwargs": {"column": name}}, ["id", "price"]) is None for name in ("price", "size")]
        [False, True]
        """
        kwargs: Mapping[str, Any] = asked.get("kwargs") or {}
        if self.only is not None:
            named = _named(kwargs) or ()
            return asked if self.only in named and {*named} <= {*present} else None
        if not self.unasked:
            return asked
        if str(asked["type"]).startswith("expect_table_columns"):
            return {**asked, "kwargs": {**kwargs, **self._lists(kwargs, present)}}
        return None if {*_subjects(kwargs)} & {*self.unasked} else asked

    def _lists(self, kwargs: Mapping[str, Any], present: Collection[str]) -> dict[str, list[str]]:
        """Give the lists of columns that a table is to have, less those that are missing and not asked for."""
        lists: dict[str, list[str]] = {name: kwargs[name] for name in ("column_set", "column_list") if name in kwargs}
        return {name: [one for one in names if one not in self.unasked or one in present] for name, names in lists.items()}

    def seen(self, present: Sequence[str], asked: Iterable[Mapping[str, Any]]) -> list[str]:
        """Give the columns of a table that are looked at.

        >>> Scope(unseen=["yard", "pool"]).seen(["size", "yard", "pool"], [{"type": "expect_x", "kwargs": {"column": "pool"}}])
        ['size', 'pool']
        """
        if not self.unseen:
            return [*present]
        kwargs: list[Mapping[str, Any]] = [each.get("kwargs") or {} for each in asked]
        named = {name for each in kwargs for name in (*(_named(each) or ()), *each.get("column_set", ()))}
        return [name for name in present if name not in self.unseen or name in named]


WHOLE = Scope()


@dataclass(frozen=True)
class Part:
    """What an expectation found in some of the rows.

    Attributes:
        start: The position of the first of them in the table.
        considered: How many of them it is about.
        result: What it found, with positions within the part.
    """

    start: int
    considered: int
    result: ExpectationResult


def sight(kind: str, kwargs: Mapping[str, Any], types: Mapping[str, str]) -> Sight:
    """Say what an expectation must see at once to find what it finds in the whole table.

    Args:
        kind: Its type.
        kwargs: Its keyword arguments.
        types: The pandas type of each column of the table.

    >>> types = {"age": "float64", "name": "str"}
    >>> sight("expect_column_values_to_not_be_null", {"column": "age"}, types)
    Sight(of='rows', columns=('age',))
    >>> sight("expect_column_mean_to_be_between", {"column": "age"}, types)
    Sight(of='columns', columns=('age',))
    """
    named = _named(kwargs)
    if kind in BY_NAMES:
        return Sight("names", tuple(types))
    if kind in BY_LENGTH and named is not None:
        return Sight("columns", named or tuple(types)[:1])
    if not named:
        return Sight("columns", tuple(types))
    columns = tuple(name for name in dict.fromkeys(named) if name in types)
    if len(columns) < len(set(named)):  # it cannot be evaluated, and no row is needed to say so
        return Sight("names", tuple(types))
    are_stable = all(types[name] in ("float64", "str") or types[name].startswith("datetime64") for name in columns)
    if kind == OF_TYPE and are_stable:
        return Sight("names", tuple(types))
    is_text_of_time = kind in BY_TEXT and types[str(kwargs["column"])].startswith("datetime64")
    return Sight("rows" if kind in BY_ROW and are_stable and not is_text_of_time else "columns", columns)


def _named(kwargs: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Give the columns that an expectation names, or None where only Great Expectations can tell."""
    conditioned = _conditioned(kwargs.get("row_condition"))
    return None if conditioned is None else (*_subjects(kwargs), *conditioned)


def _subjects(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    own = (kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs)
    return (*own, *kwargs.get("column_list", ()))


def _conditioned(asked: Mapping[str, Any] | str | None) -> tuple[str, ...] | None:
    if asked is None:
        return ()
    if isinstance(asked, str) or not {"column", "conditions"} & asked.keys():
        return None
    if "column" in asked:
        return (str(asked["column"]["name"]),)
    parts = [_conditioned(part) for part in asked["conditions"]]
    return None if None in parts else tuple(name for part in parts for name in part or ())


def merge(parts: Sequence[Part], mostly: float) -> ExpectationResult:
    """Give what an expectation about rows found in a table, from what it found in its parts.

    Args:
        parts: At least one, in the order of the table.
        mostly: The share of all considered rows that must satisfy it.
    """
    results = [part.result for part in parts]
    problem = next((result.problem for result in results if result.problem), "")
    rows, considered = RowSet() if problem else _joined(parts), sum(part.considered for part in parts)
    return replace(
        results[0],
        success=not problem and is_success(considered, len(rows), mostly),
        failing_rows=rows,
        problem=problem,
        without_rule=next((result.without_rule for result in results if result.without_rule), ""),
    )


def _joined(parts: Sequence[Part]) -> RowSet:
    import numpy as np

    places = [part.start + part.result.failing_rows.positions() for part in parts]
    mask = np.zeros(1 + max(int(rows.max(initial=-1)) for rows in places), dtype=bool)
    for rows in places:
        mask[rows] = True
    return RowSet.where(mask)
