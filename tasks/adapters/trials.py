"""What trials of a search predicted, kept until the search has ended, so that a run that was killed goes on where it was."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from tasks.core.lake.values import Maintenance
from tasks.core.metrics import Prediction

if TYPE_CHECKING:
    from datetime import timedelta
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
        """Give what a trial predicted, and the seconds that it took; None where it is not known. What is known is in use from now on."""
        import numpy as np

        try:
            os.utime(self._path(trial))
            with self._path(trial).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                proba = kept["proba"] if "proba" in kept.files else None
                return Prediction(kept["values"], proba, tuple(kept["classes"].tolist())), float(kept["seconds"])
        except (OSError, ValueError, KeyError, BadZipFile):
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


def remove_unused(folder: Path, unused_for: timedelta) -> Maintenance:
    """Remove what searches had tried that were killed and did not go on for some time."""
    searches: dict[str, list[Path]] = {}
    for path in folder.glob("*-*"):
        searches.setdefault(path.name.partition("-")[0], []).append(path)
    latest, sizes = time.time() - unused_for.total_seconds(), list[int]()
    for paths in searches.values():
        with suppress(FileNotFoundError):  # its search has just ended
            found = [path.stat() for path in paths]
            if max(each.st_mtime for each in found) <= latest:
                for path, each in zip(paths, found, strict=True):
                    path.unlink()
                    sizes.append(each.st_size)
    return Maintenance(removed=len(sizes), removed_bytes=sum(sizes))
