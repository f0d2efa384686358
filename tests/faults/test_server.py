"""The gateway on a PostgreSQL that fails: it refuses, forwards nothing, and goes on by itself when it can."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from brightline_verify.note import Verifier
from brightline_verify.report import Report
from brightline_verify.stored import Source, verify
from brightline_verify.whole import Trust
from gateway import config
from gateway.audit import places
from gateway.audit.keys import public_path
from tests.faults.test_disk import SHIM, Gateway, client, create, fill, refuses_and_recovers, start_refused
from tests.support.gateways import spawned
from tests.support.postgres import SMALL, Cluster, cluster
from tests.support.waiting import wait_for


@dataclass
class OnPostgres(Gateway):
    """A running gateway whose log is in a PostgreSQL, and what that log says."""

    server: Cluster
    name: str

    @property
    def source(self) -> Source:
        """Its log."""
        return places.source(config.load(self.deployed.config).audit)

    def report(self) -> Report:
        """What the verifier says of the log."""
        settings = config.load(self.deployed.config).audit
        return verify(self.source, Trust(Verifier.parse(public_path(settings.signing_key).read_text())))

    @property
    def session(self) -> int:
        """The server's process that writes the log."""
        with self.server.admin(self.name) as db:
            row = db.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").fetchone()
        assert row is not None
        return int(row[0])

    def run(self, statement: str) -> None:
        """What somebody does who may do everything."""
        with self.server.admin(self.name) as db:
            db.execute(statement.encode())


@contextmanager
def running(folder: Path, server: Cluster, **how: Any) -> Iterator[OnPostgres]:
    """A gateway with a new database, that has answered once."""
    deployed, name = create(folder), server.database()
    deployed.edit("[audit]\n", f'[audit]\nstore = "postgresql"\ndsn = "{server.server(name).dsn}"\n')
    with spawned(deployed, **how) as process, client(deployed) as asking:
        gateway = OnPostgres(deployed, process, asking, server, name)
        wait_for(lambda: gateway.ask() == "")
        yield gateway
    assert process.returncode == 0


@pytest.fixture(scope="module")
def gateway(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPostgres]:
    """A gateway for many faults."""
    with running(tmp_path_factory.mktemp("gateway"), postgres) as served:
        yield served


def test_a_session_that_hangs_refuses_until_it_goes_on(gateway: OnPostgres) -> None:
    """While the server's process stands still nothing is forwarded; afterwards the gateway goes on by itself."""

    @contextmanager
    def stopped() -> Iterator[None]:
        session = gateway.session
        os.kill(session, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(session, signal.SIGCONT)

    refuses_and_recovers(gateway, stopped)


def test_a_table_that_is_locked_refuses_until_it_is_free(gateway: OnPostgres) -> None:
    """While somebody holds the table, nothing is forwarded."""

    @contextmanager
    def locked() -> Iterator[None]:
        with gateway.server.admin(gateway.name) as db:
            db.execute("BEGIN")
            db.execute("LOCK TABLE brightline.entries IN EXCLUSIVE MODE")
            yield

    refuses_and_recovers(gateway, locked)


def test_a_database_that_takes_nobody_refuses_until_it_does(gateway: OnPostgres) -> None:
    """While connections are ended and none is allowed, nothing is forwarded."""

    @contextmanager
    def closed() -> Iterator[None]:
        with gateway.server.admin() as db:
            db.execute(f"ALTER DATABASE {gateway.name} ALLOW_CONNECTIONS false".encode())
            db.execute(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (gateway.name,))
            try:
                yield
            finally:
                db.execute(f"ALTER DATABASE {gateway.name} ALLOW_CONNECTIONS true".encode())

    refuses_and_recovers(gateway, closed)


def test_a_connection_that_is_ended_again_and_again_loses_nothing(gateway: OnPostgres) -> None:
    """Whoever was answered has both records, and nobody else reached the upstream without an intent."""
    for _ in range(5):
        with suppress(AssertionError):
            gateway.run(f"SELECT pg_terminate_backend({gateway.session})")
        wait_for(lambda: gateway.ask() == "")
    assert gateway.report().problem is None


def test_a_second_gateway_on_the_same_log_does_not_start(gateway: OnPostgres) -> None:
    """It is refused with the log's name, and the first one goes on."""
    assert "another process writes the log brightline.test/development" in start_refused(gateway.deployed)
    assert gateway.ask() == ""


def test_a_server_that_crashed_is_waited_for(tmp_path: Path) -> None:
    """While the server is down nothing is forwarded; after its own recovery the gateway goes on.

    So it is where the server's disk reports that a sync failed: the server gives up, as it has to.
    """

    @contextmanager
    def down() -> Iterator[None]:
        server.stop("immediate")
        yield
        if shutil.which("gcc"):
            server.environment = preloaded(server.folder)
        server.start()

    @contextmanager
    def failing() -> Iterator[None]:
        control = server.folder / "control"
        control.write_text(f"sync {errno.EIO}")
        yield
        control.unlink()
        server.resume()

    with cluster() as server, running(tmp_path, server) as served:
        refuses_and_recovers(served, down)
        if server.environment:
            refuses_and_recovers(served, failing)
            assert "could not fdatasync file" in (server.folder / "log").read_text()


def preloaded(folder: Path) -> dict[str, str]:
    """What makes the write-ahead log of a server in that folder fail as its file `control` says."""
    shim = folder / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, SHIM, "-ldl"], check=True)
    return {"LD_PRELOAD": str(shim), "FAULT_CONTROL": str(folder / "control"), "FAULT_PATH": "/pg_wal/"}


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own for a server, which is not root's, where somebody may mount one."""
    disk = Path(tempfile.mkdtemp(prefix="pg-"))
    disk.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        disk.rmdir()
        pytest.skip("nobody may mount a disk here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)
        disk.rmdir()


def test_a_full_disk_of_the_server_refuses_until_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    """A server that can't write may give up; with space and the server back, the gateway goes on."""
    # A server that gives up stays down until it is started: it must not tidy up and find space in the meantime.
    settings = (*SMALL, "max_wal_size=32MB", "min_wal_size=32MB", "wal_recycle=off", "restart_after_crash=off")

    @contextmanager
    def full() -> Iterator[None]:
        filler = small_disk / "filler"
        while fill(filler) or served.ask() != "AUDIT_UNAVAILABLE":
            with suppress(psycopg.Error):
                served.run("SELECT pg_switch_wal()")
        yield
        filler.unlink()
        server.resume()

    server = Cluster(small_disk, settings)
    server.create()
    try:
        with running(tmp_path / "gateway", server) as served:
            refuses_and_recovers(served, full)
    finally:
        server.stop_if_started()
