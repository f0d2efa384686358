"""Both engines with one policy, for tests that compare them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.config import Policy
from gateway.pdp import Engine, open_engine
from gateway.release import starter
from tests.support.opa import serving
from tests.support.releases import starter_release

ENGINES: Final = ("wasm", "opa")


@asynccontextmanager
async def both() -> AsyncIterator[dict[str, Engine]]:
    """The engines by name, with the starter policy and limits for a busy machine."""
    async with serving([starter() / "rego"]) as url:
        made: dict[str, Engine] = {}
        try:
            for name in ENGINES:
                config = Policy.model_validate({"engine": name, "opa_url": url, "deadline_ms": 10_000})
                made[name] = await open_engine(starter_release(), config)
            yield made
        finally:
            for engine in made.values():
                await engine.close()
