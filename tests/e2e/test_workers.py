"""A gateway of several processes: one port, one log, and no call lost with the worker that had it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline import Answer, AsyncClient, Refused
from brightline.errors import BrightlineError, Cancelled, ConnectionFailed, DuplicateRequest, Unavailable
from gateway import config
from gateway.clock import system_us
from gateway.errors import StartError
from gateway.inforce import FOLLOW_US
from tests.e2e.test_activation import ASK, NARROWER, verified
from tests.support.gateways import HARMLESS, Deployment, spawned
from tests.support.observing import Scrape, scrape, told_port
from tests.support.waiting import until, wait_for

CONNECTIONS = 24
"""The kernel gives each connection to a worker by chance: one of them gets none once in 8 million runs."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, subprocess.Popen[bytes]]]:
    """A gateway of two workers. Tests may kill workers, not the gateway."""
    deployed = made(tmp_path_factory.mktemp("gateway"))
    with spawned(deployed) as process:
        yield deployed, process


def made(folder: Path) -> Deployment:
    """A deployment with two workers."""
    deployed = Deployment.create(folder)
    deployed.edit("[listener]\n", '[metrics]\naddress = "127.0.0.1:0"\n[listener]\nworkers = 2\n')
    return deployed


def workers(process: subprocess.Popen[bytes]) -> set[int]:
    """The process ids of the workers."""
    found = set()
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        with suppress(OSError):  # it has ended since then
            if b"gateway.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(int(child))
    return found


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@asynccontextmanager
async def clients(deployed: Deployment) -> AsyncIterator[list[AsyncClient]]:
    """As many connections as it takes to have some with each worker."""
    made = [deployed.client() for _ in range(CONNECTIONS)]
    try:
        yield made
    finally:
        await asyncio.gather(*(client.close() for client in made))
        deployed.clients.clear()


async def outcome(client: AsyncClient, **changes: Any) -> Answer | Exception:
    """The answer, or what came in its place."""
    try:
        return await client.generate(**{**ASK, **changes})
    except BrightlineError as error:
        return error


def intents_without_outcome(records: list[Mapping[str, Any]]) -> set[str]:
    """Decision ids that were permitted, and of which nothing else is known."""
    ids = {kind: {r["decision_id"] for r in records if r["kind"] == kind} for kind in ("intent", "outcome")}
    return ids["intent"] - ids["outcome"]


async def test_every_worker_serves_into_one_log(served: tuple[Deployment, subprocess.Popen[bytes]]) -> None:
    """Calls on many connections are answered by both workers, and one log with one start has all of their records."""
    deployed, _ = served
    async with clients(deployed) as callers:
        answers = [await outcome(client) for client in callers]
    ids = {answer.decision_id for answer in answers if isinstance(answer, Answer)}
    intents = [r for r in deployed.records("intent") if r["decision_id"] in ids]
    assert len(intents) == CONNECTIONS
    assert {r["where"]["component"] for r in intents} == {"gateway/1", "gateway/2"}
    assert len(deployed.records("start")) == 1
    assert verified(deployed)


async def test_an_idempotency_key_counts_once_whichever_worker_is_asked(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """Of the same request on every connection at once one is forwarded, and the others are told so."""
    deployed, _ = served
    use = replace(HARMLESS, idempotency_key="once")
    async with clients(deployed) as callers:
        said = await asyncio.gather(*(outcome(client, use=use) for client in callers))
    assert Counter(map(type, said)) == {Answer: 1, DuplicateRequest: CONNECTIONS - 1}


async def test_a_worker_that_is_killed_takes_no_record_with_it(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """Whatever a worker had permitted when it was killed is closed as unknown, and another takes its place."""
    deployed, process = served
    before = workers(process)
    answered: set[str] = set()
    async with clients(deployed) as callers:

        async def ask(client: AsyncClient) -> None:
            for _ in range(8):
                said = await outcome(client)
                if isinstance(said, Answer):
                    answered.add(said.decision_id)

        asking = asyncio.gather(*map(ask, callers))
        await until(lambda: len(answered) > CONNECTIONS)
        os.kill(min(before), signal.SIGKILL)
        await asking
        await until(lambda: len(workers(process) - {min(before)}) == 2)
        await until(lambda: not intents_without_outcome(deployed.records()))
    records = deployed.records()
    assert answered <= {r["decision_id"] for r in records if r["kind"] == "outcome"}
    assert verified(deployed)


async def test_workers_begin_with_what_is_in_force_while_its_source_is_away(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """Workers that end while no release is to be had are replaced all the same, and serve what their keeper has."""
    deployed, process = served
    source, away = deployed.folder / "repository", deployed.folder / "away"
    port = told_port(deployed)
    ended = (await scrape(port)).of("brightline_worker_restarts_total") + len(workers(process))

    async def replaced() -> None:
        """Return once both that were there have ended, and both others serve."""
        while True:
            one = await scrape(port)
            assert one.of("brightline_worker_restarts_total") <= ended
            if (one.of("brightline_worker_restarts_total"), one.of("brightline_workers")) == (ended, 2):
                return
            await asyncio.sleep(0.05)  # between two looks

    source.rename(away)
    try:
        for pid in workers(process):
            os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(replaced(), 60)
        async with clients(deployed) as callers:
            said = [await outcome(client) for client in callers]
    finally:
        away.rename(source)
    assert {type(answer) for answer in said} == {Answer}


async def test_what_workers_counted_is_told_together_and_never_goes_back(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """Calls of all workers are counted in one place, and those of a worker that was killed stay counted.

    Calls of a method that no other test here uses: what a worker has not told when it is killed is lost.
    """
    deployed, process = served
    port = told_port(deployed)

    async def found(number: int) -> Scrape:
        """The first scrape by two workers in which so many calls are counted."""
        while True:
            one = await scrape(port)
            counted = one.of("brightline_calls_total", method="ListModels", result="answered")
            assert counted <= number
            if counted == number and one.of("brightline_workers") == 2:
                return one
            await asyncio.sleep(0.05)  # between two looks

    await asked_for_models(deployed)
    before = await found(CONNECTIONS)
    gone = min(workers(process))
    os.kill(gone, signal.SIGKILL)
    await until(lambda: len(workers(process) - {gone}) == 2)
    between = await scrape(port)
    await asked_for_models(deployed)
    after = await found(2 * CONNECTIONS)
    for earlier, later in ((before, between), (between, after)):
        assert all(later.samples[sample] >= number for sample, number in earlier.counts.items())
    restarts = [one.of("brightline_worker_restarts_total") for one in (before, after)]
    assert restarts[1] == restarts[0] + 1


async def asked_for_models(deployed: Deployment) -> None:
    """One call on each connection."""
    async with clients(deployed) as callers:
        await asyncio.gather(*(client.models() for client in callers))


async def test_workers_are_replaced_while_calls_go_on(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """A call is answered, or its caller is told that it ended; those that come then have the configuration of now."""
    deployed, process = served
    before, said, over = workers(process), [], False
    deployed.edit("policy-appeals@agency.example", "renewed@agency.example")
    deployed.edit("[metrics]\n", "[limits]\nconcurrent_calls = 40\n[metrics]\n")

    async def ask(client: AsyncClient) -> None:
        while not over:
            said.append(await outcome(client))

    async with clients(deployed) as callers:
        asking = asyncio.gather(*map(ask, callers[:8]))
        process.send_signal(signal.SIGUSR1)
        await until(lambda: len(workers(process) - before) == 2 and before.isdisjoint(workers(process)))
        over = True
        await asking
        ended = Counter(map(type, said))
        assert ended.keys() <= {Answer, Unavailable, Cancelled, ConnectionFailed}
        assert ended[Answer] > 0.9 * ended.total()
        said = [await outcome(client, use=replace(HARMLESS, marking="TOP SECRET")) for client in callers]
    assert {getattr(one, "appeal", "") for one in said} == {"renewed@agency.example"}
    assert (await scrape(told_port(deployed))).of("brightline_calls_limit") == 40
    assert not intents_without_outcome(deployed.records())
    assert verified(deployed)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("workers = 2\n", "workers = 3\n", "listener.workers"),
        (
            '[review]\nauditor_role = "auditor"\n\n[approvals]\nrole = "approver"\n',
            "",
            "whether anybody has a role of them",
        ),
    ],
)
async def test_what_the_keeper_reads_is_not_changed_by_replacing_workers(
    served: tuple[Deployment, subprocess.Popen[bytes]], old: str, new: str, named: str
) -> None:
    """A configuration that is not for workers alone leaves all as they are."""
    deployed, process = served
    before, why = workers(process), f"{named}: changed; stop the gateway".encode()
    configured = deployed.config.read_text()
    deployed.edit(old, new)
    process.send_signal(signal.SIGUSR1)
    await until(lambda: why in (deployed.folder / "gateway.log").read_bytes())
    deployed.config.write_text(configured)
    assert workers(process) == before


async def test_a_configuration_that_is_no_file_holds_nobody_up(
    served: tuple[Deployment, subprocess.Popen[bytes]],
) -> None:
    """Where workers are to be replaced and the configuration is a pipe, that is said and calls go on."""
    deployed, process = served
    before, configured = workers(process), deployed.config.read_text()
    deployed.config.unlink()
    os.mkfifo(deployed.config)
    process.send_signal(signal.SIGUSR1)
    await until(lambda: b"cannot be read: Is not a regular file" in (deployed.folder / "gateway.log").read_bytes())
    deployed.config.unlink()
    deployed.config.write_text(configured)
    async with clients(deployed) as callers:
        assert isinstance(await outcome(callers[0]), Answer)
    assert workers(process) == before


async def test_a_release_comes_in_force_in_every_worker(served: tuple[Deployment, subprocess.Popen[bytes]]) -> None:
    """After a change every connection is answered by the new release, and one record says that it is in force."""
    deployed, process = served
    deployed.change_release("tenants.json", NARROWER)
    process.send_signal(signal.SIGHUP)
    state = deployed.folder / "in_force.json"
    await until(lambda: json.loads(state.read_text())["tried"] == 1)
    fresh = json.loads(state.read_text())["release"]
    async with clients(deployed) as callers:
        said = [await outcome(client) for client in callers]
    assert {(type(one), getattr(one, "release", "")) for one in said} == {(Refused, fresh)}
    assert [r["release"]["digest"] for r in deployed.records("release")] == [fresh]


async def test_a_worker_that_stood_still_permits_nothing_by_a_release_that_was_replaced(tmp_path: Path) -> None:
    """Calls that reach it before it hears of the new release are refused, to be sent again; then it decides by that."""
    deployed = made(tmp_path)
    with spawned(deployed) as process:
        async with clients(deployed) as callers:
            assert {type(await outcome(client)) for client in callers} == {Answer}
            deployed.change_release("tenants.json", NARROWER)
            still = min(workers(process))
            os.kill(still, signal.SIGSTOP)
            try:
                process.send_signal(signal.SIGHUP)
                await until(lambda: deployed.records("release"))
                (replaced,) = deployed.records("release")
                await until(lambda: system_us() - replaced["time_us"] > FOLLOW_US)
                asking = [asyncio.create_task(outcome(client)) for client in callers]
                await until(lambda: any(one.done() for one in asking))
            finally:
                os.kill(still, signal.SIGCONT)
            said = await asyncio.gather(*asking)
            assert {type(one) for one in said} <= {Refused, Unavailable}
            await until_refused_by(callers, replaced["release"]["digest"])
    records = deployed.records()
    assert records.index(replaced) > max(n for n, r in enumerate(records) if r["kind"] == "intent")
    assert {r["reason"] for r in records if r["kind"] == "refusal"} <= {"POLICY_DENIED", "POLICY_UNAVAILABLE"}
    assert verified(deployed)


async def until_refused_by(callers: Sequence[AsyncClient], digest: str) -> None:
    """Return once every connection is refused by this release."""
    async with asyncio.timeout(60):
        while {getattr(await outcome(client), "release", "") for client in callers} != {digest}:
            pass


def test_workers_end_with_what_keeps_their_log(tmp_path: Path) -> None:
    """When the gateway is killed its workers end by themselves, and the next one goes on with the same log."""
    deployed = made(tmp_path)
    with spawned(deployed) as process:
        left = workers(process)
        asyncio.run(some(deployed))
        process.kill()
        wait_for(lambda: not any(map(alive, left)))
    with spawned(deployed) as process:
        left = workers(process)
        asyncio.run(some(deployed))
    assert not any(map(alive, left))
    records = deployed.records()
    assert [r["kind"] for r in records if r["kind"] in {"start", "stop"}] == ["start", "start", "stop"]
    assert (records[-1]["kind"], intents_without_outcome(records)) == ("stop", set())
    assert verified(deployed)


async def some(deployed: Deployment) -> None:
    """A few calls that are answered."""
    async with clients(deployed) as callers:
        said = await asyncio.gather(*map(outcome, callers))
    assert {type(one) for one in said} == {Answer}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("[listener]\n", "[listener]\nworkers = 0\n", "listener.workers"),
        ("[listener]\n", "[limits]\nconcurrent_calls = 3\n[listener]\nworkers = 4\n", "limits.concurrent_calls"),
    ],
)
def test_too_many_workers_and_too_few_refuse_the_start(tmp_path: Path, old: str, new: str, named: str) -> None:
    """A number of workers that can't serve is named with its key before anything is opened."""
    deployed = Deployment.create(tmp_path)
    deployed.edit(old, new)
    with pytest.raises(StartError, match=named):
        config.load(deployed.config)


def test_what_a_crash_leaves_holds_no_keys_and_no_prompts(tmp_path: Path) -> None:
    """Neither the gateway nor a worker of it leaves a core file, whatever the limit that it inherits."""
    deployed = made(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with spawned(deployed) as process:
            all_of_it = {process.pid, *workers(process)}
            assert len(all_of_it) > 2
            assert {resource.prlimit(pid, resource.RLIMIT_CORE)[0] for pid in all_of_it} == {0}
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
