from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner

from brightline_verify import stored
from brightline_verify.blocks import BYTES, WIDTH, Growing
from brightline_verify.database import File, Table, verify
from brightline_verify.merkle import Frontier, ProofError
from brightline_verify.report import Problem
from gateway.audit.postgres.migrate import migrate
from gateway.audit.postgres.reading import Database
from gateway.audit.postgres.writing import Postgres
from gateway.audit.show import show
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.cli import trail
from tests.support import logs
from tests.support.postgres import Cluster
from tests.unit.audit.test_audit_command import CONFIG

SIZE = 600
BLOCKS = (255, 511)
WHAT = "the nodes that are kept beside the record are not those of the tree"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log with two blocks and a part of a third."""
    folder = tmp_path_factory.mktemp("filled")
    logs.fill(folder, SIZE, every=100)
    return folder


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    """A copy of that log, to be tampered with."""
    return Path(shutil.copytree(filled, tmp_path / "copy"))


def problem(folder: Path) -> Problem | None:
    """What the verifier finds."""
    return verify(folder / "audit.db", logs.trust(folder)).problem


def kept(folder: Path) -> dict[int, bytes]:
    """The blocks in the log."""
    with logs.reading(folder) as db:
        return dict(db.execute("SELECT idx, blocks FROM entries WHERE blocks NOT NULL"))


def change(folder: Path, statement: str, *values: object) -> None:
    """What somebody does who may write the file."""
    with closing(sqlite3.connect(folder / "audit.db")) as db, db:
        db.execute(statement, values)


def proofs(folder: Path) -> list[str]:
    """The proofs of some records."""
    shown = [show(File(folder / "audit.db"), logs.verifier(folder), f"{n:032x}") for n in range(0, SIZE, 37)]
    return [one.proof.text() for found in shown for one in found if one.proof]


def test_proofs_are_the_same_with_blocks_and_without(copy: Path) -> None:
    """A block saves looking for nodes one by one, and nothing else depends on it."""
    assert list(kept(copy)) == list(BLOCKS)
    with_blocks = proofs(copy)
    change(copy, "UPDATE entries SET blocks = NULL")
    assert proofs(copy) == with_blocks
    assert problem(copy) is None


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(BLOCKS), st.integers(0, BYTES - 1), st.integers(1, 255), st.sampled_from([100, 1024]))
def test_any_byte_of_a_block_that_is_another_is_found(filled: Path, index: int, at: int, by: int, part: int) -> None:
    """The verifier names the record that the block is kept beside, also where it is checked apart from its nodes."""
    block = kept(filled)[index]
    changed = block[:at] + bytes([block[at] ^ by]) + block[at + 1 :]
    change(filled, "UPDATE entries SET blocks = ? WHERE idx = ?", changed, index)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(File, "at_once", part)
            assert problem(filled) == Problem(index, f"{index:032x}", WHAT)
    finally:
        change(filled, "UPDATE entries SET blocks = ? WHERE idx = ?", block, index)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET blocks = (SELECT blocks FROM entries WHERE idx = 511) WHERE idx = 255",
        "UPDATE entries SET blocks = zeroblob(16320) WHERE idx = 255",
        "UPDATE entries SET blocks = substr(blocks, 1, 16288) WHERE idx = 255",
        "UPDATE entries SET blocks = CAST(blocks || zeroblob(1) AS BLOB) WHERE idx = 255",
        "UPDATE entries SET blocks = x'' WHERE idx = 255",
        "UPDATE entries SET blocks = 'text' WHERE idx = 255",
        "UPDATE entries SET blocks = 5 WHERE idx = 255",
    ],
)
def test_a_block_that_is_no_copy_of_the_tree_is_found_and_proves_nothing(copy: Path, statement: str) -> None:
    """The verifier names it, and what is proved in spite of it is proved from the records' own hashes."""
    before = proofs(copy)
    change(copy, statement)
    assert problem(copy) == Problem(255, f"{255:032x}", WHAT)
    for n, proof in zip(range(0, SIZE, 37), before, strict=True):
        try:
            (shown,) = show(File(copy / "audit.db"), logs.verifier(copy), f"{n:032x}")
        except ProofError:
            continue
        assert shown.proof is not None
        assert shown.proof.text() == proof


def test_a_wrong_block_of_a_higher_level_is_found(tmp_path: Path) -> None:
    """What 65,536 records complete is compared too, with hashes that are read from all over the log."""
    frontier, growing = Frontier(), Growing()
    rows = [(n, hashes, growing.append(hashes)) for n in range(WIDTH**2) for hashes in [frontier.append(b"")]]
    with closing(sqlite3.connect(tmp_path / "rows.db")) as db:
        db.execute("CREATE TABLE entries (idx INTEGER PRIMARY KEY, hashes BLOB, blocks BLOB)")
        db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        last = [(n, b"", hashes, "", "", 0, "", None) for n, hashes, _ in rows[-1024:]]
        assert stored._odd_blocks(Table(db), last) is None
        spoilt = (rows[-1][2] or b"")[:BYTES] + bytes(BYTES)
        db.execute("UPDATE entries SET blocks = ? WHERE idx = 65535", (spoilt,))
        assert stored._odd_blocks(Table(db), last) == WIDTH**2 - 1


def test_a_log_of_a_former_version_is_read_continued_and_filled_in(copy: Path) -> None:
    """Without the column it verifies and proves; a start goes on with the next block; what is left is filled in."""
    before, whole = proofs(copy), kept(copy)
    change(copy, "ALTER TABLE entries DROP COLUMN blocks")
    assert (problem(copy), proofs(copy)) == (None, before)
    with closing(Store(Sqlite(copy / "audit.db"), logs.signer(copy))) as store:
        for first in range(SIZE, SIZE + 200, 100):
            store.append(logs.entries(100, first=first))
    assert list(kept(copy)) == [767]
    log = Sqlite(copy / "audit.db")
    log.open(logs.ORIGIN)
    assert (log.fill(), log.fill()) == (2, 0)
    log.release()
    assert {index: block for index, block in kept(copy).items() if index < SIZE} == whole
    assert problem(copy) is None


def test_a_log_is_filled_in_by_a_command_while_nobody_writes_it(copy: Path) -> None:
    """`audit migrate` fills a log in SQLite in, and refuses while a gateway has it."""
    whole = kept(copy)
    change(copy, "UPDATE entries SET blocks = NULL")
    config = copy / "gateway.toml"
    config.write_text(CONFIG.format(origin=logs.ORIGIN))
    with closing(Store(Sqlite(copy / "audit.db"), logs.signer(copy))):
        told = CliRunner().invoke(trail, ["migrate", "--config", str(config)])
        assert (told.exit_code, kept(copy)) == (2, {})
        assert "another process" in told.stderr
    told = CliRunner().invoke(trail, ["migrate", "--config", str(config)])
    assert (told.exit_code, kept(copy)) == (0, whole), told.stderr
    assert "are up to date; 2 blocks of nodes are new" in told.stdout


def test_both_stores_keep_the_same_blocks_and_an_old_database_is_filled_in(
    filled: Path, postgres: Cluster, tmp_path: Path
) -> None:
    """PostgreSQL gets what SQLite gets, also by the migration of a database that has none."""
    server = postgres.server(postgres.database())
    with closing(Store(Postgres(server, tmp_path / "tail"), logs.signer(filled))) as store:
        for first in range(0, SIZE, 100):
            store.append(logs.entries(100, first=first))
    with Database(server, logs.ORIGIN).reading() as rows:
        written = rows.blocks(BLOCKS)
    assert written == kept(filled)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: server.connect(autocommit=False), poolclass=NullPool
    )
    with engine.begin() as db:
        db.execute(text("ALTER TABLE brightline.entries DROP COLUMN blocks"))
        db.execute(text("DROP INDEX brightline.entries_of_releases"))
        db.execute(text("ALTER TABLE brightline.checkpoints DROP COLUMN open_from"))
        db.execute(text("UPDATE brightline.alembic_version SET version_num = '0002'"))
    migrate(server)
    with Database(server, logs.ORIGIN).reading() as rows:
        assert rows.blocks(BLOCKS) == written
    assert stored.verify(Database(server, logs.ORIGIN), logs.trust(filled)).problem is None
