"""What `init` comes to: a use case and a suite for review, and what became of each file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tasks.core.names import counted
from tasks.core.preview import list_columns
from tasks.core.suites import describe_changes
from tasks.core.summary import describe
from tasks.core.use_case_file import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tasks.core.suites import Change, Suite
    from tasks.core.table import Schema
    from tasks.core.use_case_file import Setting

Outcome = Literal["written", "updated", "kept", "unchanged"]
SHOWN_CHANGES = 20
# What each kind of proposed rule is called, and why it is proposed.
KINDS = {
    "expect_table_columns_to_match_set": ("set of columns", "a missing column cannot be drift"),
    "expect_column_values_to_be_of_type": ("types", "a column that changes its type cannot be drift"),
    "expect_column_values_to_be_unique": ("unique key", "it names a row"),
    "expect_compound_columns_to_be_unique": ("unique key", "together they name a row"),
    "expect_column_values_to_be_between": ("ranges", "what was, and half as wide again on each side, twice that for few rows"),
    "expect_column_values_to_be_in_set": ("sets of values", "few texts that each came often"),
    "expect_column_values_to_not_be_null": (
        "never missing",
        "as in these rows, with a slack of 1 %, more for few rows; a row without its key is set aside",
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": ("shares of missing values", "as many as were, with slack"),
}


@dataclass(frozen=True)
class InitReport:
    """What was proposed for a table, and what was written of it.

    Attributes:
        use_case: Its name.
        source: Where the rows came from, without secrets.
        rows: How many were read.
        verdict: How they were read.
        schema: Columns, roles and task; evidence of what may be personal is left out.
        settings: What was found out about the keys of the use case.
        proposal: The suite that is proposed.
        changes: What it would change in the suite that is there, or has changed in it.
        files: What became of each, by its path in the project.
    """

    use_case: str
    source: str
    rows: int
    verdict: str
    schema: Schema
    settings: Mapping[str, Setting]
    proposal: Suite
    changes: tuple[Change, ...]
    files: Mapping[str, Outcome]

    @property
    def suggested(self) -> dict[str, Setting]:
        """Give what a person may want to set."""
        return {key: setting for key, setting in self.settings.items() if not setting.is_certain}

    def as_json(self) -> dict[str, object]:
        """Give the line that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "source": self.source,
            "rows": self.rows,
            "verdict": self.verdict,
            "task": self.schema.task,
            "target": self.schema.target,
            "columns": [{"name": c.name, "type": c.type, "role": c.role, "evidence": c.evidence} for c in self.schema.columns],
            "suggested": {key: {"value": setting.value, "why": setting.why} for key, setting in self.suggested.items()},
            "expectations": dict(Counter(expectation.severity for expectation in self.proposal.expectations)),
            "changes": [str(change) for change in self.changes],
            "files": dict(self.files),
            "next": self._next(),
        }

    def as_text(self) -> str:
        """Give one readable screen."""
        lines = [
            f"{self.use_case} · {describe(self.schema)}",
            f"  {'read':<10}{counted(self.rows, 'row')} of {self.source}: {self.verdict}",
            *list_columns(self.schema.columns),
            *self._rules(),
            *(f"  {'suggested':<10}{key}: {_listed(setting.value)}, because {setting.why}" for key, setting in self.suggested.items()),
            *self._changes(),
            *(f"  {outcome:<10}{path}" for path, outcome in self.files.items()),
            *(f"  {'next' if not place else '':<10}{step}" for place, step in enumerate(self._next())),
        ]
        return "\n".join(in_one_line(line) for line in lines)

    def _rules(self) -> Iterator[str]:
        counts = Counter((expectation.severity, *KINDS[expectation.type]) for expectation in self.proposal.expectations)
        told = ""
        for (severity, kind, why), count in sorted(counts.items(), key=lambda item: item[0][0]):
            yield f"  {severity if severity != told else '':<10}{count} {kind}: {why}"
            told = severity

    def _changes(self) -> Iterator[str]:
        if not self.changes:
            return
        head, *changes = describe_changes(self.changes).splitlines()
        yield f"  {'changes':<10}{head}"
        yield from (f"    {change}" for change in changes[:SHOWN_CHANGES])
        if len(changes) > SHOWN_CHANGES:
            yield f"    and {len(changes) - SHOWN_CHANGES} more; --json lists them all"

    def _next(self) -> list[str]:
        outcomes = set(self.files.values())
        if self.changes and "updated" not in outcomes:
            return ["init --update brings the suite up to this, except for what a person edited, wrote or took out"]
        if outcomes <= {"kept", "unchanged"}:
            return ["nothing changed"]
        return [
            f"review these files, then: python -m flows.train --use-case {self.use_case}",
            f"or batch after batch: python -m flows.ingest FILE --use-case {self.use_case}",
        ]


def _listed(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
