from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prefect.server.database.configurations import AioSqliteConfiguration, BaseDatabaseConfiguration
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tasks.adapters.server_process import WritersInTurn

if TYPE_CHECKING:
    from pathlib import Path


async def two_who_read_and_write(database: BaseDatabaseConfiguration) -> int:
    """Begin to count one up while another does the same, and give how far they came."""
    engine = await database.engine()

    async def count_up(meanwhile: asyncio.Event) -> None:
        async with await database.session(engine) as session, database.begin_transaction(session):
            counted = (await session.execute(text("select n from counted"))).scalar_one()
            meanwhile.set()
            await asyncio.sleep(0.1)
            await session.execute(text("update counted set n = :n"), {"n": counted + 1})

    async with await database.session(engine) as session:
        await session.execute(text("create table counted as select 0 as n"))
    first_has_read = asyncio.Event()
    first = asyncio.create_task(count_up(first_has_read))
    await first_has_read.wait()
    await asyncio.gather(first, count_up(asyncio.Event()))
    async with await database.session(engine) as session:
        return (await session.execute(text("select n from counted"))).scalar_one()


def test_who_writes_in_prefects_database_waits_for_who_writes_already(tmp_path: Path) -> None:
    assert asyncio.run(two_who_read_and_write(WritersInTurn(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}"))) == 2


def test_prefects_own_way_refuses_the_second_one_at_once(tmp_path: Path) -> None:
    """The day it does not, ours can go."""
    with pytest.raises(OperationalError, match="database is locked"):
        asyncio.run(two_who_read_and_write(AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")))
