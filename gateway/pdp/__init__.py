"""The decision: facts in, a strictly checked Decision out, from one of two engines that run the same release.

Undefined, unknown, late, broken or from another policy: each is POLICY_UNAVAILABLE, which refuses the call.
"""

import asyncio

from gateway.config import Policy
from gateway.pdp.engine import Engine
from gateway.types import Release

__all__ = ["Engine", "open_engine"]


async def open_engine(release: Release, config: Policy, *, aside: bool = False) -> Engine:
    """The configured engine, ready to decide with `release`. aside: calls go on meanwhile and are not to be disturbed.

    Raises StartError when the configuration or the module can't work. A server that does not answer yet is no such
    case: every decision is refused until it does.
    """
    # What speaks HTTP and what runs WebAssembly are large: only what is configured is loaded.
    if config.engine == "opa":
        from gateway.pdp.opa import open_opa  # noqa: PLC0415 - see above

        return await open_opa(release, config)
    from gateway.pdp.wasm import open_wasm  # noqa: PLC0415 - see above

    return await asyncio.to_thread(open_wasm, release, config, aside=aside)
