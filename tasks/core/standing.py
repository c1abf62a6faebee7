"""Where a use case stands, and why: who is champion since when, what was refused, what waits, what is broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.core.champions import anchor_of, promoting
from tasks.core.decisions import CROWNING, GATE_ROWS, WAITING, broken_link, hold_of
from tasks.core.errors import UsageError
from tasks.core.monitoring import BLOCKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tasks.core.champions import Epoch
    from tasks.core.decisions import Entry
    from tasks.core.deliveries import BatchEntry

SHOWN_REFUSALS = 5
SHOWN_EVENTS = 15
SHOWN_METRICS = 4
SHOWN_DIGITS = 12
MAX_REASON = 160
UNASKED = ("not applicable", "skipped")
STORY = {
    "promote": "version {} is promoted",
    "approve": "version {} is approved",
    "rollback": "back to version {}",
    "restore": "version {} comes back",
    "gate": "version {} is refused",
    "refuse": "version {} is refused",
    "reject": "version {} is rejected",
    "release": "the hold ends",
    "monitor": "a look blocks",
}
MADE_BY = {"promote": "promoted by the gate", "approve": "approved", "rollback": "rolled back to", "restore": "restored by the monitor"}


@dataclass(frozen=True)
class Waiting:
    """A version that passed and waits for a person.

    Attributes:
        version: Which.
        until: The last day on which it may be promoted.
        is_over: Whether that day is past.
    """

    version: int
    until: str
    is_over: bool = False

    def told(self, use_case: str) -> str:
        """Say what a person can do with it."""
        if self.is_over:
            told = f"version {self.version} waited until {self.until}, and its rows say little of today"
            return f"{told}: python -m flows.train --use-case {use_case}"
        return f"version {self.version} waits until {self.until}: {promoting(use_case, self.version)}"


@dataclass(frozen=True)
class Standing:
    """Where a use case stands.

    Attributes:
        use_case: Its name.
        line: The champions so far, the first one first.
        entries: All decisions on its versions.
        waiting: Versions that passed and wait for a person, the last one first.
        held: Batches that wait for a person.
        problems: What is broken, each in one sentence.
        warnings: What can no longer be done, though nothing is broken.
    """

    use_case: str
    line: tuple[Epoch, ...] = ()
    entries: tuple[Entry, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    held: tuple[BatchEntry, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def hold(self) -> Entry | None:
        """Give the rollback that keeps automatic promotions away."""
        return hold_of(self.entries)

    @property
    def last_gate(self) -> Entry | None:
        """Give the last judgement on a challenger."""
        return next((entry for entry in reversed(self.entries) if entry.kind == "gate"), None)

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        champion, last, hold = self.line[-1] if self.line else None, self.last_gate, self.hold
        return {
            "use_case": self.use_case,
            "champion": {"version": champion.version, "since": champion.decided_at, "code": champion.code} if champion else None,
            "metrics": metrics_of(self.entries, champion.version) if champion else {},
            "hold": {"by": hold.who, "since": hold.decided_at, "because": hold.because} if hold else None,
            "waiting": [waiting.version for waiting in self.waiting if not waiting.is_over],
            "waits": [{**vars(waiting)} for waiting in self.waiting],
            "last": {"version": last.version, "at": last.decided_at, "code": last.code, "reason": last.reason} if last else None,
            "held_batches": [entry.name for entry in self.held],
            "problems": list(self.problems),
            "warnings": list(self.warnings),
        }

    def as_text(self) -> str:
        """Give what a person reads: who is champion first, then only what asks for attention."""
        told = [f"{self.use_case:<16} {self._champion()}"]
        if self.hold:
            told.append(f"on hold by {self.hold.who} since {minute(self.hold.decided_at)}: {self.hold.because}")
        last = self.last_gate
        told_anyway = {*(epoch.version for epoch in self.line[-1:]), *(waiting.version for waiting in self.waiting)}
        if last and last.version not in told_anyway:
            told.append(f"last challenger: version {last.version}, {last.code.replace('_', ' ')}: {_short(last.reason)}")
        told += [waiting.told(self.use_case) for waiting in self.waiting]
        told += [f"batch {entry.name} is held: {_short('; '.join(entry.reasons[:-1]))}; {entry.reasons[-1]}" for entry in self.held]
        told += [f"BROKEN: {problem}" for problem in self.problems]
        told += [f"warning: {warning}" for warning in self.warnings]
        return f"\n{'':<17}".join(told)

    def _champion(self) -> str:
        if not self.line:
            return "no champion yet" if self.entries else "never trained"
        now = self.line[-1]
        measured = [f", {name} {_span(interval)}" for name, interval in metrics_of(self.entries, now.version).items()]
        return f"version {now.version} since {minute(now.decided_at)} ({now.code.replace('_', ' ')}){''.join(measured[:1])}"


@dataclass(frozen=True)
class Explanation:
    """Why a version is, was, or is not champion.

    Attributes:
        standing: Of the use case.
        version: Which.
        epochs: When it was champion, as (from, until); until is empty while it is.
        judged: Its judgement by the gate; None where it never came before it.
        params: Of the run that made it.
        environment: The packages that it was made with.
        commit: Of the code that made it; empty where that was no checkout.
        later: What gate and persons refused or held back while it was champion.
        at: The moment that is asked about, in UTC; empty: now.
    """

    standing: Standing
    version: int
    epochs: tuple[tuple[str, str], ...]
    judged: Entry | None
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: tuple[str, ...] = ()
    commit: str = ""
    later: tuple[Entry, ...] = ()
    at: str = ""

    @property
    def made(self) -> Entry | None:
        """Give the decision that made it champion: the last time, or for the reign of the moment that is asked about."""
        line = self.standing.line
        last = max((place for place, epoch in enumerate(line) if epoch.version == self.version), default=-1)
        place = place_at(line, self.at) if self.at else last
        crowned = [entry for entry in self.standing.entries if entry.kind in CROWNING]
        place -= len(line) - len(crowned)  # champions of older homes come before all decisions
        return crowned[place] if 0 <= place < len(crowned) else None

    @property
    def _known(self) -> Sequence[Entry]:
        """Give the decisions of before the moment that is asked about."""
        return [entry for entry in self.standing.entries if not self.at or entry.decided_at <= self.at]

    @property
    def own(self) -> list[Entry]:
        """Give what persons were refused of this version, and their rejections of it."""
        return [entry for entry in self._known if entry.kind in ("refuse", "reject") and entry.version == self.version]

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        anchor = anchor_of(self.standing.line)
        return {
            "use_case": self.standing.use_case,
            "version": self.version,
            "champion": [{"from": start, "until": end or None} for start, end in self.epochs],
            "made_by": _document(self.made),
            "waived": [*self.waived],
            "judged": _document(self.judged),
            "evidence": {name: value for name, value in self._inputs.items() if name != GATE_ROWS},
            "params": dict(self.params),
            "environment": list(self.environment),
            "commit": self.commit,
            "anchor": anchor.version if anchor else None,
            "refused_since": [_document(entry) for entry in self.later],
            "refused": [_document(entry) for entry in self.own],
            "hold": _document(hold_of(self._known)),
            "history": [_document(entry) for entry in self.history],
            "problems": list(self.standing.problems),
            "at": self.at or None,
        }

    @property
    def history(self) -> list[Entry]:
        """Give how the use case came to where it was: champions, what was refused, and damage that a look met, of alike looks the first."""
        crowned = {epoch.version for epoch in self.standing.line}
        told: list[Entry] = []
        for entry in self._known:
            is_told = entry.code in BLOCKING if entry.kind == "monitor" else entry.kind in STORY
            is_refusal = entry.kind != "gate" or entry.version not in crowned
            is_again = bool(told) and entry.kind == "monitor" and (told[-1].kind, told[-1].reason) == (entry.kind, entry.reason)
            if is_told and is_refusal and not is_again:
                told.append(entry)
        return told

    def _history(self) -> list[str]:
        before = len(self.history) - SHOWN_EVENTS
        more = [f"{before} earlier ones are in --json"] if before > 0 else []
        shown = self.history[-SHOWN_EVENTS:]
        lines = [
            f"{minute(entry.decided_at)}  {_event(entry)}: {_short(entry.because or entry.reason.partition('; to pass')[0])}"
            for entry in shown
        ]
        return [f"{'' if place else 'history':<11} {line}" for place, line in enumerate([*more, *lines])]

    @property
    def _inputs(self) -> Mapping[str, Any]:
        return self.judged.inputs if self.judged else {}

    def as_text(self) -> str:
        """Give what a person reads."""
        name = self.standing.use_case
        told = [f"version {self.version} of {name}", *self._succession(), *self._waived(), *self._origin(), *self._checks()]
        told += [f"{_word(entry):<11} on {second(entry.decided_at)}: {entry.reason}" for entry in self.own[-SHOWN_REFUSALS:]]
        told += [f"{_word(e):<11} version {e.version} on {second(e.decided_at)}: {e.reason}" for e in self.later[-SHOWN_REFUSALS:]]
        if hold := hold_of(self._known):
            told.append(f"hold        {hold.reason}" + ("" if self.at else f"; python -m flows.rollback --use-case {name} --release"))
        told += self._history() if self.epochs and not self.epochs[-1][1] and not self.at else []
        if self.epochs and not self.epochs[-1][1] and len(self.standing.line) > 1 and not self.at:
            told.append(f"go back     python -m flows.rollback --use-case {name} --because TEXT")
        told += [f"BROKEN      {problem}" for problem in self.standing.problems]
        return "\n".join(told)

    def _succession(self) -> list[str]:
        if not self.epochs:
            return ["champion    never" + (f": {self.judged.reason}" if self.judged else ": it never came before the gate")]
        spans = [_span_of(start, end) for start, end in self.epochs]
        why = f"{MADE_BY[self.made.kind]} ({self.made.who}): {self.made.because or self.made.reason}" if self.made else ""
        if not self.at:
            return [f"champion    {'; '.join(spans)}" + (f", {why}" if why else "")]
        line = self.standing.line
        then = _span_of(*spans_of(line)[place_at(line, self.at)])
        others = [f"also        {'; '.join(span for span in spans if span != then)}"] if len(spans) > 1 else []
        return [f"champion    at {second(self.at)}: {then}" + (f", {why}" if why else ""), *others]

    @property
    def waived(self) -> dict[str, str]:
        """Give what a person waived when this version was approved the last time, by the code of the check."""
        approved = next((entry for entry in reversed(self._known) if entry.kind == "approve" and entry.version == self.version), None)
        inputs: Mapping[str, Any] = approved.inputs if approved else {}
        checks: list[Mapping[str, str]] = inputs.get("checks", [])
        return {check["code"]: f"{check['value']} (limit: {check['limit']})" for check in checks if check["outcome"] == "waived"}

    @property
    def begun(self) -> Entry | None:
        """Give the row of the training that made it; None in ledgers that are older than these rows."""
        run_id = self._inputs.get("run_id")
        return next((entry for entry in self.standing.entries if entry.kind == "train" and entry.inputs["run_id"] == run_id), None)

    def _waived(self) -> list[str]:
        return [f"waived      {code.replace('_', ' ')}: {told}" for code, told in self.waived.items()]

    def _origin(self) -> list[str]:
        inputs, params = self._inputs, self.params
        told: list[str] = []
        if inputs:
            snapshot, rows = inputs["snapshot"][:SHOWN_DIGITS], inputs["rows"]
            told += [f"trained     {second(begun.decided_at)} by {begun.who} ({begun.code})"] if (begun := self.begun) else []
            told.append(f"made from   {inputs['source']}, snapshot {snapshot}, {rows['fit']:,} rows fitted, {rows['gate']:,} judged")
        if "candidate" in params:
            told.append(f"recipe      {params['candidate']} for {params['target']} ({params['task']}), seed {params['seed']}")
        code = f"commit {self.commit[:SHOWN_DIGITS]}; " if self.commit else ""
        return [*told, f"made with   {code}{', '.join(self.environment)}"]

    def _checks(self) -> list[str]:
        metrics = [f"{name} {_span(interval)}" for name, interval in metrics_of(self.standing.entries, self.version).items()]
        measured = [f"measured    {', '.join(metrics[:SHOWN_METRICS])}"] if metrics else []
        asked: list[Mapping[str, str]] = self._inputs.get("checks", [])
        checks = [f"{_named(check)}: {check['outcome']}, {check['value']}" for check in asked if check["outcome"] not in UNASKED]
        if others := [f"{_named(check)} ({check['outcome']})" for check in asked if check["outcome"] in UNASKED]:
            checks.append(", ".join(others))
        return measured + [f"{'gate' if not place else '':<11} {check}" for place, check in enumerate(checks)]


def metrics_of(entries: Sequence[Entry], version: int) -> dict[str, Mapping[str, float | None]]:
    """Give what the gate rows said of a version, by metric."""
    judged = next((entry for entry in reversed(entries) if entry.kind == "gate" and entry.version == version), None)
    inputs: Mapping[str, Any] = judged.inputs if judged else {}
    return inputs.get("metrics", {})


def champion_at(line: Sequence[Epoch], at: datetime, use_case: str) -> int:
    """Say who was champion at a moment.

    Raises:
        UsageError: nobody was.
    """
    place = place_at(line, at.isoformat())
    if place < 0:
        first = f"; the first one came at {line[0].decided_at}" if line else ""
        message = f"{use_case} had no champion at {at.isoformat()}{first}"
        raise UsageError(message, where="--at")
    return line[place].version


def place_at(line: Sequence[Epoch], at: str) -> int:
    """Give the place in the line of whoever was champion at a moment; -1 where nobody was."""
    from datetime import datetime

    moment = datetime.fromisoformat(at)
    return max((place for place, epoch in enumerate(line) if datetime.fromisoformat(epoch.decided_at) <= moment), default=-1)


def reigns(line: Sequence[Epoch], version: int) -> tuple[tuple[str, str], ...]:
    """Say from when until when a version was champion; until is empty while it is."""
    return tuple(span for epoch, span in zip(line, spans_of(line), strict=True) if epoch.version == version)


def spans_of(line: Sequence[Epoch]) -> list[tuple[str, str]]:
    """Say from when until when each reign lasted; until is empty for the last one."""
    ends = [*(epoch.decided_at for epoch in line), ""][1:]
    return [(epoch.decided_at, end) for epoch, end in zip(line, ends, strict=True)]


def refused_after(entries: Sequence[Entry], line: Sequence[Epoch], version: int, at: str = "") -> tuple[Entry, ...]:
    """List what gate and persons refused or held back while a version was champion, or in its reign of a moment, until then."""
    crowned = {epoch.version for epoch in line}
    spans = [(spans_of(line)[place_at(line, at)][0], at)] if at else reigns(line, version)

    def met(entry: Entry) -> bool:
        return any(start <= entry.decided_at and (not end or entry.decided_at <= end) for start, end in spans)

    def is_refusal(entry: Entry) -> bool:
        return entry.kind in ("refuse", "reject") or (entry.kind == "gate" and entry.version not in crowned)

    return tuple(entry for entry in entries if is_refusal(entry) and entry.version != version and met(entry))


def chain_problems(entries: Sequence[Entry], line: Sequence[Epoch]) -> list[str]:
    """Say what is wrong with decisions by themselves: a past that was changed, a champion that never passed."""
    told: list[str] = []
    if broken := broken_link(entries):
        told.append(f"row {broken.number} of the ledger was changed, or rows before it are gone; restore the ledger from a backup")
    crowned = [entry.version for entry in entries if entry.kind in CROWNING]
    if entries and line and line[-1].version not in crowned:
        told.append(f"version {line[-1].version} is champion, and no decision made it one; restore the ledger from a backup")
    elif crowned != [epoch.version for epoch in line][len(line) - len(crowned) :]:  # champions of older homes come before all decisions
        told.append("the champions of the ledger are not those that its decisions made; restore the ledger from a backup")
    return told


def _document(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    told: dict[str, object] = {"kind": entry.kind, "version": entry.version, "code": entry.code, "reason": entry.reason}
    return told | {"who": entry.who, "at": entry.decided_at, "because": entry.because}


def _named(check: Mapping[str, str]) -> str:
    return check["code"].replace("_", " ")


def _span(interval: Mapping[str, float | None]) -> str:
    value, low, high = (interval.get(name) for name in ("value", "low", "high"))
    return "–" if value is None else f"{value:.4g}" + ("" if low is None or high is None else f" ({low:.4g} to {high:.4g})")


def _word(entry: Entry) -> str:
    if entry.kind == "reject":
        return "rejected"
    return "held back" if entry.kind == "gate" and entry.code in WAITING else "refused"


def _event(entry: Entry) -> str:
    is_held_back = entry.kind == "gate" and entry.code in WAITING
    return f"version {entry.version} is held back" if is_held_back else STORY[entry.kind].format(entry.version)


def _span_of(start: str, end: str) -> str:
    return f"from {second(start)} until {second(end) if end else 'now'}"


def second(moment: str) -> str:
    """Give a moment of ISO 8601 text as people write it, to the second."""
    return moment[:19].replace("T", " ")


def minute(moment: str) -> str:
    """Give a moment of ISO 8601 text as people write it, to the minute."""
    return moment[:16].replace("T", " ")


def _short(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
