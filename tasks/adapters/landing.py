"""The landing folder of a use case: `incoming/` is emptied into `done/`, or into `refused/` with a file that says why."""

from __future__ import annotations

import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.deliveries import Delivery
from tasks.core.errors import StoreError, UsageError
from tasks.core.formats.folders import is_hidden, state_of

if TYPE_CHECKING:
    from typing import Literal

HEAD_BYTES = 200
# What programs call a file that they are still writing.
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
LABELS = "labels"
log = logging.getLogger("evergreen")


def arrived(folder: Path) -> list[Delivery]:
    """List what lies in `incoming/`, in the order of the names, and after it the labels that lie in `incoming/labels/`.

    The folders are made where they are missing, but for that of labels, which not every use case has.

    Raises:
        UsageError: the folder cannot be used.
    """
    incoming = folder / "incoming"
    try:
        for name in ("incoming", "done", "refused"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        rows = [path for path in _finished(incoming) if path.name != LABELS]
        labels = _finished(incoming / LABELS) if (incoming / LABELS).is_dir() else []
    except OSError as error:
        message = f"the landing folder '{folder}' cannot be used: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, where="landing") from error
    return [
        *(Delivery(_shown(path), str(path), folder) for path in rows),
        *(Delivery(f"{LABELS}/{_shown(path)}", str(path), folder, "labels") for path in labels),
    ]


def _shown(path: Path) -> str:
    """Give the name of a file as it can be written down, whatever bytes it has."""
    return os.fsencode(path.name).decode(errors="backslashreplace")


def _finished(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_hidden(str(path)) and path.suffix.lower() not in UNFINISHED)


def is_gone(delivery: Delivery) -> bool:
    """Say whether a delivery has left its landing folder: another run took it."""
    return delivery.landing is not None and not os.path.lexists(delivery.source)


def as_it_is(delivery: Delivery) -> Delivery:
    """Give a delivery with the state that it is in now, so that what is put in its place later is not taken for it."""
    return delivery if delivery.landing is None else dataclasses.replace(delivery, state=_states(Path(delivery.source)))


def _states(path: Path) -> tuple[tuple[int, ...], ...]:
    """Give the state of a file, or of a folder and all that lies in it; none of what is not there."""
    try:
        paths = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        return tuple(state_of(each.stat() if each.exists() else each.lstat()) for each in paths)
    except OSError:
        return ()


def head_of(source: str) -> bytes:
    """Give the first bytes of a file that somebody named; none where that is something else."""
    try:
        if not Path(source).is_file():  # whoever opens a pipe waits for somebody to write
            return b""
        with Path(source).open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return b""


def put_away(delivery: Delivery, where: Literal["done", "refused"], reason: str = "") -> None:
    """Move a delivery out of `incoming/`, with its reason beside it if there is one.

    What a person named stays where it is, and so does what has come in the place of what was read: the next run takes it.

    Raises:
        StoreError: it cannot be moved.
    """
    if delivery.landing is None or is_gone(delivery):
        return
    source, folder = Path(delivery.source), delivery.landing / where
    if _states(source) != delivery.state:
        log.warning("%s is not what was read any more; it stays where it is, for the next run", delivery.name)
        return
    target = _free(folder / delivery.name)
    reasons = target.with_name(f"{target.name}.reason.txt")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if reason:  # first, so that no refused file is ever without it
            reasons.write_text(f"{reason}\n", encoding="utf-8")
        source.replace(target)
    except OSError as error:
        if is_gone(delivery):
            if not os.path.lexists(target):
                reasons.unlink(missing_ok=True)
            return
        what = (error.strerror or str(error)).lower()
        message = f"{delivery.name} is decided on, and cannot be moved to {folder}: {what}; mend this, and run again"
        raise StoreError(message, where=str(folder)) from error


def _free(target: Path) -> Path:
    """Give a path that nothing lies at: this one, or the same with a number."""
    free, place = target, 2
    while os.path.lexists(free):
        free, place = target.with_name(f"{target.stem}-{place}{target.suffix}"), place + 1
    return free
