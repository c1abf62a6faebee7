"""What incidents are made of: a batch that came, what it is held against, the limits, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tasks.core.units import UnitLimits
from tasks.core.validation import UNJUDGED, Validation

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tasks.core.profiles import ColumnProfile, Profile
    from tasks.core.validation import Severity

Code = Literal[
    "column-missing",
    "column-new",
    "column-kind",
    "column-twins",
    "column-restated",
    "columns-swapped",
    "batch-empty",
    "batch-repeated",
    "rows-few",
    "rows-many",
    "time-late",
    "time-past",
    "values-missing",
    "values-constant",
    "unit-changed",
]


@dataclass(frozen=True)
class Limits:
    """From where on a change is an incident; each is written where the check is, with its reason.

    Attributes:
        missing: Share of missing values beyond the largest that was usual, a warning: fields fall out of use in small steps.
        missing_critical: The same, critical: more than a model can have learnt to do without.
        certainty: Standard errors by which a share of few rows must exceed its limit: one in 700 by chance.
        constant_rows: Rows that a batch needs before one value in all of them means anything.
        constant_runs: Times that the longest run of one value must be exceeded: holidays and seasons also last.
        repeated_rows: Rows from which on an equal batch is no coincidence.
        repeated_values: Distinct values that equal profiles must hold to be one and the same batch under new times.
        volume: Times fewer than the fewest rows, or more than the most, that came so far.
        late_steps: Usual steps from batch to batch that the newest row may be later than it ever was.
        history: Batches before that are looked at, the newest.
        near: Newest batches that, with the reference, are the past that a column is compared with.
        past: Earlier batches from which on that which is usual is known.
        still: Gap, in widths of the middle 90 %, within which a column stands still whatever is usual for it.
        moved: Share of the other columns that may have moved beside one that came under a factor.
        moved_temperature: The same beside a temperature, where the evidence is weaker.
        unit: From where on a move of quantiles is a conversion.
    """

    missing: float = 0.1
    missing_critical: float = 0.3
    certainty: float = 3.0
    constant_rows: int = 30
    constant_runs: float = 3.0
    repeated_rows: int = 10
    repeated_values: int = 100
    volume: float = 3.0
    late_steps: float = 3.0
    history: int = 30
    near: int = 3
    past: int = 3
    still: float = 0.15
    moved: float = 0.5
    moved_temperature: float = 0.2
    unit: UnitLimits = field(default_factory=UnitLimits)


@dataclass(frozen=True)
class Arrival:
    """A batch that came.

    Attributes:
        name: What it is called.
        profile: Of what it brings that was not there.
        arrived_us: When it came, in microseconds since 1970 where that is known.
        delivered: How many rows came with it, known ones among them; None where that is the rows of the profile.
        is_labels: Whether it brought labels alone.
    """

    name: str
    profile: Profile
    arrived_us: float | None = None
    delivered: int | None = None
    is_labels: bool = False

    @property
    def volume(self) -> int:
        """Count the rows that came."""
        return self.profile.rows if self.delivered is None else self.delivered

    def without(self, column: str | None) -> Arrival:
        """Give the batch less a column."""
        return replace(self, profile=self.profile.without(column))

    def only(self, column: str | None) -> Arrival:
        """Give one column of the batch."""
        return replace(self, profile=self.profile.only(column))


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a batch.

    Attributes:
        code: Stable name.
        severity: `critical` is damage; `warning` is told.
        column: The column that it is about; empty when it is about the batch.
        message: One sentence for a person.
        inputs: The numbers that it was found from, and the limits that they exceed.
    """

    code: Code
    severity: Severity
    column: str
    message: str
    inputs: dict[str, float | str]


@dataclass(frozen=True)
class Inspection:
    """What was found, and what could not be looked for; that is *not applicable*, never *passed*."""

    findings: tuple[Finding, ...]
    not_applicable: tuple[tuple[str, str], ...] = ()

    def columns(self, code: Code) -> list[str]:
        """Name the columns of which something was found."""
        return [finding.column for finding in self.findings if finding.code == code]

    @property
    def is_damaged(self) -> bool:
        """Say whether a finding is critical."""
        return any(finding.severity == "critical" for finding in self.findings)


@dataclass(frozen=True)
class Judgement:
    """What was found out about a batch before anything is made of it.

    Attributes:
        validation: What the suite says of what comes for the first time.
        profile: Of the same, with all labels that come.
        inspection: What the data themselves show.
        late: What the suite says of labels that known rows bring.
    """

    validation: Validation
    profile: Profile
    inspection: Inspection
    late: Validation = UNJUDGED

    @property
    def refusals(self) -> list[str]:
        """List what the suite refuses the batch for."""
        return [f"{judged.suite}: {judged.refusal}" for judged in (self.validation, self.late) if judged.refusal]

    @property
    def against(self) -> tuple[str, ...]:
        """List what speaks against taking the batch in; a person may still accept it."""
        return (*self.refusals, *(finding.message for finding in self.inspection.findings if finding.severity == "critical"))

    @property
    def whole(self) -> Validation:
        """Give all that the suite says."""
        late = (replace(result, expectation=f"{result.expectation}, of labels that come late") for result in self.late.results)
        return Validation(self.validation.suite or self.late.suite, (*self.validation.results, *late))

    @property
    def noted(self) -> tuple[str, ...]:
        """List what was found and does not stand against the batch."""
        return tuple(finding.message for finding in self.inspection.findings if finding.severity != "critical")


@dataclass(frozen=True)
class Case:
    """A batch and all that it is held against."""

    batch: Arrival
    reference: Profile
    history: Sequence[Arrival]
    time: str | None
    limits: Limits
    key: Collection[str] = ()

    def past(self, name: str, *, until: int | None = None) -> list[ColumnProfile]:
        """Give the states of a column that one is compared with: the reference and the newest batches that hold values."""
        newest = self.history[:until][-self.limits.near :]
        profiles = [self.reference, *(arrival.profile for arrival in newest)]
        return _holding(profiles, name)

    def all_past(self, name: str) -> list[ColumnProfile]:
        """Give all states of a column that are known and hold values."""
        return _holding([self.reference, *(arrival.profile for arrival in self.history)], name)


def _holding(profiles: Sequence[Profile], name: str) -> list[ColumnProfile]:
    return [column for profile in profiles if (column := profile.column(name)) and column.present]
