"""The process of a home's Prefect server: `python -m tasks.adapters.server_process FOLDER LISTENER [stays]`.

It ends when it can take the lock that every client holds; one that stays begins to try when it is told to (SIGUSR1).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import FrameType

    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

LAST_REQUESTS_S = 5


class WritersInTurn(AioSqliteConfiguration):
    """Prefect's SQLite, where whoever may write waits for the turn before reading.

    Prefect 3.8 begins most transactions deferred: they read, and ask for the turn to write later. If another one has
    written in between, SQLite refuses that at once, whatever the busy timeout (SQLITE_BUSY_SNAPSHOT; see
    https://www.sqlite.org/isolation.html). The server then answers 503, which Prefect's clients try again and its
    pages do not: a submitted form is lost without a word.
    """

    @override
    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        del with_for_update  # what Prefect calls the few transactions that begin so already
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


def serve(folder: Path, listener: int, *, stays: bool) -> None:
    """Serve on a socket that listens until no client is left, and where it stays, until it is told to end as well."""
    set_database_config(WritersInTurn(os.environ["PREFECT_API_DATABASE_CONNECTION_URL"]))
    config = uvicorn.Config(
        "prefect.server.api.server:create_app",
        factory=True,
        log_level="warning",
        timeout_graceful_shutdown=LAST_REQUESTS_S,  # a page that is open in a browser asks for ever
    )
    server = uvicorn.Server(config)

    def end_with_last_client() -> None:
        with (folder / "clients.lock").open("a") as clients:
            fcntl.flock(clients, fcntl.LOCK_EX)
            server.should_exit = True
            # A newcomer waits for this lock until the process, and with it the database, is gone.
            threading.Event().wait()

    def begin_to_end(_number: int = 0, _frame: FrameType | None = None) -> None:
        threading.Thread(target=end_with_last_client, daemon=True).start()

    if stays:
        signal.signal(signal.SIGUSR1, begin_to_end)
    else:
        begin_to_end()
    server.run(sockets=[socket.socket(fileno=listener)])


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), stays=sys.argv[3:] == ["stays"])
