from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tasks.adapters import scores
from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = [pd.DataFrame({"x": [1.5, 2.5], "t": ["a", "b"]}), pd.DataFrame({"x": [3.5], "t": ["ü,"]})]


@pytest.mark.parametrize(("name", "read"), [("p.csv", pd.read_csv), ("p.PARQUET", pd.read_parquet)])
def test_parts_become_one_file(tmp_path: Path, name: str, read: object) -> None:
    scores.put(FRAMES, tmp_path / name)
    assert callable(read)
    assert read(tmp_path / name).equals(pd.concat(FRAMES, ignore_index=True))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_key_of_whole_numbers_is_written_as_it_came(tmp_path: Path) -> None:
    scores.put([pd.DataFrame({"id": [1000.0, None], "x": [0.1, 2.0]}), pd.DataFrame({"id": [1e300], "x": [-0.5]})], tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text(encoding="utf-8") == "id,x\n1000,0.1\n,2\n1e+300,-0.5\n"


def test_parts_are_counted_and_read_in_their_order_and_survive_whoever_wrote_them(tmp_path: Path) -> None:
    first = scores.Parts(tmp_path / "parts")
    first.write(1, FRAMES[1], FRAMES[0][:0])
    first.write(0, FRAMES[0], FRAMES[0])
    again = scores.Parts(tmp_path / "parts")
    assert (again.holds(0), again.holds(2), again.count("scored"), again.count("aside")) == (True, False, 3, 2)
    assert pd.concat(again.read("scored"))["x"].tolist() == [1.5, 2.5, 3.5]
    again.remove()
    assert not first.holds(0)


def test_what_was_scored_is_known_as_long_as_its_file_is_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    scores.put(FRAMES, out)
    told = scores.Scored(str(out), "", scores.digest_of(out), 3, 0)
    scores.remember(tmp_path / "told", "abc", told)
    assert scores.recall(tmp_path / "told", "abc", out) == told
    assert scores.recall(tmp_path / "told", "other", out) is None
    assert scores.written(tmp_path / "told") == [out]
    out.write_text("x\n", encoding="utf-8")
    assert scores.recall(tmp_path / "told", "abc", out) is None
    out.unlink()
    assert scores.recall(tmp_path / "told", "abc", out) is None


def test_a_place_that_cannot_take_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken.csv").write_text("mine", encoding="utf-8")
    for out, message in (
        (tmp_path / "p.txt", "ends with neither .parquet nor .csv"),
        (tmp_path / "taken.csv", "is there already and holds something else"),
        (tmp_path / "taken.csv" / "p.csv", "cannot write to"),
        (f"{tmp_path}/day.csv/", "day.csv/' names a folder, and predictions are one file; name that, such as .*/day.csv/predictions.csv"),
        (tmp_path, "names a folder"),
    ):
        with pytest.raises(UsageError, match=message):
            scores.check_out(out, [])
    scores.check_out(tmp_path / "taken.csv", [tmp_path / "taken.csv"])
    scores.check_out(tmp_path / "new" / "p.parquet", [])
