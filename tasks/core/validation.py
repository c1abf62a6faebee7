"""What a suite's results mean for a batch: refused, rows set aside, or reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import DataRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Positions = np.ndarray[tuple[int], np.dtype[np.int64]]

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
        failing_rows: Positions of the rows that do not satisfy it; empty for expectations about whole columns. A million of
            them are kept in an `array`, which takes eight bytes each.
        quarantine: Whether a warning sets failing rows aside.
        found: What was found instead, for expectations about whole columns; empty where nothing is to be told.
        problem: Why it could not be evaluated; empty when it could.
        notes: The suite's own words on it.
        without_rule: Why its rows come from Great Expectations and not from a rule of ours; empty when a rule stands for it.
    """

    expectation: str
    severity: Severity
    success: bool
    failing_rows: Sequence[int] = ()
    quarantine: bool = False
    found: str = ""
    problem: str = ""
    notes: str = ""
    without_rule: str = ""

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

    @property
    def quarantined(self) -> dict[int, str]:
        """Give the rows to set aside by position, each with all its reasons."""
        import numpy as np

        failing = [np.asarray(result.failing_rows, dtype=np.int64) for result in self.results if result.consequence == "quarantined"]
        if not failing:
            return {}
        names = [result.expectation for result in self.results if result.consequence == "quarantined"]
        rows, groups, firsts = _grouped(failing)
        # Rows that fail for the same reasons share one text: there are as many as there are different reasons, not rows.
        texts = np.array(["; ".join(names[place] for place in reasons) for reasons in firsts], dtype=object)
        return dict(zip(rows.tolist(), texts[groups].tolist(), strict=True))

    @property
    def summary(self) -> str:
        """Say in one line how it went."""
        if not self.suite:
            return "not applicable (no suite)"
        failed = sorted((r for r in self.results if r.consequence != "none"), key=lambda r: WORST_FIRST.index(r.consequence))
        told = [f"{result.consequence}: {result.expectation}" for result in failed[:2]]
        without = dict.fromkeys(result.without_rule for result in self.results if result.without_rule)
        return "; ".join([f"{len(self.results) - len(failed)} of {len(self.results)} expectations hold", *told, *without])

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
        told = first.problem or first.found or (f"{len(first.failing_rows)} rows fail" if first.failing_rows else "it does not hold")
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        return f"{first.expectation}: {told}{more}"


def _grouped(failing: list[Positions]) -> tuple[Positions, Positions, list[list[int]]]:
    """Group rows by the reasons that they fail for.

    Args:
        failing: The failing rows of each reason.

    Returns:
        The rows in ascending order, the group of each, and the reasons of each group by their places.
    """
    import numpy as np
    import pandas as pd

    is_failing = np.zeros(1 + max(int(rows.max(initial=0)) for rows in failing), dtype=bool)
    for rows in failing:
        is_failing[rows] = True
    places = np.cumsum(is_failing) - 1
    marks = np.zeros((-(-len(failing) // 64), int(is_failing.sum())), dtype=np.uint64)
    for reason, rows in enumerate(failing):
        marks[reason // 64, places[rows]] |= np.uint64(1 << reason % 64)
    groups = np.zeros(marks.shape[1], dtype=np.int64)
    for word in marks:
        codes = pd.factorize(word)[0]
        groups = pd.factorize(groups * (1 + int(codes.max(initial=0))) + codes)[0]
    _, firsts = np.unique(groups, return_index=True)
    reasons = [[place for place in range(len(failing)) if words[place // 64] >> place % 64 & 1] for words in marks[:, firsts].T.tolist()]
    return np.flatnonzero(is_failing), groups, reasons
