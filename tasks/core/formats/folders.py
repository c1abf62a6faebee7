"""Which files of a folder or glob are the table, and whether they are parts of one table."""

from __future__ import annotations

from glob import has_magic
from pathlib import PurePath
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.formats.source import Content, listed, refused

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


def checked_files(entries: Iterable[tuple[str, bool]], source: str) -> list[str]:
    """Give the files of a folder, unless what they hold together is not simply their rows.

    Args:
        entries: Path of each entry, and whether it is a folder.
        source: The folder, named in messages.

    Raises:
        UsageError: it holds further folders.
        DataRefusedError: it is a Delta table.
    """
    entries = sorted(entries)
    if any(PurePath(name).name == "_delta_log" for name, _ in entries):
        raise refused(source, "is a Delta table, whose files are not simply its rows; write the rows to a Parquet file")
    folders = [name for name, is_folder in entries if is_folder and not is_hidden(name)]
    if folders:
        names = listed([PurePath(name).name for name in folders])
        message = f"'{source}' holds folders ({names}); name one, or a glob such as '{source}/**/*.csv'"
        raise UsageError(message, where=source)
    return [name for name, is_folder in entries if not is_folder]


def is_hidden(name: str) -> bool:
    """Say whether a file is one that programs leave beside the data, such as `_SUCCESS` or `.part-0.crc`."""
    return PurePath(name).name.startswith((".", "_"))


def state_of(status: os.stat_result) -> tuple[int, ...]:
    """Give what tells two states of a file apart.

    The time of change is set by the system, so that a writer who restores the time of modification is noticed. What is not: a write of
    equal size within the same tick of the system's clock (some milliseconds), or by a machine whose clock lags on a shared file system.
    """
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def alike(contents: list[Content], source: str) -> list[Content]:
    """Give the contents again, if there are any and all have one format.

    Raises:
        UsageError: there are none.
        DataRefusedError: the formats differ.
    """
    if not contents:
        message = f"'{source}' matches no file" if has_magic(source) else f"'{source}' is a folder without files"
        raise UsageError(message, where=source)
    first = contents[0]
    other = next((content for content in contents if content.format != first.format), None)
    if other:
        message = (
            f"'{source}' holds files of several formats: '{first.source}' is {first.format}, '{other.source}' {other.format}; keep one"
        )
        raise DataRefusedError(message, where=source)
    return contents
