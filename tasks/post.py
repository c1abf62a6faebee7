"""Where a champion is watched from: whose it is, what came for it, and what verbs that look and verbs that decide both ask of that."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks import versions
from tasks.adapters import ledger, models, snapshots
from tasks.adapters.tracking import runs
from tasks.core.lake.values import LakeSnapshot
from tasks.core.metrics import Prediction, row_losses
from tasks.core.sight import MOST_ROWS
from tasks.core.snapshot import target_of
from tasks.core.table import Column, Schema
from tasks.core.watching import FOOTPRINT, Footprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.champions import Epoch, Version
    from tasks.core.monitoring import Memory, Window
    from tasks.core.scoring import Scorer
    from tasks.core.snapshot import Case

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
        """Give `made_at` of today's champion."""
        return made_at(self.epoch)

    @property
    def address(self) -> str:
        """Give the ledger's."""
        return self.case.settings.ledger_address


@dataclass(frozen=True)
class Seen:
    """Rows that came, as far as they are looked at, with what the champion says of them.

    Attributes:
        window: What came in all.
        batches: Digests of those that the new rows came with.
        df: Features and target of at most so many rows, evenly spread over those that came.
        said: What the champion predicts for them.
        is_new: Which of them are new rows, shape (n,).
        is_labelled: Which of them have a first label.
        labelled_since: When these began to arrive, as ISO 8601 text in UTC; empty where there are none.
    """

    window: Window
    batches: frozenset[str]
    df: pd.DataFrame
    said: Prediction
    is_new: np.ndarray
    is_labelled: np.ndarray
    labelled_since: str


def made_at(epoch: Epoch) -> str:
    """Say until when rows and labels had arrived that a champion is made from; empty where it is not made from the lake."""
    return LakeSnapshot.from_text(epoch.lake).as_of.isoformat() if epoch.lake else ""


def losses_of(post: Post, seen: Seen, rows: np.ndarray) -> np.ndarray:
    """Give what the champion loses on some labelled rows, shape (n,)."""
    return row_losses(post.footprint.loss, truth_of(post, seen.df.iloc[rows]), seen.said.take(rows))


def truth_of(post: Post, df: pd.DataFrame) -> np.ndarray:
    """Give the target of labelled rows as the champion's classes or numbers, shape (n,)."""
    attempt = post.version.attempt
    return target_of(df, Schema((Column(attempt.target, "number", "target", ""),), attempt.task))


def reference_rows(post: Post) -> pd.DataFrame:
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


def footprint_of(case: Case, version: Version) -> Footprint:
    """Give what a version's judged fit did on its gate rows, as its run kept it, or else as it does again."""
    if kept := Footprint.from_text(runs.text_of(version.run_id, FOOTPRINT)):
        return kept
    log.info("looking at the gate rows of version %s, of which its run kept nothing", version.number)
    study = versions.study_again(case, version)
    rows = snapshots.read(study.snapshot.path).iloc[study.split.gate]
    said, y = models.predict(versions.load_rival(case, version).judged, rows[study.schema.features]), target_of(rows, study.schema)
    return Footprint.of(study.loss, y, said, float(row_losses(study.loss, y, said).mean()))
