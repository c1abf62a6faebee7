"""Unpack a compressed file in bounded memory: what would grow beyond all measure is counted, and refused, before it is kept."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from tasks.core.formats.source import listed, refused
from tasks.core.reading.blob import Spool

if TYPE_CHECKING:
    from collections.abc import Generator

    from tasks.core.reading.blob import Blob

MIB = 2**20
MOST_TIMES = 100
MOST_BYTES = 8 * 2**30
ALWAYS_ALLOWED = MIB  # a few repeated rows shrink a thousandfold, and harm nobody
# What the decoders raise on damaged input; pyarrow's errors of zstd are OSError.
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, ValueError)


def unpack(packed: Blob, compression: str, source: str, *, most_times: int = MOST_TIMES, most_bytes: int = MOST_BYTES) -> Blob:
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
    most = min(most_bytes, max(ALWAYS_ALLOWED, most_times * packed.size))
    spool = Spool()
    try:
        with _opened(packed, compression, source) as stream:
            while chunk := stream.read(MIB):
                if spool.size + len(chunk) > most:
                    raise _too_large(most, source)
                spool.write(chunk)
    except DAMAGE as error:
        detail = str(error).rstrip(".") or "it ends too early"
        raise refused(source, f"is damaged or cut off, and cannot be unpacked ({compression}: {detail}); fetch it again") from error
    packed.check()
    return spool.blob()


def _too_large(most: int, source: str) -> Exception:
    return refused(
        source, f"unpacks to more than {most / MIB:,.0f} MiB, far more than its size; if you trust it, unpack it and name the file"
    )


@contextmanager
def _opened(packed: Blob, compression: str, source: str) -> Generator[IO[bytes]]:
    file = packed.open()
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

    with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as stream:
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


def zip_kind(packed: Blob, source: str) -> str:
    """Say what a zip archive is: excel, or zip for one that holds a table.

    Raises:
        DataRefusedError: it is damaged, or another Office document.
    """
    try:
        with zipfile.ZipFile(packed.open()) as archive:
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
