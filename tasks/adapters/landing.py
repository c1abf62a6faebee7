"""The landing folder of a use case: `incoming/` is emptied into `done/`, or into `refused/` with a file that says why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.deliveries import Delivery
from tasks.core.errors import StoreError, UsageError
from tasks.core.formats.folders import is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

HEAD_BYTES = 200
# What programs call a file that they are still writing.
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")


def arrived(folder: Path) -> Iterator[Delivery]:
    """Yield what lies in `incoming/`, in the order of the names; the folders are made where they are missing.

    Raises:
        UsageError: the folder cannot be used.
    """
    try:
        for name in ("incoming", "done", "refused"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        files = sorted(path for path in (folder / "incoming").iterdir() if not is_hidden(str(path)))
    except OSError as error:
        message = f"the landing folder '{folder}' cannot be used: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, where="landing") from error
    for path in files:
        if path.suffix.lower() not in UNFINISHED:
            yield Delivery(path.name, str(path), folder)


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
    """Move a delivery out of `incoming/`, with its reason beside it if there is one; what a person named stays where it is.

    Raises:
        StoreError: it cannot be moved.
    """
    if delivery.landing is None:
        return
    source, folder = delivery.landing / "incoming" / delivery.name, delivery.landing / where
    target, place = folder / delivery.name, 2
    while target.exists():
        target, place = folder / f"{source.stem}-{place}{source.suffix}", place + 1
    try:
        if reason:  # first, so that no refused file is ever without it
            target.with_name(f"{target.name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")
        if source.exists():
            source.replace(target)
    except OSError as error:
        what = (error.strerror or str(error)).lower()
        message = f"{delivery.name} is decided on, and cannot be moved to {folder}: {what}; mend this, and run again"
        raise StoreError(message, where=str(folder)) from error
