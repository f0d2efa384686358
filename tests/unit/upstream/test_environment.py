"""No environment variable redirects a call, adds to it, or takes over its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import config
from gateway.upstream import Upstream, open_upstream
from tests.support.upstream_servers import Server, permit, prompt, serve


@pytest.fixture
async def trap(kind: str) -> AsyncIterator[Server]:
    async with serve(kind) as running:
        yield running


@pytest.fixture
async def misled(  # noqa: PLR0917 - fixtures
    kind: str, server: Server, trap: Server, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Upstream]:
    """An upstream that is opened where every variable points to the trap."""
    headers = "Authorization: Bearer stolen\nauthorization: Bearer stolen\nX-Api-Key: stolen\nX-Extra: 1\nHost: trap"
    (tmp_path / ".netrc").write_text("default login stolen password stolen\n")
    (tmp_path / ".netrc").chmod(0o600)
    for name, value in {
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), trap.url),
        **dict.fromkeys(("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"), trap.base_url),
        **dict.fromkeys(("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"), headers),
        **dict.fromkeys(("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_ADMIN_KEY"), "stolen"),
        **dict.fromkeys(("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_PROFILE"), "stolen"),
        "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
        "NETRC": str(tmp_path / ".netrc"),
        "SSL_CERT_FILE": str(tmp_path / "missing"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    settings = {"name": "s", "kind": kind, "base_url": server.base_url, "api_key": str(key_file)}
    opened = open_upstream(config.Upstream.model_validate(settings), 1 << 16)
    yield opened
    await opened.close()


async def test_calls_go_where_the_configuration_says(kind: str, server: Server, trap: Server, misled: Upstream) -> None:
    """Address, key and headers come from the configuration alone."""
    await misled.generate(permit(prompt()), 10)
    assert [chunk async for chunk in misled.stream(permit(prompt()), 10)]
    assert (len(server.requests), trap.requests, trap.redirected) == (2, [], 0)
    assert "stolen" not in str(server.headers)
    assert not {"x-extra", "x-api-key", "openai-organization", "openai-project"} & set(server.headers[0])
    assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-gateway-key-9876"}


@pytest.mark.usefixtures("misled")
async def test_without_a_key_none_is_sent(server: Server, kind: str) -> None:
    """A service of the agency may take no key; then the environment's does not leak to it."""
    keyless = open_upstream(
        config.Upstream.model_validate({"name": "s", "kind": kind, "base_url": server.base_url}), 1 << 16
    )
    await keyless.generate(permit(prompt()), 10)
    await keyless.close()
    assert "authorization" not in server.headers[0]
