"""How many reviewers look at the log at once, whoever goes away meanwhile, and what one is believed after the wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brightline_verify.database import File
from brightline_verify.note import Signer
from brightline_verify.record import Kind
from gateway import config, review
from gateway.audit.filter import Filter
from gateway.audit.index import Held
from gateway.audit.record import entry
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.clock import Clock
from gateway.errors import GatewayError, Reason
from gateway.review import Asked, Desk
from gateway.types import Call, Credentials, new_decision_id
from tests.support import logs
from tests.support.attacks import put
from tests.support.gateways import INTELLIGENCE, LOGISTICS, Deployment, Running, serving
from tests.support.tokens import unverified_claims
from tests.support.waiting import Passing, until

MANY = 8


@asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None) -> AsyncIterator[tuple[Running, Desk]]:
    """A gateway and a desk of it, with something to export: a checkpoint is signed with every batch."""
    deployed = Deployment.create(folder)
    put(deployed.folder / "revoked.json", b"[]")
    deployed.edit("[identity]\n", '[identity]\nrevoked_tokens = "revoked.json"\n')
    deployed.edit("[audit]\n", "[audit]\ncheckpoint_records = 1\n")
    async with serving(deployed, clock) as running:
        assert running.gate is not None
        settings = config.load(running.config)
        yield running, Desk(running.gate, settings.review, settings.approvals, running.gate.log.archive)


def call(running: Running, method: str, token: str = "", tenant: str = LOGISTICS) -> Call:
    """The call of an auditor. token: another than a fresh one."""
    assert running.gate is not None
    now_us = running.gate.clock()
    bearer = f"Bearer {token or running.token(tenant, roles=('auditor',))}"
    credentials = Credentials((running.certificate(tenant),), (bearer,), "127.0.0.1:1")
    path = f"/brightline.v1.AuditService/{method}"
    return Call(new_decision_id(now_us), path, credentials, now_us, now_us + 60_000_000)


async def everything() -> Filter:
    return Filter()


async def one() -> Asked:
    return Asked(Filter(), most=1)


def stream(
    running: Running, desk: Desk, method: str, token: str = "", tenant: str = LOGISTICS
) -> AsyncGenerator[object]:
    """A stream that has not begun. token: another than a fresh one."""
    asked = call(running, method, token, tenant)
    if method == "Watch":
        return review.watch(asked, one, desk, desk.gate.in_force)
    return review.export(asked, everything, desk, desk.gate.in_force)


@pytest.mark.parametrize("method", ["Watch", "Export"])
async def test_no_more_streams_are_open_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Of many that begin at once as many are served as may be, and as many again once those have ended."""
    monkeypatch.setattr(review, "STREAMS", 2)
    async with opened(tmp_path) as (running, desk):
        await review.search(call(running, "Search"), one, desk, desk.gate.in_force)
        for _ in range(2):
            streams = [stream(running, desk, method) for _ in range(MANY)]
            found = await asyncio.gather(*(anext(begun) for begun in streams), return_exceptions=True)
            refused = [error.reason for error in found if isinstance(error, GatewayError)]
            assert refused == [Reason.OVERLOADED] * (MANY - 2)
            assert desk.streams.total() == 2
            for begun in streams:
                await begun.aclose()
            assert desk.streams.total() == 0


@pytest.mark.parametrize("method", ["Watch", "Export"])
async def test_one_tenant_can_not_take_up_all_streams(tmp_path: Path, method: str) -> None:
    """Of streams that a tenant's auditors begin so many are refused that those of another tenant have some."""
    async with opened(tmp_path) as (running, desk):
        await review.search(call(running, "Search"), one, desk, desk.gate.in_force)
        many = [stream(running, desk, method) for _ in range(review.STREAMS)]
        found = await asyncio.gather(*(anext(begun) for begun in many), return_exceptions=True)
        other = stream(running, desk, method, tenant=INTELLIGENCE)
        assert await anext(other)
        refused = [error.reason for error in found if isinstance(error, GatewayError)]
        assert refused == [Reason.OVERLOADED] * (review.STREAMS - review.STREAMS_EACH)
        for begun in (*many, other):
            await begun.aclose()
        assert desk.streams.total() == 0


async def test_who_looks_much_does_not_keep_another_tenant_waiting(tmp_path: Path) -> None:
    """While one tenant's looks stand in line, a look for another is taken at once."""
    go = threading.Event()
    async with opened(tmp_path) as (_, desk):
        looks = [asyncio.create_task(review.look(desk, LOGISTICS, go.wait)) for _ in range(MANY)]
        await until(lambda: desk.looking.waiting == MANY - review.LOOKS_EACH)
        try:
            assert await asyncio.wait_for(review.look(desk, INTELLIGENCE, lambda: "looked"), 60) == "looked"
        finally:
            go.set()
            await asyncio.wait(looks)


async def test_who_goes_on_with_a_cursor_gets_every_later_record_once(tmp_path: Path) -> None:
    """From any event's cursor a watch gives all that comes after it, also where times of a log go back."""
    times = {"log.example/one": (5, 1, 9, 2, 8), "log.example/two": (3, 7, 4)}
    async with opened(tmp_path / "gateway") as (running, desk):
        stores, held = [], []
        for number, (origin, at) in enumerate(times.items()):
            store = Store(Sqlite(tmp_path / f"{number}.db"), Signer(origin, Ed25519PrivateKey.generate()))
            made = [logs.record(Kind.REFUSAL, n, LOGISTICS, after_us=us - n) for n, us in enumerate(at)]
            stores.append((store, [entry(record) for record in made]))
            held.append(Held(File(tmp_path / f"{number}.db"), tmp_path / f"{number}.index"))
        archive = desk.archive = replace(desk.archive, logs=lambda: held)
        events = review.watch(call(running, "Watch"), one, desk, desk.gate.in_force)
        await anext(events)
        for store, entries in stores:
            store.append(entries)
            store.close()
        given = [await anext(events) for _ in range(8)]
        await events.aclose()
    wanted = Filter(tenant=LOGISTICS)
    bounds = review.bound(review.Reader(LOGISTICS), "cursor", wanted)
    told = [(found.origin, found.index) for found, _ in given if found]
    assert set(told) == {(origin, n) for origin, at in times.items() for n in range(len(at))}
    for done, (_, word) in enumerate(given, 1):
        later, *_ = archive.since(archive.pages.position(word, bounds), wanted)
        assert sorted((found.origin, found.index) for found in later) == sorted(told[done:])


@pytest.mark.parametrize("method", ["Watch", "Export"])
async def test_a_stream_that_ends_before_its_record_is_durable_is_not_counted_on(tmp_path: Path, method: str) -> None:
    """A caller who goes away while the stream begins takes up nothing."""
    async with opened(tmp_path) as (running, desk):
        await review.search(call(running, "Search"), one, desk, desk.gate.in_force)
        begun = stream(running, desk, method)
        beginning = asyncio.ensure_future(anext(begun))
        while not desk.streams.total():  # noqa: ASYNC110 - the desk counts, and tells nobody
            await asyncio.sleep(0)
        assert not beginning.done()
        beginning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beginning
        assert desk.streams.total() == 0


async def test_a_look_counts_until_its_thread_has_ended(tmp_path: Path) -> None:
    """Whoever begins looks and goes away does not make room for more threads than may look at once."""
    go = threading.Event()
    async with opened(tmp_path) as (_, desk):
        looks = [asyncio.create_task(review.look(desk, f"tenant {n}", go.wait)) for n in range(review.AT_ONCE)]
        later = asyncio.create_task(review.look(desk, LOGISTICS, lambda: "looked"))
        await until(lambda: desk.looking.waiting == 1)
        for look in looks:
            look.cancel()
        await asyncio.wait(looks)
        assert desk.looking.waiting == 1
        go.set()
        assert await later == "looked"


async def test_who_waits_for_a_look_is_proved_again(tmp_path: Path) -> None:
    """What was revoked while others looked is not believed when it is found what was asked for."""
    passing = Passing()
    async with opened(tmp_path, passing.clock) as (running, desk):
        token = running.token(LOGISTICS, roles=("auditor",))

        def slowly() -> None:
            passing.by_us += 2_000_000
            put(running.folder / "revoked.json", f'["{unverified_claims(token)["jti"]}"]'.encode())

        with pytest.raises(GatewayError) as refused:
            await review.find(call(running, "Search", token), desk, LOGISTICS, desk.gate.in_force, slowly)
        assert refused.value.reason is Reason.CREDENTIAL_REVOKED


@pytest.mark.parametrize("method", ["Watch", "Export"])
async def test_a_stream_ends_when_its_reader_is_not_believed_any_more(tmp_path: Path, method: str) -> None:
    """A token that is revoked while its stream is open gets nothing more of the log."""
    passing = Passing()
    async with opened(tmp_path, passing.clock) as (running, desk):
        await review.search(call(running, "Search"), one, desk, desk.gate.in_force)
        token = running.token(LOGISTICS, roles=("auditor",))
        begun = stream(running, desk, method, token)
        await anext(begun)
        passing.by_us += 2_000_000
        put(running.folder / "revoked.json", f'["{unverified_claims(token)["jti"]}"]'.encode())
        with pytest.raises(GatewayError) as refused:
            await anext(begun)
        assert refused.value.reason is Reason.CREDENTIAL_REVOKED
        assert desk.streams.total() == 0
