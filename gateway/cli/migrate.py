"""`brightline audit migrate`: makes the tables of a log in PostgreSQL, or brings them up to date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gateway import config as configuration
from gateway.audit import places
from gateway.cli.stored import unusable
from gateway.errors import StartError


def migrate(
    config: Annotated[Path, typer.Option(help="The gateway's configuration, which names the database.")],
    user: Annotated[str, typer.Option(help="Who owns the tables; else the gateway's own user.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="With --user: a file with the password.")] = None,
    lock: Annotated[bool, typer.Option("--lock", help="The database of audit.lock_dsn instead.")] = False,
) -> None:
    """Make the tables in PostgreSQL, or bring them up to date. Nothing that was written is changed.

    With --user, the gateway's own user may add and read records, and neither change nor remove any. Exits with 0, with
    2 when the database can't be reached or changed.

    Example: `brightline audit migrate --config gateway.toml --user brightline_owner --password-file owner.password`
    """
    settings = configuration.load(config).audit
    dsn = settings.lock_dsn if lock else settings.dsn
    if dsn is None:
        raise unusable(f"{config}: {'audit.lock_dsn' if lock else 'audit.dsn'} is not configured")
    # Loaded here: no other command needs them, and they take their time.
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
