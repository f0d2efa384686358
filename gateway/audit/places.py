"""Locates a log's database and its lock store, according to the configuration.

psycopg is imported only if PostgreSQL is configured.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from brightline_verify.database import File
from brightline_verify.note import Verifier
from brightline_verify.stored import Source
from gateway.audit.index import Held, index_path
from gateway.audit.kept import Kept, Place
from gateway.audit.keys import load_verifier
from gateway.audit.lock_store import Folder
from gateway.audit.marks import tail_path
from gateway.audit.sqlite import Sqlite
from gateway.config import Audit
from gateway.errors import StartError

if TYPE_CHECKING:
    from gateway.audit.postgres.connection import Server

TO_READ_S = 60.0
"""Generous: nobody waits for a read but the one who asked for it."""
TO_MIGRATE_S = 3600.0


def source(settings: Audit, origin: str | None = None) -> Source:
    """The log, for readers other than its gateway. origin: of another log in the same PostgreSQL database."""
    if settings.dsn is None:
        return File(settings.path)
    from gateway.audit.postgres.reading import Database  # noqa: PLC0415 - see above

    if origin not in {None, settings.origin}:  # only that gateway's configuration names its lock store
        return Database(server(settings, TO_READ_S), str(origin))
    return Database(server(settings, TO_READ_S), settings.origin, lock_store(settings))


def sources(settings: Audit) -> list[Source]:
    """Every log kept together with this one, including itself. Raises UnreadableError."""
    if settings.dsn is None:
        return [source(settings)]
    from gateway.audit.postgres.reading import origins  # noqa: PLC0415 - see above

    return [source(settings, origin) for origin in origins(server(settings, TO_READ_S))]


def held(settings: Audit) -> Held:
    """The log, and the path of its index."""
    return Held(source(settings), index_path(settings.path))


def together(settings: Audit) -> list[Held]:
    """Every log kept together with this one, including itself, with its index. Raises UnreadableError."""
    if settings.dsn is None:
        return [held(settings)]
    from gateway.audit.postgres.reading import origins  # noqa: PLC0415 - see above

    others = [origin for origin in origins(server(settings, TO_READ_S)) if origin != settings.origin]
    return [held(settings), *(Held(source(settings, o), other_index(settings, o)) for o in others)]


def keys(settings: Audit) -> dict[str, Verifier]:
    """The public keys of other gateways' logs in the same database, by the name of the log. Raises StartError."""
    found: dict[str, Verifier] = {}
    for path in settings.other_keys:
        key = load_verifier(path, "audit.other_keys")
        if key.name in {settings.origin, *found}:
            raise StartError(f"audit.other_keys: {path}: is one more key of {key.name}")
        found[key.name] = key
    return found


def other_index(settings: Audit, origin: str) -> Path:
    """The path of the index for another gateway's log in the same database. Works for any name of a log."""
    return settings.path.with_name(f"{quote(origin, safe='')}.index")


def name(settings: Audit) -> str:
    """The log's name for messages: its configuration key and its location."""
    return str(kept(settings))


def kept(settings: Audit) -> Kept:
    """The log, for the gateway that writes it."""
    if settings.dsn is None:
        return Sqlite(settings.path)
    from gateway.audit.postgres.writing import Postgres  # noqa: PLC0415 - see above

    return Postgres(server(settings, settings.deadline_ms / 1000), tail_path(settings.path))


def lock_store(settings: Audit) -> Place | None:
    """The lock store for the latest checkpoint; None if not configured."""
    if settings.lock_store is not None:
        return Folder(settings.lock_store, settings.origin)
    if settings.lock_dsn is None:
        return None
    from gateway.audit.postgres.lock import Remote  # noqa: PLC0415 - see above

    return Remote(lock_server(settings), settings.origin)


def server(settings: Audit, limit_s: float) -> Server:
    """The PostgreSQL server of a log."""
    from gateway.audit.postgres.connection import Server  # noqa: PLC0415 - see above

    return Server(settings.dsn or "", settings.password_file, "audit.dsn", limit_s)


def lock_server(settings: Audit) -> Server:
    """The PostgreSQL server of a lock store."""
    from gateway.audit.postgres.connection import Server  # noqa: PLC0415 - see above

    limit_s = settings.deadline_ms / 1000
    return Server(settings.lock_dsn or "", settings.lock_password_file, "audit.lock_dsn", limit_s)


def check(settings: Audit) -> None:
    """Check that a gateway would find what it needs in its databases. Raises StartError, PostgresError."""
    if settings.dsn is None:
        return
    from gateway.audit.postgres.connection import check_durable, told  # noqa: PLC0415 - see above
    from gateway.audit.postgres.writing import check_schema  # noqa: PLC0415 - see above

    with closing(server(settings, TO_READ_S).connect()) as db, told():
        check_durable(db)
        check_schema(db)


def is_near(settings: Audit) -> bool:
    """Whether log and lock store are so close that both could be lost or restored together."""
    if settings.lock_store is not None and settings.dsn is None:
        return settings.lock_store.stat().st_dev == settings.path.parent.stat().st_dev
    return settings.lock_dsn is not None and settings.lock_dsn == settings.dsn
