"""The ledger: SQL tables that say who is champion, and what was decided on versions and batches; they are only ever added to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tasks.adapters import databases, home
from tasks.core.champions import Epoch
from tasks.core.decisions import Entry, after
from tasks.core.deliveries import BatchEntry, BatchRows
from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from sqlalchemy import Connection, RowMapping, Select, Table

    from tasks.core.decisions import Kind
    from tasks.core.settings import Settings

CHAIN_TRIES = 100


class _TakenError(Exception):
    """Another version took the epoch."""


def prepare(settings: Settings) -> None:
    """Create the ledger where it is missing, and let readers of the home's own go on while one process writes.

    Raises:
        StoreError: it cannot be created.
    """
    # Tables are looked for and then created, and the switch wants the file alone: of two processes at once one would fail.
    with home.lock(settings.home, "stores"):
        create(settings.ledger_address)
        if not settings.ledger_url:
            home.switch_to_wal(settings.home / "ledger.db")


def create(address: str) -> None:
    """Create the ledger's tables where they are missing, and columns that an older ledger does not have, empty."""
    from sqlalchemy import inspect, text

    with _connect(address) as connection:
        for table in (_champion_table(), _decision_table(), _batch_table()):
            table.metadata.create_all(connection)
            for index in table.indexes:
                index.create(connection, checkfirst=True)
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


def crown(address: str, epoch: Epoch, decision: Entry, *more: Entry) -> bool:
    """Make a version champion, unless another one took its epoch; one INSERT decides, and the rows that say why come with it.

    Returns:
        Whether it became champion.
    """
    from sqlalchemy import insert, select

    values = {**vars(epoch), "manifest": json.dumps(dict(epoch.manifest), sort_keys=True)}

    def take(connection: Connection) -> None:
        line = _champion_table()
        taken = select(line.c.version).where(line.c.use_case == epoch.use_case, line.c.epoch == epoch.epoch)
        if connection.execute(taken).first():
            raise _TakenError
        connection.execute(insert(line).values(values))

    try:
        _chain(address, decision, take, more)
    except _TakenError:
        return False
    return True


def decide(address: str, decision: Entry) -> Entry:
    """Write down a decision on a version behind the last one of its use case, and give it as it is chained."""
    return _chain(address, decision, lambda _: None)


def claim(address: str, wanted: Entry, is_given_up: Callable[[Entry], bool]) -> bool:
    """Write down that something begins, unless a row of the same kind and code says that it has, and that one is not given up.

    Returns:
        Whether it is for the caller to do it.
    """
    table = _decision_table()
    same = _of(table, wanted.use_case).where(table.c.kind == wanted.kind, table.c.code == wanted.code).order_by(table.c.number.desc())

    def refuse_taken(connection: Connection) -> None:
        row = connection.execute(same.limit(1)).mappings().first()
        if row and not is_given_up(_decision(row)):
            raise _TakenError

    try:
        _chain(address, wanted, refuse_taken)
    except _TakenError:
        return False
    return True


def decisions_after(address: str, use_case: str, number: int) -> list[Entry]:
    """List the decisions behind a place in the chain, the first one first."""
    table = _decision_table()
    with _connect(address) as connection:
        rows = connection.execute(_of(table, use_case).where(table.c.number > number).order_by(table.c.number)).mappings()
        return [_decision(row) for row in rows]


def last_decisions(address: str, use_case: str, kind: Kind, most: int) -> list[Entry]:
    """List the last decisions of a kind, so many at most, the first one first."""
    table = _decision_table()
    with _connect(address) as connection:
        wanted = _of(table, use_case).where(table.c.kind == kind).order_by(table.c.number.desc()).limit(most)
        return [_decision(row) for row in connection.execute(wanted).mappings()][::-1]


def decisions(address: str, use_case: str, kinds: Collection[Kind] = ()) -> list[Entry]:
    """List the decisions on a use case, the first one first: all of them, or those of some kinds."""
    table = _decision_table()
    wanted = _of(table, use_case).where(table.c.kind.in_(kinds)) if kinds else _of(table, use_case)
    with _connect(address) as connection:
        rows = connection.execute(wanted.order_by(table.c.number)).mappings()
        return [_decision(row) for row in rows]


def last_row(address: str, use_case: str) -> Entry | None:
    """Give the last decision on a use case, whatever its kind; None where there is none."""
    table = _decision_table()
    return _only(address, _of(table, use_case).order_by(table.c.number.desc()).limit(1))


def decision_at(address: str, use_case: str, number: int) -> Entry | None:
    """Give one decision by its place in the chain; None where there is none."""
    table = _decision_table()
    return _only(address, _of(table, use_case).where(table.c.number == number))


def last_decision(address: str, use_case: str, kinds: Collection[Kind], version: int | None = None) -> Entry | None:
    """Give the last decision of some kinds, on one version if it is named; None where there is none."""
    from sqlalchemy import func, select, union_all

    table = _decision_table()
    meant = (table.c.use_case == use_case, *(() if version is None else (table.c.version == version,)))
    # Each kind on its own, because a search for all of them at once goes through the chain instead of the index.
    last = union_all(*(select(func.max(table.c.number).label("number")).where(*meant, table.c.kind == kind) for kind in kinds)).subquery()
    return _only(address, _of(table, use_case).where(table.c.number == select(func.max(last.c.number)).scalar_subquery()))


def _of(table: Table, use_case: str) -> Select[Any]:
    from sqlalchemy import select

    return select(table).where(table.c.use_case == use_case)


def _only(address: str, query: Select[Any]) -> Entry | None:
    with _connect(address) as connection:
        row = connection.execute(query).mappings().first()
        return _decision(row) if row else None


def _decision(row: RowMapping) -> Entry:
    return Entry(**{**row, "inputs": json.loads(row["inputs"])})


def _values(entry: Entry) -> dict[str, object]:
    return {**vars(entry), "inputs": json.dumps(dict(entry.inputs), ensure_ascii=False)}


def _chain(address: str, decision: Entry, also: Callable[[Connection], None], more: tuple[Entry, ...] = ()) -> Entry:
    """Write rows behind the last one in one transaction with what they are about; who comes second reads again."""
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    table = _decision_table()
    last = _of(table, decision.use_case).order_by(table.c.number.desc()).limit(1)
    for _ in range(CHAIN_TRIES):
        try:
            with _connect(address) as connection:
                row = connection.execute(last).mappings().first()
                chained = after((decision, *more), _decision(row) if row else None)
                also(connection)
                connection.execute(insert(table), [_values(entry) for entry in chained])
                return chained[0]
        except IntegrityError:
            continue
    message = f"the decision on {decision.use_case} could not be written: others wrote before it {CHAIN_TRIES} times; try again"
    raise StoreError(message, where="ledger")


def use_cases(address: str) -> list[str]:
    """Name the use cases on whose versions or batches something was decided."""
    from sqlalchemy import select, union

    names = union(*(select(table.c.use_case) for table in (_champion_table(), _decision_table(), _batch_table())))
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


def _decision_table() -> Table:
    from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

    return Table(
        "decision",
        MetaData(),
        Column("use_case", String(60), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(20), nullable=False),
        Column("version", Integer, nullable=False),
        Column("code", String(40), nullable=False),
        Column("reason", Text, nullable=False),
        Column("who", Text, nullable=False),
        Column("decided_at", String(40), nullable=False),
        Column("because", Text, nullable=False),
        Column("inputs", Text, nullable=False),
        Column("previous", String(64), nullable=False),
        Column("digest", String(64), nullable=False),
        Index("decision_by_kind", "use_case", "kind", "number", "version"),  # who reads the champion does not read the whole chain
    )


@contextmanager
def _connect(address: str) -> Generator[Connection]:
    with databases.connect(address, "the ledger cannot be used") as connection:
        yield connection
