"""Rows that sum up others: they stand among the rows of a table and are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from tasks.core.reading.shapes import Kind
    from tasks.core.reading.store import Columns

# Beside each of these words stands what the row must be, if anything can be computed.
TOTALS = frozenset((
    "total", "totals", "sum", "sums", "subtotal", "sub-total", "grand total", "overall", "gesamt", "summe", "insgesamt", "total general",
    "totaal", "totale", "totalt", "somme", "suma", "razem", "celkem", "toplam", "összesen", "yhteensä", "i alt", "итого", "всего", "合計",
    "合计", "小計", "总计", "総計",
))  # fmt: skip
MEANS = frozenset((
    "mean", "average", "avg", "mittelwert", "mittel", "durchschnitt", "moyenne", "media", "média", "promedio", "gemiddelde", "среднее",
    "平均",
))  # fmt: skip
OTHERS = {
    "min": "least", "minimum": "least", "max": "most", "maximum": "most", "median": "median", "std": "deviation", "stdev": "deviation",
    "std dev": "deviation", "sd": "deviation", "standard deviation": "deviation", "standardabweichung": "deviation", "count": "count",
    "anzahl": "count", "n": "count",
}  # fmt: skip
NAMED = {*TOTALS, *MEANS, *OTHERS}
MOST_ROWS = 20_000  # what a person sums up by hand is no larger
MOST_SUMMARIES = 6
FEWEST_ROWS = 3


def named_sums(columns: Columns) -> list[int]:
    """Find the rows that a word for a sum stands in front of, among the first two columns."""
    found: list[int] = []
    rows = 0
    for frame in columns.frames():
        labels = [column.str.strip().str.rstrip(":").str.lower() for column in frame]
        named = labels[0].isin(TOTALS)
        if len(labels) > 1:
            named |= (labels[0] == "") & labels[1].isin(TOTALS)
        found += [rows + int(row) for row in named.to_numpy().nonzero()[0]]
        rows += len(named)
    return found


def subtotals(columns: Columns, kinds: Sequence[Kind]) -> dict[int, str]:
    """Find the rows that a word for a sum stands in, as in `North total`, and that are the sums of the rows above up to another one."""
    import numpy as np

    rows = len(columns[0]) if len(columns) else 0
    places = [place for place, kind in enumerate(kinds) if kind.shape == "number"]
    if not places or not FEWEST_ROWS < rows <= MOST_ROWS:
        return {}
    words = columns[0].str.lower().str.strip(" :").str.split()
    named = [row for row, said in enumerate(words) if len(said) > 1 and not TOTALS.isdisjoint((said[0], said[-1]))]
    if not named:
        return {}
    numbers = np.array([[_number(text) for text in columns[place]] for place in places])
    found: dict[int, str] = {}
    first = 0
    for row in named:
        filled = [place for place in range(len(places)) if not np.isnan(numbers[place, row])]
        sums = np.nansum(numbers[:, first:row], axis=1)
        if row - first > 1 and filled and np.allclose(numbers[filled, row], sums[filled], rtol=1e-6):
            found[row] = "a row of totals"
        first = row + 1
    return found


def computed_summaries(columns: Columns, kinds: Sequence[Kind]) -> dict[int, str]:
    """Find the first row and the last ones that are the sums of the others, or the means and the like that their label says.

    Returns:
        By row, what it is. Whatever a row is called, it is a sum when its numbers are the sums of all others in at least two
        columns, and in most of those that it has a number in.
    """
    import numpy as np

    rows = len(columns[0]) if len(columns) else 0
    places = [place for place, kind in enumerate(kinds) if kind.shape == "number"]
    if not places or not FEWEST_ROWS < rows <= MOST_ROWS:
        return {}
    texts = [columns[place].to_numpy(dtype=object) for place in places]
    numbers = np.array([[_number(text) for text in column] for column in texts])
    labels = [columns[place].str.strip().to_numpy(dtype=object) for place in range(len(kinds)) if place not in places]

    def told(row: int, others: np.ndarray) -> str:
        label = next((column[row] for column in labels if column[row]), "")
        is_new = all(column[row] not in set(column[others]) for column in labels[:1])
        digits = [_decimals(column[row]) for column in texts]
        return _summary_of(numbers[:, row], numbers[:, others], digits, label.rstrip(":").lower(), is_new=is_new)

    for last in range(min(MOST_SUMMARIES, rows - FEWEST_ROWS), 0, -1):
        found = {row: told(row, np.arange(rows - last)) for row in range(rows - last, rows)}
        if all(found.values()):
            return found
    first = told(0, np.arange(1, rows))
    return {0: first} if first else {}


def _summary_of(row: np.ndarray, others: np.ndarray, digits: Sequence[int], label: str, *, is_new: bool) -> str:
    """Say what a row is of others: totals, means, statistics; empty where it is one of them."""
    import numpy as np

    filled = [place for place in np.flatnonzero(~np.isnan(row)).tolist() if (~np.isnan(others[place])).sum() >= FEWEST_ROWS]

    is_named = label in NAMED or not any(c.isalnum() for c in label)  # lists of SAP name their sums * and **
    needs = 1 if is_named else 2

    def is_of(*functions: Callable[..., Any]) -> bool:
        return any(_matches(row, others, digits, filled, function, needs=needs) for function in functions)

    if (not label or is_new or label in TOTALS) and bool(row[filled].any()) and is_of(np.nansum):
        return "a row of totals"
    if label in MEANS and is_of(np.nanmean):
        return "a row of means"
    ways = {
        "least": (np.nanmin,),
        "most": (np.nanmax,),
        "median": (np.nanmedian,),
        "deviation": (np.nanstd, _sample_deviation),
        "count": (_count,),
    }
    # `N` is a region too, and where it is one it stands before other rows as well.
    return "a row of statistics" if label in OTHERS and is_new and is_of(*ways[OTHERS[label]]) else ""


def _matches(
    row: np.ndarray, others: np.ndarray, digits: Sequence[int], filled: Sequence[int], function: Callable[..., Any], needs: int
) -> bool:
    """Say whether most cells of a row are what a function makes of the others, as exactly as they are written."""
    right = 0
    for place in filled:
        rounding = 0.51 * 10.0 ** -digits[place] + 1e-9 * abs(row[place])
        right += bool(abs(row[place] - function(others[place])) <= rounding)
    return right >= needs and 3 * right >= 2 * len(filled)


def _sample_deviation(values: np.ndarray) -> float:
    import numpy as np

    return float(np.nanstd(values, ddof=1))


def _count(values: np.ndarray) -> float:
    import numpy as np

    return float((~np.isnan(values)).sum())


def _number(text: str) -> float:
    """Read a number as most tables write them; what is anything else is not computed with."""
    bare = text.strip().replace("\u00a0", "").replace(" ", "").replace("'", "")
    if bare.endswith("-"):
        bare = f"-{bare[:-1]}"
    if "," in bare and "." in bare:
        bare = bare.replace(",", "") if bare.rfind(".") > bare.rfind(",") else bare.replace(".", "").replace(",", ".")
    try:
        return float(bare.replace(",", "."))
    except ValueError:
        return float("nan")


def _decimals(text: str) -> int:
    """Count the digits behind the point."""
    mark = max(text.rfind("."), text.rfind(","))
    return len(text.strip()) - mark - 1 if mark >= 0 else 0
