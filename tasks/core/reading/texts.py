"""Text in UTF-8 that is read in blocks of whole lines, however long it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.reading.blob import Blob
from tasks.core.reading.records import physical_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tasks.core.reading.records import Line

BLOCK_BYTES = 16 * 2**20
# Lines that are looked at one by one are fetched in smaller parts: often few of them are wanted.
LINES_BYTES = 2**18


@dataclass(frozen=True)
class Block:
    """Whole lines of a text.

    Attributes:
        body: The lines with their ends, in UTF-8.
        at: The byte that they start at.
        line: The number of the first, from 1.
    """

    body: bytes
    at: int
    line: int

    @property
    def next_at(self) -> int:
        """Give the byte that the line after them starts at."""
        return self.at + len(self.body)

    @property
    def next_line(self) -> int:
        """Give the number of the line after them."""
        return self.line + count_lines(self.body)


class Text:
    r"""Text in UTF-8.

    Args:
        blob: The bytes.
        start: How many bytes before it are no text, such as a byte order mark.

    >>> text = Text.of("a\r\nb")
    >>> [(line.number, line.text, line.at) for line in text.lines()], text.holds("b", "c")
    ([(1, 'a', 0), (2, 'b', 3)], frozenset({'b'}))
    """

    def __init__(self, blob: Blob, start: int = 0) -> None:
        self._blob = blob
        self._start = start
        self.size = blob.size - start

    @classmethod
    def of(cls, text: str) -> Text:
        """Hold a text in memory."""
        return cls(Blob(text.encode()))

    def whole(self) -> str:
        """Give all of it at once."""
        return self._blob.read(self._start, self.size).decode()

    def head(self, size: int) -> str:
        """Give the characters of the first bytes."""
        return self._blob.read(self._start, size).decode(errors="ignore")

    def holds(self, *signs: str) -> frozenset[str]:
        """Say which of some short texts stand somewhere in it."""
        left, tail = {sign: sign.encode() for sign in signs}, b""
        longest = max(map(len, left.values()))
        for part in self._blob.parts(start=self._start):
            edge = tail + part[:longest]
            left = {sign: wanted for sign, wanted in left.items() if wanted not in part and wanted not in edge}
            tail = edge[-longest:] if len(part) < longest else part[-longest:]
        return frozenset(set(signs) - left.keys())

    def lines(self, at: int = 0, number: int = 1) -> Iterator[Line]:
        """Yield the lines from one on that starts at a byte and has a number."""
        while at < self.size:
            block = self.block(at, number, LINES_BYTES, has_quotes=False)
            yield from physical_lines(block.body.decode(), number, at)
            at, number = block.next_at, block.next_line

    def block(self, at: int, line: int, size: int | None = None, *, has_quotes: bool = True) -> Block:
        """Give whole lines from one on, so many bytes of them, or more where a line is longer.

        They do not end inside a quoted cell, where quotes are in order; where a cell is longer than a block, they do.
        """
        size = size or BLOCK_BYTES
        while True:
            body = self._blob.read(self._start + at, size)
            if at + len(body) >= self.size:
                return Block(body, at, line)
            if end := _end_of_lines(body):
                before = _end_before_open_quote(body, end) if has_quotes else end
                return Block(body[: before or end], at, line)
            size *= 4

    def blocks(self) -> Iterator[Block]:
        """Yield all lines, block by block."""
        at, line = 0, 1
        while at < self.size:
            block = self.block(at, line, has_quotes=False)
            yield block
            at, line = block.next_at, block.next_line


def count_lines(body: bytes) -> int:
    r"""Count the line ends, whatever they are.

    >>> count_lines(b"a\r\nb\rc\n"), count_lines(b"a")
    (3, 0)
    """
    if b"\r" not in body:
        return body.count(b"\n")
    return body.count(b"\n") + body.count(b"\r") - body.count(b"\r\n")


def _end_of_lines(body: bytes) -> int:
    """Give the place behind the last line end that is sure to be whole; 0 where there is none."""
    return max(body.rfind(b"\n"), body.rfind(b"\r", 0, len(body) - 1)) + 1


def _end_before_open_quote(body: bytes, end: int) -> int:
    """Give a place at which no quoted cell is open: an odd number of quotes says that one is."""
    if body.count(b'"', 0, end) % 2:
        return _end_of_lines(body[: body.rfind(b'"', 0, end)])
    return end


def whole_lines(parts: Iterable[str]) -> Iterator[str]:
    r"""Cut text that comes in parts behind line ends.

    >>> list(whole_lines(["a\nb", "c\r", "\nd"]))
    ['a\n', 'bc\r\n', 'd']
    """
    rest: list[str] = []
    for part in parts:
        end = max(part.rfind("\n"), part.rfind("\r", 0, len(part) - 1)) + 1
        if not end:
            rest.append(part)
            continue
        yield "".join([*rest, part[:end]])
        rest = [part[end:]]
    if last := "".join(rest):
        yield last
