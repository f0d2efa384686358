"""`brightline doctor`: finds what would refuse the start or every call, and says how to repair it."""

from __future__ import annotations

import asyncio
import functools
import json
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape

from brightline_verify.note import NoteError, Verifier
from gateway import app, config, facts, pdp, preparing, release, transport
from gateway.audit import keys, places
from gateway.audit.sealed import places as sealed_places
from gateway.audit.show import compare, last_time_us
from gateway.audit.store import in_the_future
from gateway.clock import TOLERANCE_US, Clock
from gateway.config import Audit, Config, read_public
from gateway.errors import GatewayError, StartError
from gateway.identity import Identity
from gateway.identity.server_certificate import check_shown
from gateway.signals.liveness import PROBE
from gateway.types import Release, Standing
from gateway.upstream import open_upstream


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. text: what was found, or what is wrong and what to do."""

    check: str
    ok: bool
    text: str


_ANSWERS_IN_S = 10.0
Check = Callable[[Config], Awaitable[str]]
Load = Callable[[], Release]


def doctor(
    path: Annotated[Path, typer.Option("--config", help="The configuration file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find what would refuse the start of a gateway or all of its calls, without starting it or touching its log.

    Exits with 0 when nothing would, 1 when something would, 2 when the configuration can't be read.

    Example: `brightline doctor --config dev/gateway.toml`
    """
    findings = asyncio.run(examine(config.load(path)))
    healthy = all(f.ok for f in findings)
    if as_json:
        typer.echo(json.dumps({"ok": healthy, "checks": [asdict(f) for f in findings]}))
    else:
        console = Console(soft_wrap=True)
        for finding in findings:
            word = "[green]ok  [/]" if finding.ok else "[red]FAIL[/]"
            console.print(f"{word} {finding.check}: {escape(finding.text)}")
    raise typer.Exit(0 if healthy else 1)


async def examine(settings: Config) -> list[Finding]:
    """Run every check, in the order of a start. A failed check does not stop the later ones."""
    loaded = functools.cache(functools.partial(_loaded, settings))  # a failure is reported by each check
    checks: list[tuple[str, Check]] = [
        ("listener", _listener),
        ("release", functools.partial(_release, loaded=loaded)),
        ("policy", functools.partial(_policy, loaded=loaded)),
        ("signals", _signals),
        ("identity", _identity),
        ("upstreams", functools.partial(_upstreams, loaded=loaded)),
        ("audit", _audit),
    ]
    if settings.quotas.url is not None:
        checks.append(("quotas", _quotas))
    if settings.metrics is not None:
        checks.append(("metrics", _metrics))
    if settings.tracing is not None:
        checks.append(("tracing", _tracing))
    checks.append(("interpreter", _interpreter))
    return [await _examined(name, check, settings) for name, check in checks]


async def _examined(name: str, check: Check, settings: Config) -> Finding:
    try:
        return Finding(name, ok=True, text=await check(settings))
    except (StartError, GatewayError) as error:
        detail = f" ({error.detail})" if isinstance(error, GatewayError) and error.detail else ""
        return Finding(name, ok=False, text=f"{error}{detail}")


async def _interpreter(_: Config) -> str:
    return f"Python {platform.python_version()}, {built(str(sysconfig.get_config_var('CONFIG_ARGS')), sys.base_prefix)}"


def built(arguments: str, prefix: str) -> str:
    """How an interpreter was built, by its configure arguments and prefix. Builds of distributions are optimised."""
    if "--enable-optimizations" in arguments or prefix == "/usr":
        return "built with profile-guided optimisation"
    return "built without profile-guided optimisation: a call takes a third more of the processor"


async def _listener(settings: Config) -> str:
    transport.reserve_files(settings.limits)
    transport.configuration(settings.listener)
    check_shown(settings.listener.certificate, read_public(settings.listener.certificate, ""), Clock()())
    return f"{settings.listener.address}, mutual TLS{_taken(settings.listener.address, 'listener.address')}"


def _taken(address: str, key: str) -> str:
    return "" if transport.is_free(address, key) else "; in use, by this gateway if it runs"


async def _release(settings: Config, loaded: Load) -> str:
    found = loaded()
    facts.prepare(found, settings.marking_ceiling, settings.audit.enclave)
    _check_enclave(found, settings.audit.enclave)
    pinned = "pinned" if settings.release.digest else "not pinned"
    signed = f"signed by {' and '.join(found.signers)}" if found.metadata else "NOT SIGNED"
    return f"version {found.version}, {len(found.tenants)} tenants, digest {found.digest} ({pinned}, {signed})"


def _check_enclave(found: Release, enclave: str) -> None:
    """Raise StartError if the release has models and none of them may be asked here."""
    named = {name for model in found.models.values() for name in cast("list[str]", model.attributes["enclaves"])}
    if found.models and enclave not in named:
        raise StartError(
            f"audit.enclave: no model of the release may be asked in {enclave!r}, so that every call would be refused; "
            f"its models are for {', '.join(sorted(named))}"
        )


def _loaded(settings: Config) -> Release:
    """Load the release as a start would, without changing the gateway's metadata."""
    with tempfile.TemporaryDirectory() as folder:
        own, kept = settings.release.metadata, Path(folder) / "metadata"
        if own is not None and own.is_dir():
            shutil.copytree(own, kept, symlinks=True)
        source = settings.release.model_copy(update={"metadata": kept})
        return release.open_source(source if own else settings.release).load()


async def _policy(settings: Config, loaded: Load) -> str:
    engine = await pdp.open_engine(loaded(), settings.policy)
    try:
        decision = await engine.decide({})
    finally:
        await engine.close()
    return f"{engine.name} {engine.version} decides; an empty input: {decision.effect.name.lower()}"


async def _signals(settings: Config) -> str:
    async with app.reading(settings.signals) as detectors:
        standings = detectors.liveness.standings()
        silent = [one.name for one in detectors.external if await one.score(PROBE, _ANSWERS_IN_S) is None]
    if silent:
        raise StartError(
            f"signals.external: no usable answer from: {', '.join(silent)} (the log above says why); what they score "
            "is refused where the policy needs it"
        )
    dead = [name for name, standing in standings if standing is not Standing.LIVE]
    if dead:
        raise StartError(f"signals: no answer to a plain text from: {', '.join(dead)}; every call would be refused")
    return f"{' and '.join(name for name, _ in standings)} answered; live for {settings.signals.live_s} s after that"


async def _identity(settings: Config) -> str:
    identity = await Identity.open(settings.identity, Clock(), settings.listener.client_ca)
    try:
        await identity.check_ready()
    finally:
        await identity.close()
    return f"{len(settings.identity.issuers)} token issuers, audience {settings.identity.audience}"


async def _upstreams(settings: Config, loaded: Load) -> str:
    preparing.check_upstreams(settings, loaded())
    for upstream in settings.upstreams:
        await open_upstream(upstream, settings.limits.answer_bytes).close()
    return ", ".join(f"{u.name} ({u.kind})" for u in settings.upstreams)


async def _audit(settings: Config) -> str:
    _check_public(settings.audit, keys.load_signer(settings.audit.signing_key, settings.audit.origin).verifier)
    keys.load_commitments(settings.audit.commitment_key)
    places.keys(settings.audit)
    states = _log_state(settings.audit), _lock_state(settings.audit), _sealed_state(settings.audit)
    return ", ".join(filter(None, (f"origin {settings.audit.origin}", *states)))


def _check_public(settings: Audit, verifier: Verifier) -> None:
    """Raise StartError if the public key file differs from the private key or its name.

    Auditors have the public file.
    """
    path = keys.public_path(settings.signing_key)
    if path.exists() and read_public(path, "audit.signing_key").decode("ascii", "replace").strip() != str(verifier):
        raise StartError(
            f"audit.origin, audit.signing_key: {path} is not the public key of both; auditors could not verify"
        )


def _log_state(settings: Audit) -> str:
    path, log, name = settings.path, places.source(settings), places.name(settings)
    if not path.parent.is_dir():
        raise StartError(f"audit.path: {path.parent}: there is no such folder; make it")
    try:
        places.check(settings)
        if not log.begun():
            return "no log yet"
        ahead_us = last_time_us(log) - Clock()()
    except OSError as error:
        raise StartError(f"{name}: {error}") from error
    if ahead_us > TOLERANCE_US:
        raise StartError(f"{name}: {in_the_future(ahead_us)}")
    return "has a log"


def _sealed_state(settings: Audit) -> str:
    """A description; empty if nothing is to be sealed. Raises StartError for unusable folders and keys."""
    sealed = settings.sealed
    if sealed is None:
        return ""
    if not sealed.path.parent.is_dir():
        raise StartError(f"audit.sealed.path: {sealed.path.parent}: there is no such folder; make it")
    keys.load_signer(sealed.log_key, sealed.log_origin)
    sealed_places.vault(sealed).close()
    return f"sealed store for {len(sealed_places.reviewers(sealed))} reviewers"


def _lock_state(settings: Audit) -> str:
    """A description.

    Raises StartError for a lock store that can't be read or whose checkpoint the log does not extend.
    """
    store = places.lock_store(settings)
    if store is None:
        return "no lock store"
    verifier = keys.load_signer(settings.signing_key, settings.origin).verifier
    try:
        note = store.read()
        compare(places.source(settings), verifier, note)
    except (OSError, NoteError) as error:
        key = "audit.lock_store" if settings.lock_store else "audit.lock_dsn"
        raise StartError(f"{key}: {store}: {error}") from error
    begun = "has" if note else "will have"
    where = ", on the same volume as the log: it protects little" if places.is_near(settings) else ""
    return f"lock store {begun} its checkpoint{where}"


async def _quotas(settings: Config) -> str:
    from gateway.shared_quotas import Shared  # noqa: PLC0415 - imported only if configured

    counts = Shared(settings.quotas)
    try:
        await counts.check()
    except GatewayError as error:
        raise StartError(f"quotas.url: {settings.quotas.url} does not count ({error.detail})") from error
    finally:
        await counts.close()
    return f"{settings.quotas.url} counts"


async def _metrics(settings: Config) -> str:
    from gateway import metrics  # noqa: PLC0415 - imported only if configured

    assert settings.metrics is not None  # noqa: S101 - narrows the type
    how = "plain HTTP" if metrics.trust(settings.metrics) is None else "mutual TLS"
    return f"{settings.metrics.address}, {how}{_taken(settings.metrics.address, 'metrics.address')}"


async def _tracing(settings: Config) -> str:
    from gateway.telemetry import spans  # noqa: PLC0415 - as above

    assert settings.tracing is not None  # noqa: S101 - narrows the type
    spans.exporter(settings.tracing)
    return f"{settings.tracing.per_thousand} of 1,000 calls, to {settings.tracing.endpoint} (not asked)"
