"""The gateway on a log that can't be written: it refuses, forwards nothing, and goes on by itself when it can."""

from __future__ import annotations

import errno
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from brightline import BrightlineError, Client
from brightline_verify.database import verify
from brightline_verify.note import Verifier
from brightline_verify.report import Report
from brightline_verify.whole import Trust
from gateway import config
from gateway.audit.keys import public_path
from tests.support.gateways import HARMLESS, LOGISTICS, Deployment, spawned
from tests.support.waiting import wait_for

ASK: dict[str, Any] = {"model": "loopback", "prompt": "How many trucks?", "use": HARMLESS}
SHIM = Path(__file__).with_name("shim.c")


@dataclass
class Gateway:
    """A running gateway of its own process, and a client of it."""

    deployed: Deployment
    process: subprocess.Popen[bytes]
    client: Client

    def ask(self) -> str:
        """Ask once. Returns the reason of the refusal, empty when it was answered."""
        return reason(lambda: self.client.generate(**ASK))

    @property
    def serves(self) -> bool:
        """What health says."""
        pair = (self.deployed.key(LOGISTICS), self.deployed.certificate(LOGISTICS))
        with grpc.secure_channel(
            self.deployed.address, grpc.ssl_channel_credentials(self.deployed.ca, *pair)
        ) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=120)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    @property
    def forwarded(self) -> int:
        """How many calls reached the upstream."""
        return len((self.deployed.folder / "journal.jsonl").read_text().splitlines())

    def report(self) -> Report:
        """What the verifier says of the log."""
        settings = config.load(self.deployed.config).audit
        return verify(settings.path, Trust(Verifier.parse(public_path(settings.signing_key).read_text())))


def reason(call: Callable[[], object]) -> str:
    """The public reason why a call is refused, empty when it is answered. Any other failure fails the test."""
    try:
        call()
    except BrightlineError as error:
        assert error.reason, error
        return error.reason
    return ""


def create(folder: Path) -> Deployment:
    """A deployment whose upstream keeps a journal, and whose records are due in half a second; decisions are not."""
    deployed = Deployment.create(folder)
    deployed.edit('kind = "loopback"\n', 'kind = "loopback"\njournal = "journal.jsonl"\n')
    deployed.edit("[audit]\n", "[audit]\ndeadline_ms = 500\n")
    deployed.edit("[policy]\n", "[policy]\ndeadline_ms = 10000\n")
    return deployed


def client(deployed: Deployment) -> Client:
    """A client of the gateway that serves the deployment."""
    return Client(
        deployed.address,
        ca=deployed.ca,
        certificate=deployed.certificate(LOGISTICS),
        key=deployed.key(LOGISTICS),
        token=deployed.token(LOGISTICS),
        timeout_s=120,
        retries=0,
    )


@contextmanager
def running(deployed: Deployment, **how: Any) -> Iterator[Gateway]:
    """A gateway that has answered once, stopped in order at the end."""
    with spawned(deployed, **how) as process, client(deployed) as asking:
        gateway = Gateway(deployed, process, asking)
        wait_for(lambda: gateway.ask() == "")
        yield gateway
    assert process.returncode == 0


def refuses_and_recovers(gateway: Gateway, fault: Callable[[], AbstractContextManager[object]]) -> None:
    """While the fault lasts, every sort of call is refused and health says so; then the gateway goes on by itself."""
    wait_for(lambda: gateway.serves)
    with fault():
        wait_for(lambda: gateway.ask() == "AUDIT_UNAVAILABLE")
        forwarded = gateway.forwarded
        calls = (
            lambda: gateway.client.generate(**ASK),
            lambda: list(gateway.client.stream(**ASK)),
            lambda: gateway.client.check(**ASK),
            gateway.client.models,
        )
        with ThreadPoolExecutor() as callers:
            assert set(callers.map(reason, calls * 3)) == {"AUDIT_UNAVAILABLE"}
        assert gateway.forwarded == forwarded
        assert not gateway.serves
    wait_for(lambda: gateway.serves)
    wait_for(lambda: gateway.ask() == "")
    # What nobody could say at first is said within a second or two: nothing was forwarded.
    wait_for(lambda: gateway.report().open_intents == ())
    assert gateway.report().problem is None
    sent = [r for r in gateway.deployed.records("outcome") if r["outcome"] != "not_forwarded"]
    assert len(sent) == gateway.forwarded


# --- one gateway, many faults ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["connection", *(["libc"] if shutil.which("gcc") else [])])
def faulty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose disk fails as a file says: in SQLite's binding, and with a compiler in the C library too."""
    folder = tmp_path_factory.mktemp("faulty")
    environment = {"FAULT_CONTROL": str(folder / "control")}
    how: dict[str, Any] = {"program": ("tests.faults.faulty", "serve")}
    if request.param == "libc":
        shim = folder / "shim.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, SHIM, "-ldl"], check=True)
        environment["LD_PRELOAD"] = str(shim)
        how = {}
    with running(create(folder), environment=environment, **how) as gateway:
        yield gateway


@contextmanager
def told(gateway: Gateway, what: str) -> Iterator[None]:
    """The disk does that."""
    control = gateway.deployed.folder.with_name("control")
    draft = control.with_suffix(".draft")
    draft.write_text(what)
    draft.rename(control)
    try:
        yield
    finally:
        control.unlink()


@pytest.mark.parametrize(
    "fault",
    [
        f"write {errno.EIO}",
        f"write {errno.ENOSPC}",
        f"write {errno.EROFS}",
        f"sync {errno.EIO}",
        "stall",
    ],
)
def test_a_failing_disk_refuses_until_it_works(faulty: Gateway, fault: str) -> None:
    """Writes that fail, a sync that fails and a disk that hangs: refused, nothing forwarded, recovered."""
    refuses_and_recovers(faulty, lambda: told(faulty, fault))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway as it is."""
    with running(create(tmp_path_factory.mktemp("gateway"))) as served:
        yield served


def test_a_locked_database_refuses_until_it_is_free(gateway: Gateway) -> None:
    """While another process holds the write lock nothing is forwarded; afterwards the gateway goes on."""

    @contextmanager
    def locked() -> Iterator[None]:
        path = config.load(gateway.deployed.config).audit.path
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    refuses_and_recovers(gateway, locked)


def test_a_checkpoint_that_cannot_be_published_refuses(gateway: Gateway) -> None:
    """A log that can no longer publish what it holds is not written on: its loss could not be seen."""

    @contextmanager
    def unwritable() -> Iterator[None]:
        draft = config.load(gateway.deployed.config).audit.path.with_name("log.db.checkpoint.tmp")
        draft.mkdir()
        try:
            yield
        finally:
            draft.rmdir()

    refuses_and_recovers(gateway, unwritable)


def test_a_process_that_may_not_write_files_refuses(gateway: Gateway) -> None:
    """While no file can grow, not even the operator's log, calls are refused; afterwards the gateway goes on."""
    refuses_and_recovers(gateway, lambda: limited(gateway.process.pid))


@contextmanager
def limited(process: int) -> Iterator[None]:
    """No file of that process may grow, or be written at all."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)


def test_a_second_gateway_on_the_same_log_does_not_start(gateway: Gateway) -> None:
    """It is refused with the log's name, and the first one goes on."""
    second = start_refused(gateway.deployed)
    assert f"{gateway.deployed.folder}/audit/log.db" in second
    assert "another process writes this log" in second
    assert gateway.ask() == ""


# --- a disk of its own ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of a few megabytes, None where nobody may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_refuses_until_there_is_space(small_disk: Path | None, tmp_path: Path) -> None:
    """With keys, log, journal and the operator's log on a disk that is full, calls are refused until space returns."""
    with running(create(small_disk or tmp_path)) as gateway:
        if small_disk is None:
            refuses_and_recovers(gateway, lambda: limited(gateway.process.pid))
        else:
            refuses_and_recovers(gateway, lambda: full(gateway, small_disk / "filler"))


@contextmanager
def full(gateway: Gateway, filler: Path) -> Iterator[None]:
    """The disk is full for good: what the log gives back when it tidies up after a failure is taken as well."""
    while fill(filler) or gateway.ask() != "AUDIT_UNAVAILABLE" or fill(filler):
        pass
    yield
    filler.unlink()


def fill(filler: Path) -> int:
    """Take all space that is left. Returns how many bytes that was."""
    taken = 0
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            taken += file.write(bytes(4096))
    return taken


@pytest.mark.parametrize(("name", "mode"), [("audit", 0o500), ("audit/log.db", 0o400)])
def test_a_read_only_log_refuses_the_start(tmp_path: Path, name: str, mode: int) -> None:
    """A folder or a log that can't be written refuses the start with the log's name, and is as it was."""
    deployed = create(tmp_path)
    with running(deployed):
        pass
    before = deployed.records()
    path = deployed.folder / name
    writable = path.stat().st_mode
    path.chmod(mode)
    try:
        assert f"{deployed.folder}/audit/log.db" in start_refused(deployed, "tests.faults.modest")
    finally:
        path.chmod(writable)
    assert deployed.records() == before


def test_an_address_file_without_room_refuses_the_start_by_name(tmp_path: Path) -> None:
    """A gateway that can't write its address says which file has no room, and leaves what has that name as it was."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    said = start_refused(create(tmp_path), "gateway", "--address-file", str(full))
    assert f"No space left on device: '{full}'" in said
    assert full.is_symlink()


def start_refused(deployed: Deployment, module: str = "gateway", *arguments: str) -> str:
    """What a gateway says that refuses to start."""
    command = [sys.executable, "-m", module, "serve", "--config", str(deployed.config), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2, done.stderr
    return done.stderr
