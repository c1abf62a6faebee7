"""What a table is for: its target, its task, the column that orders its rows, and the columns that models may see."""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.recipe import CYCLES, went_through
from tasks.core.table import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from tasks.core.table import ColumnType, Role, Table, Task

MAX_CLASSES = 100
MAX_NUMBER_CLASSES = 10
MIN_ROWS_PER_NUMBER_CLASS = 5
IDENTIFIER_ROWS = 20
MANY_VALUES = 1000
TEXT_WORDS = 3
WORDS_LOOKED_AT = 1000
CLOCK_NAMES = frozenset({"ts", "timestamp", "time"})
STEPS_PER_STEP_BACK = 1000
# The last word of a column's name by which unique whole numbers count or name the rows.
IDENTIFIER_NAME = re.compile(r"(?:.*_)?(?:id|ids|idx|index|no|nr|key|pk|row|rownum|rownames|uuid|guid|number|#)|unnamed.*|_*")
GROUP_NAME = re.compile(
    r"(?:.*_)?(?:user|customer|client|patient|subject|person|member|account|household|school|shop|store|device|session|group|qid)(?:_(?:id|no|nr|key))?"
    r"|.*_id"
)
MIN_GROUPS = 5
LEAK_CORRELATION = 0.9999
# How evidence begins that others look for.
IDENTIFIER = "an identifier"
LEAK = "suspected leak"
GROUP = "suspected group"
TIME_NAME = re.compile(r"(?:.*_)?(?:ts|time|timestamp|date|datetime)|.*_at")


def infer_schema(
    rows: pd.DataFrame | Table,
    *,
    target: str | None = None,
    task: Task | None = None,
    time: str | None = None,
    group: str | None = None,
    drop: Collection[str] = (),
) -> Schema:
    """Decide what each column is for, with the evidence; what is given is kept or refused, never overruled.

    Args:
        rows: As a reader gives them: `float64`, `str` and `datetime64[us]` columns.
        target: The column to predict; if None the last one that is not given another role.
        task: The kind of prediction; if None from the target's values.
        time: The column that orders the rows; if None found where exactly one can and no group is given.
        group: The column that says which rows belong together, and must not lie on both sides of a split.
        drop: Columns that models must not see.

    Raises:
        UsageError: a name that is no column, or a role or task that the named column cannot have.
        DataRefusedError: there is nothing to predict, or nothing to predict it from.

    >>> import pandas as pd
    >>> schema = infer_schema(pd.DataFrame({"size": [70.0, 82.0, 64.0], "sold": ["yes", "no", "yes"]}))
    >>> schema.task, schema.target, schema.columns[1].evidence
    ('binary', 'sold', 'last column; 2 distinct values')
    """
    names = [str(name) for name in rows]
    chosen, why = _choose_target(names, target, time, group, drop)
    values = rows[chosen]
    task, shape = _task_of(values, task)
    if time is not None:
        _check_orders_rows(rows[time])
    fixed: dict[str, tuple[Role, str]] = dict.fromkeys(drop, ("unused", "dropped as given"))
    fixed[chosen] = ("target", f"{why}; {shape}")
    if group is not None:
        fixed[group] = ("group", f"given; {_check_groups(rows[group], time)}")
    ordering = time if time or group else _find_time(rows, [name for name in names if name not in fixed])
    if ordering is not None:
        fixed[ordering] = ("time", "given" if time else _describe_order(rows[ordering]))
    columns = [_column(rows[name], values, fixed.get(name)) for name in names]
    _check_has_features(columns, rows)
    return Schema(tuple(columns), task)


def type_of(values: pd.Series) -> ColumnType:
    """Give the type of a column by its dtype."""
    return "number" if values.dtype.kind == "f" else "datetime" if values.dtype.kind == "M" else "category"


def _column(values: pd.Series, target: pd.Series, fixed: tuple[Role, str] | None) -> Column:
    kind, name = type_of(values), str(values.name)
    if fixed:
        return Column(name, kind, *fixed)
    words = _words_in(values) if kind == "category" else 0
    if words >= TEXT_WORDS and values.nunique() > values.notna().sum() / 2:
        return Column(name, "text", "feature", f"text of {words:.0f} words, {describe(values)}")
    return Column(name, kind, *_role_of(values, target))


def _choose_target(names: list[str], target: str | None, time: str | None, group: str | None, drop: Collection[str]) -> tuple[str, str]:
    for name in (target, time, group, *drop):
        if name is not None and name not in names:
            what = "column"
            raise UsageError.unknown(what, name, names)
    roles = [name for name in (target, time, group, *set(drop)) if name is not None]
    for name in roles:
        if roles.count(name) > 1:
            message = f"column '{name}' is given two roles; it can be only one of target, time column, group and dropped"
            raise UsageError(message, where=name)
    if target is not None:
        return target, "given"
    left = [name for name in names if name not in roles]
    if not left:
        message = "no column is left to predict; drop fewer"
        raise UsageError(message, where="--drop")
    return left[-1], "last column" if left[-1] == names[-1] else "last column left"


def _task_of(target: pd.Series, given: Task | None) -> tuple[Task, str]:
    values = target.dropna()
    distinct = values.nunique()
    if type_of(target) == "datetime":
        raise _target_refused(target, "holds dates, which cannot be predicted")
    if distinct == 0:
        raise _target_refused(target, "is empty in all rows")
    if distinct == 1:
        raise _target_refused(target, f"is '{values.iloc[0]}' in all rows, so there is nothing to predict")
    many = distinct > MAX_CLASSES or distinct > max(2, len(values) / 2)
    if type_of(target) == "category" and many:
        raise _target_refused(target, f"has {distinct} distinct texts in {len(values)} rows and looks like text or an identifier")
    if given is not None:
        _check_task_fits(values, given, distinct, is_many=many)
    return given or _natural_task(values, distinct), describe(target)


def _target_refused(target: pd.Series, why: str) -> DataRefusedError:
    return DataRefusedError(f"target column '{target.name}' {why}; name the column to predict with --target", where=str(target.name))


def _natural_task(values: pd.Series, distinct: int) -> Task:
    if distinct == 2:
        return "binary"
    if type_of(values) == "category":
        return "multiclass"
    few = distinct <= MAX_NUMBER_CLASSES and len(values) >= MIN_ROWS_PER_NUMBER_CLASS * distinct
    return "multiclass" if few and _are_whole(values) else "regression"


def _check_task_fits(values: pd.Series, task: Task, distinct: int, *, is_many: bool) -> None:
    why = ""
    if task == "regression" and type_of(values) == "category":
        why = "holds text"
    elif (task == "binary") != (distinct == 2) and task != "regression":
        why = f"has {distinct} distinct values"
    elif task == "multiclass" and (is_many or not (type_of(values) == "category" or _are_whole(values))):
        why = f"has {distinct} distinct numbers in {len(values)} rows"
    if why:
        message = f"task {task} cannot be: target column '{values.name}' {why}; leave --task out for {_natural_task(values, distinct)}"
        raise UsageError(message, where="--task")


def _are_whole(values: pd.Series) -> bool:
    return bool((values % 1 == 0).all())


def describe(values: pd.Series) -> str:
    """Say in a few words what a column holds.

    >>> import pandas as pd
    >>> describe(pd.Series([3.0, 4.0, 9.0])), describe(pd.Series([0.5, None, 1.0, 2.25]))
    ('whole numbers 3 to 9, 3 distinct', 'numbers 0.5 to 2.25, 1 of 4 missing')
    """
    present = values.dropna()
    missing = f", {len(values) - len(present)} of {len(values)} missing" if len(present) < len(values) else ""
    distinct = present.nunique()
    if type_of(values) == "datetime" and distinct > 1:
        return f"dates {present.min():%Y-%m-%d} to {present.max():%Y-%m-%d}{missing}"
    if type_of(values) != "number" or distinct <= 2:
        return f"{distinct} distinct value{'s' if distinct != 1 else ''}{missing}"
    low, high = present.min(), present.max()
    if _are_whole(present):
        return f"whole numbers {low:.15g} to {high:.15g}, {distinct} distinct{missing}"
    return f"numbers {low:.6g} to {high:.6g}{missing}"


def _check_orders_rows(values: pd.Series) -> None:
    name = str(values.name)
    if type_of(values) == "category":
        message = f"column '{name}' cannot order the rows: it holds text; write dates as 2024-12-31 or 2024-12-31 23:59:59"
        raise UsageError(message, where=name)
    if values.isna().any():
        empty = f"{values.isna().sum()} of {len(values)}"
        message = f"column '{name}' cannot order the rows: it is empty in {empty}; leave --time out or fill them"
        raise DataRefusedError(message, where=name)
    if values.nunique() < 2:
        message = f"column '{name}' cannot order the rows: it is the same in all of them; leave --time out"
        raise DataRefusedError(message, where=name)


def _check_groups(values: pd.Series, time: str | None) -> str:
    """Say what a column of groups holds."""
    name = str(values.name)
    if time is not None:
        message = f"rows are divided by the time in '{time}' or by the groups in '{name}', not by both; leave one out"
        raise UsageError(message, where="group")
    if values.nunique() < 2:
        message = f"column '{name}' cannot tell which rows belong together: it has no two values; leave --group out"
        raise DataRefusedError(message, where=name)
    return describe(values)


def _find_time(rows: pd.DataFrame | Table, names: list[str]) -> str | None:
    candidates = [name for name in names if _is_time(rows[name])]
    return candidates[0] if len(candidates) == 1 else None


def _is_time(values: pd.Series) -> bool:
    """Say whether a column orders the rows by its type, its name and the order that they are in."""
    name = _snake(values)
    kind = type_of(values)
    if kind == "category" or "birth" in name or values.isna().any() or values.nunique() < 2:
        return False
    if kind == "datetime":
        return bool(TIME_NAME.fullmatch(name)) or values.is_monotonic_increasing
    # A recorder's clock may jump back now and then.
    return values.name in CLOCK_NAMES and _steps_back(values) * STEPS_PER_STEP_BACK <= len(values) and values.iloc[0] < values.iloc[-1]


def _snake(values: pd.Series) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[\s.:-]+", "_", str(values.name)).lower()


def _steps_back(values: pd.Series) -> int:
    steps = values.to_numpy()
    return int((steps[1:] < steps[:-1]).sum())


def _describe_order(values: pd.Series) -> str:
    back = _steps_back(values)
    if type_of(values) == "datetime" or not back:
        return "orders the rows"
    return f"orders the rows, {back} step{'s' if back > 1 else ''} back in {len(values):,}"


def _role_of(values: pd.Series, target: pd.Series) -> tuple[Role, str]:
    rows = int(values.notna().sum())
    distinct = values.nunique()
    if distinct == 0:
        return "unused", "missing in all rows"
    if distinct == 1 and rows == len(values):
        return "unused", "the same in all rows"
    if _is_identifier(values, distinct):
        return "unused", f"{IDENTIFIER}: {distinct} distinct values in {rows} rows"
    if type_of(values) == "category" and distinct > max(MANY_VALUES, rows / 2):
        return "unused", f"hardly a value returns: {distinct} distinct values in {rows} rows"
    notes = [_suspect_leak(values, target, distinct), describe(values), _suspect_group(values, distinct)]
    return "feature", "; ".join(note for note in notes if note)


def _words_in(values: pd.Series) -> float:
    """Count the words in a text, of those that are there the median."""
    texts = values.dropna().head(WORDS_LOOKED_AT).tolist()
    return median(len(text.split()) for text in texts) if texts else 0


def _is_identifier(values: pd.Series, distinct: int) -> bool:
    """Say whether each row has its own text, or its own whole number under a name that says so."""
    if type_of(values) != "number":
        return type_of(values) == "category" and distinct == values.notna().sum() > IDENTIFIER_ROWS
    return distinct == len(values) > 2 and bool(IDENTIFIER_NAME.fullmatch(_snake(values))) and _are_whole(values)


def _suspect_leak(values: pd.Series, target: pd.Series, distinct: int) -> str:
    """Say how a feature gives the target away, if it does."""
    if values.dtype == target.dtype and values.equals(target):
        return f"{LEAK}: equals '{target.name}'"
    if distinct == target.nunique() <= len(target) / 2 and _is_recoding(values, target, distinct):
        return f"{LEAK}: '{target.name}' in other words"
    if type_of(values) == type_of(target) == "number":
        correlation = _correlation(values, target)
        if abs(correlation) > LEAK_CORRELATION:
            return f"{LEAK}: correlation {correlation:.5f} with '{target.name}'"
    return ""


def _is_recoding(values: pd.Series, target: pd.Series, distinct: int) -> bool:
    """Say whether each value of a column stands beside one value of the target only, and the other way round."""
    import pandas as pd

    return len(pd.DataFrame({"value": values, "target": target}).dropna().drop_duplicates()) == distinct


def _correlation(values: pd.Series, target: pd.Series) -> float:
    import numpy as np

    both = values.notna() & target.notna()
    x, y = values[both].to_numpy(), target[both].to_numpy()
    if len(x) < 3:
        return 0.0  # two points always lie on a line
    with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e154 squares overflow; that is no evidence either way
        x, y = x - x.mean(), y - y.mean()
        scale = float(np.sqrt((x @ x) * (y @ y)))
        return float(x @ y) / scale if scale else 0.0


def _suspect_group(values: pd.Series, distinct: int) -> str:
    """Say whether rows may belong together by a column, by its name and by values that return."""
    returns = MIN_GROUPS <= distinct <= values.notna().sum() / 2
    is_named = returns and GROUP_NAME.fullmatch(_snake(values)) and (type_of(values) == "category" or _are_whole(values.dropna()))
    return f"{GROUP}: {distinct} values return" if is_named else ""


def _tells_a_cycle(values: pd.Series) -> bool:
    return type_of(values) == "datetime" and any(went_through(values, cycle) for cycle in CYCLES)


def _check_has_features(columns: Collection[Column], rows: pd.DataFrame | Table) -> None:
    if any(column.role == "feature" or (column.role == "time" and _tells_a_cycle(rows[column.name])) for column in columns):
        return
    unused = [f"'{column.name}' is {column.role}, {column.evidence}" for column in columns if column.role != "target"]
    listed = "; ".join(unused[:3]) + (f"; and {len(unused) - 3} more" if len(unused) > 3 else "")
    message = f"no column is left to predict from ({listed or 'the target is the only column'}); add a column of numbers or categories"
    raise DataRefusedError(message)
