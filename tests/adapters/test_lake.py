"""The lake on real Delta tables: nothing changed, nothing lost, nothing twice."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.adapters.lake import Lake, storage_options, tables
from tasks.adapters.lake.reading import anything
from tasks.core.errors import DataRefusedError, StoreError, UsageError
from tasks.core.lake.columns import check_cast, declare
from tasks.core.lake.values import LakeSnapshot, Terms

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ROOT = Path(__file__).parents[2]
KEYED = Terms(key=("id",), target="y")
EVER = timedelta(0)

# Appends the batches that it is told of, each of its own rows, and says when each is in.
WRITER = """
import sys
from datetime import UTC, datetime
import numpy as np, pandas as pd
from tasks.adapters.lake import Lake, Terms
address, size, *batches = sys.argv[1:]
lake = Lake(address, "wine", Terms(key=("id",), target="y"))
print("ready", flush=True)
sys.stdin.readline()
for batch in batches:
    ids = pd.Series([f"{batch}-{place}" for place in range(int(size))], dtype="str")
    rows = pd.DataFrame({"id": ids, "x": np.arange(int(size), dtype=float), "y": 1.0})
    receipt = lake.append(batch, [rows[: int(size) // 2], rows[int(size) // 2 :]], arrived_at=datetime.now(UTC))
    print(batch, receipt.is_new, flush=True)
"""


def at(day: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)


def table(batch: str = "a", rows: int = 4, *, label: float = 1.0) -> pd.DataFrame:
    ids = pd.Series([f"{batch}{place}" for place in range(rows)], dtype="str")
    return pd.DataFrame({"id": ids, "x": np.arange(rows, dtype=float), "y": label})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path), "wine", KEYED)


def started(address: str, size: int, *batches: str, **environment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, address, str(size), *batches],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def unused(lake: Lake) -> list[str]:
    """List files that the newest versions do not use."""
    states = [tables.Table(f"{lake.url}/{name}", {}).open() for name in ("observations", "labels", "quarantine")]
    used = {Path(uri).name for state in states if state is not None for uri in state.file_uris()}
    return [path.name for path in Path(lake.url).glob("*/*") if path.is_file() and path.name not in used]


# ------------------------------------------------------------------------------------------------------------ round trip


TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001 - without a zone
CELLS = {
    "number": st.floats(),
    "integer": st.integers(-(2**53), 2**53),
    "exact": st.integers(-(2**63), 2**63 - 1),
    "text, of 'any'\nkind": st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["", "nan", "None", "\0", "a\0b", "\u2028😀"])),
    "flag": st.booleans(),
    "when": st.one_of(st.none(), TIMES),
    "instant": st.one_of(st.none(), TIMES.map(lambda time: time.replace(tzinfo=UTC))),
}
ROWS = st.lists(st.tuples(*CELLS.values()), min_size=1, max_size=12)


def typed(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    columns = dict(zip(CELLS, zip(*rows, strict=True), strict=True))
    df = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    dtypes = ("float64", "int64", "int64", "str", "bool", "datetime64[us]", "datetime64[us, UTC]")
    return df.astype(dict(zip(CELLS, dtypes, strict=True)))


@settings(max_examples=30)
@given(st.lists(ROWS, min_size=1, max_size=3), st.booleans())
def test_no_value_changes_in_the_lake(batches: list[list[tuple[object, ...]]], is_maintained: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder, "any", Terms(integers=("exact",)))
        frames = [typed(rows) for rows in batches]
        for place, df in enumerate(frames):
            lake.append(f"b{place}", [df[:3], df[3:]], arrived_at=at(place))
        snapshot = lake.snapshot()
        if is_maintained:
            lake.maintain(unused_for=EVER)
            snapshot = lake.snapshot()
        expected = check_cast(pd.concat(frames, ignore_index=True), declare(frames[0], integers=["exact"]))
        read = lake.read(snapshot)
        pd.testing.assert_frame_equal(read, expected, check_exact=True)
        signs = np.signbit(expected["number"]) & expected["number"].notna()
        assert (np.signbit(read["number"]) & read["number"].notna()).equals(signs)


def test_whatever_a_value_is_beside_the_one_that_does_not_fit_nothing_is_appended(lake: Lake) -> None:
    lake.append("b1", [table("a")], arrived_at=at(0))
    before = lake.snapshot()
    with pytest.raises(DataRefusedError, match="column 'x', row 7: 'three' is no number, and the lake keeps numbers there"):
        lake.append("b2", [table("b"), table("c").assign(x=[0.5, 1, "three", 4])], arrived_at=at(1), aside=[aside(1)])
    assert lake.snapshot().model_copy(update={"as_of": before.as_of}) == before
    assert [arrival.batch for arrival in lake.batches()] == ["b1"]
    assert len(list(Path(lake.url).glob("*/*.parquet"))) == 2, "files of a refused batch are removed"


def test_a_first_batch_that_is_refused_declares_nothing(lake: Lake) -> None:
    with pytest.raises(DataRefusedError):
        lake.append("b1", [table("a"), table("b").assign(x="words")], arrived_at=at(0))
    assert lake.append("b2", [table("a").assign(x="words")], arrived_at=at(1)).is_new


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (table().drop(columns="x"), "the columns are not those of the lake (missing: x); bring the declared ones: id, x, y"),
        (table().assign(z=1), "the columns are not those of the lake (new: z)"),
        (table().rename(columns={"x": "X"}), "(missing: x; new: X)"),
        (table().assign(X=1), "two columns differ only in case: 'x' and 'X'"),
        (table().assign(y="good"), "column 'y', row 1: 'good' is no number"),
        (table().assign(id=[1.0, 2.0, 3.0, 4.0]), "column 'id', row 1: 1.0 is no text"),
        (table().assign(id=["a", None, "c", "d"]), "column 'id', row 2 is empty, and it names the row"),
    ],
)
def test_what_does_not_fit_the_declared_columns_is_refused(lake: Lake, frame: pd.DataFrame, told: str) -> None:
    lake.append("b1", [table()], arrived_at=at(0))
    with pytest.raises(DataRefusedError) as refused:
        lake.append("b2", [frame], arrived_at=at(1))
    assert told in refused.value.message


def test_integers_in_one_batch_and_decimals_in_the_next_are_both_kept(lake: Lake) -> None:
    lake.append("b1", [table().assign(x=[1, 2, 3, 4])], arrived_at=at(0))
    lake.append("b2", [table("b").assign(x=[1.75, -2.9, math.nan, 2**60])], arrived_at=at(1))
    assert lake.read(lake.snapshot())["x"].fillna(-1).tolist() == [1, 2, 3, 4, 1.75, -2.9, -1, 2**60]


# ---------------------------------------------------------------------------------------------------------- idempotence


def aside(*lines: int) -> pd.DataFrame:
    places = range(1, len(lines) + 1)
    return pd.DataFrame({"row": places, "line": lines, "text": '{"x": "?"}', "reasons": "x is no number; y is missing"})


def test_a_second_delivery_does_nothing_and_says_so(lake: Lake) -> None:
    first = lake.append("b1", [table().assign(y=[1, None, 3, 4])], arrived_at=at(0), aside=[aside(6)])
    assert (first.is_new, first.observations, first.labels, first.unlabelled, first.quarantined) == (True, 4, 3, 1, 1)
    second = lake.append("b1", itertools.repeat(None), arrived_at=at(1))  # not even looked at
    assert (second.is_new, second.observations) == (False, 0)
    [arrival] = lake.batches()
    assert (arrival.batch, arrival.arrived_at, arrival.observations, arrival.labels, arrival.quarantined) == ("b1", at(0), 4, 3, 1)


def test_a_batch_stays_known_after_maintenance_and_a_checkpoint(lake: Lake) -> None:
    for place in range(4):
        lake.append(f"b{place}", [table(f"b{place}-")], arrived_at=at(place))
        state = tables.Table(f"{lake.url}/observations", {}).open()
        assert state is not None
        state.create_checkpoint()
    lake.maintain(unused_for=EVER)
    assert not any(lake.append(f"b{place}", [table()], arrived_at=at(9)).is_new for place in range(4))
    assert len(lake.read(lake.snapshot())) == 16


def test_a_batch_of_nothing_but_misfits_is_in_quarantine_once(lake: Lake) -> None:
    with pytest.raises(DataRefusedError, match="no lake begins without a row; bring rows that are not set aside"):
        lake.append("b1", [], arrived_at=at(0), aside=[aside(2, 1)])
    lake.append("b0", [table("z")], arrived_at=at(0))
    assert lake.append("b1", [], arrived_at=at(0), aside=[aside(2, 1)]).is_new
    assert not lake.append("b1", [], arrived_at=at(0), aside=[aside(2, 1)]).is_new
    stored = lake.quarantined()
    assert stored["line"].tolist() == [2, 1]
    assert stored["reasons"].tolist() == ["x is no number; y is missing"] * 2
    assert lake.quarantined("b2").empty
    assert lake.append("b2", [table()], arrived_at=at(1)).is_new


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch, after: str) -> Generator[None]:
    """Interrupt what is done within after the commit of a table, as a kill would."""
    commit = tables.Table.commit

    def commit_and_die(self: tables.Table, *arguments: object) -> bool:
        done = commit(self, *arguments)
        if self.url.endswith(after):
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(tables.Table, "commit", commit_and_die)
        with pytest.raises(KeyboardInterrupt):
            yield


@pytest.mark.parametrize("after", ["quarantine", "labels"])
def test_a_batch_that_was_cut_off_may_come_with_other_rows_set_aside(lake: Lake, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    lake.append("b0", [table("z")], arrived_at=at(0))
    with cut_off(monkeypatch, after):
        lake.append("b1", [table(rows=3)], arrived_at=at(1), aside=[aside(5)])
    assert lake.append("b1", [table(rows=2)], arrived_at=at(2), aside=[aside(4, 5)]).is_new
    assert lake.quarantined()["line"].tolist() == [4, 5]
    assert lake.open_rows("b1").rows.tolist() == [1, 2]
    assert [(a.observations, a.labels, a.quarantined) for a in lake.batches()] == [(4, 4, 0), (2, 2, 2)]


def test_labels_of_a_batch_that_never_came_in_are_nobodys(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append("b0", [table()], arrived_at=at(0))
    for batch, time_ in (("b1", at(1)), ("b1", at(1)), ("b2", at(2))):
        with cut_off(monkeypatch, "labels"):
            lake.append(batch, [table(label=9)], arrived_at=time_)
    lake.append_labels("l1", [pd.DataFrame({"id": ["a3"], "y": [4.0]})], arrived_at=at(1))
    for _ in range(2):
        assert lake.read(lake.snapshot())["y"].tolist() == [1, 1, 1, 4]
        assert (lake.count_labels().total, [a.labels for a in lake.batches()]) == (5, [4, 1])
        lake.maintain(unused_for=EVER)


def test_of_two_mendings_at_once_the_second_leaves_nothing(lake: Lake) -> None:
    first = "b1" * 32
    lake.append(first, [table()], arrived_at=at(0), aside=[aside(6, 7)])
    rows, found = table("m", 2), lake.open_rows(first)
    assert lake.mend("m1", rows, found.rows, of=found, arrived_at=at(1)).is_new
    with pytest.raises(StoreError, match="another process has just committed mendings of b1b1b1b1b1b1b1b1 to"):
        lake.mend("m2", rows.assign(x=7.0, y=9.0), found.rows, of=found, arrived_at=at(2))
    read = lake.read(lake.snapshot())
    assert read["y"].tolist() == [1.0] * 6
    assert (lake.count_labels().total, lake.open_rows(first).rows.tolist()) == (6, [])


def test_a_mended_row_brings_the_label_that_another_lacks_once_it_is_let_in(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first, rows = "b1" * 32, table(rows=2)
    lake.append("b0", [rows.drop(columns="y")], arrived_at=at(0))
    lake.append(first, [], arrived_at=at(1), aside=[aside(6, 7)])
    found = lake.open_rows(first)
    mend = partial(lake.mend, "m1", rows.head(0), found.rows[:0], of=found, late=(rows.head(1), found.rows[:1]))
    with cut_off(monkeypatch, "labels"):
        mend(arrived_at=at(2))
    assert (lake.open_rows(first).rows.tolist(), lake.count_labels().total) == ([1, 2], 0)
    assert mend(arrived_at=at(3)).late == 1
    assert (lake.open_rows(first).rows.tolist(), lake.open_rows(first).mended) == ([2], {1: "m1"})
    assert lake.read(lake.snapshot())["y"].fillna(-1).tolist() == [1, -1]
    assert sum(arrival.quarantined for arrival in lake.batches()) == 1


@pytest.mark.parametrize("after", ["quarantine", "labels"])
def test_a_batch_that_was_cut_off_between_tables_is_finished_by_the_next_delivery(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    lake.append("b0", [table("z")], arrived_at=at(0))
    before = lake.read(lake.snapshot())
    with cut_off(monkeypatch, after):
        lake.append("b1", [table()], arrived_at=at(1), aside=[aside(9)])
    pd.testing.assert_frame_equal(lake.read(lake.snapshot()), before)
    assert sum(arrival.quarantined for arrival in lake.batches()) == 0
    assert lake.append("b1", [table()], arrived_at=at(2), aside=[aside(9)]).is_new
    assert len(lake.read(lake.snapshot())) == 8
    assert [(arrival.observations, arrival.labels, arrival.quarantined) for arrival in lake.batches()] == [(4, 4, 0), (4, 4, 1)]


def test_rows_without_a_key_are_named_by_their_cells(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), "nameless", Terms(target="y"))
    rows = pd.DataFrame({"x": [1.0, 1.0, 1.0], "y": ["a", "a", "b"]})
    lake.append("b1", [rows], arrived_at=at(0))
    lake.append("b2", [rows[:2]], arrived_at=at(1))
    assert lake.read(lake.snapshot())["y"].tolist() == ["a", "a", "b", "a", "a"]


def test_rows_whose_keys_came_in_meanwhile_are_refused(lake: Lake) -> None:
    lake.append("b1", [table("a")], arrived_at=at(0))
    mine, others = table("b"), table("c")
    found = lake.encounter(lambda columns: iter([mine[columns or mine.columns]]))
    assert found is not None
    assert lake.append("b2", [others], arrived_at=at(1), looked=found.looked).is_new
    assert lake.append("b3", [mine[:2]], arrived_at=at(2), looked=found.looked).is_new
    with pytest.raises(StoreError, match="rows with keys of this batch have just come into"):
        lake.append("b4", [mine], arrived_at=at(3), looked=found.looked)
    assert len(lake.read(lake.snapshot())) == 10


# ---------------------------------------------------------------------------------------------------------------- labels


def test_the_latest_label_that_had_arrived_by_a_time_is_the_one(lake: Lake) -> None:
    lake.append("b1", [table().drop(columns="y")], arrived_at=at(0))
    labels = pd.DataFrame({"id": ["a0", "a1", "a0", "zz"], "y": [1, 2, 3, 4], "observed_at": pd.Timestamp("2024-01-02", tz="Asia/Tokyo")})
    assert lake.append_labels("l1", [labels], arrived_at=at(1)).labels == 4
    assert not lake.append_labels("l1", [labels], arrived_at=at(2)).is_new
    receipt = lake.append_labels("l2", [pd.DataFrame({"id": ["a1", "a2", "a3"], "y": [2.0, 5.0, None]})], arrived_at=at(3))
    assert (receipt.labels, receipt.unlabelled) == (2, 1)
    known = {day: lake.read(lake.snapshot(as_of=at(day)))["y"].fillna(-1).tolist() for day in (0, 1, 3)}
    assert known == {0: [-1, -1, -1, -1], 1: [3, 2, -1, -1], 3: [3, 2, 5, -1]}
    counts = lake.count_labels()
    assert (counts.total, counts.late, counts.corrected, counts.duplicate, counts.unknown) == (6, 5, 1, 1, 1)


def test_labels_that_name_no_row_are_listed_once_each_in_their_order(lake: Lake) -> None:
    lake.append("b1", [table("a"), table("b")], arrived_at=at(0))
    labels = pd.DataFrame({"id": ["z2", "a1", "z1", "z2", "b3", "a1", "z0"], "y": 1.0})
    lake.append_labels("l1", [labels[:4], labels[4:]], arrived_at=at(1))
    lake.append_labels("l2", [pd.DataFrame({"id": ["a0"], "y": [1.0]})], arrived_at=at(2))
    assert (lake.labels_without_row("l1", 5), lake.labels_without_row("l1", 1)) == ((4, ["z2", "z1", "z0"]), (4, ["z2", "z1"]))
    assert lake.labels_without_row("l2", 5) == lake.labels_without_row("nobody's", 5) == (0, [])


def test_what_a_lake_was_begun_with_says_which_texts_are_true_and_false(lake: Lake) -> None:
    rows = table().assign(wet=pd.Series(["true", None, "false", "true"], dtype="str"), y="true")
    lake.append("b1", [rows], arrived_at=at(0))
    lake.append("b2", [table("b").assign(wet="maybe", y="no")], arrived_at=at(1))
    assert {column.name: column.sort for column in lake.columns().columns} == {
        "id": "words",
        "x": "number",
        "wet": "boolean",
        "y": "boolean",
    }
    assert [column.sort for column in lake.label_columns().columns] == ["words", "boolean", None]


def test_rows_may_come_long_before_the_first_label(lake: Lake) -> None:
    lake.append("b1", [table().assign(y=pd.Series([None] * 4, dtype=object)), table("b").drop(columns="y")], arrived_at=at(0))
    early = lake.snapshot()
    assert lake.append_labels("l1", [pd.DataFrame({"id": ["a0"], "y": [None]})], arrived_at=at(1)).labels == 0
    lake.append_labels("l2", [pd.DataFrame({"id": ["a0", "b3"], "y": [None, "good"]})], arrived_at=at(1))
    assert lake.read(lake.snapshot())["y"].fillna("-").tolist() == ["-"] * 7 + ["good"]
    assert lake.read(early)["y"].isna().all()


def test_labels_of_a_kind_that_is_not_declared_are_refused(lake: Lake) -> None:
    with pytest.raises(StoreError, match="has no rows yet; ingest a batch first"):
        lake.append_labels("l1", [pd.DataFrame({"id": ["a0"], "y": [1.0]})], arrived_at=at(0))
    lake.append("b1", [table()], arrived_at=at(0))
    with pytest.raises(DataRefusedError, match="column 'y', row 1: 'good' is no number"):
        lake.append_labels("l1", [pd.DataFrame({"id": ["a0"], "y": ["good"]})], arrived_at=at(1))
    with pytest.raises(DataRefusedError, match=r"missing: id; new: name"):
        lake.append_labels("l1", [pd.DataFrame({"name": ["a0"], "y": [1.0]})], arrived_at=at(1))
    with pytest.raises(DataRefusedError, match="the target 'y' is neither numbers nor text; write its classes as text"):
        Lake(lake.url, "other", KEYED).append("b1", [table().assign(y=True)], arrived_at=at(0))


def test_the_terms_of_the_first_batch_stay(lake: Lake, tmp_path: Path) -> None:
    lake.append("b1", [table()], arrived_at=at(0))
    with pytest.raises(StoreError, match="was begun with key id, and this call says id, x; say the same, or begin another use case"):
        Lake(str(tmp_path), "wine", Terms(key=("id", "x"), target="y")).append("b2", [table()], arrived_at=at(1))
    with pytest.raises(StoreError, match="was begun with target y, and this call says none"):
        Lake(str(tmp_path), "wine", Terms(key=("id",))).append("b2", [table()], arrived_at=at(1))
    with pytest.raises(DataRefusedError, match="there is no column 'day' to name rows by"):
        Lake(str(tmp_path), "beer", Terms(key=("day",))).append("b1", [table()], arrived_at=at(0))


def test_a_lake_of_an_older_version_is_refused_in_one_sentence(lake: Lake, tmp_path: Path) -> None:
    lake.append("b1", [table()], arrived_at=at(0))
    now = DeltaTable(f"{lake.url}/observations")
    older = tmp_path / "older" / "wine" / "observations"
    declared = {name: value for name, value in json.loads(now.metadata().description).items() if name != "layout"}
    DeltaTable.create(str(older), now.schema(), description=json.dumps(declared))
    with pytest.raises(StoreError) as refused:
        Lake(str(tmp_path / "older"), "wine").begun_with()
    told = "is of another version of Evergreen; give its use case another name and deliver its batches again"
    assert refused.value.message == f"the lake at {older.parent} {told}"


def test_a_time_without_a_zone_is_refused(lake: Lake) -> None:
    nowhere = datetime(2024, 1, 1)  # noqa: DTZ001
    with pytest.raises(UsageError, match="arrived_at is 2024-01-01T00:00:00 without a time zone; add one, such as"):
        lake.append("b1", [table()], arrived_at=nowhere)
    lake.append("b1", [table()], arrived_at=at(0))
    with pytest.raises(UsageError, match="as_of is 2024-01-01T00:00:00 without a time zone"):
        lake.snapshot(as_of=nowhere)


# ------------------------------------------------------------------------------------------------------------- snapshots


def filled(lake: Lake, batches: int = 6) -> tuple[LakeSnapshot, pd.DataFrame]:
    for place in range(batches):
        lake.append(f"b{place}", [table(f"{place}-", 5, label=place)], arrived_at=at(place))
    lake.append_labels("l1", [pd.DataFrame({"id": ["0-0", "1-1"], "y": [7.0, 8.0]})], arrived_at=at(batches))
    snapshot = lake.snapshot()
    return snapshot, lake.read(snapshot)


def test_a_snapshot_is_rebuilt_bit_for_bit_after_appends_and_maintenance(lake: Lake) -> None:
    snapshot, rows = filled(lake)
    text = snapshot.as_text()
    middle = lake.snapshot(as_of=at(2), since=at(1))
    assert lake.read(middle)["id"].tolist() == [f"{batch}-{place}" for batch in (1, 2) for place in range(5)]
    for round_ in range(3):
        lake.append(f"later{round_}", [table(f"later{round_}-")], arrived_at=at(10 + round_))
        lake.append_labels(f"l-later{round_}", [pd.DataFrame({"id": ["0-0"], "y": [float(round_)]})], arrived_at=at(20 + round_))
        done = lake.maintain([snapshot, middle], unused_for=EVER)
        assert done.files_after == 2
        pd.testing.assert_frame_equal(lake.read(LakeSnapshot.from_text(text)), rows, check_exact=True)
        assert len(lake.read(middle)) == 10
    assert len(lake.read(lake.snapshot())) == len(rows) + 12


def test_maintenance_removes_what_no_kept_snapshot_needs_and_not_before_its_time(lake: Lake) -> None:
    snapshot, rows = filled(lake)
    files = len(list(Path(lake.url).glob("*/*.parquet")))
    done = lake.maintain()
    assert (done.files_before, done.files_after, done.removed, done.removed_bytes) == (files, 2, 0, 0)
    pd.testing.assert_frame_equal(lake.read(snapshot), rows)
    size = sum(path.stat().st_size for path in Path(lake.url).glob("*/*.parquet"))
    done = lake.maintain(unused_for=EVER)
    assert done.removed == files
    assert done.removed_bytes == size - sum(path.stat().st_size for path in Path(lake.url).glob("*/*.parquet"))
    assert lake.maintain(unused_for=EVER).removed == 0
    with pytest.raises(StoreError, match="a file of it is gone"):
        lake.read(snapshot)
    newest = lake.snapshot()
    assert newest.digest == snapshot.digest
    pd.testing.assert_frame_equal(lake.read(newest), rows)


def test_predictions_stay_what_was_said_and_known_through_maintenance(lake: Lake) -> None:
    assert not lake.holds_anything()
    said = {"id": ["a", "b"], "line": [2, 3], "prediction": [1.5, 2.5], "version": [1, 1], "prediction_id": ["p1", "p2"]}
    for place in range(2):
        assert lake.append_predictions(f"s{place}", [pd.DataFrame(said)], arrived_at=at(place))
    assert (lake.holds_anything(), lake.begun_with()) == (True, None)
    before = lake.predictions()
    done = lake.maintain(unused_for=EVER)
    assert (done.files_before, done.files_after, done.removed) == (2, 1, 2)
    pd.testing.assert_frame_equal(lake.predictions(), before, check_exact=True)
    assert not lake.append_predictions("s1", [pd.DataFrame(said)], arrived_at=at(9))


def test_order_and_digest_do_not_depend_on_how_files_are_cut(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, rows = filled(lake)
    for group, window in ((3, 2), (2, 7), (100, 12)):
        monkeypatch.setattr(tables, "ROW_GROUP", group)
        monkeypatch.setattr(tables, "WINDOW", window)
        lake.append(f"big{group}", [table(f"big{group}-", 11)], arrived_at=at(30 + group))
        pd.testing.assert_frame_equal(lake.read(snapshot), rows)
    ordered = [name for name in lake.read(lake.snapshot())["id"] if name.startswith("big")]
    assert ordered == [f"big{group}-{place}" for group in (2, 3, 100) for place in range(11)]


@pytest.mark.parametrize("window", [4, 7, 1000])
def test_every_so_many_th_row_is_given_however_batches_and_files_are_cut(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(tables, "WINDOW", window)
    for place, rows in enumerate((5, 1, 2, 11, 3)):
        lake.append(f"b{place}", [table(f"{place}-", rows)], arrived_at=at(place // 2))
    for _ in range(2):
        observations = DeltaTable(tmp_path / "wine" / "observations")
        found = {
            every: [key for rows in tables.in_order(observations, [], anything(), every=every) for key in zip(*rows, strict=True)]
            for every in (1, 2, 3, 8)
        }
        assert len(found[1]) == 22
        assert {every: found[1][::every] for every in found} == found
        assert sorted(tables.counts(observations, anything()).values()) == [1, 2, 3, 5, 11]
        lake.maintain(unused_for=EVER)  # which puts batches into one file, and one group of its rows


def test_times_are_compared_to_the_microsecond_whatever_statistics_keep(lake: Lake) -> None:
    times = [at(0) + timedelta(microseconds=999_998 + place) for place in range(3)]
    for place, time_ in enumerate(times):
        late = table(f"{place}-").assign(when=pd.Series([np.datetime64("9999-12-31T23:59:59.999999")] * 4))
        lake.append(f"b{place}", [late], arrived_at=time_)
    for _ in range(2):
        assert [lake.snapshot(as_of=time_).rows for time_ in times] == [4, 8, 12]
        assert [lake.snapshot(since=time_).rows for time_ in times] == [12, 8, 4]
        lake.maintain(unused_for=EVER)


def test_a_snapshot_of_other_rows_is_refused(lake: Lake, tmp_path: Path) -> None:
    snapshot, _ = filled(lake)
    told = r"the rows of wine at version 6 are not those of the snapshot: 30 rows with digest \w{8} instead of 30 with 00000000;"
    with pytest.raises(StoreError, match=told):
        lake.read(snapshot.model_copy(update={"digest": "0" * 64}))
    with pytest.raises(StoreError, match="the snapshot is one of wine, and this is the lake of beer; open that one"):
        Lake(str(tmp_path), "beer", KEYED).read(snapshot)
    with pytest.raises(StoreError, match="cannot use the lake at"):
        lake.read(snapshot.model_copy(update={"observations": 99}))


def test_a_snapshot_of_no_rows_has_columns(lake: Lake) -> None:
    filled(lake)
    empty = lake.snapshot(as_of=at(-1))
    assert (empty.rows, lake.read(empty).dtypes.astype(str).to_dict()) == (0, {"id": "str", "x": "float64", "y": "float64"})


# --------------------------------------------------------------------------------------- several at once, kills, no room


def test_batches_that_come_at_once_are_all_there_and_none_is_there_twice(tmp_path: Path) -> None:
    batches = [f"b{place}" for place in range(6)]
    writers = [started(str(tmp_path), 50, *order) for order in (batches, batches[::-1], batches)]
    for writer in writers:
        go(writer)
    said = [line.split() for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert sorted(batch for batch, is_new in said if is_new == "True") == batches
    lake = Lake(str(tmp_path), "wine", KEYED)
    assert [(a.observations, a.labels) for a in lake.batches()] == [(50, 50)] * 6
    read = lake.read(lake.snapshot())
    assert (len(read), read["id"].nunique(), read["y"].notna().all()) == (300, 300, True)


def test_after_kills_at_any_point_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    batches, size, chance = [f"b{place}" for place in range(16)], 2_000, random.Random(5)
    lake, acknowledged = Lake(str(tmp_path), "wine", KEYED), set[str]()
    for _ in range(5):
        writer = started(str(tmp_path), size, *batches)
        go(writer)
        time.sleep(chance.uniform(0.05, 0.6))
        writer.send_signal(signal.SIGKILL)
        acknowledged |= {line.split()[0] for line in writer.communicate(timeout=60)[0].splitlines() if len(line.split()) == 2}
        there = {arrival.batch for arrival in lake.batches() if arrival.observations}
        assert acknowledged <= there
        assert all(arrival.observations in (0, size) and arrival.labels in (0, size) for arrival in lake.batches())
    last = started(str(tmp_path), size, *batches)
    go(last)
    last.communicate(timeout=60)
    read = lake.read(lake.snapshot())
    assert (len(read), read["id"].nunique(), read["y"].notna().all()) == (16 * size, 16 * size, True)
    lake.maintain(unused_for=EVER)
    assert unused(lake) == []
    pd.testing.assert_frame_equal(lake.read(lake.snapshot()), read)


def test_what_a_kill_leaves_of_a_large_file_is_never_seen_and_maintenance_removes_it(lake: Lake, tmp_path: Path) -> None:
    lake.append("b1", [table()], arrived_at=at(0))
    writer = started(str(tmp_path), 3_000_000, "big")
    go(writer)
    while not unused(lake):
        assert writer.poll() is None
        time.sleep(0.01)
    writer.kill()
    writer.communicate()
    assert unused(lake)
    assert [arrival.batch for arrival in lake.batches()] == ["b1"]
    lake.maintain(unused_for=EVER)
    assert unused(lake) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own needs the right to mount one")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def noise(rows: int) -> pd.DataFrame:
    return table("n", rows).assign(x=np.random.default_rng(0).normal(size=rows))


def test_a_full_disk_is_told_in_one_sentence_and_the_lake_stays_as_it_was(small_disk: Path) -> None:
    lake = Lake(str(small_disk), "wine", KEYED)
    lake.append("b1", [table()], arrived_at=at(0))
    before = lake.read(lake.snapshot())
    told = f"cannot use the lake at {lake.url}/observations: its disk is full; free some space and bring the batch again"
    with pytest.raises(StoreError) as refused:
        lake.append("b2", [noise(400_000)], arrived_at=at(1))
    assert refused.value.message == told
    pd.testing.assert_frame_equal(lake.read(lake.snapshot()), before)
    assert lake.append("b3", [table("c")], arrived_at=at(2)).is_new


def test_a_file_that_may_not_grow_is_a_full_disk(lake: Lake) -> None:
    lake.append("b1", [table()], arrived_at=at(0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        with pytest.raises(StoreError, match="its disk is full"):
            lake.append("b2", [noise(150_000)], arrived_at=at(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(lake.read(lake.snapshot())) == 4


def test_places_that_hold_no_lake_are_told_in_one_sentence(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"there is no table at {lake.url}/observations; ingest a batch first"):
        lake.snapshot()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="a file stands where its folder should be; name another folder with EVERGREEN_LAKE_URL"):
        Lake(str(tmp_path / "file"), "wine", KEYED).append("b1", [table()], arrived_at=at(0))
    with pytest.raises(StoreError, match="this address cannot be used; use a folder or s3://bucket/path"):
        Lake("gopher://hole", "wine", KEYED).append("b1", [table()], arrived_at=at(0))
    lake.append("b1", [table()], arrived_at=at(0))
    log = Path(lake.url) / "observations/_delta_log/00000000000000000000.json"
    log.write_text(log.read_text().replace("description", "inscription"))
    with pytest.raises(StoreError, match="does not say which columns were declared; it was not made by Evergreen: name another place"):
        lake.snapshot()
    log.write_text("not a log")
    with pytest.raises(StoreError, match="cannot use the lake at"):
        lake.snapshot()


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    program = f"""
import json, pandas as pd
from datetime import UTC, datetime
from tasks.adapters.lake import Lake
from tasks.core.errors import StoreError
try:
    Lake({str(tmp_path / "shut")!r}, "wine").append("b1", [pd.DataFrame({{"x": [1.0]}})], arrived_at=datetime.now(UTC))
except StoreError as error:
    print(json.dumps(error.message))
"""
    (tmp_path / "shut").mkdir(mode=0o555)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_nobody, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "it may not be written or read; grant access" in json.loads(done.stdout), done.stderr


# -------------------------------------------------------------------------------------------------------------------- S3


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """Give what the environment must say to reach a real S3 endpoint with a bucket called rows."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None
            time.sleep(0.1)
        environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/rows", method="PUT")).close()
        yield {**environment, "AWS_REGION": "us-east-1"}
    finally:
        server.kill()
        server.wait()


def test_the_lake_is_the_same_behind_s3(s3: dict[str, str]) -> None:
    lake = Lake("s3://rows/lakes", "wine", KEYED, storage_options(s3))
    snapshot, rows = filled(lake, 3)
    lake.append("late", [table("late-")], arrived_at=at(9), aside=[aside(3)])
    lake.maintain([snapshot], unused_for=EVER)
    pd.testing.assert_frame_equal(lake.read(snapshot), rows, check_exact=True)
    freed = lake.maintain(unused_for=EVER)
    assert freed.removed_bytes > freed.removed > 0
    assert lake.quarantined()["line"].tolist() == [3]
    assert [arrival.batch for arrival in lake.batches()] == ["b0", "b1", "b2", "l1", "late"]


def test_batches_that_come_at_once_to_s3_are_all_there_and_none_is_there_twice(s3: dict[str, str]) -> None:
    batches = [f"b{place}" for place in range(3)]
    writers = [started("s3://rows/at-once", 50, *order, **s3) for order in (batches, batches[::-1])]
    for writer in writers:
        go(writer)
    said = [line.split() for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]
    assert sorted(batch for batch, is_new in said if is_new == "True") == batches
    lake = Lake("s3://rows/at-once", "wine", KEYED, storage_options(s3))
    assert [(a.observations, a.labels) for a in lake.batches()] == [(50, 50)] * 3


def test_failures_of_s3_are_told_in_one_sentence(s3: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="there is no such bucket; create it, or correct EVERGREEN_LAKE_URL"):
        Lake("s3://nowhere", "wine", KEYED, storage_options(s3)).append("b1", [table()], arrived_at=at(0))
    nobody = storage_options({**s3, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(StoreError, match="it does not answer; see that it runs and run again"):
        Lake("s3://rows", "wine", KEYED, nobody).append("b1", [table()], arrived_at=at(0))
