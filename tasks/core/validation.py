"""What a suite's results mean for a batch: refused, rows set aside, or reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import compress
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import DataRefusedError
from tasks.core.row_sets import NO_ROWS, RowSet

if TYPE_CHECKING:
    import numpy as np

    from tasks.core.row_sets import Positions

Severity = Literal["critical", "warning", "info"]
Consequence = Literal["none", "quarantined", "reported", "refused"]
WORST_FIRST: tuple[Consequence, ...] = ("refused", "quarantined", "reported")
WAYS_ON = "mend the data, change the suite, or name a use case of its own with --use-case"
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


@dataclass(frozen=True)
class ExpectationResult:
    """What one expectation found in a batch.

    Attributes:
        expectation: Its type and column, as a person would write it.
        severity: What a failure means.
        success: Whether it holds, its `mostly` allowed for.
        failing_rows: The rows that do not satisfy it, by position; empty for expectations about whole columns.
        quarantine: Whether a warning sets failing rows aside.
        found: What was found instead, for expectations about whole columns; empty where nothing is to be told.
        problem: Why it could not be evaluated; empty when it could.
        notes: The suite's own words on it.
        columns: Those that it is about; none where it is about the table.
        without_rule: Why its rows come from Great Expectations and not from a rule of ours; empty when a rule stands for it.
    """

    expectation: str
    severity: Severity
    success: bool
    failing_rows: RowSet = NO_ROWS
    quarantine: bool = False
    found: str = ""
    problem: str = ""
    notes: str = ""
    without_rule: str = ""
    columns: tuple[str, ...] = ()

    @property
    def consequence(self) -> Consequence:
        """Say what follows from it for the batch."""
        if self.problem or (not self.success and self.severity == "critical"):
            return "refused"
        if self.failing_rows and (self.severity == "critical" or (self.severity == "warning" and self.quarantine)):
            return "quarantined"
        return "none" if self.success and not self.failing_rows else "reported"


@dataclass(frozen=True)
class Validation:
    """A suite's verdict on a batch; without a suite it is *not applicable*, never *passed*."""

    suite: str
    results: tuple[ExpectationResult, ...] = ()

    def of_rows_alone(self) -> Validation:
        """Give what it says of each row; a few rows that belong to others show nothing of shares, means or sums."""
        return replace(self, results=tuple(result if result.problem else replace(result, success=True) for result in self.results))

    @cached_property
    def quarantined(self) -> int:
        """Count the rows to set aside."""
        return len(reduce(RowSet.union, (result.failing_rows for result in self._quarantining), NO_ROWS))

    def set_aside(self, start: int, stop: int) -> tuple[Positions, np.ndarray]:
        """Give the rows to set aside among some that follow one another, and all reasons of each.

        Args:
            start: Position of the first row to look at.
            stop: Position behind the last.

        Returns:
            Positions counted from the first row, ascending, and a text for each; equal texts are one object.
        """
        import numpy as np

        names = [result.expectation for result in self._quarantining]
        if not names:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=object)
        failing = np.array([result.failing_rows.mask(start, stop) for result in self._quarantining])
        rows = np.flatnonzero(np.any(failing, axis=0))
        kinds, groups = np.unique(np.packbits(failing[:, rows], axis=0), axis=1, return_inverse=True)
        reasons = np.unpackbits(kinds, axis=0, count=len(names)).T
        texts = np.array(["; ".join(compress(names, each)) for each in reasons], dtype=object)
        return rows, texts[groups]

    @property
    def _quarantining(self) -> list[ExpectationResult]:
        return [result for result in self.results if result.consequence == "quarantined"]

    @property
    def summary(self) -> str:
        """Say in one line how it went."""
        if not self.suite:
            return "not applicable (no suite)"
        failed = sorted((r for r in self.results if r.consequence != "none"), key=lambda r: WORST_FIRST.index(r.consequence))
        told = [f"{result.consequence}: {result.expectation}" for result in failed[:2]]
        return "; ".join([f"{len(self.results) - len(failed)} of {len(self.results)} expectations hold", *told, *self.without_rules])

    @property
    def without_rules(self) -> tuple[str, ...]:
        """Say each reason once for which Great Expectations, and no rule of ours, found the rows of some."""
        return tuple(dict.fromkeys(result.without_rule for result in self.results if result.without_rule))

    def raise_if_refused(self, source: str) -> None:
        """Refuse the batch when its suite does.

        Raises:
            DataRefusedError: an expectation of severity critical failed, or one could not be evaluated.
        """
        if why := self.refusal:
            message = f"{source} is refused by {self.suite}: {why}; {WAYS_ON}"
            raise DataRefusedError(message, where=source)

    @property
    def refusal(self) -> str:
        """Say what the batch is refused for; empty when it is not."""
        refusals = [result for result in self.results if result.consequence == "refused"]
        if not refusals:
            return ""
        first = refusals[0]
        rows = len(first.failing_rows)
        failing = "1 row fails" if rows == 1 else f"{rows} rows fail"
        told = first.problem or first.found or (failing if rows else "it does not hold")
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        return f"{first.expectation}: {told}{more}"


UNJUDGED = Validation("")
