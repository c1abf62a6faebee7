"""A validation on a page: what does not hold, the worst first, and folded away what holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.names import counted
from tasks.core.page import Badge, Table, Text
from tasks.core.validation import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.core.page import Outcome
    from tasks.core.validation import Consequence, Validation

BADGES: dict[Consequence, Outcome] = {"reported": "warned", "quarantined": "warned", "refused": "failed"}


def blocks(validation: Validation, examples: Mapping[str, str] | None = None) -> Sequence[Text | Table]:
    """Give what stands under its heading.

    Args:
        validation: What was found.
        examples: The first rows that fail an expectation, in words, by what it expects.
    """
    failing = sorted((r for r in validation.results if r.consequence != "none"), key=lambda r: WORST_FIRST.index(r.consequence))
    holding = [r for r in validation.results if r.consequence == "none"]
    rows = [
        (
            r.expectation,
            Badge(BADGES[r.consequence], r.consequence),
            r.problem or r.found or r.notes,
            len(r.failing_rows) or "",
            (examples or {}).get(r.expectation, ""),
            r.severity,
        )
        for r in failing
    ]
    columns = ("expectation", "consequence", "why", "failing rows", "the first of them", "severity")
    of = f"of {counted(len(validation.results), 'expectation')} of {validation.suite or 'the key'}"
    told = [(r.expectation, r.severity, r.notes) for r in holding]
    return (
        *([] if validation.results else [Text(validation.summary)]),
        *([Table(f"{len(failing)} {of} fail", columns, rows, numeric=("failing rows",))] if failing else []),
        *([Table(f"{len(holding)} {of} hold", ("expectation", "severity", "notes"), told, is_folded=True)] if holding else []),
        *map(Text, validation.without_rules),
    )
