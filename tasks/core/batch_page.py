"""The page of a batch: its verdict, what failed, where its rows went, and what changed since the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import validation_page
from tasks.core.deliveries import STATE_NAMES, TAKEN
from tasks.core.hiding import without_values
from tasks.core.names import counted
from tasks.core.page import CELL_LIMIT, Badge, Facts, Page, Section, Table, Text, Verdict, render, shorten, with_commands
from tasks.core.profiles import Profile
from tasks.core.standing import minute

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tasks.core.deliveries import BatchEntry
    from tasks.core.findings import Inspection, Judgement
    from tasks.core.page import Cell, Tone
    from tasks.core.profiles import ColumnProfile
    from tasks.core.reading.terms import SetAside

SHOWN_ROWS = 20
SHOWN_EXAMPLES = 3
MAX_CELL = 160
MAX_EXAMPLE = 60
TONES: dict[str, Tone] = {
    "ingested": "good", "mended": "good", "accepted": "neutral", "held": "bad", "refused": "bad", "dismissed": "neutral",
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """A row that fails an expectation: its line, and its cells in the columns that it is about, as text; None is missing."""

    line: int
    cells: tuple[str | None, ...]


def build(
    entry: BatchEntry,
    judgement: Judgement | None,
    before: BatchEntry | None,
    aside: Sequence[SetAside],
    sheet: str,
    pii: Collection[str],
    examples: Mapping[str, Sequence[Example]] | None = None,
) -> str:
    """Give the page of one decision on a batch as HTML.

    Args:
        entry: The decision.
        judgement: What was found out about the rows; None where they were not looked at.
        before: The batch that was taken last before this one.
        aside: The first rows that were set aside.
        sheet: The file that holds all of them, to be mended; empty where the batch was not taken.
        pii: Columns whose values must not be shown.
        examples: The first rows that fail an expectation, by what it expects.
    """
    sentence = entry.reasons[0] if entry.reasons and entry.decision not in TAKEN else tell_rows(entry)
    found = [finding.message for finding in judgement.inspection.findings] if judgement else []
    sections = (
        _delivery(entry, {sentence, *(message for message in found if len(message) <= CELL_LIMIT)}),
        *([_findings(judgement.inspection)] if judgement and judgement.inspection.findings else []),
        *([_expectations(judgement, examples or {}, pii)] if judgement else []),
        *([_aside(entry, aside, sheet, [*pii, *(judgement.profile.names if judgement else ())], is_hidden=bool(pii))] if aside else []),
        *([_changes(judgement.profile, before)] if judgement and before else []),
        *([_columns(judgement.profile)] if judgement else []),
    )
    page = Page(
        title=f"{entry.use_case}, delivery {entry.name}",
        verdict=Verdict(TONES[entry.decision], STATE_NAMES[entry.decision], sentence),
        sections=sections,
        footer=f"Evergreen · {entry.use_case} · batch {entry.digest} · {minute(entry.decided_at)} UTC · {entry.who}",
    )
    return render(page)


def _delivery(entry: BatchEntry, told: Collection[str]) -> Section:
    """Say what became of it and what to do, but no reason that is told elsewhere on the page."""
    words = [with_commands(text) for text in (tell_rows(entry), *entry.reasons) if text not in told]
    facts = [("Batch", entry.digest[:16]), ("Decided, UTC", minute(entry.decided_at)), ("By", entry.who), ("Brings", entry.kind)]
    facts += [(name, told) for name, told in (("Because", entry.because), ("Mends batch", entry.mends[:16])) if told]
    return Section("Delivery", (*map(Text, words), Facts(tuple(facts))))


def tell_rows(entry: BatchEntry) -> str:
    """Say where the rows of a batch went; of one that was not taken, how many came."""
    rows = entry.rows
    if entry.mends:
        known = f" + {rows.known:,} known, with their label" if rows.known else ""
        told = f"{-rows.quarantined:,} rows that were set aside are taken in"
        return f"{told}: {rows.labelled:,} labelled + {rows.unlabelled:,} unlabelled{known}"
    if entry.decision in TAKEN:
        return f"Rows: {rows}" if entry.kind == "rows" else f"Labels: {rows}"
    return f"{rows.read:,} {entry.kind} came, and none was taken" if rows.read else "Nothing was taken"


def _findings(inspection: Inspection) -> Section:
    rows = [
        (finding.code.replace("-", " "), Badge("failed" if finding.severity == "critical" else "warned"), finding.column, finding.message)
        for finding in inspection.findings
    ]
    return Section("Damage", (Table("What the data themselves show", ("finding", "outcome", "column", "what"), rows),))


def _expectations(judgement: Judgement, examples: Mapping[str, Sequence[Example]], pii: Collection[str]) -> Section:
    validation = judgement.whole
    hidden = {*pii, *(column.name for column in judgement.profile.columns if column.pii)}
    told = {
        r.expectation: "; ".join(_spell(example, r.columns, hidden) for example in examples.get(r.expectation, ()))
        for r in validation.results
    }
    return Section("Expectations", validation_page.blocks(validation, told))


def _spell(example: Example, columns: Sequence[str], hidden: Collection[str]) -> str:
    cells = [
        "empty" if cell is None else "not shown" if name in hidden else cell for name, cell in zip(columns, example.cells, strict=True)
    ]
    return f"line {example.line:,}" + (f": {shorten(', '.join(cells), MAX_EXAMPLE)}" if cells else "")


def _aside(entry: BatchEntry, aside: Sequence[SetAside], sheet: str, names: Collection[str], *, is_hidden: bool) -> Section:
    # The reason of a row that does not fit quotes its cell, and that may be one of another column.
    rows = [
        (row.line, *((without_values(row.reason, names), "not shown") if is_hidden else (row.reason, shorten(row.text, MAX_CELL))))
        for row in aside
    ]
    table = Table("Rows set aside", ("line", "reason", "row"), rows)
    if not sheet:
        return Section("Rows set aside", (Text("The first rows that are set aside even if the batch is accepted."), table))
    among = f"The first {len(rows)} of {counted(entry.rows.quarantined, 'row')}"
    told = f"{among}; all of them are in the quarantine of the lake, and in a sheet."
    how = with_commands(
        f"To mend them, correct the cells in the sheet and deliver it: python -m flows.ingest {sheet} --use-case {entry.use_case}"
    )
    hint = "Rows that satisfy everything then are taken in, once each; the others stay set aside, and the sheet may come again."
    personal = [Text("The sheet holds personal values.")] if is_hidden else []
    return Section("Rows set aside", (Text(told), Text(how), Text(hint), *personal, table))


def _changes(profile: Profile, before: BatchEntry) -> Section:
    """Show what changed, the greatest change first."""
    last = Profile.from_json(before.profile, where=f"the profile of {before.name}")
    pairs = [(column, past) for column in profile.columns if (past := last.column(column.name))]
    pairs.sort(key=lambda pair: _change(*pair), reverse=True)
    rows = [(now.name, _share(past), _share(now), _middle(past), _middle(now), past.distinct, now.distinct) for now, past in pairs]
    columns = ("column", "missing then", "now", "median then", "now ", "distinct then", "now  ")
    told = f"Then: {counted(last.rows, 'row')} of {before.name}, taken {minute(before.decided_at)} UTC; now: {profile.rows:,}."
    table = Table("Columns, the greatest change first", columns, rows, numeric=columns[1:3])
    return Section("What changed since the last batch", (Text(told), table))


def _change(now: ColumnProfile, past: ColumnProfile) -> float:
    """Measure a move of the median in spreads, and a change of the missing share."""
    moved = 0.0
    if now.quantiles and past.quantiles and past.spread:
        moved = abs(now.quantiles[50] - past.quantiles[50]) / past.spread
    return moved + abs(_missing(now) - _missing(past))


def _missing(column: ColumnProfile) -> float:
    rows = column.missing + column.infinite + column.present
    return column.missing / rows if rows else 0.0


def _share(column: ColumnProfile) -> str:
    return f"{_missing(column):.1%}"


def _middle(column: ColumnProfile) -> Cell:
    if column.pii:
        return "not kept"
    if column.quantiles:
        return column.quantiles[50] if column.kind == "number" else _moment(column.quantiles[50])
    return shorten(column.frequent[0][0], 40) if column.frequent else None


def _moment(microseconds: float) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).strftime("%Y-%m-%d %H:%M")


def _columns(profile: Profile) -> Section:
    rows = [(c.name, c.kind, _share(c), c.distinct, _shown(c, c.minimum), _middle(c), _shown(c, c.maximum)) for c in profile.columns]
    columns = ("column", "kind", "missing", "distinct", "least", "middle", "most")
    return Section("Columns", (Table(f"Values of {counted(profile.rows, 'row')}", columns, rows, numeric=("missing",)),))


def _shown(column: ColumnProfile, value: float | None) -> Cell:
    if column.pii:
        return "not kept"
    return _moment(value) if column.kind == "date" and value is not None else value
