"""The units of deploy/: systemd takes them, and what they say of the gateway is so."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import config
from gateway.config import Audit, Limits
from gateway.transport import OWN_FILES
from gateway.worker_slot import _MORE_S
from tests.docs.pages import ROOT, blocks
from tests.support.gateways import Deployment
from tests.support.opa import free_port
from tests.support.releases import opa
from tests.support.units import analysed, directives, filtering, needs_numbers, needs_systemd, permitted
from tests.support.waiting import wait_for

GATEWAY = ROOT / "deploy/systemd/brightline.service"
OPA = ROOT / "deploy/opa/brightline-opa.service"
SAYS = directives(GATEWAY)


@needs_systemd
@pytest.mark.parametrize("unit", [GATEWAY, OPA])
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    """Every directive is known and well formed, and little is left of what a unit may do."""
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", unit.read_text()))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    level = re.search(r"level for \S+: ([\d.]+)", analysed("security", "--offline=true", "--no-pager", str(copy)))
    assert level
    assert float(level[1]) <= 1.5


def test_what_the_unit_says_fits_the_program() -> None:
    """It has longer to end than the gateway takes, more files than it needs, and a signal that it knows."""
    limits, audit = Limits(), Audit.model_fields
    ends_ms = limits.drain_ms + audit["deadline_ms"].default + 1000 * _MORE_S
    assert int(SAYS["TimeoutStopSec"][0]) * 1000 > 2 * ends_ms
    assert int(SAYS["LimitNOFILE"][0]) > limits.connections + limits.concurrent_calls + OWN_FILES
    assert SAYS["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert SAYS["RestartPreventExitStatus"] == ["2"]
    assert "MemoryDenyWriteExecute" not in SAYS


def test_what_the_gateway_writes_is_writable() -> None:
    """Of the sample configuration, the gateway's own files are in its state directory and all others are not."""
    settings = config.load(ROOT / "deploy/samples/production.toml")
    state, given = (
        Path(f"/{base}") / SAYS[name][0]
        for base, name in (("var/lib", "StateDirectory"), ("etc", "ConfigurationDirectory"))
    )
    for path in (settings.audit.path, settings.identity.ledger, settings.release.metadata):
        assert path is not None
        assert path.is_relative_to(state)
    assert settings.listener.key.is_relative_to(given)
    assert settings.audit.signing_key.is_relative_to(given)


ASKING = [
    "ask",
    "How-many-trucks-are-there?",
    "--use",
    "logistics_planning",
    "--marking",
    "UNCLASSIFIED",
    "--autonomy",
    "none",
    "--us-person",
    "no",
    "--channel",
    "internal",
    "--data-origin",
    "agency_records",
    "--tenant",
    "northern-logistics",
]


@needs_systemd
@needs_numbers
def test_the_gateway_needs_no_system_call_that_the_unit_forbids(tmp_path: Path) -> None:
    """Where any other system call would kill it, it starts, decides, loads a release, answers and ends with 0."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("learned = false", "learned = true")
    address, log = deployed.folder / "address", deployed.folder / "gateway.log"
    roots = ["fchown"] if os.geteuid() == 0 else []  # SQLite gives its files to their owner, where it is root
    begin = filtering(permitted(GATEWAY, *roots))
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--config", str(deployed.config)],
            stderr=told,
            preexec_fn=begin,  # noqa: PLW1509 - one thread, and the child makes a system call
        )
    try:
        wait_for(lambda: address.exists() or process.poll() is not None, 300)
        assert process.poll() is None, log.read_text()
        asked = subprocess.run(
            [sys.executable, "-m", "gateway", *ASKING, "--deployment", str(deployed.folder)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert asked.returncode == 0, asked.stdout + asked.stderr + log.read_text()
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "release unchanged" in log.read_text() or process.poll() is not None, 120)
    finally:
        process.terminate()
    assert process.wait(90) == 0, log.read_text()


REFUSING = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, int(sys.argv[1]), 0, 0, 0):
    sys.exit(77)
import wasmtime
wasmtime.Module(wasmtime.Engine(), '(module (func (export "f")))')
"""


def test_the_engine_needs_memory_that_is_written_and_run() -> None:
    """With MemoryDenyWriteExecute no policy could be loaded, which is why the unit does not have it."""
    ran = [
        subprocess.run([sys.executable, "-c", program, "1"], capture_output=True, timeout=120, check=False).returncode
        for program in (REFUSING, REFUSING.split("import wasmtime", maxsplit=1)[0])
    ]
    if ran[1] == 77:
        pytest.skip("the kernel is older than 6.3")
    assert ran[1] == 0
    assert ran[0] != 0


def test_the_server_refuses_everything_but_the_question(tmp_path: Path) -> None:
    """The rules of the server's unit are those of the operator's page; started by its command, it decides."""
    rules = ROOT / "deploy/opa/authz.rego"
    (shown,) = [b.text for b in blocks("docs/operators-page.md") if b.language == "rego"]
    assert rules.read_text() == shown
    deployed = Deployment.create(tmp_path)
    place = f"127.0.0.1:{free_port()}"
    words = directives(OPA)["ExecStart"][0].split()[1:]
    for old, new in (
        ("127.0.0.1:8181", place),
        ("/var/lib/brightline-opa/release", str(deployed.folder / "release")),
        ("/etc/brightline-opa/authz.rego", str(rules)),
    ):
        words = [word.replace(old, new) for word in words]
    deployed.edit('engine = "wasm"', f'engine = "opa"\nopa_url = "http://{place}"')
    server = subprocess.Popen([opa(), *words], stderr=subprocess.DEVNULL)
    try:
        doctor = [sys.executable, "-m", "gateway", "doctor", "--config", str(deployed.config)]

        def decides() -> bool:
            return "ok   policy: opa" in subprocess.run(doctor, capture_output=True, text=True, check=False).stdout

        wait_for(decides, 120)
    finally:
        server.terminate()
        server.wait(30)
