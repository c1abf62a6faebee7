"""Which code page bytes are in, by how plausible the text is that each makes of them; what remains open is said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

from tasks.core.reading.alphabets import EAST_ASIAN, LANGUAGES, SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Code pages with what each costs before a byte is seen, in nats: how much rarer than the first it is.
PAGES = {
    "cp1252": 0.0,
    "cp1250": 2.0,
    "cp1251": 1.0,
    "cp1253": 1.5,
    "cp1254": 1.5,
    "cp932": 1.5,
    "gb18030": 1.5,
    "big5": 1.5,
    "cp949": 1.5,
    "cp1255": 2.0,
    "cp1256": 2.0,
    "cp1257": 3.5,
    "cp874": 3.5,
    "euc_jp": 2.5,
    "iso8859_15": 2.0,
    "iso8859_2": 3.5,
    "iso8859_7": 2.5,
    "iso8859_9": 2.5,
    "iso8859_13": 4.5,
    "iso8859_5": 4.0,
    "koi8_r": 2.5,
    "koi8_u": 2.5,
    "cp850": 3.5,
    "cp437": 4.5,
    "cp852": 5.0,
    "cp866": 3.0,
    "mac_roman": 4.0,
    "mac_latin2": 8.0,
    "mac_cyrillic": 6.0,
}
SURE = 7.0  # nats: the second is a thousand times less likely
TOKEN = re.compile(rb"[0-9]?[\x40-\xff]*[\x80-\xff][\x40-\xff]*[0-9]?")
MANY = 300
ASCII = 3.0
SWITCHED = 3.0  # a word in another language than the rest
TWO_ENCODINGS = 7.0  # in one file
OUT_OF_PLACE = 6.0
UNUSUAL = 12.0
ODD = 7.0  # for each character: text in an alphabet costs 4 and seldom 6.5, random bytes 8 to 11
ODD_EAST_ASIAN = 10.0
IMPOSSIBLE = 25.0
ALONE = 4.0
EAST_ASIAN_SIGN = 5.0
APOSTROPHES = "'’"
JOINERS = "'’·-\u00ad"
SHOWN = 3


@dataclass(frozen=True)
class Choice:
    """A code page, and what the likeliest other one would read instead; empty where no other is likely."""

    page: str
    doubt: str


def choose_page(parts: Callable[[], Iterable[bytes]]) -> Choice:
    """Choose the code page of bytes that are not UTF-8.

    Args:
        parts: Yields them, lines as wholes, each time it is called.
    """
    tokens = _tokens(parts())
    readings = sorted(_readings(tokens), key=lambda reading: reading.cost)
    fitting = (reading for reading in readings if all(fits(part, reading.page) for part in parts()))
    best = next(fitting, None)
    if best is None:
        return Choice("latin-1", "")
    rival = next((other for other in readings if other.words != best.words and other.cost < best.cost + SURE), None)
    return Choice(best.page, _doubt(best, rival) if rival else "" if _is_plausible(best) else "which makes odd text of it")


def are_utf8_by_chance(page: str, foreign: Iterable[bytes], others: Iterable[bytes]) -> bool:
    """Say whether lines that are UTF-8 are more likely in the code page of those that are not."""
    foreign, others = _tokens(foreign), _tokens(others)
    if not all(fits(token, page) for token in others):
        return False
    words, as_utf8 = ([token.decode(encoding) for token in others] for encoding in (page, "utf-8"))
    known = [token.decode(page) for token in foreign]
    return _cost([*known, *words]) < _cost([*known, *as_utf8]) + TWO_ENCODINGS


def fits(data: bytes, encoding: str) -> bool:
    """Say whether bytes can be decoded."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class _Reading:
    page: str
    words: tuple[str, ...]
    cost: float


def _tokens(parts: Iterable[bytes]) -> list[bytes]:
    """Collect different words: the first ones, and those in which a byte stands that stood in none before."""
    tokens: dict[bytes, None] = {}
    seen: set[int] = set()
    for part in parts:
        for token in TOKEN.findall(part):
            if len(tokens) < MANY or not seen.issuperset(token):
                tokens[token] = None
                seen.update(token)
    return list(tokens)


def _readings(tokens: list[bytes]) -> Iterator[_Reading]:
    for page, prior in PAGES.items():
        try:
            words = tuple(token.decode(page) for token in tokens)
        except UnicodeDecodeError:
            continue
        yield _Reading(page, words, prior + _cost(words))


def _cost(words: Iterable[str]) -> float:
    """Add up the costs of words: most of them in one language, each of the others in the one that suits it."""
    costs = [(cost, min(cost) + SWITCHED) for cost in map(_word_costs, words)]
    return min(sum(min(cost[language], switched) for cost, switched in costs) for language in range(len(LANGUAGES)))


def _is_plausible(reading: _Reading) -> bool:
    usual = (ASCII if sign.isascii() else ODD if sign < EAST_ASIAN else ODD_EAST_ASIAN for word in reading.words for sign in word)
    return reading.cost - PAGES[reading.page] < sum(usual)


@cache
def _word_costs(word: str) -> tuple[float, ...]:
    """Give what a word costs in each language."""
    shared, letters, touching = 0.0, list[str](), 0
    for before, character, after in zip(f" {word}", word, f"{word[1:]} ", strict=False):
        shared += OUT_OF_PLACE * (_is_late_capital(before, character))
        if character.isascii():
            shared += ASCII
        elif _is_letter(character):
            letters.append(character)
            touching += _is_ascii_letter(before) or _is_ascii_letter(after)
            shared += _place_cost(before, character, after)
        else:
            shared += _symbol_cost(before, character, after)
    return tuple(shared + sum(map(language.cost, letters)) + OUT_OF_PLACE * touching * (not language.is_latin) for language in LANGUAGES)


def _is_ascii_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _is_letter(character: str) -> bool:
    return character.isalpha() or "\u0e00" < character < "\u0e7f"


def _is_late_capital(before: str, character: str) -> bool:
    return character.isupper() and before.islower() and not (before + character).isascii()


def _place_cost(before: str, character: str, after: str) -> float:
    """Give what is odd about a letter that touches a digit, or stands alone."""
    is_alone = character < EAST_ASIAN and not any(_is_letter(side) or side in APOSTROPHES for side in (before, after))
    return OUT_OF_PLACE * (before.isdigit() + after.isdigit()) + ALONE * is_alone


def _symbol_cost(before: str, character: str, after: str) -> float:
    if not character.isprintable() and character not in "\u00a0\u00ad\u3000":
        return IMPOSSIBLE
    if character >= EAST_ASIAN:
        return EAST_ASIAN_SIGN
    place = SYMBOLS.find(character)
    cost = 2 + place / 4 if place >= 0 else UNUSUAL
    is_inside = before.isalpha() and after.isalpha() and character not in JOINERS
    return cost + OUT_OF_PLACE * is_inside


def _doubt(best: _Reading, other: _Reading) -> str:
    pairs = ((ours, theirs) for word, rival in zip(best.words, other.words, strict=True) for ours, theirs in _differences(word, rival))
    shown = list(dict.fromkeys(pairs))[:SHOWN]
    return f"{other.page} would read " + ", ".join(f"{theirs!r} for {ours!r}" for ours, theirs in shown)


def _differences(word: str, other: str) -> list[tuple[str, str]]:
    """Give what differs, and no more: words may be somebody's name."""
    if len(word) == len(other):
        return [(ours, theirs) for ours, theirs in zip(word, other, strict=True) if ours != theirs]
    parts = SequenceMatcher(None, word, other, autojunk=False).get_opcodes()
    return [(word[a:b], other[c:d]) for what, a, b, c, d in parts if what != "equal"]
