"""Rows that one query reads from a database, in which nothing can be changed on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tasks.adapters.sources.files import check_is_file, unreadable
from tasks.adapters.sources.urls import REMOTE
from tasks.core.errors import UsageError
from tasks.core.formats.columns import check_distinct
from tasks.core.formats.queries import check_reads_only
from tasks.core.formats.source import Content, listed, missing_package, shown_url, with_driver
from tasks.core.formats.values import rows_table
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    import sqlalchemy as sa

    from tasks.core.reading.terms import ReadingOptions

DATABASES = ("postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle")


def queried(source: str, options: ReadingOptions) -> Content:
    """Give the rows of `options.query`.

    Raises:
        UsageError: the database cannot be reached, the query is missing or wrong, or may change something.
        DataRefusedError: a column holds what has no place in a table.
    """
    from sqlalchemy.exc import SQLAlchemyError

    url = _database_url(source)
    shown = url.set(query={}).render_as_string(hide_password=True)
    if options.query is not None:
        check_reads_only(options.query)
    try:
        engine = _engine(url, shown)
        with engine.connect() as connection:
            if options.query is None:
                raise _no_query(connection, shown)
            return _rows(connection, options.query, shown, options)
    except SQLAlchemyError as error:
        reason = (str(getattr(error, "orig", None) or error).strip().splitlines() or [""])[0].strip()
        message = f"{shown}: {reason.replace(url.password or shown, '***' if url.password else shown)}"
        raise UsageError(message, where=shown) from error


def _database_url(source: str) -> sa.URL:
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError

    scheme = source.partition("://")[0].lower()
    if scheme.partition("+")[0] not in DATABASES:
        what = "kind of URL"
        raise UsageError.unknown(what, f"{scheme}://", [f"{name}://" for name in (*REMOTE, *DATABASES)], where=shown_url(source))
    try:
        return sa.make_url(with_driver(source))
    except (ArgumentError, ValueError) as error:
        message = f"'{shown_url(source)}' is no database URL; write it as postgresql://user:password@host/database"
        raise UsageError(message, where=shown_url(source)) from error


def _engine(url: sa.URL, shown: str) -> sa.Engine:
    """Give an engine on which nothing can be written, as far as the database knows how to forbid it."""
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    if url.get_backend_name() == "sqlite":
        return sa.create_engine("sqlite://", creator=_sqlite(url.database, shown), poolclass=NullPool)
    try:
        engine = sa.create_engine(url, poolclass=NullPool)
    except ImportError as error:
        raise missing_package(error.name or "psycopg", f"{url.drivername}:// URLs") from error
    return engine.execution_options(postgresql_readonly=True) if engine.dialect.name == "postgresql" else engine


def _sqlite(database: str | None, shown: str) -> Callable[[], sqlite3.Connection]:
    import sqlite3

    if not database or database == ":memory:":
        message = f"'{shown}' names no file; write it as sqlite:///folder/file.db"
        raise UsageError(message, where=shown)
    try:
        check_is_file(Path(database).stat(), database)
    except (OSError, ValueError) as error:
        raise unreadable(database, error) from error
    return lambda: sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True)


def _no_query(connection: sa.Connection, shown: str) -> UsageError:
    import sqlalchemy as sa

    inspector = sa.inspect(connection)
    names = sorted([*inspector.get_table_names(), *inspector.get_view_names()])
    if not names:
        return UsageError(f"{shown} holds no tables", where=shown)
    message = f"{shown} holds {listed(names)}; say which rows with --read query='SELECT * FROM {names[0]}'"  # noqa: S608  # an example
    return UsageError(message, where="--read query")


def _rows(connection: sa.Connection, query: str, shown: str, known: ReadingOptions) -> Content:
    if connection.dialect.name in {"mysql", "mariadb"}:
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.commit()
    options = {"stream_results": True, "no_parameters": True}  # a `%` or `:` in the query is only that
    result = connection.exec_driver_sql(query, execution_options=options)
    names = list(result.keys())
    check_distinct(names, shown)
    booleans = _declared_booleans(connection, query) if connection.dialect.name == "sqlite" else []
    rows = (dict(zip(names, row, strict=True)) for row in result)
    table, note = rows_table((_with_booleans(row, booleans) for row in rows) if booleans else rows, shown, known)
    return Content(shown, "sql", table=table, repairs=(Repair("mixed_types", (), note),) if note else ())


def _declared_booleans(connection: sa.Connection, query: str) -> list[str]:
    """Name the columns of a query that their SQLite tables declare as booleans, of which rows hold 1 and 0."""
    connection.exec_driver_sql(f"CREATE TEMP VIEW evergreen_query AS {query}")  # in memory; of a view SQLite tells the declared types
    columns = connection.exec_driver_sql("PRAGMA temp.table_info(evergreen_query)")
    return [column.name for column in columns if column.type.upper() in ("BOOLEAN", "BOOL")]


def _with_booleans(row: dict[str, object], booleans: list[str]) -> dict[str, object]:
    return row | {name: bool(row[name]) for name in booleans if row[name] in (0, 1)}
