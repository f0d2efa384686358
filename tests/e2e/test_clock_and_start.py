"""What refuses the start, and what says so; clocks that are set; and how a gateway stops."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from brightline_verify.note import Checkpoint
from gateway import app, config
from gateway.audit.keys import load_signer
from gateway.audit.lock_store import Folder
from gateway.canonical import canonical
from gateway.cli.doctor import examine
from gateway.clock import Clock, monotonic_us, system_us
from gateway.errors import StartError
from gateway.supervisor import supervised
from tests.support.attacks import attacking, message, refused, refused_in, serves, verified
from tests.support.gateways import LOGISTICS, Deployment, serving, spawned
from tests.support.releases import compile_policy
from tests.support.waiting import until, wait_for

HOUR_US = 3_600_000_000
METHODS = ("Generate", "GenerateStream", "CheckPolicy", "ListModels")


# --- the clock ---------------------------------------------------------------------------------------------------


@dataclass
class Set:
    """The real clocks, and how far somebody has set them. by_us: the wall clock; passed_us: both."""

    by_us: int = 0
    passed_us: int = 0

    def clock(self) -> Clock:
        """A clock of the gateway over these."""
        return Clock(lambda: system_us() + self.passed_us + self.by_us, lambda: monotonic_us() + self.passed_us)


@pytest.mark.parametrize("by_us", [-HOUR_US, 24 * HOUR_US], ids=["back 1 h", "forward 1 d"])
async def test_a_clock_that_is_set_while_running_refuses_every_call(tmp_path: Path, by_us: int) -> None:
    """While the wall clock is not what it was, every call is CLOCK_UNTRUSTED; set right again, calls are served."""
    time = Set()
    async with serving(Deployment.create(tmp_path), time.clock()) as gateway, attacking(gateway) as attacker:
        assert await attacker.call()
        for at_us in (by_us, 0):
            time.by_us = at_us
            for method in METHODS if at_us else ():
                _, record = await refused(gateway, "CLOCK_UNTRUSTED", attacker.call(method))
                assert record["clock"]["source"] == "monotonic"
                assert abs(record["time_us"] - system_us()) < HOUR_US // 60
        assert await attacker.call()
        verified(gateway)


async def test_a_clock_set_back_across_a_restart_refuses_the_start(tmp_path: Path) -> None:
    """A log whose last record is in the future is not continued; doctor says so; an hour or a day ahead is nothing."""
    deployed, ahead = Deployment.create(tmp_path), Set(passed_us=24 * HOUR_US)
    async with serving(deployed, ahead.clock()):
        pass
    for said in (await refused_start(deployed), await doctors_findings(deployed)):
        assert f"{deployed.folder / 'audit' / 'log.db'}: the last record is 86" in said
        assert "the clock went back" in said
    verified(deployed)
    async with serving(deployed, Set(passed_us=48 * HOUR_US).clock()) as gateway, attacking(gateway) as attacker:
        token = gateway.token(LOGISTICS, now_us=system_us() + 48 * HOUR_US)
        assert await attacker.call(authorizations=[f"Bearer {token}"])


async def test_a_worker_that_begins_after_the_clock_was_set_does_not_believe_it(tmp_path: Path) -> None:
    """What was the time as the keeper began is what every worker compares with, however late it was started."""
    deployed, time = Deployment.create(tmp_path), Set(by_us=-HOUR_US)
    deployed.edit("[listener]\n", "[listener]\nworkers = 2\n")
    settings = config.load(deployed.config)
    async with app.opened(settings, time.clock()) as gate:
        time.by_us = 0  # as the worker's own clocks have it
        async with supervised(settings, gate) as port:
            deployed.address = f"127.0.0.1:{port.port}"
            async with attacking(deployed) as attacker:
                await refused_in(deployed, "CLOCK_UNTRUSTED", attacker.call())
    verified(deployed)


# --- what refuses the start --------------------------------------------------------------------------------------


Defect = Callable[[Deployment], object]


def lacks(name: str) -> Defect:
    """The file is not there."""
    return lambda deployed: (deployed.folder / name).unlink()


def shares(name: str) -> Defect:
    """Everybody can read the file."""
    return lambda deployed: (deployed.folder / name).chmod(0o644)


def holds(name: str, data: bytes) -> Defect:
    """The file holds something else."""
    return lambda deployed: (deployed.folder / name).write_bytes(data)


def says(old: str, new: str) -> Defect:
    """The configuration says something else."""
    return lambda deployed: deployed.edit(old, new)


def releases(name: str, change: Callable[[bytes], bytes]) -> Defect:
    """The release holds something else in one file, and its manifest and the pin fit that."""
    return lambda deployed: deployed.change_release(name, change)


def twice(data: bytes) -> bytes:
    """The first tenant once more, with another certificate."""
    document = json.loads(data)
    document["tenants"].append(document["tenants"][0] | {"certificates": ["spiffe://brightline.test/other"]})
    return canonical(document)


def with_key(deployed: Deployment) -> Path:
    """The deployment with a second upstream, which needs a key."""
    text = deployed.config.read_text()
    upstream = (
        '\n[[upstreams]]\nname = "model"\nkind = "openai"\nbase_url = "https://models.test"\napi_key = "api.key"\n'
    )
    deployed.config.write_text(text + upstream)
    path = deployed.folder / "api.key"
    path.write_text("sk-canary\n")
    return path


def lost_log(deployed: Deployment) -> None:
    """The lock store knows of a log of seven records, and there is none."""
    deployed.edit("[audit]\n", '[audit]\nlock_store = "elsewhere"\n')
    settings = config.load(deployed.config).audit
    note = load_signer(settings.signing_key, settings.origin).sign(Checkpoint(settings.origin, 7, bytes(32)).text())
    (deployed.folder / "elsewhere").mkdir()
    Folder(deployed.folder / "elsewhere", settings.origin).write(note)


PRODUCTION = 'profile = "production"'
DEVELOPMENT = 'profile = "development"'
ISSUER = '[[identity.issuers]]\nissuer = "https://issuer.brightline.test"\njwks_file = "issuer/jwks.json"\n'
NO_DECISION = compile_policy("package brightline\n\ndecision := 1 if input.never")

DEFECTS: dict[str, tuple[Defect, tuple[str, ...]]] = {
    "no server key": (lacks("server.key"), ("listener.key", "server.key", "cannot be read")),
    "no server certificate": (lacks("server.pem"), ("listener.certificate", "server.pem", "cannot be read")),
    "no client CA": (lacks("ca.pem"), ("listener.client_ca", "ca.pem", "cannot be read")),
    "no checkpoint key": (lacks("audit/log.key"), ("audit.signing_key", "log.key", "cannot be read")),
    "no commitment key": (lacks("audit/commitment.key"), ("audit.commitment_key", "commitment.key", "cannot be read")),
    "no API key": (lambda d: with_key(d).unlink(), ("upstreams.model.api_key", "api.key", "cannot be read")),
    "no issuer keys": (lacks("issuer/jwks.json"), ("identity.issuers.jwks_file", "jwks.json", "cannot be read")),
    "a shared server key": (shares("server.key"), ("listener.key", "server.key", "mode 0644", "chmod 600")),
    "a shared checkpoint key": (shares("audit/log.key"), ("audit.signing_key", "log.key", "mode 0644", "chmod 600")),
    "a shared commitment key": (
        shares("audit/commitment.key"),
        ("audit.commitment_key", "commitment.key", "mode 0644", "chmod 600"),
    ),
    "a shared API key": (
        lambda d: with_key(d).chmod(0o604),
        ("upstreams.model.api_key", "api.key", "mode 0604", "chmod 600"),
    ),
    "an odd server certificate": (holds("server.pem", b"x"), ("listener.certificate", "server.pem")),
    "an empty client CA": (holds("ca.pem", b""), ("listener.client_ca", "ca.pem", "holds no PEM certificate")),
    "a key of another certificate": (
        lambda d: (d.folder / "server.key").write_bytes(d.key(LOGISTICS)),
        ("listener.key", "server.key"),
    ),
    "an odd checkpoint key": (holds("audit/log.key", b"x"), ("audit.signing_key", "log.key")),
    "a short commitment key": (holds("audit/commitment.key", b"00"), ("audit.commitment_key", "commitment.key")),
    "a log that is none": (holds("audit/log.db", b"x" * 5000), ("audit.path", "log.db")),
    "no folder for the log": (says('"audit/log.db"', '"absent/log.db"'), ("audit.path", "absent")),
    "no folder for the lock store": (says("[audit]\n", '[audit]\nlock_store = "absent"\n'), ("absent", "No such file")),
    "a lock store of a log that is lost": (lost_log, ("elsewhere", "signed over 7", "0")),
    "another release": (
        says("[release]\n", f'[release]\ndigest = "{"0" * 64}"\n'),
        ("release.digest", "0" * 64),
    ),
    "a file of the release that was changed": (
        lambda d: d.damage_release("tenants.json"),
        ("release.repository", "LengthOrHashMismatchError"),
    ),
    "no trusted root": (lacks("root.json"), ("release.root", "root.json", "cannot be read")),
    "no repository": (lambda d: shutil.rmtree(d.folder / "repository"), ("release.repository", "no such folder")),
    "another file of the repository as the root": (
        lambda d: (d.folder / "root.json").write_bytes((d.folder / "repository/metadata/timestamp.json").read_bytes()),
        ("release.root", "is no root.json"),
    ),
    "an empty policy": (releases("policy.wasm", lambda _: b""), ("policy.wasm",)),
    "a tenant twice": (releases("tenants.json", twice), ("tenants.json", LOGISTICS, "is there twice")),
    "a model without upstream": (says('name = "loopback"', 'name = "other"'), ("upstreams", "loopback")),
}

MISCONFIGURED: dict[str, tuple[Defect, tuple[str, ...]]] = {
    "an unknown key": (says("[audit]\n", "[audit]\nfsync = false\n"), ("gateway.toml", "audit.fsync", "unknown key")),
    "fail open": (says("[policy]\n", "[policy]\nfail_open = true\n"), ("gateway.toml", "policy.fail_open")),
    "plaintext": (says("[listener]\n", '[listener]\nsecurity = "plaintext"\n'), ("gateway.toml", "listener.security")),
    "a port beyond all": (says("127.0.0.1:0", "127.0.0.1:70000"), ("gateway.toml", "listener.address", "65535")),
    "production without issuer": (
        lambda d: (d.edit(DEVELOPMENT, PRODUCTION), d.edit(ISSUER, "")),
        ("gateway.toml", "identity.issuers"),
    ),
    "production with reflection": (says(DEVELOPMENT, PRODUCTION), ("gateway.toml", "listener.reflection")),
    "not TOML": (says(DEVELOPMENT, "profile ="), ("gateway.toml", "is not TOML")),
}


async def refused_start(deployed: Deployment) -> str:
    """Why the gateway does not start. Fails the test when it does."""
    with pytest.raises(StartError) as error:
        async with serving(deployed):
            pass
    return str(error.value)


async def doctors_findings(deployed: Deployment) -> str:
    """What `brightline doctor` finds wrong."""
    return "\n".join(f.text for f in await examine(config.load(deployed.config)) if not f.ok)


async def test_doctor_finds_nothing_in_what_works(tmp_path: Path) -> None:
    """A deployment without a defect has no findings: those below come from their defects."""
    deployed = Deployment.create(tmp_path)
    assert await doctors_findings(deployed) == ""
    with_key(deployed).chmod(0o600)
    assert await doctors_findings(deployed) == ""


@pytest.mark.parametrize("defect", DEFECTS)
async def test_what_can_not_work_refuses_the_start(tmp_path: Path, defect: str) -> None:
    """Each defect refuses the start with a message that names key and file, and doctor finds it beforehand."""
    deployed = Deployment.create(tmp_path)
    apply, named = DEFECTS[defect]
    apply(deployed)
    found = await doctors_findings(deployed)
    problem = await refused_start(deployed)
    for words in named:
        assert words in problem
        assert words in found
    assert "sk-canary" not in problem + found


@pytest.mark.parametrize("defect", MISCONFIGURED)
def test_what_is_misconfigured_refuses_the_start(tmp_path: Path, defect: str) -> None:
    """A configuration that asks for the unknown or for less than is safe is not even loaded."""
    deployed = Deployment.create(tmp_path)
    apply, named = MISCONFIGURED[defect]
    apply(deployed)
    with pytest.raises(StartError) as error:
        config.load(deployed.config)
    for words in named:
        assert words in str(error.value)


async def test_a_policy_that_decides_nothing_permits_nothing(tmp_path: Path) -> None:
    """A module without any decision does not start: undefined is never a permission."""
    deployed = Deployment.create(tmp_path)
    releases("policy.wasm", lambda _: NO_DECISION)(deployed)
    assert "policy engine gave no decision" in await doctors_findings(deployed)
    assert "the engine gives no decision with this release" in await refused_start(deployed)


async def test_an_address_that_is_taken_refuses_the_start(tmp_path: Path) -> None:
    """A port that somebody else listens on is named, and the log is closed again."""
    deployed = Deployment.create(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        deployed.edit("127.0.0.1:0", f"127.0.0.1:{port}")
        assert f"listener.address: 127.0.0.1:{port}" in await refused_start(deployed)
    assert [r["kind"] for r in deployed.records()] == ["start", "stop"]
    async with serving(deployed) as gateway:
        await serves(gateway)


async def test_a_log_has_one_writer(tmp_path: Path) -> None:
    """A second gateway on the same log is refused while the first one serves."""
    deployed = Deployment.create(tmp_path)
    async with serving(deployed) as gateway:
        assert "another process writes this log" in await refused_start(deployed)
        await serves(gateway)


# --- as a person meets it ----------------------------------------------------------------------------------------


def brightline(*words: str) -> subprocess.Popen[bytes]:
    """The command, begun."""
    return subprocess.Popen([sys.executable, "-m", "gateway", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def defective(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Configurations of deployments, by their defect."""
    made = {}
    for number, name in enumerate(("a shared checkpoint key", "an unknown key", "a tenant twice")):
        (tmp_path / str(number)).mkdir()
        deployed = Deployment.create(tmp_path / str(number))
        (DEFECTS.get(name) or MISCONFIGURED[name])[0](deployed)
        made[name] = deployed.config
    return made


def test_commands_say_why_and_exit(defective: dict[str, Path]) -> None:
    """`serve` exits with 2 and one error, `doctor` with 1, or 2 for a configuration; neither shows a traceback."""
    begun = {
        (name, command): brightline(command, "--config", str(path))
        for name, path in defective.items()
        for command in ("serve", "doctor")
    }
    for (name, command), process in begun.items():
        out, err = (stream.decode() for stream in process.communicate(timeout=200))
        misconfigured = name in MISCONFIGURED
        assert process.returncode == (2 if command == "serve" or misconfigured else 1), (name, command, err)
        said = err if command == "serve" or misconfigured else out
        if said is err:
            assert said.startswith("error: ")
        for words in (DEFECTS.get(name) or MISCONFIGURED[name])[1]:
            assert words in said
        assert "Traceback" not in out + err


def ignores(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Whether the process is there and the signal does nothing to it."""
    try:
        (mask,) = re.findall(r"^SigIgn:\t(\w+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return False
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_signal_to_load_again_does_not_end_a_start(tmp_path: Path) -> None:
    """SIGHUP and SIGUSR1 that come while the gateway starts ask for what a start does; it serves, and ends well."""
    deployed = Deployment.create(tmp_path)
    address = deployed.folder / "address"
    with subprocess.Popen([sys.executable, "-m", "gateway", "serve", "--config", str(deployed.config)]) as process:
        both = signal.SIGHUP, signal.SIGUSR1
        wait_for(lambda: all(ignores(process, n) for n in both) or address.exists() or process.poll() is not None)
        assert not address.exists()
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: address.exists() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    assert [r["kind"] for r in deployed.records()] == ["start", "stop"]


async def test_a_state_that_can_not_be_told_ends_no_later_change(tmp_path: Path) -> None:
    """Where what is in force can't be written down, the log says so, and the next SIGHUP is heard."""
    deployed = Deployment.create(tmp_path)
    with spawned(deployed) as process:
        in_the_way = deployed.folder / "in_force.json"
        aside = in_the_way.rename(deployed.folder / "aside")
        in_the_way.mkdir()
        process.send_signal(signal.SIGHUP)
        await until(lambda: b"state not told" in (deployed.folder / "gateway.log").read_bytes())
        in_the_way.rmdir()
        aside.rename(in_the_way)
        process.send_signal(signal.SIGHUP)
        await until(lambda: json.loads((deployed.folder / "in_force.json").read_text())["tried"] == 2)


# --- the end -----------------------------------------------------------------------------------------------------


async def test_sigterm_lets_calls_in_flight_end(tmp_path: Path) -> None:
    """After SIGTERM a call in flight gets its answer, a new one is refused, and the last record is the stop."""
    deployed = Deployment.create(tmp_path)
    deployed.edit('kind = "loopback"', 'kind = "loopback"\njournal = "journal"')
    journal = deployed.folder / "journal"
    with spawned(deployed) as process:
        async with attacking(deployed) as attacker, attacking(deployed) as late:
            await late.call("ListModels", b"")
            slow = message(prompt="loopback: wait 1500\nloopback: say done")
            flying = [asyncio.create_task(attacker.call(m, slow)) for m in ("Generate", "GenerateStream")]
            await until(lambda: journal.exists() and journal.read_text().count("\n") == 2)
            process.send_signal(signal.SIGTERM)
            await until(lambda: b"draining" in (deployed.folder / "gateway.log").read_bytes())
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await late.call()
            # CANCELLED: gRPC's core has the call already, and stops before it hands it on.
            assert error.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
            answers = await asyncio.gather(*flying)
            assert all(b"done" in b"".join(a) for a in answers)
        await asyncio.to_thread(process.wait, 90)
        assert process.returncode == 0
    kinds = [r["kind"] for r in deployed.records() if r["kind"] != "refusal"]
    assert kinds == ["start", "access", "intent", "intent", "outcome", "outcome", "stop"]
    assert [r["outcome"] for r in deployed.records("outcome")] == ["completed", "completed"]
    assert journal.read_text().count("\n") == 2
    assert not verified(deployed).open_intents


@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_calls_that_outlast_the_drain_still_get_their_outcome(tmp_path: Path, method: str) -> None:
    """A call that is still waiting when the drain is over is ended, and recorded before the stop."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndrain_ms = 200\n")
    said = "loopback: say " + "All quiet. " * 200 if method == "GenerateStream" else ""
    asked = message(prompt=f"{said}\nloopback: wait 60000", max_tokens=1000)
    async with AsyncExitStack() as clients:
        async with serving(deployed) as gateway:
            attacker = await clients.enter_async_context(attacking(gateway))
            call = asyncio.create_task(attacker.call(method, asked))
            await until(lambda: gateway.calls == 1)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert [r["kind"] for r in deployed.records()] == ["start", "intent", "outcome", "stop"]
    assert deployed.records("outcome")[0]["reason"] == "CANCELLED"
    assert not verified(deployed).open_intents


async def test_a_call_that_comes_while_draining_is_turned_away(tmp_path: Path) -> None:
    """A call that still reaches a gateway that drains is SHUTTING_DOWN, and may be sent to another."""
    async with serving(Deployment.create(tmp_path)) as gateway, attacking(gateway) as attacker:
        assert gateway.gate is not None
        gateway.gate.draining = True
        for method in METHODS:
            answer, _ = await refused(gateway, "SHUTTING_DOWN", attacker.call(method))
            assert answer.retry_safe
