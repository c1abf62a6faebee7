"""Failures of storage, told in one sentence."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator

# (what the engine's text says, what failed, what to do)
CAUSES = [
    (r"No space left|Disk quota exceeded|File too large", "its disk is full", "free some space and bring the batch again"),
    (r"Permission denied|Read-only file system|AccessDenied|status code 40[13]|Forbidden", "it may not be written or read", "grant access"),
    (r"URL scheme is not allowed", "plain http is not allowed", "set AWS_ALLOW_HTTP=true if the endpoint has no TLS"),
    (r"NoSuchBucket|bucket does not exist", "there is no such bucket", "create it, or correct EVERGREEN_LAKE_URL"),
    (
        r"error sending request|Connection refused|dns error|timed out|connection closed",
        "it does not answer",
        "see that it runs and run again",
    ),
    (r"[Nn]ot a directory|File exists", "a file stands where its folder should be", "name another folder with EVERGREEN_LAKE_URL"),
    (r"not found|No such file|does not exist", "a file of it is gone", "restore it; only `maintain` may remove files of a lake"),
    (
        r"Unknown scheme|No suitable object store|Generic URL error|InvalidTableLocation|not supported",
        "this address cannot be used",
        "use a folder or s3://bucket/path",
    ),
]
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 160


@contextmanager
def told(url: str) -> Generator[None]:
    """Turn what the engine raises about a lake into one sentence.

    Raises:
        StoreError: what failed, where, and what to do.
    """
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError, pa.ArrowException, ValueError) as error:
        raise _told(url, error) from error


def _told(url: str, error: Exception) -> StoreError:
    text = " ".join(ANSI.sub("", str(error)).replace("↳", "").split())
    for pattern, what, remedy in CAUSES:
        if re.search(pattern, text):
            return StoreError(f"cannot use the lake at {url}: {what}; {remedy}", where=url)
    shown = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    return StoreError(f"cannot use the lake at {url}: {shown or type(error).__name__}; mend this and run again", where=url)
