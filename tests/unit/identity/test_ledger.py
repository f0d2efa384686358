"""The ledger of jti: durable before it answers, refusing when it can't write, small for ever."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import Reason, StartError
from gateway.identity.ledger import Ledger, open_ledger
from tests.support.desk import Desk, reason_of

HOLDER = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.identity.ledger import open_ledger

async def main():
    ledger = await open_ledger(Path(sys.argv[1]))
    await ledger.claim("issuer", "jti", b"first", expires_s=100, now_s=0, once=False)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = await open_ledger(tmp_path / "ledger")
    yield ledger
    await ledger.close()


async def claim(
    ledger: Ledger, jti: str, content: bytes = b"first", *, expires_s: int = 100, now_s: int = 0, once: bool = False
) -> None:
    await ledger.claim("issuer", jti, content, expires_s=expires_s, now_s=now_s, once=once)


async def test_a_jti_is_one_tokens(ledger: Ledger) -> None:
    """The same token may come again, another one with its jti may not."""
    await claim(ledger, "a")
    await claim(ledger, "a")
    assert await reason_of(claim(ledger, "a", b"second")) is Reason.TOKEN_REPLAYED
    await claim(ledger, "b", b"second")


async def test_once_means_once(ledger: Ledger) -> None:
    """A token that was used at all is refused where tokens are single-use."""
    await claim(ledger, "a")
    assert await reason_of(claim(ledger, "a", once=True)) is Reason.TOKEN_REPLAYED


async def test_issuer_and_jti_do_not_run_together(ledger: Ledger) -> None:
    """No pair of issuer and jti is mistaken for another pair with the same letters."""
    await ledger.claim("ab", "c", b"first", expires_s=9, now_s=0, once=True)
    await ledger.claim("a", "bc", b"first", expires_s=9, now_s=0, once=True)


async def test_a_claim_survives_a_kill(tmp_path: Path) -> None:
    """What claim returned for is there after kill -9 of the process."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, str(tmp_path / "ledger"))
    assert await process.wait() == -signal.SIGKILL
    ledger = await open_ledger(tmp_path / "ledger")
    try:
        assert await reason_of(claim(ledger, "jti", b"second")) is Reason.TOKEN_REPLAYED
    finally:
        await ledger.close()


async def test_expired_rows_go_as_new_ones_come(ledger: Ledger, tmp_path: Path) -> None:
    """The file holds what can still be used, and no more than it has to."""
    for n in range(10):
        await claim(ledger, f"old {n}")
    for n in range(10):
        await claim(ledger, f"new {n}", expires_s=300, now_s=200)
    with closing(sqlite3.connect(tmp_path / "ledger")) as reader:
        assert reader.execute("SELECT count(*), min(expires_s) FROM used").fetchone() == (10, 300)


async def test_what_was_forgotten_stays_refused(ledger: Ledger) -> None:
    """With the clock set back behind what was forgotten, an old token is not taken for a new one."""
    await claim(ledger, "old", expires_s=100, once=True)
    await claim(ledger, "new", expires_s=300, now_s=200)
    assert await reason_of(claim(ledger, "old", expires_s=100, now_s=50, once=True)) is Reason.TOKEN_EXPIRED
    await claim(ledger, "another", expires_s=101, now_s=50)


async def test_a_full_disk_refuses_and_recovers(desk: Desk) -> None:
    """When the ledger can't grow, new tokens are IDENTITY_UNAVAILABLE; when it can again, they are accepted."""
    await desk.open()
    assert desk.identity is not None
    ledger = desk.identity._ledger
    await ledger._run(lambda: ledger._database.execute("PRAGMA max_page_count = 1").fetchall())
    kept = desk.issuer.token(desk.pem)
    reason = None
    for n in range(200):
        try:
            await claim(ledger, f"filler {n}", expires_s=desk.now_us)
        except Exception:  # noqa: BLE001 - the refusal is judged on the next line
            reason = await reason_of(desk.prove(kept))
            break
    assert reason is Reason.IDENTITY_UNAVAILABLE
    await ledger._run(lambda: ledger._database.execute("PRAGMA max_page_count = 100000").fetchall())
    await desk.prove(kept)


async def test_a_locked_file_refuses(desk: Desk) -> None:
    """While another process holds the file, new tokens are IDENTITY_UNAVAILABLE and kept ones go on."""
    kept = desk.issuer.token(desk.pem)
    await desk.prove(kept)
    assert desk.identity is not None
    ledger = desk.identity._ledger
    await ledger._run(lambda: ledger._database.execute("PRAGMA busy_timeout = 1").fetchall())
    with closing(sqlite3.connect(desk.folder / "ledger", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await reason_of(desk.prove(desk.issuer.token(desk.pem))) is Reason.IDENTITY_UNAVAILABLE
        await desk.prove(kept)
        other.execute("ROLLBACK")
    await desk.prove(desk.issuer.token(desk.pem))


async def test_a_file_that_can_not_be_durable_refuses_the_start() -> None:
    """Without a write-ahead log, here because it would live in memory, there is no ledger."""
    with pytest.raises(StartError, match="write-ahead log"):
        await open_ledger(Path(":memory:"))


async def test_every_commit_is_synchronous(ledger: Ledger) -> None:
    """The file is opened so that a commit that returned survives a power cut."""
    synchronous = await ledger._run(lambda: ledger._database.execute("PRAGMA synchronous").fetchone())
    journal = await ledger._run(lambda: ledger._database.execute("PRAGMA journal_mode").fetchone())
    assert (synchronous, journal) == ((2,), ("wal",))
    await claim(ledger, "a")
    assert not await ledger._run(lambda: ledger._database.in_transaction)
