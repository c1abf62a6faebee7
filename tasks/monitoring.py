"""Verbs that look at a champion: what has come for it, and how good it is on that."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tasks import versions
from tasks.adapters import ledger, models
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import runs
from tasks.core import decisions, splits
from tasks.core.candidates import QUICK, candidates_for
from tasks.core.deliveries import TAKEN
from tasks.core.drift import find_drift, separation
from tasks.core.errors import UsageError
from tasks.core.evidence import EXPLANATION
from tasks.core.metrics import Prediction
from tasks.core.monitoring import Memory, Performance, Window, broken_since, catch_up
from tasks.core.profiles import Profile
from tasks.core.recipe import Recipe
from tasks.core.retraining import Sample, Watch
from tasks.core.scoring import fit_inputs
from tasks.core.sight import LEAST_ROWS
from tasks.core.snapshot import infer
from tasks.core.use_case import UseCase
from tasks.core.watching import columns_of, estimate
from tasks.post import Post, Seen, footprint_of, losses_of, reference_rows, truth_of
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tasks.adapters.lake.news import Came, News
    from tasks.core.champions import Epoch
    from tasks.core.drift import FeatureDrift, Separation
    from tasks.core.scoring import Scorer
    from tasks.core.snapshot import Case
    from tasks.core.watching import Estimate

COMPARED = 2000  # rows of each side
STRAGGLERS = 0.1  # of newly labelled rows: that they are older than the others says nothing of when a rise of the loss began
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SIDE = "_side"
log = logging.getLogger("evergreen")


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
    time = runs.params_of(version.run_id).get("time", "")
    return Post(case, lake, line, version, scorer, footprint_of(case, version), memory, has_open_wish, time, datetime.now(UTC))


def _remember(case: Case, line: Sequence[Epoch]) -> tuple[Memory, bool]:
    """Give what the looks before left behind, and whether what they wanted was never done."""
    address = case.settings.ledger_address
    last = ledger.last_decision(address, case.name, ("monitor",))
    if last is None:
        judged = ledger.last_decision(address, case.name, ("gate",), line[-1].version)
        rows: Mapping[str, int] = judged.inputs.get("rows", {}) if judged else {}  # type: ignore[assignment]
        return Memory(Watch(tried_rows=rows.get("fit", 0) + rows.get("gate", 0)), line[-1].epoch), False
    since, memory = ledger.decisions_after(address, case.name, last.number), Memory.from_json(last.inputs["memory"])  # type: ignore[arg-type]
    was_done = any(entry.kind in ("gate", *decisions.CROWNING) or entry.inputs.get(decisions.FAILED) for entry in since)
    return catch_up(memory, since, line[-1].epoch), not was_done and bool(memory.asked_by or memory.returns_to)


# ------------------------------------------------------------------------------------------------------------ what came


@task
def find_broken(post: Post) -> str:
    """Say which delivery cannot be trusted, if that is the last one that came since the last look; empty where that is sound."""
    broken = broken_since(ledger.batches(post.address, post.case.name), post.memory.rows_until, TAKEN)
    return "" if broken is None else f"{broken.name} is {broken.decision}: {'; '.join(broken.reasons)}"


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
    return _predicted(post, window, frozenset(news.batches), came)


def _sampled(post: Post, news: News) -> tuple[Came | None, tuple[float, float] | None]:
    """Give at most so many of the rows that came, evenly spread, and the days that labels take in the middle and of nine in ten."""
    import numpy as np
    import pandas as pd

    parts = [came for came in news.chunks(post.case.use_case.monitor.sample) if len(came.df)]
    if not parts:
        return None, None
    together = type(parts[0])(
        pd.concat([part.df for part in parts], ignore_index=True),
        *(np.concatenate([vars(part)[name] for part in parts]) for name in ("is_new", "is_labelled", "lag_s", "arrived_us")),
    )
    lag = together.lag_s[together.is_labelled]
    days = (float(np.median(lag)) / 86_400, float(np.quantile(lag, 0.9)) / 86_400) if len(lag) else None
    return together, days


def _predicted(post: Post, window: Window, batches: frozenset[str], came: Came | None) -> Seen:
    """Let the champion predict the rows that it can be given and was not made from, in the order of their time."""
    import numpy as np
    import pandas as pd

    if came is None:
        none = np.zeros(0, dtype=bool)
        return Seen(window, batches, pd.DataFrame(), Prediction(np.zeros(0)), none, none, "")
    inputs, reasons = fit_inputs(came.df, post.scorer.inputs)
    can_be_judged = reasons == ""
    if not post.epoch.lake:  # where the champion is made from the lake, time tells its rows from new ones
        fitted = versions.load_rival(post.case, post.version).fitted_rows
        can_be_judged &= ~np.isin(splits.hash_rows(came.df[[*inputs]]), fitted)
    kept = np.flatnonzero(can_be_judged)
    if post.time in came.df:
        kept = kept[np.argsort(came.df[post.time].to_numpy()[kept], kind="stable")]
    said = models.predict(post.scorer.model, inputs.iloc[kept]) if len(kept) else Prediction(np.zeros(0))
    df, is_labelled = came.df.iloc[kept].reset_index(drop=True), came.is_labelled[kept]
    return Seen(window, batches, df, said, came.is_new[kept], is_labelled, _since(came.arrived_us[kept][is_labelled]))


def _since(arrived_us: np.ndarray) -> str:
    """Say from when on all rows but a few stragglers arrived, as ISO 8601 text in UTC; empty where there are none."""
    import numpy as np

    if not len(arrived_us):
        return ""
    moment = int(np.quantile(arrived_us, STRAGGLERS, method="lower"))
    return (UNIX_EPOCH + timedelta(microseconds=moment)).isoformat()


# ------------------------------------------------------------------------------------------------------- what it shows


@task
def judge_performance(post: Post, seen: Seen) -> Performance | None:
    """Say how good the champion is on newly labelled rows, and what was expected of them; None where too few came."""
    import numpy as np

    rows = np.flatnonzero(seen.is_labelled)
    if not seen.window.folded or not len(rows):
        return None
    losses, said = losses_of(post, seen, rows), columns_of(seen.said.take(rows), post.footprint.classes)
    unknown = int((~np.isin(truth_of(post, seen.df.iloc[rows]), seen.said.classes)).sum()) if seen.said.classes else 0
    return Performance(post.footprint.loss, Sample.of(losses), post.footprint.reference.losses, estimate(post.footprint, said), unknown)


@task
def estimate_unlabelled(post: Post, seen: Seen) -> Estimate | None:
    """Estimate the loss on new rows whose labels have not come; None where all have."""
    import numpy as np

    rows = np.flatnonzero(seen.is_new & ~seen.is_labelled)
    return estimate(post.footprint, columns_of(seen.said.take(rows), post.footprint.classes)) if len(rows) else None


@task
def find_moved_features(post: Post, seen: Seen) -> tuple[FeatureDrift, ...]:
    """Say how the features of all rows that came since the last look differ from those that the champion was made from."""
    before = versions.champions_profile(post.case, post.lake)
    if before is None:
        return ()
    taken = {batch.digest: batch for batch in ledger.batches(post.address, post.case.name) if batch.decision in TAKEN}
    came = (taken[digest] for digest in sorted(seen.batches) if digest in taken)
    now = [Profile.from_json(batch.profile, where=batch.name) for batch in came if batch.profile]
    kept = runs.text_of(post.version.run_id, EXPLANATION)
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
    before, now = (df[[each.name for each in features]].iloc[:: max(1, len(df) // COMPARED)] for df in (reference_rows(post), seen.df))
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
