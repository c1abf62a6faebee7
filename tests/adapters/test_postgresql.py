"""Queries of a real PostgreSQL server: one that this test starts on loopback, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tasks.adapters import told
from tasks.adapters.sources import load, split_columns
from tasks.core.alarms import LOG, Alarm, Told
from tasks.core.errors import DataRefusedError, EvergreenError, UsageError
from tasks.core.reading import blob, reader
from tasks.core.reading.terms import ReadingOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = [*sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True), *os.get_exec_path()]
INITDB, SERVER = (shutil.which(name, path=os.pathsep.join(FOLDERS)) for name in ("initdb", "postgres"))
WHY_NOT = (
    "needs the package psycopg: pip install 'evergreen-modelops[postgres]'"
    if find_spec("psycopg") is None
    else ""
    if INITDB and SERVER
    else "needs the programs of PostgreSQL (Debian: apt install postgresql)"
)
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a server; PostgreSQL does not run as root, so there it runs as its own user."""
    folder, port, user = tmp_path_factory.mktemp("postgresql"), free_port(), None
    if os.geteuid() == 0:
        user = "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
        shutil.chown(folder, user)
        for parent in folder.parents:
            if Path(tempfile.gettempdir()) in parent.parents:
                parent.chmod(0o711)
    data = folder / "data"
    subprocess.run(
        [str(INITDB), "--pgdata", data, "--username", "ann", "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        user=user,
    )
    settings = ["-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([str(SERVER), "-D", data, *settings], stdout=log, stderr=subprocess.STDOUT, user=user)
    try:
        wait_for(port, server, folder / "log")
        yield f"postgresql+psycopg://ann@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server takes a query, by asking for one."""
    import psycopg

    for _ in range(3000):
        assert server.poll() is None, log.read_text()
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="ann", dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(0.02)
        else:
            return
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def filled(database: str) -> str:
    import psycopg

    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute(
            "CREATE TABLE sales (id bigint, price numeric(10, 2), at timestamptz, day date, clock time, paid bool, code uuid, note text,"
            " level real, small smallint, kind varchar(5), stamp timestamp)"
        )
        connection.execute(
            "INSERT INTO sales VALUES (1, 12.50, '2024-01-31 10:30:00+02', '2024-01-31', '10:30', true,"
            " '00000000-0000-0000-0000-000000000001', 'Łódź', 1.5, 3, 'a', '2024-01-31 10:30:00.123456'),"
            " (2, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL),"
            " (9007199254740993, 0.10, '2024-07-31 10:30:00+02', '2024-02-29', '00:00', false,"
            " '00000000-0000-0000-0000-000000000002', 'x', 0.25, -3, 'b', '2024-02-29 00:00:00')"
        )
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute("CREATE TABLE odd (raw bytea, doc jsonb, list int[], span interval, n numeric)")
        connection.execute(
            "INSERT INTO odd VALUES ('\\x01', '{\"a\": 1}', '{1,2}', '1 day', 'NaN'), (NULL, NULL, NULL, NULL, 0.12345678901234567890)"
        )
    return database


def rows_of(url: str, query: str) -> list[tuple[object, ...]]:
    (content,) = load(url, ReadingOptions(query=query))
    assert content.table is not None
    assert {str(dtype) for dtype in content.table.df.dtypes} <= {"float64", "str", "datetime64[us]"}
    return [tuple(None if pd.isna(cell) else cell for cell in row) for row in content.table.df.itertuples(index=False)]


def message_of(url: str, query: str, kind: type[EvergreenError]) -> str:
    with pytest.raises(EvergreenError) as refused:
        load(url, ReadingOptions(query=query))
    assert type(refused.value) is kind, refused.value.message
    return refused.value.message


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("id", ["1", "2", "9007199254740993"]),
        ("price", [12.5, None, 0.1]),
        ("at", [pd.Timestamp("2024-01-31 08:30"), None, pd.Timestamp("2024-07-31 08:30")]),
        ("day", [pd.Timestamp("2024-01-31"), None, pd.Timestamp("2024-02-29")]),
        ("clock", ["10:30:00", None, "00:00:00"]),
        ("paid", ["true", None, "false"]),
        ("code", ["00000000-0000-0000-0000-000000000001", None, "00000000-0000-0000-0000-000000000002"]),
        ("note", ["Łódź", None, "x"]),
        ("level", [1.5, None, 0.25]),
        ("small", [3.0, None, -3.0]),
        ("kind", ["a", None, "b"]),
        ("stamp", [pd.Timestamp("2024-01-31 10:30:00.123456"), None, pd.Timestamp("2024-02-29")]),
        ("NULL AS nothing", [None, None, None]),
    ],
)
def test_each_type_keeps_its_values(filled: str, column: str, values: list[object]) -> None:
    assert [row[0] for row in rows_of(filled, f"SELECT {column} FROM sales ORDER BY sales.id")] == values


@pytest.mark.parametrize(("column", "kind"), [("raw", "bytes"), ("doc", "dict"), ("list", "list"), ("span", "timedelta")])
def test_what_has_no_place_in_a_table_is_refused_by_its_column(filled: str, column: str, kind: str) -> None:
    message = message_of(filled, f"SELECT {column} FROM odd", DataRefusedError)
    assert message.endswith(f"column '{column}', row 1 is of type {kind}; cast it to text or a number in the query")
    assert rows_of(filled, f"SELECT {column}::text FROM odd")[1] == (None,)


def test_a_decimal_of_more_digits_than_a_number_is_refused(filled: str) -> None:
    assert "row 2 0.12345678901234567890 has more digits than a number holds" in message_of(filled, "SELECT n FROM odd", DataRefusedError)
    assert rows_of(filled, "SELECT n FROM odd LIMIT 1") == [(None,)]


def test_nothing_can_be_written_even_by_a_function(filled: str) -> None:
    assert "read-only transaction" in message_of(filled, "SELECT nextval('numbers')", UsageError)


def test_a_query_without_rows_and_a_wrong_one_are_told(filled: str) -> None:
    assert message_of(filled, "SELECT id FROM sales WHERE false", DataRefusedError).endswith("has no rows")
    assert 'relation "sale" does not exist' in message_of(filled, "SELECT * FROM sale", UsageError)


def test_many_rows_are_read_in_parts_and_kept_in_a_file(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob, "HELD_BYTES", 0)
    monkeypatch.setattr("tasks.core.formats.values.CHUNK_ROWS", 1000)
    monkeypatch.setattr("tasks.core.reading.store.PIECE_ROWS", 1000)
    options = ReadingOptions(query="SELECT n, n / 2.0 AS half, 'p' || n AS name FROM generate_series(1, 2500) AS n")
    table = reader.read(load(filled, options), options, split_columns).table
    frames = list(table.frames())
    assert [len(frame) for frame in frames] == [1000, 1000, 500]
    assert pd.concat(frames)["n"].tolist() == list(range(1, 2501))
    assert table.df["name"].iloc[-1] == "p2500"


def test_what_people_were_told_is_kept_here_too_and_one_insert_decides_who_tells(database: str) -> None:
    alarm = Alarm("houses", "data_broken", "it broke", "Look at it.")
    telling = Told(1, is_recovery=False, state="telling", at=datetime(2031, 5, 1, tzinfo=UTC), title="it broke")
    told.create(database)
    told.create(database)
    assert [told.claim(database, alarm, LOG, telling) for _ in range(2)] == [True, False]
    told.settle(database, alarm, LOG, 1, "told")
    assert told.past(database, alarm, LOG) == [replace(telling, state="told")]
    assert told.past(database, replace(alarm, code="another"), LOG) == []
