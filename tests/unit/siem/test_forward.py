"""`brightline audit forward`, to a real collector over real TLS."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from brightline_verify.database import File
from brightline_verify.record import Kind
from gateway.audit import disk
from gateway.cli import trail
from gateway.errors import StartError
from gateway.siem import cef, sender
from gateway.siem.cursor import Cursor
from gateway.siem.sender import Sender
from tests.support import logs
from tests.support.collector import Collector
from tests.support.pki import Authority
from tests.support.waiting import wait_for
from tests.unit.audit.test_verify import append

SIZE = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log."""
    logs.fill(tmp_path, SIZE)
    return tmp_path


@pytest.fixture
def collector(folder: Path) -> Iterator[Collector]:
    """A collector whose certificate is of localhost."""
    with Collector(folder, Authority()) as made:
        yield made


def run(folder: Path, port: int, *arguments: object, host: str = "localhost") -> Result:
    where = ("--log", folder / "audit.db", "--key", folder / "log.key.pub", "--cursor", folder / "cursor")
    words = ("forward", *where, "--to", f"{host}:{port}", "--tls-ca", folder / "ca.pem", "--once", *arguments)
    return CliRunner().invoke(trail, list(map(str, words)))


def indexes(received: list[bytes]) -> list[int]:
    return [int(re.search(rb" cn1=(\d+) ", message)[1]) for message in received]  # type: ignore[index]  # or it fails


@contextmanager
def following(folder: Path, port: int) -> Iterator[list[str]]:
    """A sender that follows the log; what it tells."""
    told: list[str] = []
    cursor = Cursor.load(folder / "cursor", logs.ORIGIN)
    to = sender.Collector("localhost", port, folder / "ca.pem")
    stop, failed = threading.Event(), []
    made = Sender(File(folder / "audit.db"), cursor, to, cef.line, told.append)

    def follow() -> None:
        try:
            made.follow(stop)
        except Exception as error:  # noqa: BLE001 - told where the test looks
            failed.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(60)
        made.close()
    assert not failed
    assert not thread.is_alive()


def test_every_record_arrives_once_and_in_order(folder: Path, collector: Collector) -> None:
    """What is there is sent; a second time there is nothing to send; what comes later is sent alone."""
    done = run(folder, collector.port)
    assert (done.exit_code, done.stdout) == (0, f"sent up to record {SIZE - 1}\n")
    assert indexes(collector.wait(SIZE)) == list(range(SIZE))
    assert run(folder, collector.port).exit_code == 0
    append(folder, logs.record(Kind.REFUSAL, SIZE))
    assert run(folder, collector.port).exit_code == 0
    assert indexes(collector.wait(SIZE + 1)) == list(range(SIZE + 1))


def test_messages_can_be_ocsf(folder: Path, collector: Collector) -> None:
    """A message then is a JSON event after the head of syslog."""
    assert run(folder, collector.port, "--format", "ocsf", "--first", SIZE - 2).exit_code == 0
    (_, last) = collector.wait(2)
    made: dict[str, Any] = json.loads(b"{" + last.partition(b" - {")[2])
    assert made["metadata"]["sequence"] == SIZE - 1


def test_a_log_is_followed_as_it_grows(folder: Path, collector: Collector) -> None:
    """What is appended while the sender runs is sent without being asked for."""
    with following(folder, collector.port):
        collector.wait(SIZE)
        append(folder, logs.record(Kind.REFUSAL, SIZE))
        assert indexes(collector.wait(SIZE + 1)) == list(range(SIZE + 1))


@pytest.mark.parametrize("breaks", [[1], [4000], [9000, 2000]])
def test_nothing_is_lost_when_connections_break(folder: Path, collector: Collector, breaks: list[int]) -> None:
    """Wherever connections break, every record arrives at least once, and what comes after them too."""
    collector.breaks_after = breaks
    with following(folder, collector.port) as told:
        append(folder, logs.record(Kind.REFUSAL, SIZE))
        with collector._arrived:
            everything = set(range(SIZE + 1))
            assert collector._arrived.wait_for(lambda: set(indexes(collector.received)) == everything, 60)
    assert any("trying again" in text for text in told)
    assert collector.connections > len(breaks)


def test_a_collector_that_hung_up_is_noticed_before_more_is_sent(folder: Path, collector: Collector) -> None:
    """A connection that was closed while nothing was to be sent does not swallow the next record."""
    with following(folder, collector.port):
        collector.wait(SIZE)
        collector.hang_up()
        append(folder, logs.record(Kind.REFUSAL, SIZE))
        with collector._arrived:
            assert collector._arrived.wait_for(lambda: SIZE in indexes(collector.received), 60)


def test_a_cursor_that_can_not_be_saved_is_tried_again(folder: Path, collector: Collector) -> None:
    """While there is no room for the cursor the sender says so and goes on; once there is, the cursor follows."""
    with following(folder, collector.port) as told:
        collector.wait(SIZE)
        (folder / "cursor.tmp").mkdir()
        append(folder, logs.record(Kind.REFUSAL, SIZE))
        wait_for(lambda: any(f"'{folder}/cursor'; trying again" in text for text in told))
        (folder / "cursor.tmp").rmdir()
        append(folder, logs.record(Kind.REFUSAL, SIZE + 1))
        wait_for(lambda: Cursor.load(folder / "cursor", logs.ORIGIN).next == SIZE + 2)
    assert set(indexes(collector.received)) == set(range(SIZE + 2))


def test_what_a_collector_leaves_unread_at_the_end_is_sent_again(folder: Path, collector: Collector) -> None:
    """A collector whose host took everything, and that ends without having read it, is told of as one that failed."""
    collector.stalls = (folder / "cursor").exists
    assert run(folder, collector.port).exit_code == 1
    assert run(folder, collector.port).exit_code == 0
    assert indexes(collector.wait(SIZE)) == list(range(SIZE))


def test_a_slow_collector_gets_everything(folder: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes on reading is waited for, however long all of it takes."""
    monkeypatch.setattr(sender, "TIMEOUT_S", 1.0)
    for number in range(SIZE, 3 * SIZE):
        append(folder, logs.record(Kind.REFUSAL, number))
    collector.slow(0.06)
    assert run(folder, collector.port).exit_code == 0
    assert indexes(collector.wait(3 * SIZE)) == list(range(3 * SIZE))


def test_only_the_collector_that_was_meant_is_sent_to(folder: Path, collector: Collector) -> None:
    """A certificate of another CA or of another host, and a server without TLS, get not one record."""
    assert "certificate verify failed" in run(folder, collector.port, host="127.0.0.1").output
    (folder / "ca.pem").write_bytes(Authority(name="another").ca.certificate)
    done = run(folder, collector.port)
    assert (done.exit_code, collector.received) == (1, [])
    assert "certificate verify failed" in done.output
    assert not (folder / "cursor").exists()


def test_a_collector_may_ask_for_a_certificate(folder: Path, tmp_path: Path) -> None:
    """With the client certificate that it asks for, it gets the log; without, it does not."""
    authority = Authority()
    pair = authority.client()
    (folder / "client.pem").write_bytes(pair.certificate)
    (folder / "client.key").write_bytes(pair.key)
    with Collector(folder, authority) as collector:
        collector.demand.verify_mode = ssl.CERT_REQUIRED
        collector.demand.load_verify_locations(folder / "ca.pem")
        assert run(folder, collector.port).exit_code == 1
        assert not collector.received
        done = run(folder, collector.port, "--tls-cert", folder / "client.pem", "--tls-key", folder / "client.key")
        assert done.exit_code == 0
        assert len(collector.wait(SIZE)) == SIZE


def test_a_log_that_was_set_back_is_not_sent_on(folder: Path, collector: Collector) -> None:
    """When the record that was sent last is gone or another one, the sender stops and says so."""
    run(folder, collector.port)
    with logs.reading(folder) as db:
        db.execute("DELETE FROM entries WHERE idx >= ?", (SIZE - 1,))
    done = run(folder, collector.port)
    assert (done.exit_code, "it was set back" in done.output) == (2, True)


def test_a_cursor_is_of_one_log_and_one_process(folder: Path, collector: Collector) -> None:
    """A cursor of another log, one that is damaged and one in use are refused."""
    with disk.held(folder / "cursor.lock"):
        assert "another process uses it" in run(folder, collector.port).output
    large = json.dumps({"origin": logs.ORIGIN, "next": 1 << 63, "before": ""})
    for damaged in ("{}", "[" * 100_000, large):
        (folder / "cursor").write_text(damaged)
        with pytest.raises(StartError, match="is no cursor"):
            Cursor.load(folder / "cursor", logs.ORIGIN)
    (folder / "cursor").write_text(large.replace(str(1 << 63), str((1 << 63) - 1)))
    assert run(folder, collector.port).exit_code == 0
    (folder / "cursor").write_text('{"origin": "other", "next": 1, "before": ""}')
    with pytest.raises(StartError, match="is of the log other"):
        Cursor.load(folder / "cursor", logs.ORIGIN)


@pytest.mark.parametrize("to", ["localhost", "localhost:", ":6514", "localhost:0", "localhost:99999", "localhost:x"])
def test_a_collector_is_host_and_port(folder: Path, to: str) -> None:
    """Anything else is a mistake that says what would be accepted."""
    where = ("--log", folder / "audit.db", "--key", folder / "log.key.pub", "--cursor", folder / "cursor")
    done = CliRunner().invoke(trail, list(map(str, ("forward", *where, "--to", to))))
    assert (done.exit_code, "host:port" in done.output) == (2, True)
