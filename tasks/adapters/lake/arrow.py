"""Between declared frames and Arrow: nothing is cast on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from tasks.adapters.lake.failures import told
from tasks.core.errors import StoreError
from tasks.core.lake.columns import Column, Columns, Kind
from tasks.core.lake.keys import hash_texts
from tasks.core.lake.known import KeyBook
from tasks.core.lake.values import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    from deltalake import DeltaTable


VALUE, OBSERVED, MENDS, WITH_ROWS = "value", "observed_at", "_mends", "_with_rows"
PART_ROWS = 25_000
LAYOUT = 2  # of the tables; before, labels and rows set aside counted whether their batch was let in or not


def arrow_type(kind: Kind) -> pa.DataType:
    """Give the Arrow type that keeps every value of a kind."""
    import pyarrow as pa

    types = (pa.float64(), pa.string(), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.bool_(), pa.int64())
    return dict(zip(get_args(Kind), types, strict=True))[kind]


def common() -> list[pa.Field]:
    """Give the columns that every table of a lake begins with."""
    import pyarrow as pa

    return [
        pa.field("_row_key", pa.string()),
        pa.field("_batch", pa.string()),
        pa.field("_position", pa.int64()),
        pa.field("_arrived_at", pa.timestamp("us", "UTC")),
    ]


def observation_schema(columns: Columns) -> pa.Schema:
    """Give the schema of observations with these columns."""
    import pyarrow as pa

    # Of a row that was set aside and mended: which one it is, `BATCH-PLACE`; in one commit with the row, so that it comes once.
    mends = pa.field(MENDS, pa.string())
    return pa.schema([*common(), mends, *(pa.field(column.name, arrow_type(column.kind)) for column in columns.columns)])


def label_schema(kind: Kind) -> pa.Schema:
    """Give the schema of labels of a kind."""
    import pyarrow as pa

    own = [(VALUE, arrow_type(kind)), (OBSERVED, pa.timestamp("us", "UTC")), (MENDS, pa.string()), (WITH_ROWS, pa.bool_())]
    return pa.schema([*common(), *own])


def quarantine_schema() -> pa.Schema:
    """Give the schema of rows that were set aside."""
    import pyarrow as pa

    numbers = (pa.field(name, pa.int64()) for name in ("row", "line"))
    return pa.schema([*common(), *numbers, *(pa.field(name, pa.string()) for name in ("text", "reasons"))])


def prediction_schema(kind: Kind) -> pa.Schema:
    """Give the schema of predictions of a kind: numbers, or classes as text with the probability of each."""
    import pyarrow as pa

    own = [("line", pa.int64()), ("prediction", arrow_type(kind)), ("proba", pa.map_(pa.string(), pa.float64()))]
    return pa.schema([*common(), *own, ("version", pa.int64()), ("prediction_id", pa.string())])


def to_arrow(keys: pd.Series[Any], place: tuple[str, int, datetime], cells: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Give rows with the lake's own columns before them, in exactly the schema.

    Args:
        keys: Of the rows, text.
        place: Batch, position of the first row in the table's part of the batch, arrival.
        cells: Declared columns.
        schema: Of the table.
    """
    import numpy as np
    import pyarrow as pa

    batch, first, arrived_at = place
    rows = len(cells)
    at = pa.scalar(arrived_at, schema.field("_arrived_at").type)
    own = [
        pa.array(keys, pa.string(), from_pandas=True),
        pa.repeat(pa.scalar(batch), rows),
        pa.array(np.arange(first, first + rows, dtype=np.int64)),
        pa.repeat(at, rows),
    ]
    rest = [pa.array(cells[name], schema.field(name).type, from_pandas=True) for name in schema.names[len(own) :]]
    return pa.Table.from_arrays([*own, *rest], schema=schema)


def to_frame(rows: pa.Table, columns: Columns) -> pd.DataFrame:
    """Give declared columns as they were cast before they were stored."""
    return rows.select(columns.names).to_pandas().astype({column.name: column.kind for column in columns.columns})


def description(terms: Terms, columns: Columns) -> str:
    """Write down what the lake declared with its first batch."""
    kinds = [(column.name, column.kind) for column in columns.columns]
    booleans = [column.name for column in columns.columns if column.is_boolean]
    said = {"layout": LAYOUT, "key": terms.key, "target": terms.target, "columns": kinds, "booleans": booleans}
    return json.dumps(said, ensure_ascii=False)


def layout(table: DeltaTable) -> int:
    """Say how the tables of a lake are laid out."""
    return int(_described(table).get("layout", 1))


def declared(table: DeltaTable) -> tuple[Terms, Columns]:
    """Read what the lake declared with its first batch.

    Raises:
        StoreError: the table was not made by us.
    """
    found = _described(table)
    try:
        booleans = found.get("booleans", [])
        columns = Columns(tuple(Column(name, kind, is_boolean=name in booleans) for name, kind in found["columns"]))
        return Terms(key=found["key"], target=found["target"]), columns
    except (TypeError, KeyError, ValueError) as error:
        raise _undeclared(table) from error


def _described(table: DeltaTable) -> dict[str, Any]:
    try:
        return dict(json.loads(table.metadata().description))
    except (TypeError, ValueError) as error:
        raise _undeclared(table) from error


def _undeclared(table: DeltaTable) -> StoreError:
    message = f"the table {table.table_uri} does not say which columns were declared; it was not made by Evergreen: name another place"
    return StoreError(message, where=table.table_uri)


def prediction_frame(table: DeltaTable | None, scoring: str | None) -> pd.DataFrame:
    """Give predictions in the order of their arrival."""
    import pyarrow.compute as pc

    order = ["_arrived_at", "_batch", "_position"]
    rows = prediction_schema("float64").empty_table()
    if table is not None:
        rows = table.to_pyarrow_dataset().to_table(filter=None if scoring is None else pc.field("_batch") == scoring)
    kept = rows.sort_by([(name, "ascending") for name in order]).drop_columns(["_position"])
    return kept.rename_columns([name.removeprefix("_") for name in kept.column_names]).to_pandas()


def quarantine_frame(table: DeltaTable | None, condition: pc.Expression) -> pd.DataFrame:
    """Give rows that were set aside and satisfy a condition, in the order of their arrival."""
    order = ["_arrived_at", "_batch", "_position"]
    rows = quarantine_schema().empty_table()
    if table is not None:
        rows = table.to_pyarrow_dataset().to_table(filter=condition)
    kept = rows.sort_by([(name, "ascending") for name in order]).select(["_batch", "_arrived_at", "row", "line", "text", "reasons"])
    return kept.rename_columns([name.removeprefix("_") for name in kept.column_names]).to_pandas()


def keys_without_row(labels: DeltaTable | None, observations: DeltaTable | None, batch: str, most: int) -> tuple[int, list[str]]:
    """Count the labels of a batch that no row has, and give their first keys, each once; of a label no more than 12 bytes are held."""
    if labels is None or observations is None:
        return 0, []
    book = KeyBook()
    for keys in _key_parts(labels, batch):
        book.add(hash_texts(keys))
    book.close()
    for keys in _key_parts(observations):
        book.meet(hash_texts(keys))
    unmet = book.unmet()
    return len(unmet), _distinct_at(unmet, _key_parts(labels, batch), most)


def _key_parts(table: DeltaTable, batch: str | None = None) -> Iterator[np.ndarray]:
    """Yield the keys that a table has, of one batch or of all, always in the same order."""
    import pyarrow.compute as pc

    those = None if batch is None else pc.field("_batch") == batch
    with told(table.table_uri):
        read_ahead = {"batch_size": PART_ROWS, "batch_readahead": 4, "fragment_readahead": 2}  # by default half a gigabyte
        for rows in table.to_pyarrow_dataset().to_batches(columns=["_row_key"], filter=those, **read_ahead):
            yield rows["_row_key"].to_numpy(zero_copy_only=False)


def _distinct_at(places: np.ndarray, parts: Iterator[np.ndarray], most: int) -> list[str]:
    """Pick values by their places, ascending, until there are enough different ones."""
    import numpy as np

    found, start = dict[str, None](), 0
    for part in parts:
        first, last = np.searchsorted(places, [start, start + len(part)])
        found |= dict.fromkeys(part[places[first:last] - start].tolist())
        start += len(part)
        if len(found) >= most:
            break
    return list(found)[:most]
