"""The ledger of token identifiers: which token used a jti first, kept until the token has expired.

It is a small SQLite file that survives a restart. Rows hold digests, not tokens or names.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gateway.canonical import canonical
from gateway.errors import GatewayError, Reason, StartError

T = TypeVar("T")

_BUSY_S = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (
    jti BLOB PRIMARY KEY, -- SHA-256 of issuer and jti
    content BLOB NOT NULL, -- SHA-256 of what was signed
    expires_s INTEGER NOT NULL -- seconds since 1970, leeway included
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_expires ON used (expires_s);
CREATE TABLE IF NOT EXISTS forgotten (through_s INTEGER NOT NULL);
INSERT INTO forgotten SELECT 0 WHERE NOT EXISTS (SELECT * FROM forgotten);
"""
_TRIED = "INSERT OR REPLACE INTO used VALUES (x'', randomblob(8), 0)"
"""A row of no token, each time another: SQLite writes nothing where nothing changes. It goes as expired ones do."""
_EXPIRED = "SELECT jti, expires_s FROM used WHERE expires_s <= ? ORDER BY expires_s LIMIT 2"


class Ledger:
    """Opened by open_ledger. All uses of the file happen on a dedicated thread, never on the event loop's."""

    def __init__(self, database: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._database = database
        self._thread = thread

    async def claim(
        self, issuer: str, token_id: str, content: bytes, *, expires_s: int, now_s: int, once: bool
    ) -> None:
        """Durably claim the jti for this token. content: SHA-256 of what was signed.

        once: refuse even the same token a second time. expires_s: seconds since 1970, leeway included.
        Raises GatewayError: TOKEN_REPLAYED, TOKEN_EXPIRED, or IDENTITY_UNAVAILABLE if the file can't be written.
        If the call is cancelled here, its token may be used up.
        """
        jti = sha256(canonical([issuer, token_id])).digest()
        await self._written(lambda: _claim(self._database, jti, content, expires_s, now_s, once=once))

    async def check(self) -> None:
        """Raise GatewayError(IDENTITY_UNAVAILABLE) unless something can be written, durably."""
        await self._written(lambda: self._database.execute(_TRIED))

    async def close(self) -> None:
        """Close the file."""
        await self._run(self._database.close)
        self._thread.shutdown()

    async def _written(self, function: Callable[[], object]) -> None:
        try:
            await self._run(function)
        except sqlite3.Error as error:
            raise GatewayError(
                Reason.IDENTITY_UNAVAILABLE,
                "tokens can't be checked for replay at the moment",
                detail=f"ledger: {type(error).__name__}: {error}",
            ) from error

    async def _run(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


async def open_ledger(path: Path) -> Ledger:
    """Open or create the file. Raises StartError."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
    try:
        database = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
    except sqlite3.Error as error:
        thread.shutdown()
        raise StartError(f"identity.ledger: {path}: cannot be used: {error}") from error
    return Ledger(database, thread)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        if database.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
            raise sqlite3.OperationalError("the file system does not support a write-ahead log")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _claim(database: sqlite3.Connection, jti: bytes, content: bytes, expires_s: int, now_s: int, *, once: bool) -> None:
    # Crash before the commit: the jti is unused, and nothing was decided for its bearer. Crash after it: the jti is
    # used. A bound token works again in the next call; a single-use token is spent, though its call was never answered.
    with database:  # commits, or rolls back on an error
        database.execute("BEGIN IMMEDIATE")
        (through_s,) = database.execute("SELECT through_s FROM forgotten").fetchone()
        if expires_s <= through_s:
            raise GatewayError(Reason.TOKEN_EXPIRED, "the access token has expired", detail="the ledger forgot its jti")
        row = database.execute("SELECT content FROM used WHERE jti = ?", (jti,)).fetchone()
        if row is None:
            _forget_expired(database, now_s)
            database.execute("INSERT INTO used VALUES (?, ?, ?)", (jti, content, expires_s))
        elif once or row != (content,):
            raise GatewayError(
                Reason.TOKEN_REPLAYED, "the identifier of this access token was used before", detail="jti replayed"
            )


def _forget_expired(database: sqlite3.Connection, now_s: int) -> None:
    """Delete two expired rows for each new one, so that no claim waits for a long clean-up.

    The latest expiry among deleted rows is kept: a token that expired by then stays refused if the clock is set back.
    """
    for jti, expires_s in database.execute(_EXPIRED, (now_s,)).fetchall():
        database.execute("DELETE FROM used WHERE jti = ?", (jti,))
        database.execute("UPDATE forgotten SET through_s = max(through_s, ?)", (expires_s,))
