from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from typer.testing import CliRunner

from brightline_verify import stored as verifying
from brightline_verify.database import File
from brightline_verify.export import verify as verify_export
from brightline_verify.note import Verifier
from brightline_verify.record import Kind
from brightline_verify.report import Report, UnreadableError
from brightline_verify.stored import CorruptError
from brightline_verify.whole import Trust
from gateway.audit import export
from gateway.audit.kept import Place
from gateway.audit.keys import public_path
from gateway.audit.postgres import schema
from gateway.audit.postgres.connection import PostgresError, Server
from gateway.audit.postgres.lock import Remote
from gateway.audit.postgres.migrate import migrate
from gateway.audit.postgres.reading import Database, origins, union
from gateway.audit.postgres.writing import REVISION, Postgres
from gateway.audit.record import Entry, entry
from gateway.audit.show import show
from gateway.audit.store import MAX_BATCH, Rejection, Result, Store
from gateway.audit.tiles import publish
from gateway.cli import app
from gateway.errors import StartError
from tests.support import logs
from tests.support.gateways import Deployment, spawned
from tests.support.postgres import Cluster, cluster
from tests.support.waiting import wait_for

OTHER = "log.example/other"


@dataclass
class Shared:
    """A database for the logs of several gateways, with the keys of each in a folder."""

    cluster: Cluster
    name: str
    folder: Path

    def server(self, limit_s: float = 60.0) -> Server:
        """How it is reached."""
        return self.cluster.server(self.name, limit_s=limit_s)

    def open(self, origin: str = logs.ORIGIN, lock_store: Place | None = None, limit_s: float = 60.0) -> Store:
        """The store of a gateway's log."""
        settings = logs.settings(self.folder, origin=origin)
        signer = logs.load_signer(settings.signing_key, origin)
        return Store(Postgres(self.server(limit_s), self.tail(origin)), signer, lock_store=lock_store)

    def tail(self, origin: str = logs.ORIGIN) -> Path:
        """Where the gateway has the last mark of that log."""
        return self.folder / f"{quote(origin, safe='')}.tail"

    def source(self, origin: str = logs.ORIGIN) -> Database:
        """That log, to be read."""
        return Database(self.server(), origin)

    def report(self) -> Report:
        """What the verifier says."""
        return verifying.verify(self.source(), logs.trust(self.folder))

    def sound(self, size: int) -> None:
        """The log has that many entries, all under a checkpoint, and verifies."""
        report = self.report()
        assert (report.problem, report.size, report.covered) == (None, size, size)

    def fill(self, count: int) -> None:
        """A closed log of `count` entries, a checkpoint after each seven."""
        store = self.open()
        made = iter(logs.entries(count))
        while batch := list(islice(made, 7)):
            store.append(batch)
            store.checkpoint()
        store.close()

    def run(self, statement: str) -> None:
        """What somebody does who may do everything."""
        with self.cluster.admin(self.name) as db:
            db.execute(statement.encode())

    def end(self, store: Store) -> None:
        """End the session of a store, as a restart of the server or a firewall would."""
        self.run(f"SELECT pg_terminate_backend({session(store)})")


def session(store: Store) -> int:
    """The process that serves the store."""
    kept = store._kept
    assert isinstance(kept, Postgres)
    return kept._session


def keyed(number: int, key: str, tenant: str = "t") -> Entry:
    """An intent with an idempotency key."""
    return entry(logs.record(Kind.INTENT, number, tenant, idempotency_key=key))


@pytest.fixture
def shared(postgres: Cluster, tmp_path: Path) -> Shared:
    """A new database."""
    return Shared(postgres, postgres.database(), tmp_path)


def test_what_was_appended_is_there_after_reopening(shared: Shared) -> None:
    """Entries get consecutive indexes, and the tree goes on where it was."""
    with closing(shared.open()) as store:
        assert store.append(logs.entries(3)) == [0, 1, 2]
        tree = store.frontier
    with closing(shared.open()) as store:
        assert store.frontier == tree
        assert store.append(logs.entries(MAX_BATCH, first=3)) == list(range(3, 3 + MAX_BATCH))
        assert store.last_time_us() == logs.START_US + 2 + MAX_BATCH
    shared.sound(3 + MAX_BATCH)


def test_what_is_written_is_read_as_it_was(shared: Shared) -> None:
    """Whatever text the columns hold, and however long a record is, the rows come back as they went."""
    texts = ("", "t", "Köln, 東京 \U0001f512", "a\tb\nc\\N", "\x01", "x" * 3000)
    made = [keyed(n, f"{text}-key", text) for n, text in enumerate(texts)]
    made += [entry(logs.record(Kind.REFUSAL, 99, why="z" * 60_000)), *logs.entries(1, first=100)]
    with closing(shared.open()) as store:
        assert store.append(made) == list(range(len(made)))
    with shared.source().reading() as rows:
        found = [(row[1], *row[3:]) for row in rows.rows(0, len(made))]
    assert found == [(e.leaf, e.decision_id, e.kind, e.time_us, e.tenant, e.idempotency_key) for e in made]


def test_two_writers_on_one_log_are_refused(shared: Shared) -> None:
    """The second writer is refused at start, and the first goes on; another log in the database is free."""
    with closing(shared.open()) as store:
        with pytest.raises(StartError, match=r"audit\.dsn: .*another process writes the log log\.example/test"):
            shared.open()
        assert store.append(logs.entries(1)) == [0]
        with closing(shared.open(OTHER)) as other:
            assert other.append(logs.entries(1)) == [0]
    shared.sound(1)


@pytest.mark.parametrize("first", ["public", "pg_catalog, public", "public, pg_catalog"])
def test_a_function_of_the_same_name_elsewhere_is_not_called(shared: Shared, first: str) -> None:
    """Who may make functions in some schema of the database gives out no lock of a log, whatever is searched first."""
    for kind in ("smallint", "integer"):
        shared.run(
            f"CREATE FUNCTION public.pg_try_advisory_lock({kind}, {kind}) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
        )
    shared.run(f"ALTER DATABASE {shared.name} SET search_path = {first}")
    with closing(shared.open()):
        assert "another process writes the log" in refusal(shared)


def test_the_lock_ends_with_the_process_however_it_ends(shared: Shared) -> None:
    """A writer that was killed does not keep the next one out."""
    logs.settings(shared.folder)
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.support import logs;"
        "from gateway.audit.postgres.connection import Server; from gateway.audit.postgres.writing import Postgres;"
        "from gateway.audit.store import Store;"
        "s = Store(Postgres(Server(sys.argv[1]), Path(sys.argv[3])), logs.signer(Path(sys.argv[2])));"
        "s.append(logs.entries(3)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    given = [shared.server().dsn, shared.folder, shared.tail()]
    killed = subprocess.run([sys.executable, "-c", program, *given], check=False)
    assert killed.returncode == -9

    def opens() -> bool:
        with suppress(StartError), closing(shared.open()) as store:
            assert store.frontier.size == 3
            return True
        return False

    wait_for(opens)  # the server notices


def test_a_key_is_used_once_by_a_tenant_over_all_gateways(shared: Shared) -> None:
    """A key that a gateway wrote is taken at every other, in the same batch or later; other tenants are free."""
    with closing(shared.open()) as one, closing(shared.open(OTHER)) as two:
        assert one.append([keyed(0, "k"), keyed(1, "k"), keyed(2, "l")]) == [0, Rejection.DUPLICATE_KEY, 1]
        again = [keyed(3, "m"), keyed(4, "k"), keyed(5, "k", "other"), keyed(6, "l"), *logs.entries(1, first=7)]
        assert two.append(again) == [0, Rejection.DUPLICATE_KEY, 1, Rejection.DUPLICATE_KEY, 2]
        assert one.append([keyed(8, "m")]) == [Rejection.DUPLICATE_KEY]
    shared.sound(2)


def test_gateways_that_use_the_same_keys_at_once_share_them_out(shared: Shared) -> None:
    """However two gateways interleave, each key is written once, and neither waits for the other in a circle."""
    with closing(shared.open()) as one, closing(shared.open(OTHER)) as two, ThreadPoolExecutor() as threads:
        taken: list[str] = []
        for turn in range(10):
            names = [f"{turn}-{n}" for n in range(50)]
            batches = [[keyed(100 * turn + n, k) for n, k in enumerate(order)] for order in (names, names[::-1])]
            results: list[list[Result]] = list(threads.map(lambda s, b: s.append(b), (one, two), batches))
            for batch, found in zip(batches, results, strict=True):
                taken += [e.idempotency_key or "" for e, r in zip(batch, found, strict=True) if isinstance(r, int)]
        assert sorted(taken) == sorted(f"{turn}-{n}" for turn in range(10) for n in range(50))
    shared.sound(shared.report().size)


def test_only_an_open_intent_is_closed_and_once(shared: Shared) -> None:
    """An outcome that closes is written once, also within a batch, after its intent; orphans are what is left,
    for the next start as well, which looks back to the last one where no checkpoint says how far.
    """
    outcome = entry(logs.record(Kind.OUTCOME, 0), closes=True)
    with closing(shared.open()) as store:
        assert store.append([outcome]) == [Rejection.NOTHING_TO_CLOSE]
        store.append([keyed(0, "k"), keyed(1, "l")])
        assert store.orphans() == [(f"{0:032x}", "t"), (f"{1:032x}", "t")]
        assert store.append([outcome, outcome]) == [2, Rejection.NOTHING_TO_CLOSE]
        assert store.orphans() == [(f"{1:032x}", "t")]
        store.append([entry(logs.record(Kind.START, 9)), keyed(2, "m")])
    for change, left in (("SELECT 1", (1, 2)), ("UPDATE brightline.checkpoints SET open_from = NULL", (2,))):
        shared.run(change)
        with closing(shared.open()) as store:
            assert store.orphans() == [(f"{n:032x}", "t") for n in left]
    shared.sound(5)


# --- failures -----------------------------------------------------------------------------------------------------


def test_a_connection_that_broke_is_made_again(shared: Shared) -> None:
    """A session that ended fails the write; recovery opens another, finds nothing of it, and the log goes on."""
    with closing(shared.open()) as store:
        store.append(logs.entries(2))
        shared.end(store)
        with pytest.raises(PostgresError):
            store.append(logs.entries(1, first=2))
        assert store.recover() is None
        assert store.append(logs.entries(1, first=2)) == [2]
    shared.sound(3)


def test_a_session_that_hangs_is_waited_for_only_so_long(shared: Shared) -> None:
    """While the server's process stands still nothing is known, so nothing is written; then the batch is there or not.

    It may still commit what it was sent, and it holds the lock: no other session writes before it is gone.
    """
    with closing(shared.open(limit_s=0.3)) as store:
        store.append(logs.entries(2))
        hanging = session(store)
        os.kill(hanging, signal.SIGSTOP)
        try:
            with pytest.raises(PostgresError, match="timeout"):
                store.append(logs.entries(2, first=2))
            for _ in range(3):
                with pytest.raises(PostgresError, match="another process"):
                    store.recover()
        finally:
            os.kill(hanging, signal.SIGCONT)
        results = recovered(store)
        assert results in (None, [2, 3])
        size = 2 if results is None else 4
        assert store.append(logs.entries(1, first=size)) == [size]
    shared.sound(size + 1)


def recovered(store: Store) -> list[Result] | None:
    """What recovery says, once it works."""
    found: list[list[Result] | None] = []

    def recovers() -> bool:
        with suppress(PostgresError):
            found.append(store.recover())
        return bool(found)

    wait_for(recovers)
    return found[0]


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A PostgreSQL that may be stopped."""
    with cluster() as made:
        yield made


def test_a_server_that_crashed_has_all_that_it_confirmed(own: Cluster, tmp_path: Path) -> None:
    """After a crash of the whole server and its own recovery, every acknowledged entry is there."""
    shared = Shared(own, own.database(), tmp_path)
    with closing(shared.open()) as store:
        for n in range(20):
            store.append(logs.entries(5, first=5 * n))
        own.stop("immediate")
        with pytest.raises(PostgresError):
            store.append(logs.entries(1, first=100))
        with pytest.raises(PostgresError):
            store.recover()
        own.start()
        assert recovered(store) is None
        assert store.append(logs.entries(1, first=100)) == [100]
    shared.sound(101)


@pytest.mark.parametrize("count", [1, 3])  # a statement, and a COPY
def test_a_commit_that_did_not_wait_for_its_standby_is_not_confirmed(own: Cluster, tmp_path: Path, count: int) -> None:
    """Where somebody cancels the wait for a standby, PostgreSQL commits and warns: it is in doubt until one has it."""
    shared = Shared(own, own.database(), tmp_path)

    shared.run(f"ALTER DATABASE {shared.name} SET client_min_messages = error")

    def in_doubt(work: Callable[[], object]) -> None:
        with pytest.raises(PostgresError, match="standby"):
            cancelled(own, shared.name, work)

    with closing(shared.open()) as store:
        store.append(logs.entries(2))
        try:
            standbys(own, "nobody")
            in_doubt(lambda: store.append(logs.entries(count, first=2)))
            in_doubt(store.recover)
        finally:
            standbys(own, "")
        assert store.recover() == [*range(2, 2 + count)]
    shared.sound(2 + count)


def cancelled(cluster: Cluster, database: str, work: Callable[[], object]) -> bool:
    """Do it, and cancel its wait for a standby; whether it had to wait. Raises what it raises."""
    query = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s"
    with cluster.admin() as db, ThreadPoolExecutor(1) as thread:
        working, waited = thread.submit(work), False
        while not working.done() and not waited:
            waited = bool(db.execute(query, (database,)).fetchall())
        working.result()
    return waited


def standbys(cluster: Cluster, names: str) -> None:
    """The standbys that each commit waits for from now on."""
    with cluster.admin() as db:
        db.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
        db.execute("SELECT pg_reload_conf()")
        commit = partial(db.execute, "SELECT pg_logical_emit_message(true, '', '')")
        wait_for(lambda: cancelled(cluster, "postgres", commit) is bool(names))


def test_a_page_that_was_overwritten_on_the_disk_is_found_and_named(own: Cluster, tmp_path: Path) -> None:
    """PostgreSQL's checksums tell it: the verifier names the page, and a gateway that needs it does not start."""
    shared = Shared(own, own.database(), tmp_path)
    shared.fill(600)
    with own.admin(shared.name) as db:
        entries = "'brightline.entries'"
        query = f"SELECT pg_relation_filepath({entries}), pg_relation_size({entries}) / 8192"
        relation, pages = db.execute(query.encode()).fetchone() or ("", 0)
        page = pages // 2
        query = "SELECT min(idx) FROM brightline.entries WHERE ctid >= %s::tid"
        (first,) = db.execute(query.encode(), (f"({page},0)",)).fetchone() or (0,)
    assert pages > 30
    overwritten(own, relation, page)
    problem = shared.report().problem
    assert problem is not None
    assert problem.index == first
    assert f"invalid page in block {page} of relation" in problem.what
    assert refusal(shared) == ""  # a start looks at the end of the log alone, its last 256 records
    overwritten(own, relation, pages - 1)
    assert f"invalid page in block {pages - 1} of relation" in refusal(shared)


def overwritten(own: Cluster, relation: str, page: int) -> None:
    """Some of a page is gone while the server is down."""
    own.stop("fast")
    with (own.data / relation).open("r+b") as file:
        file.seek(page * 8192 + 5000)
        file.write(bytes(100))
    own.start()


def test_entries_that_changed_under_the_writer_stop_it(shared: Shared) -> None:
    """When reading back shows other entries than those written, recovery says corrupt."""
    with closing(shared.open()) as store:
        store.append(logs.entries(4))
        shared.run("DELETE FROM brightline.entries WHERE idx = 3")
        with pytest.raises(CorruptError):
            store.recover()


def test_an_entry_that_nobody_wrote_stops_the_writer(shared: Shared) -> None:
    """When somebody else appends to the log, even correctly, the next write fails and recovery says corrupt."""
    with closing(shared.open()) as store:
        store.append(logs.entries(2))
        made = logs.entries(1, first=2)[0]
        hashes = store.frontier.copy().append(made.leaf)
        with shared.cluster.admin(shared.name) as db:
            row = (1, 2, made.leaf, hashes, made.decision_id, made.kind, made.time_us, made.tenant)
            db.execute("INSERT INTO brightline.entries VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row)
        with pytest.raises(PostgresError, match="duplicate key"):
            store.append(logs.entries(1, first=3))
        with pytest.raises(CorruptError, match="entry 2 has no mark of the log's key"):
            store.recover()


@pytest.mark.parametrize("size", [5, 9])
def test_a_checkpoint_that_nobody_signed_stops_the_writer(shared: Shared, size: int) -> None:
    """One of the size that comes next, or of a later one, is not taken for the writer's own, as who may add could."""
    store = shared.open()
    store.append(logs.entries(3))
    store.checkpoint()
    with shared.cluster.admin(shared.name) as db:
        db.execute("INSERT INTO brightline.checkpoints VALUES (1, %s, 'forged', 0)", [size])
    store.append(logs.entries(2, first=3))
    for _ in range(2):
        with pytest.raises(CorruptError, match="nobody signed"):
            store.checkpoint(again=True)
    assert store.unsigned == 2
    with pytest.raises(CorruptError, match="nobody signed"):
        store.close()


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_can_lose_what_it_confirmed_is_refused(shared: Shared, setting: str) -> None:
    """Without syncing, or with torn pages after a crash, a confirmation means nothing."""

    def turn(how: str) -> None:
        shared.run(how)
        shared.run("SELECT pg_reload_conf()")

    turn(f"ALTER SYSTEM SET {setting} = off")
    try:
        wait_for(lambda: "runs with" in refusal(shared))
        assert f"{setting} = off" in refusal(shared)
    finally:
        turn(f"ALTER SYSTEM RESET {setting}")
        wait_for(lambda: not refusal(shared))


def refusal(shared: Shared) -> str:
    """Why a start is refused, empty when it isn't."""
    try:
        shared.open().close()
    except StartError as error:
        return str(error)
    return ""


def test_a_user_that_commits_without_waiting_is_overruled(shared: Shared) -> None:
    """What the database sets for the user does not keep the gateway from waiting for the disk."""
    shared.run(f"ALTER DATABASE {shared.name} SET synchronous_commit = off")
    with closing(shared.open()) as store:
        kept = store._kept
        assert isinstance(kept, Postgres)
        assert kept._open_db.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_server_that_is_told_not_to_wait_is_overruled(own: Cluster, tmp_path: Path) -> None:
    """A configuration that is read again keeps no gateway that writes from waiting for the disk and the standbys."""
    shared = Shared(own, own.database(), tmp_path)

    def reads(value: str) -> None:
        shared.run(f"ALTER SYSTEM SET synchronous_commit = {value}")
        with own.admin() as db:
            db.execute("SELECT pg_reload_conf()")
            wait_for(lambda: db.execute("SHOW synchronous_commit").fetchone() == (value,))

    reads("remote_apply")
    try:
        with closing(shared.open()) as store:
            reads("off")
            kept = store._kept
            assert isinstance(kept, Postgres)
            assert kept._open_db.execute("SHOW synchronous_commit").fetchone() == ("remote_apply",)
    finally:
        reads("on")


def test_a_database_of_another_schema_is_refused(shared: Shared) -> None:
    """Without our tables, or with those of another version, the start says which command helps."""
    shared.run("UPDATE brightline.alembic_version SET version_num = '9999'")
    assert f"revision 9999, revision {REVISION} is needed; run: brightline audit migrate" in refusal(shared)
    shared.run("DROP SCHEMA brightline CASCADE")
    assert "no tables of ours" in refusal(shared)


def test_another_format_or_key_is_refused(shared: Shared) -> None:
    """A log of another format, or continued with another key, is refused."""
    shared.fill(5)
    for path in shared.folder.glob("log.key*"):
        path.unlink()
    assert "not signed" in refusal(shared)
    shared.run("UPDATE brightline.logs SET format = 99")
    assert "is not a log of format" in refusal(shared)


def test_a_server_that_is_not_there_is_refused_without_its_secrets(tmp_path: Path) -> None:
    """A start without a server says where it looked; the password is in no message."""
    secret = tmp_path / "password"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    server = Server(f"host={tmp_path} dbname=audit user=gateway", secret)
    with pytest.raises(StartError, match=re.escape(f"audit.dsn: audit at {tmp_path}: ")) as caught:
        Store(Postgres(server, tmp_path / "tail"), logs.signer(tmp_path))
    assert "correct horse" not in f"{caught.value} {caught.value.__cause__} {server!r}"
    secret.chmod(0o644)
    with pytest.raises(StartError, match=r"audit\.password_file: .* can be read by others"):
        Store(Postgres(server, tmp_path / "tail"), logs.signer(tmp_path))


def test_what_was_written_is_not_changed_by_who_writes(shared: Shared) -> None:
    """The gateway's own user may add and read. Even the owner meets a trigger first."""
    shared.fill(3)
    shared.run("CREATE ROLE gateway LOGIN")
    try:
        migrate(shared.server(), "gateway")
        mine = replace(shared.server(), dsn=shared.server().dsn.replace("user=postgres", "user=gateway"))
        with closing(Store(Postgres(mine, shared.tail()), logs.signer(shared.folder))) as store:
            assert store.append(logs.entries(1, first=3)) == [3]
        for server, why in ((mine, "permission denied"), (shared.server(), "nothing is changed")):
            for statement in ("UPDATE {} SET log = 1", "DELETE FROM {}", "TRUNCATE {}"):
                for table in ("brightline.entries", "brightline.checkpoints"):
                    with closing(server.connect()) as db, pytest.raises(psycopg.Error, match=why):
                        db.execute(statement.format(table).encode())
    finally:
        shared.run("DROP OWNED BY gateway")
        shared.run("DROP ROLE gateway")
    shared.sound(4)


def test_migrating_again_changes_nothing(shared: Shared) -> None:
    """The migrations make what the schema says, this gateway works with the last of them, and again is no change."""
    shared.fill(3)
    migrate(shared.server())
    scripts = ScriptDirectory("gateway/audit/postgres/migrations")
    assert scripts.get_current_head() == REVISION
    engine = create_engine("postgresql+psycopg://", creator=lambda: shared.server().connect(autocommit=False))
    with engine.connect() as connection:
        how = {"include_schemas": True, "include_name": lambda name, kind, _: kind != "schema" or name == "brightline"}
        context = MigrationContext.configure(connection, opts={"version_table_schema": "brightline", **how})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()
    shared.sound(3)


@pytest.mark.parametrize("revisions", [["9999"], ["0004", "0005"]], ids=["a newer gateway's", "two"])
def test_tables_of_a_revision_that_is_not_known_are_left_as_they_are(
    shared: Shared, tmp_path: Path, revisions: list[str]
) -> None:
    """What a newer gateway made is not migrated by an older one: the command says so, and exits with 2."""
    deployed = Deployment.create(tmp_path / "deployment")
    deployed.edit("[audit]\n", f'[audit]\nstore = "postgresql"\ndsn = "{shared.server().dsn}"\n')
    shared.run("DELETE FROM brightline.alembic_version")
    with shared.cluster.admin(shared.name) as db:
        db.execute("INSERT INTO brightline.alembic_version SELECT unnest(%s::text[])", [revisions])
    found = CliRunner().invoke(app, ["audit", "migrate", "--config", str(deployed.config)])
    assert (found.exit_code, "the tables are of no revision that this gateway knows" in found.output) == (2, True)


# --- the lock store in a database of another host ---------------------------------------------------------------------


@pytest.fixture
def elsewhere(postgres: Cluster) -> Remote:
    """A lock store in a database of its own."""
    return Remote(postgres.server(postgres.database(), limit_s=5.0, key="audit.lock_dsn"), logs.ORIGIN)


def test_a_database_that_was_put_back_is_refused(shared: Shared, elsewhere: Remote) -> None:
    """A log that is behind its lock store does not start, and both sizes are named."""
    with closing(shared.open(lock_store=elsewhere)) as store:
        store.append(logs.entries(5))
        store.checkpoint()
        store.append(logs.entries(3, first=5))
    shared.run("DELETE FROM brightline.entries WHERE idx >= 5; DELETE FROM brightline.checkpoints WHERE size > 5")
    with pytest.raises(StartError, match=r"has 5 entries, but the lock store .* was signed over 8"):
        shared.open(lock_store=elsewhere)


def test_a_tail_that_went_with_its_checkpoints_is_found_by_the_lock_store(shared: Shared, elsewhere: Remote) -> None:
    """What looks whole by itself does not hold against the lock store, nor while that can't be asked."""
    with closing(shared.open(lock_store=elsewhere)) as store:
        store.append(logs.entries(5))
        store.checkpoint()
        store.append(logs.entries(3, first=5))
    shared.run("DELETE FROM brightline.entries WHERE idx >= 5; DELETE FROM brightline.checkpoints WHERE size > 5")
    trust = logs.trust(shared.folder)
    assert verifying.verify(shared.source(), trust).problem is None
    found = verifying.verify(replace(shared.source(), kept=elsewhere), trust).problem
    assert found is not None
    assert "kept checkpoint covers 8 records" in found.what
    away = replace(elsewhere, server=replace(elsewhere.server, dsn="host=/nowhere dbname=x user=y"))
    found = verifying.verify(replace(shared.source(), kept=away), trust).problem
    assert found is not None
    assert "x at /nowhere is missing" in found.what


def test_a_log_of_which_no_checkpoint_covers_anything_does_not_verify(shared: Shared) -> None:
    """Without a lock store, too: rows alone prove nothing."""
    with closing(shared.open()) as store:
        store.append(logs.entries(8))
    shared.run("DELETE FROM brightline.checkpoints")
    found = verifying.verify(shared.source(), logs.trust(shared.folder)).problem
    assert found is not None
    assert "no checkpoint covers any of the records" in found.what


def test_a_lock_store_takes_no_smaller_checkpoint(shared: Shared, elsewhere: Remote) -> None:
    """Not even from who has the gateway's own rights there: the table refuses."""
    with closing(shared.open(lock_store=elsewhere)) as store:
        store.append(logs.entries(5))
        store.checkpoint()
        older = elsewhere.read()
        store.append(logs.entries(3, first=5))
    newer = elsewhere.read()
    assert older is not None
    with pytest.raises(PostgresError, match="there is a later checkpoint"):
        elsewhere.write(older)
    with closing(elsewhere.server.connect()) as db, pytest.raises(psycopg.Error, match="nothing is changed"):
        db.execute("DELETE FROM brightline.locks")
    assert elsewhere.read() == newer


def test_a_lock_store_that_is_away_refuses_and_comes_back(shared: Shared, elsewhere: Remote) -> None:
    """A log that can't publish its checkpoint says so, and does when the lock store is back."""
    away = replace(elsewhere, server=replace(elsewhere.server, dsn="host=/nowhere dbname=x user=y"))
    with pytest.raises(StartError, match="No such file"):
        shared.open(lock_store=away)
    with closing(shared.open(lock_store=elsewhere)) as store:
        store.append(logs.entries(2))
        store._lock_store = away
        with pytest.raises(PostgresError):
            store.checkpoint()
        store._lock_store = elsewhere
        assert store.recover() is None
        store.checkpoint()
    assert elsewhere.read() is not None


# --- reading ----------------------------------------------------------------------------------------------------------


def test_what_is_handed_over_does_not_depend_on_the_store(shared: Shared, tmp_path: Path) -> None:
    """An export, the tiles and the proofs of the same log are the same bytes from PostgreSQL and from SQLite."""
    shared.fill(300)
    local = tmp_path / "local"
    local.mkdir()
    for key in shared.folder.glob("*.key*"):
        shutil.copy(key, local)
    logs.fill(local, 300)
    told, verifier = [], logs.verifier(local)
    for number, source in enumerate((shared.source(), File(local / "audit.db"))):
        out, folder = BytesIO(), tmp_path / f"tiles-{number}"
        export.write(source, verifier, out, first=5)
        publish(source, verifier, folder)
        tiles = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        told.append((out.getvalue(), tiles, show(source, verifier, f"{7:032x}")))
    assert told[0] == told[1]
    assert told[0][2][0].proof is not None


def test_readers_see_all_logs_in_the_order_of_time(shared: Shared) -> None:
    """The records of several gateways are one series, each with its log and index."""
    with closing(shared.open()) as one, closing(shared.open(OTHER)) as two:
        for n in range(0, 2600, 2):
            (one if n % 4 else two).append([entry(logs.record(Kind.REFUSAL, n + i)) for i in range(2)])
    assert origins(shared.server()) == [logs.ORIGIN, OTHER]
    found = list(union(shared.server(), logs.START_US, logs.START_US + 2500))
    with shared.source().reading() as mine, shared.source(OTHER).reading() as others:
        rows = {(o, row[0]): row for o, log in ((logs.ORIGIN, mine), (OTHER, others)) for row in log.rows(0, 9999)}
    assert [rows[origin, index][1] for origin, index, _ in found] == [leaf for _, _, leaf in found]
    assert [rows[origin, index][5] for origin, index, _ in found] == [logs.START_US + n for n in range(2500)]


def test_a_log_that_is_not_there_is_unreadable(shared: Shared) -> None:
    """Another name, and a server that is away, are told."""
    assert not shared.source().begun()
    with pytest.raises(UnreadableError, match="no log of this name"), shared.source().reading():
        pass
    away = Database(replace(shared.server(), dsn="host=/nowhere dbname=audit user=y"), logs.ORIGIN)
    with pytest.raises(UnreadableError, match="audit at /nowhere: can't be reached"), away.reading():
        pass


def test_several_processes_check_a_large_log(shared: Shared) -> None:
    """Beyond ten thousand records the work is shared, each process with a connection of its own."""
    with closing(shared.open()) as store:
        for n in range(0, 10_240, MAX_BATCH):
            store.append(logs.entries(MAX_BATCH, first=n))
    report = verifying.verify(shared.source(), logs.trust(shared.folder), processes=2)
    assert (report.problem, report.size) == (None, 10_240)


TAMPERING: dict[str, str] = {
    "edited": "UPDATE brightline.entries SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'alice', 'bob'),"
    " 'UTF8') WHERE idx = 8",
    "edited_column": "UPDATE brightline.entries SET tenant = 'another' WHERE idx = 8",
    "edited_hash": "UPDATE brightline.entries SET hashes = decode(repeat('00', 32), 'hex') WHERE idx = 8",
    "deleted": "DELETE FROM brightline.entries WHERE idx = 8",
    "swapped": "UPDATE brightline.entries SET idx = 100 WHERE idx = 8; UPDATE brightline.entries SET idx = 8"
    " WHERE idx = 9; UPDATE brightline.entries SET idx = 9 WHERE idx = 100",
    "duplicated": "INSERT INTO brightline.entries SELECT log, 20, leaf, hashes, decision_id, kind, time_us, tenant,"
    " NULL FROM brightline.entries WHERE idx = 9",
    "tail": "DELETE FROM brightline.entries WHERE idx >= 15",
    "forged_checkpoint": "UPDATE brightline.checkpoints SET note = '\\x00' WHERE size = 7",
    "other_origin": "UPDATE brightline.logs SET format = 2",
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_whatever_is_changed_in_the_database_is_found(shared: Shared, tamper: str) -> None:
    """The verifier finds what somebody changed who may do everything in the database."""
    shared.fill(20)
    shared.sound(20)
    shared.run(tamper)
    assert shared.report().problem is not None


def test_commands_read_the_log_of_any_gateway_in_the_database(shared: Shared, tmp_path: Path) -> None:
    """With a configuration the commands make the tables, check the log and hand it over; so for others' logs."""
    name = shared.cluster.empty()
    deployed = Deployment.create(tmp_path / "deployment")
    dsn = shared.cluster.server(name).dsn
    deployed.edit("[audit]\n", f'[audit]\nstore = "postgresql"\ndsn = "{dsn}"\n')
    given = ["--config", str(deployed.config)]
    assert "run: brightline audit migrate" in invoke("doctor", *given)
    assert "up to date" in invoke("audit", "migrate", *given)
    assert "no log yet" in invoke("doctor", *given)
    with spawned(deployed):
        pass
    assert "has a log" in invoke("doctor", *given)
    assert "VERIFIED brightline.test/development" in invoke("audit", "verify", *given)
    assert "made" in invoke("audit", "export", str(tmp_path / "export.jsonl"), *given)
    assert "published" in invoke("audit", "tiles", str(tmp_path / "tiles"), *given)
    settings = logs.settings(tmp_path, origin=OTHER)
    kept = Postgres(shared.cluster.server(name), shared.tail(OTHER))
    with closing(Store(kept, logs.load_signer(settings.signing_key, OTHER))) as other:
        other.append(logs.entries(3))
    key = str(public_path(settings.signing_key))
    assert f"VERIFIED {OTHER}" in invoke("audit", "verify", *given, "--origin", OTHER, "--key", key)
    assert "not in this report: log.example/other" in invoke("audit", "report", *given)
    deployed.edit("[audit]\n", f'[audit]\nother_keys = ["{key}"]\n')
    assert "of 2 logs that verified" in invoke("audit", "report", *given)
    assert OTHER in invoke("audit", "search", *given, "--kind", "refusal")
    exported = verify_export(
        tmp_path / "export.jsonl", Trust(Verifier.parse((deployed.folder / "audit" / "log.key.pub").read_text()))
    )
    assert exported.problem is None


def invoke(*words: str) -> str:
    """What a command prints."""
    found = CliRunner().invoke(app, [*words])
    return found.output
