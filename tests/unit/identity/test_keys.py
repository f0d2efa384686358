"""Keys of an HTTPS issuer: bounded fetches, bounded answers, and what happens when the issuer is down."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config import Issuer
from gateway.errors import Reason, StartError
from gateway.identity.jwks import MAX_BYTES
from gateway.identity.keys import open_keys
from gateway.identity.remote import MAX_AGE_REFRESHES, PAUSE_US, RemoteKeys
from tests.support.desk import Desk, reason_of
from tests.support.jwks_server import JwksServer
from tests.support.pki import Authority
from tests.support.tokens import ISSUER, TokenIssuer, jwk_set

REFRESH_US = 300_000_000


@pytest.fixture
async def server(tmp_path: Path, desk: Desk) -> AsyncIterator[JwksServer]:
    server = JwksServer(tmp_path)
    server.body = desk.issuer.jwks()
    await server.start()
    desk.settings["issuers"] = (server.issuer(),)
    yield server
    await desk.close()
    await server.stop()


async def test_tokens_verify_with_keys_from_https(desk: Desk, server: JwksServer) -> None:
    """The first token waits for the fetch that the start began; the next need none."""
    await desk.prove(desk.issuer.token(desk.pem))
    await desk.prove(desk.issuer.token(desk.pem))
    assert server.asked == 1


async def test_a_flood_of_unknown_kids_causes_one_fetch(desk: Desk, server: JwksServer) -> None:
    """However many unknown kids arrive, at once or in a row, the issuer is asked once in ten seconds."""
    await desk.prove(desk.issuer.token(desk.pem))
    flood = [desk.issuer.token(desk.pem, header={"kid": f"unknown-{n}"}) for n in range(100)]
    for asked in (1, 2, 3):
        reasons = await asyncio.gather(*(reason_of(desk.prove(token)) for token in flood))
        reasons += [await reason_of(desk.prove(token)) for token in flood[:10]]
        assert set(reasons) == {Reason.TOKEN_INVALID}
        assert server.asked == asked
        desk.now_us += PAUSE_US


async def test_only_one_fetch_is_in_flight(desk: Desk, server: JwksServer) -> None:
    """Calls that arrive while a fetch is under way share it, though the pause has passed meanwhile."""
    server.gate.clear()
    waiting = [asyncio.create_task(desk.prove(desk.issuer.token(desk.pem))) for _ in range(20)]
    await server.reached.wait()
    desk.now_us += PAUSE_US
    waiting += [asyncio.create_task(desk.prove(desk.issuer.token(desk.pem))) for _ in range(20)]
    server.gate.set()
    assert len(await asyncio.gather(*waiting)) == 40
    assert server.asked == 1


async def test_a_cancelled_call_does_not_end_the_shared_fetch(desk: Desk, server: JwksServer) -> None:
    """The call that began a fetch may be cancelled; the others still get their keys."""
    server.gate.clear()
    await desk.open()  # or the call that is cancelled would be the one that opens
    first, second = (asyncio.create_task(desk.prove(desk.issuer.token(desk.pem))) for _ in range(2))
    await server.reached.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    server.gate.set()
    assert (await second).tenant == "agency"


async def test_a_rotated_key_is_found_by_its_kid(desk: Desk, server: JwksServer) -> None:
    """A token under a new kid makes the gateway ask, once the pause has passed."""
    await desk.prove(desk.issuer.token(desk.pem))
    successor = TokenIssuer(now_us=desk.now_us)
    server.body = jwk_set(desk.issuer.jwk(), successor.jwk())
    assert await reason_of(desk.prove(successor.token(desk.pem))) is Reason.TOKEN_INVALID
    desk.now_us += PAUSE_US
    await desk.prove(successor.token(desk.pem))
    assert server.asked == 2


async def test_a_removed_key_ends_kept_tokens_at_the_refresh(desk: Desk, server: JwksServer) -> None:
    """After the regular refresh, a kept token of a key that is gone is refused."""
    token = desk.issuer.token(desk.pem)
    await desk.prove(token)
    server.body = TokenIssuer().jwks()
    desk.now_us += REFRESH_US
    await desk.prove(token)  # begins the refresh and does not wait for it
    await the_fetch_in_flight(desk)
    assert server.asked == 2
    assert await reason_of(desk.prove(token)) is Reason.TOKEN_INVALID


async def test_an_issuer_that_is_down_keeps_its_keys_for_a_while(desk: Desk, server: JwksServer) -> None:
    """Keys outlive failed refreshes up to their maximum age; then nothing verifies until the issuer is back."""
    await desk.prove(desk.issuer.token(desk.pem))
    server.status = 500
    desk.now_us += MAX_AGE_REFRESHES * REFRESH_US - 1
    late = desk.issuer.token(desk.pem, {name: desk.now_us // 1_000_000 + s for name, s in _PERIOD})
    await desk.prove(late)
    desk.now_us += PAUSE_US
    assert await reason_of(desk.prove(late)) is Reason.IDENTITY_UNAVAILABLE
    server.status = 200
    desk.now_us += PAUSE_US
    await desk.prove(late)


_PERIOD = (("iat", 0), ("nbf", 0), ("exp", 600))


@pytest.mark.parametrize(
    "defect", ["status", "garbage", "too large", "redirect", "compressed", "endless", "a symmetric key", "not the CA's"]
)
async def test_an_answer_that_is_not_a_key_set_gives_no_keys(
    desk: Desk, server: JwksServer, defect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another status, garbage, too much, a redirect, compression, a secret or another CA: IDENTITY_UNAVAILABLE."""
    good = server.body
    match defect:
        case "status":
            server.status = 203
        case "garbage":
            server.body = b"<html>"
        case "too large":
            server.body = good + b" " * MAX_BYTES
        case "redirect":
            server.status, server.headers = 302, {"Location": "/elsewhere"}
        case "compressed":
            server.body, server.headers = gzip.compress(good), {"Content-Encoding": "gzip"}
        case "endless":
            server.headers = {"Content-Length": str(len(good) + 1)}  # the byte that never comes
            monkeypatch.setattr("gateway.identity.remote._FETCH_S", 0.1)
        case "a symmetric key":
            server.body = jwk_set(desk.issuer.jwk(), {"kty": "oct", "k": "AAAA"})
        case "not the CA's":
            server.ca.write_bytes(Authority().ca.certificate)
    assert await reason_of(desk.prove(desk.issuer.token(desk.pem))) is Reason.IDENTITY_UNAVAILABLE
    assert server.asked_elsewhere == 0


async def test_no_proxy_of_the_environment_is_asked_for_keys(
    desk: Desk, server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set around the gateway chooses nothing: keys come from the address that is configured."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        await desk.prove(desk.issuer.token(desk.pem))
    assert server.asked == 1


async def test_a_clock_set_back_does_not_stop_the_refresh(desk: Desk, server: JwksServer) -> None:
    """Keys fetched in what is now the future are fetched again before they are believed."""
    await desk.prove(desk.issuer.token(desk.pem))
    desk.now_us -= 1_000_000
    await desk.prove(desk.issuer.token(desk.pem))
    assert server.asked == 2


async def test_closing_ends_a_fetch(desk: Desk, server: JwksServer) -> None:
    """A gateway that stops does not wait for an issuer that is slow."""
    server.gate.clear()
    keys = await open_keys(server.issuer(), lambda: desk.now_us)
    await server.reached.wait()
    await keys.close()
    assert isinstance(keys, RemoteKeys)
    assert keys._fetching is None


async def test_an_issuer_without_a_source_refuses_the_start() -> None:
    """An issuer that names neither file nor address has no keys to open."""
    with pytest.raises(StartError, match="exactly one"):
        await open_keys(Issuer.model_construct(issuer=ISSUER, jwks_url=None, jwks_file=None), lambda: 0)


async def the_fetch_in_flight(desk: Desk) -> None:
    assert desk.identity is not None
    keys = desk.identity._keys[ISSUER]
    assert isinstance(keys, RemoteKeys)
    assert keys._fetching is not None
    await keys._fetching
