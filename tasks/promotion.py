"""Verbs on who is champion: promotion by the gate or by a person, rejection, rollback, release.

The ledger decides by one INSERT, the aliases follow it. Whatever fails on the way leaves the champion as it was.
"""

from __future__ import annotations

import json
import logging
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import home, ledger, models, snapshots
from tasks.adapters.tracking import model_registry, runs
from tasks.core import decisions, gate
from tasks.core.champions import SHIPPED_FILE, Epoch, earlier_champion, promoting
from tasks.core.checks import CAN_BE_WAIVED
from tasks.core.decisions import Entry
from tasks.core.errors import EvergreenError, StoreError, UsageError
from tasks.core.succession import SuccessionReport
from tasks.record import task
from tasks.versions import entry_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from sklearn.pipeline import Pipeline

    from tasks.core.champions import Version
    from tasks.core.decisions import Entry, Kind
    from tasks.core.evidence import ChampionFit, Evidence
    from tasks.core.gate import Decision
    from tasks.core.options import PromoteOptions
    from tasks.core.snapshot import Case, Study

SMOKE_ROWS = 200
CROWN_TRIES = 100
log = logging.getLogger("evergreen")


@task
def promote(
    study: Study, shipped: Pipeline, version: Version, evidence: Evidence, decision: Decision, champion: ChampionFit | None
) -> Decision:
    """Make a version that passed champion, once a fresh process has loaded it and predicts the same."""
    case = study.case
    decision = gate.begun_anew(decision) if champion and not champion.rival else decision
    if decision.verdict == "promoted":
        decision = gate.with_check(decision, smoke(study, shipped, version), has_champion=champion is not None)
    if decision.verdict == "promoted":
        decision = _wait_for_a_person(case, version, decision)
    inputs = {"run_id": version.run_id, "source": study.snapshot.source, "snapshot": study.snapshot.digest, "lake": study.snapshot.lake}
    judged = write(case, "gate", version.number, decision, {**inputs, **_files(version), **evidence.as_json(decision, champion)})
    if decision.verdict == "promoted":
        epoch = _epoch(case, version, decision, study.snapshot.lake, champion.epoch + 1 if champion else 1)
        by_gate = entry_of(case, "promote", version.number, decision.code, decision.reason, inputs={"gate": judged.number})
        if not crown(case, epoch, by_gate):
            decision = gate.superseded(decision)
    _note_head(case)
    with _decided_already():
        model_registry.tag_decision(case.name, version.number, decision.code, decision.reason)
        runs.log_text(json.dumps(decision.as_json(), indent=1), "decision.json")
    record.publish_text(f"{case.name}-decision", evidence.as_markdown(decision, f"version {version.number} of {case.name}"))
    log.info("%s: %s", decision.verdict, decision.reason)
    return decision


def _wait_for_a_person(case: Case, version: Version, decision: Decision) -> Decision:
    """Keep the champion where a person rolled back, or wants to approve each version."""
    promote = promoting(case.name, version.number)
    if hold := _hold(case):
        told = f"{hold.who} rolled back to version {hold.version}: {hold.because}"
        return gate.held(decision, f"it passed, but {told}; promote it with `{promote}`, or let the gate decide again with --release")
    if case.use_case.gate.approval:
        return gate.awaiting(decision, f"it passed and waits for a person: `{promote}`")
    return decision


def crown(case: Case, epoch: Epoch, entry: Entry, *more: Entry) -> bool:
    """Make a version champion unless another one took its epoch, and let the aliases follow the ledger."""
    known = replace(entry, inputs={**entry.inputs, decisions.MANIFEST: dict(epoch.manifest)})
    is_crowned = ledger.crown(case.settings.ledger_address, epoch, known, *more)
    _note_head(case)
    return is_crowned


def _note_head(case: Case) -> None:
    """Let aliases and the champion's seal follow the ledger; where there is no champion, or none that is there, nothing follows."""
    with _decided_already():
        versions.settled_line(case)


@contextmanager
def _decided_already() -> Generator[None]:
    """Go on where the registry does not follow a decision that stands: whoever failed now would decide a second time."""
    try:
        yield
    except StoreError as error:
        log.warning("the decision stands in the ledger, and the registry follows with the next run: %s", error.message)


def write(case: Case, kind: Kind, version: int, decision: Decision, inputs: dict[str, object]) -> Entry:
    """Write a decision into the ledger."""
    return ledger.decide(case.settings.ledger_address, entry_of(case, kind, version, decision.code, decision.reason, inputs=inputs))


def _files(version: Version) -> dict[str, object]:
    return {decisions.MANIFEST: dict(version.manifest)}


def _epoch(case: Case, version: Version, decision: Decision, lake: str, number: int) -> Epoch:
    return Epoch(
        use_case=case.name,
        epoch=number,
        version=version.number,
        run_id=version.run_id,
        code=decision.code,
        reason=decision.reason,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        manifest=version.manifest,
        lake=lake,
    )


def smoke(study: Study, shipped: Pipeline, version: Version) -> gate.Check:
    """Ask whether a fresh process that sees only the registered bytes predicts what this process does."""
    log.info("loading version %s in a fresh process", version.number)
    df = snapshots.read(study.snapshot.path)
    rows = df[study.schema.features].iloc[study.split.gate[:SMOKE_ROWS]].reset_index(drop=True)
    try:
        content, sha256, _ = versions.file_of(study.case.name, version, SHIPPED_FILE)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.skops"
            model.write_bytes(content)
            found = models.smoke_digest(model, sha256, snapshots.write(rows, Path(folder), "rows"))
    except EvergreenError as error:
        return gate.check_loads(error.message)
    return gate.check_loads("" if found == models.prediction_digest(models.predict(shipped, rows)) else "it predicts something else there")


def find_waiting(case: Case, number: int | None) -> Version:
    """Find the version that a person decides on: the one that is named, or the last one that waits.

    Raises:
        UsageError: there is no such version, none waits, or it is champion.
    """
    line = versions.settled_line(case)
    if number is None:
        number = next((number for number in _waiting(case) if model_registry.get_version(case.name, number)), None)
        if number is None:
            message = f"no version of {case.name} waits for a person; name one"
            raise UsageError(message, where="version")
    found = versions.find_version(case.settings.ledger_address, case.name, line, number)
    if line and line[-1].version == found.number:
        message = f"version {found.number} of {case.name} is champion already"
        raise UsageError(message, where="version")
    return found


def check_word(case: Case, version: Version, options: PromoteOptions) -> None:
    """Refuse a word that cannot be taken, before anything is judged again.

    Raises:
        UsageError: nobody says why, what is waived cannot be, or the version was judged so long ago that its rows say little of today.
    """
    _reason(options.because, f"version {version.number} shall become champion")
    gate.refuse_waivers(options.waive, CAN_BE_WAIVED)
    judged = ledger.last_decision(case.settings.ledger_address, case.name, ("gate",), version.number)
    if judged is None:
        message = f"version {version.number} of {case.name} never came before the gate; train again"
        raise UsageError(message, where="version")
    days = (datetime.now(UTC) - datetime.fromisoformat(judged.decided_at)).days
    if days > case.use_case.gate.approval_days:
        message = f"version {version.number} of {case.name} was judged {days} days ago, and gate.approval_days is"
        raise UsageError(f"{message} {case.use_case.gate.approval_days}; train again, so that newer rows judge", where="version")


@task
def approve(
    study: Study,
    shipped: Pipeline,
    version: Version,
    evidence: Evidence,
    champion: ChampionFit | None,
    decision: Decision,
    because: str,
) -> SuccessionReport:
    """Make a version champion if it passed the gate now."""
    case = study.case
    decision = gate.begun_anew(decision) if champion and not champion.rival else decision
    if decision.verdict == "promoted":
        decision = gate.with_check(decision, smoke(study, shipped, version), has_champion=champion is not None)
    before, hold = champion.rival.version if champion and champion.rival else None, _hold(case)
    inputs = {"run_id": version.run_id, "from": before, **evidence.as_json(decision, champion)}
    word = entry_of(case, "approve", version.number, decision.code, decision.reason, because=because.strip(), inputs=inputs)
    if decision.verdict == "promoted":
        epoch = _epoch(case, version, decision, version.lake, champion.epoch + 1 if champion else 1)
        decision = decision if crown(case, epoch, word) else gate.superseded(decision)
    if decision.verdict != "promoted":
        refused = replace(word, kind="refuse", code=decision.code, reason=decision.reason, inputs={**inputs, "verdict": decision.verdict})
        ledger.decide(case.settings.ledger_address, refused)
        _note_head(case)
        return _report(case, version.number, before, decision)
    with _decided_already():
        model_registry.tag_decision(case.name, version.number, decision.code, decision.reason)
    ended = f"the hold of {hold.who} on version {hold.version} is over: the gate promotes by itself again" if hold else ""
    return _report(case, version.number, before, decision, ended)


@task
def reject(case: Case, version: Version, because: str) -> SuccessionReport:
    """Take note that a version shall not become champion.

    Raises:
        UsageError: nobody says why.
    """
    because = _reason(because, f"version {version.number} is rejected")
    decision = gate.Decision("rejected", "kept", (f"{home.person()} rejected it: {because}",))
    entry = entry_of(case, "reject", version.number, decision.code, decision.reason, because=because)
    ledger.decide(case.settings.ledger_address, entry)
    _note_head(case)
    with _decided_already():
        model_registry.tag_decision(case.name, version.number, decision.code, decision.reason)
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    return _report(case, version.number, line[-1].version if line else None, decision)


@task
def roll_back(case: Case, number: int | None, because: str) -> SuccessionReport:
    """Make an earlier champion, or a version that passed the gate, champion again, and hold it.

    Raises:
        UsageError: nobody says why, there is no such version, or it never passed the gate.
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    for _ in range(CROWN_TRIES):
        line = ledger.line_of_champions(case.settings.ledger_address, case.name)
        target = earlier_champion(line, number, _passed(case), case.name)
        told = _reason(because, f"version {target} comes back")
        version = versions.find_version(case.settings.ledger_address, case.name, line, target)
        models.load(*versions.file_of(case.name, version, SHIPPED_FILE))
        versions.load_rival(case, version)
        decision = gate.Decision("rollback", "promoted", (f"{home.person()} rolled back from version {line[-1].version}: {told}",))
        epoch = _epoch(case, version, decision, version.lake, line[-1].epoch + 1)
        inputs: dict[str, object] = {"run_id": version.run_id, "from": line[-1].version}
        came_back, held = (
            entry_of(case, kind, target, decision.code, decision.reason, because=told, inputs=inputs) for kind in ("rollback", "hold")
        )
        if crown(case, epoch, came_back, held):
            record.publish_text(f"{case.name}-decision", f"**rolled back** to version {target}\n\n{decision.reason}")
            return _report(case, target, line[-1].version, decision)
    message = f"others changed the champion of {case.name} {CROWN_TRIES} times meanwhile; try again"
    raise StoreError(message, where=case.name)


@task
def restore(case: Case, number: int, reasons: tuple[str, ...]) -> bool:
    """Make an earlier champion champion again because it is better on newer rows; says whether it is, for another may have come first.

    Raises:
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    version = versions.find_version(case.settings.ledger_address, case.name, line, number)
    models.load(*versions.file_of(case.name, version, SHIPPED_FILE))
    versions.load_rival(case, version)
    decision = gate.Decision("restored", "promoted", reasons)
    epoch = _epoch(case, version, decision, version.lake, line[-1].epoch + 1)
    inputs: dict[str, object] = {"run_id": version.run_id, "from": line[-1].version}
    return crown(case, epoch, entry_of(case, "restore", number, decision.code, decision.reason, inputs=inputs))


@task
def release(case: Case, because: str) -> SuccessionReport:
    """Let the gate promote again.

    Raises:
        UsageError: nothing is held.
    """
    line, held = versions.settled_line(case), _hold(case)
    if held is None:
        message = f"no hold is on {case.name}: the gate promotes what passes"
        raise UsageError(message, where="--release")
    decision = gate.Decision("released", "unchanged", (f"{home.person()} released the hold on version {held.version}",))
    entry = entry_of(case, "release", held.version, decision.code, decision.reason, because=because)
    ledger.decide(case.settings.ledger_address, entry)
    _note_head(case)
    return _report(case, held.version, line[-1].version, decision, _told_of_waiting(case))


def _told_of_waiting(case: Case) -> str:
    """Say which version passed while no version became champion by itself; empty where none did."""
    number = next(iter(_waiting(case)), None)
    if number is None:
        return ""
    return f"version {number} passed meanwhile and still waits: `{promoting(case.name, number)}`, or train on newer rows"


def _waiting(case: Case) -> list[int]:
    return [entry.version for entry in decisions.waiting_of(ledger.decisions(case.settings.ledger_address, case.name, decisions.JUDGING))]


def _hold(case: Case) -> Entry | None:
    return decisions.as_hold(ledger.last_decision(case.settings.ledger_address, case.name, decisions.HOLDING))


def _passed(case: Case) -> set[int]:
    """Give the versions that passed the gate."""
    return decisions.passed_versions(ledger.decisions(case.settings.ledger_address, case.name, decisions.JUDGING))


def _reason(because: str, what: str) -> str:
    if not because.strip():
        message = f"say why {what}: --because TEXT, or Because in the form"
        raise UsageError(message, where="--because")
    return because.strip()


def _report(case: Case, version: int, before: int | None, decision: Decision, note: str = "") -> SuccessionReport:
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    hold = _hold(case)
    told = f"since {hold.decided_at} by {hold.who}: {hold.because}; release it with --release" if hold else ""
    log.info("%s: %s", decision.code.replace("_", " "), decision.reason)
    return SuccessionReport(case.name, version, line[-1].version if line else None, before, decision, told, note)
