"""What trials of a search predicted, kept until the search has ended, so that a run that was killed goes on where it was."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.metrics import Prediction

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class TrialStore:
    """Predictions of one search.

    Attributes:
        folder: Of the home.
        search: Digest of all that the predictions depend on beside the trial: rows, folds, seed, versions of packages.
    """

    folder: Path
    search: str

    def load(self, trial: str) -> tuple[Prediction, float] | None:
        """Give what a trial predicted, and the seconds that it took; None where it is not known."""
        import numpy as np

        try:
            with np.load(self._path(trial), allow_pickle=False) as kept:
                proba = kept["proba"] if "proba" in kept.files else None
                return Prediction(kept["values"], proba, tuple(kept["classes"].tolist())), float(kept["seconds"])
        except (OSError, ValueError, KeyError):
            return None

    def keep(self, trial: str, prediction: Prediction, seconds: float) -> None:
        """Keep what a trial predicted; where that cannot be written, it would be made again."""
        import numpy as np

        parts = {"values": prediction.values, "classes": np.array(prediction.classes, dtype=str), "seconds": np.float64(seconds)}
        parts |= {} if prediction.proba is None else {"proba": prediction.proba}
        partial = self._path(f"{trial}.{os.getpid()}").with_suffix(".partial")
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **parts)
            partial.replace(self._path(trial))

    def forget(self) -> None:
        """Remove all of it."""
        for path in self.folder.glob(f"{self.search}-*.npz"):
            path.unlink(missing_ok=True)

    def _path(self, trial: str) -> Path:
        return self.folder / f"{self.search}-{trial}.npz"
