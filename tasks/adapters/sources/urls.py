"""Files behind the URLs that fsspec knows."""

from __future__ import annotations

import sys
from glob import has_magic
from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError
from tasks.core.formats.archives import MIB, MOST_BYTES
from tasks.core.formats.contents import recognised
from tasks.core.formats.folders import alike, checked_files, is_hidden
from tasks.core.formats.source import CHANGED, missing_package, refused, secrets_of, shown_url
from tasks.core.reading.blob import Spool

if TYPE_CHECKING:
    from tasks.core.formats.source import Content
    from tasks.core.reading.blob import Blob
    from tasks.core.reading.terms import ReadingOptions

# Scheme of a URL, and the package that speaks it.
REMOTE = {"file": "", "memory": "", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
# What tells two states of a remote file apart, in the words of the several file systems.
REMOTE_STATE = ("size", "mtime", "ETag", "etag", "LastModified", "last_modified", "updated", "created")


def remote(url: str, scheme: str, options: ReadingOptions) -> list[Content]:
    """Give what the file behind a URL holds, or each file of a folder or glob.

    Raises:
        UsageError: there is no such file, it cannot be fetched, or a package is missing for it.
        DataRefusedError: the content cannot be a table.
    """
    shown = shown_url(url)
    try:
        import fsspec

        fs, path = fsspec.url_to_fs(url)
        if scheme.startswith("http"):  # lists no folders
            return [recognised(_fetched(fs, path, shown), shown, options)]
        names = _remote_names(fs, path, url)
        if names is None:
            return [recognised(_fetched(fs, path, shown), shown, options)]
        return alike([_one_of_many(fs, name, options) for name in names], url)
    except ImportError as error:
        raise missing_package(REMOTE[scheme], f"{scheme}:// URLs") from error
    except _remote_errors() as error:
        raise _unreachable(error, url, shown) from error


def _unreachable(error: Exception, url: str, shown: str) -> UsageError:
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception) else error
    status = getattr(cause, "status", None)  # of HTTP; the whole text of such an error repeats the URL
    if isinstance(cause, FileNotFoundError) or status == 404:
        return UsageError(f"there is no file '{shown}'", where=shown)
    reason = f"the server answers {status}" if status else (str(cause).splitlines() or [type(cause).__name__])[0]
    for secret in (url, *secrets_of(url)):
        reason = reason.replace(secret, "***")
    return UsageError(f"'{shown}' cannot be read: {reason}", where=shown)


def _one_of_many(fs: Any, name: str, options: ReadingOptions) -> Content:  # noqa: ANN401  # fsspec has no types
    shown = fs.unstrip_protocol(name)
    return recognised(_fetched(fs, name, shown), shown, options)


def _remote_names(fs: Any, path: str, url: str) -> list[str] | None:  # noqa: ANN401  # fsspec has no types
    """Give the files of a folder or glob; None where the path is that of one file."""
    if has_magic(path):
        return sorted(name for name in fs.glob(path) if not is_hidden(name) and not fs.isdir(name))
    if not fs.isdir(path):
        return None
    entries = [(entry["name"], entry["type"] == "directory") for entry in fs.ls(path, detail=True)]
    return [name for name in checked_files(entries, url) if not is_hidden(name)]


def _fetched(fs: Any, path: str, shown: str) -> Blob:  # noqa: ANN401  # fsspec has no types
    before, kept = fs.info(path), Spool()
    with fs.open(path, "rb") as file:
        while chunk := file.read(8 * MIB):
            kept.write(chunk)
            if kept.size > MOST_BYTES:
                raise refused(shown, f"has more than {MOST_BYTES / 2**30:.0f} GiB; split it")
    fs.invalidate_cache()
    after = fs.info(path)
    if any(before.get(key) != after.get(key) for key in REMOTE_STATE):
        raise refused(shown, CHANGED)
    return kept.blob()


def _remote_errors() -> tuple[type[Exception], ...]:
    """Give what the file systems raise; the clients that are not loaded raised nothing."""
    classes = (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError"), ("google.auth.exceptions", "GoogleAuthError"))
    loaded = (getattr(sys.modules[module], name) for module, name in classes if module in sys.modules)
    return (OSError, ValueError, *loaded)
