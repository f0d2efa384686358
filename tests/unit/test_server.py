"""The shell: every abort is awaited, and too many calls at once are refused with a record."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import grpc
import pytest

import gateway
from brightline import Overloaded
from tests.support.gateways import HARMLESS, Deployment, serving

ASK = {"model": "loopback", "max_tokens": 50, "use": HARMLESS}


def aborts(source: str) -> tuple[int, int]:
    """How many calls of gRPC's `abort` there are, which is a context's, and how many of them are awaited."""
    tree = ast.parse(source)
    called = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "context.abort"]
    awaited = [n for n in ast.walk(tree) if isinstance(n, ast.Await) and n.value in called]
    return len(called), len(awaited)


def test_every_abort_is_awaited() -> None:
    """Wherever the gateway ends a call, it waits for the end."""
    found = [aborts(p.read_text()) for p in Path(gateway.__file__).parent.rglob("*.py")]
    assert sum(called for called, _ in found) >= 1
    assert all(called == awaited for called, awaited in found)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_an_abort_that_nobody_awaits_answers_ok() -> None:
    """Why that matters: without the await, gRPC sends the refused payload with status OK."""

    async def handle(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "no").close()  # type: ignore[attr-defined]  # a coroutine
        return b"payload"

    server = grpc.aio.server()
    methods = {"M": grpc.unary_unary_rpc_method_handler(handle)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/t.T/M")(b"", timeout=10) == b"payload"
    await server.stop(None)


async def test_too_many_calls_at_once_are_refused(tmp_path: Path) -> None:
    """Beyond the limit a call is OVERLOADED, recorded, and never forwarded; the call before it ends well."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[identity]\n", "[limits]\nconcurrent_calls = 1\n\n[identity]\n")
    async with serving(deployed) as running:
        slow, other = running.client(), running.client()
        first = asyncio.create_task(slow.generate(prompt="loopback: wait 1500", **ASK))
        while not running.calls:  # noqa: ASYNC110 - the upstream counts, and tells nobody
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded) as refused:
            await other.generate(prompt="How many trucks?", **ASK)
        await first
        assert running.calls == 1
        (record,) = (r for r in running.records("refusal") if r["decision_id"] == refused.value.decision_id)
        assert record["reason"] == "OVERLOADED"
