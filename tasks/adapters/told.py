"""What people were told: an SQL table beside the ledger, to which each telling adds a row before it begins."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.adapters import databases
from tasks.core.alarms import Told, standing_of

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from sqlalchemy import Connection, Table

    from tasks.core.alarms import Alarm, Channel, State


def create(address: str) -> None:
    """Create the table where it is missing."""
    with _connect(address) as connection:
        _table().metadata.create_all(connection)


def past(address: str, alarm: Alarm, channel: Channel) -> list[Told]:
    """List what a channel was told of an alarm, the first time first."""
    from sqlalchemy import select

    table = _table()
    columns = (table.c.number, table.c.is_recovery, table.c.state, table.c.at, table.c.title)
    mine = (table.c.use_case == alarm.use_case, table.c.code == alarm.code, table.c.channel == channel.key)
    with _connect(address) as connection:
        rows = connection.execute(select(*columns).where(*mine).order_by(table.c.number)).all()
    return [Told(number, is_recovery, state, datetime.fromisoformat(at), title) for number, is_recovery, state, at, title in rows]


def standing(address: str, use_case: str, codes: Collection[str]) -> set[str]:
    """Name the alarms of these codes that some channel was told of and does not know to be over; cheap where none was ever told."""
    from sqlalchemy import inspect, select

    table, told = _table(), dict[tuple[str, str], list[Told]]()
    columns = (table.c.code, table.c.channel, table.c.number, table.c.is_recovery, table.c.state, table.c.at, table.c.title)
    with _connect(address) as connection:
        if not inspect(connection).has_table(table.name):
            return set()
        mine = select(*columns).where(table.c.use_case == use_case, table.c.code.in_(codes)).order_by(table.c.number)
        for code, channel, number, is_recovery, state, at, title in connection.execute(mine):
            told.setdefault((code, channel), []).append(Told(number, is_recovery, state, datetime.fromisoformat(at), title))
    return {code for (code, _), past in told.items() if standing_of(past)}


def claim(address: str, alarm: Alarm, channel: Channel, telling: Told) -> bool:
    """Take it upon this process to tell a channel, unless another one just did; one INSERT decides.

    Returns:
        Whether it is this one that tells.
    """
    from sqlalchemy import insert
    from sqlalchemy.exc import IntegrityError

    values = {**vars(telling), "at": telling.at.isoformat(), "use_case": alarm.use_case, "code": alarm.code, "channel": channel.key}
    try:
        with _connect(address) as connection:
            connection.execute(insert(_table()).values(values))
    except IntegrityError:
        return False
    return True


def settle(address: str, alarm: Alarm, channel: Channel, number: int, state: State) -> None:
    """Write down what became of a telling."""
    from sqlalchemy import update

    table = _table()
    mine = (table.c.use_case == alarm.use_case, table.c.code == alarm.code, table.c.channel == channel.key, table.c.number == number)
    with _connect(address) as connection:
        connection.execute(update(table).where(*mine).values(state=state))


def _table() -> Table:
    from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text

    return Table(
        "told",
        MetaData(),
        Column("use_case", String(60), primary_key=True),
        Column("code", String(80), primary_key=True),
        Column("channel", String(16), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("is_recovery", Boolean, nullable=False),
        Column("state", String(10), nullable=False),
        Column("at", String(40), nullable=False),
        Column("title", Text, nullable=False),
    )


@contextmanager
def _connect(address: str) -> Generator[Connection]:
    with databases.connect(address, "what people were told cannot be looked up") as connection:
        yield connection
