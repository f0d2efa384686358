"""Calls that no honest client makes, and the oracle that every refusal has to pass.

async with attacking(running) as attacker:
    await refused(running, "TOKEN_MISSING", attacker.call(authorizations=()))
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from brightline import _request
from brightline.v1 import approval_pb2, audit_pb2, inference_pb2, policy_pb2, refusal_pb2
from brightline_verify.database import verify
from brightline_verify.note import Verifier
from brightline_verify.report import Report
from brightline_verify.whole import Trust
from gateway import deployment
from gateway.identity.issue import Pair
from tests.support.gateways import HARMLESS, LOGISTICS, Deployment, Running
from tests.support.pki import Authority
from tests.support.tokens import TokenIssuer

SERVICE = "/brightline.v1.InferenceService"
HEALTH = "/grpc.health.v1.Health"
ASK: dict[str, Any] = {"model": "loopback", "prompt": "How many trucks?", "max_tokens": 50, "use": HARMLESS}


def prompt(**changes: Any) -> inference_pb2.Prompt:
    """A prompt that the policy permits, with changes to the client's arguments."""
    return _request.ask(**(ASK | changes))


def message(**changes: Any) -> bytes:
    """The same, serialised as a request. Generate, GenerateStream and CheckPolicy have the same format."""
    return inference_pb2.GenerateRequest(prompt=prompt(**changes)).SerializeToString()


_GOOD: dict[str, bytes] = {
    **dict.fromkeys(("Generate", "GenerateStream", "CheckPolicy"), message()),
    "Get": audit_pb2.GetRequest(id="0" * 32).SerializeToString(),
    "Prove": audit_pb2.ProveRequest(id="0" * 32).SerializeToString(),
    "Export": audit_pb2.ExportRequest(format=audit_pb2.EXPORT_FORMAT_RECORDS).SerializeToString(),
    "Approve": approval_pb2.ApproveRequest(id="0" * 32, prompt=prompt(), why="It was read.").SerializeToString(),
}
METHODS: dict[str, bytes] = {
    f"/{service.full_name}/{name}": _GOOD.get(name, b"")
    for module in (inference_pb2, policy_pb2, audit_pb2, approval_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for name in service.methods_by_name
}
"""Every method of the gateway by its path, with a valid message. The ids in it do not exist."""


def put(path: Path, data: bytes) -> None:
    """Replace a file the way an operator should: by renaming a new one over it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    os.replace(fresh, path)  # noqa: PTH105 - named as the documentation names it


def authority(deployed: Deployment) -> Authority:
    """The deployment's CA, for issuing defective certificates."""
    made = Authority()
    key = (deployed.folder / "ca.key").read_bytes()
    object.__setattr__(made, "ca", Pair(deployed.ca, key))
    return made


def issuer(deployed: Deployment) -> TokenIssuer:
    """The deployment's token issuer, for signing defective tokens."""
    key = (deployed.folder / "issuer" / "token.key").read_bytes()
    return TokenIssuer(deployment.ISSUER, deployment.AUDIENCE, LOGISTICS, key=key)


@dataclass(frozen=True)
class Attacker:
    """A connection for raw bytes. token: the tenant's, for calls without authorizations of their own."""

    channel: grpc.aio.Channel
    token: str

    async def call(
        self,
        method: str = "Generate",
        data: bytes | Sequence[bytes] | None = None,
        *,
        authorizations: Sequence[str] | None = None,
        metadata: Sequence[tuple[str, str | bytes]] = (),
        timeout: float | None = 20,  # noqa: ASYNC109 - the deadline on the wire
        compression: grpc.Compression | None = None,
    ) -> list[bytes]:
        """All messages of the answer. data: one or several messages. Raises grpc.aio.AioRpcError."""
        given = [f"Bearer {self.token}"] if authorizations is None else authorizations
        path = method if method.startswith("/") else f"{SERVICE}/{method}"
        metadata = (*(("authorization", value) for value in given), *metadata)
        asked = message() if data is None else data
        if isinstance(asked, bytes):
            call = self.channel.unary_stream(path)(asked, timeout=timeout, metadata=metadata, compression=compression)
        else:
            call = self.channel.stream_stream(path)(iter(asked), timeout=timeout, metadata=metadata)
        return [answer async for answer in call]

    async def health(self, service: str = "") -> int:
        """The health status of a service."""
        asked = health_pb2.HealthCheckRequest(service=service).SerializeToString()
        (answer,) = await self.call(f"{HEALTH}/Check", asked, authorizations=())
        return health_pb2.HealthCheckResponse.FromString(answer).status


@asynccontextmanager
async def attacking(
    running: Deployment,
    pair: Pair | None = None,
    *,
    tenant: str = LOGISTICS,
    options: Sequence[tuple[str, Any]] = (),
    ca: bytes | None = None,
) -> AsyncIterator[Attacker]:
    """A connection with any certificate, by default the tenant's."""
    if pair is None:
        pair = Pair(running.certificate(tenant), running.key(tenant))
    credentials = grpc.ssl_channel_credentials(ca or running.ca, pair.key or None, pair.certificate or None)
    fixed = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    async with grpc.aio.secure_channel(running.address, credentials, options=[*fixed, *options]) as channel:
        yield Attacker(channel, running.token(tenant))


@dataclass(frozen=True)
class Told:
    """What a refused caller received. everything: all bytes of it, for searches."""

    reason: str
    decision_id: str
    message: str
    field: str
    status: grpc.StatusCode
    retry_safe: bool
    everything: bytes


def told(error: grpc.aio.AioRpcError) -> Told:
    """The refusal in an error. Fails the test if there is none, or if its parts disagree."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    assert isinstance(raw, bytes)
    assert raw, f"not a refusal of the gateway: {error.code()} {error.details()}"
    whole, info, refusal = unpacked(raw)
    assert (whole.code, whole.message) == (error.code().value[0], error.details())
    everything = raw + whole.message.encode()
    return Told(
        info.reason, refusal.decision_id, whole.message, refusal.field, error.code(), refusal.retry_safe, everything
    )


def unpacked(raw: bytes) -> tuple[status_pb2.Status, error_details_pb2.ErrorInfo, refusal_pb2.Refusal]:
    """The details of a refusal. Fails the test if their parts disagree."""
    whole, info, refusal = status_pb2.Status.FromString(raw), error_details_pb2.ErrorInfo(), refusal_pb2.Refusal()
    assert whole.details[0].Unpack(info)
    assert whole.details[1].Unpack(refusal)
    assert refusal_pb2.Reason.Name(refusal.reason) == f"REASON_{info.reason}"
    return whole, info, refusal


async def refused(running: Running, reason: str, attempt: Awaitable[object]) -> tuple[Told, dict[str, Any]]:
    """The oracle: this reason, one record of it under the received id, no upstream call, a log that verifies."""
    calls, before = running.calls, len(running.records())
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await attempt
    answer = told(failed.value)
    assert answer.reason == reason, answer
    new = [r for r in running.records()[before:] if r["kind"] != "aggregate"]
    assert [(r["kind"], r["reason"], r["decision_id"]) for r in new] == [("refusal", reason, answer.decision_id)]
    assert running.calls == calls
    verified(running)
    return answer, new[0]


async def refused_in(deployed: Deployment, reason: str, attempt: Awaitable[object]) -> Told:
    """The part of the oracle for a gateway in another process: this reason, and one last record of it."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await attempt
    answer = told(failed.value)
    assert answer.reason == reason, answer
    kept = [r for r in deployed.records() if r["decision_id"] == answer.decision_id]
    assert [r["kind"] for r in kept] in (["refusal"], ["intent", "outcome"])
    assert kept[-1]["reason"] == reason
    return answer


async def shut_out(running: Running, attempt: Awaitable[object]) -> grpc.aio.AioRpcError:
    """The oracle for refusals before the gateway sees a call, by TLS or gRPC: no record, no upstream call, still up."""
    calls, before = running.calls, len(running.records())
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await attempt
    assert "grpc-status-details-bin" not in dict(failed.value.trailing_metadata() or ())
    assert running.records()[before:] == []
    assert running.calls == calls
    await serves(running)
    return failed.value


async def serves(running: Running) -> None:
    """Check that the gateway answers an honest call once earlier calls have ended, and that its log verifies."""
    async with attacking(running) as honest:
        reason = "OVERLOADED"
        while reason == "OVERLOADED":  # the test's own time limit ends a wait in vain
            reason = await _outcome(honest)
    assert reason == ""
    verified(running)


async def _outcome(attacker: Attacker) -> str:
    """The reason why a call was refused; empty if it was answered."""
    try:
        answer = await attacker.call()
    except grpc.aio.AioRpcError as error:
        return told(error).reason
    assert answer
    return ""


def verified(deployed: Deployment) -> Report:
    """The report on the deployment's log. Fails the test if it names a problem."""
    key = (deployed.folder / "audit" / "log.key.pub").read_text()
    report = verify(deployed.folder / "audit" / "log.db", Trust(Verifier.parse(key)))
    assert report.problem is None
    return report
