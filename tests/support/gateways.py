"""Real gateways for tests: a development deployment in a folder, served by this process or by another one."""

from __future__ import annotations

import asyncio
import atexit
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brightline import AsyncAuditClient, AsyncClient, BrightlineError, Use, UsPerson
from gateway import app, config, deployment
from gateway.audit import places
from gateway.canonical import canonical, digest
from gateway.clock import Clock, system_us
from gateway.config import Config
from gateway.gate import Gate
from gateway.identity import issue
from gateway.inforce import InForce
from gateway.listener import listening
from gateway.pdp.wasm import machine_code
from gateway.release import State
from gateway.types import Release
from gateway.upstream.loopback import Loopback
from tests.support.waiting import wait_for

LOGISTICS = "northern-logistics"
INTELLIGENCE = "harbor-intelligence"
HEALTH = "river-health"

HARMLESS = Use(
    us_person=UsPerson(involved="no"),
    purpose="logistics_planning",
    marking="UNCLASSIFIED",
    autonomy="none",
    channel="internal",
    data_origin="agency_records",
)


@dataclass
class Deployment:
    """A development deployment without the learned detector, which hundreds of gateways would each load.

    address: known once it is served.
    """

    folder: Path
    address: str = ""
    clients: list[AsyncClient | AsyncAuditClient] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path) -> Deployment:
        """A deployment below `folder`: a copy of one that this process makes once, with the same keys."""
        shutil.copytree(_made(), folder / "deployment")
        return cls(folder / "deployment")

    @classmethod
    def another(cls, folder: Path) -> Deployment:
        """A deployment below `folder` with a CA, a log and keys of its own."""
        deployment.create(folder / "deployment", system_us(), learned=False)
        return cls(folder / "deployment")

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "gateway.toml"

    def edit(self, old: str, new: str) -> None:
        """Replace a part of the configuration, which has to exist."""
        text = self.config.read_text()
        assert old in text, f"{old!r} is not in the configuration"
        self.config.write_text(text.replace(old, new))

    def change_release(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Change one file of the release and the configured digest.

        Both holders sign the release, and it is published.
        """
        folder = self.folder / "release"
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        before, data = digest(manifest), change((folder / name).read_bytes())
        (folder / name).write_bytes(data)
        manifest["files"][name] = hashlib.sha256(data).hexdigest()
        manifest["version"] += 1
        (folder / "manifest.json").write_bytes(canonical(manifest))
        self.edit(before, digest(manifest))
        deployment.publish(self.folder)

    def damage_release(self, name: str) -> None:
        """Publish another release with one file that differs from what was signed."""
        self.change_release(name, lambda data: data + b"\n")
        (published,) = sorted(
            (self.folder / "repository/targets").rglob(f"*.{name}"), key=lambda p: p.stat().st_mtime_ns
        )[-1:]
        published.write_bytes(b"{}")

    def token(self, tenant: str, **claims: Any) -> str:
        """A token of the deployment's issuer, bound to the tenant's certificate or to `certificate`."""
        values: dict[str, Any] = {
            "issuer": deployment.ISSUER,
            "audience": deployment.AUDIENCE,
            "tenant": tenant,
            "subject": "tester",
            "client_id": "tests",
            "now_us": system_us(),
        } | claims
        certificate = values.pop("certificate", self.certificate(tenant))
        return issue.mint((self.folder / "issuer" / "token.key").read_bytes(), certificate, **values)

    def certificate(self, tenant: str) -> bytes:
        """The tenant's certificate."""
        return (self.folder / "tenants" / tenant / "client.pem").read_bytes()

    def key(self, tenant: str) -> bytes:
        """The tenant's key."""
        return (self.folder / "tenants" / tenant / "client.key").read_bytes()

    @property
    def ca(self) -> bytes:
        """The deployment's CA."""
        return (self.folder / "ca.pem").read_bytes()

    def client(
        self, tenant: str = LOGISTICS, *, token: str | None = None, retries: int = 0, **rest: Any
    ) -> AsyncClient:
        """A client of the tenant. It is closed with the gateway."""
        client = AsyncClient(
            self.address,
            ca=self.ca,
            certificate=self.certificate(tenant),
            key=self.key(tenant),
            token=self.token(tenant) if token is None else token,
            retries=retries,
            **rest,
        )
        self.clients.append(client)
        return client

    def auditor(self, tenant: str = LOGISTICS, *roles: str, **rest: Any) -> AsyncAuditClient:
        """A reviewer of the tenant, with these roles or an auditor's. It is closed with the gateway."""
        token = self.token(tenant, roles=roles or ("auditor",), subject="reviewer")
        certificate, key = self.certificate(tenant), self.key(tenant)
        client = AsyncAuditClient(
            self.address, ca=self.ca, certificate=certificate, key=key, token=token, retries=0, **rest
        )
        self.clients.append(client)
        return client

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        """The stored records of these kinds (or all) in order, read beside the writer."""
        with places.source(config.load(self.config).audit).reading() as rows:
            leaves = [json.loads(row[1]) for row in rows.rows(0, rows.ends()[1])]
        return [r for r in leaves if not kinds or r["kind"] in kinds]


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="deployment-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    deployment.create(folder / "deployment", system_us(), learned=False)
    return folder / "deployment"


@dataclass
class Running(Deployment):
    """A deployment that this process serves, with its internals accessible."""

    gate: Gate | None = None

    @property
    def calls(self) -> int:
        """How many calls reached the loopback upstream."""
        assert self.gate is not None
        upstream = self.gate.upstreams["loopback"]
        assert isinstance(upstream, Loopback)
        return upstream.calls


_PASSED: set[tuple[str, str]] = set()
_ask, _prepare = app.ask, app.prepare


async def _ask_once(fresh: InForce) -> None:
    """Run the self-test of a release once in a process: its results are the same for every gateway."""
    one = (fresh.release.digest, fresh.engine.version)
    if one not in _PASSED:
        await _ask(fresh)
        _PASSED.add(one)


@functools.lru_cache(4)
def _machine_code(wasm: bytes) -> bytes:
    return machine_code(wasm)


async def _prepare_compiled(config: Config, loaded: Release, code: bytes = b"", state: State = ()) -> InForce:
    """Prepare a release as the gateway does, but compile each module once for all gateways of the process."""
    if config.policy.engine == "wasm":
        code = code or _machine_code(loaded.wasm)
    return await _prepare(config, loaded, code, state)


@asynccontextmanager
async def serving(deployed: Deployment, clock: Clock | None = None) -> AsyncIterator[Running]:
    """The gateway of the deployment, in this process.

    A release that passed its self-test in this process is not tested again, and its module is not compiled again.
    """
    settings = config.load(deployed.config)
    setattr(app, "prepare", _prepare_compiled)  # noqa: B010 - as below
    setattr(app, "ask", _ask_once)  # noqa: B010 - not what the module offers, to a type checker
    async with app.opened(settings, clock or Clock()) as gate, listening(settings, gate) as listener:
        running = Running(deployed.folder, f"127.0.0.1:{listener.port}", gate=gate)
        try:
            yield running
        finally:
            await asyncio.gather(*(c.close() for c in running.clients))


@contextmanager
def spawned(
    deployed: Deployment,
    *,
    environment: dict[str, str] | None = None,
    program: Sequence[str] = ("gateway", "serve"),
    patience_s: float = 180.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """The gateway of the deployment, serving in another process.

    It gets SIGTERM at the end, unless it has ended already.

    program: the module to run, and its arguments before --config.
    """
    address = deployed.folder / "address"
    address.unlink(missing_ok=True)
    with (deployed.folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *program, "--config", str(deployed.config)],
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
        try:
            wait_for(lambda: address.exists() or process.poll() is not None, patience_s)
            if process.returncode is None:
                deployed.address = address.read_text().strip()
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(90)


async def refused(attempt: Awaitable[object], kind: type[BrightlineError]) -> BrightlineError:
    """The exception that a client raises, which has to be of this kind."""
    with pytest.raises(kind) as caught:
        await attempt
    return caught.value


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """A change to a file of the release: applied to each item of its list."""

    def whole(data: bytes) -> bytes:
        document = json.loads(data)
        for item in document[name]:
            change(item)
        return canonical(document)

    return whole
