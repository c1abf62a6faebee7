"""Damage clean tables the way that real files are damaged, and know the truth beside each.

The truth is the table as a careful person who knows the origin would type it over. Three rules decide what that is:

- Layout, encoding, quoting and spelling of numbers (`1.234,50`, `$1,234.50`) are repaired: the truth is the clean cell.
- A clear marker of a missing value in a column of numbers (`?`, `NA`, `#DIV/0!`) is the empty text.
- Where the meaning of a cell is a matter of opinion (`45%`, `yes`, `03/04/2024`, `-999`), the truth is the cell as it stands.

A new kind is a function with `@kind(...)`; it gets a table that meets its needs and a source of chance.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

Row = tuple[str, ...]


@dataclass(frozen=True)
class Damaged:
    """A file and what it would say had nothing happened to it.

    `rows` are the rows of the clean table, in order, without those in `lost`, whose values (or whose place) nobody can
    recover from the file. `lost` counts in the clean table: a reader that keeps such a row has it at that index. Names
    that the file does not give are "" in `header`. Without a table in the file, `header` and `rows` are empty.
    """

    kind: str
    name: str
    content: bytes
    header: Row
    rows: tuple[Row, ...]
    lost: tuple[int, ...]
    lines: tuple[int, ...]
    is_undecidable: bool


@dataclass(frozen=True)
class CleanTable:
    """A table as its owner knows it; `roles` says of each column what it holds."""

    name: str
    header: Row
    roles: Row
    rows: tuple[Row, ...]

    def columns(self, *roles: str) -> list[int]:
        return [index for index, role in enumerate(self.roles) if role in roles]

    def text(self) -> str:
        return "\n".join("\n".join(row) for row in (self.header, *self.rows))

    def with_header(self, header: Iterable[str]) -> CleanTable:
        return replace(self, header=tuple(header))

    def with_cell(self, row: int, column: int, cell: str) -> CleanTable:
        cells = [*self.rows[row]]
        cells[column] = cell
        return replace(self, rows=(*self.rows[:row], tuple(cells), *self.rows[row + 1 :]))

    def with_columns(self, columns: Sequence[int], change: Callable[[str], str]) -> CleanTable:
        """Change each filled cell of these columns."""
        changed = [tuple(change(cell) if cell and at in columns else cell for at, cell in enumerate(row)) for row in self.rows]
        return replace(self, rows=tuple(changed))


# --------------------------------------------------------------------------------------------------------- clean tables

NUMBERS = ("id", "integer", "number", "money")
WORDS = ("text", "category")

SURNAMES = ("Muller", "Okafor", "Rossi", "O'Brien", "Haddad", "Jansen", "Novak", "Silva", "Baker", "Young", "Lindgren", "Sato")
ACCENTED = ("José Núñez", "Zoë Brontë", "Jürgen Groß", "Søren Ågård", "Renée Lefèvre", "Íñigo Peña", "Åsa Öström", "François Noël")
STREETS = ("Main Street", "Rue de la Gare", "Hauptstraße", "Harbour Road", "Elm Close", "Calle Mayor", "Østergade", "Mill Lane")
CITIES = ("Lyon", "Leeds", "Köln", "Porto", "Utrecht", "Málaga", "Turin", "Graz")
WORLD = ("Αθήνα", "Москва", "東京都", "서울", "القاهرة", "Tōkyō", "São Paulo", "Zürich", "Đà Nẵng", "ʤ Street 🚲")
POLISH = ("Łódź Fabryczna", "Święta Lipka", "Kraków Główny", "Żywiec, Śródmieście", "Gdańsk Wrzeszcz", "Częstochowa", "Bełżec", "Ząbkowice")
PRODUCTS = (
    "hex bolt, zinc",
    "washer",
    "copper pipe",
    "gate valve, brass",
    "hose clamp",
    "sealing ring",
    "ball bearing",
    "cable tie, black",
)
FIRMS = (
    "Acme Ltd",
    "Smith, Jones and Sons",
    "Northern Rail",
    "Blue Water Inc",
    "Bakery at the Corner",
    "City of Leeds, Parks",
    "Telecom One",
)
QUOTES = ('said "call me back"', "no answer", 'asked for "Nina", not Ana', "paid in full, twice", "prefers e-mail", "moved house; new key")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Column = tuple[str, list[str]]


def _table(name: str, /, **columns: Column) -> CleanTable:
    roles = tuple(role for role, _ in columns.values())
    return CleanTable(name, tuple(columns), roles, tuple(zip(*(cells for _, cells in columns.values()), strict=True)))


def _ids(rng: random.Random, count: int) -> Column:
    first = rng.randrange(1000, 90_000)
    return "id", [str(first + at) for at in range(count)]


def _integers(rng: random.Random, count: int, low: int, high: int) -> Column:
    return "integer", [str(rng.randint(low, high)) for _ in range(count)]


def _numbers(rng: random.Random, count: int, centre: float, spread: float, decimals: int = 1) -> Column:
    # Never three decimals in all cells: `1,234` must stay a question of the kind that asks it.
    return "number", [f"{rng.gauss(centre, spread):.{decimals}f}" for _ in range(count)]


def _money(rng: random.Random, count: int) -> Column:
    """Draw amounts with two decimals; the first is large, so that each table shows how thousands are spelled."""
    sizes = [rng.uniform(3, 6), *(rng.uniform(0, 6) for _ in range(count - 1))]
    return "money", [f"{rng.choice((1, 1, 1, -1)) * 10**size:.2f}" for size in sizes]


def _dates(rng: random.Random, count: int, year: int = 2023) -> Column:
    first = date(year, 1, 1).toordinal()
    return "date", [date.fromordinal(first + rng.randrange(700)).isoformat() for _ in range(count)]


def _any_of(rng: random.Random, count: int, words: Sequence[str], role: str = "category") -> Column:
    return role, [rng.choice(words) for _ in range(count)]


def _thinned(rng: random.Random, column: Column, share: float) -> Column:
    role, cells = column
    return role, [cells[0], *("" if rng.random() < share else cell for cell in cells[1:])]


def _transactions(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "transactions",
        transaction_id=_ids(rng, count),
        booked_on=_dates(rng, count),
        counterparty=_any_of(rng, count, FIRMS, "text"),
        amount=_money(rng, count),
        currency=_any_of(rng, count, ("EUR", "USD", "GBP")),
        balance=_money(rng, count),
    )


def _patients(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "patients",
        patient=("code", [f"P-{rng.randrange(100, 999)}-{at}" for at in range(count)]),
        admitted_on=_dates(rng, count, 2019),
        sex=_any_of(rng, count, ("F", "M")),
        age=_integers(rng, count, 18, 95),
        weight_kg=_thinned(rng, _numbers(rng, count, 74, 12), 0.1),
        smoker=_any_of(rng, count, ("true", "false"), "boolean"),
        systolic_mmhg=_thinned(rng, _integers(rng, count, 95, 180), 0.1),
    )


def _sensors(rng: random.Random, count: int) -> CleanTable:
    day = date.fromordinal(date(2024, 1, 1).toordinal() + rng.randrange(300)).isoformat()
    return _table(
        "sensors",
        measured_at=("time", [f"{day} {at // 60:02d}:{at % 60:02d}:00" for at in range(count)]),
        sensor=_any_of(rng, count, ("north", "south", "roof")),
        temperature_c=_numbers(rng, count, 3, 6),
        humidity_percent=_numbers(rng, count, 55, 8, 2),
        pressure_hpa=_numbers(rng, count, 1013, 9, 2),
    )


def _people(rng: random.Random, count: int) -> CleanTable:
    streets = [f"{rng.randrange(1, 200)} {rng.choice(STREETS)}, Flat {rng.randrange(1, 40)}" for _ in range(count)]
    return _table(
        "people",
        full_name=_any_of(rng, count, (*ACCENTED, *SURNAMES), "text"),
        street=("text", streets),
        city=_any_of(rng, count, CITIES),
        postcode=("zeros", [f"{rng.randrange(100, 99_999):05d}" for _ in range(count)]),
        born_on=_dates(rng, count, 1971),
        remark=_thinned(rng, _any_of(rng, count, QUOTES, "text"), 0.3),
        children=_integers(rng, count, 0, 4),
    )


def _words(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "words",
        favourite_colour=_any_of(rng, count, ("red", "green", "dark blue", "grey")),
        home_town=_any_of(rng, count, ("Leeds", "Lyon", "Turin", "Graz")),
        mood_today=_any_of(rng, count, ("calm", "tired", "cheerful")),
        own_words=_any_of(rng, count, PRODUCTS, "text"),
    )


def _measurements(rng: random.Random, count: int) -> CleanTable:
    names = ("length_mm", "width_mm", "height_mm", "mass_g")
    return _table("measurements", **{name: _numbers(rng, count, 30 + 20 * at, 5, 1 + at % 2) for at, name in enumerate(names)})


def _one_number(rng: random.Random, count: int) -> CleanTable:
    return _table("reading", reading=_numbers(rng, count, 12, 4, 2))


def _wide(rng: random.Random, count: int) -> CleanTable:
    channels = {f"channel_{at:02d}": _numbers(rng, count, at, 3, 2) for at in range(1, 59)}
    return _table("wide", run=_ids(rng, count), operator=_any_of(rng, count, SURNAMES, "text"), **channels)


def _sparse(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "sparse",
        respondent=_ids(rng, count),
        income=_thinned(rng, _money(rng, count), 0.6),
        employer=_thinned(rng, _any_of(rng, count, FIRMS, "text"), 0.5),
        hours_per_week=_thinned(rng, _integers(rng, count, 5, 60), 0.7),
        left_on=_thinned(rng, _dates(rng, count), 0.8),
        satisfaction=_thinned(rng, _integers(rng, count, 1, 5), 0.4),
    )


def _parts(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "parts",
        part_no=("zeros", [f"{rng.randrange(50, 99_999) * 10 + at % 10:07d}" for at in range(count)]),
        description=_any_of(rng, count, PRODUCTS, "text"),
        in_stock=_integers(rng, count, 0, 900),
        unit_price=_money(rng, count),
        supplier=_any_of(rng, count, FIRMS, "text"),
        discontinued=_any_of(rng, count, ("yes", "no"), "boolean"),
    )


def _leave(rng: random.Random, count: int) -> CleanTable:
    return _table(
        "leave",
        asked_on=_dates(rng, count),
        starts_on=_dates(rng, count, 2024),
        ends_on=_dates(rng, count, 2026),
        days=_integers(rng, count, 1, 30),
        reason=_any_of(rng, count, ("holiday", "illness", "moving house")),
    )


def _two_rows(rng: random.Random, _: int) -> CleanTable:
    return _table("few", item=_any_of(rng, 2, PRODUCTS, "text"), price=_money(rng, 2), sold=_integers(rng, 2, 1, 90))


def _trips(rng: random.Random, _: int) -> CleanTable:
    return _table(
        "trips",
        trip=_ids(rng, 300),
        started_on=_dates(rng, 300),
        station=_any_of(rng, 300, STREETS, "text"),
        minutes=_integers(rng, 300, 2, 90),
        distance_km=_numbers(rng, 300, 4, 1.2, 2),
        member=_any_of(rng, 300, ("yes", "no"), "boolean"),
    )


def _tickets(rng: random.Random, count: int) -> CleanTable:
    """Write cells with line breaks, commas and quotes, as a help desk exports them."""
    ends = ("Please call back.", "Thanks,\nAna", '\n> earlier: "it works"\nNo, it does not', "See 1, 2 and 3")
    return _table(
        "tickets",
        ticket=_ids(rng, count),
        message=("text", [f"{rng.choice(QUOTES)}. {rng.choice(ends)}" for _ in range(count)]),
        priority=_integers(rng, count, 1, 5),
        opened_on=_dates(rng, count),
        hours_open=_numbers(rng, count, 30, 8),
    )


def _world(rng: random.Random, count: int) -> CleanTable:
    return _table("world", place=_any_of(rng, count, WORLD, "text"), population_m=_numbers(rng, count, 9, 2, 2), rank=_ids(rng, count))


def _stations(rng: random.Random, count: int) -> CleanTable:
    return _table("stations", code=_ids(rng, count), name=_any_of(rng, count, POLISH, "text"), platforms=_integers(rng, count, 1, 12))


def _offers(rng: random.Random, count: int) -> CleanTable:
    """Write what Windows-1252 has and Latin-1 has not: the euro sign, dashes and typographic quotes."""
    offers = ("5 € voucher – café", "‘Menu du jour’", "crème brûlée – 2 for 9 €", "“Best” soup…", "plain rice")
    return _table(
        "offers",
        offer=_any_of(rng, count, offers, "text"),
        price=_money(rng, count),
        valid_on=_dates(rng, count),
        sold=_integers(rng, count, 1, 400),
    )


MAKERS = (
    _transactions,
    _patients,
    _sensors,
    _people,
    _words,
    _measurements,
    _one_number,
    _wide,
    _sparse,
    _parts,
    _leave,
    _two_rows,
    _trips,
    _tickets,
    _world,
    _stations,
    _offers,
)


@cache
def _clean_tables(seed: int) -> tuple[CleanTable, ...]:
    rng = random.Random(f"clean tables {seed}")
    return tuple(make(rng, rng.randrange(18, 60)) for make in MAKERS)


def clean_tables(seed: int) -> list[CleanTable]:
    """Return one table of each maker; the same seed gives the same cells."""
    return list(_clean_tables(seed))


# -------------------------------------------------------------------------------------------------------------- writing


@dataclass(frozen=True)
class Dialect:
    """Say how cells become the text of a record."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""  # "" doubles a quote inside a quoted cell
    is_quoting_all: bool = False

    def cell(self, text: str) -> str:
        if not (self.is_quoting_all or self.delimiter in text or self.quote in text or "\n" in text or "\r" in text):
            return text
        if not self.escape:
            return f"{self.quote}{text.replace(self.quote, self.quote * 2)}{self.quote}"
        escaped = text.replace(self.escape, self.escape * 2).replace(self.quote, self.escape + self.quote)
        return f"{self.quote}{escaped}{self.quote}"

    def cells(self, row: Row) -> list[str]:
        return [self.cell(text) for text in row]

    def record(self, row: Row) -> str:
        return self.delimiter.join(self.cells(row))


COMMA = Dialect()
SEMICOLON = Dialect(";")


class Line(NamedTuple):
    """A record with its line breaks inside quotes, or whatever else stands on a line."""

    text: str
    is_damaged: bool = False


def _lines(table: CleanTable, dialect: Dialect = COMMA) -> list[Line]:
    return [Line(dialect.record(row)) for row in (table.header, *table.rows)]


def _damaged_lines(lines: Sequence[Line]) -> tuple[int, ...]:
    numbers: list[int] = []
    first = 1
    for line in lines:
        after = first + 1 + line.text.count("\n")
        if line.is_damaged:
            numbers.extend(range(first, after))
        first = after
    return tuple(numbers)


def _file(
    table: CleanTable,
    lines: Sequence[Line],
    *,
    end: str = "\n",
    encoding: str = "utf-8",
    lost: Sequence[int] = (),
    header: Row | None = None,
) -> Damaged:
    """Put lines into a file whose truth is the table without its lost rows; kind and name follow later."""
    content = "".join(line.text + end for line in lines).encode(encoding)
    rows = tuple(row for at, row in enumerate(table.rows) if at not in lost)
    return Damaged(
        "", "", content, table.header if header is None else header, rows, tuple(lost), _damaged_lines(lines), is_undecidable=False
    )


def _no_table(text: str) -> Damaged:
    return Damaged("", "", text.encode(), (), (), (), (1,), is_undecidable=False)


def _inserted(lines: Sequence[Line], places: Iterable[int], *texts: str) -> list[Line]:
    """Put the same damaged lines before each of these places."""
    result = list(lines)
    for place in sorted(places, reverse=True):
        result[place:place] = [Line(text, is_damaged=True) for text in texts]
    return result


def _replaced(lines: Sequence[Line], at: int, *texts: str) -> list[Line]:
    return [*lines[:at], *(Line(text, is_damaged=True) for text in texts), *lines[at + 1 :]]


def _marked(lines: Sequence[Line], places: Iterable[int]) -> list[Line]:
    marked = set(places)
    return [Line(line.text, is_damaged=at in marked or line.is_damaged) for at, line in enumerate(lines)]


def _places(rng: random.Random, table: CleanTable, most: int = 3) -> list[int]:
    """Draw a few places between two rows, as indices of lines below a header."""
    between = range(2, len(table.rows) + 1)
    return rng.sample(between, min(rng.randint(1, most), len(between)))


def _any_row(rng: random.Random, table: CleanTable, is_right: Callable[[Row], bool] = lambda row: True) -> int:
    fitting = [at for at, row in enumerate(table.rows) if is_right(row)]
    return rng.choice(fitting or range(len(table.rows)))


# ------------------------------------------------------------------------------------------------------- kinds and needs

Damage = Callable[[CleanTable, random.Random], Damaged]
Need = Callable[[CleanTable], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of damage, with what a table must have for it to happen."""

    name: str
    damage: Damage
    needs: tuple[Need, ...]
    extension: str
    is_undecidable: bool

    def fits(self, table: CleanTable) -> bool:
        return all(need(table) for need in self.needs)

    def __call__(self, table: CleanTable, rng: random.Random) -> Damaged:
        return replace(self.damage(table, rng), kind=self.name, is_undecidable=self.is_undecidable)


KINDS: dict[str, Callable[[CleanTable, random.Random], Damaged]] = {}


def add_kind(name: str, damage: Damage, *needs: Need, extension: str = "csv", is_undecidable: bool = False) -> None:
    """Register a kind under a name of its own; for families that differ in one argument."""
    if name in KINDS:
        twice = f"two kinds are named {name}"
        raise ValueError(twice)
    KINDS[name] = Kind(name, damage, needs, extension, is_undecidable)


def kind(*needs: Need, extension: str = "csv", is_undecidable: bool = False) -> Callable[[Damage], Damage]:
    """Register a function as the kind of its name."""

    def register(damage: Damage) -> Damage:
        add_kind(damage.__name__, damage, *needs, extension=extension, is_undecidable=is_undecidable)
        return damage

    return register


def at_least(columns: int) -> Need:
    return lambda table: len(table.header) >= columns


def has(*roles: str) -> Need:
    return lambda table: bool(table.columns(*roles))


def has_rows(count: int) -> Need:
    return lambda table: len(table.rows) >= count


def is_one_line(table: CleanTable) -> bool:
    """No cell breaks the line, so that a record is a line."""
    return all("\n" not in cell for row in table.rows for cell in row)


def is_all_words(table: CleanTable) -> bool:
    return set(table.roles) <= set(WORDS)


def is_all_numbers(table: CleanTable) -> bool:
    return set(table.roles) <= set(NUMBERS)


def is_free_of(*marks: str) -> Need:
    return lambda table: not any(mark in table.text() for mark in marks)


def is_written_in(encoding: str, but_not_in: str = "ascii") -> Need:
    def can(text: str, name: str) -> bool:
        try:
            text.encode(name)
        except UnicodeEncodeError:
            return False
        return True

    return lambda table: can(table.text(), encoding) and not can(table.text(), but_not_in)


def has_negatives(table: CleanTable) -> bool:
    return any(row[column].startswith("-") for row in table.rows for column in table.columns("money", "number"))


def has_label_and_amount(table: CleanTable) -> bool:
    """The first column can carry the word `Total`, and a later one a sum."""
    return len(table.header) >= 3 and table.roles[0] not in ("number", "money") and bool(table.columns("number", "money", "integer"))


def _lone_texts(table: CleanTable) -> list[int]:
    """Find columns of text between columns whose cells nobody takes for text."""
    typed = [role not in ("text", "category", "code") for role in table.roles]
    return [at for at in table.columns("text") if all(typed[max(at - 1, 0) : at]) and all(typed[at + 1 : at + 2])]


def has_lone_text(table: CleanTable) -> bool:
    return len(table.header) >= 3 and bool(_lone_texts(table))


def has_texts_side_by_side(table: CleanTable) -> bool:
    return any(pair[0] in WORDS and pair[1] in WORDS for pair in zip(table.roles, table.roles[1:], strict=False))


def has_recognisable_start(table: CleanTable) -> bool:
    """The second column cannot hold what the first does, so that a shift shows."""
    return len(table.header) >= 3 and table.roles[0] in ("id", "code", "zeros", "time") and table.roles[1] in ("date", "text", "category")


# -------------------------------------------------------------------------------------------------------------- controls


@kind()
def clean(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _lines(table))


@kind(has("text"))
def quoted_newlines_and_delimiters(table: CleanTable, rng: random.Random) -> Damaged:
    column = rng.choice(table.columns("text"))
    for _ in range(rng.randint(1, 4)):
        table = table.with_cell(
            _any_row(rng, table), column, rng.choice(("first line\nsecond, line", "a;b,c\td", "\nstarts below", "1,2\n\n3"))
        )
    return _file(table, _lines(table))


@kind(has("text"))
def doubled_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    column = rng.choice(table.columns("text"))
    for _ in range(rng.randint(1, 4)):
        table = table.with_cell(_any_row(rng, table), column, rng.choice(('the "old" mill', '"', '5" pipe', 'he said ""no""', '"quoted"')))
    return _file(table, _lines(table))


@kind()
def all_quoted(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _lines(table, Dialect(is_quoting_all=True)))


@kind(has("text"))
def long_cell(table: CleanTable, rng: random.Random) -> Damaged:
    """Exceed 131,072 characters, where Python's csv module gives up."""
    table = table.with_cell(_any_row(rng, table), rng.choice(table.columns("text")), "long word " * 13_500 + "end")
    return _file(table, _lines(table))


@kind(has("text"))
def line_separators_of_unicode(table: CleanTable, rng: random.Random) -> Damaged:
    """Break no line: only Python's splitlines thinks so. They are text, and stand."""
    cell = f"above{rng.choice(chr(0x2028) + chr(0x2029) + chr(0x85))}below"
    table = table.with_cell(_any_row(rng, table), rng.choice(table.columns("text")), cell)
    return _file(table, _lines(table))


# ------------------------------------------------------------------------------------------------- around and in between


def _title(rng: random.Random) -> str:
    return rng.choice(("Quarterly report", "Export of the register", "Results of the survey 2023", "Internal use only"))


@kind(at_least(2))
def preamble_title(table: CleanTable, rng: random.Random) -> Damaged:
    texts = [_title(rng), f"Printed on {rng.randint(1, 28)} May 2024", ""][: rng.randint(1, 3)]
    return _file(table, _inserted(_lines(table), [0], *texts))


@kind()
def preamble_comments(table: CleanTable, rng: random.Random) -> Damaged:
    texts = ["# " + rng.choice(("station 12, roof", "all times in UTC", "version 3", "do not edit")) for _ in range(rng.randint(1, 6))]
    return _file(table, _inserted(_lines(table), [0], *texts))


@kind(at_least(2), has("integer", "number", "money", "date"))
def preamble_licence(table: CleanTable, rng: random.Random) -> Damaged:
    """Put more lines of text above the table than it has rows, with commas in some of them."""
    lines = (
        "Permission is granted, free of charge, to any person",
        "to use, copy; and modify",
        "AS IS, without a warranty of any kind",
        "",
    )
    return _file(table, _inserted(_lines(table), [0], *lines * rng.randint(5, 12)))


@kind(at_least(2))
def preamble_of_other_comments(table: CleanTable, rng: random.Random) -> Damaged:
    mark = rng.choice(("% ", "// ", "-- ", "! "))
    return _file(table, _inserted(_lines(table), [0], *(f"{mark}{said}" for said in ("made on Monday, by Ana", "all times, in UTC", "x"))))


@kind(at_least(2))
def preamble_metadata(table: CleanTable, rng: random.Random) -> Damaged:
    texts = ["Device: TX-20", f"Serial: {rng.randrange(10_000)}", "Operator: Ana, Ben", "Start: 2024-02-01 08:00", ""]
    return _file(table, _inserted(_lines(table), [0], *texts[rng.randrange(4) :]))


@kind(at_least(3))
def preamble_padded_with_delimiters(table: CleanTable, rng: random.Random) -> Damaged:
    """Start as a sheet does that was saved with a title above its table: every line has all delimiters."""
    rest = "," * (len(table.header) - 1)
    texts = [_title(rng) + rest, f"Year,{rng.randint(2000, 2024)}{rest[1:]}", rest][: rng.randint(1, 3)]
    return _file(table, _inserted(_lines(table), [0], *texts))


@kind(at_least(2))
def footer_note(table: CleanTable, rng: random.Random) -> Damaged:
    note = rng.choice(
        ("Source: national register", f"({len(table.rows)} rows affected)", "*** end of report ***", "* provisional, see notes")
    )
    return _file(table, _inserted(_lines(table), [len(table.rows) + 1], *["", note][rng.randrange(2) :]))


@kind(at_least(3))
def footer_padded_with_delimiters(table: CleanTable, rng: random.Random) -> Damaged:
    rest = "," * (len(table.header) - 1)
    return _file(table, _inserted(_lines(table), [len(table.rows) + 1], rest, rng.choice(("Source: register", "Printed by Ana")) + rest))


def _sum_row(table: CleanTable, label: str, rows: Sequence[Row]) -> str:
    cells = [label, *[""] * (len(table.header) - 1)]
    for column in table.columns("number", "money", "integer"):
        total = sum(float(row[column] or 0) for row in rows)
        cells[column] = f"{total:.0f}" if table.roles[column] == "integer" else f"{total:.2f}"
    return ",".join(cells)


@kind(has_label_and_amount)
def totals_row(table: CleanTable, rng: random.Random) -> Damaged:
    text = _sum_row(table, rng.choice(("Total", "TOTAL", "Sum", "Grand total")), table.rows)
    return _file(table, _inserted(_lines(table), [len(table.rows) + 1], text))


@kind(has_label_and_amount, has_rows(5))
def subtotal_rows(table: CleanTable, rng: random.Random) -> Damaged:
    lines, first = _lines(table), 0
    sums: list[tuple[int, str]] = []
    for place in sorted(_places(rng, table)):
        sums.append((place, _sum_row(table, "Subtotal", table.rows[first : place - 1])))
        first = place - 1
    for place, text in reversed(sums):
        lines = _inserted(lines, [place], text)
    return _file(table, lines)


@kind(at_least(3), has("number", "money", "integer"))
def units_row(table: CleanTable, rng: random.Random) -> Damaged:
    units = {"money": "EUR", "number": rng.choice(("mm", "(kg)", "[°C]")), "integer": rng.choice(("n", "count"))}
    return _file(table, _inserted(_lines(table), [1], ",".join(units.get(role, "") for role in table.roles)))


@kind(at_least(4))
def two_level_header(table: CleanTable, rng: random.Random) -> Damaged:
    """Put groups above the names. The names are unique, so the groups add nothing and the truth is the lower level."""
    groups = [""] * len(table.header)
    groups[1] = "General"
    groups[rng.randrange(2, len(groups))] = "Results"
    return _file(table, _inserted(_lines(table), [0], ",".join(groups)))


@kind(has_rows(3))
def repeated_header(table: CleanTable, rng: random.Random) -> Damaged:
    lines = _lines(table)
    return _file(table, _inserted(lines, _places(rng, table), lines[0].text))


@kind(has_rows(3))
def repeated_header_in_upper_case(table: CleanTable, rng: random.Random) -> Damaged:
    lines = _lines(table)
    return _file(table, _inserted(lines, _places(rng, table), lines[0].text.upper()))


@kind(at_least(3), has_rows(10), is_undecidable=True)
def columns_in_another_order_below(table: CleanTable, rng: random.Random) -> Damaged:
    """Append an export whose columns stand in another order, with its header: the rows below it are of another table."""
    order = [*range(1, len(table.header)), 0]
    rows = [[row[column] for column in order] for row in (table.header, *table.rows)]
    return _file(table, [*_lines(table), *(Line(COMMA.record(row), is_damaged=True) for row in rows)])


@kind(has_rows(3), is_one_line)
def files_joined_with_their_marks(table: CleanTable, rng: random.Random) -> Damaged:
    """Join files that begin with a byte order mark each, as `cat` does."""
    lines = _lines(table)
    marked = "\ufeff" + lines[0].text
    return _file(table, _inserted([Line(marked), *lines[1:]], _places(rng, table), marked))


@kind(at_least(2))
def blank_lines_at_start(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _inserted(_lines(table), [0], *[""] * rng.randint(1, 4)))


@kind(at_least(2))
def blank_lines_in_the_middle(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _inserted(_lines(table), _places(rng, table, 5), ""))


@kind(at_least(2))
def blank_lines_at_end(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _inserted(_lines(table), [len(table.rows) + 1], *[""] * rng.randint(1, 5)))


@kind(at_least(2))
def lines_of_spaces(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _inserted(_lines(table), _places(rng, table), rng.choice((" ", "    ", "\t"))))


@kind(at_least(2))
def lines_of_delimiters(table: CleanTable, rng: random.Random) -> Damaged:
    """Leave empty rows, as a sheet does; no clean table has a row without a value."""
    places = [*_places(rng, table), len(table.rows) + 1]
    return _file(table, _inserted(_lines(table), places, "," * (len(table.header) - 1)))


@kind()
def comments_in_the_middle(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _inserted(_lines(table), _places(rng, table), rng.choice(("# restarted", "# below: second day", "#checked, Ana"))))


@kind(at_least(3))
def log_line_in_the_middle(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(
        ("Warning: connection lost, retrying", "2024-05-01 12:00:01 INFO flushed 512 rows", "Notice: Undefined index in export.php")
    )
    return _file(table, _inserted(_lines(table), [rng.randint(2, len(table.rows))], text))


@kind(is_undecidable=True)
def merge_conflict(table: CleanTable, rng: random.Random) -> Damaged:
    at = rng.randrange(1, len(table.rows))
    ours, theirs = (COMMA.record(row) for row in (table.rows[at], table.rows[at - 1]))
    texts = ("<<<<<<< HEAD", ours, "=======", theirs, ">>>>>>> corrections")
    return _file(table, _replaced(_lines(table), at + 1, *texts), lost=[at])


@kind(at_least(3), is_undecidable=True)
def two_tables_below_each_other(table: CleanTable, rng: random.Random) -> Damaged:
    second = ["", "region,inhabitants", *(f"{city},{rng.randrange(10**5, 10**6)}" for city in ("Leeds", "Lyon", "Turin"))]
    return _file(table, _inserted(_lines(table), [len(table.rows) + 1], *second))


@kind(at_least(2))
def sep_line_of_excel(table: CleanTable, rng: random.Random) -> Damaged:
    delimiter = rng.choice(";,\t|")
    return _file(table, _inserted(_lines(table, Dialect(delimiter)), [0], f"sep={delimiter}"))


# ---------------------------------------------------------------------------------------------------------- ragged rows


@kind(at_least(3))
def ragged_short_row(table: CleanTable, rng: random.Random) -> Damaged:
    """Cut filled cells off the end: what they held is gone."""
    keep = rng.randrange(1, len(table.header))
    at = _any_row(rng, table, lambda row: all(row[keep:]))
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record(table.rows[at][:keep])), lost=[at])


@kind(at_least(3), has_recognisable_start)
def ragged_short_row_of_empty_cells(table: CleanTable, rng: random.Random) -> Damaged:
    """Leave out the delimiters of trailing empty cells, as spreadsheets do: nothing is lost."""
    keep = rng.randrange(2, len(table.header))
    at = _any_row(rng, table)
    for column in range(keep, len(table.header)):
        table = table.with_cell(at, column, "")
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record(table.rows[at][:keep])))


@kind(at_least(3))
def cell_left_out(table: CleanTable, rng: random.Random) -> Damaged:
    column = rng.randrange(len(table.header) - 1)
    at = _any_row(rng, table, lambda row: bool(row[column]))
    row = table.rows[at]
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record(row[:column] + row[column + 1 :])), lost=[at])


@kind(at_least(2))
def ragged_long_by_trailing_delimiters(table: CleanTable, rng: random.Random) -> Damaged:
    lines = _lines(table)
    for at in rng.sample(range(1, len(lines)), min(rng.randint(1, 4), len(lines) - 1)):
        lines = _replaced(lines, at, lines[at].text + "," * rng.randint(1, 3))
    return _file(table, lines)


@kind(at_least(2))
def extra_cell(table: CleanTable, rng: random.Random) -> Damaged:
    """Put one value too many into a row: which one does not belong is anybody's guess."""
    at, column = _any_row(rng, table), rng.randrange(len(table.header) + 1)
    row = table.rows[at]
    extra = rng.choice((rng.choice(row) or "7", "checked", "12"))
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record((*row[:column], extra, *row[column:]))), lost=[at])


def _unquoted(row: Row) -> str:
    return ",".join(cell if "," in cell and '"' not in cell else COMMA.cell(cell) for cell in row)


@kind(has_lone_text)
def unquoted_delimiter(table: CleanTable, rng: random.Random) -> Damaged:
    """Write one text with a comma without its quotes; the columns beside it are of other types, so the parts can be joined."""
    column, lines = rng.choice(_lone_texts(table)), _lines(table)
    at = _any_row(rng, table)
    table = table.with_cell(
        at, column, rng.choice(("Young, Old and Co", "left, then right", "Leeds, Parks", "nuts,bolts", "one, two, three"))
    )
    row = table.rows[at]
    cells = [cell if index == column else COMMA.cell(cell) for index, cell in enumerate(row)]
    return _file(table, _replaced(lines, at + 1, ",".join(cells)))


@kind(has_texts_side_by_side)
def unquoted_delimiter_beside_text(table: CleanTable, rng: random.Random) -> Damaged:
    pairs = [at for at in range(len(table.roles) - 1) if table.roles[at] in WORDS and table.roles[at + 1] in WORDS]
    at = _any_row(rng, table)
    table = table.with_cell(at, rng.choice(pairs) + rng.randrange(2), rng.choice(("upper,lower", "Baker, Ana", "near, far")))
    return _file(table, _replaced(_lines(table), at + 1, _unquoted(table.rows[at])), lost=[at])


@kind(has_recognisable_start)
def shifted_right(table: CleanTable, rng: random.Random) -> Damaged:
    lines, at = _lines(table), _any_row(rng, table) + 1
    return _file(table, _replaced(lines, at, "," + lines[at].text))


@kind(has_recognisable_start)
def shifted_right_at_full_width(table: CleanTable, rng: random.Random) -> Damaged:
    """Shift a row and drop its last cell: the width is right and every cell is wrong."""
    at = _any_row(rng, table, lambda row: bool(row[-1]))
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record(("", *table.rows[at][:-1]))), lost=[at])


@kind(has_recognisable_start)
def shifted_left_at_full_width(table: CleanTable, rng: random.Random) -> Damaged:
    at = _any_row(rng, table)
    return _file(table, _replaced(_lines(table), at + 1, COMMA.record((*table.rows[at][1:], ""))), lost=[at])


@kind(at_least(3), is_one_line)
def line_broken_between_cells(table: CleanTable, rng: random.Random) -> Damaged:
    """Break before any but the last cell, where the first part would pass for a whole row."""
    at, column = _any_row(rng, table), rng.randrange(1, len(table.header) - 1)
    cells = COMMA.cells(table.rows[at])
    return _file(table, _replaced(_lines(table), at + 1, ",".join(cells[:column]) + ",", ",".join(cells[column:])))


@kind(has_lone_text, lambda table: table.roles[-1] != "text")
def line_broken_in_text(table: CleanTable, rng: random.Random) -> Damaged:
    """Write a text of two lines without its quotes; the true cell holds the line break."""
    column, at = rng.choice(_lone_texts(table)), _any_row(rng, table)
    table = table.with_cell(at, column, rng.choice(("first half\nsecond half", "see below\nand above")))
    cells = [cell if index == column else COMMA.cell(cell) for index, cell in enumerate(table.rows[at])]
    return _file(table, _replaced(_lines(table), at + 1, ",".join(cells)))


@kind(at_least(3))
def two_rows_on_one_line(table: CleanTable, rng: random.Random) -> Damaged:
    """Lose a line break and keep a delimiter in its place: twice the cells, in order."""
    at, lines = rng.randrange(len(table.rows) - 1) + 1, _lines(table)
    joined = f"{lines[at].text},{lines[at + 1].text}"
    return _file(table, [*lines[:at], Line(joined, is_damaged=True), *lines[at + 2 :]])


@kind(at_least(3), has("id", "zeros", "number"))
def two_rows_run_together(table: CleanTable, rng: random.Random) -> Damaged:
    """Lose the line break between two rows: last and first cell are one, and nobody can part them."""
    at, lines = rng.randrange(len(table.rows) - 1) + 1, _lines(table)
    joined = lines[at].text + lines[at + 1].text
    return _file(table, [*lines[:at], Line(joined, is_damaged=True), *lines[at + 2 :]], lost=[at - 1, at])


@kind(at_least(3))
def last_row_cut_off(table: CleanTable, rng: random.Random) -> Damaged:
    """End as an interrupted download does."""
    last, keep = len(table.rows) - 1, rng.randrange(1, len(table.header))
    damaged = _file(table, _replaced(_lines(table), last + 1, COMMA.record(table.rows[last][:keep])), lost=[last])
    return replace(damaged, content=damaged.content[:-1])


# -------------------------------------------------------------------------------------------------- delimiters and quotes


def _whole_file(table: CleanTable, rng: random.Random, dialect: Dialect) -> Damaged:
    return _file(table, _lines(table, dialect))


for _name, _delimiter in {
    "semicolon_delimiter": ";",
    "tab_delimiter": "\t",
    "pipe_delimiter": "|",
    "double_colon_delimiter": "::",
    "control_a_delimiter": "\x01",  # Hive's default
    "unit_separator_delimiter": "\x1f",
}.items():
    add_kind(_name, partial(_whole_file, dialect=Dialect(_delimiter)), at_least(2))
add_kind("tab_delimiter_in_tsv", partial(_whole_file, dialect=Dialect("\t")), at_least(2), extension="tsv")
add_kind("single_quote_dialect", partial(_whole_file, dialect=Dialect(quote="'", is_quoting_all=True)), has("text"))
add_kind(
    "backslash_escaped_quotes", partial(_whole_file, dialect=Dialect(escape="\\", is_quoting_all=True)), lambda table: '"' in table.text()
)


@kind(at_least(2))
def comma_and_space(table: CleanTable, rng: random.Random) -> Damaged:
    """Put a space before an opening quote too, where most parsers then see no quote."""
    return _file(table, [Line(", ".join(COMMA.cells(row))) for row in (table.header, *table.rows)])


@kind(at_least(2), has("text"))
def only_text_quoted(table: CleanTable, rng: random.Random) -> Damaged:
    texts, quoting = table.columns("text", "category", "code"), Dialect(is_quoting_all=True)

    def record(row: Row) -> str:
        return ",".join(quoting.cell(cell) if at in texts else COMMA.cell(cell) for at, cell in enumerate(row))

    return _file(table, [Line(quoting.record(table.header)), *(Line(record(row)) for row in table.rows)])


@kind(at_least(2), is_one_line, is_free_of("  "), lambda table: all(" " not in cell and cell for row in table.rows for cell in row))
def space_delimiter(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, [Line((" " * rng.randint(1, 3)).join(row)) for row in (table.header, *table.rows)])


def _is_plain(row: Row, marks: str = ",;|\t\"'\n") -> bool:
    return not any(mark in cell for cell in row for mark in marks)


def has_plain_row(table: CleanTable) -> bool:
    return any(_is_plain(row) for row in table.rows)


@kind(at_least(3), has_plain_row)
def one_row_in_another_delimiter(table: CleanTable, rng: random.Random) -> Damaged:
    at = _any_row(rng, table, _is_plain)
    return _file(table, _replaced(_lines(table), at + 1, rng.choice((";", "\t", "|")).join(table.rows[at])))


@kind(at_least(3))
def header_in_another_delimiter(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _replaced(_lines(table), 0, rng.choice((";", "\t", "|")).join(table.header)))


@kind(at_least(3), has_lone_text)
def one_row_in_another_quote(table: CleanTable, rng: random.Random) -> Damaged:
    column, at = rng.choice(_lone_texts(table)), _any_row(rng, table)
    table = table.with_cell(at, column, rng.choice(("Young, Old and Co", "left, then right", "Leeds, Parks")))
    return _file(table, _replaced(_lines(table), at + 1, Dialect(quote="'").record(table.rows[at])))


@kind(at_least(3), has_lone_text)
def one_cell_in_curly_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    column, at = rng.choice(_lone_texts(table)), _any_row(rng, table)
    table = table.with_cell(at, column, rng.choice(("Young, Old and Co", "left, then right", "Leeds, Parks")))
    return _file(table, _replaced(_lines(table), at + 1, _with_raw(table.rows[at], column, f"“{table.rows[at][column]}”")))


@kind(at_least(2), is_one_line, is_free_of('"', "“"))
def every_cell_in_typographic_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    before, behind = rng.choice(("“”", "„“", "«»"))
    return _file(table, [Line(",".join(f"{before}{cell}{behind}" for cell in row)) for row in (table.header, *table.rows)])


def _with_raw(row: Row, column: int, raw: str) -> str:
    """Write a record of which one cell is put down as it is."""
    cells = COMMA.cells(row)
    cells[column] = raw
    return ",".join(cells)


def _raw_cell(table: CleanTable, rng: random.Random, truth: str, raw: str, at: int | None = None) -> Damaged:
    at = _any_row(rng, table) if at is None else at
    column = rng.choice(table.columns("text"))
    table = table.with_cell(at, column, truth)
    return _file(table, _replaced(_lines(table), at + 1, _with_raw(table.rows[at], column, raw)))


@kind(has("text"))
def stray_quote(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(('5" pipe', 'pipe 5"', 'size 3" by 4', "3'6\" tall"))
    return _raw_cell(table, rng, text, text)


@kind(has("text"))
def quoted_words_in_an_unquoted_cell(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(('Ana "Nina" Ruiz', 'the "old" mill', 'press "start"'))
    return _raw_cell(table, rng, text, text)


@kind(has("text"))
def inner_quotes_not_doubled(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(('Ana "Nina" Ruiz', 'the "old" mill, burnt', 'press "start" twice', 'pipe of 5" width'))
    return _raw_cell(table, rng, text, f'"{text}"')


@kind(has("text"))
def unclosed_quote_in_the_middle(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(("gate valve", "left side", "as agreed"))
    return _raw_cell(table, rng, text, f'"{text}', at=rng.randrange(len(table.rows) - 1))


@kind(has("text"))
def unclosed_quote_at_the_end(table: CleanTable, rng: random.Random) -> Damaged:
    text = rng.choice(("gate valve", "left side", "as agreed"))
    return _raw_cell(table, rng, text, f'"{text}', at=len(table.rows) - 1)


@kind(at_least(2), is_one_line)
def one_row_wrapped_in_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    """Turn a row into one quoted cell, as a sheet does that took the line for a text."""
    lines, at = _lines(table), _any_row(rng, table) + 1
    return _file(table, _replaced(lines, at, Dialect(is_quoting_all=True).cell(lines[at].text)))


@kind(at_least(2), is_one_line)
def every_row_wrapped_in_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, [Line(Dialect(is_quoting_all=True).cell(line.text)) for line in _lines(table)])


@kind(at_least(2))
def trailing_delimiter_on_every_line(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, [Line(line.text + ",") for line in _lines(table)])


@kind(at_least(2))
def trailing_delimiter_below_the_header(table: CleanTable, rng: random.Random) -> Damaged:
    header, *rows = _lines(table)
    return _file(table, [header, *(Line(line.text + ",") for line in rows)])


@kind(at_least(2))
def spaces_around_cells(table: CleanTable, rng: random.Random) -> Damaged:
    def padded(row: Row) -> str:
        return ",".join(" " * rng.randrange(3) + cell + " " * rng.randrange(3) for cell in COMMA.cells(row))

    return _file(table, [Line(padded(row)) for row in (table.header, *table.rows)])


@kind()
def non_breaking_spaces_around_cells(table: CleanTable, rng: random.Random) -> Damaged:
    column = rng.randrange(len(table.header))
    return _file(table, _lines(table.with_columns([column], lambda cell: rng.choice(("\u00a0{}", "{}\u00a0", "{}")).format(cell))))


# ------------------------------------------------------------------------------------------------------ bytes and encodings


@kind()
def utf8_bom(table: CleanTable, rng: random.Random) -> Damaged:
    return _with_mark(table, b"\xef\xbb\xbf", "utf-8")


def _with_mark(table: CleanTable, mark: bytes, encoding: str) -> Damaged:
    damaged = _file(table, _lines(table), encoding=encoding)
    return replace(damaged, content=mark + damaged.content)


def _encoded(table: CleanTable, rng: random.Random, encoding: str, mark: bytes = b"") -> Damaged:
    return _with_mark(table, mark, encoding)


add_kind("utf16_little_endian", partial(_encoded, encoding="utf-16-le", mark=b"\xff\xfe"))
add_kind("utf16_big_endian", partial(_encoded, encoding="utf-16-be", mark=b"\xfe\xff"))
add_kind("utf16_without_mark", partial(_encoded, encoding="utf-16-le"), at_least(2))
add_kind("latin1", partial(_encoded, encoding="latin-1"), is_written_in("latin-1"))
add_kind("windows_1252", partial(_encoded, encoding="cp1252"), is_written_in("cp1252", "latin-1"))
add_kind("windows_1250", partial(_encoded, encoding="cp1250"), is_written_in("cp1250", "cp1252"))


@kind(is_written_in("latin-1"), is_one_line)
def mixed_encodings(table: CleanTable, rng: random.Random) -> Damaged:
    """Append Latin-1 lines to a file of UTF-8, as two programs do that share a log."""
    lines = _lines(table)
    accented = [at for at, line in enumerate(lines) if not line.text.isascii()]
    other = set(rng.sample(accented, max(1, len(accented) // 3)))
    content = b"".join((line.text + "\n").encode("latin-1" if at in other else "utf-8") for at, line in enumerate(lines))
    return replace(_file(table, _marked(lines, other)), content=content)


@kind(has_rows(10), is_one_line)
def utf16_appended(table: CleanTable, rng: random.Random) -> Damaged:
    """Append to a file as PowerShell does, which writes UTF-16 whatever stands there."""
    lines = _lines(table)
    at = rng.randrange(2, len(lines))
    above, below = ("".join(f"{line.text}\n" for line in some) for some in (lines[:at], lines[at:]))
    content = above.encode() + below.encode(rng.choice(("utf-16", "utf-16-le")))
    return replace(_file(table, lines), content=content)


@kind(is_written_in("latin-1"), is_one_line)
def mojibake(table: CleanTable, rng: random.Random) -> Damaged:
    """Save UTF-8 that was read as Latin-1. A report is enough: the truth is the cells as they stand."""
    spoilt = table.with_columns(range(len(table.header)), lambda cell: cell.encode().decode("latin-1"))
    lines = _lines(spoilt)
    return _file(spoilt, _marked(lines, [at for at, line in enumerate(lines) if not line.text.isascii()]))


@kind(is_one_line)
def nul_bytes(table: CleanTable, rng: random.Random) -> Damaged:
    lines = _lines(table)
    for at in rng.sample(range(1, len(lines)), min(rng.randint(1, 3), len(lines) - 1)):
        cut = rng.randrange(len(lines[at].text))
        lines = _replaced(lines, at, lines[at].text[:cut] + "\0" * rng.randint(1, 3) + lines[at].text[cut:])
    return _file(table, lines)


@kind(is_one_line)
def nul_padding_at_the_end(table: CleanTable, rng: random.Random) -> Damaged:
    """End in a block that was reserved and never written, as after a power cut."""
    damaged = _file(table, _lines(table))
    return replace(damaged, content=damaged.content + b"\0" * rng.choice((64, 512)), lines=(len(table.rows) + 2,))


@kind(has("text"))
def control_characters(table: CleanTable, rng: random.Random) -> Damaged:
    """Drop characters nobody typed into a text; vertical tab and the separators are line breaks for Python's splitlines."""
    at, column = _any_row(rng, table), rng.choice(table.columns("text"))
    table = table.with_cell(at, column, "upper part")
    spoilt = table.with_cell(at, column, f"upper{rng.choice(chr(7) + chr(8) + chr(11) + chr(12) + chr(28) + chr(30) + chr(31))} part")
    return _file(table, _marked(_lines(spoilt), [at + 1]))


@kind(at_least(2))
def zero_width_spaces(table: CleanTable, rng: random.Random) -> Damaged:
    at, column = _any_row(rng, table), rng.randrange(len(table.header))
    spoilt = table.with_cell(at, column, table.rows[at][column] + "\u200b").with_header((*table.header[:-1], "\u200b" + table.header[-1]))
    return _file(table, _marked(_lines(spoilt), [0, at + 1]))


@kind(at_least(2))
def dos_end_of_file(table: CleanTable, rng: random.Random) -> Damaged:
    damaged = _file(table, _marked([*_lines(table), Line("\x1a")], [len(table.rows) + 1]))
    return replace(damaged, content=damaged.content[:-1])


@kind(is_one_line)
def carriage_returns(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _lines(table), end="\r")


@kind()
def carriage_return_line_feeds(table: CleanTable, rng: random.Random) -> Damaged:
    """Keep a bare line feed inside quotes, as Excel writes it."""
    return _file(table, _lines(table), end="\r\n")


@kind(at_least(2), is_one_line)
def doubled_carriage_returns(table: CleanTable, rng: random.Random) -> Damaged:
    """Translate line ends twice, as Python's csv module does on Windows without `newline=""`."""
    return _file(table, _lines(table), end="\r\r\n")


@kind(is_one_line)
def mixed_line_ends(table: CleanTable, rng: random.Random) -> Damaged:
    lines = _lines(table)
    ends = ["\n", "\r\n", *rng.choices(("\n", "\r\n", "\r"), k=len(lines) - 2)]
    return replace(_file(table, lines), content="".join(line.text + end for line, end in zip(lines, ends, strict=True)).encode())


@kind()
def no_newline_at_the_end(table: CleanTable, rng: random.Random) -> Damaged:
    damaged = _file(table, _lines(table))
    return replace(damaged, content=damaged.content[:-1])


# ----------------------------------------------------------------------------------------------------- spelling of numbers


def _grouped(cell: str, separator: str, point: str = ".") -> str:
    whole, _, decimals = cell.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return sign + f"{int(whole.lstrip('-')):,}".replace(",", separator) + (point + decimals if decimals else "")


def _respelled(table: CleanTable, dialect: Dialect, change: Callable[[str], str], *roles: str) -> Damaged:
    """Write the cells of these roles in another spelling; the truth is as before."""
    return _file(table, _lines(table.with_columns(table.columns(*roles), change), dialect))


@kind(has("number", "money"), at_least(2))
def decimal_commas(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, SEMICOLON, lambda cell: cell.replace(".", ","), "number", "money")


@kind(has("number", "money"))
def decimal_commas_in_quotes(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, COMMA, lambda cell: cell.replace(".", ","), "number", "money")


@kind(has("money"))
def thousands_separators(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, COMMA, lambda cell: _grouped(cell, ","), "money")


@kind(has("money"))
def thousands_points_and_decimal_commas(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, SEMICOLON, lambda cell: _grouped(cell, ".", ","), "money")


@kind(has("money"))
def thousands_spaces(table: CleanTable, rng: random.Random) -> Damaged:
    space = rng.choice((" ", "\u00a0", "\u202f"))
    return _respelled(table, SEMICOLON, lambda cell: _grouped(cell, space, ","), "money")


@kind(has("money"))
def thousands_apostrophes(table: CleanTable, rng: random.Random) -> Damaged:
    apostrophe = rng.choice("'’")
    return _respelled(table, SEMICOLON, lambda cell: _grouped(cell, apostrophe), "money")


@kind(at_least(2), has("number", "money"), is_undecidable=True)
def thousands_or_decimals(table: CleanTable, rng: random.Random) -> Damaged:
    """Write `12,345` in every cell of a column: twelve and a bit, or twelve thousand. The truth given is the cell as it stands."""
    columns = [rng.choice(table.columns("number", "money"))]
    table = table.with_columns(columns, lambda _: f"{rng.randint(1, 99)},{rng.randint(100, 999)}")
    return _file(table, _lines(table))


@kind(has("money"))
def currency_signs(table: CleanTable, rng: random.Random) -> Damaged:
    """Put one and the same sign on each amount of the table, before or behind."""
    before, behind = rng.choice((("$", ""), ("€", ""), ("£ ", ""), ("USD ", ""), ("", " €"), ("", " EUR")))

    def signed(cell: str) -> str:
        return ("-" if cell.startswith("-") else "") + before + _grouped(cell.lstrip("-"), ",") + behind

    return _respelled(table, COMMA, signed, "money")


@kind(has("money"), has_rows(10))
def mixed_currencies(table: CleanTable, rng: random.Random) -> Damaged:
    """Put different signs on the amounts of a column: without them the amounts say something else, so they stand."""
    signs = cycle(rng.sample("$€£", 3))
    table = table.with_columns([rng.choice(table.columns("money"))], lambda cell: next(signs) + cell)
    return _file(table, _lines(table))


@kind(has("money"), has_negatives)
def negatives_in_parentheses(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, COMMA, lambda cell: f"({cell[1:]})" if cell.startswith("-") else cell, "money")


@kind(has("money"), has_negatives)
def minus_behind(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, COMMA, lambda cell: f"{cell[1:]}-" if cell.startswith("-") else cell, "money")


@kind(has_negatives)
def typographic_minus(table: CleanTable, rng: random.Random) -> Damaged:
    return _respelled(table, COMMA, lambda cell: cell.replace("-", "−"), "money", "number")


@kind(has("number"))
def percent_signs(table: CleanTable, rng: random.Random) -> Damaged:
    """Leave open whether 45 % is 45 or 0.45: the cells stand."""
    table = table.with_columns(table.columns("number")[:2], lambda cell: cell + rng.choice(("%", " %")))
    return _file(table, _lines(table))


@kind(has("number"))
def units_in_cells(table: CleanTable, rng: random.Random) -> Damaged:
    """Write the unit into each cell; whether it is dropped is an opinion: the cells stand."""
    unit = rng.choice((" kg", "mm", " °C"))
    table = table.with_columns([rng.choice(table.columns("number"))], lambda cell: cell + unit)
    return _file(table, _lines(table))


@kind(has("id"))
def leading_zeros(table: CleanTable, rng: random.Random) -> Damaged:
    table = table.with_columns(table.columns("id")[:1], lambda cell: cell.zfill(8))
    return _file(table, _lines(table))


@kind(has("zeros", "id"))
def excel_text_formulas(table: CleanTable, rng: random.Random) -> Damaged:
    """Write `="00123"`, the way to keep Excel from eating zeros."""
    column = table.columns("zeros", "id")[0]
    table = table.with_columns([column], lambda cell: cell.zfill(7))
    return _file(table, [Line(COMMA.record(table.header)), *(Line(_with_raw(row, column, f'="{row[column]}"')) for row in table.rows)])


@kind(has("zeros", "id"))
def apostrophes_before_numbers(table: CleanTable, rng: random.Random) -> Damaged:
    column = table.columns("zeros", "id")[0]
    table = table.with_columns([column], lambda cell: cell.zfill(7))
    return _file(table, _lines(table.with_columns([column], lambda cell: "'" + cell)))


@kind(has("id"))
def huge_integers(table: CleanTable, rng: random.Random) -> Damaged:
    """Exceed what a float can hold exactly, and at times 64 bits."""
    digits = rng.choice((17, 19, 22))
    table = table.with_columns(table.columns("id")[:1], lambda _: str(rng.randrange(10 ** (digits - 1), 10**digits)))
    return _file(table, _lines(table))


@kind(has("integer"))
def scientific_notation(table: CleanTable, rng: random.Random) -> Damaged:
    table = table.with_columns([rng.choice(table.columns("integer"))], lambda cell: f"{int(cell):.2E}")
    return _file(table, _lines(table))


# ---------------------------------------------------------------------------------------------------- spelling of the rest


@kind(has("boolean"))
def booleans_in_many_spellings(table: CleanTable, rng: random.Random) -> Damaged:
    """Mix the spellings of several clerks: a report is enough, the cells stand."""
    spellings = {True: ("yes", "Y", "TRUE", "True", "t", "1"), False: ("no", "N", "FALSE", "False", "f", "0")}
    table = table.with_columns(table.columns("boolean"), lambda cell: rng.choice(spellings[cell in ("yes", "true")]))
    return _file(table, _lines(table))


def has_true_and_false(table: CleanTable) -> bool:
    return any(row[column] == "true" for column in table.columns("boolean") for row in table.rows)


@kind(has_true_and_false)
def booleans_of_other_programs(table: CleanTable, rng: random.Random) -> Damaged:
    """Spell true and false as pandas, R or spreadsheets do; the truth is as before."""
    spelled = rng.choice((str.title, str.upper))
    return _respelled(table, COMMA, lambda cell: spelled(cell) if cell in ("true", "false") else cell, "boolean")


@kind(has("date"))
def dates_in_mixed_formats(table: CleanTable, rng: random.Random) -> Damaged:
    """Mix formats, so that 03/04/2024 may be either month: the cells stand."""

    def respelled(cell: str) -> str:
        year, month, day = cell.split("-")
        return rng.choice((cell, f"{day}.{month}.{year}", f"{month}/{day}/{year}", f"{int(day)} {MONTHS[int(month) - 1]} {year}"))

    table = table.with_columns([rng.choice(table.columns("date"))], respelled)
    return _file(table, _lines(table))


def _with_markers(table: CleanTable, rng: random.Random, markers: Sequence[str]) -> Damaged:
    """Spell missing values in a column of numbers, of which at least half stay numbers."""
    column = rng.choice(table.columns("number", "money", "integer"))
    filled = [at for at, row in enumerate(table.rows) if row[column]]
    spelled = table
    chosen = rng.sample(filled, rng.randint(1, max(1, len(filled) // 4)))
    for at in chosen:
        spelled = spelled.with_cell(at, column, rng.choice(markers))
        table = table.with_cell(at, column, "")
    return _file(table, _marked(_lines(spelled), [at + 1 for at in chosen]))


HAS_NUMBERS = (at_least(2), has_rows(10), has("number", "money", "integer"))
MARKERS = {
    "missing_as_question_mark": "?",
    "missing_as_na": "NA",
    "missing_as_dash": "-",
    "missing_as_null": "null",
    "missing_as_n_slash_a": "N/A",
    "missing_as_nan": "nan",
    "missing_as_point": ".",
    "missing_as_backslash_n": "\\N",
}
for _name, _marker in MARKERS.items():
    add_kind(_name, partial(_with_markers, markers=[_marker]), *HAS_NUMBERS)
add_kind("missing_in_many_spellings", partial(_with_markers, markers=[*MARKERS.values()]), *HAS_NUMBERS)
add_kind("errors_of_excel", partial(_with_markers, markers=["#N/A", "#DIV/0!", "#VALUE!", "#REF!"]), *HAS_NUMBERS)


@kind(has("number", "integer"), at_least(2))
def missing_as_minus_999(table: CleanTable, rng: random.Random) -> Damaged:
    """Write a number that may mean a missing value: whoever reads cannot know, so it stands."""
    column = rng.choice(table.columns("number", "integer"))
    for at in rng.sample(range(len(table.rows)), max(1, len(table.rows) // 6)):
        table = table.with_cell(at, column, "-999")
    return _file(table, _lines(table))


@kind(has("category"), has_rows(10))
def namibia(table: CleanTable, rng: random.Random) -> Damaged:
    """Hold `NA` as one of many country codes: it is a word there and stands."""
    codes = ("NA", "NO", "DE", "FR", "ZA", "BW", "AO")
    column = rng.choice(table.columns("category"))
    table = table.with_columns([column], lambda _: rng.choice(codes)).with_cell(0, column, "NA")
    return _file(table, _lines(table))


# --------------------------------------------------------------------------------------------------------- names and shape


def _renamed(table: CleanTable, column: int, name: str) -> CleanTable:
    return table.with_header((*table.header[:column], name, *table.header[column + 1 :]))


def _renamed_file(table: CleanTable) -> Damaged:
    return _file(table, _marked(_lines(table), [0]))


@kind(at_least(3))
def duplicate_column_names(table: CleanTable, rng: random.Random) -> Damaged:
    first, second = rng.sample(range(len(table.header)), 2)
    return _renamed_file(_renamed(table, second, table.header[first]))


@kind(at_least(3))
def empty_column_name(table: CleanTable, rng: random.Random) -> Damaged:
    return _renamed_file(_renamed(table, rng.randrange(1, len(table.header)), ""))


@kind(at_least(3))
def case_twins(table: CleanTable, rng: random.Random) -> Damaged:
    first, second = rng.sample(range(len(table.header)), 2)
    return _renamed_file(_renamed(table, second, table.header[first].upper()))


@kind()
def padded_column_names(table: CleanTable, rng: random.Random) -> Damaged:
    spoilt = table.with_header(rng.choice((" {}", "{}  ", " {} ")).format(name) for name in table.header)
    return _file(table, _marked(_lines(spoilt), [0]))


@kind(at_least(2))
def line_break_in_a_column_name(table: CleanTable, rng: random.Random) -> Damaged:
    column = rng.randrange(len(table.header))
    return _renamed_file(_renamed(table, column, f"{table.header[column]}\n(checked, 2023)"))


def _with_index(table: CleanTable, name: tuple[str, ...], start: int) -> tuple[CleanTable, Row]:
    rows = tuple((str(at), *row) for at, row in enumerate(table.rows, start))
    return CleanTable(table.name, ("", *table.header), ("id", *table.roles), rows), (*name, *table.header)


@kind()
def index_without_a_name(table: CleanTable, rng: random.Random) -> Damaged:
    table, header = _with_index(table, ("",), 0)
    return _file(table, _marked(_lines(table.with_header(header)), [0]))


@kind(at_least(2))
def row_names_of_r(table: CleanTable, rng: random.Random) -> Damaged:
    """Give one name fewer than there are cells, as R's `write.table` does: the first column is the one without."""
    table, header = _with_index(table, (), 1)
    return _file(table, _marked(_lines(table.with_header(header)), [0]))


@kind(at_least(3), lambda table: table.roles[0] != "id", is_undecidable=True)
def header_one_name_short(table: CleanTable, rng: random.Random) -> Damaged:
    """Miss a name somewhere; which column it belongs to, the file does not say."""
    gone = rng.randrange(len(table.header))
    short = table.header[:gone] + table.header[gone + 1 :]
    truth = _renamed(table, gone, "").header
    return _file(table, _replaced(_lines(table), 0, COMMA.record(short)), header=truth)


def _without_header(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, _lines(table)[1:], header=("",) * len(table.header))


add_kind("no_header", _without_header, has(*NUMBERS))
# The first row of words may be the names of columns, however odd they would be.
add_kind("no_header_above_words", _without_header, is_all_words, is_undecidable=True)


@kind(is_all_numbers, at_least(3), is_undecidable=True)
def header_of_numbers(table: CleanTable, rng: random.Random) -> Damaged:
    """Name columns by year above counts of the same size."""
    first = rng.randrange(1950, 2000)
    table = table.with_columns(range(len(table.header)), lambda _: str(rng.randrange(1700, 2300)))
    table = table.with_header(str(first + at) for at in range(len(table.header)))
    return _file(table, _lines(table))


def _only(table: CleanTable, columns: Sequence[int], rows: slice) -> CleanTable:
    def chosen(row: Row) -> Row:
        return tuple(row[column] for column in columns)

    return CleanTable(table.name, chosen(table.header), chosen(table.roles), tuple(chosen(row) for row in table.rows[rows]))


@kind(has("id", "integer", "date"))
def one_column(table: CleanTable, rng: random.Random) -> Damaged:
    """Keep a column without missing values: an empty line would be one, or none."""
    column = next(at for at in table.columns("id", "integer", "date") if all(row[at] for row in table.rows))
    table = _only(table, [column], slice(None))
    return _file(table, _lines(table))


@kind(has("text"))
def one_column_of_text(table: CleanTable, rng: random.Random) -> Damaged:
    """Keep remarks with commas, quoted as they should be."""
    table = _only(table, [rng.choice(table.columns("text"))], slice(None)).with_columns([0], lambda cell: cell + ", as they said")
    filled = replace(table, rows=tuple(row for row in table.rows if row[0]))
    return _file(filled, _lines(filled))


@kind(at_least(2), has(*NUMBERS))
def one_row(table: CleanTable, rng: random.Random) -> Damaged:
    at = _any_row(rng, table)
    table = _only(table, range(len(table.header)), slice(at, at + 1))
    return _file(table, _lines(table))


@kind(at_least(2), is_undecidable=True)
def header_only(table: CleanTable, rng: random.Random) -> Damaged:
    """Leave nothing to train on; a reader may say so instead of showing a table without rows."""
    table = replace(table, rows=())
    return _file(table, _lines(table))


# ------------------------------------------------------------------------------------------------------ packed and disguised


def _packed(table: CleanTable, rng: random.Random, pack: Callable[[bytes], bytes]) -> Damaged:
    damaged = _file(table, _lines(table))
    return replace(damaged, content=pack(damaged.content))


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


add_kind("packed_by_gzip", partial(_packed, pack=_gzip), extension="csv.gz")
add_kind("packed_by_bzip2", partial(_packed, pack=bz2.compress), extension="csv.bz2")
add_kind("packed_by_xz", partial(_packed, pack=partial(lzma.compress, preset=0)), extension="csv.xz")
add_kind("packed_by_zip", partial(_packed, pack=lambda content: _zip({"table.csv": content})), extension="zip")
add_kind("gzip_named_csv", partial(_packed, pack=_gzip))
add_kind("csv_named_gz", partial(_packed, pack=bytes), extension="csv.gz")
add_kind("csv_named_xlsx", partial(_packed, pack=bytes), extension="xlsx")
add_kind("csv_named_json", partial(_packed, pack=bytes), extension="json")


@kind(extension="zip")
def zip_with_leftovers(table: CleanTable, rng: random.Random) -> Damaged:
    junk = {"__MACOSX/._table.csv": b"\0\5\x16\7", "data/": b""}
    return _packed(table, rng, lambda content: _zip({**junk, "data/table.csv": content}))


@kind(extension="zip", is_undecidable=True)
def zip_with_two_tables(table: CleanTable, rng: random.Random) -> Damaged:
    return _packed(table, rng, lambda content: _zip({"a.csv": content, "b.csv": b"region,inhabitants\nLeeds,800000\nLyon,520000\n"}))


@kind(has_rows(20), is_one_line, extension="csv.gz", is_undecidable=True)
def gzip_cut_off(table: CleanTable, rng: random.Random) -> Damaged:
    """Stop in the middle; the rows that can still be unpacked are the truth, and a refusal is right."""
    whole = _file(table, _lines(table))
    content = _gzip(whole.content)[: -rng.randint(9, 60)]
    lines_left = zlib.decompressobj(wbits=31).decompress(content).count(b"\n")
    left = max(lines_left - 1, 0)
    return replace(whole, content=content, rows=table.rows[:left], lost=tuple(range(left, len(table.rows))))


@kind(is_undecidable=True)
def html_error_page(table: CleanTable, rng: random.Random) -> Damaged:
    code, reason = rng.choice(((404, "Not Found"), (502, "Bad Gateway"), (403, "Forbidden")))
    body = f"<h1>{reason}</h1>\n<p>The server said {code}, please try again.</p>"
    return _no_table(f"<!DOCTYPE html>\n<html><head><title>{code} {reason}</title></head>\n<body>{body}</body></html>\n")


@kind(is_undecidable=True)
def json_error(table: CleanTable, rng: random.Random) -> Damaged:
    return _no_table(json.dumps({"error": rng.choice(("unauthorized", "quota exceeded")), "code": rng.choice((401, 429))}, indent=2) + "\n")


@kind(is_undecidable=True)
def xml_error(table: CleanTable, rng: random.Random) -> Damaged:
    code = rng.choice(("AccessDenied", "NoSuchKey", "SlowDown"))
    return _no_table(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><RequestId>{rng.randrange(10**9)}</RequestId></Error>\n'
    )


@kind(is_undecidable=True)
def pointer_of_git_lfs(table: CleanTable, rng: random.Random) -> Damaged:
    digest = f"{rng.getrandbits(256):064x}"
    return _no_table(f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {rng.randrange(10**6)}\n")


@kind(is_undecidable=True)
def empty_file(table: CleanTable, rng: random.Random) -> Damaged:
    return replace(_no_table(""), lines=())


@kind(is_undecidable=True)
def only_blank_lines(table: CleanTable, rng: random.Random) -> Damaged:
    return replace(_no_table("\n" * rng.randint(1, 5)), lines=())


@kind(is_undecidable=True)
def random_bytes(table: CleanTable, rng: random.Random) -> Damaged:
    return replace(_no_table(""), lines=(), content=b"\x89PNG\r\n\x1a\n" + rng.randbytes(rng.randint(200, 900)))


def _json_row(header: Row, row: Row) -> str:
    """Give a missing value as null, and a number as a number where JSON keeps its spelling."""

    def value(cell: str) -> object:
        try:
            number = json.loads(cell)
        except ValueError:
            return cell or None
        return number if isinstance(number, int | float) and json.dumps(number) == cell else cell

    return json.dumps({name: value(cell) for name, cell in zip(header, row, strict=True)}, ensure_ascii=False)


@kind(at_least(2))
def json_in_csv(table: CleanTable, rng: random.Random) -> Damaged:
    texts = [_json_row(table.header, row) for row in table.rows]
    return replace(_file(table, []), content=("[" + ",\n ".join(texts) + "]\n").encode())


@kind(at_least(2))
def json_lines_in_csv(table: CleanTable, rng: random.Random) -> Damaged:
    return _file(table, [Line(_json_row(table.header, row)) for row in table.rows])


# --------------------------------------------------------------------------------------------------------- tables for eyes


def _widths(table: CleanTable) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(table.header, *table.rows, strict=True)]


def _aligned(table: CleanTable, row: Row) -> list[str]:
    """Pad cells to their column; numbers stand to the right."""
    padded = zip(row, _widths(table), table.roles, strict=True)
    return [cell.rjust(width) if role in NUMBERS else cell.ljust(width) for cell, width, role in padded]


FOR_EYES = (at_least(2), is_one_line, is_free_of("|", '"'))


@kind(*FOR_EYES, extension="txt")
def table_of_mysql(table: CleanTable, rng: random.Random) -> Damaged:
    border = Line("+" + "+".join("-" * (width + 2) for width in _widths(table)) + "+", is_damaged=True)
    header, *rows = [Line("| " + " | ".join(_aligned(table, row)) + " |") for row in (table.header, *table.rows)]
    return _file(table, [border, header, border, *rows, border])


@kind(*FOR_EYES, extension="txt")
def table_of_psql(table: CleanTable, rng: random.Random) -> Damaged:
    border = Line("+".join("-" * (width + 2) for width in _widths(table)), is_damaged=True)
    header, *rows = [Line(" " + " | ".join(_aligned(table, row)).rstrip()) for row in (table.header, *table.rows)]
    return _file(table, [header, border, *rows, Line(f"({len(rows)} rows)", is_damaged=True)])


@kind(*FOR_EYES, extension="md")
def table_of_markdown(table: CleanTable, rng: random.Random) -> Damaged:
    header, *rows = [Line("| " + " | ".join(row) + " |") for row in (table.header, *table.rows)]
    return _file(
        table, [header, Line("|" + "|".join(rng.choice((" --- ", ":---", "---:")) for _ in table.header) + "|", is_damaged=True), *rows]
    )


@kind(at_least(2), is_one_line, is_free_of("  "), extension="txt")
def fixed_width(table: CleanTable, rng: random.Random) -> Damaged:
    gap = " " * rng.randint(2, 4)
    return _file(table, [Line(gap.join(_aligned(table, row)).rstrip()) for row in (table.header, *table.rows)])


@kind(at_least(3), has("integer", "number", "money"), has_rows(10), is_one_line, is_free_of("  ", ","), extension="txt")
def fixed_width_with_gaps(table: CleanTable, rng: random.Random) -> Damaged:
    """Leave cells empty that only their place in the line tells."""
    for _ in range(rng.randint(2, 5)):
        table = table.with_cell(_any_row(rng, table), rng.choice(table.columns("integer", "number", "money")), "")
    return _file(table, [Line("  ".join(_aligned(table, row)).rstrip()) for row in (table.header, *table.rows)])


# -------------------------------------------------------------------------------------------------------------- the corpus


def corpus(seed: int, files: int = 420) -> list[Damaged]:
    """Return files of all kinds in turn, each on a table and at a place by chance; the same seed gives the same bytes."""
    rng = random.Random(f"damage {seed}")
    tables = clean_tables(seed)
    kinds = list(KINDS)
    return [_damaged(kinds[at % len(kinds)], tables, at, rng) for at in range(files)]


def _damaged(name: str, tables: Sequence[CleanTable], at: int, rng: random.Random) -> Damaged:
    damage = KINDS[name]
    table = rng.choice([table for table in tables if damage.fits(table)])
    return replace(damage(table, rng), name=f"{at:04d}_{name}_{table.name}.{damage.extension}")


# One JSON file holds another telephone number than its CSV, which is what can be read.
SPECTRUM_ERRATA = {("location_coordinates", "Contact Phone Number"): "2095257564"}


def known_spectrum(folder: Path) -> list[Damaged]:
    """Return the files of a csv-spectrum checkout, with its JSON as the truth."""
    return [_from_spectrum(path, folder / "json" / f"{path.stem}.json") for path in sorted((folder / "csvs").glob("*.csv"))]


def _from_spectrum(path: Path, truth: Path) -> Damaged:
    loaded = json.loads(truth.read_text(encoding="utf-8"))
    records = loaded if isinstance(loaded, list) else [loaded]
    rows = tuple(tuple(SPECTRUM_ERRATA.get((path.stem, name), cell) for name, cell in record.items()) for record in records)
    return Damaged(f"spectrum_{path.stem}", path.name, path.read_bytes(), tuple(records[0]), rows, (), (), is_undecidable=False)
