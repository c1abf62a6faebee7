"""What people were told: an SQL table beside the ledger, to which each telling adds a row before it begins."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.adapters import databases
from tasks.core.alarms import Told

if TYPE_CHECKING:
    from collections.abc import Generator

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
