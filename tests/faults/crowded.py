"""gRPC in a process that wants another one and gets neither that nor a thread: the limit of a pod or a unit.

Says what came of it, and what a call after it is answered.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys

import gateway  # isort: skip - gRPC reads what it sets
import grpc

NOBODY = 65534
"""Root has no such limit."""


async def main() -> None:
    """Serve, find no process, and be called again."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await call(channel)
        if os.getuid() == 0:
            os.setuid(NOBODY)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        try:
            subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220 - as the gateway starts its programs
        except BlockingIOError:
            sys.stdout.write(f"{gateway.__name__}: no process {await call(channel)}\n")
    await server.stop(0)


async def call(channel: grpc.aio.Channel) -> str:
    """The status of a call that nobody serves."""
    try:
        await channel.unary_unary("/a.Service/Method")(b"", timeout=60)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return ""


if __name__ == "__main__":
    asyncio.run(main())
