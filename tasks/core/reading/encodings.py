"""Bytes become text: by their byte order mark, as UTF-8, or as the code page that fits, and never silently."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.blob import PART_BYTES, Spool
from tasks.core.reading.records import lines_with
from tasks.core.reading.terms import Repair
from tasks.core.reading.texts import Text, count_lines, whole_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tasks.core.reading.blob import Blob

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WITH_MARK = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
WIDE_SHARE = 0.3
OTHER_PAGES = ["cp1251", "cp1253", "cp932", "gb18030", "big5", "euc_kr", "koi8_r"]
SAMPLE = 65_536
# UTF-8 that was read as cp1252 and saved again: a lead byte followed by continuation bytes, as that code page shows them.
MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|\u00e2\u20ac.")
MISREAD = "looks like UTF-8 that was once read in another encoding; kept as it is"
INVISIBLE = (
    ("nul_bytes", "NUL bytes were taken out", re.compile(r"\0+")),
    ("control_characters", "control characters were taken out", re.compile(r"[\x02-\x08\x0b\x0c\x0e-\x1f\x7f]+")),
    ("invisible_characters", "characters without width were taken out", re.compile("[\u200b\u2060\ufeff]+")),
)
INVISIBLE_BYTES = bytes([0, *range(2, 9), 11, 12, *range(14, 32), 127])
INVISIBLE_SIGNS = "\u200b\u2060\ufeff"
MISREAD_SIGNS = ("\u00c2", "\u00c3", "\u00e2\u20ac")
# Signs that cp1252 shows inside words where the file is in cp1250, as Polish or Czech text is.
CENTRAL_EUROPEAN = re.compile("[a-z][\u00b9\u00b3\u00bf\u00ba\u00be\u0153\u0178\u00a3\u00a5]|[\u00a3\u0152\u00af\u00b3][a-z]")
ASIAN = frozenset({"CJK Unified Ideographs", "Hiragana", "Katakana", "Hangul Syllables"})
SURE = 0.2


@dataclass(frozen=True)
class Decoded:
    """Text with the encoding that its bytes were in, and what was odd about them."""

    text: Text
    encoding: str
    repairs: tuple[Repair, ...] = ()


def decode(blob: Blob, source: str, given: str | None = None) -> Decoded:
    r"""Decode a file's bytes.

    Raises:
        DataRefusedError: the given encoding does not fit, or the bytes are no text.

    >>> from tasks.core.reading.blob import Blob
    >>> decode(Blob("größe\n".encode("utf-16")), "t.csv").encoding
    'utf-16-le'
    """
    head = blob.read(0, SAMPLE)
    mark, encoding = next(((mark, name) for mark, name in MARKS if head.startswith(mark)), (b"", given or wide_encoding(head)))
    overruled = [Repair("encoding", (1,), f"begins with the mark of {encoding}; read as that, not as {given}")]
    repairs = overruled if mark and given and not encoding.startswith(given.removesuffix("-sig")) else []
    if encoding in ("", "utf-8") and _is_plain(Text(blob, len(mark))):
        return Decoded(Text(blob, len(mark)), "utf-8", tuple(repairs))
    if encoding:
        return _tidied(_decode_all(blob, len(mark), encoding, source), encoding, repairs)
    return _eight_bits(blob)


def _is_plain(text: Text) -> bool:
    """Say whether bytes are UTF-8 with nothing odd in it; most are, and need not be written again."""
    return all(_is_plain_block(block.body) for block in text.blocks())


def _is_plain_block(body: bytes) -> bool:
    if len(body.translate(None, INVISIBLE_BYTES)) < len(body):
        return False
    if body.isascii():
        return True
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    if any(sign in text for sign in INVISIBLE_SIGNS):
        return False
    return not (any(sign in text for sign in MISREAD_SIGNS) and MOJIBAKE.search(text))


def _tidied(parts: Iterable[str], encoding: str, repairs: list[Repair]) -> Decoded:
    """Take out what nobody sees and no cell means, and tell what looks misread."""
    spool, number = Spool(), 1
    lines: dict[str, list[int]] = {code: [] for code, _, _ in INVISIBLE}
    misread: list[int] = []
    for part in whole_lines(parts):
        text = part
        for code, _, pattern in INVISIBLE:
            if pattern.search(text):
                lines[code] += lines_with(pattern, text, number)
                text = pattern.sub("", text)
        if not text.isascii() and MOJIBAKE.search(text):
            misread += lines_with(MOJIBAKE, text, number)
        spool.write(text.encode())
        number += count_lines(part.encode())
    told = [Repair(code, tuple(lines[code]), what) for code, what, _ in INVISIBLE if lines[code]]
    told += [Repair("mojibake", tuple(misread), MISREAD)] if misread else []
    return Decoded(Text(spool.blob()), encoding, (*repairs, *told))


def wide_encoding(data: bytes) -> str:
    """Name the UTF-16 that a text without byte order mark is in; empty when it is in none."""
    sample = data[:SAMPLE]
    for encoding, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        if sample and sample[offset::2].count(0) > WIDE_SHARE * len(sample) and not sample[1 - offset :: 2].count(0):
            return encoding
    return ""


def _decode_all(blob: Blob, start: int, encoding: str, source: str) -> Iterator[str]:
    if encoding in WITH_MARK:  # told of a file that has no mark: then it is in the usual order of bytes, or in the one that shows
        encoding = wide_encoding(blob.read(0, SAMPLE)) or WITH_MARK[encoding]
    decoder = codecs.getincrementaldecoder(encoding)()
    at = start
    try:
        for part in blob.parts(start=start):
            at += len(part)
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        end = at - len(error.object) + error.start
        ignoring = codecs.getincrementaldecoder(encoding)(errors="ignore")
        before = (ignoring.decode(blob.read(place, min(PART_BYTES, end - place))) for place in range(start, end, PART_BYTES))
        line = 1 + sum(count_lines(part.encode()) for part in whole_lines(before))
        byte = f"byte 0x{error.object[error.start]:02x} is not {encoding.upper()}"
        message = f"{source}, line {line}: {byte}; name another encoding, such as --read encoding=cp1252"
        raise DataRefusedError(message, where=f"{source}, line {line}") from error


def _eight_bits(blob: Blob) -> Decoded:
    """Decode as UTF-8 where that fits, else as a code page, else each line by itself."""
    blocks = Text(blob).blocks  # lines end alike in all of these
    foreign: list[int] = []
    has_utf8 = False
    for block in blocks():
        for number, line in enumerate(_lines_in_doubt(block.body), start=block.line):
            is_utf8 = _fits(line, "utf-8")
            has_utf8 |= is_utf8 and not line.isascii()
            foreign += [] if is_utf8 else [number]
    if not foreign:
        return _tidied((block.body.decode() for block in blocks()), "utf-8", [])
    page = _code_page(lambda: (b"".join(line for line in _lines_in_doubt(block.body) if not _fits(line, "utf-8")) for block in blocks()))
    if not has_utf8:
        told = f"not UTF-8; read as {page}, which fits; another can be named with --read encoding="
        return _tidied((block.body.decode(page) for block in blocks()), page, [Repair("encoding", tuple(foreign), told)])
    told = f"some lines are not UTF-8; these were read as {page}"
    parts = ("".join(line.decode("utf-8" if _fits(line, "utf-8") else page) for line in _lines_in_doubt(b.body)) for b in blocks())
    return _tidied(parts, "utf-8", [Repair("mixed_encodings", tuple(foreign), told)])


def _lines_in_doubt(body: bytes) -> list[bytes]:
    """Give lines one by one where one of them is no UTF-8, else all at once."""
    return [body] if _fits(body, "utf-8") else body.splitlines(keepends=True)


def _code_page(parts: Callable[[], Iterable[bytes]]) -> str:
    """Choose the code page of bytes that are not UTF-8: what a detector is sure of, else the European one that fits."""
    from charset_normalizer import from_bytes

    sample = b"".join(_first(parts(), SAMPLE))
    best = from_bytes(sample, cp_isolation=OTHER_PAGES).best()
    if best is not None and (best.coherence > SURE or ASIAN & set(best.alphabets)) and _all_fit(parts(), best.encoding):
        return best.encoding
    is_central = any(CENTRAL_EUROPEAN.search(part.decode("cp1252", errors="replace")) for part in parts())
    if is_central and _all_fit(parts(), "cp1250"):
        return "cp1250"
    return "cp1252" if _all_fit(parts(), "cp1252") else "latin-1"


def _first(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    for part in parts:
        yield part[:size]
        size -= len(part)
        if size <= 0:
            return


def _all_fit(parts: Iterable[bytes], encoding: str) -> bool:
    return all(_fits(part, encoding) for part in parts)


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
