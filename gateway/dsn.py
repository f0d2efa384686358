"""Checks PostgreSQL connection strings in the configuration: they name what to reach and contain no secrets.

psycopg is imported only when there is a string to check, because a gateway without PostgreSQL does not need it.
"""

from __future__ import annotations

from typing import Final

_REFUSED: Final = (
    "password",
    "passfile",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
    "sslkeylogfile",
    "service",
    "servicefile",
    "options",
)
_NEEDED: Final = ("host", "dbname", "user")


def checked(dsn: str) -> str:
    """The string, if it names host, database and user and no secret. Raises ValueError, which does not quote it."""
    given = _parts(dsn)
    if given is None:
        raise ValueError('is no connection string; write "host=... dbname=... user=... sslmode=verify-full"')
    if refused := [word for word in _REFUSED if word in given]:
        raise ValueError(f"{refused[0]} does not belong here; a password is in a file with mode 0600: password_file")
    if missing := [word for word in _NEEDED if not given.get(word)]:
        raise ValueError(f"{missing[0]} is missing; name host, dbname and user")
    return dsn


def is_protected(dsn: str | None) -> bool:
    """Whether the connection is safe: the server's name is verified, or the server is reached by a Unix socket.

    If the string has a hostaddr, that is the address to connect to, and host is only a name.
    """
    if dsn is None:
        return True
    given = _parts(dsn) or {}
    hosts = (given.get("host") or "").split(",")
    sockets = not given.get("hostaddr") and all(host.startswith("/") for host in hosts)
    return given.get("sslmode") == "verify-full" or sockets


def _parts(dsn: str) -> dict[str, str] | None:
    from psycopg import Error  # noqa: PLC0415 - see above
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - see above

    try:
        return {word: str(value) for word, value in conninfo_to_dict(dsn).items()}
    except (Error, ValueError):  # its text may quote the string
        return None
