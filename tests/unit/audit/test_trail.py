from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brightline_verify.database import verify
from gateway.audit.answer import MOST_EXACT
from gateway.audit.keys import OUTPUT, PROMPT, load_commitments
from gateway.audit.log import Log
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.errors import GatewayError, Reason
from gateway.types import Effect, End, Permitted, Stage, Standing, Text, ToolUse, content_bytes, safeguards
from tests.support import logs
from tests.support.waiting import until

LIVE = (("lexical", Standing.LIVE),)
DENIED = GatewayError(Reason.OUTPUT_DENIED, "no", rules=(logs.RULE,), sent=True)


def of(folder: Path, decision_id: str) -> list[dict[str, Any]]:
    """The records of a decision; the log that they are in verifies."""
    assert verify(folder / "audit.db", logs.trust(folder)).problem is None
    return [r for r in logs.records(folder) if r["decision_id"] == decision_id]


async def left(
    folder: Path, error: BaseException | None, *, intended: bool, released: str = ""
) -> list[dict[str, Any]]:
    """The records of a call that `error` ends, before or after its intent, with that much of the answer released."""
    async with logs.opened(folder) as log:
        trail = log.trail(logs.call())
        with suppress(type(error) if error else ()):
            async with trail:
                permitted = logs.decide(trail)
                if intended:
                    await trail.intend(permitted)
                if released:
                    trail.released(Text(released))
                if error is not None:
                    raise error
    return of(folder, trail.decision_id)


async def test_a_call_that_ends_well_has_an_intent_and_an_outcome(tmp_path: Path) -> None:
    """Everything that the controls ask for is on one of the two records."""
    async with logs.opened(tmp_path, enclave="e", node="n") as log:
        decision_id = await logs.complete(log)
    intent, outcome = of(tmp_path, decision_id)
    assert intent == {
        "v": 1,
        "kind": "intent",
        "decision_id": decision_id,
        "time_us": intent["time_us"],
        "clock": {"source": "system"},
        "where": {"enclave": "e", "node": "n", "component": "gateway", "listener": "127.0.0.1:0"},
        "peer": {
            "address": "ipv4:127.0.0.1:9",
            "certificate": {"name": "spiffe://a/app", "sha256": "cd" * 32},
            "token": {"issuer": "https://issuer.example", "id": "jti-1", "key_id": "key-1"},
        },
        "principal": {"tenant": "tenant-a", "subject": "alice", "client_id": "app-1", "roles": ["analyst"]},
        "method": "/brightline.v1.InferenceService/Generate",
        "outcome": "permitted",
        "reason": "",
        "field": "",
        "rules": [],
        "input": logs.facts(logs.prompt()).input,
        "readings": [
            {"name": "autonomous_targeting", "version": "1", "score": 12},
            {"name": "domestic_surveillance", "version": "1", "score": None},
        ],
        "decision": {
            "effect": "allow",
            "obligations": [
                {"kind": "max_tokens", "text": "", "limit": 10, "effectors": []},
                {"kind": "label", "text": "CUI", "limit": 0, "effectors": []},
            ],
            "grants": [],
        },
        "release": "ab" * 32,
        "engine": {"name": "wasm", "version": "1.2.1"},
        "marking": {"in": {"level": 1, "controls": []}, "out": ["CUI"]},
        "declared": {"conversation_id": "", "approval_id": "", "model": "analyst"},
        "incidents": [],
        "commitments": intent["commitments"],
        "counts": {"bytes_in": len(content_bytes(replace(logs.prompt(), max_tokens=10)))},
        "idempotency_key": None,
    }
    assert outcome["outcome"] == "completed"
    assert outcome["counts"] == {"bytes_released": 10, "tokens_in": 3, "tokens_out": 4}
    assert outcome["model"] == {"answered": "echo", "stop": "end"}
    assert outcome["principal"] == intent["principal"]
    assert outcome["time_us"] >= intent["time_us"]


async def test_commitments_are_to_what_was_judged_forwarded_and_released(tmp_path: Path) -> None:
    """Whoever has the key and the content can show that it is the content of this decision; nobody else learns it."""
    async with logs.opened(tmp_path) as log:
        decision_id = await logs.complete(log)
    intent, outcome = of(tmp_path, decision_id)
    commitments = load_commitments(tmp_path / "commit.key")
    judged = commitments.of(PROMPT, decision_id, content_bytes(logs.prompt()))
    forwarded = commitments.of(PROMPT, decision_id, content_bytes(replace(logs.prompt(), max_tokens=10)))
    assert intent["commitments"] == {"key": commitments.key_id, "judged": judged, "forwarded": forwarded}
    released = commitments.of(OUTPUT, decision_id, b"An answer.")
    assert outcome["commitments"] == {"key": commitments.key_id, "output": released}
    assert "checkpoint?" not in str((intent, outcome))
    assert "An answer" not in str((intent, outcome))


async def test_an_intent_is_durable_before_intend_returns(tmp_path: Path) -> None:
    """When intend has returned, another process can read the intent."""
    async with logs.opened(tmp_path) as log, log.trail(logs.call()) as trail:
        await trail.intend(logs.decide(trail))
        assert logs.kinds(tmp_path) == ["intent"]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (GatewayError(Reason.POLICY_DENIED, "no", rules=(logs.RULE,)), "refused", "POLICY_DENIED"),
        (GatewayError(Reason.APPROVAL_REQUIRED, "first"), "pending", "APPROVAL_REQUIRED"),
        (GatewayError(Reason.TOKEN_EXPIRED, "no"), "refused", "TOKEN_EXPIRED"),
        (GatewayError(Reason.POLICY_UNAVAILABLE, "no"), "error", "POLICY_UNAVAILABLE"),
        (GatewayError(Reason.DEADLINE_EXCEEDED, "late"), "deadline", "DEADLINE_EXCEEDED"),
        (GatewayError(Reason.INVALID_REQUEST, "bad", field="prompt.use"), "refused", "INVALID_REQUEST"),
        (asyncio.CancelledError(), "cancelled", "CANCELLED"),
        (ZeroDivisionError(), "error", "INTERNAL"),
        (KeyboardInterrupt(), "error", "INTERNAL"),
    ],
)
async def test_a_call_that_ends_before_its_intent_leaves_one_refusal(
    tmp_path: Path, error: BaseException, outcome: str, reason: str
) -> None:
    """Whatever ends it, the one record says refusal, with the outcome and the public reason."""
    (record,) = await left(tmp_path, error, intended=False)
    assert (record["kind"], record["outcome"], record["reason"]) == ("refusal", outcome, reason)
    assert record["input"] is not None
    assert record["commitments"]["forwarded"] is None
    assert record["field"] == getattr(error, "field", "")
    assert [r["id"] for r in record["rules"]] == [r.id for r in getattr(error, "rules", ())]


@pytest.mark.parametrize(
    ("error", "released", "outcome", "reason"),
    [
        (DENIED, "", "refused_output", "OUTPUT_DENIED"),
        (DENIED, "some", "refused_output", "OUTPUT_DENIED"),
        (GatewayError(Reason.UPSTREAM_FAILED, "x", sent=True), "", "upstream_error", "UPSTREAM_FAILED"),
        (GatewayError(Reason.UPSTREAM_UNAVAILABLE, "x"), "", "upstream_error", "UPSTREAM_UNAVAILABLE"),
        (GatewayError(Reason.UPSTREAM_FAILED, "x", sent=True), "some", "partial", "UPSTREAM_FAILED"),
        (GatewayError(Reason.DEADLINE_EXCEEDED, "x"), "", "deadline", "DEADLINE_EXCEEDED"),
        (GatewayError(Reason.POLICY_UNAVAILABLE, "x"), "", "error", "POLICY_UNAVAILABLE"),
        (asyncio.CancelledError(), "", "cancelled", "CANCELLED"),
        (asyncio.CancelledError(), "some", "partial", "CANCELLED"),
        (ZeroDivisionError(), "", "error", "INTERNAL"),
        (None, "some", "completed", ""),
    ],
)
async def test_a_call_that_ends_after_its_intent_leaves_an_outcome(
    tmp_path: Path, error: BaseException | None, released: str, outcome: str, reason: str
) -> None:
    """Whatever ends it, the intent has exactly one outcome, which says how and how much of the answer was released."""
    intent, record = await left(tmp_path, error, intended=True, released=released)
    assert (intent["kind"], record["kind"]) == ("intent", "outcome")
    assert (record["outcome"], record["reason"]) == (outcome, reason)
    assert record["counts"]["bytes_released"] == len(released)
    assert (record["commitments"]["output"] is None) == (not released)


async def test_what_was_raised_goes_on(tmp_path: Path) -> None:
    """The trail records an error and lets the same error go on to the shell."""
    error = GatewayError(Reason.TOKEN_INVALID, "no")
    async with logs.opened(tmp_path) as log:
        with pytest.raises(GatewayError) as caught:
            async with log.trail(logs.call()):
                raise error
    assert caught.value is error


async def test_a_refusal_whose_record_is_lost_is_counted(tmp_path: Path) -> None:
    """The caller gets AUDIT_UNAVAILABLE, and the next record of counts says that there was such a call."""
    async with logs.opened(tmp_path) as log:
        store = log._ledger._writer._store
        real = store.append

        def lost(_: Any) -> Any:
            store.append = real
            raise OSError

        store.append = lost
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):
            async with log.trail(logs.call()) as trail:
                logs.decide(trail, logs.DENY)
        await until(lambda: log.ready)
    assert of(tmp_path, trail.decision_id) == []
    (counted,) = (r["counts"] for r in logs.records(tmp_path) if r["kind"] == "aggregate")
    assert {reason: count["number"] for reason, count in counted.items()} == {"AUDIT_UNAVAILABLE": 1}


async def test_a_call_of_which_nothing_is_known_leaves_a_record(tmp_path: Path) -> None:
    """A caller who proved nothing is recorded by address; nothing that it claims is believed."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())
        with suppress(GatewayError):
            async with trail:
                raise GatewayError(Reason.CERTIFICATE_INVALID, "no")
    (record,) = of(tmp_path, trail.decision_id)
    assert record["principal"] is None
    assert record["peer"] == {"address": "ipv4:127.0.0.1:9", "certificate": {"name": "", "sha256": ""}}
    assert (record["input"], record["decision"], record["readings"]) == (None, None, [])


@pytest.mark.parametrize(("method", "kind"), [("CheckPolicy", "check"), ("ListModels", "access")])
async def test_methods_that_forward_nothing_leave_one_record(tmp_path: Path, method: str, kind: str) -> None:
    """A dry run and a listing have a kind of their own; a dry run records whatever was decided."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call(method))
        async with trail:
            with suppress(GatewayError):
                logs.decide(trail, logs.DENY)
    (record,) = of(tmp_path, trail.decision_id)
    assert (record["kind"], record["outcome"], record["reason"]) == (kind, "completed", "")
    assert record["decision"]["effect"] == "deny"
    assert [r["id"] for r in record["rules"]] == [logs.RULE.id]


async def test_a_refused_dry_run_is_a_refusal(tmp_path: Path) -> None:
    """A CheckPolicy that gets nowhere leaves a refusal like any other call."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call("CheckPolicy"))
        with suppress(GatewayError):
            async with trail:
                raise GatewayError(Reason.TOKEN_MISSING, "no")
    assert [r["kind"] for r in of(tmp_path, trail.decision_id)] == ["refusal"]


async def test_a_call_cannot_end_well_without_an_intent(tmp_path: Path) -> None:
    """A path that forgot the intent answers INTERNAL instead of the reply, and that is recorded."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="INTERNAL"):
            async with trail:
                logs.decide(trail)
    (record,) = of(tmp_path, trail.decision_id)
    assert (record["kind"], record["reason"]) == ("refusal", "INTERNAL")


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.REQUIRE_APPROVAL, None])
async def test_nothing_is_intended_without_a_permitting_decision(tmp_path: Path, effect: Effect | None) -> None:
    """An intent after a refusal, or after no decision at all, is a fault of the gateway and is not written."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="INTERNAL"):  # noqa: PT012 - the trail is what raises
            async with trail:
                permitted: Permitted = logs.decide(trail)
                trail._known.decision = replace(logs.ALLOW, effect=effect) if effect else None
                await trail.intend(permitted)
    assert [r["kind"] for r in of(tmp_path, trail.decision_id)] == ["refusal"]


# --- idempotency ------------------------------------------------------------------------------------------------------


async def test_an_idempotency_key_is_good_for_one_intent(tmp_path: Path) -> None:
    """A second permitted request with the key is refused before it is forwarded, also after a restart."""
    asked = logs.prompt(idempotency_key="k-1")
    async with logs.opened(tmp_path) as log:
        await logs.complete(log, asked)
        with pytest.raises(GatewayError, match="DUPLICATE_REQUEST"):
            await logs.complete(log, asked)
        await logs.complete(log, logs.prompt(idempotency_key="k-2"))
        await logs.complete(log, logs.prompt(idempotency_key=""))
        await logs.complete(log, logs.prompt(idempotency_key=""))
    async with logs.opened(tmp_path) as log:
        with pytest.raises(GatewayError, match="DUPLICATE_REQUEST"):
            await logs.complete(log, asked)
    refused = [r["reason"] for r in logs.records(tmp_path) if r["kind"] == "refusal"]
    assert refused == ["DUPLICATE_REQUEST"] * 2
    assert logs.kinds(tmp_path).count("intent") == 4


async def test_of_many_at_once_with_one_key_one_is_permitted(tmp_path: Path) -> None:
    """Concurrent requests with the same key get one intent between them."""
    asked = logs.prompt(idempotency_key="k")
    async with logs.opened(tmp_path) as log:
        results = await asyncio.gather(*(logs.complete(log, asked) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(r, str) for r in results) == 1
    assert sorted(logs.kinds(tmp_path)) == ["intent", "outcome", *["refusal"] * 19]


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Generate", "CheckPolicy"])
async def test_a_use_too_large_to_record_is_refused(tmp_path: Path, method: str) -> None:
    """Facts that do not fit into a record are the caller's fault; the refusal says what it leaves out."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call(method))
        with pytest.raises(GatewayError, match="INVALID_REQUEST"):  # noqa: PT012 - the trail is what raises
            async with trail:
                permitted = logs.decide(trail, asked=logs.prompt(purpose="x" * 70_000))
                if method == "Generate":
                    await trail.intend(permitted)
    (record,) = of(tmp_path, trail.decision_id)
    assert (record["kind"], record["reason"], record["omitted"]) == ("refusal", "INVALID_REQUEST", ["input"])
    assert "input" not in record


async def test_even_an_absurd_call_leaves_a_record(tmp_path: Path) -> None:
    """When nearly every field is too large, what is left still names decision, tenant, outcome and reason."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(replace(logs.call(), method="/" + "\x00" * 20_000))
        with suppress(GatewayError):
            async with trail:
                logs.decide(trail)
                trail.proved(replace(logs.PRINCIPAL, subject="\x01" * 20_000, token_id="t" * 70_000))
                raise GatewayError(Reason.TOKEN_INVALID, "no")
    (record,) = of(tmp_path, trail.decision_id)
    assert (record["kind"], record["outcome"], record["reason"]) == ("refusal", "refused", "TOKEN_INVALID")
    assert record["principal"] == {"tenant": "tenant-a"}
    assert {"input", "method", "peer"} <= set(record["omitted"])


@pytest.mark.parametrize("value", [2**60, 0.5, {"\u00e9": 1}, "\ud800"])
async def test_facts_that_have_no_canonical_form_are_refused(tmp_path: Path, value: Any) -> None:
    """Facts that two readers could understand differently are not recorded as if they were clear."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="INVALID_REQUEST"):  # noqa: PT012 - the trail is what raises
            async with trail:
                permitted = logs.decide(trail)
                trail.saw(logs.facts(logs.prompt(odd=value)), ())
                await trail.intend(permitted)
    (record,) = of(tmp_path, trail.decision_id)
    assert (record["reason"], record["omitted"]) == ("INVALID_REQUEST", ["input"])


@pytest.mark.parametrize("end", [replace(logs.END, model="\ud800"), replace(logs.END, output_tokens=2**70)])
async def test_what_a_model_service_says_never_costs_the_outcome(tmp_path: Path, end: End) -> None:
    """A model name or a count that has no canonical form is left out; the outcome is still recorded."""
    async with logs.opened(tmp_path) as log, log.trail(logs.call()) as trail:
        await trail.intend(logs.decide(trail))
        trail.answered((ToolUse("\ud800", "\ud800", "\ud800"),), end)
    _, outcome = of(tmp_path, trail.decision_id)
    assert (outcome["outcome"], outcome["principal"]) == ("completed", {"tenant": "tenant-a"})
    assert {"model", "counts"} <= set(outcome["omitted"])


async def test_a_second_intent_is_a_fault(tmp_path: Path) -> None:
    """One call forwards once: a second intent is refused, and the first gets its outcome."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="INTERNAL"):  # noqa: PT012 - the trail is what raises
            async with trail:
                permitted = logs.decide(trail)
                await trail.intend(permitted)
                await trail.intend(permitted)
    assert [r["kind"] for r in of(tmp_path, trail.decision_id)] == ["intent", "outcome"]


HOSTILE = '\r\n{"kind":"start"}\x1b[2J\u202e\x00"\\'


async def test_hostile_text_is_data(tmp_path: Path) -> None:
    """Line breaks, JSON, escape sequences and NULs in what a caller controls come back as they went in."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(replace(logs.call(), method=HOSTILE))
        with suppress(GatewayError):
            async with trail:
                logs.decide(trail, asked=logs.prompt(purpose=HOSTILE))
                trail.proved(replace(logs.PRINCIPAL, subject=HOSTILE))
                raise GatewayError(Reason.TOKEN_INVALID, "no")
    (record,) = of(tmp_path, trail.decision_id)
    assert record["method"] == record["principal"]["subject"] == record["input"]["request"]["purpose"] == HOSTILE
    with logs.reading(tmp_path) as db:
        leaves = db.execute("SELECT leaf FROM entries").fetchall()
    assert not any(b"\n" in leaf or b"\x1b" in leaf for (leaf,) in leaves)


# --- judgements and output --------------------------------------------------------------------------------------------


async def test_a_judgement_is_recorded_so_that_it_can_be_made_again(tmp_path: Path) -> None:
    """Its stage, readings, safeguards and called tools are there; the same one again only counts."""
    low, high = logs.READINGS[0], logs.READINGS[0]._replace(score=900)
    known = logs.facts(logs.prompt())
    called = {"request": {"tools": [{"name": "map", "effector": "read_only", "apparent": []}]}}
    async with logs.opened(tmp_path) as log, log.trail(logs.call()) as trail:
        await trail.intend(logs.decide(trail))
        for reading in (low, high, low):
            trail.judged(Stage.RESPONSE, known.at(Stage.RESPONSE, (reading,), LIVE), (reading,), logs.ALLOW)
        at_call = known.at(Stage.TOOL_CALL, (low,), LIVE, called["request"])
        trail.judged(Stage.TOOL_CALL, at_call, (low,), logs.DENY)
    _, outcome = of(tmp_path, trail.decision_id)
    common = {"safeguards": safeguards(LIVE, read=True, recorded=False), "exact": True}
    allowed = {"stage": "response", "effect": "allow", "rules": [], "obligations": None, "tools": None, **common}
    name = {"name": low.name, "version": "1"}
    assert outcome["judgements"] == [
        {**allowed, "readings": [{**name, "score": low.score}], "times": 2},
        {**allowed, "readings": [{**name, "score": 900}], "times": 1},
        {
            **common,
            "stage": "tool_call",
            "effect": "deny",
            "rules": [{"id": logs.RULE.id, "class": "red_line", "effect": "deny"}],
            "obligations": [],
            "readings": [{**name, "score": low.score}],
            "tools": [{"name": "map", "effector": "read_only", "apparent": []}],
            "times": 1,
        },
    ]


async def test_a_long_stream_has_a_record_that_fits(tmp_path: Path) -> None:
    """Beyond so many different judgements the permitted ones are one with the strictest readings; a refusal is not."""
    known = logs.facts(logs.prompt())
    many = [tuple(r._replace(score=n) for r in logs.READINGS) for n in range(1000)]
    unknown = tuple(r._replace(score=None) for r in logs.READINGS)
    async with logs.opened(tmp_path) as log, log.trail(logs.call()) as trail:
        await trail.intend(logs.decide(trail))
        for readings in (*many[:500], unknown, *many[500:]):
            trail.judged(Stage.RESPONSE, known.at(Stage.RESPONSE, readings, LIVE), readings, logs.ALLOW)
        trail.judged(Stage.RESPONSE, known.at(Stage.RESPONSE, many[7], LIVE), many[7], logs.DENY)
    _, outcome = of(tmp_path, trail.decision_id)
    *exact, together, last = outcome["judgements"]
    assert ([j["exact"] for j in exact], together["exact"]) == ([True] * MOST_EXACT, False)
    assert (together["times"], {r["score"] for r in together["readings"]}) == (1001 - MOST_EXACT, {None})
    assert (last["effect"], last["exact"], last["readings"][0]["score"]) == ("deny", True, 7)


async def test_the_output_commitment_does_not_depend_on_the_pieces(tmp_path: Path) -> None:
    """The same answer in other pieces has the same commitment; text that imitates a tool use has another."""
    log = await logs.open_log(tmp_path)
    tool = ToolUse("t1", "map", '{"x":1}')
    made = []
    answers: list[list[Text | ToolUse]] = [
        [Text('a "b"\x00'), tool, Text("c")],
        [Text("a "), Text('"b"\x00'), tool, Text("c")],
        [Text('a "b"\x00'), Text('\x00["t1", "map", "{\\"x\\":1}"]\x00'), Text("c")],
    ]
    for parts in answers:
        trail = Trail(log._ledger, logs.call(decision_id="d" * 32))
        trail.answered(parts, logs.END)
        made.append(trail._known.answer.commitment())
    await log.close()
    assert made[0] == made[1] != made[2]


async def test_a_lone_surrogate_in_an_answer_is_counted_not_fatal(tmp_path: Path) -> None:
    """Text that no encoder takes still gets its outcome."""
    _, outcome = await left(tmp_path, None, intended=True, released="\ud800")
    assert outcome["outcome"] == "completed"


# --- cancellation in each phase ---------------------------------------------------------------------------------------


def stall(log: Log) -> Callable[[], None]:
    """Hold back every write of an open log, until the returned function is called."""
    real, held = log._ledger._writer._store.append, asyncio.Event()
    loop = asyncio.get_running_loop()

    def append(entries: Any) -> Any:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
        return real(entries)

    log._ledger._writer._store.append = append  # type: ignore[method-assign]
    return held.set


@pytest.mark.parametrize(
    ("phase", "kinds", "outcome"),
    [
        ("before", ["refusal"], "cancelled"),
        ("intending", ["intent", "outcome"], "cancelled"),
        ("forwarding", ["intent", "outcome"], "cancelled"),
        ("leaving", ["intent", "outcome"], "completed"),
        ("refusing", ["refusal"], "refused"),
    ],
)
async def test_a_cancelled_call_leaves_its_records(tmp_path: Path, phase: str, kinds: list[str], outcome: str) -> None:
    """In whatever phase the caller goes away, the records are complete and the cancellation still arrives."""
    async with logs.opened(tmp_path) as log:
        trail, release = log.trail(logs.call()), asyncio.Event()
        reached = asyncio.Event()
        go_on = stall(log) if phase in {"intending", "refusing"} else release.set

        async def wait_in(name: str) -> None:
            if phase == name:
                reached.set()
                await release.wait()

        async def run() -> None:
            async with trail:
                permitted = logs.decide(trail)
                await wait_in("before")
                if phase == "refusing":
                    raise GatewayError(Reason.POLICY_DENIED, "no")
                await trail.intend(permitted)
                await wait_in("forwarding")
                if phase == "leaving":
                    nonlocal go_on
                    go_on = stall(log)
                    reached.set()

        task = asyncio.create_task(run())
        if phase in {"before", "forwarding", "leaving"}:
            await reached.wait()
        if phase in {"intending", "leaving", "refusing"}:
            writer = log._ledger._writer
            while writer._queue.empty() and not writer._in_doubt:  # noqa: ASYNC110 - happens in another thread
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go_on()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
    records = of(tmp_path, trail.decision_id)
    assert [r["kind"] for r in records] == kinds
    assert records[-1]["outcome"] == outcome


@pytest.mark.parametrize(
    ("left_us", "outcome", "reason"),
    [
        (-1, "deadline", "DEADLINE_EXCEEDED"),
        (15_000, "deadline", "DEADLINE_EXCEEDED"),
        (9_000_000, "cancelled", "CANCELLED"),
    ],
)
async def test_a_caller_that_leaves_at_its_deadline_is_late_not_cancelled(
    tmp_path: Path, left_us: int, outcome: str, reason: str
) -> None:
    """A cancellation at the end of the caller's time is recorded as that, and still arrives."""
    hands = Clock(lambda: logs.START_US, lambda: 0)
    call = replace(logs.call(), received_us=logs.START_US - 1_000_000, deadline_us=logs.START_US + left_us)
    async with logs.opened(tmp_path, hands) as log:
        with pytest.raises(asyncio.CancelledError):  # noqa: PT012 - the trail is what raises
            async with log.trail(call) as trail:
                await trail.intend(logs.decide(trail))
                raise asyncio.CancelledError
    _, record = of(tmp_path, call.decision_id)
    assert (record["outcome"], record["reason"]) == (outcome, reason)


async def test_a_stream_that_its_reader_leaves_is_partial(tmp_path: Path) -> None:
    """Closing a stream in the middle records what was released until then."""
    async with logs.opened(tmp_path) as log:
        trail = log.trail(logs.call())

        async def stream() -> AsyncGenerator[str]:
            async with trail:
                await trail.intend(logs.decide(trail))
                for text in ("one", "two", "three"):
                    trail.released(Text(text))
                    yield text

        async with aclosing(stream()) as pieces:
            assert await anext(pieces) == "one"
            assert await anext(pieces) == "two"
    _, outcome = of(tmp_path, trail.decision_id)
    assert (outcome["outcome"], outcome["reason"], outcome["counts"]["bytes_released"]) == ("partial", "CANCELLED", 6)
