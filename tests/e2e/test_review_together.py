"""Where several gateways keep their logs in one PostgreSQL, a reviewer at one of them reads all of these as one log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from brightline import NotFound, RecordFilter
from brightline_verify import records
from brightline_verify.note import NoteError, Verifier
from brightline_verify.proof import Proof
from brightline_verify.record import Kind
from brightline_verify.whole import Trust
from gateway import config
from gateway.audit import index_supervisor, places
from gateway.audit.keys import public_path
from gateway.audit.postgres.writing import Postgres
from gateway.audit.record import entry
from gateway.audit.store import Store
from gateway.clock import system_us
from tests.support import logs
from tests.support.gateways import HARMLESS, INTELLIGENCE, LOGISTICS, Deployment, Running, serving
from tests.support.postgres import Cluster
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "log.example/other"
THEIRS = 30
ASK = {"model": "loopback", "max_tokens": 50, "use": HARMLESS, "prompt": "How many trucks?"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A gateway beside whose log another one's is, with records of two tenants made in turns."""
    name, folder = postgres.database(), tmp_path_factory.mktemp("gateway")
    deployed = Deployment.create(folder)
    key = public_path(logs.settings(folder, origin=OTHER).signing_key)
    there = f'store = "postgresql"\ndsn = "{postgres.server(name).dsn}"\nother_keys = ["{key}"]'
    deployed.edit("[audit]\n", f"[audit]\n{there}\n")
    async with serving(deployed) as gateway:
        await gateway.client().generate(**ASK)
        settings = logs.settings(folder, origin=OTHER)
        signer = logs.load_signer(settings.signing_key, OTHER)
        with closing(Store(Postgres(postgres.server(name), folder / "tail"), signer)) as store:
            for n in range(THEIRS):
                tenant = (LOGISTICS, INTELLIGENCE)[n % 2]
                later_us = system_us() - logs.START_US
                store.append([entry(logs.record(Kind.REFUSAL, n, tenant, after_us=later_us - n))])
        await gateway.client().generate(**ASK)
        yield gateway


def verifier(running: Running) -> Verifier:
    """The public key of the other log."""
    return Verifier.parse(public_path(logs.settings(running.folder.parent, origin=OTHER).signing_key).read_text())


def signed(running: Running) -> bool:
    """Whether a checkpoint covers all that the gateway's own log has."""
    with places.source(config.load(running.config).audit).reading() as rows:
        last = rows.last_note()
        return last is not None and last[0] == rows.ends()[1]


async def test_the_logs_are_one_in_the_order_of_time(running: Running) -> None:
    """Page by page, newest first, each record of the tenant once, wherever it is."""
    auditor = running.auditor()
    found: list[tuple[str, str]] = []
    times: list[int] = []
    word = ""
    while True:
        page = await auditor.search(RecordFilter(subject=""), page_size=7, page_token=word)
        found += [(r.origin, r.record["kind"]) for r in page.records if r.record["kind"] != "review"]
        times += [r.record["time_us"] for r in page.records]
        word = page.next_page_token
        if not word:
            break
    theirs = [(OTHER, "refusal")] * (THEIRS // 2)
    ours = [("brightline.test/development", kind) for kind in ("outcome", "intent")]
    assert found == [*ours, *theirs, *ours]
    assert times == sorted(times, reverse=True)


async def test_a_decision_of_another_gateway_is_proved(running: Running) -> None:
    """To who has the public key of that log; of another tenant there is none."""
    auditor = running.auditor()
    (proved,) = await auditor.prove(f"{4:032x}")
    assert proved.record.origin == OTHER
    Proof.parse(proved.proof).verify(proved.record.json, verifier(running))
    with pytest.raises(NotFound):
        await auditor.get(f"{5:032x}")


async def test_a_proof_of_another_log_is_checked_with_its_key(running: Running) -> None:
    """A checkpoint that the key of its log did not sign is not handed out; without a key it is, as it is."""
    assert running.gate is not None
    archive = running.gate.log.archive
    other = replace(archive, keys={OTHER: archive.keys["brightline.test/development"]})
    with pytest.raises(NoteError, match="not signed"):
        other.proved(f"{4:032x}", LOGISTICS)
    assert replace(archive, keys={}).proved(f"{4:032x}", LOGISTICS) == archive.proved(f"{4:032x}", LOGISTICS)


async def test_an_export_has_every_log(running: Running, tmp_path: Path) -> None:
    """In the order of time, each record of the tenant once; each log is proved by its own key, and both are needed."""
    file = tmp_path / "export.jsonl"
    await until(lambda: signed(running))
    file.write_bytes(b"".join([piece async for piece in running.auditor().export(RecordFilter(kind="refusal"))]))
    own = Verifier.parse((running.folder / "audit" / "log.key.pub").read_text())
    found = records.verify(file, Trust(own), Trust(verifier(running)))
    assert (found.problem, found.count) == ("", THEIRS // 2)
    assert records.verify(file, Trust(own)).problem
    assert sorted(found.origin.split(", ")) == sorted((OTHER, "brightline.test/development"))
    file.write_bytes(b"".join([piece async for piece in running.auditor().export(RecordFilter(subject=""))]))
    header, *lines = map(json.loads, file.read_bytes().splitlines())
    assert len(header["logs"]) == len({one["origin"] for one in lines}) == 2
    times = [json.loads(one["record"])["time_us"] for one in lines]
    assert times == sorted(times, reverse=True)
    assert not records.verify(file, Trust(own), Trust(verifier(running))).problem


async def test_each_log_gets_an_index(running: Running) -> None:
    """One process keeps all of them up to date, and searches use them."""
    settings = config.load(running.config).audit
    paths = [held.index for held in places.together(settings)]
    assert index_supervisor.SEVERAL == len(paths) == len(set(paths))
    assert all(path.parent == Path(settings.path).parent for path in paths)
    async with index_supervisor.following(lambda: places.together(settings), lambda: 0):
        await until(lambda: all(path.exists() for path in paths), 60)
    assert (await running.auditor().search(RecordFilter(rule=logs.RULE.id))).records


async def test_a_watch_goes_on_in_every_log(running: Running) -> None:
    """The first event is where all of them end, and what comes after it is told."""
    events = running.auditor().watch(RecordFilter(kind="intent"))
    assert (await anext(events)).record is None
    answer = await running.client().generate(**ASK)
    told = await anext(events)
    assert told.record is not None
    assert told.record.record["decision_id"] == answer.decision_id
    await events.aclose()
