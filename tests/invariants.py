"""What holds after whatever happened: one check that every fault is followed by.

The champion by the ledger is a version that passed the gate, stands in the registry with the bytes that were recorded, and loads; whoever
reads it serves it, and changes nothing by that; decisions hang together.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tasks.adapters import ledger, models
from tasks.core.champions import JUDGED_FILE, SHIPPED_FILE
from tasks.core.decisions import CROWNING, broken_link

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tasks.core.champions import Epoch
    from tasks.core.decisions import Entry

PASSED = ("awaiting_approval", "hold")


def check(home: Path, use_case: str, score: Callable[[], subprocess.CompletedProcess[str]]) -> list[int]:
    """Require all of it, and give the champions so far.

    Args:
        home: Of the use case.
        use_case: Its name.
        score: Lets the champion predict, answering in JSON.
    """
    line = line_of(home, use_case)
    done = score()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == line[-1].version
    assert line_of(home, use_case) == line
    with closing(sqlite3.connect(home / "mlflow.db")) as mlflow:
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
        aliases = dict(mlflow.execute(query, (use_case,)))
        query = "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?"
        ((folder,),) = mlflow.execute(query, (use_case, line[-1].version)).fetchall()
    assert aliases["champion"] == line[-1].version
    for file, sha256 in line[-1].manifest.items():
        content = (path_of(folder) / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256, file
        if file in (SHIPPED_FILE, JUDGED_FILE):
            models.load(content, sha256, file)
    return [epoch.version for epoch in line]


def line_of(home: Path, use_case: str) -> list[Epoch]:
    """Give the champions so far; each passed the gate, and decisions made them, in an unbroken chain."""
    address = f"sqlite:///{home / 'ledger.db'}"
    line, entries = ledger.line_of_champions(address, use_case), ledger.decisions(address, use_case)
    assert [epoch.epoch for epoch in line] == list(range(1, len(line) + 1))
    assert broken_link(entries) is None
    assert [entry.version for entry in entries if entry.kind in CROWNING] == [epoch.version for epoch in line]
    assert {epoch.version for epoch in line} <= passed(entries)
    assert all(entries[entry.number].kind == "hold" for entry in entries if entry.kind == "rollback")
    return line


def passed(entries: list[Entry]) -> set[int]:
    """Give the versions that passed the gate, when they came or when a person had them judged again."""
    gates = {entry.version for entry in entries if entry.kind == "gate" and (entry.inputs["verdict"] == "promoted" or entry.code in PASSED)}
    return gates | {entry.version for entry in entries if entry.kind == "approve"}


def path_of(address: str) -> Path:
    """Give the folder that an address of a file names."""
    return Path(unquote(urlsplit(address).path))
