"""No environment variable adds to what a detector of others is asked, or makes an SDK print it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import config
from gateway.signals.external import open_external
from tests.support.upstream_servers import serve

CHILD = """
import asyncio, sys
from gateway import config
from gateway.signals.external import open_external
from tests.support.upstream_servers import serve

async def main(kind, key):
    async with serve("anthropic" if kind == "anthropic" else "openai") as server:
        settings = {"name": "s", "kind": kind, "base_url": server.base_url, "api_key": key, "model": "m"}
        detector = open_external(config.External.model_validate({**settings, "categories": {"a": "cbrn"}}))
        await detector.score("canary-prompt", 10)
        await detector.close()
        print(len(server.requests))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("sk-gateway-key")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("kind", ["anthropic", "guard"])
async def test_nothing_is_added(kind: str, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and headers come from the configuration alone, whatever the variables of an SDK say."""
    headers = "Authorization: Bearer stolen\nX-Api-Key: stolen\nX-Extra: stolen"
    for name in ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.setenv(name, headers)
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "stolen")
    async with serve("anthropic" if kind == "anthropic" else "openai") as server:
        settings = {"name": "s", "kind": kind, "base_url": server.base_url, "api_key": key, "model": "m"}
        detector = open_external(config.External.model_validate({**settings, "categories": {"a": "cbrn"}}))
        await detector.score("text", 10)
        await detector.close()
    (said,) = server.headers
    assert "stolen" not in str(said)
    assert said["authorization"] == "Bearer sk-gateway-key"


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("kind", ["anthropic", "guard"])
def test_no_sdk_prints_what_is_read(key: Path, kind: str, level: str) -> None:
    """The variables that make the SDKs talk do not make them say what was asked, of whom, or with what key."""
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, kind, str(key)],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"ANTHROPIC_LOG": level, "OPENAI_LOG": level},
        text=True,
    )
    assert ran.stdout.splitlines()[-1] == "1"
    assert [line for line in ran.stderr.splitlines() if "_base_client" in line or "httpx2" in line] == []
    assert "canary-prompt" not in ran.stdout + ran.stderr
