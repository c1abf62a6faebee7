"""Disks that are full."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Generator[Path]:
    """Give a folder that is a file system of its own, or skip the test where none may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own needs the right to mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def filled(folder: Path, left: int) -> Generator[None]:
    """Leave so many bytes of a file system free for a while."""
    found, filler = os.statvfs(folder), folder / "filler"
    filler.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - left)))
    yield
    filler.unlink()
