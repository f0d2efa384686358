"""`brightline audit open`, `hold` and `purge`, on a real deployment's log and sealed store."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.database import File
from brightline_verify.note import Verifier
from brightline_verify.stored import verify
from brightline_verify.whole import Trust
from gateway import config
from gateway.audit.log import Log
from gateway.audit.sealed import keeper
from gateway.audit.sealed.places import create_reviewer_key
from gateway.cli import trail
from gateway.clock import Clock
from gateway.errors import GatewayError, Reason, StartError
from gateway.types import Text, ToolUse
from tests.support import logs, sealing
from tests.support.gateways import Deployment

SECRET = "What about case 12? é"
ANSWER = (Text("It is "), Text('"closed".'), ToolUse("1", "map", '{"at": 1}'))
MONTH = f"{datetime.fromtimestamp(Clock()() / 1e6, UTC):%Y-%m}"


class Held:
    """A deployment with one sealed call of tenant-a, and one that is not sealed."""

    def __init__(self, folder: Path) -> None:
        self.deployed = Deployment.create(folder)
        made = sealing.settings(folder)
        self.deployed.edit("[audit]\n", sealing.section(folder) + "[audit]\n")
        self.folder, self.settings = folder, made
        self.decision_id, self.other = asyncio.run(self._ask())

    async def _ask(self) -> tuple[str, str]:
        audit = config.load(self.deployed.config).audit
        log = await Log.open(audit, logs.RELEASE, "wasm", "1.2.1", clock=Clock(), listener="127.0.0.1:0")
        try:
            return await sealing.ask(log, SECRET, *ANSWER), await logs.complete(log)
        finally:
            await log.close()

    def run(self, *words: object, reviewers: tuple[str, ...] = ()) -> Result:
        who = [word for name in reviewers for word in ("--reviewer", str(self.folder / f"{name}.key"))]
        return CliRunner().invoke(trail, [*map(str, words), *who, "--config", str(self.deployed.config)])

    def open(self, *reviewers: str, decision_id: str = "") -> Result:
        return self.run("open", decision_id or self.decision_id, "--why", "case 7", reviewers=reviewers)

    def openings(self) -> list[dict[str, Any]]:
        if not self.settings.log.exists():
            return []
        with closing(sqlite3.connect(self.settings.log)) as db:
            return [json.loads(leaf) for (leaf,) in db.execute("SELECT leaf FROM entries ORDER BY idx")]

    def proves(self) -> None:
        """Both logs hold, every record of them."""
        audit = config.load(self.deployed.config).audit
        for path, key in ((audit.path, audit.signing_key), (self.settings.log, self.settings.log_key)):
            public = Verifier.parse(key.with_name(f"{key.name}.pub").read_text())
            assert verify(File(path), Trust(public)).problem is None


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path)


def copied(path: Path, to: Path) -> None:
    """A copy of the whole database, as a backup has it, in the place of another."""
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(to)) as other:
        db.backup(other)


def later(monkeypatch: pytest.MonkeyPatch, months: int) -> None:
    """The keeper's clock, that many months on."""
    monkeypatch.setattr(keeper, "Clock", lambda: lambda: Clock()() + months * 31 * 86_400_000_000)


@pytest.mark.parametrize("pair", [("ito", "meyer"), ("okafor", "ito")])
def test_two_reviewers_open_and_that_is_recorded(held: Held, pair: tuple[str, str]) -> None:
    """Any two read prompt and answer; who, what and why is in the log of openings, which proves it."""
    done = held.open(*pair)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["prompt"]["messages"] == [["user", ["Text", SECRET, False]]]
    assert told["output"] == ['It is "closed".', ["1", "map", '{"at": 1}']]
    (record,) = held.openings()
    assert (record["action"], record["about"], record["why"]) == ("opened", held.decision_id, "case 7")
    assert (record["by"], record["principal"], len(record["digests"])) == (sorted(pair), {"tenant": "tenant-a"}, 2)
    held.proves()


@pytest.mark.parametrize("few", [(), ("ito",), ("ito", "ito"), ("ito", "meyer", "okafor")])
def test_fewer_or_more_than_two_open_nothing(held: Held, few: tuple[str, ...]) -> None:
    """Nobody, one, one twice, or three: nothing is opened, and no opening is recorded."""
    done = held.open(*few)
    assert done.exit_code in {1, 2}
    assert SECRET not in done.output
    assert held.openings() == []


def test_a_stranger_opens_nothing(held: Held) -> None:
    """A key that was no reviewer's when the period began does not open it, with whomever."""
    create_reviewer_key(held.folder / "stranger.key", "stranger", b"")
    done = held.open("ito", "stranger")
    assert (done.exit_code, "not both reviewers" in done.output) == (1, True)
    (held.folder / "meyer.key").write_bytes((held.folder / "stranger.key").read_bytes())
    assert "is not the private half" in str(held.open("ito", "meyer").output)


def test_an_opening_that_can_not_be_recorded_opens_nothing(held: Held) -> None:
    """Without the log of openings nothing is shown."""
    held.settings.log.mkdir()
    done = held.open("ito", "meyer")
    assert (done.exit_code, SECRET in done.output) == (2, False)


@pytest.mark.parametrize("changed", [b"", b"brightline sealed 1\n", "text", 7])
def test_what_was_swapped_is_not_opened(held: Held, changed: object) -> None:
    """An envelope that is not the one that the log names is told, and not opened."""
    with closing(sqlite3.connect(held.settings.path, isolation_level=None)) as db:
        db.execute("UPDATE content SET sealed = ? WHERE what = 'output'", (changed,))
    done = held.open("ito", "meyer")
    assert (done.exit_code, "is not the one that the log names" in done.output) == (1, True)
    assert held.openings() == []


def test_a_damaged_public_key_is_named(held: Held) -> None:
    """Without the log's public key nothing is opened, and the key of the configuration that leads to it is named."""
    key = config.load(held.deployed.config).audit.signing_key
    key.with_name(f"{key.name}.pub").write_bytes(b"damaged")
    done = held.open("ito", "meyer")
    assert (done.exit_code, f"audit.signing_key: {key}.pub: is no public key" in done.stderr) == (2, True)
    assert held.openings() == []


def test_what_is_not_sealed_is_told(held: Held) -> None:
    """A decision without sealed content says so."""
    done = held.open("ito", "meyer", decision_id=held.other)
    assert (done.exit_code, "nothing is sealed" in done.output) == (1, True)


def test_a_purge_waits_for_its_time(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before retention is over nothing goes, and what stays is told with its day."""
    done = held.run("purge")
    assert (done.exit_code, "2 sealed, kept until" in done.stdout) == (0, True)
    later(monkeypatch, 29)
    assert "kept until" in held.run("purge").stdout
    assert held.open("ito", "meyer").exit_code == 0


def test_a_purge_destroys_the_keys_and_breaks_no_proof(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it two reviewers open nothing, not even from a copy of the store; every record of both logs proves."""
    copied(held.settings.path, held.folder / "copy.db")
    later(monkeypatch, 32)
    assert "to be purged" in held.run("purge", "--dry-run").stdout
    assert held.open("ito", "meyer").exit_code == 0
    done = held.run("purge")
    assert f"tenant-a standard {MONTH}: 2 sealed, purged\n" in done.stdout
    assert list((held.folder / "keys").iterdir()) == []
    copied(held.folder / "copy.db", held.settings.path)
    done = held.open("ito", "meyer")
    assert (done.exit_code, SECRET in done.output) == (2, False)
    assert "is gone" in done.output
    assert [record["action"] for record in held.openings()] == ["opened", "purged"]
    held.proves()
    assert held.run("purge").exit_code == 0


@pytest.mark.parametrize("narrow", [(), ("--class", "standard"), ("--month", MONTH)])
def test_a_hold_stops_a_purge_until_it_is_freed(
    held: Held, monkeypatch: pytest.MonkeyPatch, narrow: tuple[str, ...]
) -> None:
    """What is held stays, whatever its age; both the hold and its end are recorded."""
    later(monkeypatch, 32)
    hold = ("hold", "--tenant", "tenant-a", "--name", "case-7", "--why", "court order", *narrow)
    assert held.run(*hold).exit_code == 0
    assert "held: case-7" in held.run("purge").stdout
    assert held.open("ito", "meyer").exit_code == 0
    assert held.run(*hold, "--free").exit_code == 0
    assert "sealed, purged" in held.run("purge").stdout
    assert [record["action"] for record in held.openings()] == ["held", "opened", "freed", "purged"]


@pytest.mark.parametrize("words", [("open",), ("hold",), ("purge",), ("purge", "--dry-run")])
def test_a_clock_behind_the_log_of_openings_is_refused(
    held: Held, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """No record is older than the ones before it, which would keep the log of openings from ever verifying again."""
    hold = ("hold", "--tenant", "tenant-a", "--name", "case-7", "--why", "court order")
    with monkeypatch.context() as ahead:
        later(ahead, 1)
        assert held.run(*hold).exit_code == 0
    before = held.openings()
    done = held.open("ito", "meyer") if words == ("open",) else held.run(*(hold if words == ("hold",) else words))
    assert (done.exit_code, "s in the future" in done.output) == (2, True)
    assert str(held.settings.log) in done.output
    assert held.openings() == before
    held.proves()


@pytest.mark.parametrize("damage", ["escrow = 'x'", "escrow = '1.5'", "public = 'text'", "bound = 'text'"])
def test_damaged_keys_seal_and_open_nothing(held: Held, damage: str) -> None:
    """What the disk made of a period's keys refuses calls that have to be sealed, as a log that can't be written does,
    leaves other refusals as they are, and is told to reviewers.
    """
    with closing(sqlite3.connect(held.settings.path)) as db, db:
        db.execute(f"UPDATE periods SET {damage}")  # noqa: S608 - constants
    done = held.open("ito", "meyer")
    assert (done.exit_code in {1, 2}, isinstance(done.exception, SystemExit)) == (True, True)
    reasons = asyncio.run(_refused(held))
    assert reasons == [Reason.AUDIT_UNAVAILABLE, Reason.POLICY_DENIED]


async def _refused(held: Held) -> list[Reason]:
    """Why a call that has to be sealed is refused, and one that the policy refuses and has sealed."""
    found = []
    folder = held.folder / "another"
    folder.mkdir()
    denied = replace(logs.DENY, obligations=sealing.SEALING.obligations)
    async with logs.opened(folder, sealed=held.settings) as log:
        for asked in (sealing.ask(log), sealing.refuse(log, denied, "A secret question")):
            with pytest.raises(GatewayError) as refused:
                await asked
            found.append(refused.value.reason)
    return found


def test_a_hold_outlives_a_store_that_was_put_back(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was held and not freed stays, also where the sealed store is an older copy that does not have the hold."""
    copied(held.settings.path, held.folder / "copy.db")
    later(monkeypatch, 32)
    assert held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7").exit_code == 0
    copied(held.folder / "copy.db", held.settings.path)
    assert holds(held) == []
    assert "2 sealed, held: case-7" in held.run("purge").stdout
    assert held.open("ito", "meyer").exit_code == 0
    assert held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7", "--free").exit_code == 0
    assert "sealed, purged" in held.run("purge").stdout


def test_nothing_is_purged_on_the_word_of_a_changed_log(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge refuses where the log of openings, which has the holds, is not what was written."""
    later(monkeypatch, 32)
    assert held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7").exit_code == 0
    assert held.run(*HOLD, "--tenant", "tenant-b", "--name", "case-8").exit_code == 0
    with closing(sqlite3.connect(held.settings.log)) as db, db:
        db.execute("UPDATE entries SET leaf = replace(leaf, 'tenant-a', 'tenant-c') WHERE idx = 0")
    done = held.run("purge")
    assert (done.exit_code, "brightline audit verify" in done.stderr) == (2, True)
    assert held.open("ito", "meyer").exit_code == 0


def test_a_hold_on_others_stops_nothing(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold on another tenant or month does not keep what is not meant."""
    later(monkeypatch, 32)
    held.run("hold", "--tenant", "tenant-b", "--name", "case-7", "--why", "order")
    held.run("hold", "--tenant", "tenant-a", "--month", "2020-01", "--name", "case-8", "--why", "order")
    assert "sealed, purged" in held.run("purge").stdout


HOLD = ("hold", "--why", "order")


def holds(held: Held) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(held.settings.path)) as db:
        return db.execute("SELECT tenant, retention, month, name FROM holds").fetchall()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--tenant", "", "--name", "case-7"), "--tenant"),
        (("--tenant", " ", "--name", "case-7"), "--tenant"),
        (("--tenant", "tenant-a", "--name", ""), "--name"),
        (("--tenant", "tenant-a", "--name", "case-7", "--why", ""), "--why"),
        (("--tenant", "tenant-a", "--name", "case-7", "--why", "w\udcff"), "--why"),
        (("--tenant", "tenant-\udcff", "--name", "case-7"), "--tenant"),
        (("--tenant", "tenant-a", "--name", "case-\udcff"), "--name"),
        (("--tenant", "tenant-a", "--name", "case-7", "--class", "nosuch"), "--class: nosuch: no such class"),
        (("--tenant", "tenant-a", "--name", "case-7", "--class", "standard\udcff"), "--class"),
    ],
)
def test_a_hold_of_nothing_is_refused(held: Held, words: tuple[str, ...], named: str) -> None:
    """A hold needs a tenant, a name, a reason and a class that there is, in UTF-8; else nothing is held or recorded."""
    done = held.run(*HOLD, *words)
    assert done.exit_code == 2, done.output
    assert named in done.stderr
    assert (holds(held), held.openings()) == ([], [])


def test_a_hold_says_what_it_keeps(held: Held) -> None:
    """A tenant that nothing is kept of may be held, and the command says that this keeps nothing now."""
    assert "; keeps 1 of the periods now" in held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7").stdout
    assert "; keeps none of the periods now" in held.run(*HOLD, "--tenant", "tenant-aa", "--name", "case-8").stdout
    narrow = ("--tenant", "tenant-a", "--name", "case-7", "--month", "2020-01")
    assert "; keeps none of the periods now" in held.run(*HOLD, *narrow).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--tenant", "tenant-b", "--name", "case-7"),
        ("--tenant", "tenant-a", "--name", "never"),
        ("--tenant", "tenant-a", "--name", "case-7", "--class", "standard"),
        ("--tenant", "tenant-a", "--name", "case-7", "--month", MONTH),
    ],
)
def test_what_is_not_held_is_not_freed(held: Held, words: tuple[str, ...]) -> None:
    """To free what no hold is of exits with 2, is not recorded, and every hold stays."""
    held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7")
    before = held.openings()
    done = held.run(*HOLD, *words, "--free")
    assert (done.exit_code, "there is no such hold" in done.stderr) == (2, True)
    assert (holds(held), held.openings()) == ([("tenant-a", "", "", "case-7")], before)


def test_a_hold_of_a_class_that_is_no_longer_configured(held: Held) -> None:
    """Content of a class that the configuration lost can be held as long as it is there."""
    held.deployed.edit("[audit.sealed]\n", "[audit.sealed]\nretention_months = {other = 6}\n")
    done = held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7", "--class", "standard")
    assert (done.exit_code, "keeps 1 of the periods" in done.stdout) == (0, True)


def test_a_hold_that_can_not_be_recorded(held: Held) -> None:
    """Where there can be no log of openings the command fails, and nothing is held without a record."""
    held.settings.log.mkdir()
    assert held.run(*HOLD, "--tenant", "tenant-a", "--name", "case-7").exit_code == 2
    assert holds(held) == []


def test_purged_is_said_of_what_is_gone(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge that breaks off has told of nothing that is still there."""
    later(monkeypatch, 32)
    monkeypatch.setattr("gateway.audit.sealed.store.SealedStore.forget", _crash)
    assert "purged" not in held.run("purge").stdout


def _nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 54321")  # what Python 3.13 calls OSError


def _odd() -> str:
    return "w\udcff"


@pytest.mark.parametrize("name", [_nobody, _odd])
def test_a_user_without_a_name_purges(held: Held, monkeypatch: pytest.MonkeyPatch, name: Callable[[], str]) -> None:
    """In a container whose user has no name, the record has the user's number."""
    later(monkeypatch, 32)
    monkeypatch.setattr("getpass.getuser", name)
    assert "sealed, purged" in held.run("purge").stdout
    assert [record["by"] for record in held.openings()] == [[f"user {os.getuid()}"]]


def test_a_purge_that_broke_off_is_finished_by_the_next(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash between key and content, the next purge removes what is left."""
    later(monkeypatch, 32)
    monkeypatch.setattr("gateway.audit.sealed.store.SealedStore.forget", _crash)
    assert isinstance(held.run("purge").exception, ZeroDivisionError)
    monkeypatch.undo()
    later(monkeypatch, 32)
    assert "2 sealed, purged" in held.run("purge").stdout
    assert held.run("purge").stdout == ""


def _crash(*_: object) -> None:
    raise ZeroDivisionError


def test_a_passphrase_protects_a_reviewers_key(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was made with a passphrase opens with that and with no other."""
    for name in ("meyer.key", "meyer.key.pub"):
        (held.folder / name).unlink()
    made = CliRunner().invoke(
        trail, ["keygen", "meyer", "--reviewer", str(held.folder / "meyer.key")], input="pw\npw\n"
    )
    assert made.exit_code == 0
    assert b"ENCRYPTED" in (held.folder / "meyer.key").read_bytes()
    again = asyncio.run(held._ask())[0]
    for passphrase, code in (("other", 2), ("pw", 1)):  # 1: was no reviewer when the period's keys were made
        monkeypatch.setattr("getpass.getpass", lambda _, said=passphrase: said)
        assert held.open("ito", "meyer", decision_id=again).exit_code == code


def test_a_store_that_is_not_configured_is_told(tmp_path: Path) -> None:
    """The commands need a sealed store in the configuration."""
    deployed = Deployment.create(tmp_path)
    done = CliRunner().invoke(trail, ["purge", "--config", str(deployed.config)])
    assert (done.exit_code, "audit.sealed: is not configured" in done.output) == (2, True)
    with pytest.raises(StartError, match="small letters"):
        create_reviewer_key(tmp_path / "x.key", "Not A Name", b"")
