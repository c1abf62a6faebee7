"""Verbs that decide about a champion: what is to be done after a look, and who does it."""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tasks import record, versions
from tasks.adapters import home, ledger, models, snapshots
from tasks.core import candidates, decisions, gate, retraining, splits, windows
from tasks.core.champions import SHIPPED_FILE
from tasks.core.decisions import FAILED, Entry
from tasks.core.deployments import RETRAIN_WANTED
from tasks.core.errors import EvergreenError, StoreError
from tasks.core.lake.values import LakeSnapshot
from tasks.core.metrics import row_losses
from tasks.core.monitoring import Memory, with_rise
from tasks.core.names import counted
from tasks.core.retraining import Choice, Circumstances, Labelled
from tasks.core.scoring import fit_inputs
from tasks.core.snapshot import infer, split_at, target_of
from tasks.core.use_case import LAKE
from tasks.core.watching import columns_of
from tasks.post import footprint_of, losses_of, made_at, truth_of
from tasks.quick import Quick
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from tasks.core.monitoring import MonitorReport, Performance
    from tasks.core.options import TrainOptions
    from tasks.core.snapshot import Batch, Case
    from tasks.core.table import Schema
    from tasks.post import Post, Seen

R = TypeVar("R")
GIVEN_UP = timedelta(days=1)
LEAST_GROUPS = 2 * splits.FOLDS  # so that some are left for the gate and for each fold
LEAST_SUSPICIOUS = 200  # newly labelled rows, of which a quick model can be asked
BLOCKS = 10
MOST_ATTEMPTS = 1000  # of a month that anybody would pay for
SEARCHED_LOOKS = 60
log = logging.getLogger("evergreen")


@task
def decide(post: Post, seen: Seen, performance: Performance | None, broken: str) -> tuple[Choice, Memory]:
    """Say what to do, by the rules that a backtest replays, and what the next look has to know."""
    before = replace(post.memory, asked_by="", returns_to=0, returns_with=0.0)
    if broken or performance is None:
        choice, rows = _without_labels(post, seen, broken), seen.window.rows
        # What is broken is looked at again, and rows that are too few to show a shift wait for more.
        after = before if broken or 0 < rows < retraining.LEAST_SHIFT_ROWS else replace(before, rows_until=seen.window.until)
    else:
        choice, after = _with_labels(post, seen, replace(before, rows_until=seen.window.until, labels_until=seen.window.until))
    if choice.outcome in ("retrain", "return"):
        return choice, _wishing(post, choice, after)
    return _wishing_still(post, choice, after) if post.has_open_wish else (choice, after)


def _wishing(post: Post, choice: Choice, after: Memory) -> Memory:
    """Remember what is to be done, until it is."""
    if choice.version is not None:
        return replace(after, returns_to=choice.version)
    return replace(after, asked_by=f"{post.epoch.epoch}-{after.watch.batch}")


def _wishing_still(post: Post, choice: Choice, after: Memory) -> tuple[Choice, Memory]:
    """Want again what the last look wanted and nobody did, now or, where that is blocked, with a later look."""
    wish = post.memory
    after = replace(after, asked_by=wish.asked_by, returns_to=wish.returns_to, returns_with=wish.returns_with)
    if choice.outcome != "keep":
        return choice, after
    wanted = f"version {wish.returns_to} back" if wish.returns_to else "a training"
    told = f"a look before this one wanted {wanted}, and that did not come to its end"
    outcome = "return" if wish.returns_to else "retrain"
    return Choice(outcome, "asked_before", (told,), choice.signals, wish.returns_to or None), after


def _without_labels(post: Post, seen: Seen, broken: str) -> Choice:
    """Look at predictions alone, and at what labels before showed where something kept it from being acted on."""
    limits, memory = post.case.use_case.retrain, post.memory
    said = columns_of(seen.said.take(seen.is_new), post.footprint.classes) if seen.is_new.any() else None
    signals = () if said is None else retraining.prediction_signals(post.footprint.reference, said, limits)
    facts = Circumstances(incident=broken, is_labelled=False, waiting=seen.window.labelled - seen.window.folded)
    choice = retraining.decide(memory.watch, signals, limits, facts)
    if broken or post.has_open_wish:
        return choice
    standing = retraining.standing_signals(memory.watch, memory.labelled, limits)
    facts = Circumstances(suspect_labels=retraining.SUSPECT in memory.standing, hold=_hold(post), spent=_spent(post))
    again = retraining.decide(memory.watch, standing, limits, facts)
    is_wanted = again.outcome == "retrain" or (again.outcome == "blocked" and choice.outcome == "keep")
    return replace(again, signals=(*standing, *signals)) if is_wanted else choice


def _with_labels(post: Post, seen: Seen, after: Memory) -> tuple[Choice, Memory]:
    """Fold the new labels in, then look whether an earlier version is better on them, then at the signals."""
    import numpy as np

    rows, limits = np.flatnonzero(seen.is_labelled), post.case.use_case.retrain
    newest = seen.is_new if seen.is_new.any() else seen.is_labelled
    losses, said = losses_of(post, seen, rows), columns_of(seen.said.take(np.flatnonzero(newest)), post.footprint.classes)
    labelled = post.lake.count_labelled()
    came = Labelled(losses, said, labelled, post.footprint.dummy)
    watch, signals = retraining.look(post.memory.watch, post.footprint.reference, came, limits)
    held = _hold(post)
    after = with_rise(replace(after, labelled=labelled), watch, seen.labelled_since)
    earlier = {} if held else dict(_earlier(post, seen, rows))

    def excess_of(number: int) -> float:
        then = footprint_of(post.case, versions.find_version(post.address, post.case.name, post.line, number))
        return retraining.excess_alone(earlier[number], then.reference.losses, then.dummy)

    better = retraining.better_again(losses, earlier, excess_of, post.case.use_case.gate.tolerance)
    is_rising = any(signal.fired for signal in signals if signal.name == "performance") and not (better and better.is_sound)
    facts = Circumstances(suspect_labels=is_rising and _are_suspect(post, seen, rows), hold=held, spent=_spent(post))
    choice = retraining.decide(watch, signals, limits, facts, better)
    return choice, replace(after, returns_with=better.excess) if better and choice.outcome == "return" else after


def _hold(post: Post) -> str:
    hold = decisions.as_hold(ledger.last_decision(post.address, post.case.name, decisions.HOLDING))
    return f"{hold.who} rolled back to version {hold.version}: {hold.because}" if hold else ""


def _spent(post: Post) -> str:
    judged = ledger.last_decisions(post.address, post.case.name, "gate", MOST_ATTEMPTS)
    return retraining.spent([datetime.fromisoformat(entry.decided_at) for entry in judged], post.now, post.case.use_case.retrain)


def _earlier(post: Post, seen: Seen, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give what earlier champions lose on newly labelled rows, those that were made before any of these came."""
    since = post.memory.labels_until or post.made_at
    known = {epoch.version: epoch for epoch in post.line if epoch.version != post.version.number}
    most = post.case.use_case.retrain.return_to
    for epoch in list(known.values())[-most:] if most else ():
        if not epoch.lake or made_at(epoch) > since:
            continue
        try:
            model = models.load(*versions.file_of(post.case.name, epoch, SHIPPED_FILE))
        except EvergreenError as error:
            log.warning("version %s is not looked at: %s", epoch.version, error.message)
            continue
        inputs, _ = fit_inputs(seen.df.iloc[rows], post.scorer.inputs)
        yield epoch.version, row_losses(post.footprint.loss, truth_of(post, seen.df.iloc[rows]), models.predict(model, inputs))


def _are_suspect(post: Post, seen: Seen, rows: np.ndarray) -> bool:
    """Say whether a quick model of the newly labelled rows alone is no better than the dummy, where the champion was when it was judged."""
    import numpy as np

    reference, attempt = post.footprint.reference.losses, post.version.attempt
    if len(rows) < LEAST_SUSPICIOUS or reference.mean + 2 * reference.error >= post.footprint.dummy:
        return False
    # The rows of one look need not have an order, or more than one group.
    asked = {"target": attempt.target, "task": attempt.task, "loss": post.footprint.loss, "time": None, "group": None}
    case = replace(post.case, use_case=post.case.use_case.model_copy(update=asked))
    try:
        quick = Quick.of(case, seen.df.iloc[rows].reset_index(drop=True))
    except EvergreenError as error:
        log.info("whether the labels are suspect is not asked: %s", error.message)
        return False
    blocks = np.array_split(np.arange(len(rows)), BLOCKS)  # so that both halves hold what was true early and late
    one, other = np.concatenate(blocks[::2]), np.concatenate(blocks[1::2])
    if not (quick.can_fit(one) and quick.can_fit(other)):
        return False
    losses = {
        name: np.concatenate([quick.losses(one, other, name), quick.losses(other, one, name)])
        for name in (candidates.QUICK, candidates.BASELINE)
    }
    found = gate.compare(losses[candidates.QUICK], losses[candidates.BASELINE], blocks=0)
    return found.difference + found.error > 0  # noise beats the dummy too, now and then by a little


def ask(told: MonitorReport) -> bool:
    """Ask the deployment that trains for a training, where there is a server whose deployment this run is of; says whether it was asked."""
    if not record.is_deployed():
        return False
    record.emit(RETRAIN_WANTED, told.use_case, {"asked_by": told.memory.asked_by, "because": "; ".join(told.choice.reasons)})
    return True


def since_of(case: Case) -> str | None:
    """Say since when rows arrived that a training is to use, as those of the champion; None where it is to use all."""
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    since = LakeSnapshot.from_text(line[-1].lake).since if line and line[-1].lake else None
    return since.isoformat() if since and case.use_case.data == LAKE else None


def risen_since(case: Case, asked_by: str | None) -> str | None:
    """Say when the rows began to arrive on which the loss rose, as the look knew that asked for a training; None where it did not rise."""
    is_asked = asked_by and case.use_case.data == LAKE
    looks = ledger.last_decisions(case.settings.ledger_address, case.name, "monitor", SEARCHED_LOOKS) if is_asked else []
    memories = (Memory.from_json(entry.inputs["memory"]) for entry in reversed(looks))  # type: ignore[arg-type]
    return next((memory.risen_since or None for memory in memories if memory.asked_by == asked_by), None)


@task
def choose_rows(case: Case, every: Batch, newer: Batch) -> Batch:
    """Take the newer rows alone where a quick model of them is surely better, on the newest of these, than one of all rows.

    Rows that gate rows can be taken from are not looked at. Without an order in time the newest rows are any half of the newer ones. Rows
    that look like another table alone, or that hold too little to be cut in three, are not tried.

    Args:
        case: Whose.
        every: All rows.
        newer: Those of them that arrived since the loss began to rise.
    """
    import numpy as np

    df, rose = snapshots.read(every.path), f"the loss rose on {counted(len(newer.lines), 'row')}"
    schema = infer(case, df, every.evidence)
    if (other := _other_table(case, schema, newer)) is not None:
        log.info("%s, which alone %s, so all rows are taken", rose, other)
        return every
    df = df[df[schema.target].notna()].reset_index(drop=True)
    hashes = splits.hash_rows(df)
    is_newer = np.isin(hashes, splits.hash_rows(snapshots.read(newer.path)))
    side = split_at(case, schema, df[is_newer], int(splits.GATE_SHARE * is_newer.sum()) if schema.time else len(df))
    rest, older = np.flatnonzero(is_newer)[side.fit], np.flatnonzero(~is_newer)
    if schema.time is None:
        rest = rest[np.argsort(hashes[rest])]
    parts, quick = windows.halves(0, len(rest)), Quick(case, df, schema, target_of(df, schema))
    if parts is None or not len(older) or not quick.can_fit(rest[parts[0]]):
        log.info("%s, too few to be tried alone, so all rows are taken", rose)
        return every
    fitted, asked = (rest[part] for part in parts)
    found = windows.compare(
        quick.losses(fitted, asked), quick.losses(np.concatenate([older, fitted]), asked), is_ordered=schema.time is not None
    )
    told = f"{gate.signed_percent(found.difference)} loss, ± {gate.percent(found.half_width)}"
    taken = "these alone are taken" if found.is_better else "all rows are taken"
    log.info("%s; a fit to them alone against one to all: %s, so %s", rose, told, taken)
    return newer if found.is_better else every


def _other_table(case: Case, schema: Schema, newer: Batch) -> str | None:
    """Say why newer rows alone could not be trained on as all rows are; None where they could."""
    df = snapshots.read(newer.path)
    try:
        alone = infer(case, df, newer.evidence)
    except EvergreenError as error:
        return f"cannot be trained on ({error.message})"
    if alone.task != schema.task or alone.types("target", "feature", "time", "group") != schema.types("target", "feature", "time", "group"):
        return "look like another table"
    if schema.group is not None and df[schema.group].nunique() < LEAST_GROUPS:
        return f"are of fewer than {LEAST_GROUPS} groups"
    return None


def counts_as_attempt(function: Callable[[TrainOptions], R]) -> Callable[[TrainOptions], R]:
    """Let a training that a look asked for, and that fails, count as an attempt that led to nothing: the next one waits as after a refusal.

    Where a store was silent it is asked for again by the next look, as where the process was killed.
    """

    @functools.wraps(function)
    def run(options: TrainOptions) -> R:
        try:
            return function(options)
        except Exception as error:
            if options.asked_by and options.use_case and not isinstance(error, StoreError):
                _note_failure(options.use_case, options.asked_by, str(error))
            raise

    return run


def _note_failure(use_case: str, asked_by: str, error: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = Entry(use_case, "trigger", 0, asked_by, f"the training failed: {error}", home.person(), now, inputs={FAILED: True})
    try:
        ledger.decide(home.settings().ledger_address, row)
    except StoreError as silent:
        log.warning("that the training failed was not noted: %s", silent.message)


@task
def claim(case: Case, asked_by: str | None) -> bool:
    """Say whether this run is to do the training that a look asked for: once for each, unless whoever began it was killed."""
    if asked_by is None:
        return True
    now, address = datetime.now(UTC), case.settings.ledger_address

    def is_given_up(begun: Entry) -> bool:
        if begun.inputs.get(FAILED):
            return True
        is_late = now - datetime.fromisoformat(begun.decided_at) > GIVEN_UP
        judged = ledger.last_decision(address, case.name, ("gate",))
        is_done = judged is not None and judged.number > begun.number
        return not is_done and (is_late or home.is_dead(str(begun.inputs["owner"])))

    told = "a look at the champion asked for a training, and this run does it"
    row = Entry(case.name, "trigger", 0, asked_by, told, home.person(), now.isoformat(timespec="seconds"), inputs={"owner": home.owner()})
    return ledger.claim(address, row, is_given_up)
