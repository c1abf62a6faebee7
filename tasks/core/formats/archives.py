"""Unpack a compressed file in bounded memory: what would grow beyond all measure is counted, and refused, before it is kept."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from tasks.core.formats.source import listed, refused

if TYPE_CHECKING:
    from collections.abc import Generator

MIB = 2**20
MOST_TIMES = 100
MOST_BYTES = 8 * 2**30
ALWAYS_ALLOWED = MIB  # a few repeated rows shrink a thousandfold, and harm nobody
KEPT_UNCOUNTED = 32 * MIB
# What the decoders raise on damaged input; pyarrow's errors of zstd are OSError.
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, ValueError)


def unpack(packed: bytes, compression: str, source: str, *, most_times: int = MOST_TIMES, most_bytes: int = MOST_BYTES) -> bytes:
    """Give the bytes of the one table that a compressed file holds.

    Args:
        packed: All bytes of the file.
        compression: One of gz, bz2, xz, zst, zip.
        source: Named in messages.
        most_times: How many times its packed size a file may have.
        most_bytes: How many bytes a file may have.

    Raises:
        DataRefusedError: it is damaged, encrypted, would be too large, or is a zip of none or several tables.
    """
    most = min(most_bytes, max(ALWAYS_ALLOWED, most_times * len(packed)))
    try:
        if most > KEPT_UNCOUNTED:
            with _opened(packed, compression, source) as stream:
                _check_size(stream, most, source)
        with _opened(packed, compression, source) as stream:
            return _kept(stream, most, source)
    except DAMAGE as error:
        detail = str(error).rstrip(".") or "it ends too early"
        raise refused(source, f"is damaged or cut off, and cannot be unpacked ({compression}: {detail}); fetch it again") from error


def _too_large(most: int, source: str) -> Exception:
    return refused(
        source, f"unpacks to more than {most / MIB:,.0f} MiB, far more than its size; if you trust it, unpack it and name the file"
    )


def _check_size(stream: IO[bytes], most: int, source: str) -> None:
    size = 0
    while chunk := stream.read(MIB):
        size += len(chunk)
        if size > most:
            raise _too_large(most, source)


def _kept(stream: IO[bytes], most: int, source: str) -> bytes:
    kept = io.BytesIO()  # gives its bytes away without a copy
    while chunk := stream.read(MIB):
        if kept.tell() + len(chunk) > most:
            raise _too_large(most, source)
        kept.write(chunk)
    return kept.getvalue()


@contextmanager
def _opened(packed: bytes, compression: str, source: str) -> Generator[IO[bytes]]:
    file = io.BytesIO(packed)
    if compression == "zip":
        with zipfile.ZipFile(file) as archive, archive.open(_only_member(archive, source)) as member:
            yield member
        return
    openers = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    if compression in openers:
        with openers[compression](file) as stream:
            yield cast("IO[bytes]", stream)
        return
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        yield cast("IO[bytes]", stream)


def _only_member(archive: zipfile.ZipFile, source: str) -> zipfile.ZipInfo:
    """Give the entry that is the table; folders, dot files and what macOS adds do not count."""
    members = [m for m in archive.infolist() if not m.is_dir() and not _is_hidden(m.filename)]
    if not members:
        raise refused(source, "is a zip archive without a file in it")
    if len(members) > 1:
        raise refused(
            source, f"holds {len(members)} files ({listed([m.filename for m in members])}); unpack it and name one, or the folder"
        )
    if members[0].flag_bits & 0x1:
        raise refused(source, f"is protected by a password; unpack it and name '{members[0].filename}'")
    return members[0]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def zip_kind(packed: bytes, source: str) -> str:
    """Say what a zip archive is: excel, or zip for one that holds a table.

    Raises:
        DataRefusedError: it is damaged, or another Office document.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = set(archive.namelist())
    except DAMAGE as error:
        raise refused(source, f"is damaged or cut off, and cannot be unpacked (zip: {error}); fetch it again") from error
    if "xl/workbook.xml" in names:
        return "excel"
    if "xl/workbook.bin" in names or {"mimetype", "content.xml"} <= names:
        raise refused(source, "is a spreadsheet, but not .xlsx; save the sheet as .xlsx or CSV")
    if "[Content_Types].xml" in names:
        raise refused(source, "is an Office document, not a table; save the table as .xlsx or CSV")
    return "zip"
