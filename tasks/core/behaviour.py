"""Rows of which a person knows what must be predicted, whatever the gate rows say: the file that `gate.behaviour` names."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from tasks.core.metrics import Prediction
    from tasks.core.table import Schema

ANSWERS = ("expected", "at_least", "at_most")


@dataclass(frozen=True)
class Expected:
    """One row and what must be predicted for it.

    Attributes:
        where: File and place in it, for messages.
        cells: By column as text; what is left out is missing.
        expected: The class; empty where numbers are predicted.
        at_least: Of the number, or of the probability of the class.
        at_most: The same.
    """

    where: str
    cells: Mapping[str, str]
    expected: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def has_range(self) -> bool:
        """Say whether a number must lie in a range."""
        return self.at_least is not None or self.at_most is not None

    def refuse_what_cannot_be(self, schema: Schema) -> None:
        """Refuse a case that the models of a table cannot be asked.

        Raises:
            UsageError: a column that they do not see, a cell that is no number or date, or an answer that the task does not give.
        """
        for name in self.cells:
            if name not in schema.features:
                raise UsageError.unknown(f"column of models in {self.where} called", name, schema.features, where=self.where)
        cells_of([self], schema)
        if schema.task == "regression" and (self.expected or not self.has_range):
            message = f"{self.where}: a number is hardly ever met exactly; say at_least and at_most"
            raise UsageError(message, where=self.where)
        if schema.task != "regression" and not self.expected:
            message = f"{self.where}: say which class is expected; at_least and at_most are of its probability"
            raise UsageError(message, where=self.where)

    def holds(self, said: Prediction) -> bool:
        """Say whether the prediction of this one row is what must be."""
        if not self.has_range:
            return str(said.values[0]) == self.expected
        if not self.expected:
            number = float(said.values[0])
        else:
            number = float(said.of_class(self.expected)[0]) if self.expected in said.classes else 0.0
        return (self.at_least is None or number >= self.at_least) and (self.at_most is None or number <= self.at_most)


def parse(text: str, where: str) -> tuple[Expected, ...]:
    r"""Read cases: a CSV table, or a YAML list of mappings where the name ends so.

    Raises:
        UsageError: it is none, or holds no case.

    >>> parse("size,at_most\n40,250\n", "cases.csv")
    (Expected(where='cases.csv, case 1', cells={'size': '40'}, expected='', at_least=None, at_most=250.0),)
    """
    rows = _of_yaml(text, where) if where.lower().endswith((".yaml", ".yml")) else csv.DictReader(io.StringIO(text))
    cases = tuple(_case(f"{where}, case {number}", row) for number, row in enumerate(rows, start=1))
    if not cases:
        message = f"{where} holds no case; write rows with the columns of the table and {', '.join(ANSWERS)}"
        raise UsageError(message, where=where)
    return cases


def _of_yaml(text: str, where: str) -> Iterable[Mapping[str, object]]:
    import yaml

    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        message = f"{where} is not YAML: {str(error).splitlines()[0]}"
        raise UsageError(message, where=where) from error
    rows: list[Any] = cast("list[Any]", found) if isinstance(found, list) else [None]
    if not all(isinstance(row, dict) for row in rows):
        message = f"{where} must hold a list of cases, such as `- {{size: 40, at_most: 250}}`"
        raise UsageError(message, where=where)
    return [{name: "" if value is None else value for name, value in row.items()} for row in rows]


def _case(where: str, row: Mapping[Any, object]) -> Expected:
    if None in row or None in row.values():
        message = f"{where} has more or fewer cells than there are columns; put quotes around cells with a comma"
        raise UsageError(message, where=where)
    told = {str(name): _text(value) for name, value in row.items() if _text(value)}
    expected, *ends = (told.pop(name, "") for name in ANSWERS)
    at_least, at_most = (_number(where, name, end) for name, end in zip(ANSWERS[1:], ends, strict=True))
    return Expected(where, told, expected, at_least, at_most)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _number(where: str, name: str, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        message = f"{where}: {name} is '{text}', which is no number"
        raise UsageError(message, where=where) from error


def cells_of(cases: Sequence[Expected], schema: Schema) -> pd.DataFrame:
    """Give the rows of cases as models see them.

    Raises:
        UsageError: a cell is no number or date where the column holds these.
    """
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    types = {column.name: column.type for column in schema.columns}
    for name in schema.features:
        texts = [case.cells.get(name) for case in cases]
        try:
            if types[name] == "number":
                columns[name] = np.array([np.nan if text is None else float(text) for text in texts])
            elif types[name] == "datetime":
                columns[name] = pd.to_datetime(pd.Series(texts, dtype="str"), format="ISO8601").astype("datetime64[us]")
            else:
                columns[name] = pd.Series(texts, dtype="str")
        except ValueError as error:
            message = f"{cases[0].where}: '{name}' holds {types[name]}s, and a cell of it is none"
            raise UsageError(message, where=cases[0].where) from error
    return pd.DataFrame(columns)


def broken(cases: Sequence[Expected], said: Prediction) -> list[Expected]:
    """Give the cases that do not hold, of predictions of all of them."""
    import numpy as np

    return [case for place, case in enumerate(cases) if not case.holds(said.take(np.array([place])))]
