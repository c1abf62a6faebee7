"""What looking up the row that made a version champion costs in a long ledger, beside reading the whole chain.

Run: python benchmarks/ledger.py [ROWS]
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.adapters import ledger
from tasks.core.decisions import CROWNING, HOLDING, JUDGING, Entry, broken_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.core.decisions import Kind

EVERY = 20  # of so many rows one judges a challenger, and one tells that its training began; the others are looks at the champion
INPUTS = {"metrics": {f"metric {n}": {"value": n / 7, "low": n / 8, "high": n / 6} for n in range(10)}}


def main(rows: int) -> None:
    """Print the milliseconds of each, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        address, champion = f"sqlite:///{path}", fill(path, rows)
        alone = {
            "the row that a version names": lambda: ledger.decision_at(address, "wine", champion.number),
            "the last row that made it champion": lambda: ledger.last_decision(address, "wine", CROWNING, champion.version),
            "all judgements": lambda: ledger.decisions(address, "wine", JUDGING),
            "the last hold": lambda: ledger.last_decision(address, "wine", HOLDING),
        }
        whole = cost(lambda: broken_link(ledger.decisions(address, "wine")), 1)
        print(f"{'the whole chain of ' + format(rows, ',') + ' rows':<40}{whole:>10.1f} ms")
        for name, look_up in alone.items():
            spent = cost(look_up, 20)
            print(f"{name:<40}{spent:>10.1f} ms{whole / spent:>10,.0f} times less")


def fill(path: Path, rows: int) -> Entry:
    """Write a chain in which champions were made long before the last row; gives the first that tells of one."""
    ledger.create(f"sqlite:///{path}")
    chain: list[Entry] = []
    for number in range(rows):
        kinds: dict[int, Kind] = {0: "train", 1: "gate", 2: "promote" if number < rows // 2 else "monitor"}
        kind = kinds.get(number % EVERY, "monitor")
        entry = Entry("wine", kind, number // 2 + 1, "better", "", "eva@lab", "2024-03-03T14:00:00+00:00", inputs=INPUTS)
        chain.append(entry.after(chain[-1] if chain else None))
    values = [{**vars(entry), "inputs": json.dumps(dict(entry.inputs))} for entry in chain]
    with closing(sqlite3.connect(path)) as database:
        named = ", ".join(f":{name}" for name in values[0])
        database.executemany(f"INSERT INTO decision ({', '.join(values[0])}) VALUES ({named})", values)
        database.commit()
    return chain[2]


def cost(work: Callable[[], object], times: int) -> float:
    """Give the milliseconds of one call, as a mean."""
    started = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - started) / times * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
