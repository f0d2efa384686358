"""Calls whose content the policy obliges to seal, on real stores."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from brightline_verify.database import File
from brightline_verify.stored import verify
from gateway.audit.sealed.envelope import Label, Period
from gateway.audit.sealed.sealer import Sealer
from gateway.audit.sealed.store import Keys, SealedStore
from gateway.errors import GatewayError, Reason, StartError
from gateway.types import Decision, Effect, Obligation, Text, ToolUse
from tests.support import logs, sealing
from tests.support.waiting import until

CANARY = "canary-7f3e"


def kept(folder: Path) -> list[tuple[str, str, bytes]]:
    with closing(sqlite3.connect(folder / "sealed.db")) as db:
        return db.execute("SELECT decision_id, what, sealed FROM content ORDER BY rowid").fetchall()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_prompt_and_answer_are_sealed_and_the_log_has_their_digests(tmp_path: Path) -> None:
    """Both are durable by their records, which name them by digest; neither file shows the content."""
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        decision_id = await sealing.ask(log, CANARY, Text(f"{CANARY} é"), ToolUse("1", "map", "{}"))
    intent, outcome = sealing.told(tmp_path, decision_id)
    (_, first, prompt), (_, second, output) = kept(tmp_path)
    assert (first, second) == ("prompt", "output")
    assert intent["commitments"]["sealed"] == hashlib.sha256(prompt).hexdigest()
    assert outcome["commitments"]["sealed"] == hashlib.sha256(output).hexdigest()
    assert verify(File(tmp_path / "audit.db"), logs.trust(tmp_path)).problem is None
    assert [path for path in files(tmp_path) if CANARY.encode() in path.read_bytes()] == []


async def test_nothing_is_sealed_where_the_policy_does_not_oblige_to(tmp_path: Path) -> None:
    """A call without the obligation leaves nothing in the sealed store, and says nothing of it."""
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        decision_id = await logs.complete(log)
    assert kept(tmp_path) == []
    assert all("sealed" not in record["commitments"] for record in sealing.told(tmp_path, decision_id))


@pytest.mark.parametrize("why", ["not configured", "class", "keys", "store", "slow"])
async def test_what_can_not_be_sealed_is_not_forwarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Without a sealed store, a known class, a wrapping key or a disk in time, the call ends before its intent."""
    settings = None if why == "not configured" else sealing.settings(tmp_path, deadline_ms=200)
    decision = Decision(Effect.ALLOW, (), (Obligation("seal_content", text="other"),), ())
    stalled = threading.Event()
    async with logs.opened(tmp_path, sealed=settings) as log:
        if why == "keys":
            (tmp_path / "keys").rmdir()
        if why == "store":
            with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
                db.execute("DROP TABLE content")
        if why == "slow":
            monkeypatch.setattr(SealedStore, "put", lambda *_: stalled.wait(60))
        with pytest.raises(GatewayError) as refused:
            await sealing.ask(log, decision=decision if why == "class" else sealing.SEALING)
        assert refused.value.reason is Reason.AUDIT_UNAVAILABLE
        assert not refused.value.sent
        stalled.set()
    assert logs.kinds(tmp_path) == ["refusal"]
    (record,) = (r for r in logs.records(tmp_path) if r["kind"] == "refusal")
    assert (record["reason"], record["outcome"]) == ("AUDIT_UNAVAILABLE", "error")


async def test_no_thread_for_a_while_is_seen_at_the_start_and_by_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is open seals where no thread can be started any more; where none can be had, none opens."""

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none)
            await sealing.ask(log, CANARY)
            with pytest.raises(StartError, match=r"audit\.sealed\.path: .*: can't start new thread"):
                Sealer.open(sealing.settings(tmp_path))
    assert [what for _, what, _ in kept(tmp_path)] == ["prompt", "output"]


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.REQUIRE_APPROVAL])
async def test_what_was_refused_is_sealed_where_the_policy_obliges_to(tmp_path: Path, effect: Effect) -> None:
    """The prompt of a refused call is durable before its refusal, which names it; a dry run seals nothing."""
    refused = replace(sealing.SEALING, effect=effect)
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        with pytest.raises(GatewayError) as raised:
            await sealing.refuse(log, refused, CANARY)
        async with log.trail(logs.call("CheckPolicy")) as trail:
            with suppress(GatewayError):
                logs.decide(trail, refused, logs.prompt(CANARY))
    record, dry = (r for r in logs.records(tmp_path) if r["kind"] in {"refusal", "check"})
    ((decision_id, what, sealed),) = kept(tmp_path)
    assert (decision_id, what) == (record["decision_id"], "prompt")
    assert record["commitments"]["sealed"] == hashlib.sha256(sealed).hexdigest()
    assert "sealed" not in dry["commitments"]
    assert raised.value.reason is not Reason.AUDIT_UNAVAILABLE


@pytest.mark.parametrize("configured", [True, False])
async def test_a_refusal_that_can_not_be_sealed_stands(tmp_path: Path, *, configured: bool) -> None:
    """The caller learns the rule that refused; the record says nothing of an envelope, and the operator is told."""
    denied = replace(sealing.SEALING, effect=Effect.DENY)
    with capture_logs() as events:
        async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path) if configured else None) as log:
            if configured:
                (tmp_path / "keys").rmdir()
            with pytest.raises(GatewayError) as raised:
                await sealing.refuse(log, denied, CANARY)
    assert raised.value.reason is Reason.POLICY_DENIED
    (record,) = (r for r in logs.records(tmp_path) if r["kind"] == "refusal")
    assert (record["reason"], "sealed" in record["commitments"]) == ("POLICY_DENIED", False)
    assert [e["log_level"] for e in events if e["event"] == "refused content not sealed"] == ["critical"]


async def test_an_answer_that_can_not_be_sealed_is_withheld(tmp_path: Path) -> None:
    """The caller gets AUDIT_UNAVAILABLE, says that the model may have been asked, and the outcome is an error."""
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:

        async def answer() -> None:
            async with log.trail(logs.call(decision_id="ab" * 16)) as trail:
                await trail.intend(logs.decide(trail, sealing.SEALING))
                with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
                    db.execute("DROP TABLE content")
                trail.answered((Text("An answer"),), logs.END)

        with pytest.raises(GatewayError) as refused:
            await answer()
    assert refused.value.reason is Reason.AUDIT_UNAVAILABLE
    _, outcome = sealing.told(tmp_path, "ab" * 16)
    assert (outcome["outcome"], outcome["reason"]) == ("error", "AUDIT_UNAVAILABLE")
    assert "sealed" not in outcome["commitments"]


async def test_what_left_before_a_call_broke_off_is_sealed(tmp_path: Path) -> None:
    """A stream that is cancelled after a part leaves that part, sealed, and an outcome that names it."""
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        released = asyncio.Event()

        async def stream() -> None:
            async with log.trail(logs.call(decision_id="ab" * 16)) as trail:
                await trail.intend(logs.decide(trail, sealing.SEALING))
                trail.released(Text("A part"))
                released.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(stream())
        await released.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    _, outcome = sealing.told(tmp_path, "ab" * 16)
    assert outcome["outcome"] == "partial"
    assert [what for _, what, _ in kept(tmp_path)] == ["prompt", "output"]
    assert outcome["commitments"]["sealed"] == hashlib.sha256(kept(tmp_path)[1][2]).hexdigest()


@pytest.mark.parametrize("effect", [Effect.ALLOW, Effect.DENY])
async def test_a_cancellation_while_content_is_sealed_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effect: Effect
) -> None:
    """It waits for the disk and the record, whether an answer or a refused prompt is sealed, and then goes on."""
    sealing_now, go_on, real = threading.Event(), threading.Event(), SealedStore.put

    def put(store: SealedStore, made: Sequence[tuple[Label, bytes]]) -> None:
        sealing_now.set()
        assert go_on.wait(240)
        real(store, made)

    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:

        async def leave() -> None:
            async with log.trail(logs.call(decision_id="ab" * 16)) as trail:
                if effect is Effect.ALLOW:
                    await trail.intend(logs.decide(trail, sealing.SEALING))
                monkeypatch.setattr(SealedStore, "put", put)
                if effect is Effect.DENY:
                    logs.decide(trail, replace(sealing.SEALING, effect=effect))
                trail.answered((Text("An answer"),), logs.END)

        task = asyncio.create_task(leave())
        await until(sealing_now.is_set)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    record = sealing.told(tmp_path, "ab" * 16)[-1]
    assert record["outcome"] == ("completed" if effect is Effect.ALLOW else "refused")
    assert record["commitments"]["sealed"] == hashlib.sha256(kept(tmp_path)[-1][2]).hexdigest()


async def test_the_longest_retention_class_is_taken(tmp_path: Path) -> None:
    """Where several rules oblige to seal, the class that keeps longest is the one."""
    settings = sealing.settings(tmp_path, retention_months={"standard": 30, "long": 84})
    both = Decision(Effect.ALLOW, (), tuple(Obligation("seal_content", text=c) for c in ("standard", "long")), ())
    async with logs.opened(tmp_path, sealed=settings) as log:
        await sealing.ask(log, decision=both)
    with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
        assert db.execute("SELECT DISTINCT retention FROM content").fetchall() == [("long",)]


async def test_a_public_half_that_was_put_in_its_place_is_not_used(tmp_path: Path) -> None:
    """Who can write the store, and not the wrapping keys, can't have content sealed to keys of theirs."""
    settings = sealing.settings(tmp_path)
    async with logs.opened(tmp_path, sealed=settings) as log:
        await sealing.ask(log)
    with closing(sqlite3.connect(tmp_path / "sealed.db", isolation_level=None)) as db:
        db.execute("UPDATE periods SET public = ?", (bytes(32),))
    async with logs.opened(tmp_path, sealed=settings) as log:
        with pytest.raises(GatewayError) as refused:
            await sealing.ask(log)
    assert refused.value.reason is Reason.AUDIT_UNAVAILABLE


async def test_two_gateways_agree_on_the_keys_of_a_period(tmp_path: Path) -> None:
    """Of several that make the keys of a period at once one does, none is refused, and a pair is all there is."""
    settings = sealing.settings(tmp_path)
    sealers = [Sealer.open(settings) for _ in range(4)]
    for month in range(1, 13):
        period = Period("t", "standard", f"2026-{month:02}")
        some = [s.seal(f"{month:016x}{n:016x}", "prompt", period, b"x") for n, s in enumerate(sealers)]
        assert len(set(await asyncio.gather(*some))) == len(sealers)
    for sealer in sealers:
        sealer.close()
    assert len(list((tmp_path / "keys").iterdir())) == 12
    with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
        assert db.execute("SELECT count(*) FROM periods").fetchone() == (12,)


def test_keys_that_could_not_be_made_leave_the_store_open(tmp_path: Path) -> None:
    """A wrapping key that can't be made refuses once; another process is not kept out, and the next time it goes."""
    period, made = Period("t", "standard", "2026-11"), Keys(b"public", {"a": {"b": "c"}}, b"bound")

    def fails() -> Keys:
        raise OSError("the token is gone")

    with closing(SealedStore(tmp_path / "s.db")) as one, closing(SealedStore(tmp_path / "s.db")) as other:
        with pytest.raises(OSError, match="the token is gone"):
            one.keep(period, fails)
        assert other.keys(period) is None
        assert other.keep(period, lambda: made) == made
        assert one.keep(period, fails) == made


async def test_what_waits_is_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while the disk is busy is kept by one write, each with its own digest."""
    sealer = Sealer.open(sealing.settings(tmp_path))
    busy, go_on, sizes, real = threading.Event(), threading.Event(), list[int](), SealedStore.put

    def put(store: SealedStore, envelopes: Sequence[tuple[Label, bytes]]) -> None:
        sizes.append(len(envelopes))
        busy.set()
        go_on.wait(60)
        real(store, envelopes)

    monkeypatch.setattr(SealedStore, "put", put)
    period = Period("t", "standard", "2026-11")
    first = asyncio.create_task(sealer.seal(f"{0:032x}", "prompt", period, b"x"))
    await asyncio.to_thread(busy.wait, 60)
    rest = [asyncio.create_task(sealer.seal(f"{n:032x}", "prompt", period, b"x")) for n in range(1, 6)]
    await asyncio.sleep(0)
    go_on.set()
    digests = [await first, *await asyncio.gather(*rest)]
    sealer.close()
    assert sizes == [1, 5]
    assert digests == [hashlib.sha256(sealed).hexdigest() for _, _, sealed in kept(tmp_path)]


def test_nothing_that_is_sealed_is_overwritten(tmp_path: Path) -> None:
    """A second envelope of the same decision and kind is refused."""
    label = Label("ab" * 16, "prompt", Period("t", "standard", "2026-11"))
    with closing(SealedStore(tmp_path / "s.db")) as store:
        store.put([(label, b"one")])
        with pytest.raises(OSError, match="UNIQUE"):
            store.put([(replace(label, what="output"), b"two"), (label, b"two")])
        assert store.of_decision("ab" * 16) == [(label, b"one")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: (f / "keys").chmod(0o750), "others may look into it"),
        (lambda f: (f / "keys").rmdir(), "is no folder"),
        (lambda f: (f / "ito.key.pub").write_text("x"), "is no reviewer's public key"),
        (lambda f: (f / "ito.key.pub").write_bytes((f / "meyer.key.pub").read_bytes()), "is there twice"),
        (lambda f: (f / "sealed.db").mkdir(), "cannot be opened"),
    ],
)
async def test_a_start_says_what_is_wrong(tmp_path: Path, change: object, what: str) -> None:
    """Keys that others can read, or that are no keys, refuse the start and are named."""
    settings = sealing.settings(tmp_path)
    change(tmp_path)  # type: ignore[operator]
    with pytest.raises(StartError, match=what):
        await logs.open_log(tmp_path, sealed=settings)


async def test_a_wrapping_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """A key file that is not 0600 is refused where it is used."""
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        await sealing.ask(log)
    (key,) = (tmp_path / "keys").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    async with logs.opened(tmp_path, sealed=sealing.settings(tmp_path)) as log:
        with pytest.raises(GatewayError) as refused:
            await sealing.ask(log)
    assert "chmod 600" in refused.value.detail
    assert json.dumps(refused.value.message).count("key") == 0
