"""`brightline doctor` on deployments that would start and serve nobody, or not start at all."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway import config
from gateway.cli.doctor import Finding, built, examine
from gateway.clock import system_us
from gateway.identity.issue import issue_certificate
from tests.support import sealing
from tests.support.attacks import authority
from tests.support.gateways import Deployment
from tests.support.opa import free_port
from tests.support.pki import HOURS

Defect = Callable[[Deployment], object]


async def failures(deployed: Deployment) -> dict[str, str]:
    """What fails, by the name of the check."""
    return {f.check: f.text for f in await examine(config.load(deployed.config)) if not f.ok}


def shows(**given: object) -> Defect:
    """The gateway has a certificate with this in it."""

    def apply(deployed: Deployment) -> None:
        settings = {"usage": "server", "hosts": ("localhost",), "now_us": system_us()} | given
        pair = issue_certificate(authority(deployed).ca, **settings)  # type: ignore[arg-type]  # as its names say
        (deployed.folder / "server.pem").write_bytes(pair.certificate)
        (deployed.folder / "server.key").write_bytes(pair.key)

    return apply


def lists_of_last_week(deployed: Deployment) -> None:
    last_week_us = system_us() - 7 * 24 * HOURS
    old = authority(deployed).crl(issued_us=last_week_us, next_update_us=last_week_us + HOURS)
    (deployed.folder / "crl.pem").write_bytes(old)
    deployed.edit("[identity]\n", '[identity]\ncrl = "crl.pem"\n')


def a_folder_for_the_key(deployed: Deployment) -> None:
    key = deployed.folder / "audit" / "log.key"
    key.unlink()
    key.mkdir(mode=0o700)


def sealing_with_open_keys(deployed: Deployment) -> None:
    deployed.edit("[audit]\n", sealing.section(deployed.folder) + "[audit]\n")
    (deployed.folder / "keys").chmod(0o755)


def a_detector_that_is_down(deployed: Deployment) -> None:
    deployed.edit(
        "[audit]\n",
        f'[[signals.external]]\nname = "other"\nkind = "http"\nbase_url = "http://127.0.0.1:{free_port()}"\n'
        'model = "1"\ncategories = { x = "cbrn" }\n[audit]\n',
    )


def a_store_that_is_down(deployed: Deployment) -> None:
    deployed.edit("[audit]\n", f'[quotas]\nurl = "valkey://127.0.0.1:{free_port()}"\n[audit]\n')


def metrics_elsewhere(deployed: Deployment) -> None:
    files = 'certificate = "server.pem"\nkey = "server.key"\nclient_ca = "ca.pem"\n'
    deployed.edit("[audit]\n", f'[metrics]\naddress = "192.0.2.1:9464"\n{files}[audit]\n')


def edits(old: str, new: str) -> Defect:
    """The configuration says something else."""
    return lambda deployed: deployed.edit(old, new)


DEFECTS: dict[str, tuple[Defect, str, tuple[str, ...]]] = {
    "an expired certificate": (
        shows(now_us=system_us() - 400 * 24 * HOURS),
        "listener",
        ("listener.certificate", "server.pem", "callers refuse it", "renew it"),
    ),
    "a certificate of tomorrow": (shows(now_us=system_us() + 24 * HOURS), "listener", ("valid from",)),
    "a client's certificate": (shows(usage="client"), "listener", ("server.pem", "serverAuth")),
    "a certificate without a host": (shows(hosts=()), "listener", ("server.pem", "subjectAltName")),
    "another host's address": (edits("127.0.0.1:0", "192.0.2.1:0"), "listener", ("listener.address", "192.0.2.1")),
    "revocation lists of last week": (lists_of_last_week, "identity", ("revocation list", "nextUpdate")),
    "an issuer that is down": (
        edits('jwks_file = "issuer/jwks.json"', f'jwks_url = "https://127.0.0.1:{free_port()}/jwks"'),
        "identity",
        ("IDENTITY_UNAVAILABLE", "no keys of https://issuer.brightline.test"),
    ),
    "an engine that is down": (
        edits('engine = "wasm"', f'engine = "opa"\nopa_url = "http://127.0.0.1:{free_port()}"'),
        "policy",
        ("POLICY_UNAVAILABLE", "127.0.0.1"),
    ),
    "a store of quotas that is down": (a_store_that_is_down, "quotas", ("quotas.url", "ConnectionError")),
    "a detector that is down": (a_detector_that_is_down, "signals", ("signals.external", "other")),
    "another origin than the public key's": (
        edits('origin = "brightline.test/development"', 'origin = "brightline.test/other"'),
        "audit",
        ("audit.origin", "log.key.pub"),
    ),
    "a folder for a key": (a_folder_for_the_key, "audit", ("log.key: cannot be read: Is a directory",)),
    "wrapping keys that others see": (sealing_with_open_keys, "audit", ("audit.sealed.keys", "chmod 700")),
    "an enclave for which there is no model": (
        edits('enclave = "development"', 'enclave = "prod"'),
        "release",
        ("audit.enclave", "'prod'", "its models are for development"),
    ),
    "metrics at another host's address": (metrics_elsewhere, "metrics", ("metrics.address", "192.0.2.1:9464")),
    "a folder for the log": (lambda d: (d.folder / "audit" / "log.db").mkdir(), "audit", ("audit.path", "log.db")),
}


@pytest.mark.parametrize("defect", DEFECTS)
async def test_what_would_serve_nobody_is_found(tmp_path: Path, defect: str) -> None:
    """Each defect fails its check and no other, with the key or file and what is wrong."""
    deployed = Deployment.create(tmp_path)
    assert await failures(deployed) == {}
    apply, check, named = DEFECTS[defect]
    apply(deployed)
    found = await failures(deployed)
    assert found.keys() == {check}
    for words in named:
        assert words in found[check]


async def test_a_port_that_is_in_use_is_told(tmp_path: Path) -> None:
    """Doctor may run beside the gateway, so a port that is taken is no failure, but it is said."""
    deployed = Deployment.create(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        deployed.edit("127.0.0.1:0", f"127.0.0.1:{taken.getsockname()[1]}")
        listener: Finding = (await examine(config.load(deployed.config)))[0]
    assert listener.ok
    assert "in use" in listener.text


@pytest.mark.parametrize(
    ("arguments", "prefix", "word"),
    [
        ("'--enable-shared' '--enable-optimizations'", "/opt/python", "with"),
        ("'--prefix=/usr' '--with-dtrace'", "/usr", "with"),
        ("'--prefix=/home/me/.pyenv' '--enable-shared'", "/home/me/.pyenv", "without"),
    ],
)
async def test_a_slow_interpreter_is_told(tmp_path: Path, arguments: str, prefix: str, word: str) -> None:
    """How the interpreter was built is said, and refuses nobody."""
    assert built(arguments, prefix).startswith(f"built {word} profile-guided optimisation")
    told = (await examine(config.load(Deployment.create(tmp_path).config)))[-1]
    assert (told.check, told.ok) == ("interpreter", True)


def test_the_version_is_told() -> None:
    """--version needs no command, and says what is on every record of a start."""
    told = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"brightline {version('brightline-gateway')}\n"


async def test_what_observes_is_looked_at_where_it_is_configured(tmp_path: Path) -> None:
    """A key of metrics that others can read, and a CA of traces that is not there, are found before a start is."""
    deployed = Deployment.create(tmp_path)
    key = deployed.folder / "open.key"
    key.write_bytes((deployed.folder / "server.key").read_bytes())
    key.chmod(0o644)
    metrics = '[metrics]\naddress = "127.0.0.1:0"\ncertificate = "server.pem"\nkey = "open.key"\nclient_ca = "ca.pem"\n'
    tracing = '[tracing]\nendpoint = "https://collector.example/v1/traces"\nca = "missing.pem"\n'
    deployed.config.write_text(f"{deployed.config.read_text()}\n{metrics}\n{tracing}")
    found = await failures(deployed)
    assert found.keys() == {"metrics", "tracing"}
    assert found["metrics"].startswith("metrics.key: ")
    assert found["tracing"].startswith("tracing.ca: ")
