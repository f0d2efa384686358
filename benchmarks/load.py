"""Loads a gateway as fast as it answers: closed loops over a few connections, with serialised requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from brightline.v1 import inference_pb2
from gateway import deployment
from gateway.clock import system_us
from gateway.identity import issue
from gateway.types import Credentials

TENANT = "northern-logistics"
CONNECTIONS = 16
"""The kernel assigns connections to workers at random."""
TIMEOUT_S = 30.0

Ask = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of one client, in microseconds."""

    p50: int
    p99: int


def question(text: str, *, model: str = "loopback", purpose: str = "logistics_planning") -> bytes:
    """A serialised GenerateRequest."""
    request = inference_pb2.GenerateRequest()
    request.prompt.model = model
    request.prompt.max_tokens = 200
    request.prompt.messages.add(role="ROLE_USER").parts.add(text=text)
    request.prompt.use.purpose = purpose
    request.prompt.use.marking = "UNCLASSIFIED"
    request.prompt.use.autonomy = "AUTONOMY_NONE"
    request.prompt.use.us_person.involved = "INVOLVEMENT_NO"
    request.prompt.use.channel = "CHANNEL_INTERNAL"
    request.prompt.use.data_origin = "DATA_ORIGIN_AGENCY_RECORDS"
    return request.SerializeToString()


def presented(folder: Path, tenant: str = TENANT) -> Credentials:
    """The credentials of an application of the tenant."""
    certificate = (folder / "tenants" / tenant / "client.pem").read_bytes()
    token = issue.mint(
        (folder / "issuer" / "token.key").read_bytes(),
        certificate,
        issuer=deployment.ISSUER,
        audience=deployment.AUDIENCE,
        tenant=tenant,
        subject="benchmark",
        client_id="benchmark",
        now_us=system_us(),
    )
    return Credentials((certificate,), (f"Bearer {token}",), "ipv4:127.0.0.1:1")


class Caller:
    """A tenant's application with a few connections to a gateway of a development deployment."""

    def __init__(self, folder: Path, address: str, tenant: str = TENANT, connections: int = CONNECTIONS) -> None:
        shown = presented(folder, tenant)
        key = folder / "tenants" / tenant / "client.key"
        credentials = grpc.ssl_channel_credentials(
            (folder / "ca.pem").read_bytes(), key.read_bytes(), shown.certificates[0]
        )
        self._metadata = (("authorization", shown.authorizations[0]),)
        # Each channel has its own pool, because gRPC otherwise shares one connection between equal channels.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channels = [grpc.aio.secure_channel(address, credentials, options) for _ in range(connections)]
        self._turn = 0

    def asks(self, request: bytes | Callable[[], bytes], timeout_s: float = TIMEOUT_S) -> Ask:
        """A function that sends the request (or a new one each time) and returns the raw answer or the error."""
        made = request if callable(request) else lambda: request
        methods = [c.unary_unary("/brightline.v1.InferenceService/Generate") for c in self._channels]

        async def ask() -> object:
            self._turn = (self._turn + 1) % len(methods)
            try:
                return await methods[self._turn](made(), timeout=timeout_s, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details(), dict(error.trailing_metadata() or ())

        return ask

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(c.close() for c in self._channels))


async def latency(ask: Ask, count: int) -> Latency:
    """The latency of one client that calls sequentially."""
    for _ in range(count // 10):
        await ask()
    times = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        await ask()
        times.append((time.perf_counter_ns() - begin) // 1000)
    times.sort()
    return Latency(times[len(times) // 2], times[len(times) * 99 // 100])


async def throughput(ask: Ask, count: int, in_flight: int, expected: Callable[[object], bool]) -> int:
    """Calls per second with `in_flight` calls. Raises RuntimeError if an answer is not the expected one."""
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            answer = await ask()
            if not expected(answer):
                raise RuntimeError(f"unexpected answer under load: {answer!r}")

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return int(count / (time.perf_counter() - begin))
