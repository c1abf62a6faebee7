"""Verbs on a champion under watch: what has come for it, how good it is on that, and what is to be done."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import home, ledger, models, reports, snapshots, tracking
from tasks.adapters.lake import Lake
from tasks.core import decisions, monitor_page, retraining, splits
from tasks.core.candidates import BASELINE, candidates_for
from tasks.core.champions import SHIPPED_FILE
from tasks.core.decisions import Entry
from tasks.core.deliveries import TAKEN
from tasks.core.drift import find_drift, separation
from tasks.core.errors import EvergreenError, UsageError
from tasks.core.evidence import EXPLANATION
from tasks.core.lake.values import LakeSnapshot
from tasks.core.metrics import Prediction, row_losses
from tasks.core.monitoring import Memory, MonitorReport, Performance, Window, broken_since, catch_up, facts_of, has_turned, with_rise
from tasks.core.profiles import Profile
from tasks.core.recipe import Recipe
from tasks.core.retraining import Choice, Circumstances, Labelled, Sample, Watch
from tasks.core.scoring import fit_inputs
from tasks.core.sight import LEAST_ROWS, MOST_ROWS, Sight
from tasks.core.snapshot import infer, target_of
from tasks.core.table import Column, Schema
from tasks.core.use_case import LAKE, UseCase
from tasks.core.watching import FOOTPRINT, Footprint, columns_of, estimate
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.adapters.lake.news import Came, News
    from tasks.core.champions import Epoch, Version
    from tasks.core.deliveries import BatchEntry
    from tasks.core.drift import FeatureDrift, Separation
    from tasks.core.retraining import Signal
    from tasks.core.scoring import Scorer
    from tasks.core.snapshot import Case
    from tasks.core.watching import Estimate

WANTED = "evergreen.retrain.wanted"  # the event that a training is asked for with
GIVEN_UP = timedelta(days=1)
LEAST_SUSPICIOUS = 200  # newly labelled rows, of which a quick model can be asked
QUICK = "shallow_boosting"
BLOCKS = 10
COMPARED = 2000  # rows of each side
SIDE = "_side"
SHOWN_LOOKS = 60
MOST_ATTEMPTS = 1000  # of a month that anybody would pay for
log = logging.getLogger("evergreen")


@dataclass(frozen=True)
class Post:
    """A champion under watch.

    Attributes:
        case: Whose.
        lake: Where its rows come.
        line: The champions so far, the first one first.
        version: Today's.
        scorer: It, loaded.
        footprint: What its judged fit did on its gate rows.
        memory: Of the looks before.
        has_open_wish: Whether what the last look wanted was never done.
        time: Column that orders the rows; empty where none does.
        now: Of this look.
    """

    case: Case
    lake: Lake
    line: Sequence[Epoch]
    version: Version
    scorer: Scorer
    footprint: Footprint
    memory: Memory
    has_open_wish: bool
    time: str
    now: datetime

    @property
    def epoch(self) -> Epoch:
        """Give the champion's line in the ledger."""
        return self.line[-1]

    @property
    def made_at(self) -> str:
        """Say until when rows and labels had arrived that the champion is made from; empty where it is not made from the lake."""
        return _made_at(self.epoch)

    @property
    def address(self) -> str:
        """Give the ledger's."""
        return self.case.settings.ledger_address


@dataclass(frozen=True)
class Seen:
    """Rows that came, as far as they are looked at, with what the champion says of them.

    Attributes:
        window: What came in all.
        df: Features and target of at most so many rows, evenly spread over those that came.
        said: What the champion predicts for them.
        is_new: Which of them are new rows, shape (n,).
        is_labelled: Which of them have a first label.
    """

    window: Window
    df: pd.DataFrame
    said: Prediction
    is_new: np.ndarray
    is_labelled: np.ndarray


def _made_at(epoch: Epoch) -> str:
    return LakeSnapshot.from_text(epoch.lake).as_of.isoformat() if epoch.lake else ""


@task
def take_post(case: Case, scorer: Scorer) -> Post:
    """Find out who is champion, what it did when it was judged, and what the looks before left behind.

    Raises:
        UsageError: no rows of the use case were ingested.
    """
    begun = Lake(case.settings.lake_address, case.name).begun_with()
    if begun is None or begun.target is None:
        message = f"nothing was ingested for {case.name}, so there is nothing to watch its champion on"
        raise UsageError(f"{message}; run: python -m flows.ingest FILE --use-case {case.name}", where=case.name)
    address, lake = case.settings.ledger_address, Lake(case.settings.lake_address, case.name, begun)
    line = ledger.line_of_champions(address, case.name)
    version = versions.find_version(address, case.name, line, line[-1].version)
    memory, has_open_wish = _remember(case, line)
    time = tracking.params_of(version.run_id).get("time", "")
    return Post(case, lake, line, version, scorer, _footprint(case, version), memory, has_open_wish, time, datetime.now(UTC))


def _remember(case: Case, line: Sequence[Epoch]) -> tuple[Memory, bool]:
    """Give what the looks before left behind, and whether what they wanted was never done."""
    address = case.settings.ledger_address
    last = ledger.last_decision(address, case.name, ("monitor",))
    if last is None:
        judged = ledger.last_decision(address, case.name, ("gate",), line[-1].version)
        rows: Mapping[str, int] = judged.inputs.get("rows", {}) if judged else {}  # type: ignore[assignment]
        return Memory(Watch(tried_rows=rows.get("fit", 0) + rows.get("gate", 0)), line[-1].epoch), False
    since, memory = ledger.decisions_after(address, case.name, last.number), Memory.from_json(last.inputs["memory"])  # type: ignore[arg-type]
    was_done = any(entry.kind in ("gate", *decisions.CROWNING) for entry in since)
    return catch_up(memory, since, line[-1].epoch), not was_done and bool(memory.asked_by or memory.returns_to)


def _footprint(case: Case, version: Version) -> Footprint:
    """Give what a version's judged fit did on its gate rows, as its run kept it, or else as it does again."""
    if kept := Footprint.from_text(tracking.text_of(version.run_id, FOOTPRINT)):
        return kept
    log.info("looking at the gate rows of version %s, of which its run kept nothing", version.number)
    study = versions.study_again(case, version)
    rows = snapshots.read(study.snapshot.path).iloc[study.split.gate]
    said, y = models.predict(versions.load_rival(case, version).judged, rows[study.schema.features]), target_of(rows, study.schema)
    return Footprint.of(study.loss, y, said, float(row_losses(study.loss, y, said).mean()))


# ------------------------------------------------------------------------------------------------------------ what came


@task
def find_broken(post: Post) -> str:
    """Say which delivery cannot be trusted, if that is the last one that came since the last look; empty where that is sound."""
    broken = broken_since(ledger.batches(post.address, post.case.name), post.memory.rows_until, TAKEN)
    return "" if broken is None else f"{broken.name} is {broken.decision}: {'; '.join(broken.reasons)}"


def _count_held(post: Post) -> int:
    held, settled = set[str](), set[str]()
    for batch in ledger.batches(post.address, post.case.name):
        (held if batch.decision == "held" else settled).add(batch.digest)
    return len(held - settled)


@task
def read_news(post: Post) -> Seen:
    """Take the rows that came since the last look, and those whose labels did, and let the champion predict them."""
    latest = (max(each, post.made_at) for each in (post.memory.rows_until, post.memory.labels_until))
    rows_since, labels_since = (datetime.fromisoformat(each) if each else None for each in latest)
    news = post.lake.news(rows_since=rows_since, labels_since=labels_since)
    log.info("%s rows and %s labels came since the last look", f"{news.rows:,}", f"{news.labelled:,}")
    came, lag = _sampled(post, news)
    folded = news.labelled if news.labelled >= post.case.use_case.monitor.rows else 0
    window = Window(post.memory.rows_until, news.state.as_of.isoformat(), news.rows, news.labelled, news.corrected, folded, lag)
    return _predicted(post, window, came)


def _sampled(post: Post, news: News) -> tuple[Came | None, tuple[float, float] | None]:
    """Give at most so many of the rows that came, evenly spread, and the days that labels take in the middle and of nine in ten."""
    import numpy as np
    import pandas as pd

    parts = [came for came in news.chunks(post.case.use_case.monitor.sample) if len(came.df)]
    if not parts:
        return None, None
    together = type(parts[0])(
        pd.concat([part.df for part in parts], ignore_index=True),
        *(np.concatenate([vars(part)[name] for part in parts]) for name in ("is_new", "is_labelled", "lag_s")),
    )
    lag = together.lag_s[together.is_labelled]
    days = (float(np.median(lag)) / 86_400, float(np.quantile(lag, 0.9)) / 86_400) if len(lag) else None
    return together, days


def _predicted(post: Post, window: Window, came: Came | None) -> Seen:
    """Let the champion predict the rows that it can be given and was not made from, in the order of their time."""
    import numpy as np
    import pandas as pd

    if came is None:
        none = np.zeros(0, dtype=bool)
        return Seen(window, pd.DataFrame(), Prediction(np.zeros(0)), none, none)
    inputs, reasons = fit_inputs(came.df, post.scorer.inputs)
    can_be_judged = reasons == ""
    if not post.epoch.lake:  # where the champion is made from the lake, time tells its rows from new ones
        fitted = versions.load_rival(post.case, post.version).fitted_rows
        can_be_judged &= ~np.isin(splits.hash_rows(came.df[[*inputs]]), fitted)
    kept = np.flatnonzero(can_be_judged)
    if post.time in came.df:
        kept = kept[np.argsort(came.df[post.time].to_numpy()[kept], kind="stable")]
    said = models.predict(post.scorer.model, inputs.iloc[kept]) if len(kept) else Prediction(np.zeros(0))
    return Seen(window, came.df.iloc[kept].reset_index(drop=True), said, came.is_new[kept], came.is_labelled[kept])


# ------------------------------------------------------------------------------------------------------- what it shows


@task
def judge_performance(post: Post, seen: Seen) -> Performance | None:
    """Say how good the champion is on newly labelled rows, and what was expected of them; None where too few came."""
    import numpy as np

    rows = np.flatnonzero(seen.is_labelled)
    if not seen.window.folded or not len(rows):
        return None
    losses, said = _losses(post, seen, rows), columns_of(seen.said.take(rows), post.footprint.classes)
    unknown = int((~np.isin(_truth(post, seen.df.iloc[rows]), seen.said.classes)).sum()) if seen.said.classes else 0
    return Performance(post.footprint.loss, Sample.of(losses), post.footprint.reference.losses, estimate(post.footprint, said), unknown)


def _losses(post: Post, seen: Seen, rows: np.ndarray) -> np.ndarray:
    return row_losses(post.footprint.loss, _truth(post, seen.df.iloc[rows]), seen.said.take(rows))


def _truth(post: Post, df: pd.DataFrame) -> np.ndarray:
    attempt = post.version.attempt
    return target_of(df, Schema((Column(attempt.target, "number", "target", ""),), attempt.task))


@task
def estimate_unlabelled(post: Post, seen: Seen) -> Estimate | None:
    """Estimate the loss on new rows whose labels have not come; None where all have."""
    import numpy as np

    rows = np.flatnonzero(seen.is_new & ~seen.is_labelled)
    return estimate(post.footprint, columns_of(seen.said.take(rows), post.footprint.classes)) if len(rows) else None


@task
def find_moved_features(post: Post) -> tuple[FeatureDrift, ...]:
    """Say how the features of all rows that came since the last look differ from those that the champion was made from."""
    before = versions.champions_profile(post.case, post.lake)
    if before is None:
        return ()
    now = [_profile(batch) for batch in _taken_since(post) if batch.kind == "rows" and batch.profile]
    kept = tracking.text_of(post.version.run_id, EXPLANATION)
    importance = {each["feature"]: each["value"] for each in json.loads(kept)["importance"]} if kept else {}
    features = [wanted.name for wanted in post.scorer.inputs]
    found = find_drift(before.limited_to(features), now, importance, post.case.use_case.monitor.effect)
    return tuple(found)


@task
def compare_rows(post: Post, seen: Seen, features: Sequence[FeatureDrift]) -> Separation | None:
    """Ask a model to tell new rows from those that the champion was made from, which shows what no feature shows alone.

    Only where people look at pictures, for nothing is decided by it; None too where there are too few rows.
    """
    import numpy as np
    import pandas as pd

    if not post.case.use_case.monitor.pictures or min(len(seen.df), len(features) and LEAST_ROWS) < LEAST_ROWS:
        return None
    before, now = (df[[each.name for each in features]].iloc[:: max(1, len(df) // COMPARED)] for df in (_reference(post), seen.df))
    if len(before) < LEAST_ROWS:
        return None
    df = pd.concat([before, now], ignore_index=True).assign(**{SIDE: ["before"] * len(before) + ["now"] * len(now)})
    df = df.sample(frac=1, random_state=post.case.use_case.seed).reset_index(drop=True)
    case = replace(post.case, use_case=UseCase(name=post.case.name, target=SIDE, task="binary"))
    schema, is_new = infer(case, df), (df[SIDE] == "now").to_numpy()
    (quick,) = (each for each in candidates_for("binary", [QUICK]) if each.name == QUICK)
    said, half = np.zeros(len(df)), len(df) // 2
    for fitted, asked in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        X, y = df[schema.features].iloc[fitted], df[SIDE].to_numpy()[fitted].astype(str)
        model = models.fit(quick.build(Recipe.of(schema, X, y, 0)), X, y)
        said[asked] = models.predict(model, df[schema.features].iloc[asked]).of_class("now")
    return separation(is_new, said)


def _taken_since(post: Post) -> Iterator[BatchEntry]:
    since = max(post.memory.rows_until, post.made_at)
    return (batch for batch in ledger.batches(post.address, post.case.name) if batch.decision in TAKEN and batch.decided_at > since[:19])


def _profile(batch: BatchEntry) -> Profile:
    return Profile.from_json(batch.profile, where=batch.name)


# ------------------------------------------------------------------------------------------------------- what is done


@task
def decide(post: Post, seen: Seen, performance: Performance | None, broken: str) -> tuple[Choice, Memory]:
    """Say what to do, by the rules that a backtest replays, and what the next look has to know."""
    limits, before = post.case.use_case.retrain, replace(post.memory, asked_by="", returns_to=0, asked_since="")
    if broken or performance is None:
        signals = _without_labels(post, seen)
        waits = seen.window.labelled - seen.window.folded
        choice = retraining.decide(post.memory.watch, signals, limits, Circumstances(incident=broken, is_labelled=False, waiting=waits))
        after = before if broken else replace(before, rows_until=seen.window.until)  # what is broken is looked at again
    else:
        choice, after = _with_labels(post, seen, replace(before, rows_until=seen.window.until, labels_until=seen.window.until))
    if choice.outcome in ("retrain", "return"):
        return choice, _wishing(post, choice, after)
    return _wishing_still(post, choice, after) if post.has_open_wish else (choice, after)


def _wishing(post: Post, choice: Choice, after: Memory) -> Memory:
    """Remember what is to be done, until it is."""
    if choice.version is not None:
        return replace(after, returns_to=choice.version)
    since = after.risen_since if choice.code == "performance" and has_turned(after) else ""
    recent = after.risen_rows if since else after.recent_rows
    return replace(after, asked_by=f"{post.epoch.epoch}-{after.watch.batch}", asked_since=since, recent_rows=recent)


def _wishing_still(post: Post, choice: Choice, after: Memory) -> tuple[Choice, Memory]:
    """Want again what the last look wanted and nobody did, now or, where that is blocked, with a later look."""
    wish = post.memory
    after = replace(after, asked_by=wish.asked_by, returns_to=wish.returns_to, asked_since=wish.asked_since)
    if choice.outcome != "keep":
        return choice, after
    wanted = f"version {wish.returns_to} back" if wish.returns_to else "a training"
    told = f"a look before this one wanted {wanted}, and that did not come to its end"
    outcome = "return" if wish.returns_to else "retrain"
    return Choice(outcome, "asked_before", (told,), choice.signals, wish.returns_to or None), after


def _without_labels(post: Post, seen: Seen) -> tuple[Signal, ...]:
    said = columns_of(seen.said.take(seen.is_new), post.footprint.classes) if seen.is_new.any() else None
    limits = post.case.use_case.retrain
    return () if said is None else retraining.prediction_signals(post.footprint.reference, said, limits)


def _with_labels(post: Post, seen: Seen, after: Memory) -> tuple[Choice, Memory]:
    """Fold the new labels in, then look whether an earlier version is better on them, then at the signals."""
    import numpy as np

    rows, limits = np.flatnonzero(seen.is_labelled), post.case.use_case.retrain
    newest = seen.is_new if seen.is_new.any() else seen.is_labelled
    losses, said = _losses(post, seen, rows), columns_of(seen.said.take(np.flatnonzero(newest)), post.footprint.classes)
    labelled = post.lake.count_labelled()
    came = Labelled(losses, said, labelled, post.footprint.dummy)
    watch, signals = retraining.look(post.memory.watch, post.footprint.reference, came, limits)
    began, held = max(post.memory.rows_until, post.made_at), _hold(post)
    after = with_rise(replace(after, labelled=labelled), watch, len(rows), began)
    better = None if held else retraining.better_again(losses, dict(_earlier(post, seen, rows)))
    if better is not None:
        version, compared = better
        told = f"version {version} is better on {compared.rows:,} newly labelled rows: loss {100 * compared.difference:+.1f} %"
        return Choice("return", "better_again", (told,), signals, version), after
    is_suspect = any(signal.fired for signal in signals if signal.name == "performance") and _are_suspect(post, seen, rows)
    facts = Circumstances(suspect_labels=is_suspect, hold=held, spent=_spent(post), is_new_way=has_turned(after))
    return retraining.decide(watch, signals, limits, facts), after


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
        if not epoch.lake or _made_at(epoch) > since:
            continue
        try:
            model = models.load(*versions.file_of(post.case.name, epoch, SHIPPED_FILE))
        except EvergreenError as error:
            log.warning("version %s is not looked at: %s", epoch.version, error.message)
            continue
        inputs, _ = fit_inputs(seen.df.iloc[rows], post.scorer.inputs)
        yield epoch.version, row_losses(post.footprint.loss, _truth(post, seen.df.iloc[rows]), models.predict(model, inputs))


def _are_suspect(post: Post, seen: Seen, rows: np.ndarray) -> bool:
    """Say whether a quick model of the newly labelled rows alone is no better than the dummy, where the champion was when it was judged."""
    import numpy as np

    reference, attempt = post.footprint.reference.losses, post.version.attempt
    if len(rows) < LEAST_SUSPICIOUS or reference.mean + 2 * reference.error >= post.footprint.dummy:
        return False
    asked = {"target": attempt.target, "task": attempt.task}
    case = replace(post.case, use_case=post.case.use_case.model_copy(update=asked))
    df = seen.df.iloc[rows].reset_index(drop=True)
    schema, y = infer(case, df), _truth(post, df)
    blocks = np.array_split(np.arange(len(rows)), BLOCKS)  # so that both halves hold what was true early and late
    halves = [np.concatenate(blocks[::2]), np.concatenate(blocks[1::2])]
    losses = dict.fromkeys((QUICK, BASELINE), 0.0)
    for fitted, asked_of in (halves, halves[::-1]):
        X = df[schema.features].iloc[fitted]
        if attempt.task != "regression" and len(np.unique(y[fitted])) == 1:
            return False
        for candidate in candidates_for(attempt.task, [BASELINE, QUICK]):
            if candidate.name in losses:
                model = models.fit(candidate.build(Recipe.of(schema, X, y[fitted], case.use_case.seed)), X, y[fitted])
                said = models.predict(model, df[schema.features].iloc[asked_of])
                losses[candidate.name] += float(row_losses(post.footprint.loss, y[asked_of], said).sum())
    return losses[QUICK] >= losses[BASELINE]


@task
def report(
    post: Post,
    seen: Seen,
    found: tuple[str, Performance | None, Estimate | None, tuple[FeatureDrift, ...], Separation | None],
    decided: tuple[Choice, Memory],
) -> MonitorReport:
    """Write down what was found and decided: in the ledger, as a page, and as the value that is returned."""
    (broken, performance, estimated, features, together), (choice, memory) = found, decided
    name, epoch = post.case.name, post.epoch
    path = post.case.settings.home / "reports" / name / "monitor.html"
    told = MonitorReport(
        use_case=name,
        version=epoch.version,
        epoch=epoch.epoch,
        window=seen.window,
        choice=choice,
        memory=memory,
        broken=broken,
        performance=performance,
        estimated=estimated,
        features=features,
        together=together,
        page=str(path),
        held=_count_held(post),
        next_check=post.case.use_case.schedule.monitor or "",
    )
    inputs = {"memory": memory.as_json(), **{key: value for key, value in told.as_json().items() if key not in ("use_case", "report")}}
    at, reason = post.now.isoformat(timespec="seconds"), "; ".join(choice.reasons)
    row = ledger.decide(post.address, Entry(name, "monitor", epoch.version, choice.code, reason, home.person(), at, inputs=inputs))
    told = replace(told, row=row.number)
    _write_page(post.case, told)
    snapshots.write_text(monitor_page.as_prometheus(told, post.now.timestamp()), post.case.settings.home / "metrics" / f"{name}.prom")
    log.info("%s", told.state_message)
    return told


def _write_page(case: Case, told: MonitorReport) -> None:
    """Write the page, unless a later look has."""
    looks = ledger.last_decisions(case.settings.ledger_address, case.name, "monitor", SHOWN_LOOKS)
    if looks[-1].number == told.row:
        snapshots.write_text(monitor_page.build(told, looks), Path(told.page))


@task
def conclude(case: Case, told: MonitorReport, done: str = "") -> MonitorReport:
    """Say on the page and in Prefect what was done about a look."""
    told = replace(told, done=done)
    if done:
        _write_page(case, told)
    record.publish_text(f"{case.name}-monitor", monitor_page.as_markdown(told))
    return told


@task
def draw(post: Post, seen: Seen, told: MonitorReport) -> None:
    """Let Evidently draw the window beside the champion's rows, as a page and in the workspace that its UI shows."""
    if not post.case.use_case.monitor.pictures or not seen.window.rows:
        return
    log.info("drawing what came, with Evidently")
    reference, home_folder = _reference(post), post.case.settings.home
    said = {"prediction": seen.said.values} | {f"proba_{name}": seen.said.of_class(name) for name in seen.said.classes}
    sight = Sight(
        use_case=post.case.name,
        task=post.version.attempt.task,
        reference=reference,
        current=seen.df.assign(**said),
        features=told.features,
        numbers=tuple(str(name) for name in reference if reference[name].dtype.kind == "f"),
        target=post.version.attempt.target,
        at=post.now,
        facts=facts_of(told),
        decision=told.choice.outcome,
        rows=(LakeSnapshot.from_text(post.epoch.lake).rows if post.epoch.lake else len(reference), seen.window.rows),
        personal=post.case.use_case.pii,
        because="; ".join(told.choice.reasons),
        least_effect=post.case.use_case.monitor.effect,
    )
    rendered = reports.render(sight)
    if rendered.html:
        snapshots.write_text(rendered.html, home_folder / "reports" / post.case.name / "evidently.html")
    reports.keep(sight, rendered, home_folder / "evidently")


def _reference(post: Post) -> pd.DataFrame:
    """Give some of the rows that the champion was made from, evenly spread."""
    import pandas as pd

    path = snapshots.find(post.case.settings.home / "snapshots", post.version.attempt.snapshot)
    if path is None and not post.epoch.lake:
        return pd.DataFrame()
    frames = snapshots.read_frames(path) if path else post.lake.read_chunks(LakeSnapshot.from_text(post.epoch.lake))
    judged = ledger.last_decision(post.address, post.case.name, ("gate",), post.version.number)
    counts: Mapping[str, int] = judged.inputs.get("rows", {}) if judged else {}  # type: ignore[assignment]
    every = max(1, (counts.get("fit", 0) + counts.get("gate", 0)) // MOST_ROWS)
    return pd.concat([df.iloc[::every] for df in frames], ignore_index=True)


def ask(told: MonitorReport) -> bool:
    """Ask the deployment that trains for a training, where there is a server whose deployment this run is of; says whether it was asked."""
    if not record.is_deployed():
        return False
    record.emit(WANTED, told.use_case, {"asked_by": told.memory.asked_by, "because": "; ".join(told.choice.reasons)})
    return True


def since_of(case: Case, asked_by: str | None) -> str | None:
    """Say since when rows arrived that a training is to use: as the look says that asked for it, else since those of the champion began."""
    address = case.settings.ledger_address
    for entry in reversed(ledger.last_decisions(address, case.name, "monitor", SHOWN_LOOKS) if asked_by else []):
        memory = Memory.from_json(entry.inputs["memory"])  # type: ignore[arg-type]
        if memory.asked_by == asked_by and memory.asked_since:
            return memory.asked_since
    line = ledger.line_of_champions(address, case.name)
    since = LakeSnapshot.from_text(line[-1].lake).since if line and line[-1].lake else None
    return since.isoformat() if since and case.use_case.data == LAKE else None


@task
def claim(case: Case, asked_by: str | None) -> bool:
    """Say whether this run is to do the training that a look asked for: once for each, unless whoever began it was killed."""
    if asked_by is None:
        return True
    now, address = datetime.now(UTC), case.settings.ledger_address

    def is_given_up(begun: Entry) -> bool:
        is_late = now - datetime.fromisoformat(begun.decided_at) > GIVEN_UP
        judged = ledger.last_decision(address, case.name, ("gate",))
        is_done = judged is not None and judged.number > begun.number
        return not is_done and (is_late or home.is_dead(str(begun.inputs["owner"])))

    told = "a look at the champion asked for a training, and this run does it"
    row = Entry(case.name, "trigger", 0, asked_by, told, home.person(), now.isoformat(timespec="seconds"), inputs={"owner": home.owner()})
    return ledger.claim(address, row, is_given_up)
