"""Memory: what is free goes back to the system between the stages of a run, where allocators would keep it for themselves."""

from __future__ import annotations

import ctypes
import sys


def held_bytes() -> int:
    """Say how much memory this process holds."""
    import psutil

    return psutil.Process().memory_info().rss


def give_back() -> None:
    """Let the system have what is not used; with millions of rows that is most of what a stage took."""
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
