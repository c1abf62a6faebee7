"""Bytes in memory or in a file, read in parts, so that a file need not fit into memory."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

PART_BYTES = 8 * 2**20
# What is smaller stays in memory.
HELD_BYTES = 64 * 2**20


class OpenFile:
    """An open file that is closed with the last who knows it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def temporary(cls) -> OpenFile:
        """Give a file that nobody sees and that vanishes with the process, however that ends."""
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def read(self, at: int, size: int) -> bytes:
        """Give so many bytes from a place on, fewer at the end."""
        parts: list[bytes] = []
        while size > 0 and (part := os.pread(self.descriptor, size, at)):
            parts.append(part)
            at, size = at + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, at: int, part: Buffer) -> None:
        """Write all of a part at a place.

        Raises:
            StoreError: the disk is full.
        """
        view = memoryview(part)
        try:
            while view:
                written = os.pwrite(self.descriptor, view, at)
                at, view = at + written, view[written:]
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"cannot write to '{tempfile.gettempdir()}': {reason}; set TMPDIR to a folder with more room"
            raise StoreError(message, where="TMPDIR") from error


class Blob:
    """Bytes that do not change while they are read.

    Args:
        content: The bytes, or a file that holds nothing else.
        check: Called when everything is read; raises where the file has changed meanwhile.

    >>> blob = Blob(b"a,b")
    >>> blob.size, blob.read(2, 10), [*blob.parts(2)]
    (3, b'b', [b'a,', b'b'])
    """

    def __init__(self, content: bytes | OpenFile, check: Callable[[], None] = lambda: None) -> None:
        self._content = content
        self.check = check
        self.size = len(content) if isinstance(content, bytes) else os.fstat(content.descriptor).st_size

    def read(self, at: int, size: int) -> bytes:
        """Give so many bytes from a place on, fewer at the end."""
        return self._content[at : at + size] if isinstance(self._content, bytes) else self._content.read(at, size)

    def whole(self) -> bytes:
        """Give all bytes at once."""
        return self._content if isinstance(self._content, bytes) else self._content.read(0, self.size)

    def parts(self, size: int = PART_BYTES, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes from a place on, one part after the other."""
        for at in range(start, self.size, size):
            yield self.read(at, size)

    def open(self) -> io.BufferedReader:
        """Give the bytes as a file to read from its start."""
        return io.BufferedReader(_Reader(self))


class _Reader(io.RawIOBase):
    """A place in a blob from which is read."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        part = self._blob.read(self._at, len(view))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._blob.size}[whence]
        return self._at


class Spool:
    """Takes bytes, and keeps many of them in a file that vanishes with the process.

    >>> spool = Spool()
    >>> spool.write(b"a,"), spool.write(b"b"), spool.blob().whole()
    (0, 2, b'a,b')
    """

    def __init__(self, held_bytes: int | None = None) -> None:
        self._held_bytes = HELD_BYTES if held_bytes is None else held_bytes
        self._held = bytearray()
        self._file: OpenFile | None = None
        self.size = 0

    def write(self, part: bytes) -> int:
        """Add bytes, and say from which place on they stand."""
        at = self.size
        if self._file is None and at + len(part) > self._held_bytes:
            self._file = OpenFile.temporary()
            self._file.write(0, self._held)
            self._held = bytearray()
        if self._file is None:
            self._held += part
        else:
            self._file.write(at, part)
        self.size += len(part)
        return at

    def blob(self) -> Blob:
        """Give all that was written so far."""
        return Blob(bytes(self._held) if self._file is None else self._file)
