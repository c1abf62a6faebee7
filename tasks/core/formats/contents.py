"""From the bytes of a file to what it holds: unpacked, recognised, and read where it is not text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError
from tasks.core.formats.archives import unpack, zip_kind
from tasks.core.formats.columns import parquet_table
from tasks.core.formats.json_rows import json_table
from tasks.core.formats.source import Content, compression_of, format_of, name_note, refused
from tasks.core.formats.workbooks import sheet
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from tasks.core.reading.blob import Blob
    from tasks.core.reading.terms import ReadingOptions

MAGIC_BYTES = 16


def recognised(blob: Blob, source: str, options: ReadingOptions) -> Content:
    """Give what a file holds.

    Args:
        blob: All bytes of it.
        source: As the person wrote it.
        options: What the person knows: `encoding` and `sheet` matter here.

    Raises:
        UsageError: an option that this format does not have.
        DataRefusedError: the content cannot be a table.
    """
    blob, compression, format_ = _unpacked(blob, source)
    if not format_:
        format_ = format_of(blob, source, is_surely_text=options.encoding is not None)
    if options.sheet is not None and format_ != "excel":
        message = f"--read sheet is for Excel files; {source} is none"
        raise UsageError(message, where="--read sheet")
    content = _read(blob, source, format_, options)
    repairs = _repairs("lying_extension", name_note(source, format_, compression))
    return replace(content, compression=compression, repairs=(*repairs, *content.repairs))


def _repairs(code: str, detail: str) -> tuple[Repair, ...]:
    return (Repair(code, (), detail),) if detail else ()


def _unpacked(blob: Blob, source: str) -> tuple[Blob, str, str]:
    """Give bytes, the compression taken off, and `excel` where it is that, which is itself a zip archive."""
    outer = compression_of(blob.read(0, MAGIC_BYTES))
    if outer == "zip" and zip_kind(blob, source) == "excel":
        return blob, "", "excel"
    if not outer:
        return blob, "", ""
    unpacked = unpack(blob, outer, source)
    inner = compression_of(unpacked.read(0, MAGIC_BYTES))
    if inner == "zip" and zip_kind(unpacked, source) == "excel":
        return unpacked, outer, "excel"
    if inner:
        raise refused(source, f"holds an archive in an archive ({inner} in {outer}); unpack it and name the table in it")
    return unpacked, outer, ""


def _read(blob: Blob, source: str, format_: str, options: ReadingOptions) -> Content:
    if format_ == "text":
        return Content(source, format_, data=blob)
    try:
        return _read_at_once(blob, source, format_, options)
    finally:  # a file that has changed meanwhile is what is wrong, whatever else seems to be
        blob.check()


def _read_at_once(blob: Blob, source: str, format_: str, options: ReadingOptions) -> Content:
    if format_ == "excel":
        rows, repairs = sheet(blob.whole(), source, options.sheet)
        return Content(source, format_, sheet=rows, repairs=repairs)
    if format_ == "parquet":
        return Content(source, format_, table=parquet_table(blob, source))
    table, note = json_table(blob, source, options)
    return Content(source, format_, table=table, repairs=_repairs("mixed_types", note))
