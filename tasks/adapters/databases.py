"""The database of the ledger and of what stands beside it: opened in one way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError
from tasks.core.formats.source import with_driver

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

TIMEOUT_S = 60


@contextmanager
def connect(address: str, failed: str) -> Generator[Connection]:
    """Open a transaction, which ends with the block.

    Args:
        address: Of the database.
        failed: What a person is told where it cannot be used.

    Raises:
        StoreError: it cannot.
    """
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

    try:
        arguments = {"timeout": TIMEOUT_S} if address.startswith("sqlite") else {}
        with create_engine(with_driver(address), poolclass=NullPool, connect_args=arguments).begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except (SQLAlchemyError, ArgumentError, ModuleNotFoundError, ValueError) as error:  # ValueError: a port that is no number
        message = f"{failed}: {str(error).splitlines()[0]}; check EVERGREEN_LEDGER_URL and the home"
        raise StoreError(message, where="ledger") from error
