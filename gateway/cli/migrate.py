"""`brightline audit migrate`: updates the tables of a log, and creates them in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from brightline_verify.stored import CorruptError
from gateway import config as configuration
from gateway.audit import places
from gateway.audit.sqlite import Sqlite
from gateway.cli.log_options import unusable
from gateway.config import Audit
from gateway.errors import StartError


def migrate(
    config: Annotated[Path, typer.Option(help="The gateway's configuration, which names the database.")],
    user: Annotated[str, typer.Option(help="Who owns the tables; else the gateway's own user.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="With --user: a file with the password.")] = None,
    lock: Annotated[bool, typer.Option("--lock", help="The database of audit.lock_dsn instead.")] = False,
) -> None:
    """Make the tables in PostgreSQL, or bring those of a log up to date. Existing records are not changed.

    A log in SQLite needs this only to prove old records as fast as new ones, and its gateway has to be stopped. With
    --user, the gateway's own database user may add and read records, but not change or remove any. Exits with 0, with 2
    when the database can't be reached or changed.

    Example: `brightline audit migrate --config gateway.toml --user brightline_owner --password-file owner.password`
    """
    settings = configuration.load(config).audit
    dsn = settings.lock_dsn if lock else settings.dsn
    if dsn is None and (lock or user):
        raise unusable(f"{config}: {'audit.lock_dsn' if lock else 'audit.dsn'} is not configured")
    if dsn is None:
        _fill(settings)
        return
    # Imported here because no other command needs them, and importing takes time.
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from gateway.audit.postgres.migrate import migrate as bring_up  # noqa: PLC0415

    server = places.lock_server(settings) if lock else places.server(settings, places.TO_READ_S)
    role = None
    if user:
        server = replace(server, dsn=make_conninfo(dsn, user=user), password_file=password_file)
        role = str(conninfo_to_dict(dsn)["user"])
    try:
        bring_up(replace(server, limit_s=places.TO_MIGRATE_S), role, lock=lock)
    except (OSError, StartError, SQLAlchemyError) as error:
        raise unusable(f"{server}: {str(error).splitlines()[0]}") from error
    typer.echo(f"the tables in {server} are up to date")


def _fill(settings: Audit) -> None:
    log = Sqlite(settings.path)
    if not settings.path.exists():
        raise unusable(f"{log}: there is no log yet; the gateway's start makes it")
    try:
        log.open(settings.origin)
        filled = log.fill()
    except (OSError, StartError, CorruptError) as error:
        raise unusable(str(error) if str(log) in str(error) else f"{log}: {error}") from error
    finally:
        log.release()
    typer.echo(f"the tables in {settings.path} are up to date; {filled} blocks of nodes are new")
