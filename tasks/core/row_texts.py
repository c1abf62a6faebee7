"""Rows as text, one JSON object each, as the quarantine keeps them."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def row_texts(df: pd.DataFrame) -> pd.Series[str]:
    """Write each row as a JSON object; a missing cell is null, a time and an infinity are text."""
    texts: Any = "{"
    for place, name in enumerate(df.columns):
        texts = texts + f"{', ' if place else ''}{_quoted(name)}: " + _cell_texts(df[name].reset_index(drop=True))
    return texts + "}"


def _cell_texts(cells: pd.Series[Any]) -> pd.Series[str]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if cells.dtype.kind in "fiubM":
        texts = pc.cast(pa.array(cells, from_pandas=True), pa.string()).to_pandas().astype("str")
        is_bare = np.isfinite(cells) if cells.dtype.kind == "f" else np.full(len(cells), cells.dtype.kind != "M")
        return texts.where(is_bare, '"' + texts + '"').fillna("null")
    codes, distinct = pd.factorize(cells)
    return pd.Series([*map(_quoted, distinct), "null"], dtype="str").iloc[codes].reset_index(drop=True)


def _quoted(text: object) -> str:
    return json.dumps(str(text), ensure_ascii=False)
