"""A quick model: asked where an answer is wanted and not a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.adapters import models
from tasks.core.candidates import QUICK, candidates_for
from tasks.core.metrics import row_losses
from tasks.core.recipe import Recipe
from tasks.core.snapshot import infer, target_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.core.snapshot import Case
    from tasks.core.table import Schema


@dataclass(frozen=True)
class Quick:
    """Labelled rows, to some of which it is fitted, and of others asked.

    Attributes:
        case: Whose target, loss and seed count.
        df: The rows.
        schema: Of these.
        y: True values, shape (n,).
    """

    case: Case
    df: pd.DataFrame
    schema: Schema
    y: np.ndarray

    @classmethod
    def of(cls, case: Case, df: pd.DataFrame) -> Quick:
        """Look at labelled rows."""
        schema = infer(case, df)
        return cls(case, df, schema, target_of(df, schema))

    def can_fit(self, rows: np.ndarray) -> bool:
        """Say whether rows hold more than one class, or numbers."""
        return self.schema.task == "regression" or len(set(self.y[rows].tolist())) > 1

    def losses(self, fitted: np.ndarray, asked: np.ndarray, name: str = QUICK) -> np.ndarray:
        """Fit to rows, or let another candidate be, and give what it loses on others, shape (n,); rows are positions, int64."""
        candidate = next(each for each in candidates_for(self.schema.task, [name]) if each.name == name)
        X, y, seed = self.df[self.schema.features], self.y[fitted], self.case.use_case.seed
        model = models.fit(candidate.build(Recipe.of(self.schema, X.iloc[fitted], y, seed)), X.iloc[fitted], y)
        loss = self.case.use_case.loss_for(self.schema.task)
        return row_losses(loss, self.y[asked], models.predict(model, X.iloc[asked]))
