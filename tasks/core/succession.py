"""What a person's word on versions comes to: approved, rejected, rolled back, released, or kept as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import gate
from tasks.core.names import CONTROL
from tasks.core.results import STATE_NAMES
from tasks.core.summary import decision_lines

if TYPE_CHECKING:
    from tasks.core.gate import Decision


@dataclass(frozen=True)
class SuccessionReport:
    """What became of the championship of a use case.

    Attributes:
        use_case: Its name.
        version: The version that it was about.
        champion: Who is champion now; None where nobody is.
        before: Who was; None where nobody was.
        decision: What was decided and why.
        hold: Why no version becomes champion by itself; empty where one may.
        note: What follows for holds and for versions that wait; empty where nothing does.
    """

    use_case: str
    version: int
    champion: int | None
    before: int | None
    decision: Decision
    hold: str = ""
    note: str = ""

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return {"rejected": "Rejected", "rollback": "Rolled back", "released": "Released"}.get(
            self.decision.code, STATE_NAMES[self.decision.verdict]
        )

    @property
    def state_message(self) -> str:
        """Say the decision in one sentence."""
        return f"version {self.version} of {self.use_case}: {self.decision.reason}"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "version": self.version,
            "champion": self.champion,
            "before": self.before,
            "decision": self.decision.as_json(),
            "hold": self.hold,
            "note": self.note,
        }


def describe(report: SuccessionReport, _folder: str) -> str:
    """Give what a person reads of it."""
    now = "nobody" if report.champion is None else f"version {report.champion}"
    before = "" if report.before in (None, report.champion) else f"; before it was version {report.before}"
    lines = [
        *decision_lines(report.decision, report.state_name, gate.waiving(report.decision, report.use_case, report.version)),
        f"champion    {now} of {report.use_case}{before}",
        *([f"hold        {report.hold}"] if report.hold else []),
        *([f"note        {report.note}"] if report.note else []),
    ]
    return "\n".join(CONTROL.sub(" ", line) for line in lines)
