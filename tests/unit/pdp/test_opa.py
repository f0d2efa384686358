"""The server engine against servers that misbehave: refused by the deadline at the latest, and the next is sound."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import Policy
from gateway.errors import GatewayError, Reason, StartError
from gateway.identity.issue import Pair
from gateway.pdp import Engine
from gateway.pdp.opa import open_opa
from gateway.types import Effect
from tests.support import hostile, pki
from tests.support.opa import free_port, serving
from tests.support.releases import DATA, release
from tests.support.twice import answering_twice, turns

GOOD = {"case": "good"}
PATIENT_MS = 10_000
RELEASE = release(b"")

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(url: str, deadline_ms: int = PATIENT_MS, **settings: Any) -> AsyncIterator[Engine]:
    engine = await open_opa(RELEASE, Policy(engine="opa", opa_url=url, deadline_ms=deadline_ms, **settings))
    try:
        yield engine
    finally:
        await engine.close()


async def refused(engine: Engine, case: str = "any") -> str:
    with pytest.raises(GatewayError) as error:
        await engine.decide({"case": case})
    assert error.value.reason is Reason.POLICY_UNAVAILABLE
    return error.value.detail


@asynccontextmanager
async def answering(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that treats its first connection by the first answer, and so on; the URL and the requests it read."""
    requests: list[bytes] = []
    waiting = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            requests.append(head + await reader.readexactly(length))
            await next(waiting)(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests


def replies(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Answer:
    """An HTTP answer; length: what it claims to be long."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    if not any(h.startswith("Content-Type") for h in headers):
        lines.append("Content-Type: application/json")

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client gives up


async def hangs_in_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await reader.read()  # until the client gives up


async def trickles_without_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"400\r\n" + b" " * 1024 + b"\r\n")
        await writer.drain()


async def closes(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    pass


async def talks_nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


DECISION = hostile.GOOD.encode()
ALLOWS = replies(b'{"result":' + DECISION + b"}")
AS_IT_IS = replies(b'{"decision_id":"x","result":' + DECISION + b"}")
REDIRECTS = [
    (s, replies(b'{"result":' + DECISION + b"}", s, "Location: /v1/data")) for s in ("302 F", "307 T", "308 P")
]

ODD: dict[str, Answer] = {
    "empty": replies(b""),
    "blank": replies(b" \n"),
    "undefined": replies(b"{}"),
    "undefined with a warning": replies(b'{"warning":{"code":"api_usage_warning"}}'),
    "truncated json": replies(b'{"result":' + DECISION),
    "truncated body": replies(b'{"result":' + DECISION, length=1000),
    "the text true": replies(b'"true"'),
    "true": replies(b"true"),
    "result true": replies(b'{"result":true}'),
    'result "true"': replies(b'{"result":"true"}'),
    "null": replies(b'{"result":null}'),
    "two results": replies(b'{"result":' + DECISION + b',"result":' + DECISION + b"}"),
    "a list of results": replies(b'{"result":[' + DECISION + b"," + DECISION + b"]}"),
    "result set": replies(b'[{"result":' + DECISION + b"}]"),
    "another key": replies(b'{"result":' + DECISION + b',"metrics":{}}'),
    "no envelope": replies(DECISION),
    "another revision": replies(b'{"result":' + DECISION.replace(b"test-revision", b"another") + b"}"),
    "a float": replies(b'{"result":1.0}'),
    "deep": replies(b"[" * 60_000),
    "not UTF-8": replies(b'{"result":"\xff"}'),
    "huge": replies(b'{"result":' + DECISION + b" " * (1 << 20) + b"}"),
    "endless": trickles_without_end,
    "closed": closes,
    "nonsense": talks_nonsense,
    "another type": replies(b'{"result":' + DECISION + b"}", "200 OK", "Content-Type: text/html"),
    "compressed": replies(gzip.compress(b'{"result":' + DECISION + b"}"), "200 OK", "Content-Encoding: gzip"),
    "created": replies(b'{"result":' + DECISION + b"}", "201 Created"),
    "forbidden": replies(b'{"result":' + DECISION + b"}", "403 Forbidden"),
    "error": replies(b'{"code":"internal_error"}', "500 Internal Server Error"),
    "error with a decision": replies(b'{"result":' + DECISION + b"}", "500 Internal Server Error"),
    "overloaded": replies(b"", "503 Service Unavailable"),
    **dict(REDIRECTS),
}


@pytest.mark.parametrize("odd", ODD)
async def test_only_the_agreed_answer_is_a_decision(odd: str) -> None:
    """An odd answer is refused, is asked for once, and the next answer is a decision."""
    async with answering(ODD[odd], ALLOWS) as (url, requests), opened(url) as engine:
        assert await refused(engine)
        assert len(requests) == 1
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_a_decision_that_nobody_asked_for_decides_no_later_call() -> None:
    """A call is decided by the answer to its own question, or not at all."""

    def decided(asked: Any) -> bytes:
        return b'{"result":' + DECISION + b"}" if asked["input"] == GOOD else b"{}"

    async with answering_twice(decided) as (url, asked), opened(url) as engine:
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW
        await turns()
        assert await refused(engine)
        assert len(asked) == 2


async def test_what_is_asked() -> None:
    """The question is one POST of the facts, as JSON, to the entrypoint; a decision id beside the result is taken."""
    async with answering(AS_IT_IS) as (url, requests), opened(url) as engine:
        assert (await engine.decide({"text": "\u00e9\u2028"})).effect is Effect.ALLOW
    head, body = requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/data/brightline/decision HTTP/1.1\r\n")
    assert json.loads(body) == {"input": {"text": "\u00e9\u2028"}}


@pytest.mark.parametrize("late", [hangs, hangs_in_the_body])
async def test_a_server_that_hangs_is_left_at_the_deadline(late: Answer) -> None:
    """A server that never finishes is refused by the deadline, its connection closed, and the next answer counts."""
    async with answering(late, ALLOWS) as (url, requests), opened(url, deadline_ms=3000) as engine:
        assert "deadline" in await refused(engine)
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW
        assert len(requests) == 2


async def test_what_comes_after_the_deadline_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that came, but late by the wall clock, decides nothing."""
    async with answering(ALLOWS) as (url, _), opened(url) as engine:
        clock = itertools.count(0, PATIENT_MS * 1_000_000 + 1)
        monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
        assert "past the deadline" in await refused(engine)


async def test_a_cancelled_question_leaves_the_engine_usable() -> None:
    """A caller who gives up ends the question, not the engine."""
    async with answering(hangs, ALLOWS) as (url, requests), opened(url) as engine:
        asking = asyncio.create_task(engine.decide(GOOD))
        while not requests:  # noqa: ASYNC110 - the server of the test records, it does not signal
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_a_server_that_is_down_refuses_until_it_answers(tmp_path: Path) -> None:
    """Down at start, up, and gone in mid-run: the engine opens, refuses, decides, and refuses again."""
    port = free_port()
    async with opened(f"http://127.0.0.1:{port}") as engine:
        assert "the server" in await refused(engine)
        async with serving(policy(tmp_path), port):
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW
        assert "the server" in await refused(engine)
        async with serving(policy(tmp_path), port):
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_a_policy_of_another_revision_is_noticed(tmp_path: Path) -> None:
    """A server that serves another policy, whoever put it there, decides nothing."""
    async with serving(policy(tmp_path, revision="swapped")) as url, opened(url) as engine:
        assert "another policy" in await refused(engine, "good")


async def test_whatever_the_policy_answers_only_a_decision_counts(tmp_path: Path) -> None:
    """A real server with an odd policy: undefined, other types, unknown words and conflicts are refused."""
    async with serving(policy(tmp_path)) as url, opened(url) as engine:
        for case in ("undefined", *hostile.ODD_CASES):
            assert await refused(engine, case), case
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_an_evaluation_that_runs_on_is_left_at_the_deadline(tmp_path: Path) -> None:
    """A blow-up in a real server is refused at the deadline, and the next decision works."""
    async with serving(policy(tmp_path)) as url:
        async with opened(url, deadline_ms=200) as engine:
            assert "deadline" in await refused(engine, "slow")
        async with opened(url) as engine:
            assert (await engine.decide(GOOD)).effect is Effect.ALLOW


async def test_https_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is believed under a certificate that the system trusts, for its name, and under no other."""
    authority = pki.Authority()
    (tmp_path / "ca.pem").write_bytes(authority.ca.certificate)
    (tmp_path / "other.pem").write_bytes(pki.Authority().ca.certificate)
    for pair, trusted, believed in (
        (authority.server(), "ca.pem", True),
        (authority.server(), "other.pem", False),
        (authority.server(hosts=["elsewhere.example"]), "ca.pem", False),
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / trusted))
        async with answering(ALLOWS, tls=server_context(tmp_path, pair)) as (url, requests), opened(url) as engine:
            if believed:
                assert (await engine.decide(GOOD)).effect is Effect.ALLOW
            else:
                assert "Certificate" in await refused(engine)
            assert len(requests) == believed


AUTHORIZATION = """
package system.authz

default allow := false

allow if {
	input.identity == "the-gateways-token"
	input.path == ["v1", "data", "brightline", "decision"]
}

allow if input.path == ["health"]
"""


async def test_a_server_that_asks_for_a_token_gets_it(tmp_path: Path) -> None:
    """A real server that answers to one token alone decides for a gateway that has it, and for no other."""
    (tmp_path / "authz.rego").write_text(AUTHORIZATION)
    files, token = [*policy(tmp_path), tmp_path / "authz.rego"], tmp_path / "token"
    async with serving(files, 0, "--authentication", "token", "--authorization", "basic") as url:
        for word, believed in (("the-gateways-token\n", True), ("another", False)):
            token.write_text(word)
            token.chmod(0o600)
            async with opened(url, opa_token=token) as engine:
                if believed:
                    assert (await engine.decide(GOOD)).effect is Effect.ALLOW
                else:
                    assert "another" not in await refused(engine)
        async with opened(url) as engine:
            assert "401" in await refused(engine)


async def test_a_server_of_its_own_authority_is_believed_and_shown_a_certificate(tmp_path: Path) -> None:
    """With opa_ca only that authority counts; with opa_certificate the server knows who asks."""
    authority, clients = pki.Authority(), pki.Authority()
    client = clients.client(None)
    (tmp_path / "ca.pem").write_bytes(authority.ca.certificate)
    (tmp_path / "client.pem").write_bytes(client.certificate)
    (tmp_path / "client.key").write_bytes(client.key)
    (tmp_path / "client.key").chmod(0o600)
    shown = {"opa_certificate": tmp_path / "client.pem", "opa_key": tmp_path / "client.key"}
    context = server_context(tmp_path, authority.server())
    context.load_verify_locations(cadata=clients.ca.certificate.decode())
    for required, settings, believed in (
        (ssl.CERT_NONE, {"opa_ca": tmp_path / "ca.pem"}, True),
        (ssl.CERT_NONE, {"opa_ca": tmp_path / "client.pem"}, False),
        (ssl.CERT_REQUIRED, {"opa_ca": tmp_path / "ca.pem", **shown}, True),
        (ssl.CERT_REQUIRED, {"opa_ca": tmp_path / "ca.pem"}, False),
    ):
        context.verify_mode = required
        async with answering(ALLOWS, tls=context) as (url, _), opened(url, **settings) as engine:
            if believed:
                assert (await engine.decide(GOOD)).effect is Effect.ALLOW
            else:
                await refused(engine)


async def test_files_for_a_server_refuse_the_start(tmp_path: Path) -> None:
    """A file that can't be used, or that others can read, is named with its key, and no secret is shown."""
    secret = tmp_path / "secret"
    secret.write_text("two words")
    secret.chmod(0o600)
    shared = tmp_path / "shared"
    shared.write_text("word")
    shared.chmod(0o644)
    for settings, named in (
        ({"opa_token": secret}, "policy.opa_token: .*one key"),
        ({"opa_token": shared}, "policy.opa_token: .*mode 0644"),
        ({"opa_token": tmp_path / "none"}, "policy.opa_token: .*cannot be read"),
        ({"opa_ca": secret}, "policy.opa_ca: .*holds no PEM"),
        ({"opa_certificate": shared, "opa_key": secret}, "policy.opa_certificate, policy.opa_key"),
        ({"opa_certificate": shared, "opa_key": shared}, "policy.opa_key: .*mode 0644"),
    ):
        with pytest.raises(StartError, match=named) as error:
            async with opened("https://127.0.0.1:1", **settings):
                pass
        assert "words" not in str(error.value)


@pytest.mark.parametrize(
    "settings", [{"opa_ca": "a"}, {"opa_certificate": "a", "opa_key": "b"}, {"opa_url": "https://a", "opa_key": "b"}]
)
def test_settings_that_would_be_ignored_are_refused(settings: dict[str, Any]) -> None:
    """What is said of TLS needs https, and a certificate its key."""
    with pytest.raises(ValidationError, match="opa_certificate"):
        Policy(engine="opa", **settings)


@pytest.mark.parametrize(
    "url",
    [
        "http://user@127.0.0.1",
        "http://:8181",
        "http://h:99999",
        "http://h?x",
        "http://[::1",
        "http://192.0.2.1:8181",
        "http://opa.example:8181",
        "http://localhost:8181",
    ],
)
async def test_a_url_of_another_kind_is_refused_at_start(url: str) -> None:
    """A URL with credentials, without a host, with anything behind the port, or plain to elsewhere does not start."""
    with pytest.raises(StartError, match=r"policy\.opa_url"):
        await open_opa(RELEASE, Policy(engine="opa", opa_url=url))


async def test_an_ipv6_address_is_an_address() -> None:
    """A server is reached by an IPv6 address where nobody listens: refused as down, not as a bad name."""
    async with opened(f"http://[::1]:{free_port()}") as engine:
        assert "ClientConnectorError" in await refused(engine)


async def test_a_closed_engine_decides_nothing() -> None:
    """After close every decision is refused, and closing again is harmless."""
    async with answering(ALLOWS) as (url, requests), opened(url) as engine:
        await engine.close()
        assert "closed" in await refused(engine)
        assert requests == []


def server_context(folder: Path, pair: Pair) -> ssl.SSLContext:
    """What a TLS server with this certificate needs."""
    (folder / "server.pem").write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def policy(folder: Path, revision: str = "") -> list[Path]:
    """The files of the policy that misbehaves when told to. revision: another one than the release's."""
    (folder / "policy.rego").write_text(hostile.REGO)
    (folder / "data.json").write_text(json.dumps({"release": {"revision": revision}} if revision else DATA))
    return [folder / "policy.rego", folder / "data.json"]
