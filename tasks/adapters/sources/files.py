"""Files, folders and globs of this machine: each file in one state of it, and never waiting for one."""

from __future__ import annotations

import os
import stat
from difflib import get_close_matches
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError
from tasks.core.formats.archives import MOST_BYTES
from tasks.core.formats.contents import recognised
from tasks.core.formats.folders import alike, checked_files, is_hidden, state_of
from tasks.core.formats.source import CHANGED, refused
from tasks.core.reading import blob
from tasks.core.reading.blob import Blob, OpenFile

if TYPE_CHECKING:
    from tasks.core.formats.source import Content
    from tasks.core.reading.terms import ReadingOptions


def local(source: str, options: ReadingOptions) -> list[Content]:
    """Give what a file holds, or each file of a folder or glob, in the order of their names.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        DataRefusedError: the content cannot be a table.
    """
    path = Path(source)
    try:
        is_folder = path.is_dir()
        names = _listing(path, source) if is_folder else _matches(source)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(source, error) from error
    if not is_folder and (not has_magic(source) or os.path.lexists(source)):
        return [recognised(_opened(source), source, options)]
    files = [name for name in names if not is_hidden(name) and (is_folder or not Path(name).is_dir())]
    contents = alike([recognised(_opened(name), name, options) for name in files], source)
    if is_folder and _listing(path, source) != names:
        raise refused(source, CHANGED)
    return contents


def check_exists(source: str) -> None:
    """Refuse a path that leads nowhere; a glob may match later.

    Raises:
        UsageError: there is no such file.
    """
    try:
        if not has_magic(source):
            Path(source).stat()
    except (OSError, ValueError) as error:
        raise unreadable(source, error) from error


def _matches(source: str) -> list[str]:
    return sorted(glob(source, recursive=True)) if has_magic(source) else []  # noqa: PTH207  # knows absolute patterns too


def _listing(folder: Path, source: str) -> list[str]:
    entries = sorted(folder.iterdir())
    return checked_files([(str(entry), entry.is_dir()) for entry in entries], source)


def _opened(source: str) -> Blob:
    """Give a regular file, all of one state of it; whatever stands at the path, this never waits for it."""
    path = Path(source)
    try:
        before = path.stat()
        check_is_file(before, source)
        file = OpenFile(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        content = file.read(0, before.st_size + 1) if before.st_size <= blob.HELD_BYTES else file
    except (OSError, ValueError) as error:
        raise unreadable(source, error) from error

    def check() -> None:
        """Refuse what is no more the file that it was."""
        try:
            still, after = os.fstat(file.descriptor), path.stat()
        except OSError as error:
            raise unreadable(source, error) from error
        if not (state_of(before) == state_of(still) == state_of(after)):
            raise refused(source, CHANGED)

    opened = Blob(content, check)
    if isinstance(content, bytes):
        check()
    if opened.size != before.st_size:
        raise refused(source, CHANGED)
    return opened


def check_is_file(status: os.stat_result, source: str) -> None:
    """Refuse what is no regular file, or a larger one than is read.

    Raises:
        UsageError: it is a folder, pipe, socket or device.
        DataRefusedError: it is too large.
    """
    if not stat.S_ISREG(status.st_mode):
        message = f"'{source}' is {'a folder' if stat.S_ISDIR(status.st_mode) else 'a pipe, socket or device'}, not a file; name a file"
        raise UsageError(message, where=source)
    if status.st_size > MOST_BYTES:
        raise refused(source, f"has {status.st_size / 2**30:,.1f} GiB, more than the {MOST_BYTES / 2**30:.0f} GiB that are read; split it")


def unreadable(source: str, error: OSError | ValueError) -> UsageError:
    """Build the message for a file that is missing or cannot be opened, with the closest name beside it."""
    path = Path(source)
    if not isinstance(error, FileNotFoundError):
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return UsageError(f"'{source}' cannot be read: {reason.lower()}", where=source)
    if path.is_symlink():
        return UsageError(f"'{source}' is a link to '{path.readlink()}', which does not exist", where=source)
    if not path.parent.is_dir():
        return UsageError(f"there is no file '{source}', and no folder '{path.parent}'", where=source)
    close = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    hint = f"did you mean '{path.with_name(close[0])}'?" if close else "name a table, or sklearn:diabetes to try"
    return UsageError(f"there is no file '{source}'; {hint}", where=source)
