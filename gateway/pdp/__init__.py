"""The policy decision point: facts in, a strictly checked Decision out, from one of two engines.

An answer that is undefined, unknown, late, malformed or from another policy is POLICY_UNAVAILABLE, which refuses the
call.
"""

import asyncio

from gateway.config import Policy
from gateway.pdp.engine import Engine
from gateway.types import Release

__all__ = ["Engine", "compiled", "open_engine"]


def compiled(release: Release, config: Policy) -> bytes:
    """Machine code of the module, for `open_engine` in another process. Empty if an OPA server decides.

    Raises StartError if the module is invalid.
    """
    if config.engine == "opa":
        return b""
    from gateway.pdp.wasm import machine_code  # noqa: PLC0415 - see below

    return machine_code(release.wasm)


async def open_engine(release: Release, config: Policy, code: bytes = b"") -> Engine:
    """The configured engine, ready to decide with `release`. code: of its module, if another process compiled it.

    Raises StartError if the configuration or the module can't work. If an OPA server does not answer yet, this
    succeeds, and every decision is refused until the server answers.
    """
    # The HTTP client and the WebAssembly runtime are large, so only the configured one is imported.
    if config.engine == "opa":
        from gateway.pdp.opa import open_opa  # noqa: PLC0415 - see above

        return await open_opa(release, config)
    from gateway.pdp.wasm import open_wasm  # noqa: PLC0415 - see above

    return await asyncio.to_thread(open_wasm, release, config, code)
