from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import snapshots

if TYPE_CHECKING:
    from pathlib import Path

# A write of more rows than it can finish, killed in its middle.
WRITER = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
from tasks.adapters import snapshots
print("writing", flush=True)
snapshots.write(pd.DataFrame(np.random.default_rng(0).random((3_000_000, 8))).add_prefix("c"), Path(sys.argv[1]), "big")
"""


def awkward_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [0.1 + 0.2, -0.0, np.nan, np.inf, 5e-324],
            "a name, with 'all' sorts\nof ü": pd.Series(["", "x", None, "NaN", "\u2028😀"], dtype="str"),
            "when": pd.Series(["2024-01-01", None, "0001-01-01", "9999-12-31 23:59:59.999999", "1970-01-01"], dtype="datetime64[us]"),
        }
    )


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = snapshots.write(awkward_rows(), tmp_path, "a1")
    stored = snapshots.read(path)
    pd.testing.assert_frame_equal(stored, awkward_rows(), check_exact=True)
    assert stored["number"].to_numpy().tobytes() == awkward_rows()["number"].to_numpy().tobytes()
    assert path == tmp_path / "a1.parquet"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_keep_their_columns_and_types(tmp_path: Path, rows: int) -> None:
    few = awkward_rows().iloc[:rows]
    pd.testing.assert_frame_equal(snapshots.read(snapshots.write(few, tmp_path, "few")), few)


def test_the_index_is_not_stored(tmp_path: Path) -> None:
    stored = snapshots.read(snapshots.write(awkward_rows().iloc[[3, 1]], tmp_path, "picked"))
    pd.testing.assert_frame_equal(stored, awkward_rows().iloc[[3, 1]].reset_index(drop=True))


def test_a_name_that_is_stored_is_not_written_again_but_counts_as_used(tmp_path: Path) -> None:
    path = snapshots.write(awkward_rows(), tmp_path, "a1")
    before = path.stat().st_ino
    os.utime(path, (0, 0))
    snapshots.write(awkward_rows(), tmp_path, "a1")
    assert path.stat().st_ino == before
    assert path.stat().st_mtime > 0


def test_what_nobody_names_is_removed_once_nothing_has_used_it_for_some_time(tmp_path: Path) -> None:
    for name in ("named", "old", "new"):
        snapshots.write(awkward_rows(), tmp_path, name)
    (tmp_path / "old.txt").touch()
    for name in ("named.parquet", "old.parquet", "old.txt"):
        os.utime(tmp_path / name, (0, 0))
    size = (tmp_path / "old.parquet").stat().st_size
    done = snapshots.remove_unnamed(tmp_path, {"named"}, timedelta(days=1))
    assert (done.removed, done.removed_bytes) == (1, size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named.parquet", "new.parquet", "old.txt"]
    assert snapshots.remove_unnamed(tmp_path / "nowhere", set(), timedelta(0)).removed == 0


def test_a_killed_write_leaves_no_snapshot_and_the_next_run_removes_its_rest(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        while not list(tmp_path.glob("*.partial")):
            assert writer.poll() is None
        writer.kill()
    assert [path.name for path in tmp_path.iterdir()] == [f"big.{writer.pid}.partial"]
    snapshots.remove_partials(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    partial = tmp_path / f"quarantine-of.wine.{os.getpid()}.partial"
    partial.touch()
    snapshots.write(awkward_rows(), tmp_path, "a1")
    snapshots.remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a1.parquet", partial.name]


def test_a_folder_without_partials_may_be_cleaned_too(tmp_path: Path) -> None:
    snapshots.remove_partials(tmp_path / "missing")
