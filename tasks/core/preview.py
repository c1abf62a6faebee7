"""What would be made of a file before anything is trained: for a person a screen, for a script a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core.summary import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tasks.core.errors import EvergreenError
    from tasks.core.reading.reader import Reading
    from tasks.core.reading.terms import Dialect, ReadVerdict, Repair, SetAside
    from tasks.core.table import Column, Schema

SHOWN_COLUMNS = 12
SHOWN_REPAIRS = 6
SHOWN_ASIDE = 5
SHOWN_CHARACTERS = 60
LISTED_ASIDE = 1000


@dataclass(frozen=True)
class FilePreview:
    """What reading one file comes to.

    Attributes:
        path: As it was asked for.
        verdict: Exact, repaired or refused.
        message: Why it is refused, or why it cannot be trained on as it is; empty when neither.
        dialect: How it writes its table; None when it is refused.
        read: Rows in the file.
        repairs: What was repaired.
        aside: Rows that do not fit.
        columns: With types and roles.
        schema: Of the table; None when it cannot be trained on.
    """

    path: str
    verdict: ReadVerdict
    message: str = ""
    dialect: Dialect | None = None
    read: int = 0
    repairs: tuple[Repair, ...] = ()
    aside: tuple[SetAside, ...] = ()
    columns: tuple[Column, ...] = ()
    schema: Schema | None = None
    out: str = field(default="")

    @classmethod
    def refused(cls, path: str, error: EvergreenError) -> FilePreview:
        """Tell of a file that is not read."""
        return cls(path, "refused", error.message)

    @classmethod
    def of(cls, path: str, reading: Reading, columns: tuple[Column, ...], schema: Schema | None, message: str, out: str) -> FilePreview:
        """Tell of a file that is read."""
        return cls(path, reading.verdict, message, reading.dialect, reading.rows, reading.repairs, reading.aside, columns, schema, out)

    def as_json(self) -> dict[str, object]:
        """Give the line that scripts may rely on; keys are added, never renamed."""
        return {
            "path": self.path,
            "verdict": self.verdict,
            "dialect": vars(self.dialect) if self.dialect else {},
            "rows": {"read": self.read, "kept": self.read - len(self.aside), "quarantined": len(self.aside)},
            "repairs": [{"code": r.code, "lines": list(r.lines), "detail": r.detail} for r in self.repairs],
            "quarantined": [vars(row) for row in self.aside[:LISTED_ASIDE]],
            "columns": [{"name": c.name, "type": c.type, "role": c.role, "evidence": c.evidence} for c in self.columns],
            "task": self.schema.task if self.schema else None,
            "message": self.message,
            "out": self.out,
        }

    def as_text(self) -> str:
        """Give one readable screen."""
        head = f"{self.path} · {self.verdict}"
        if self.dialect is None:
            return f"{head}\n  {self.message}"
        lines = [
            head,
            f"  {'format':<10}{_told(self.dialect)}",
            f"  {'rows':<10}{self.read:,} read = {self.read - len(self.aside):,} kept + {len(self.aside):,} set aside",
            *(f"  {'repaired':<10}{repair}" for repair in self.repairs[:SHOWN_REPAIRS]),
            *_more(len(self.repairs), SHOWN_REPAIRS, "repairs"),
            *(f"  {'set aside':<10}line {row.line}: {row.reason}: {_short(row.text)}" for row in self.aside[:SHOWN_ASIDE]),
            *_more(len(self.aside), SHOWN_ASIDE, "rows set aside"),
            *(f"  {'trains':<10}{text}" for text in ([describe(self.schema)] if self.schema else [f"not as it is: {self.message}"])),
            *list_columns(self.columns),
            *([f"  {'written':<10}{self.out}"] if self.out else []),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Told:
    """An answer of one sentence."""

    message: str

    def as_json(self) -> dict[str, object]:
        """Give the line that scripts may rely on."""
        return {"message": self.message}

    def as_text(self) -> str:
        """Give the sentence."""
        return self.message


def _told(dialect: Dialect) -> str:
    names = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes", " ": "blanks", ":": "colons", "": "one column"}
    parts = [dialect.format, dialect.compression, dialect.encoding]
    if dialect.format == "csv":
        parts.append(names.get(dialect.delimiter, repr(dialect.delimiter)))
    return ", ".join([*filter(None, parts), "with header" if dialect.header else "without header"])


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[: SHOWN_CHARACTERS - 1] + "…"


def _more(count: int, shown: int, what: str) -> list[str]:
    return [f"  {'':<10}and {count - shown} more {what}"] if count > shown else []


def list_columns(columns: tuple[Column, ...]) -> list[str]:
    """Write columns with type, role and evidence, one a line; of many the first ones and the last."""
    if not columns:
        return []
    shown = columns if len(columns) <= SHOWN_COLUMNS + 1 else (*columns[: SHOWN_COLUMNS - 1], columns[-1])
    width = min(32, max(len(column.name) for column in shown))
    lines = [f"    {_cut(c.name, width):<{width}}  {c.type:<9}{c.role:<9}{c.evidence}" for c in shown]
    hidden = len(columns) - len(shown)
    return [*lines[:-1], *([f"    … {hidden} more columns"] if hidden else []), lines[-1]]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def as_csv(reading: Reading, *, as_text: bool) -> Iterator[str]:
    """Write the kept rows as CSV, in parts: cells as they stood, or values of their types."""
    import pandas as pd

    raw, table = reading.raw, reading.table
    if as_text and raw is not None:
        header, frames = list(raw.raw_names), raw.cells.frames()
    else:
        days = [_are_days(column) for column in table.columns]
        shown = (_shown(column, is_day=is_day) for columns in table.columns.frames() for column, is_day in zip(columns, days, strict=True))
        header, frames = list(table.names), zip(*[shown] * len(days), strict=True)
    for place, columns in enumerate(frames):
        df = pd.concat([column.reset_index(drop=True) for column in columns], axis="columns", ignore_index=True)
        yield df.to_csv(index=False, header=header if not place else False, lineterminator="\n")


def _are_days(values: pd.Series) -> bool:
    moments = values.dropna()
    return values.dtype.kind == "M" and bool((moments.dt.normalize() == moments).all())


def _shown(values: pd.Series, *, is_day: bool) -> pd.Series:
    """Write whole numbers without a fraction, dates by ISO 8601, and leave the rest."""
    kind = values.dtype.kind
    if kind == "f":
        whole = values.notna() & (values % 1 == 0) & (values.abs() < 2**53)
        text = values.map(repr).where(~whole, values.where(whole, 0).astype("int64").astype("str"))
        return text.where(values.notna(), "")
    if kind == "M":
        text = values.map(lambda moment: moment.isoformat(sep=" "), na_action="ignore")
        return text.str.removesuffix(" 00:00:00") if is_day else text
    return values
