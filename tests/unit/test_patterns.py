from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.reading import dates, numerals
from tasks.core.reading.patterns import holds, matches, substitute

PATTERNS = [numerals.NUMBER, numerals.BARE, numerals.DRESSED, dates.DATE, dates.CLOCK, *(style.pattern for style in dates.STYLES)]
CELLS = st.lists(st.text(st.sampled_from("0123456789.,-+/: eEkg$€%()JanT\n\u00a0"), max_size=12), max_size=10)


@pytest.mark.filterwarnings("ignore:This pattern is interpreted as a regular expression")
@given(CELLS, st.sampled_from(PATTERNS))
def test_patterns_find_what_pandas_finds(cells: list[str], pattern: str) -> None:
    column = pd.Series(cells, dtype="str", name="price", index=range(5, 5 + len(cells)))
    pd.testing.assert_series_equal(matches(column, pattern), column.str.fullmatch(pattern))
    pd.testing.assert_series_equal(holds(column, pattern), column.str.contains(pattern))
    pd.testing.assert_series_equal(substitute(column, "[0-9]+", "n"), column.str.replace("[0-9]+", "n", regex=True))


def test_groups_are_named_in_what_is_put_in_place() -> None:
    assert substitute(pd.Series(["31.01."], dtype="str"), r"([0-9]+)\.([0-9]+)\.", r"\2-\1").tolist() == ["01-31"]
