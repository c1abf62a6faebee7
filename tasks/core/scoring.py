"""Scoring: the rows that a model can be given, what is written of its predictions, and where every row went."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from tasks.core import names
from tasks.core.errors import DataRefusedError
from tasks.core.reading.forms import as_booleans

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.metrics import Prediction
    from tasks.core.reading.terms import Sort

ID_DIGITS = 16
SORTS: dict[str, Sort] = {"number": "number", "category": "words", "boolean": "boolean", "datetime": "date"}


@dataclass(frozen=True)
class Input:
    """A column that a model asks for."""

    name: str
    type: Literal["number", "category", "boolean", "datetime"]

    @property
    def sort(self) -> Sort:
        """Say what a reader has to read it as."""
        return SORTS[self.type]


@dataclass(frozen=True)
class Scorer:
    """A version that predicts.

    Attributes:
        use_case: Whose model it is.
        version: As the registry counts.
        model: The shipped fit.
        target: The column that it predicts.
        inputs: The columns that it asks for, in its order.
    """

    use_case: str
    version: int
    model: Pipeline
    target: str
    inputs: tuple[Input, ...]

    def scoring_of(self, batch: str, suite: str) -> str:
        """Name a scoring by all that decides it: who predicts, which rows, and which of them are let through."""
        return names.digest(self.use_case, str(self.version), batch, suite)


@dataclass(frozen=True)
class ScoredRows:
    """Where every row went that was read."""

    read: int
    scored: int
    quarantined: int

    def __str__(self) -> str:
        """Write the sum that must add up."""
        return f"{self.read:,} read = {self.scored:,} scored + {self.quarantined:,} quarantined"


@dataclass(frozen=True)
class ScoreReport:
    """What came of a scoring.

    Attributes:
        use_case: Its name.
        source: Where the rows came from.
        version: Which predicted.
        rows: Where they went.
        out: The file of predictions.
        aside: The file of rows that were set aside; empty where none was.
        is_known: Whether the same version had scored the same rows before, and the file is still there.
    """

    use_case: str
    source: str
    version: int
    rows: ScoredRows
    out: str
    aside: str = ""
    is_known: bool = False

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return "Known already" if self.is_known else "Scored"

    @property
    def state_message(self) -> str:
        """Say in one sentence what came of it."""
        known = ", known already" if self.is_known else ""
        return names.on_one_line(f"{self.source} by version {self.version} of {self.use_case}: {self.rows}{known}")

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "version": self.version,
            "rows": vars(self.rows),
            "out": self.out,
            "quarantine": self.aside,
            "known": self.is_known,
        }


def describe(report: ScoreReport, folder: str) -> str:
    """Tell what was scored and where it is; paths are relative to a folder."""
    paths = {"predictions": report.out, **({"set aside": report.aside} if report.aside else {})}
    return "\n".join([report.state_message, *(f"  {what:<12}{path.removeprefix(f'{folder}/')}" for what, path in paths.items())])


def check_columns(scorer: Scorer, key: Sequence[str], columns: Sequence[str], source: str) -> None:
    """Look for the columns that name the rows, and those that a model asks for; others do not disturb it.

    Raises:
        DataRefusedError: one is not there.
    """
    absent = [name for name in (*key, *(wanted.name for wanted in scorer.inputs)) if name not in columns]
    if absent:
        near = get_close_matches(absent[0], columns, n=1)
        meant = f"; did you mean '{near[0]}'?" if near else ""
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        why = "names the rows" if absent[0] in key else f"version {scorer.version} of {scorer.use_case} asks for"
        message = f"{source} has no column '{absent[0]}'{more}, which {why}{meant}"
        raise DataRefusedError(message, where=source)


def fit_inputs(df: pd.DataFrame, inputs: Sequence[Input]) -> tuple[pd.DataFrame, np.ndarray]:
    """Give rows the types that a model asks for.

    Args:
        df: As a reader gives rows: `float64`, `str` and `datetime64[us]` columns.
        inputs: What the model asks for.

    Returns:
        The columns of the model, and for each row why it cannot be given to it (text; empty where it can).

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"size": ["70", "about 80"], "town": [7.0, 8.5]})
    >>> fitted, reasons = fit_inputs(rows, [Input("size", "number"), Input("town", "category")])
    >>> fitted["town"].tolist(), reasons.tolist()
    (['7', '8.5'], ['', "'size' is no number"])
    """
    import numpy as np
    import pandas as pd

    columns: dict[str, pd.Series[Any]] = {}
    reasons = np.full(len(df), "", dtype=object)
    for wanted in inputs:
        given = df[wanted.name]
        convert, problem = CONVERSIONS[wanted.type]
        columns[wanted.name] = fitted = convert(given)
        is_lost = (fitted.isna() & given.notna()).to_numpy()
        told = f"'{wanted.name}' {problem}"
        reasons[is_lost] = [f"{before}; {told}" if before else told for before in reasons[is_lost]]
    return pd.DataFrame(columns, index=df.index), reasons


def _as_number(values: pd.Series[Any]) -> pd.Series[Any]:
    import numpy as np
    import pandas as pd

    if values.dtype.kind == "f":
        return values
    if values.dtype.kind == "M":
        return pd.Series(np.nan, index=values.index)
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _as_category(values: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    if values.dtype.kind == "f":
        return (values + 0.0).map(_as_written, na_action="ignore").astype("str")
    return pd.Series(None, index=values.index, dtype="str") if values.dtype.kind == "M" else values


def _as_boolean(values: pd.Series[Any]) -> pd.Series[Any]:
    return as_booleans(_as_category(values))


def _as_date(values: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    if values.dtype.kind == "M":
        return values
    if values.dtype.kind == "f":
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    return pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None).astype("datetime64[us]")


# To a type, and what is said of a value that has none there.
CONVERSIONS = {
    "number": (_as_number, "is no number"),
    "category": (_as_category, "is a date where text is asked for"),
    "boolean": (_as_boolean, "is a date where true or false is asked for"),
    "datetime": (_as_date, "is no date"),
}


def _as_written(value: float) -> str:
    return f"{value:.0f}" if value == round(value, 0) else repr(value)


def write_predictions(keys: pd.DataFrame, lines: np.ndarray, prediction: Prediction, scorer: Scorer, scoring: str) -> pd.DataFrame:
    """Give one row for each prediction: what names it, what is predicted, and which version says so.

    Args:
        keys: The columns that name the rows; none where the use case has no key.
        lines: Of the source, int64.
        prediction: Of the same rows.
        scorer: Who predicts.
        scoring: Digest of the scoring; with the line it is the prediction's id.
    """
    proba = {} if prediction.proba is None else {f"proba_{name}": prediction.proba[:, at] for at, name in enumerate(prediction.classes)}
    own = {
        "line": lines,
        "prediction": prediction.values,
        **proba,
        "version": scorer.version,
        "prediction_id": [f"{scoring[:ID_DIGITS]}-{line}" for line in lines.tolist()],
    }
    return keys.reset_index(drop=True).assign(**{name: value for name, value in own.items() if name not in keys})
