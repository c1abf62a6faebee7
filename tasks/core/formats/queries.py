"""A query that a table may be read with: one that only reads."""

from __future__ import annotations

import re

from tasks.core.errors import UsageError

# Text and quoted names, then comments; what is left of a query is its own words. `/*!` is a comment that MySQL executes.
HIDDEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--(?=\s|$)[^\n]*|/\*(?!!).*?\*/", re.DOTALL)
WRITING = re.compile(
    r"\b(?:insert|update|delete|merge|into|create|alter|drop|truncate|grant|revoke|exec|execute)\b|/\*!|--",
    re.IGNORECASE,
)


def check_reads_only(query: str) -> None:
    """Refuse all but one SELECT, or WITH and SELECT.

    Args:
        query: In the words of the database it is meant for.

    Raises:
        UsageError: it is empty, several statements, or one that may change something.

    >>> check_reads_only("WITH t AS (SELECT 'drop; it' AS a) SELECT a FROM t;")
    >>> check_reads_only("SELECT 1; DROP TABLE t")
    Traceback (most recent call last):
    tasks.core.errors.UsageError: --read query takes one statement; got several
    """
    words = HIDDEN.sub(" ", query).strip().removesuffix(";").strip()
    if ";" in words:
        several = "takes one statement; got several"
        raise _wrong(several)
    if not re.match(r"(?:select|with)\b", words, re.IGNORECASE):
        raise _wrong(f"takes a SELECT; got '{words.split()[0] if words else query}'")
    if found := WRITING.search(words):
        raise _wrong(f"only reads; '{found[0].upper()}' may change something (if it is a name, quote it)")


def _wrong(what: str) -> UsageError:
    return UsageError(f"--read query {what}", where="--read query")
