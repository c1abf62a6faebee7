"""Fetch what a person names as their data: a file, a folder or glob, a URL, a database query, or a table of scikit-learn."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from tasks.adapters.sources.databases import queried
from tasks.adapters.sources.files import check_exists, local
from tasks.adapters.sources.urls import REMOTE, remote
from tasks.core.errors import UsageError
from tasks.core.formats.source import Content
from tasks.core.names import SIMULATED, is_bundled
from tasks.core.simulation import market_risk
from tasks.core.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from tasks.core.reading.terms import ReadingOptions

SMALL_BYTES = 100_000
BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def load(source: str, options: ReadingOptions) -> list[Content]:
    """Give what a source holds, one content for each file.

    Args:
        source: Path of a file or folder, glob, URL (file, memory, http, https, s3, gs), database URL,
            `sklearn:NAME` or `simulated:market_risk`.
        options: What the person knows; `query`, `sheet` and `encoding` matter here.

    Raises:
        UsageError: there is no such thing, it cannot be opened, or an option does not fit it.
        DataRefusedError: its content cannot be a table.
    """
    scheme = source.partition("://")[0].lower() if re.match(r"[A-Za-z][\w+.-]*://", source) else ""
    if scheme and scheme not in REMOTE:
        return [queried(source, options)]
    if options.query is not None:
        message = f"--read query is for databases, such as sqlite:///{source}"
        raise UsageError(message, where="--read query")
    if is_bundled(source):
        return [_bundled(source)]
    if scheme == "file":
        source, scheme = source[len("file://") :], ""
    return remote(source, scheme, options) if scheme else local(source, options)


def check(source: str) -> None:
    """Refuse what names no table, before anything is imported to read one.

    Raises:
        UsageError: there is no such file or bundled table.
    """
    if not source.strip():
        message = "the name of the table is empty; name a file, a folder, a URL, or sklearn:diabetes to try"
        raise UsageError(message, where="--data")
    if not source.isprintable() and source.encode(errors="replace").decode() != source:
        message = f"the name {source!a} is not UTF-8; rename the file"
        raise UsageError(message, where="--data")
    if is_bundled(source):
        _check_bundled(source)
    elif "://" not in source:
        check_exists(source)


def split_columns(body: bytes, delimiter: str, width: int) -> list[pd.Series] | None:
    """Split delimited UTF-8 text into columns of text; None where a row has more or fewer cells.

    Small texts are not worth what it takes to load Arrow. Its threads may still run when the process ends, so it works in this one.

    Args:
        body: Rows without a header, in which every quote opens, closes or is doubled.
        delimiter: One character.
        width: Cells in each row.
    """
    import pandas as pd

    if len(body) < SMALL_BYTES:
        return _split_small(body.decode(), delimiter, width)
    import pyarrow as pa
    import pyarrow.csv

    names = [str(place) for place in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(body),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return [pd.Series(column.to_pandas(), dtype="str") for column in table.columns]


def _split_small(body: str, delimiter: str, width: int) -> list[pd.Series] | None:
    import pandas as pd

    try:
        rows = list(csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    if any(len(row) != width for row in rows):
        return None
    return [pd.Series(column, dtype="str") for column in zip(*rows, strict=True)]


def _check_bundled(source: str) -> str:
    if source.startswith(SIMULATED):
        if source != f"{SIMULATED}market_risk":
            what = "simulation"
            raise UsageError.unknown(what, source.removeprefix(SIMULATED), ["market_risk"], where=source)
        return "market_risk"
    name = source.removeprefix("sklearn:")
    if name == "linnerud":
        message = f"'{source}' has three targets, and a model here has one; take one of {', '.join(BUNDLED)}"
        raise UsageError(message, where=source)
    if name not in BUNDLED:
        what = "bundled table"
        raise UsageError.unknown(what, name, BUNDLED, where=source)
    return name


def _bundled(source: str) -> Content:
    name = _check_bundled(source)
    import numpy as np

    if source.startswith(SIMULATED):
        df, told = market_risk(), f"{source} (a simulation)"  # so that nobody takes the rows for observed ones, wherever they come from
        return Content(told, "simulated", table=Table.of(df, told, np.arange(1, len(df) + 1, dtype=np.int64)))
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    target = bunch.target.astype("float64")
    if "target_names" in bunch:
        target = target.map(dict(enumerate(map(str, bunch.target_names)))).astype("str")
    df = bunch.data.astype("float64").assign(target=target)
    return Content(source, "bundled", table=Table.of(df, source, np.arange(1, len(df) + 1, dtype=np.int64)))
