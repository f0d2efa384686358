"""What refuses the start, naming the key and what to do; and TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway import config
from gateway.errors import GatewayError, Reason, StartError
from gateway.upstream import open_upstream
from tests.support import pki
from tests.support.upstream_servers import permit, prompt, serve


def settings(kind: str, **keys: object) -> config.Upstream:
    """The section of the configuration."""
    return config.Upstream.model_validate({"name": "service", "kind": kind, **keys})


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example",
        "http://localhost:8000",
        "http://0.0.0.0:8000",
        "http://192.168.1.1:8000",
        "http://[::2]:8000",
        "http://2130706433",
        "http://127.0.0.1.models.example",
    ],
)
def test_plain_http_is_for_loopback_addresses(kind: str, url: str) -> None:
    """A prompt never crosses a network in the clear, and a name may resolve to anything."""
    with pytest.raises(StartError, match=r"upstreams\.service\.base_url: use https"):
        open_upstream(settings(kind, base_url=url), 1024)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "models.example",
        "ftp://models.example",
        "https://",
        "https://user:secret@models.example",
        "http://127.0.0.1@models.example",
        "http://127.0.0.1\\@models.example",
        "https://models.example/?key=secret",
        "https://models.example/#there",
        "https://models.example:99999",
        "https://möbel.example",
    ],
)
def test_an_ambiguous_url_refuses_the_start(kind: str, url: str) -> None:
    """No two readers of the URL can see different hosts, and it carries no secret into an error."""
    with pytest.raises(StartError, match=r"upstreams\.service\.base_url") as refused:
        open_upstream(settings(kind, base_url=url, api_key="key"), 1024)
    assert "secret" not in str(refused.value)


async def test_https_and_loopback_are_accepted(kind: str, key_file: Path) -> None:
    """The addresses that are meant to work do, and the default needs only a key."""
    for url in ("https://models.example:8443/v1", "http://127.0.0.2:8000/v1", "http://[::1]:8000", None):
        await open_upstream(settings(kind, base_url=url, api_key=str(key_file)), 1024).close()


def test_the_public_service_needs_a_key(kind: str) -> None:
    """A missing key is found at start, not at the first call."""
    with pytest.raises(StartError, match=r"upstreams\.service\.api_key: missing"):
        open_upstream(settings(kind), 1024)


@pytest.mark.parametrize("content", [b"", b"\n", b"two keys", b"key\nkey", b"\xff\xfe", b"key\x00"])
def test_a_key_file_holds_one_key(kind: str, key_file: Path, content: bytes) -> None:
    """What can't be a header value is refused without being shown."""
    key_file.write_bytes(content)
    with pytest.raises(StartError, match="must hold one key") as refused:
        open_upstream(settings(kind, api_key=str(key_file)), 1024)
    assert "two keys" not in str(refused.value)


def test_a_key_that_others_can_read_refuses_the_start(kind: str, key_file: Path) -> None:
    """The error says how to mend it."""
    key_file.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        open_upstream(settings(kind, api_key=str(key_file)), 1024)


def test_roots_that_are_none_refuse_the_start(kind: str, tmp_path: Path, key_file: Path) -> None:
    """An empty or broken file of roots does not fall back to the system's."""
    for content in (b"", b"not PEM", b"\xff"):
        (tmp_path / "ca.pem").write_bytes(content)
        with pytest.raises(StartError, match=r"upstreams\.service\.ca: .* holds no PEM certificates"):
            open_upstream(settings(kind, ca=str(tmp_path / "ca.pem"), api_key=str(key_file)), 1024)


def test_a_journal_is_for_the_loopback(kind: str) -> None:
    """A key that would be ignored is a mistake."""
    with pytest.raises(ValidationError, match=f"journal: an upstream of kind {kind} has no such key"):
        settings(kind, journal="x")


def test_a_journal_that_cannot_be_opened_refuses_the_start(tmp_path: Path) -> None:
    """The error names the key and the path."""
    with pytest.raises(StartError, match=r"upstreams\.service\.journal: .*cannot be opened"):
        open_upstream(settings("loopback", journal=str(tmp_path / "missing" / "journal")), 1024)


async def test_the_key_is_in_no_representation(kind: str, key_file: Path) -> None:
    """Neither the upstream nor what is beneath it shows the key."""
    opened = open_upstream(settings(kind, api_key=str(key_file)), 1024)
    service = opened._service  # type: ignore[attr-defined]  # what is behind the breaker
    assert "sk-gateway-key" not in repr(opened) + repr(vars(service)) + repr(vars(service._service))
    await opened.close()


async def test_only_the_configured_roots_are_trusted(kind: str, tmp_path: Path, key_file: Path) -> None:
    """A certificate of the configured authority is accepted; of any other, nothing is sent."""
    authority, stranger = pki.Authority(), pki.Authority()
    pair = authority.server()
    for name, content in {
        "server.pem": pair.certificate,
        "server.key": pair.key,
        "ca.pem": authority.ca.certificate,
        "other.pem": stranger.ca.certificate,
    }.items():
        (tmp_path / name).write_bytes(content)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    async with serve(kind, tls=tls) as server:
        base = {"base_url": server.base_url, "api_key": str(key_file)}
        trusting = open_upstream(settings(kind, ca=str(tmp_path / "ca.pem"), **base), 1 << 16)
        await trusting.generate(permit(prompt()), 10)
        await trusting.close()
        for ca in ({"ca": str(tmp_path / "other.pem")}, {}):
            wary = open_upstream(settings(kind, **ca, **base), 1 << 16)
            with pytest.raises(GatewayError) as refused:
                await wary.generate(permit(prompt()), 10)
            await wary.close()
            assert (refused.value.reason, refused.value.sent) == (Reason.UPSTREAM_UNAVAILABLE, False)
        assert len(server.requests) == 1
