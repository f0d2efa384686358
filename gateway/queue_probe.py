"""The gateway's own call to its own port: it waits in the line of all others, and so says how long that is.

The port is a Unix socket beside the ledger, in a folder for the owner alone, that leads to the same gRPC server. Who
calls there has no certificate, so all that is answered is health. `brightline health` asks there too.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import grpc
from grpc_health.v1 import health_pb2

from gateway.health import LIVE

METHOD: Final = "/grpc.health.v1.Health/Check"
TIMEOUT_S: Final = 10.0
PREFIX: Final = ".line-"
SERVING: Final = "SERVING"
LONGEST: Final = 80
"""Bytes that the folder's path may have: that of a socket has at most 107 (unix(7))."""


class QueueProbe:
    """address: of the Unix socket, for gRPC. Closed with close."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, [("grpc.enable_retries", 0)])
        self._ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(METHOD)
        self._request = health_pb2.HealthCheckRequest(service=LIVE).SerializeToString()

    async def ask(self) -> bool:
        """Call, and wait for the answer; False when the call was not taken in time, or was one that gRPC ended.

        While the port is opened again there is no line: the call fails at once, as everybody's does.
        """
        try:
            await self._ask(self._request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return error.code() not in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
        return True

    async def close(self) -> None:
        """Let go."""
        await self._channel.close(None)


@contextmanager
def address(beside: Path) -> Iterator[str]:
    """The address of a socket in a fresh folder in `beside`, or in that for temporary files if that is too long."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside if is_short(beside) else None) as made:
        yield _uri(Path(made) / "door")


def is_short(beside: Path) -> bool:
    """Whether the path leaves room for a socket below it."""
    return len(os.fsencode(beside)) <= LONGEST


def stands(beside: Path, service: str, timeout_s: float) -> str:
    """What the gateway whose ledger is in `beside` says of a service of health: the best of what its processes say.

    Empty where nobody answers: what is left of a gateway that was killed does not.
    """
    found = set[str]()
    for door in sorted(beside.glob(f"{PREFIX}*/door")):
        with grpc.insecure_channel(_uri(door.absolute()), [("grpc.enable_retries", 0)]) as channel:
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
            with contextlib.suppress(grpc.RpcError):
                answer = ask(health_pb2.HealthCheckRequest(service=service).SerializeToString(), timeout=timeout_s)
                status = health_pb2.HealthCheckResponse.FromString(answer).status
                found.add(health_pb2.HealthCheckResponse.ServingStatus.Name(status))
    return SERVING if SERVING in found else min(found, default="")


def _uri(socket: Path) -> str:
    return f"unix:{quote(os.fsencode(socket))}"  # to gRPC % and # and ? mean something
