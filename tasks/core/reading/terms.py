"""What reading a table can be told, and what it reports: the verdict, each repair, each row set aside."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What a column is known to hold: "text" may turn out to be true and false alone, "words" are known to be more than that.
Sort = Literal["number", "date", "text", "boolean", "words"]
TEXTS = frozenset[Sort](["text", "boolean", "words"])
ReadVerdict = Literal["exact", "repaired", "refused"]
SHOWN_LINES = 5
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " ", "colon": ":"}
# Python decodes these too, but no file is in them.
NO_FILES = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
QUOTES = {"double": '"', "single": "'", "none": ""}


def _character(names: dict[str, str]) -> BeforeValidator:
    return BeforeValidator(lambda given: names.get(given, given) if isinstance(given, str) else given)


def _listed(given: object) -> object:
    return tuple(part.strip() for part in given.split(",")) if isinstance(given, str) else given


class ReadingOptions(BaseModel):
    """What a person knows better than the reader: `--read KEY=VALUE`, or `reading:` in the use case; empty means: find out.

    Beside it stands what is known of the columns from before, which nobody has to say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    _known: frozenset[str] = PrivateAttr(default=frozenset())
    _kinds: dict[str, Sort] = PrivateAttr(default_factory=dict[str, Sort])
    _key: frozenset[str] = PrivateAttr(default=frozenset())

    header: Annotated[bool | None, Field(description="whether the first row of the table names the columns: yes or no")] = None
    names: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(description="names of the columns, with commas between them")] = ()
    delimiter: Annotated[
        Annotated[str, Field(min_length=1, max_length=1)] | None,
        _character(DELIMITERS),
        Field(description="one character, or comma, semicolon, tab, pipe, space"),
    ] = None
    quote: Annotated[
        Annotated[str, Field(max_length=1)] | None, _character(QUOTES), Field(description="one character, or double, single, none")
    ] = None
    encoding: Annotated[str | None, Field(description="such as utf-8, cp1252, utf-16")] = None
    decimal: Annotated[Literal[".", ","] | None, Field(description="the decimal mark of numbers, . or ,")] = None
    dates: Annotated[
        Literal["day-first", "month-first"] | None, Field(description="the order in dates such as 03/04/2024, day-first or month-first")
    ] = None
    missing: Annotated[
        tuple[str, ...], BeforeValidator(_listed), Field(description="further cells that mean missing, with commas between them")
    ] = ()
    skip: Annotated[int | None, Field(ge=0, description="the number of lines before the table")] = None
    sheet: Annotated[str | None, Field(description="sheet of an Excel file")] = None
    query: Annotated[str | None, Field(description="SQL query, where the source is a database")] = None

    @classmethod
    def from_pairs(cls, pairs: Iterable[str]) -> ReadingOptions:
        r"""Read `KEY=VALUE` as given on a command line.

        Raises:
            UsageError: no such key, or a value that it cannot have.

        >>> ReadingOptions.from_pairs(["delimiter=tab", "header=no"]).delimiter
        '\t'
        """
        given: dict[str, str] = {}
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals:
                message = f"--read takes KEY=VALUE, such as header=no; got '{pair}'"
                raise UsageError(message, where="--read")
            if key not in cls.model_fields:
                raise UsageError.unknown("key of --read", key, cls.model_fields, where="--read")
            given[key] = value
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            key = str(error.errors()[0]["loc"][0])
            expected = cls.model_fields[key].description
            message = f"--read {key} is '{given[key]}'; it takes {expected}"
            raise UsageError(message, where="--read") from error

    def knowing(self, names: Iterable[str], kinds: Mapping[str, Sort] | None = None, key: Iterable[str] = ()) -> ReadingOptions:
        """Give the same with what is known of the columns.

        Args:
            names: Of columns that may come; a first row that holds them is the header.
            kinds: What columns hold, whatever their cells look like.
            key: Columns that name rows.
        """
        other = ReadingOptions(**self.model_dump())
        other._known, other._kinds, other._key = frozenset(names), dict(kinds or {}), frozenset(key)
        return other

    @property
    def kinds(self) -> Mapping[str, Sort]:
        """Say what columns are known to hold, by name."""
        return self._kinds

    @property
    def key(self) -> frozenset[str]:
        """Name the columns that are known to name rows."""
        return self._key  # with a property `keys`, whatever copies pydantic's types would take this one for a mapping

    def are_known(self, cells: Sequence[str]) -> bool:
        """Say whether most of some cells name columns that are known.

        >>> [ReadingOptions().knowing(["id", "size"]).are_known(cells) for cells in (["id", " size", "note"], ["a", "size"])]
        [True, False]
        """
        return 2 * sum(cell.strip() in self._known for cell in cells) > len(cells)

    def checked_encoding(self) -> str | None:
        """Give the encoding, if one is given.

        Raises:
            UsageError: Python knows none of that name.
        """
        if self.encoding is None:
            return None
        try:
            name = codecs.lookup(self.encoding).name
            is_text = name not in NO_FILES and bool(" ".encode(name))  # base64 and its like raise LookupError here
        except (LookupError, ValueError):
            is_text, name = False, ""
        if not is_text:
            message = f"--read encoding is '{self.encoding}', which is not known; name one such as utf-8, cp1252, utf-16"
            raise UsageError(message, where="--read")
        return name


@dataclass(frozen=True)
class Repair:
    """One kind of damage that was repaired.

    Attributes:
        code: Its stable name; what each means stands in `docs/reading.md`.
        lines: 1-based lines of the file that it is about; empty where it is about the whole file.
        detail: What was found and done, in one sentence.
    """

    code: str
    lines: tuple[int, ...]
    detail: str

    def __str__(self) -> str:
        """Write it for a person, with the first few lines."""
        shown = ", ".join(str(line) for line in self.lines[:SHOWN_LINES])
        more = f" and {len(self.lines) - SHOWN_LINES} more" if len(self.lines) > SHOWN_LINES else ""
        where = f" (line{'s' if len(self.lines) > 1 else ''} {shown}{more})" if self.lines else ""
        return f"{self.code.replace('_', ' ')}: {self.detail}{where}"


@dataclass(frozen=True)
class SetAside:
    """A row that does not fit: where it stands, what stands there, and why it does not fit."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Dialect:
    """How a file writes a table; what does not apply is empty."""

    format: str
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    escape: str = ""
    header: bool = True
