"""The gateway's own way in, wherever its folder is."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from gateway import queue_probe


@pytest.mark.parametrize("name", ["plain", "100%25", "100%", "gateway#2", "which?", "a b", "münchen", "日本"])
async def test_the_way_in_is_in_its_own_folder(tmp_short: Path, name: str) -> None:
    """Whatever is in the path of the ledger's folder, the socket is in a folder of its own there, and leads in."""
    beside = tmp_short / name
    beside.mkdir()
    with queue_probe.address(beside) as address:
        server = grpc.aio.server()
        server.add_insecure_port(address)
        await server.start()
        try:
            (socket,) = beside.glob(".line-*/*")
            assert socket.is_socket()
            async with grpc.aio.insecure_channel(address) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await channel.unary_unary(queue_probe.METHOD)(b"", timeout=60)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        finally:
            await server.stop(None)  # one that is only forgotten keeps whoever collects it
    assert [*tmp_short.rglob("*")] == [beside]  # noqa: ASYNC240 - a folder of the test
