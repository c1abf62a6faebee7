"""What a person is shown of a window of rows: what can be drawn of it, what cannot, and what the pictures do not say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from tasks.core.names import counted, on_one_line
from tasks.core.page import number, shorten
from tasks.core.retraining import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from tasks.core.drift import FeatureDrift
    from tasks.core.table import Task

LEAST_ROWS = 500  # below it pictures of distributions show noise
LEAST_LABELLED = 50
MOST_ROWS = 10_000  # more of them cost time and change no picture
MOST_VALUES = 20  # of a category that are told apart
MOST_CLASSES = 20
MOST_LETTERS = 60
MOST_LISTED = 30  # features
LARGEST, FINEST = 1e100, 1e-12  # numbers of a histogram, and its range as a share of them
MARKS = str.maketrans("<>`[]", "\u2039\u203a’()")  # of HTML and Markdown
SEED = 0
PREDICTION, PROBA = "prediction", "proba_"
DECISION = "decision: "

Fact = Literal[
    "loss", "reference_loss", "estimated_loss", "label_lag_days",
    "performance", "prediction", "growth", "staleness",
    "performance_limit", "prediction_limit", "growth_limit", "staleness_limit",
    "rows", "labelled_rows", "drifted_percent",
]  # fmt: skip
SIGNALS: tuple[Fact, ...] = ("performance", "prediction", "growth", "staleness")
OUTCOMES: tuple[str, ...] = get_args(Outcome)


@dataclass(frozen=True)
class Sight:
    """A window of rows as a person sees it.

    Attributes:
        use_case: Whose rows.
        task: What the target sets.
        reference: Rows that the champion was judged on or made from: features, and where known the target, `prediction` and, of
            classifiers, `proba_<class>`.
        current: The rows of the window, with the same columns; a target that is missing has not come yet.
        features: What was decided of each feature, on all rows.
        numbers: Columns that hold numbers; the others are categories.
        target: Its column.
        at: End of the window, with a time zone.
        facts: Numbers by `Fact` that are drawn over time; those that are not known are absent or NaN.
        decision: What was decided, as one of `OUTCOMES`.
        rows: How many rows there are, of which reference and current are samples.
        personal: Columns of which nothing may be shown.
        because: Why it was decided, in a sentence.
        least_effect: Effect below which no feature counts as drifted.
    """

    use_case: str
    task: Task
    reference: pd.DataFrame = field(repr=False)
    current: pd.DataFrame = field(repr=False)
    features: tuple[FeatureDrift, ...]
    numbers: tuple[str, ...]
    target: str
    at: datetime
    facts: Mapping[str, float]
    decision: str
    rows: tuple[int, int]
    personal: tuple[str, ...] = ()
    because: str = ""
    least_effect: float = 0.1


@dataclass(frozen=True)
class Drawing:
    """What can be drawn of features.

    Attributes:
        reference: Rows of float64 and, as None or text, object columns; none of them is empty.
        current: The same columns.
        numbers: Those of float64.
        drifts: What was decided, by the names that the columns have here.
        left_out: Sentences on features that have no picture.
    """

    reference: pd.DataFrame = field(repr=False)
    current: pd.DataFrame = field(repr=False)
    numbers: tuple[str, ...]
    drifts: Mapping[str, FeatureDrift]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """Labelled rows with their predictions, under names of their own.

    Attributes:
        current: Columns `truth` and `prediction`: float64, or of classifiers text, and for each class a column of its name.
        reference: The same of the reference; None where too few of its rows are labelled.
        labels: Classes that occur, sorted.
        classes: Those with a column of probabilities, in the order of these; none where a class that occurs has no such column.
    """

    current: pd.DataFrame = field(repr=False)
    reference: pd.DataFrame | None = field(repr=False)
    labels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def why_not(sight: Sight) -> str:
    """Say why no pictures are drawn; empty where they are."""
    if len(sight.current) < LEAST_ROWS:
        return f"{counted(len(sight.current), 'row')} came, and pictures are drawn of {LEAST_ROWS} or more"
    if len(sight.reference) < LEAST_ROWS:
        return f"the reference has {counted(len(sight.reference), 'row')}, and pictures are drawn of {LEAST_ROWS} or more"
    return ""


def plain(text: str) -> str:
    r"""Give a text that cannot end the script of a page that it is embedded in, nor be taken for a mark of its language.

    >>> plain("</script>`") == "\u2039/script\u203a’"
    True
    """
    return shorten(harmless(text), MOST_LETTERS)


def harmless(text: str) -> str:
    """Give the whole of such a text on one line."""
    return on_one_line(text).translate(MARKS)


# ------------------------------------------------------------------------------------------------------------- features


def draw(sight: Sight) -> Drawing:
    """Take a seeded sample of the features that have values on both sides, cast to what every engine can draw."""
    reference, current = (_sampled(df) for df in (sight.reference, sight.current))
    columns: dict[str, tuple[pd.Series, pd.Series]] = {}
    numbers: list[str] = []
    drifts: dict[str, FeatureDrift] = {}
    left_out: list[str] = []
    for drift in sight.features:
        if drift.name in sight.personal:
            continue
        name = _unlike(plain(drift.name), drifts)
        pair = _pair(reference, current, drift.name, is_number=drift.name in sight.numbers)
        if isinstance(pair, str):
            left_out.append(f"`{name}` {pair}{'; it counts as drifted' if drift.is_drifted else ''}")
            continue
        columns[name], drifts[name] = pair, drift
        numbers += [name] if drift.name in sight.numbers else []
    hidden = len({drift.name for drift in sight.features} & {*sight.personal})
    left_out += [f"{counted(hidden, 'feature')} not shown, for they are personal"] if hidden else []
    left, right = (_frame({name: pair[side] for name, pair in columns.items()}) for side in (0, 1))
    return Drawing(left, right, tuple(numbers), drifts, tuple(left_out))


def _sampled(df: pd.DataFrame) -> pd.DataFrame:
    return df if len(df) <= MOST_ROWS else df.sample(n=MOST_ROWS, random_state=SEED).sort_index()


def _frame(columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: column.reset_index(drop=True) for name, column in columns.items()})


def _unlike(name: str, taken: Iterable[str]) -> str:
    """Tell a name apart from those that are taken, which differ only in what is not shown."""
    while not name.strip() or name in taken:
        name += "_"
    return name


def _pair(reference: pd.DataFrame, current: pd.DataFrame, name: str, *, is_number: bool) -> tuple[pd.Series, pd.Series] | str:
    """Give both sides of a column, or what is the matter with it."""
    for df, side in ((reference, "reference"), (current, "current")):
        if name not in df:
            return f"is not among the {side} rows"
    pair = (_numbers(reference[name]), _numbers(current[name])) if is_number else _categories(reference[name], current[name])
    for column, side in zip(pair, ("reference", "current"), strict=True):
        if not column.notna().any():
            return f"has no value in the {side} rows"
    if is_number and not all(_spans_bins(column) for column in pair):
        return "spans a range that no histogram can be drawn of"
    return pair


def _spans_bins(column: pd.Series) -> bool:
    """Say whether floating point numbers tell the edges of a histogram apart."""
    low, high = float(column.min()), float(column.max())
    size = max(abs(low), abs(high))
    return size < LARGEST and (low == high or high - low > FINEST * size)


def _numbers(column: pd.Series) -> pd.Series:
    import numpy as np

    return column.astype("float64").replace([-np.inf, np.inf], np.nan)


def _categories(reference: pd.Series, current: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Write values as text, the rare ones as one."""
    import pandas as pd

    one, other = (_texts(column) for column in (reference, current))
    found = pd.concat([one, other]).value_counts().index
    told = {text: plain(text) for text in found[:MOST_VALUES]}
    rest = f"({counted(len(found) - MOST_VALUES, 'other value')})"
    return tuple(column.map(lambda text: told.get(text, rest), na_action="ignore").astype(object) for column in (one, other))  # type: ignore[return-value]


def _texts(column: pd.Series) -> pd.Series:
    column = column.astype(object)
    return column.where(column.notna(), None).map(str, na_action="ignore").astype(object)


# -------------------------------------------------------------------------------------------------------------- quality


def judge(sight: Sight) -> Judged | str:
    """Take the labelled rows, or say in a sentence why their quality has no pictures."""
    if {sight.target, PREDICTION} & {*sight.personal}:
        return "Target or prediction are personal, so their quality is not drawn."
    current = _judged(sight, sight.current)
    if current is None:
        return f"Fewer than {LEAST_LABELLED} rows have a label and a prediction, so their quality is not drawn."
    sides = [df for df in (current, _judged(sight, sight.reference)) if df is not None and df["truth"].nunique() > 1]
    if not sides or sides[0] is not current:
        return "All labels that came are alike, so their quality is not drawn."
    return _judged_numbers(sides) if sight.task == "regression" else _judged_classes(sides)


def _judged_numbers(sides: Sequence[pd.DataFrame]) -> Judged | str:
    if not all(_spans_bins(df[name]) for df in sides for name in ("truth", PREDICTION)):
        return "Targets or predictions span a range that no picture can be drawn of."
    return Judged(sides[0], sides[1] if len(sides) > 1 else None)


def _judged_classes(sides: Sequence[pd.DataFrame]) -> Judged | str:
    sides = sides[:1] if {*sides[-1]["truth"]} != {*sides[0]["truth"]} else sides  # Evidently compares equal sets of classes alone
    labels, classes = _classes(sides)
    if len({*labels, *classes}) > MOST_CLASSES:
        return f"The quality of more than {MOST_CLASSES} classes is not drawn."
    return Judged(sides[0], sides[1] if len(sides) > 1 else None, labels, classes)


def _judged(sight: Sight, df: pd.DataFrame) -> pd.DataFrame | None:
    if not {sight.target, PREDICTION} <= {*df}:
        return None
    df = _sampled(df[df[sight.target].notna() & df[PREDICTION].notna()])
    cast = _numbers if sight.task == "regression" else _classes_as_text
    probas = {plain(str(name).removeprefix(PROBA)): df[name].astype("float64") for name in df if str(name).startswith(PROBA)}
    judged = _frame(probas | {"truth": cast(df[sight.target]), PREDICTION: cast(df[PREDICTION])}).dropna()
    return judged.reset_index(drop=True) if len(judged) >= LEAST_LABELLED else None


def _classes_as_text(column: pd.Series) -> pd.Series:
    return _texts(column).map(plain).astype(object)


def _classes(sides: Sequence[pd.DataFrame]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the classes that occur, and those with probabilities: none where one that occurs has none, for then no curve can be drawn."""
    named = [str(name) for name in sides[0] if name not in ("truth", PREDICTION)]
    occurring = {str(name) for df in sides for column in ("truth", PREDICTION) for name in df[column]}
    is_complete = occurring <= {*named} and all({*named} <= {*df} for df in sides)
    return tuple(sorted(occurring)), tuple(named) if is_complete else ()


# -------------------------------------------------------------------------------------------------------- what is told


def facts_of(sight: Sight) -> dict[str, float]:
    """Give all numbers that are drawn over time: those that were handed over, the rows, the share of drifted features, the decision."""
    drifted = sum(drift.is_drifted for drift in sight.features)
    moved = {"drifted_percent": 100 * drifted / len(sight.features)} if sight.features else {}
    facts = {"rows": float(sight.rows[1]), **moved, **sight.facts, f"{DECISION}{sight.decision}": 1.0}
    return {plain(name): float(value) for name, value in facts.items() if math.isfinite(value)}


def say_what_it_is(sight: Sight, notes: Sequence[str]) -> str:
    """Say in Markdown what was decided on which rows, what the pictures are drawn of, and what they leave out.

    Args:
        sight: What is shown.
        notes: Sentences on what is not drawn.
    """
    why = f", because {harmless(sight.because)}" if sight.because else ""
    decided = f"**Decided: {plain(sight.decision)}**{why}."
    rows = f"Features were compared on all rows: {sight.rows[0]:,} of the reference, {sight.rows[1]:,} of this window;"
    rows += f" loss and predictions are of {len(sight.current):,} of these, evenly spread."
    moved = f"A feature counts as drifted where its effect on all rows is at least {sight.least_effect:g} and surely no chance."
    if not why_not(sight):
        sizes = [min(len(df), MOST_ROWS) for df in (sight.reference, sight.current)]
        rows += f" Pictures are drawn from a seeded sample of {sizes[0]:,} and {sizes[1]:,} of them."
        moved += " Score and colour of each feature are those, and not what Evidently's own tests would say of the sample."
    return "\n\n".join([decided, rows, moved, *(f"- {note}" for note in notes)])


def feature_rows(sight: Sight) -> list[tuple[str, ...]]:
    """List of the first features name, whether it has drifted, effect, q, importance, and shares of missing values before and now."""
    return [
        (
            plain(drift.name),
            "yes" if drift.is_drifted else "no",
            number(drift.effect),
            number(drift.q),
            number(drift.importance),
            *(_missing(df, drift.name) for df in (sight.reference, sight.current)),
        )
        for drift in [each for each in sight.features if each.name not in sight.personal][:MOST_LISTED]
    ]


def _missing(df: pd.DataFrame, name: str) -> str:
    return f"{df[name].isna().mean():.1%}" if name in df and len(df) else "—"
