"""What maintenance must keep, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from tasks.core.lake.values import LakeSnapshot, Maintenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tasks.core.champions import NamedRows
    from tasks.core.deliveries import BatchEntry

UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class LakeReport:
    """What was done to one lake.

    Attributes:
        use_case: Whose.
        kept: Snapshots that model versions name.
        done: What was put together and removed.
        problem: Why nothing more could be done; empty when all was.
    """

    use_case: str
    kept: int
    done: Maintenance
    problem: str = ""

    def __str__(self) -> str:
        """Write it for a person."""
        if self.problem:
            return self.problem
        done = self.done
        together = f"{done.files_before} files put together to {done.files_after}" if done.files_before > done.files_after else "in order"
        return f"{together}, {told(done)} removed; kept for model versions: {self.kept} snapshot{'s' if self.kept != 1 else ''}"


@dataclass(frozen=True)
class MaintainReport:
    """What a maintenance came to.

    Attributes:
        lakes: What was done to each.
        home: What was removed from the home: stored rows (`snapshots`), files of batches that no longer wait for a person (`held`),
            and what searches that were killed had tried (`trials`).
    """

    lakes: tuple[LakeReport, ...]
    home: Mapping[str, Maintenance]

    @property
    def total(self) -> Maintenance:
        """Add up everything."""
        return sum([*(lake.done for lake in self.lakes), *self.home.values()], Maintenance())

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return "Maintained"

    @property
    def state_message(self) -> str:
        """Say in one sentence what was done."""
        count = len(self.lakes)
        return f"{count} lake{'s' if count != 1 else ''} maintained, {told(self.total)} removed"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "lakes": [{"use_case": lake.use_case, "kept_snapshots": lake.kept, **lake.done.model_dump()} for lake in self.lakes],
            **{name: _removed(done) for name, done in self.home.items()},
            "total": _removed(self.total),
        }


def describe(report: MaintainReport, _folder: str) -> str:
    """Give what a person reads of a maintenance."""
    lakes = [f"{'lake':<10}  {lake.use_case}: {lake}" for lake in report.lakes]
    home = [f"{name:<10}  {told(done)} removed from the home" for name, done in report.home.items()]
    return "\n".join([*lakes, *home, f"{'total':<10}  {report.state_message}"])


def told(done: Maintenance) -> str:
    """Write how much was removed.

    >>> told(Maintenance(removed=21, removed_bytes=1_234_567)), told(Maintenance())
    ('21 files (1.2 MB)', 'nothing')
    """
    if not done.removed:
        return "nothing"
    size, unit = float(done.removed_bytes), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{done.removed} file{'s' if done.removed != 1 else ''} ({size:.{1 if unit else 0}f} {UNITS[unit]})"


def _removed(done: Maintenance) -> dict[str, int]:
    return {"files": done.removed, "bytes": done.removed_bytes}


def lake_snapshots(named: Iterable[NamedRows], use_case: str) -> list[LakeSnapshot]:
    """List the snapshots of a lake that model versions name.

    Raises:
        StoreError: a version names one in words that cannot be read.
    """
    return [LakeSnapshot.from_text(rows.lake) for rows in named if rows.use_case == use_case and rows.lake]


def stored_names(named: Iterable[NamedRows], waiting: Iterable[BatchEntry]) -> set[str]:
    """Name the stored rows that are needed: model versions name them, or a person may still take them in."""
    return {rows.snapshot for rows in named} | {PurePath(entry.staged).stem for entry in waiting}


def held_names(waiting: Iterable[BatchEntry]) -> set[str]:
    """Name what is kept beside the rows of batches that wait for a person."""
    return {f"{entry.use_case}-{entry.digest}-{what}" for entry in waiting for what in ("lines", "aside")}
