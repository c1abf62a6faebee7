"""Every kind of damage that reading reports: its stable code, what it is, and what is done about it.

`python -m tasks.core.reading.damage` prints the page `docs/reading.md`.
"""

from __future__ import annotations

from tasks.core.reading.terms import ReadingOptions

DAMAGE = {
    # the file
    "lying_extension": "The name ends otherwise than the content says; it is read by its content.",
    "encoding": "The bytes are not UTF-8; they are read in the code page that makes most sense, and what another would read is told.",
    "cut_off": "The file ends within a character, which stands as \ufffd.",
    "mixed_encodings": "Some lines are UTF-8 and some are not, or UTF-16 was appended; each is read as what it is.",
    "mojibake": "Text looks like UTF-8 that was once read in another encoding; it is kept, but for a mark at the start of the file.",
    "nul_bytes": "NUL bytes are taken out.",
    "control_characters": "Control characters are taken out, unless they part cells.",
    "invisible_characters": "Characters without width, byte order marks in the middle among them, are taken out.",
    "fixed_width": "Columns are told apart by runs of blanks, or by gaps that go down through the lines.",
    "wrapped_rows": "Each line stands in quotes as a whole; they are taken off.",
    "typographic_quotes": "Every line stands in quotes such as “ and ”, or « and »; they are read as plain ones.",
    "excel_text": 'Cells such as ="0012", or \'0012 in a whole column, are read as the text in them.',
    "merged_cells": "Merged cells of a sheet are filled with their value.",
    "hidden_cells": "Hidden rows and columns of a sheet are read like the others.",
    "mixed_types": "A column of JSON, SQL or Excel holds values of several types; it is read as text.",
    "numbers_for_text": "Whole numbers of Parquet, JSON or SQL in a column that is known to hold text are read as their digits.",
    "text_for_numbers": "Text of Parquet, JSON or SQL in a column that is known to hold numbers or dates is read as these.",
    # around the table
    "preamble": "Lines before the table are passed over: titles, comments, texts of any length, but no table.",
    "footer": "Lines below the table are passed over.",
    "rule_lines": "Lines of dashes, with which tables are drawn, are passed over.",
    "comment": "Lines that begin with # between the rows are passed over.",
    "blank_lines": "Lines that hold nothing between the rows are passed over.",
    "repeated_header": "The header, or another line above the table, stands again between the rows; it is passed over.",
    # the header
    "no_header": "Nothing names the columns; they are called column_1, column_2 and so on, and no row is lost.",
    "header_rows": "Names over several rows are joined.",
    "units_row": "A row of units below the names is passed over.",
    "short_header": "The header lacks the name of a first column of row numbers, as R writes it.",
    "header_delimiter": "The header has another delimiter than the rows.",
    "long_header": "Empty cells stand behind the last name of the header, and none behind the rows.",
    "empty_names": "Columns without a name are called by their place.",
    "duplicate_names": "Names that differ from others by case at most are numbered.",
    "padded_names": "Blanks around names are taken off.",
    # rows
    "long_row": "Empty cells behind the last column are taken off.",
    "short_row": "A row that was cut off is filled with missing cells, where other rows lack them too.",
    "empty_cell": "An empty cell too many is taken out, where one way alone fits the columns.",
    "unquoted_delimiter": "A cell that holds the delimiter, with a blank behind it and without quotes, is put together.",
    "two_rows": "Two rows that stand on one line are parted.",
    "row_delimiter": "A row has another delimiter than the rest.",
    "row_quote": "A row or cell has other quotes than the rest.",
    "row_escape": "A row escapes its quotes in another way than the rest.",
    "wrapped_row": "A row stands in quotes as a whole; they are taken off.",
    "stray_quotes": "Quotes that open or close nothing are kept as characters.",
    "padded_quotes": "Blanks between a quote and a delimiter are taken off.",
    "unclosed_quote": "A quote that is never closed is taken to end with its cell.",
    "trailing_delimiter": "Each line ends with delimiters that separate nothing.",
    # cells
    "hard_blanks": "Non-breaking blanks around cells are taken off.",
    "mixed_decimals": "Some numbers of a column have a decimal comma and some a point; each is read as what it is.",
    "open_marks": "Numbers such as 1.234 or 1,234 are read as thousands, by what stands beside them or in other columns.",
    "mixed_thousands": "Some numbers of a column are grouped in another way than the rest.",
    "mixed_units": "Some numbers of a column carry a unit or currency and some do not.",
    "mixed_dates": "Dates of a column are written in several ways, each of which leaves no doubt.",
    "mixed_spellings": "Words for yes and no are spelled in several ways; the most frequent spelling stands for all.",
    "booleans": "True, FALSE and the like, where a column holds nothing else, are read as true and false; 1 and 0 where it is known to.",
    "padded_keys": "Blanks around what names a row are taken off.",
}
ASIDE = (
    "it has more or fewer cells than the table has columns, and not exactly one way makes it fit",
    "its quotes break the rules, and no reading fits the columns",
    "it stands below the header, and of its texts none stands below it again: it may be a second row of names",
    "it sums up the others, or those of its group: a row of totals, means or other statistics",
    "it stands below a blank line, and is empty in a column that all rows above fill: it may be of another table",
    "one of its cells is no number (no date) in a column where at least 19 of 20 are, or that suite, lake or model know to hold them",
)


def as_markdown() -> str:
    """Write the page that lists all of it."""
    repairs = [f"| `{code}` | {told} |" for code, told in DAMAGE.items()]
    keys = [f"| `{name}` | {field.description} |" for name, field in ReadingOptions.model_fields.items()]
    return "\n".join([
        "# Reading",
        "",
        "<!-- made by: python -m tasks.core.reading.damage > docs/reading.md -->",
        "",
        "A file is read *exactly* as it stands, or *repaired* with each repair reported, or *refused* in one sentence that names the line",
        "and the option that would help. What is read = what is kept + what is set aside. `python -m flows preview FILE...` shows it.",
        "",
        "## Repairs",
        "",
        "| code | what it is and what is done |",
        "|---|---|",
        *repairs,
        "",
        "## A row is set aside when",
        "",
        *(f"- {reason};" for reason in ASIDE[:-1]),
        f"- {ASIDE[-1]}.",
        "",
        "## What you know better",
        "",
        "`--read KEY=VALUE` on the command line, or `reading:` in the use case.",
        "",
        "| key | value |",
        "|---|---|",
        *keys,
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201 (the page)
