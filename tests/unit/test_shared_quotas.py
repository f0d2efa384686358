"""Quotas that several gateways count in one Valkey server, and what becomes of calls when it can't be asked."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from valkey import Valkey

from gateway import app, config, shared_quotas
from gateway.cli.doctor import examine
from gateway.config import QuotaStore
from gateway.errors import GatewayError, Reason, StartError
from gateway.quotas import Quotas
from gateway.shared_quotas import CONNECTIONS, Shared
from gateway.types import Tenant
from tests.support.gateways import Deployment
from tests.support.pki import Authority
from tests.support.quotas import refusal
from tests.support.valkey import PASSWORD, USER, Server, password_file, valkey
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that asks for a password."""
    with valkey() as running:
        yield running


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """The file with it."""
    return password_file(tmp_path / "password")


def store(port: int, password: Path, scheme: str = "valkey", deadline_ms: int = 10_000, **rest: Any) -> QuotaStore:
    """A server of this machine, as it is configured."""
    url = f"{scheme}://127.0.0.1:{port}"
    return QuotaStore(url=url, user=USER, password_file=password, deadline_ms=deadline_ms, **rest)


@asynccontextmanager
async def gateway(port: int, password: Path, deadline_ms: int = 10_000) -> AsyncIterator[Quotas]:
    """The quotas of one gateway."""
    quotas = Quotas(Shared(store(port, password, deadline_ms=deadline_ms)))
    try:
        yield quotas
    finally:
        await quotas.close()


def tenant(name: str) -> Tenant:
    """A tenant with ten requests a minute and a hundred tokens an hour."""
    return Tenant(name, (), {}, {"requests_per_minute": 10, "tokens_per_hour": 100})


async def test_gateways_together_give_out_no_more_than_the_quota(server: Server, password: Path) -> None:
    """However many ask at once and wherever, a tenant gets its quota and no more; other tenants are not concerned."""
    who, other = tenant("one"), tenant("other")
    async with gateway(server.port, password) as here, gateway(server.port, password) as there:
        for _ in range(5):
            assert await refusal(here, who, 10) is None
        errors = await asyncio.gather(*(refusal(quotas, who, 10) for quotas in (here, there) * 10))
        assert 0 < len(errors) - len([*filter(None, errors)]) <= 5
        for error in filter(None, errors):
            assert (error.reason, 1 <= (error.again_s or 0) <= 3600) == (Reason.QUOTA_EXHAUSTED, True)
        assert await refusal(there, other, 100) is None
        never = await refusal(there, tenant("third"), 101)
        assert never is not None
        assert (never.reason, never.again_s) == (Reason.QUOTA_EXHAUSTED, None)
        assert await refusal(there, tenant("third"), 100) is None
        for quotas in (here, there) * 5:
            await quotas.take_request(who)
        with pytest.raises(GatewayError, match="requests of this minute"):
            await here.take_request(who)


async def test_a_server_that_hangs_refuses_until_it_answers(server: Server, password: Path) -> None:
    """While the server stands still nobody knows what is used up, so calls are refused; afterwards they go on."""
    async with gateway(server.port, password, 500) as quotas:
        await answered(quotas)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            error = await refusal(quotas, tenant("b"), 1)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert error is not None
        assert (error.reason, error.sent, error.again_s) == (Reason.POLICY_UNAVAILABLE, False, None)
        await answered(quotas)
        assert await refusal(quotas, tenant("c"), 100) is None  # no answer is taken for that to another question
        assert await refusal(quotas, tenant("c"), 1) is not None


async def answered(quotas: Quotas) -> None:
    """Return once the server counts."""
    for _ in range(600):
        error = await refusal(quotas, Tenant("a", (), {}, {"tokens_per_hour": 10**9}), 1)
        if error is None:
            return
        assert error.reason is Reason.POLICY_UNAVAILABLE
        await asyncio.sleep(0.1)
    pytest.fail("nothing was counted")


async def test_a_server_that_is_down_is_not_asked_by_every_call(
    password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the calls in the time after a failure none connects, and all are refused."""
    monkeypatch.setattr(shared_quotas, "PAUSE_S", 3600.0)  # whatever else this machine does
    connections = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    down = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with down, gateway(down.sockets[0].getsockname()[1], password) as quotas:
        for _ in range(100):
            error = await refusal(quotas, tenant("a"), 1)
            assert error is not None
            assert error.reason is Reason.POLICY_UNAVAILABLE
    assert connections == 1


async def test_a_burst_of_calls_is_not_taken_for_a_store_that_failed(server: Server, password: Path) -> None:
    """However many ask at once, the deadline is the store's: who only waits for others to be answered is counted."""
    async with gateway(server.port, password, deadline_ms=1_000) as quotas:
        await answered(quotas)
        many = Tenant("burst", (), {}, {"tokens_per_hour": 10**9})
        errors = await asyncio.gather(*(refusal(quotas, many, 1) for _ in range(3_000)))
        assert [*filter(None, errors)] == []


async def test_a_call_that_is_cancelled_keeps_no_place_and_no_answer(server: Server, password: Path) -> None:
    """Wherever calls are cancelled, others get the answers to their own questions, and as many ask at once as may."""
    async with gateway(server.port, password) as quotas:
        used_up = tenant("used up")
        assert await refusal(quotas, used_up, 100) is None
        for turns in range(40):
            calls = [asyncio.create_task(refusal(quotas, used_up, 1)) for _ in range(20)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for call in calls[::2]:
                call.cancel()
            errors = [await call for call in calls[1::2]]
            assert {error and error.reason for error in errors} == {Reason.QUOTA_EXHAUSTED}
            fresh = Tenant(f"fresh {turns}", (), {}, {"tokens_per_hour": 10**9})
            asked = (refusal(quotas, fresh, 1) for _ in range(CONNECTIONS))
            assert await asyncio.gather(*asked) == [None] * CONNECTIONS


async def test_a_password_that_is_not_the_servers_refuses(server: Server, password: Path) -> None:
    """Without the right password nothing is counted, so nothing is permitted; the password is in no error."""
    other = password_file(password.with_name("other"), "another")
    async with gateway(server.port, other) as quotas:
        error = await refusal(quotas, tenant("a"), 1)
    assert error is not None
    assert error.reason is Reason.POLICY_UNAVAILABLE
    assert "another" not in f"{error}{error.detail}"


async def test_what_the_store_holds_is_names_and_numbers_for_an_hour_at_most(server: Server, password: Path) -> None:
    """Each key is below the gateway's prefix, is of one tenant and one quota, has a number, and ends with its time."""
    names = ("x", "x.1", "x-1", "x_1")
    async with gateway(server.port, password) as quotas:
        for name in names:
            await quotas.take_request(tenant(name))
            await quotas.take_tokens(tenant(name), 7)
    with Valkey(port=server.port, password=PASSWORD) as direct:
        kept = {key.decode(): (direct.get(key), direct.ttl(key)) for key in direct.keys("*LIMITER/x*")}
    for name in names:
        for rest, count, longest_s in (("10/1/minute", b"1", 60), ("100/1/hour", b"7", 3600)):
            number, seconds = kept.pop(f"brightline:LIMITER/{name}/{rest}")
            assert (number, 0 < seconds <= longest_s) == (count, True)
    assert not kept


async def test_what_is_no_number_refuses(server: Server, password: Path) -> None:
    """Whoever can write to the store can keep a tenant out with nonsense, and gains no more by it."""
    with Valkey(port=server.port, password=PASSWORD) as direct:
        direct.set("brightline:LIMITER/odd/100/1/hour", "many")
    async with gateway(server.port, password) as quotas:
        error = await refusal(quotas, tenant("odd"), 1)
    assert error is not None
    assert error.reason is Reason.POLICY_UNAVAILABLE


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[Quotas, list[asyncio.StreamWriter]]]:
    """The quotas of a gateway whose store gives these answers, whatever is asked, and its connections."""
    connections: list[asyncio.StreamWriter] = []
    left = iter(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with suppress(ConnectionError):
            while asked := await reader.read(1 << 16):
                writer.write(b"+OK\r\n" if b"SETINFO" in asked else next(left, b":1\r\n"))
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"valkey://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        quotas = Quotas(Shared(QuotaStore(url=url, deadline_ms=10_000)))
        try:
            yield quotas, connections
        finally:
            await quotas.close()


@pytest.mark.parametrize(
    "answer",
    [b"*-1\r\n", b"*2\r\n:1\r\n:2\r\n", b"$2\r\n-1\r\n", b"*1\r\n" * 5_000 + b":1\r\n", b"_\r\n", b"\0"],
    ids=["nothing", "a list", "a text", "a list of lists", "another version", "no answer"],
)
async def test_an_answer_of_another_kind_refuses(answer: bytes) -> None:
    """What is no number for an answer counts as a store that failed, which is left alone for a moment."""
    async with answering(answer, answer, answer) as (quotas, _):
        errors = [await refusal(quotas, tenant("a"), 1) for _ in range(2)]
    assert [(e.reason, e.sent) for e in errors if e] == [(Reason.POLICY_UNAVAILABLE, False)] * 2
    assert "failed just now" in str(errors[1] and errors[1].detail)


async def test_an_answer_that_nobody_asked_for_answers_nobody() -> None:
    """What a store says between two questions is not the answer to the second."""
    async with answering(b"$1\r\n1\r\n", b":1\r\n", b"$3\r\n100\r\n") as (quotas, connections):
        assert await refusal(quotas, tenant("a"), 1) is None
        connections[0].write(b"$1\r\n1\r\n:1\r\n")
        (kept,) = quotas._counts._pool._available_connections  # type: ignore[attr-defined]
        await until(lambda: bool(kept._reader._buffer))
        error = await refusal(quotas, tenant("a"), 1)
    assert error is not None
    assert error.reason is Reason.QUOTA_EXHAUSTED
    assert len(connections) == 2


async def test_a_quota_is_never_said_to_last_longer_than_its_unit(server: Server, password: Path) -> None:
    """Whoever can write to the store can't make a refusal that has no form on the wire."""
    with Valkey(port=server.port, password=PASSWORD) as direct:
        direct.set("brightline:LIMITER/long/100/1/hour", "100", ex=10**14)
    async with gateway(server.port, password) as quotas:
        error = await refusal(quotas, tenant("long"), 1)
    assert error is not None
    assert error.again_s is not None
    assert 0 < error.again_s <= 3600


async def test_doctor_counts_with_the_rights_that_a_gateway_has(server: Server, tmp_path: Path) -> None:
    """The check asks the store for what calls ask for, and no tenant has less for it."""
    deployed = Deployment.create(tmp_path)
    deployed.edit("[audit]\n", f"{server.section(deployed.folder)}deadline_ms = 10000\n[audit]\n")
    findings = {f.check: f for f in await examine(config.load(deployed.config))}
    assert (findings["quotas"].ok, findings["quotas"].text) == (True, f"valkey://127.0.0.1:{server.port} counts")


async def test_a_worker_gives_out_the_whole_quota_of_a_store(server: Server, tmp_path: Path) -> None:
    """What the store counts for all of them is not divided among workers once more."""
    deployed = Deployment.create(tmp_path)
    section = f"{server.section(deployed.folder)}deadline_ms = 10000\n"
    deployed.edit("[listener]\n", f"{section}[listener]\nworkers = 4\n")
    quotas = app.counting(config.load(deployed.config).of_worker(1))
    try:
        assert await refusal(quotas, tenant("worker"), 100) is None
        assert await refusal(quotas, tenant("worker"), 1) is not None
    finally:
        await quotas.close()


async def through_tls(server: Server, password: Path, hosts: tuple[str, ...], *, believed: bool) -> GatewayError | None:
    """Why nothing is counted at a server with TLS. hosts: whom its certificate names."""
    authority = Authority()
    pair = authority.server(hosts)
    certificate, key, ca = (password.with_name(name) for name in ("pem", "key", "ca"))
    for path, text in ((certificate, pair.certificate), (key, pair.key)):
        path.write_bytes(text)
    ca.write_bytes((authority if believed else Authority()).ca.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, forth), pump(back, writer), return_exceptions=True)

    front = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    async with front:
        quotas = Quotas(Shared(store(front.sockets[0].getsockname()[1], password, "valkeys", ca=ca)))
        try:
            return await refusal(quotas, tenant("tls"), 1)
        finally:
            await quotas.close()


@pytest.mark.parametrize(
    ("hosts", "believed"), [(("127.0.0.1",), True), (("127.0.0.1",), False), (("valkey.agency.example",), True)]
)
async def test_tls_asks_for_the_servers_name_and_ca(
    server: Server, password: Path, hosts: tuple[str, ...], *, believed: bool
) -> None:
    """With valkeys the certificate has to come from the configured CA and to name the host; else nothing is counted."""
    error = await through_tls(server, password, hosts, believed=believed)
    assert (error is None) == (believed and hosts == ("127.0.0.1",))
    assert error is None or error.reason is Reason.POLICY_UNAVAILABLE


def test_a_ca_that_is_none_refuses_the_start(password: Path) -> None:
    """A file without certificates is named, before a call needs them."""
    with pytest.raises(StartError, match=r"quotas\.ca: .* no PEM"):
        Shared(QuotaStore(url="valkeys://valkey.agency.example:6379", ca=password))


def test_a_password_that_others_can_read_refuses_the_start(password: Path) -> None:
    """As any secret."""
    password.chmod(0o644)
    with pytest.raises(StartError, match=r"quotas\.password_file"):
        Shared(QuotaStore(url="valkeys://valkey.agency.example:6379", password_file=password))


@pytest.mark.parametrize(
    "store",
    [
        {"url": "valkey://valkey.agency.example:6379"},
        {"url": "valkeys://:secret@valkey.agency.example:6379"},
        {"url": "valkey://localhost:6379"},
        {"url": "valkey://127.0.0.1.agency.example:6379"},
        {"url": "redis://127.0.0.1:6379"},
        {"url": "valkeys://[::1:6379"},
        {"url": "valkeys://valkey.agency.example:65536"},
        {"url": "valkeys://valkey.agency.example:0"},
        {"ca": "ca.pem"},
    ],
)
def test_a_store_without_tls_or_with_a_secret_in_its_address_is_refused(store: dict[str, str]) -> None:
    """Other hosts are reached by TLS alone, secrets have files, and what has no address is no store."""
    with pytest.raises(ValueError, match="url"):
        QuotaStore.model_validate(store)
