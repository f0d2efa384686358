"""Calls the gateway's own port, to measure how long a call waits in gRPC's queue.

The probe's address is a Unix socket in a folder beside the ledger that only the owner can enter. It leads to the same
gRPC server. Callers there have no certificate, so only health answers. `brightline health` uses the same socket.
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
"""The most bytes in the folder's path. The path of a Unix socket has at most 107 (unix(7))."""


class QueueProbe:
    """address: the Unix socket in gRPC's notation. Close it with `close`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, [("grpc.enable_retries", 0)])
        self._ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(METHOD)
        self._request = health_pb2.HealthCheckRequest(service=LIVE).SerializeToString()

    async def ask(self) -> bool:
        """Call and wait for the answer. False if the call was not taken in time, or gRPC ended it.

        While the port is being reopened there is no queue: the call fails at once, as every call does.
        """
        try:
            await self._ask(self._request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return error.code() not in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
        return True

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


@contextmanager
def address(beside: Path) -> Iterator[str]:
    """The address of a socket in a new folder in `beside`, or in the temporary folder if that path is too long."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside if is_short(beside) else None) as made:
        yield _uri(Path(made) / "door")


def is_short(beside: Path) -> bool:
    """Whether the path leaves room for a socket in a folder below it."""
    return len(os.fsencode(beside)) <= LONGEST


def stands(beside: Path, service: str, timeout_s: float) -> str:
    """The health status of a service, from the gateway whose ledger is in `beside`: the best that a process reports.

    Empty if nobody answers. Sockets that a killed gateway left behind do not answer.
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
    return f"unix:{quote(os.fsencode(socket))}"  # %, # and ? have a meaning in gRPC addresses
