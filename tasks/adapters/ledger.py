"""The ledger: SQL tables that say who is champion, and what was decided on each batch; they are only ever added to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.core.champions import Epoch
from tasks.core.deliveries import BatchEntry, BatchRows
from tasks.core.errors import StoreError
from tasks.core.formats.source import with_driver

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection, Table


def create(address: str) -> None:
    """Create the ledger's tables where they are missing, and columns that an older ledger does not have, empty."""
    from sqlalchemy import inspect, text

    with _connect(address) as connection:
        for table in (_champion_table(), _batch_table()):
            table.metadata.create_all(connection)
            known = {column["name"] for column in inspect(connection).get_columns(table.name)}
            for column in table.columns:
                if column.name not in known:
                    kind = column.type.compile(connection.dialect)
                    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind} NOT NULL DEFAULT ''"))


def line_of_champions(address: str, use_case: str) -> list[Epoch]:
    """List the champions of a use case, the first one first."""
    from sqlalchemy import select

    table = _champion_table()
    with _connect(address) as connection:
        rows = connection.execute(select(table).where(table.c.use_case == use_case).order_by(table.c.epoch)).mappings()
        return [Epoch(**{**row, "manifest": json.loads(row["manifest"])}) for row in rows]


def crown(address: str, epoch: Epoch) -> bool:
    """Make a version champion, unless another one took its epoch; one INSERT decides.

    Returns:
        Whether it became champion.
    """
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    values = {**vars(epoch), "manifest": json.dumps(dict(epoch.manifest), sort_keys=True)}
    try:
        with _connect(address) as connection:
            connection.execute(insert(_champion_table()).values(values))
    except IntegrityError:
        return False
    return True


def use_cases(address: str) -> list[str]:
    """Name the use cases that have a champion, or batches that were decided on."""
    from sqlalchemy import select, union

    names = union(*(select(table.c.use_case) for table in (_champion_table(), _batch_table())))
    with _connect(address) as connection:
        return sorted(connection.execute(names).scalars())


def batches(address: str, use_case: str) -> list[BatchEntry]:
    """List the decisions on batches of a use case, the first one first."""
    from sqlalchemy import select

    table = _batch_table()
    with _connect(address) as connection:
        rows = connection.execute(select(table).where(table.c.use_case == use_case).order_by(table.c.number)).mappings()
        return [_entry(dict(row)) for row in rows]


def record(address: str, entry: BatchEntry) -> bool:
    """Write down a decision on a batch, unless another process just did; one INSERT decides.

    Returns:
        Whether it is this one that stands.
    """
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    values = {**vars(entry), "rows": entry.rows.model_dump_json(), "reasons": json.dumps(entry.reasons, ensure_ascii=False)}
    try:
        with _connect(address) as connection:
            connection.execute(insert(_batch_table()).values(values))
    except IntegrityError:
        return False
    return True


def _entry(row: dict[str, Any]) -> BatchEntry:
    del row["number"]
    rows, reasons = BatchRows.model_validate_json(row.pop("rows")), tuple(json.loads(row.pop("reasons")))
    return BatchEntry(**row, rows=rows, reasons=reasons)


def _batch_table() -> Table:
    from sqlalchemy import Column, Integer, MetaData, String, Table, Text, UniqueConstraint

    return Table(
        "batch",
        MetaData(),
        Column("number", Integer, primary_key=True),
        Column("use_case", String(60), nullable=False, index=True),
        Column("digest", String(64), nullable=False),
        Column("decision", String(20), nullable=False),
        Column("name", Text, nullable=False),
        Column("kind", String(20), nullable=False),
        Column("rows", Text, nullable=False),
        Column("reasons", Text, nullable=False),
        Column("because", Text, nullable=False),
        Column("who", Text, nullable=False),
        Column("decided_at", String(40), nullable=False),
        Column("profile", Text, nullable=False),
        Column("staged", Text, nullable=False),
        Column("mends", String(64), nullable=False),
        UniqueConstraint("use_case", "digest", "decision"),
    )


def _champion_table() -> Table:
    from sqlalchemy import Column, Integer, MetaData, String, Table, Text

    return Table(
        "champion",
        MetaData(),
        Column("use_case", String(60), primary_key=True),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("version", Integer, nullable=False),
        Column("run_id", String(64), nullable=False),
        Column("code", String(40), nullable=False),
        Column("reason", Text, nullable=False),
        Column("decided_at", String(40), nullable=False),
        Column("manifest", Text, nullable=False),
        Column("lake", Text, nullable=False),
    )


@contextmanager
def _connect(address: str) -> Generator[Connection]:
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

    try:
        arguments = {"timeout": 60} if address.startswith("sqlite") else {}
        with create_engine(with_driver(address), poolclass=NullPool, connect_args=arguments).begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except (SQLAlchemyError, ArgumentError, ModuleNotFoundError, ValueError) as error:  # ValueError: a port that is no number
        message = f"the ledger cannot be used: {str(error).splitlines()[0]}; check EVERGREEN_LEDGER_URL and the home"
        raise StoreError(message, where="ledger") from error
