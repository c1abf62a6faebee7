"""What a suite's results mean for a batch: refused, rows set aside, or reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.core.errors import DataRefusedError

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
        failing_rows: Positions of the rows that do not satisfy it; empty for expectations about whole columns.
        quarantine: Whether a warning sets failing rows aside.
        found: What was found instead, for expectations about whole columns; empty where nothing is to be told.
        problem: Why it could not be evaluated; empty when it could.
        notes: The suite's own words on it.
    """

    expectation: str
    severity: Severity
    success: bool
    failing_rows: tuple[int, ...] = ()
    quarantine: bool = False
    found: str = ""
    problem: str = ""
    notes: str = ""

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
        reasons: dict[int, list[str]] = {}
        for result in self.results:
            if result.consequence == "quarantined":
                for row in result.failing_rows:
                    reasons.setdefault(row, []).append(result.expectation)
        return {row: "; ".join(found) for row, found in sorted(reasons.items())}

    @property
    def summary(self) -> str:
        """Say in one line how it went."""
        if not self.suite:
            return "not applicable (no suite)"
        failed = sorted((r for r in self.results if r.consequence != "none"), key=lambda r: WORST_FIRST.index(r.consequence))
        return f"{len(self.results) - len(failed)} of {len(self.results)} expectations hold" + "".join(
            f"; {result.consequence}: {result.expectation}" for result in failed[:2]
        )

    def raise_if_refused(self, source: str) -> None:
        """Refuse the batch when its suite does.

        Raises:
            DataRefusedError: an expectation of severity critical failed, or one could not be evaluated.
        """
        refusals = [result for result in self.results if result.consequence == "refused"]
        if not refusals:
            return
        first = refusals[0]
        told = first.problem or first.found or (f"{len(first.failing_rows)} rows fail" if first.failing_rows else "it does not hold")
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        message = f"{source} is refused by {self.suite}: {first.expectation}: {told}{more}; {WAYS_ON}"
        raise DataRefusedError(message, where=source)
