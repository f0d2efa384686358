"""The decision: facts in, a strictly checked Decision out, from one of two engines that run the same release.

Undefined, unknown, late, broken or from another policy: each is POLICY_UNAVAILABLE, which refuses the call.
"""

import asyncio

from gateway.config import Policy
from gateway.pdp.engine import Engine
from gateway.types import Release

__all__ = ["Engine", "compiled", "open_engine"]


def compiled(release: Release, config: Policy) -> bytes:
    """Machine code of the module, for `open_engine` in another process; empty where a server decides.

    Raises StartError when it is no module.
    """
    if config.engine == "opa":
        return b""
    from gateway.pdp.wasm import machine_code  # noqa: PLC0415 - see below

    return machine_code(release.wasm)


async def open_engine(release: Release, config: Policy, code: bytes = b"") -> Engine:
    """The configured engine, ready to decide with `release`. code: of its module, where another process compiled it.

    Raises StartError when the configuration or the module can't work. A server that does not answer yet is no such
    case: every decision is refused until it does.
    """
    # What speaks HTTP and what runs WebAssembly are large: only what is configured is loaded.
    if config.engine == "opa":
        from gateway.pdp.opa import open_opa  # noqa: PLC0415 - see above

        return await open_opa(release, config)
    from gateway.pdp.wasm import open_wasm  # noqa: PLC0415 - see above

    return await asyncio.to_thread(open_wasm, release, config, code)
