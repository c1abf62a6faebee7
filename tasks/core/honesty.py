"""What a person should distrust about a model: leaks, luck, and rows that cannot tell what they are asked.

Each check looks at one thing and gives doubts with a stable code, in one sentence that says what to do. None of them quotes
a value of a personal column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.schema import LEAK
from tasks.core.snapshot import target_of
from tasks.core.splits import hash_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import numpy as np
    import pandas as pd

    from tasks.core.results import Score
    from tasks.core.splits import Split
    from tasks.core.table import Schema

LOOKED_AT = 4000  # rows on which single columns are tried
MOST_CELLS = 80_000  # in all columns
MOST_BEFORE = 200_000
ALMOST_ALL = 0.95  # of the target's variance, which one column explains
LEAVES = 64
LEAST_ROWS = 50  # of the gate, of one side of a column, and of those that a single column is judged on
PURE = 0.995
MIXED = 0.8
LATER = 0.01
NUMBERED = 0.3  # rank correlation of a numbering of the rows
REPEATED = 0.05
GAP_ERRORS = 3.0
GAP_SHARE = 0.1
PERFECT = 0.001
NAMED = 3
LEAKS = frozenset({"target_copy", "filled_by_target", "single_column", "later_than_row", "telling_identifier", "nearly_perfect"})


@dataclass(frozen=True)
class Doubt:
    """A reason to distrust.

    Attributes:
        code: Stable name.
        message: One sentence that says what to do.
        column: That it is about; empty where it is about none.
    """

    code: str
    message: str
    column: str = ""

    def as_json(self) -> dict[str, str]:
        """Give what scripts read."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True)
class Sides:
    """The rows that models are fitted and judged on.

    Attributes:
        df: All rows of the snapshot.
        split: Which of them are to fit on and which judge.
        schema: Columns, roles and task.
        personal: Columns whose values are not quoted.
    """

    df: pd.DataFrame
    split: Split
    schema: Schema
    personal: Collection[str] = ()

    def some(self, most: int) -> np.ndarray:
        """Give the positions of so many rows to fit on, evenly spread."""
        import numpy as np

        fit = self.split.fit
        return fit[np.unique(np.linspace(0, len(fit) - 1, min(most, len(fit))).astype(int))]

    def y(self, rows: np.ndarray) -> np.ndarray:
        """Give the target of rows as models see it."""
        return target_of(self.df[[self.schema.target]].iloc[rows], self.schema)


def doubts_of_rows(rows: Sides, alone: Mapping[str, float]) -> tuple[Doubt, ...]:
    """Give what the rows make doubtful, of each column only the first that is found; `alone` is what `skills` says of them."""
    found = (
        *target_copies(rows.schema),
        *filled_by_target(rows),
        *single_columns(rows.schema, alone),
        *later_dates(rows),
        *numberings(rows),
    )
    first = {doubt.column: doubt for doubt in reversed(found)}
    return (
        *(doubt for doubt in found if first[doubt.column] is doubt),
        *repeated_rows(rows),
        *few_rows(len(rows.split.fit), len(rows.split.gate)),
        *single_members(rows),
        *many_columns(len(rows.schema.features), len(rows.split.fit)),
    )


def doubts_of_scores(best: Score, losses: np.ndarray, left: float, *, blocks: int, unseen: int) -> tuple[Doubt, ...]:
    """Give what the gate rows make doubtful.

    Args:
        best: What validation said of the winner.
        losses: Of its judged fit, shape (n,).
        left: What is left of the dummy's loss, as a share.
        blocks: Contiguous blocks whose means count as independent; 0 where each row does.
        unseen: Gate rows of classes that were never fitted.
    """
    return (*nearly_perfect(left), *inner_outer_gap(best, losses, blocks=blocks), *unseen_classes(unseen, len(losses)))


def target_copies(schema: Schema) -> Iterator[Doubt]:
    """Name features that are the target in other words, as the schema found."""
    for column in schema.columns:
        if column.role == "feature" and LEAK in column.evidence:
            why = column.evidence.partition(f"{LEAK}: ")[2].partition(";")[0]
            message = f"'{column.name}' gives the target away ({why}); name it under drop: unless it is known beforehand"
            yield Doubt("target_copy", message, column.name)


def filled_by_target(rows: Sides) -> Iterator[Doubt]:
    """Name features that are filled, or empty, almost only where the target has one value."""
    some = rows.some(LOOKED_AT)
    y = rows.y(some)
    for name in rows.schema.features:
        filled = rows.df[name].iloc[some].notna().to_numpy()
        for side, what in ((filled, "filled"), (~filled, "empty")):
            if (value := _only_value(y, side)) is not None:
                shown = "one value" if rows.schema.target in rows.personal else f"'{value}'"
                message = f"'{name}' is {what} almost only where '{rows.schema.target}' is {shown}; drop it unless it is known beforehand"
                yield Doubt("filled_by_target", message, name)


def _only_value(y: np.ndarray, side: np.ndarray) -> object:
    """Give the value that almost all rows of one side have, and not so many of all; None where there is none."""
    import numpy as np

    if min(side.sum(), (~side).sum()) < LEAST_ROWS:
        return None
    values, counts = np.unique(y[side], return_counts=True)
    value = values[counts.argmax()]
    return value if counts.max() >= PURE * side.sum() and (y == value).mean() <= MIXED else None


def single_columns(schema: Schema, alone: Mapping[str, float]) -> Iterator[Doubt]:
    """Name features of which each alone predicts rows that it was not fitted to almost perfectly."""
    for name, skill in alone.items():
        if skill >= ALMOST_ALL:
            message = (
                f"'{name}' alone predicts '{schema.target}' almost perfectly ({100 * skill:.1f} % of what differs is explained);"
                " name it under drop: if it is known only afterwards"
            )
            yield Doubt("single_column", message, name)


def skills(rows: Sides) -> dict[str, float]:
    """Say which share of the target's variance each feature explains alone: by a small tree on half of some rows, on the others."""
    import numpy as np
    import pandas as pd

    features = rows.schema.features
    some = rows.some(max(400, min(LOOKED_AT, MOST_CELLS // len(features))))
    half = len(some) // 2
    if len(some) - half < LEAST_ROWS:
        return {}
    y = rows.y(some)
    # Ranks, because a few large numbers would hide how well all others are told.
    truth = pd.Series(y).rank().to_frame() if rows.schema.task == "regression" else pd.get_dummies(y)
    truth = truth.to_numpy(dtype=np.float64)
    places = np.arange(len(some))
    # Rows that follow one another are alike, so an early half says more of a late one than of its own gaps.
    fit, held = (places[:half], places[half:]) if rows.split.is_ordered else (places[::2], places[1::2])
    dummy = float(((truth[held] - truth[fit].mean(axis=0)) ** 2).sum())
    if not dummy:
        return {}
    return {name: 1 - _loss_of_one(_codes(rows.df[name].iloc[some]), truth, fit, held) / dummy for name in features}


def later_dates(rows: Sides) -> Iterator[Doubt]:
    """Name features that hold dates after the time of their own row."""
    time = rows.schema.time
    if time is None or rows.df[time].dtype.kind != "M":
        return
    for name in rows.schema.names("feature", "datetime"):
        share = float((rows.df[name] > rows.df[time]).sum() / max(1, rows.df[name].notna().sum()))
        if share >= LATER:
            message = f"'{name}' is later than '{time}' in {100 * share:.0f} % of the rows; drop it unless it is known beforehand"
            yield Doubt("later_than_row", message, name)


def numberings(rows: Sides) -> Iterator[Doubt]:
    """Name columns that number the rows and go with the target; rows in an order of time may."""
    schema = rows.schema
    if rows.split.is_ordered or len(rows.split.fit) < LEAST_ROWS:
        return
    some = rows.some(LOOKED_AT)
    y = rows.y(some)
    for name in (*schema.names("feature", "number"), *schema.names("unused", "number")):
        if not _is_numbering(rows.df[name]):
            continue
        correlation = _rank_correlation(rows.df[name].iloc[some], y, is_number=schema.task == "regression")
        if correlation >= NUMBERED:
            what = "name it under drop:" if name in schema.features else "it is left out, but see whether other columns tell that order too"
            message = f"'{name}' numbers the rows in an order that goes with '{schema.target}' (rank correlation {correlation:.2f}); {what}"
            yield Doubt("telling_identifier", message, name)


def repeated_rows(rows: Sides) -> Iterator[Doubt]:
    """Count gate rows that stand among the rows before them as well, with the same target; only an order of time lets them."""
    import numpy as np

    if not rows.split.is_ordered:
        return
    cells = rows.df[[name for name in (*rows.schema.features, rows.schema.target) if name != rows.schema.time]]
    gate, before = (hash_rows(cells.iloc[side]) for side in (rows.split.gate, rows.split.fit[-MOST_BEFORE:]))
    repeated = int(np.isin(gate, before).sum())
    if repeated >= max(2, REPEATED * len(gate)):
        message = f"{repeated:,} of {len(gate):,} gate rows stand among earlier rows too, with the same target; remove what came twice"
        yield Doubt("repeated_rows", message)


def few_rows(fitted: int, gate: int) -> Iterator[Doubt]:
    """Say where so few rows judge that the intervals are wide."""
    if gate < LEAST_ROWS:
        message = f"{fitted:,} rows were fitted and {gate:,} judge, so that every figure is rough; bring more rows before relying on one"
        yield Doubt("few_rows", message)


def single_members(rows: Sides) -> Iterator[Doubt]:
    """Name classes of a single row."""
    if rows.schema.task == "regression":
        return
    counts = rows.df[rows.schema.target].value_counts()
    alone = [f"{value:g}" if isinstance(value, float) else str(value) for value in counts.index[counts == 1]]
    if alone:
        named = ", ".join(f"'{label}'" for label in alone[:NAMED]) + (" …" if len(alone) > NAMED else "")
        shown = "" if rows.schema.target in rows.personal else f" ({named})"
        one = len(alone) == 1
        what = f"{len(alone)} class{'' if one else 'es'}{shown} {'has' if one else 'have'} a single row{'' if one else ' each'}"
        yield Doubt("single_members", f"{what}, which can be learned or judged but not both; merge classes or bring rows")


def many_columns(features: int, fitted: int) -> Iterator[Doubt]:
    """Say where there are no fewer columns than rows to fit on."""
    if features >= fitted:
        message = f"{features:,} columns for {fitted:,} rows to fit on: some will fit by chance; drop columns or bring rows"
        yield Doubt("more_columns_than_rows", message)


def nearly_perfect(left: float) -> Iterator[Doubt]:
    """Say where almost nothing is left of the dummy's loss."""
    if left <= PERFECT:
        message = f"only {100 * left:.2g} % of the dummy's loss is left; look for columns that are known only afterwards"
        yield Doubt("nearly_perfect", message)


def inner_outer_gap(best: Score, losses: np.ndarray, *, blocks: int) -> Iterator[Doubt]:
    """Say where the gate rows show a larger loss than validation did, beyond noise."""
    gap, error = float(losses.mean()) - best.loss, standard_error(losses, blocks)
    noise = math.hypot(error, best.error if math.isfinite(best.error) else error)
    if gap > max(GAP_ERRORS * noise, GAP_SHARE * abs(best.loss)) and math.isfinite(noise):
        message = (
            f"the loss on the gate rows is {losses.mean():.4g} where validation said {best.loss:.4g} ({gap / noise:.1f} standard errors);"
            " rely on the former, and see whether the gate rows are of another kind"
        )
        yield Doubt("inner_outer_gap", message)


def unseen_classes(unseen: int, gate: int) -> Iterator[Doubt]:
    """Count gate rows of classes that were never fitted."""
    if unseen:
        message = f"{unseen:,} of {gate:,} gate rows are of a class that no row to fit on has, and cannot be right; bring rows of it"
        yield Doubt("unseen_classes", message)


def standard_error(values: np.ndarray, blocks: int) -> float:
    """Give the standard error of a mean; of block means where rows are ordered, infinite where there is one."""
    import numpy as np

    parts = np.array([part.mean() for part in np.array_split(values, blocks)]) if blocks else values
    return float(parts.std(ddof=1)) / math.sqrt(len(parts)) if len(parts) > 1 else math.inf


def _codes(values: pd.Series) -> np.ndarray:
    """Number the distinct values of a column in their order; NaN where there is none."""
    import numpy as np
    import pandas as pd

    codes = pd.factorize(values, sort=True)[0].astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


def _loss_of_one(codes: np.ndarray, truth: np.ndarray, fit: np.ndarray, held: np.ndarray) -> float:
    from sklearn.tree import DecisionTreeRegressor

    tree: Any = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=5, random_state=0)
    said = tree.fit(codes[fit, None], truth[fit]).predict(codes[held, None])
    return float(((said.reshape(len(held), -1) - truth[held]) ** 2).sum())


def _is_numbering(values: pd.Series) -> bool:
    """Say whether each row has a whole number of its own, and hardly one is left out."""
    if bool((values.iloc[:LOOKED_AT] % 1 != 0).any()) or not values.is_unique:
        return False
    return bool((values % 1 == 0).all()) and float(values.max() - values.min()) < 2 * len(values)


def _rank_correlation(values: pd.Series, y: np.ndarray, *, is_number: bool) -> float:
    """Correlate ranks with the target's ranks, or with the class that goes with them most; without a sign."""
    import numpy as np
    import pandas as pd

    ranks = values.rank().to_numpy()
    targets = [pd.Series(y).rank().to_numpy()] if is_number else [(y == label).astype(float) for label in np.unique(y)]
    return max((abs(float(np.corrcoef(ranks, target)[0, 1])) for target in targets if target.std() > 0), default=0.0)
