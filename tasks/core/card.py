"""The model card of a version: what it is for, what it was made from, how well it does and where not, who decided what.

After Mitchell et al., Model Cards for Model Reporting (2019).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tasks.core.decisions import CROWNING
from tasks.core.markdown import as_markdown
from tasks.core.names import counted
from tasks.core.page import Badge, Facts, Page, Section, Table, Text, Verdict, render
from tasks.core.standing import MADE_BY, minute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.core.champions import Version
    from tasks.core.decisions import Entry
    from tasks.core.page import Cell, Tone
    from tasks.core.scoring import Input
    from tasks.core.use_case import About, UseCase

SHOWN = 10
MOST_DESCRIBED = 5_000  # characters, in the database of MLflow
UNTOLD = "not told; say it under `card:` in the use case's file."
RECIPE_KEYS = ("candidate", "loss", "seed", "is_calibrated", "threshold")


@dataclass(frozen=True)
class Card:
    """All that is told of a version.

    Attributes:
        use_case: What its file says today.
        version: What the registry knows.
        epochs: When it was champion, as (from, until); until is empty while it is.
        decisions: On this version, the first one first.
        params: Of the run that made it.
        explanation: What that run kept of what to distrust, what the model depends on, and where it errs.
        inputs: The columns that it asks for.
        environment: The packages that it was made with.
        commit: Of the code that made it; empty where that was no checkout.
        files: Where the card was written; empty where it was not.
    """

    use_case: UseCase
    version: Version
    epochs: tuple[tuple[str, str], ...]
    decisions: tuple[Entry, ...]
    params: Mapping[str, str]
    explanation: Mapping[str, Any]
    inputs: tuple[Input, ...]
    environment: tuple[str, ...]
    commit: str
    files: tuple[str, ...] = field(default=())

    @property
    def judged(self) -> Mapping[str, Any]:
        """Give what the gate had before it when it judged this version the last time."""
        found = next((entry for entry in reversed(self.decisions) if entry.kind == "gate"), None)
        return found.inputs if found else {}

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        judged = self.judged
        return {
            "use_case": self.use_case.name,
            "version": self.version.number,
            "about": self.use_case.card.model_dump() | {"description": self.use_case.description},
            "target": self.version.attempt.target,
            "task": self.version.attempt.task,
            "inputs": [vars(column) for column in self.inputs],
            "personal": list(self.use_case.pii),
            "data": {name: judged.get(name) for name in ("source", "rows")} | {"snapshot": self.version.attempt.snapshot},
            "metrics": judged.get("metrics", {}),
            "checks": judged.get("checks", []),
            "explanation": dict(self.explanation),
            "champion": [{"from": start, "until": end or None} for start, end in self.epochs],
            "params": dict(self.params),
            "environment": list(self.environment),
            "commit": self.commit,
            "files": dict(self.version.manifest),
            "pages": list(self.files),
        }

    def as_text(self) -> str:
        """Give it as Markdown."""
        return as_markdown(build_page(self))

    def as_description(self) -> str:
        """Give the first sections of it, as many as a registry takes."""
        lasting = replace(self, epochs=())  # written once, when it is judged: whether it is champion is told by the aliases
        told, more = lasting.as_text(), f"\n\nThe whole card: `python -m flows card {self.version.number} --use-case {self.use_case.name}`"
        while len(told) + len(more) > MOST_DESCRIBED:
            told = told.rpartition("\n\n")[0]
        return told + more

    def as_html(self) -> str:
        """Give it as a page."""
        return render(build_page(self))


def build_page(card: Card) -> Page:
    """Give the card as a page without figures; of personal columns it shows no values."""
    attempt = card.version.attempt
    judged = card.judged
    return Page(
        title=f"{card.use_case.name}, version {card.version.number}: model card",
        verdict=_verdict(card),
        sections=(
            Section("What it is", (*_described(card.use_case), _details(card))),
            Section("Use", (_use(card.use_case.card),)),
            Section("Data", (Facts(_data(card)), _columns(card))),
            Section("How well it does", (*_metrics(judged), *_checks(judged))),
            *_explained(card),
            Section("What was decided", (_decisions(card.decisions),)),
            Section("Where it comes from", (Facts(_origin(card)), _files(card))),
        ),
        footer=f"Evergreen · {card.use_case.name} · snapshot {attempt.snapshot} · run {card.version.run_id}",
    )


def _verdict(card: Card) -> Verdict:
    if card.epochs and not card.epochs[-1][1]:
        return Verdict("good", "Champion", f"since {minute(card.epochs[-1][0])}")
    tone: Tone = "neutral"
    if card.epochs:
        return Verdict(tone, "Former champion", f"from {minute(card.epochs[-1][0])} until {minute(card.epochs[-1][1])}")
    last = card.decisions[-1] if card.decisions else None
    if last and last.kind in CROWNING:
        return Verdict(tone, "Promoted", last.reason)
    return Verdict(tone, "Never champion", last.reason if last else "it never came before the gate")


def _described(use_case: UseCase) -> list[Text]:
    return [Text(use_case.description)] if use_case.description else []


def _use(about: About) -> Facts | Text:
    asked = [("Meant for", about.intended_use), ("Not meant for", about.out_of_scope)]
    asked += [("To be considered", about.considerations), ("Responsible", about.owner)]
    told = [(name, text) for name, text in asked if text]
    return Facts(told) if told else Text(f"What it is meant for, and who answers for it: {UNTOLD}")


def _details(card: Card) -> Facts:
    params, attempt = card.params, card.version.attempt
    recipe = ", ".join(f"{name.replace('_', ' ')} {params[name]}" for name in RECIPE_KEYS if name in params)
    weights = {name.partition("/")[2]: share for name, share in params.items() if name.startswith("weight/")}
    made_of = [("Average of", ", ".join(f"{name} {share}" for name, share in weights.items()))] if weights else []
    settings = {name.partition("/")[2]: value for name, value in params.items() if name.startswith("settings/")}
    set_to = [("Settings", ", ".join(f"{name} = {value}" for name, value in settings.items()))] if settings else []
    return Facts((("Predicts", f"{attempt.target} ({attempt.task})"), ("Recipe", recipe), *made_of, *set_to))


def _data(card: Card) -> list[tuple[str, Cell]]:
    rows, params = card.judged.get("rows", {}), card.params
    told: list[tuple[str, Cell]] = [("Source", card.judged.get("source") or params.get("source", "unknown"))]
    told += [("Rows fitted", rows["fit"]), ("Gate rows, which no fit that is measured saw", rows["gate"])] if rows else []
    ordered = f"the latest rows by {params['time']}" if params.get("time") else "drawn by their hash"
    return [*told, ("Gate rows are", ordered), ("Snapshot", card.version.attempt.snapshot)]


def _columns(card: Card) -> Table:
    personal = set(card.use_case.pii)
    rows = [(column.name, column.type, "personal" if column.name in personal else "") for column in card.inputs]
    return Table("Columns that it asks for", ("column", "type", "note"), rows)


def _metrics(judged: Mapping[str, Any]) -> list[Table | Text]:
    rows = [(name, *(found.get(end) for end in ("value", "low", "high"))) for name, found in judged.get("metrics", {}).items()]
    if not rows:
        return [Text("It was never measured by the gate.")]
    return [Table("Judged fit on the gate rows, with 95 % intervals", ("metric", "value", "low", "high"), rows)]


def _checks(judged: Mapping[str, Any]) -> list[Table]:
    rows = [
        (check["code"].replace("_", " "), Badge(check["outcome"]), check["value"], check["limit"]) for check in judged.get("checks", [])
    ]
    return [Table("What the gate asked", ("check", "outcome", "found", "limit"), rows)] if rows else []


def _explained(card: Card) -> list[Section]:
    told = card.explanation
    doubts = [(doubt["code"].replace("_", " "), doubt["message"]) for doubt in told.get("warnings", [])]
    depends = [(each["feature"], each["value"], each["low"], each["high"]) for each in told.get("importance", [])[:SHOWN]]
    slices = [
        (f"{part['feature']}: {part['values']}", part["rows"], part["loss"]["value"]) for part in told.get("slices", []) if part["is_worse"]
    ]
    blocks = [Table("What to distrust", ("warning", "what was found, and what to do"), doubts)] if doubts else []
    if slices:
        blocks.append(Table("Parts of the gate rows that are worse than the rest beyond chance", ("part", "rows", "loss"), slices[:SHOWN]))
    if depends:
        columns = ("column", "rise of the loss", "low", "high")
        blocks.append(Table("What it depends on: rise of the loss when a column is shuffled among the gate rows", columns, depends))
    return [Section("Limits, and what it depends on", blocks)] if blocks else []


def _decisions(entries: Sequence[Entry]) -> Table:
    rows = [(minute(e.decided_at), MADE_BY.get(e.kind, e.kind), e.code.replace("_", " "), e.because or e.reason, e.who) for e in entries]
    return Table(f"{counted(len(rows), 'row')} of the ledger", ("when (UTC)", "what", "code", "why", "who"), rows)


def _origin(card: Card) -> list[tuple[str, Cell]]:
    name, number_ = card.use_case.name, card.version.number
    return [
        ("MLflow run", card.version.run_id),
        ("Code", card.commit or "no checkout"),
        ("Packages", ", ".join(card.environment)),
        ("Fit it again", f"python -m flows.reproduce {number_} --use-case {name}"),
    ]


def _files(card: Card) -> Table:
    return Table("Its files and their SHA-256", ("file", "digest"), [*card.version.manifest.items()])


def explanation_of(text: str) -> dict[str, Any]:
    """Read what a run kept beside its page; nothing where it kept none, or it is something else."""
    try:
        return dict(json.loads(text)) if text else {}
    except (ValueError, TypeError):
        return {}
