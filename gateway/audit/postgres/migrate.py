"""Migrates the tables of a database with Alembic. The owner of the database runs this, not a gateway."""

from __future__ import annotations

from functools import partial
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from gateway.audit.postgres.connection import Server
from gateway.audit.postgres.schema import SCHEMA
from gateway.errors import StartError

_MAY = {"logs": "SELECT, INSERT", "entries": "SELECT, INSERT", "checkpoints": "SELECT, INSERT"}
_LOCKING = {"locks": "SELECT, INSERT, UPDATE"}


def migrate(server: Server, role: str | None = None, *, lock: bool = False) -> None:
    """Create or change the tables. role: the role that a gateway logs in as; it may add and read, and nothing else.

    lock: the database is a lock store. Raises PostgresError, sqlalchemy.exc.SQLAlchemyError, StartError.
    """
    engine = create_engine(
        "postgresql+psycopg://", creator=partial(server.connect, autocommit=False), poolclass=NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(files("gateway.audit.postgres") / "migrations"))
    # Crash before this commit: the tables are unchanged, because one transaction makes all changes.
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StartError(f"the tables are of no revision that this gateway knows: {error}") from error
        if role is not None:
            for statement in _grants(role, _LOCKING if lock else _MAY):
                connection.exec_driver_sql(statement.as_string(None))


def _grants(role: str, rights: dict[str, str]) -> list[sql.Composed]:
    to, schema = sql.Identifier(role), sql.Identifier(SCHEMA)
    grants = [sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, to)]
    for table, right in {**rights, "alembic_version": "SELECT"}.items():
        grants.append(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(right), sql.Identifier(SCHEMA, table), to))
    return grants
