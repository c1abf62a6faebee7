"""Bytes become text: by their byte order mark, as UTF-8, or as the code page that fits, and never silently."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from tasks.core.errors import DataRefusedError
from tasks.core.reading.records import lines_with, physical_lines
from tasks.core.reading.terms import Repair

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE_SHARE = 0.3
OTHER_PAGES = ["cp1251", "cp1253", "cp932", "gb18030", "big5", "euc_kr", "koi8_r"]
SAMPLE = 65_536
# UTF-8 that was read as cp1252 and saved again: a lead byte followed by continuation bytes, as that code page shows them.
MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|\u00e2\u20ac.")
INVISIBLE = (
    ("nul_bytes", "NUL bytes were taken out", re.compile(r"\0+")),
    ("control_characters", "control characters were taken out", re.compile(r"[\x02-\x08\x0b\x0c\x0e-\x1f\x7f]+")),
    ("invisible_characters", "characters without width were taken out", re.compile("[\u200b\u2060\ufeff]+")),
)
INVISIBLE_BYTES = bytes([0, *range(2, 9), 11, 12, *range(14, 32), 127])
INVISIBLE_SIGNS = tuple(sign.encode() for sign in "\u200b\u2060\ufeff")
MOJIBAKE_BYTES = tuple(sign.encode() for sign in ("\u00c2", "\u00c3", "\u00e2\u20ac"))
# Signs that cp1252 shows inside words where the file is in cp1250, as Polish or Czech text is.
CENTRAL_EUROPEAN = re.compile("[a-z][\u00b9\u00b3\u00bf\u00ba\u00be\u0153\u0178\u00a3\u00a5]|[\u00a3\u0152\u00af\u00b3][a-z]")
ASIAN = frozenset({"CJK Unified Ideographs", "Hiragana", "Katakana", "Hangul Syllables"})
SURE = 0.2


@dataclass(frozen=True)
class Decoded:
    """Text with its encoding, and what was odd about its bytes."""

    text: str
    encoding: str
    repairs: tuple[Repair, ...] = ()


def decode(data: bytes, source: str, given: str | None = None) -> Decoded:
    r"""Decode a file's bytes.

    Raises:
        DataRefusedError: the given encoding does not fit, or the bytes are no text.

    >>> decode("größe\n".encode("utf-16"), "t.csv").encoding
    'utf-16-le'
    """
    repairs: list[Repair] = []
    mark, encoding = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", given or wide_encoding(data)))
    body = data.removeprefix(mark)
    if encoding:
        text = _decode_all(body, encoding, source)
    else:
        text, encoding, found = _eight_bits(body)
        repairs += found
    if _may_be_invisible(body, encoding):
        text, found = _without_invisible(text)
        repairs += found
    if not body.isascii() and (encoding != "utf-8" or any(sign in body for sign in MOJIBAKE_BYTES)) and MOJIBAKE.search(text):
        told = "looks like UTF-8 that was once read in another encoding; kept as it is"
        repairs.append(Repair("mojibake", lines_with(MOJIBAKE, text), told))
    return Decoded(text, encoding, tuple(repairs))


def _may_be_invisible(body: bytes, encoding: str) -> bool:
    """Look for invisible characters in the bytes, which takes a hundredth of the time that a look at the text takes."""
    if encoding != "utf-8":
        return True
    return len(body.translate(None, INVISIBLE_BYTES)) < len(body) or any(sign in body for sign in INVISIBLE_SIGNS)


def _without_invisible(text: str) -> tuple[str, list[Repair]]:
    """Take out what nobody sees and no cell means."""
    repairs: list[Repair] = []
    for code, told, pattern in INVISIBLE:
        if pattern.search(text):
            repairs.append(Repair(code, lines_with(pattern, text), told))
            text = pattern.sub("", text)
    return text, repairs


def wide_encoding(data: bytes) -> str:
    """Name the UTF-16 that a text without byte order mark is in; empty when it is in none."""
    sample = data[:SAMPLE]
    for encoding, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        if sample and sample[offset::2].count(0) > WIDE_SHARE * len(sample) and not sample[1 - offset :: 2].count(0):
            return encoding
    return ""


def _decode_all(data: bytes, encoding: str, source: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="ignore")
        line = sum(bool(line.end) for line in physical_lines(before)) + 1
        byte = f"byte 0x{data[error.start]:02x} is not {encoding.upper()}"
        message = f"{source}, line {line}: {byte}; name another encoding, such as --read encoding=cp1252"
        raise DataRefusedError(message, where=f"{source}, line {line}") from error


def _eight_bits(data: bytes) -> tuple[str, str, list[Repair]]:
    """Decode as UTF-8 where that fits, else as a code page, else each line by itself."""
    try:
        return data.decode(), "utf-8", []
    except UnicodeDecodeError:
        lines = data.splitlines(keepends=True)
    foreign = [number for number, line in enumerate(lines, start=1) if not _is_utf8(line)]
    has_utf8 = any(not line.isascii() and _is_utf8(line) for line in lines)
    page = _code_page(b"".join(lines[number - 1] for number in foreign))
    if not has_utf8:
        told = f"not UTF-8; read as {page}, which fits; another can be named with --read encoding="
        return data.decode(page), page, [Repair("encoding", tuple(foreign), told)]
    text = "".join(line.decode("utf-8") if _is_utf8(line) else line.decode(page) for line in lines)
    return text, "utf-8", [Repair("mixed_encodings", tuple(foreign), f"some lines are not UTF-8; these were read as {page}")]


def _is_utf8(line: bytes) -> bool:
    return _fits(line, "utf-8")


def _code_page(data: bytes) -> str:
    """Choose the code page of bytes that are not UTF-8: what a detector is sure of, else the European one that fits."""
    from charset_normalizer import from_bytes

    best = from_bytes(data[:SAMPLE], cp_isolation=OTHER_PAGES).best()
    if best is not None and (best.coherence > SURE or ASIAN & set(best.alphabets)) and _fits(data, best.encoding):
        return best.encoding
    western = data.decode("cp1252", errors="replace")
    if CENTRAL_EUROPEAN.search(western) and _fits(data, "cp1250"):
        return "cp1250"
    return "cp1252" if _fits(data, "cp1252") else "latin-1"


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
