"""A running service of each kind, and an upstream that is opened on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import config
from gateway.upstream import Upstream, open_upstream
from tests.support.upstream_servers import Server, serve

KEY = "sk-gateway-key-9876"
ANSWER_BYTES = 64 << 10


@pytest.fixture(params=["anthropic", "openai"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
async def server(kind: str) -> AsyncIterator[Server]:
    async with serve(kind) as running:
        yield running


@pytest.fixture
async def upstream(kind: str, server: Server, key_file: Path) -> AsyncIterator[Upstream]:
    settings = config.Upstream.model_validate(
        {"name": "service", "kind": kind, "base_url": server.base_url, "api_key": str(key_file)}
    )
    opened = open_upstream(settings, ANSWER_BYTES)
    yield opened
    await opened.close()
