from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brightline_verify.record import Kind
from gateway.audit.joint import frames
from gateway.audit.joint.hub import Hub, Told
from gateway.audit.joint.member import Member
from gateway.audit.log import Log
from gateway.audit.record import Entry, entry
from gateway.audit.store import Rejection, Result
from gateway.audit.writer import Writer
from gateway.errors import GatewayError, Reason
from tests.support import logs
from tests.support.waiting import until

ENTRIES = st.builds(
    Entry,
    st.binary(min_size=1, max_size=40),
    st.text(max_size=5),
    st.sampled_from(["intent", "outcome"]),
    st.integers(0, 2**53),
    st.text(max_size=5),
    st.none() | st.text(max_size=5),
    st.booleans(),
)


class Wire(asyncio.Transport):
    """A transport that remembers whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def heard(chunks: list[bytes]) -> tuple[list[tuple[Any, bytes]], Wire]:
    """The frames in what comes in these pieces, and the wire that they came over."""
    found: list[tuple[Any, bytes]] = []
    wire = Wire()
    end = frames.Frames(lambda said, content: found.append((said, bytes(content))), lambda: None)
    end.connection_made(wire)
    for chunk in chunks:
        end.data_received(chunk)
    return found, wire


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.integers(0, 9)), st.binary())), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    said: list[tuple[Any, bytes]], data: st.DataObject
) -> None:
    """A stream of frames is read as the same frames, wherever the socket cuts it."""
    stream = b"".join(frames.packed(text, [content]) for text, content in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert heard(chunks)[0] == said


@given(st.lists(ENTRIES))
def test_entries_arrive_as_they_were_made(made: list[Entry]) -> None:
    """Entries and their numbers survive the way to the keeper."""
    frame = frames.packed([frames.row(n, e) for n, e in enumerate(made)], [e.leaf for e in made])
    ((rows, content),), _ = heard([frame])
    assert [*frames.entries(rows, memoryview(content))] == [*enumerate(made)]


@pytest.mark.parametrize(
    "row",
    [
        [1, 4, "id", "intent", "now", "t", None, False],
        [1, 5, "id", "intent", 1, "t", None, False],
        [1, 4, "id", "intent", 1, "t", 7, False],
        [1, 4, "id"],
        "row",
    ],
)
def test_what_is_no_entry_is_not_taken(row: object) -> None:
    """A row of other types, or one whose leaf is not there, is refused before the log sees it."""
    with pytest.raises(ValueError, match="entry"):
        [*frames.entries([row], memoryview(b"leaf"))]


@pytest.mark.parametrize("stream", [b"\xff" * 8, frames.packed({}).replace(b"{}", b"{]")])
def test_what_is_no_frame_ends_the_connection(stream: bytes) -> None:
    """A frame over the limit, or one that is no JSON, hangs up."""
    found, wire = heard([stream])
    assert (found, wire.closed) == ([], True)


@asynccontextmanager
async def joined(deadline_ms: int = 60_000) -> AsyncIterator[tuple[Member, frames.Frames, list[Any]]]:
    """A worker's side, a keeper that only listens, and what it heard."""
    mine, its = socket.socketpair()
    found: list[Any] = []
    keeper = frames.Frames(lambda said, _: found.append(said), lambda: None)
    await asyncio.get_running_loop().create_unix_connection(lambda: keeper, sock=mine)
    keeper.say(frames.packed({"greeting": {}, "in_force": ["ab", 1], "expires_us": None, "log": [True, True, 0]}))
    member = await Member.join(its)
    member.limit(deadline_ms)
    await until(lambda: member.ready)
    try:
        yield member, keeper, found
    finally:
        keeper.close()
        await member.close()


async def test_an_answer_that_is_late_refuses_the_call_and_closes_the_log_until_it_comes() -> None:
    """Past the deadline an append fails, nothing more is taken, and the keeper's word opens the log again."""
    (entry,) = logs.entries(1)
    async with joined(deadline_ms=50) as (member, keeper, found):
        with pytest.raises(GatewayError) as late:
            await member.append(entry)
        assert (late.value.reason, member.ready, member.healthy) == (Reason.AUDIT_UNAVAILABLE, False, False)
        with pytest.raises(GatewayError):
            await member.append(entry)
        number = found[0]["entries"][0][0]
        keeper.say(frames.packed({"answers": [[number, 0]], "log": [True, True, 1]}))
        await until(lambda: member.ready)
        assert (member.size, len(found)) == (1, 1)


async def test_when_the_keeper_is_gone_nothing_is_durable() -> None:
    """What waits for a keeper that ends is refused at once, and the worker knows."""
    (entry,) = logs.entries(1)
    async with joined() as (member, keeper, _):
        waiting = member.append(entry)
        keeper.close()
        with pytest.raises(GatewayError) as caught:
            await waiting
        assert caught.value.reason is Reason.AUDIT_UNAVAILABLE
        assert (member.gone.is_set(), member.ready) == (True, False)


async def both_ends(log: Log, decides: Callable[[str], bool] = lambda _: True) -> tuple[Hub, Member]:
    """A worker's two ends: as its keeper sees it, and its own, once it may write."""
    mine, its = socket.socketpair()
    hub = Hub(log, lambda: None, decides)
    await hub.join(mine, {}, lambda: Told(("ab", 1), None, b""))
    member = await Member.join(its)
    await until(lambda: member.ready)
    return hub, member


async def test_the_keeper_answers_each_and_closes_what_was_left_open(tmp_path: Any) -> None:
    """Entries are durable when they are answered, a key counts once, and a lost worker's intent gets its outcome."""
    one, other = (entry(logs.record(Kind.INTENT, n, idempotency_key="key")) for n in range(2))
    async with logs.opened(tmp_path) as log:
        hub, member = await both_ends(log)
        results = await asyncio.gather(member.append(one), member.append(other))
        assert results == [1, Rejection.DUPLICATE_KEY]
        await member.close()
        await hub.closed()
    outcome = logs.records(tmp_path)[2]
    assert (outcome["kind"], outcome["decision_id"], outcome["outcome"]) == (
        "outcome",
        one.decision_id,
        "outcome_unknown",
    )


async def test_an_intent_of_a_release_that_was_replaced_is_not_written(tmp_path: Any) -> None:
    """Its worker is told so and goes on; of the same release, what forwards nothing is written."""
    old, new = (entry(logs.record(Kind.INTENT, n, release=digest)) for n, digest in enumerate(("old", "new")))
    refusal = entry(logs.record(Kind.REFUSAL, 2, release="old"))
    async with logs.opened(tmp_path) as log:
        hub, member = await both_ends(log, lambda digest: digest == "new")
        results = await asyncio.gather(*map(member.append, (old, new, refusal)))
        assert results == [Rejection.REPLACED, 1, 2]
        await member.close()
        await hub.closed()
    assert old.decision_id not in {made["decision_id"] for made in logs.records(tmp_path)}


_SOUND = entry(logs.record(Kind.REFUSAL, 1))


@pytest.mark.parametrize(
    "made",
    [
        logs.entries(1, kind=Kind.START)[0],
        logs.entries(1, kind=Kind.STOP)[0],
        logs.entries(1, kind=Kind.RELEASE)[0],
        replace(_SOUND, leaf=b"{}"),
        replace(_SOUND, leaf=b"no JSON"),
        replace(_SOUND, leaf=b"[]"),
        replace(_SOUND, kind="check"),
        replace(_SOUND, tenant="another"),
        replace(_SOUND, time_us=1 << 63),
        replace(_SOUND, decision_id="f" * 32),
        replace(_SOUND, idempotency_key="key"),
        replace(_SOUND, kind="start"),
    ],
)
async def test_a_worker_writes_no_record_of_its_keepers_nor_another_than_it_says(tmp_path: Any, made: Entry) -> None:
    """The keeper hangs up on who sends one: the log has what its records say, and no start or release by a worker."""
    async with logs.opened(tmp_path) as log:
        hub, member = await both_ends(log)
        with pytest.raises(GatewayError):
            await member.append(made)
        await hub.closed()
        assert member.gone.is_set()
    assert [r["kind"] for r in logs.records(tmp_path)] == ["start", "stop"]


async def test_a_worker_says_that_it_could_not_follow_a_release(tmp_path: Any) -> None:
    """Such a record puts nothing in force."""
    said = logs.record(Kind.RELEASE, 1, outcome="refused", release=None, why="no memory")
    async with logs.opened(tmp_path) as log:
        hub, member = await both_ends(log)
        assert await member.append(entry(said)) == 1
        await member.close()
        await hub.closed()


def held(log: Log) -> tuple[Writer, threading.Event]:
    """The log's writer, whose store writes nothing until the event is set."""
    writer, go_on = log._ledger._writer, threading.Event()
    assert isinstance(writer, Writer)
    real = writer._store.append

    def append(batch: Sequence[Entry]) -> list[Result]:
        assert go_on.wait(240)
        return real(batch)

    writer._store.append = append  # type: ignore[method-assign]
    return writer, go_on


async def test_a_worker_that_ends_while_its_outcome_is_written_left_nothing_open(tmp_path: Any) -> None:
    """The intent is closed by the outcome that was on its way, and no call is counted that was not refused."""
    intent, outcome = (logs.entries(1, kind=kind)[0] for kind in (Kind.INTENT, Kind.OUTCOME))
    async with logs.opened(tmp_path, deadline_ms=60_000) as log:
        hub, member = await both_ends(log)
        assert await member.append(intent) == 1
        writer, go_on = held(log)
        leaving = member.append(outcome)
        await until(lambda: bool(writer._in_doubt))
        member._frames.close()  # as when the process ends
        await until(hub._left.done)
        go_on.set()
        await hub.closed()
        with pytest.raises(GatewayError):
            await leaving
    assert logs.kinds(tmp_path) == ["intent", "outcome"]
    assert logs.records(tmp_path)[2]["outcome"] == "completed"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_an_intent_has_one_outcome_whatever_waits_for_the_log_when_its_worker_ends(
    tmp_path: Any, forwarded: bool
) -> None:
    """A worker that ends while its intent or its outcome waits for the log leaves an intent with one outcome."""
    intent, outcome = (logs.entries(1, kind=kind)[0] for kind in (Kind.INTENT, Kind.OUTCOME))
    async with logs.opened(tmp_path, deadline_ms=60_000) as log:
        hub, member = await both_ends(log)
        if forwarded:
            await member.append(intent)
        writer, go_on = held(log)
        other = log.append(logs.entries(1, first=7)[0])
        await until(lambda: bool(writer._in_doubt))  # the log is busy with another's
        last = member.append(outcome if forwarded else intent)
        await until(lambda: writer._queue.qsize() == 1)
        member._frames.close()  # as when the process is killed
        await until(lambda: writer._queue.qsize() == 2)
        go_on.set()
        await hub.closed()
        await asyncio.gather(other, last, return_exceptions=True)
    of_it = [one for one in logs.records(tmp_path) if one["decision_id"] == intent.decision_id]
    assert [(one["kind"], one["outcome"]) for one in of_it] == [
        ("intent", "permitted"),
        ("outcome", "completed" if forwarded else "outcome_unknown"),
    ]
