"""Rows of JSON: one object a line, or an array of objects; each value as it stands, or a refusal that names line and key."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import TYPE_CHECKING, cast

from tasks.core.formats.source import refused
from tasks.core.formats.values import rows_table
from tasks.core.reading.blob import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.core.errors import DataRefusedError
    from tasks.core.reading.blob import Blob
    from tasks.core.reading.terms import ReadingOptions
    from tasks.core.table import Table

HEAD_BYTES = 4096
MOST_DIGITS = 4000  # Python converts no longer ones
ERROR_KEYS = frozenset(["error", "errors", "message"])


class _UnfitError(ValueError):
    """An object that is JSON but no row."""


def json_table(blob: Blob, source: str, options: ReadingOptions) -> tuple[Table, str]:
    """Give the rows of a JSON file, and a note about columns of mixed types.

    Args:
        blob: All bytes of the file; lines are read one by one, an array at once.
        source: Named in messages.
        options: What is known: the encoding, else UTF-8, or UTF-16 with a mark; and columns of text.

    Raises:
        DataRefusedError: a line is no JSON object, or a value is nested, infinite or given twice.
    """
    blob = _utf8(blob, source, options.checked_encoding())
    is_array = blob.read(0, HEAD_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["
    rows = _array_rows(blob, source) if is_array else _line_rows(blob, source)
    table, note = rows_table(rows, source, options)
    if len(table) <= 1 and ERROR_KEYS & set(table.names):
        raise refused(source, "is an error message in JSON, not a table; fetch it again")
    return table, note


def _utf8(blob: Blob, source: str, encoding: str | None) -> Blob:
    """Give bytes in UTF-8; what is said to be that is believed until a line is read."""
    encoding = encoding or ("utf-16" if blob.read(0, 2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8")
    if encoding == "utf-8":
        return blob
    decoder, spool, line = codecs.getincrementaldecoder(encoding)(), Spool(), 1
    try:
        for part in (*blob.parts(), b""):
            text = decoder.decode(part, final=not part)
            spool.write(text.encode())
            line += text.count("\n")
    except UnicodeDecodeError as error:
        line += error.object[: error.start].decode(encoding, errors="ignore").count("\n")
        raise _wrong_encoding(source, encoding, line) from error
    return spool.blob()


def _wrong_encoding(source: str, encoding: str, line: int) -> DataRefusedError:
    return refused(source, f"is not {encoding.upper()}; save it as UTF-8", f"line {line}")


def _line_rows(blob: Blob, source: str) -> Iterator[dict[str, object]]:
    decode = _decoder()
    for number, raw in enumerate(blob.open(), start=1):
        line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if line.isspace() or not line:
            continue
        where = f"line {number}"
        try:
            row = decode.decode(line.decode())
        except UnicodeDecodeError as error:
            raise _wrong_encoding(source, "utf-8", number) from error
        except (ValueError, RecursionError) as error:
            if number == 1 and isinstance(error, json.JSONDecodeError) and _is_one_object(blob.whole()):
                raise refused(source, "is one JSON object; give one object a line, or an array of objects") from error
            raise refused(source, f"no JSON object on one line ({_reason(error)})", where) from error
        yield _checked(row, source, where, is_flat=_is_surely_flat(line))


def _is_surely_flat(line: bytes) -> bool:
    """Say whether a line shows that its object holds plain values, none of them half a character, which only an escape can write."""
    return line.count(b"{") == 1 and b"[" not in line and b"\\u" not in line


def _array_rows(blob: Blob, source: str) -> Iterator[dict[str, object]]:
    data = blob.whole().removeprefix(codecs.BOM_UTF8)
    try:
        rows = _decoder().decode(data.decode())
    except UnicodeDecodeError as error:
        raise _wrong_encoding(source, "utf-8", data.count(b"\n", 0, error.start) + 1) from error
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise refused(source, f"is no JSON array of objects ({_reason(error)})".removeprefix("is " if where else ""), where) from error
    return (_checked(row, source, f"element {number}") for number, row in enumerate(rows, start=1))


def _reason(error: Exception) -> str:
    return (
        error.msg.lower()
        if isinstance(error, json.JSONDecodeError)
        else str(error)
        if isinstance(error, _UnfitError)
        else "nested too deeply"
    )


def _is_one_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_distinct, parse_int=_whole, parse_float=_finite, parse_constant=_constant)


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _UnfitError(f"key '{next(key for key in keys if keys.count(key) > 1)}' twice in one object")
    return row


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _UnfitError(f"a number of {len(digits):,} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _UnfitError(f"{digits} is too large for a number")
    return value


def _constant(name: str) -> float:
    if name != "NaN":
        raise _UnfitError(f"{name} is no number; write null")
    return math.nan


def _checked(row: object, source: str, where: str, *, is_flat: bool = False) -> dict[str, object]:
    if not isinstance(row, dict):
        raise refused(source, f"no JSON object but {_kind(row)}", where)
    fields = cast("dict[str, object]", row)
    for key, value in () if is_flat else fields.items():
        if isinstance(value, dict | list):
            raise refused(source, f"'{key}' holds {_kind(cast('object', value))}; give one plain value a key, such as '{key}.x'", where)
        if (isinstance(value, str) and _has_surrogate(value)) or _has_surrogate(key):
            raise refused(source, f"{key!a} holds half a character (a lone surrogate); write it as UTF-8", where)
    return fields


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and re.search("[\ud800-\udfff]", text) is not None


def _kind(value: object) -> str:
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else f"the value {json.dumps(value)[:40]}"
