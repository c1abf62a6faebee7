"""Bytes become text: by their byte order mark, as UTF-8, or as the code page that fits, and never silently."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.blob import PART_BYTES, Spool
from tasks.core.reading.code_pages import Choice, are_utf8_by_chance, choose_page, fits
from tasks.core.reading.records import lines_with
from tasks.core.reading.terms import Repair
from tasks.core.reading.texts import Text, count_lines, whole_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
FEWEST_WIDE_BYTES = 16
SAMPLE = 65_536
# UTF-8 that was read as cp1252 and saved again: a lead byte followed by continuation bytes, as that code page shows them.
MOJIBAKE = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u0178\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|\u00e2\u20ac.")
MISREAD = "looks like UTF-8 that was once read in another encoding; kept as it is"
COLOUR, CONTROL = r"\x1b\[[0-9;]*[A-Za-z]", r"[\x02-\x08\x0b\x0c\x0e-\x1f\x7f]"
SEPARATORS, SEPARATING_SHARE = "\x1c\x1d\x1e\x1f", 0.5
INVISIBLE = (
    ("nul_bytes", "NUL bytes were taken out", re.compile(r"\0+")),
    ("control_characters", "control characters were taken out", re.compile(rf"{COLOUR}|{CONTROL}")),
    ("invisible_characters", "characters without width were taken out", re.compile("[\u200b\u2060\ufeff]+")),
)
INVISIBLE_BYTES = bytes([0, *range(2, 9), 11, 12, *range(14, 32), 127])
INVISIBLE_SIGNS = "\u200b\u2060\ufeff"
MISREAD_SIGNS = ("\u00c2", "\u00c3", "\u00e2\u20ac")
CUT_OFF = "the file ends within a character, which stands as \ufffd; fetch it again if it should be complete"
TWICE_ENCODED_MARK = codecs.BOM_UTF8.decode("cp1252").encode()


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
    is_overruled = bool(mark and given) and not encoding.startswith((given or "").removesuffix("-sig"))
    repairs = [Repair("encoding", (1,), f"begins with the mark of {encoding}; read as that, not as {given}")] if is_overruled else []
    text = Text(blob, len(mark))
    if encoding in ("", "utf-8") and head.startswith(TWICE_ENCODED_MARK, len(mark)):
        text = Text(blob, len(mark) + len(TWICE_ENCODED_MARK))
        repairs.append(Repair("mojibake", (1,), "begins with a byte order mark that was read in another encoding; it was taken off"))
    if encoding in ("", "utf-8") and _is_plain(text):
        return Decoded(text, "utf-8", tuple(repairs))
    if encoding and (encoding != "utf-8" or (given and not is_overruled)):
        return _tidied(_decode_all(blob, len(mark), encoding, source), encoding, repairs)
    has_zeros = not given and any(b"\0" in part for part in blob.parts())
    return (_with_wide_tail(blob, source) if has_zeros else None) or _eight_bits(text, repairs, given)


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
        text, separators = part, _separators(part)
        for code, _, usual in INVISIBLE:
            pattern = re.compile(rf"(?![{separators}])(?:{usual.pattern})") if separators and code == "control_characters" else usual
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


def _separators(text: str) -> str:
    """Give the control characters that part cells, as they were made to: at least half of the lines hold one."""
    lines = text.split("\n")[:-1] if any(mark in text for mark in SEPARATORS) else []
    many = max(2, SEPARATING_SHARE * len(lines))
    return "".join(mark for mark in SEPARATORS if sum(mark in line for line in lines) >= many)


def _with_wide_tail(blob: Blob, source: str) -> Decoded | None:
    """Decode text that UTF-16 was appended to, as PowerShell does; None where none is.

    Raises:
        DataRefusedError: what was appended is UTF-16 in part only.
    """
    spool, line = Spool(), 1
    for raw in blob.open():
        if b"\0" in raw:
            break
        spool.write(raw)
        line += 1
    start = spool.size
    mark = next((mark for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) if blob.read(start, 2) == mark), b"")
    tail = blob.read(start + len(mark), SAMPLE)
    encoding = wide_encoding(tail) if start and len(tail) >= FEWEST_WIDE_BYTES else ""
    if not encoding:
        return None
    try:
        for text in _decode_all(blob, start + len(mark), encoding, source):
            spool.write(text.encode())
    except DataRefusedError as error:
        where = f"{source}, line {line}"
        message = f"{where}: from here on the text is {encoding.upper()}, but not to its end; split the file above this line"
        raise DataRefusedError(message, where=where) from error
    whole = decode(spool.blob(), source)
    told = Repair("mixed_encodings", (line,), f"from here on the text is {encoding.upper()}; it was read as that")
    return replace(whole, repairs=(told, *whole.repairs))


def wide_encoding(data: bytes) -> str:
    """Name the UTF-16 that a text without byte order mark is in; empty when it is in none, or its first line is not."""
    sample = data[:SAMPLE]
    first = sample[: sample.find(b"\n") + 1]
    if first and len(first) == len(first.translate(None, INVISIBLE_BYTES)):
        return ""
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


def _eight_bits(text: Text, repairs: list[Repair], given: str | None) -> Decoded:
    """Decode as UTF-8 where that fits, else as a code page, else each line by itself."""
    foreign, has_utf8 = list[tuple[int, bytes]](), False
    for block in text.blocks():  # lines end alike in all of these encodings
        for number, line in enumerate(_lines_in_doubt(block.body), start=block.line):
            is_utf8 = fits(line, "utf-8")
            has_utf8 |= is_utf8 and not line.isascii()
            foreign += [] if is_utf8 else [(number, line)]
    lines = tuple(number for number, _ in foreign)
    if not foreign or (len(foreign) == 1 and _is_cut_off(foreign[0][1], has_utf8=has_utf8)):
        told = [Repair("cut_off", lines, CUT_OFF)] if foreign else []
        return _tidied((block.body.decode(errors="replace") for block in text.blocks()), "utf-8", [*repairs, *told])
    choice = Choice(given, "") if given else choose_page(lambda: _those_lines(text, are_utf8=False))
    if has_utf8 and not are_utf8_by_chance(choice.page, *(_those_lines(text, are_utf8=those) for those in (False, True))):
        told = Repair("mixed_encodings", lines, f"some lines are not UTF-8; these were {_read_as(choice)}")
        return _tidied(_line_by_line(text, choice.page), "utf-8", [*repairs, told])
    told = Repair("encoding", lines, f"not UTF-8; {_read_as(choice)}")
    return _tidied((block.body.decode(choice.page) for block in text.blocks()), choice.page, [*repairs, told])


def _is_cut_off(line: bytes, *, has_utf8: bool) -> bool:
    """Say whether a line is UTF-8 but for its end, within a character; without other characters beyond ASCII it may be a code page."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and (has_utf8 or not line[: error.start].isascii())
    return False


def _read_as(choice: Choice) -> str:
    if choice.doubt:
        return f"guessed {choice.page}; {choice.doubt}; --read encoding= decides"
    return f"read as {choice.page}, which fits; another can be named with --read encoding="


def _those_lines(text: Text, *, are_utf8: bool) -> Iterator[bytes]:
    """Yield the lines beyond ASCII that are UTF-8, or those that are not."""
    for block in text.blocks():
        yield b"".join(line for line in _lines_in_doubt(block.body) if not line.isascii() and fits(line, "utf-8") == are_utf8)


def _line_by_line(text: Text, page: str) -> Iterator[str]:
    for block in text.blocks():
        yield "".join(line.decode("utf-8" if fits(line, "utf-8") else page) for line in _lines_in_doubt(block.body))


def _lines_in_doubt(body: bytes) -> list[bytes]:
    """Give lines one by one where one of them is no UTF-8, else all at once."""
    return [body] if fits(body, "utf-8") else body.splitlines(keepends=True)
