from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from brightline_verify.database import verify
from brightline_verify.record import Kind
from gateway.audit import log as logging_
from gateway.audit import places
from gateway.audit.keys import create_commitment_key
from gateway.audit.log import Log
from gateway.clock import Clock
from gateway.errors import GatewayError, Reason, StartError
from gateway.telemetry.meters import REASONS
from gateway.types import Credentials
from tests.support import logs
from tests.unit.audit.faults import ENTRIES, Fault, Faults

HOUR_US = 3_600_000_000
SHORT_MS = 1000
"""A deadline that a test waits for: long enough for what has to be in time, on a busy machine too."""


class Hands:
    """A clock's hands, to be moved by a test. wall, monotonic: microseconds."""

    def __init__(self) -> None:
        self.wall = logs.START_US
        self.monotonic = 0
        self.clock = Clock(lambda: self.wall, lambda: self.monotonic)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Faults under every store that a log opens."""
    made = Faults()
    real = places.Sqlite
    monkeypatch.setattr(places, "Sqlite", lambda path: real(path, made.connect))
    return made


async def refused(log: Log, reason: Reason = Reason.TOKEN_INVALID) -> GatewayError:
    """A call that is refused before anybody was proved. Returns what the caller gets."""
    with pytest.raises(GatewayError) as caught:
        async with log.trail(logs.call()):
            raise GatewayError(reason, "no")
    return caught.value


async def recovered(log: Log) -> None:
    """Wait until the log can be written; the test's own time limit ends a wait in vain."""
    while not log.ready:  # noqa: ASYNC110 - happens in another thread
        await asyncio.sleep(0.005)


def problem(folder: Path) -> object:
    """What the verifier finds."""
    return verify(folder / "audit.db", logs.trust(folder)).problem


async def test_start_and_stop_are_recorded(tmp_path: Path) -> None:
    """The first record says what runs: release, signers, engine, origin and version; the last says that it stopped."""
    async with logs.opened(tmp_path):
        pass
    start, stop = logs.records(tmp_path)
    assert start["kind"] == "start"
    assert start["release"] == {"digest": "ab" * 32, "version": 7, "revision": "r7", "signers": ["provider", "agency"]}
    assert start["engine"] == {"name": "wasm", "version": "1.2.1"}
    assert start["origin"] == logs.ORIGIN
    assert start["version"]
    assert stop["kind"] == "stop"
    assert problem(tmp_path) is None


async def test_a_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Two runs make one log."""
    for _ in range(2):
        async with logs.opened(tmp_path) as log:
            await logs.complete(log)
    assert [r["kind"] for r in logs.records(tmp_path)] == ["start", "intent", "outcome", "stop"] * 2
    assert problem(tmp_path) is None


async def test_orphans_are_marked_once(tmp_path: Path) -> None:
    """Intents that a crash left open get the outcome outcome_unknown at the next start, and no second one later."""
    log = await logs.open_log(tmp_path)
    orphans = []
    for _ in range(3):
        trail = log.trail(logs.call())
        await trail.__aenter__()
        await trail.intend(logs.decide(trail))
        orphans.append(trail.decision_id)
    await logs.complete(log)
    await log.close()  # as a crash would leave it: three intents were never closed
    for _ in range(2):
        async with logs.opened(tmp_path):
            pass
    marked = [r for r in logs.records(tmp_path) if r.get("outcome") == "outcome_unknown"]
    assert [r["decision_id"] for r in marked] == orphans
    assert {r["principal"]["tenant"] for r in marked} == {"tenant-a"}
    report = verify(tmp_path / "audit.db", logs.trust(tmp_path))
    assert (report.problem, report.open_intents) == (None, ())


@pytest.mark.parametrize("key", ["signing_key", "commitment_key"])
async def test_a_missing_or_open_key_refuses_the_start(tmp_path: Path, key: str) -> None:
    """Without its keys, or with keys that others can read, the log is not opened and not created."""
    settings = logs.settings(tmp_path)
    path: Path = getattr(settings, key)
    path.chmod(0o644)  # noqa: ASYNC240 - a local file
    with pytest.raises(StartError, match=f"audit.{key}.*0644"):
        await logs.open_log(tmp_path)
    path.unlink()  # noqa: ASYNC240 - a local file
    with pytest.raises(StartError, match=f"audit.{key}.*cannot be read"):
        await Log.open(settings, logs.RELEASE, "wasm", "1", clock=Clock(), listener="")
    assert not settings.path.exists()


async def test_a_start_that_cannot_be_recorded_is_refused(tmp_path: Path, faults: Faults) -> None:
    """No gateway runs without the record of its start, and the log is free for the next attempt."""
    faults.plan[ENTRIES] = [Fault.LOST]
    with pytest.raises(StartError, match="could not be recorded"):
        await logs.open_log(tmp_path)
    async with logs.opened(tmp_path) as log:
        await logs.complete(log)
    assert problem(tmp_path) is None


# --- the clock --------------------------------------------------------------------------------------------------------


async def test_a_clock_behind_the_log_refuses_the_start(tmp_path: Path) -> None:
    """A clock an hour behind the last record refuses the start; one within the tolerance does not."""
    hands = Hands()
    async with logs.opened(tmp_path, hands.clock):
        pass
    hands.wall -= HOUR_US
    with pytest.raises(StartError, match="3600 s in the future"):
        await logs.open_log(tmp_path, hands.clock)
    hands.wall += HOUR_US - 4_000_000
    async with logs.opened(tmp_path, Clock(lambda: hands.wall, lambda: 0)):
        pass
    assert problem(tmp_path) is None


@pytest.mark.parametrize("jump", [-HOUR_US, 24 * HOUR_US])
async def test_a_clock_that_is_set_while_running_does_not_disorder_the_log(tmp_path: Path, jump: int) -> None:
    """After a jump, records carry the time that went on, and say that it is not the wall clock's."""
    hands = Hands()
    async with logs.opened(tmp_path, hands.clock) as log:
        hands.wall += jump
        await refused(log, Reason.CLOCK_UNTRUSTED)
        hands.wall -= jump
        await refused(log)
    _, jumped, after, _ = logs.records(tmp_path)
    assert (jumped["time_us"], jumped["clock"]) == (logs.START_US, {"source": "monotonic"})
    assert after["clock"] == {"source": "system"}
    assert problem(tmp_path) is None


async def test_a_clock_that_is_corrected_within_its_tolerance_does_not_disorder_the_log(tmp_path: Path) -> None:
    """A clock that was nearly five seconds fast and then is nearly five slow was believed both times."""
    hands = Hands()
    async with logs.opened(tmp_path, hands.clock) as log:
        for step in (4_900_000, -9_800_000):
            hands.wall += step
            await refused(log)
    assert [r["clock"]["source"] for r in logs.records(tmp_path)] == ["system"] * 4
    assert problem(tmp_path) is None


# --- floods -----------------------------------------------------------------------------------------------------------


async def test_a_flood_of_unproved_callers_is_counted(tmp_path: Path) -> None:
    """Beyond the budget, unauthenticated refusals become one record with counts by reason and times; none is lost."""
    async with logs.opened(tmp_path, Hands().clock, unauthenticated_per_s=5) as log:
        for reason in [Reason.TOKEN_INVALID] * 20 + [Reason.TOKEN_MISSING] * 10:
            assert (await refused(log, reason)).reason is reason
        await logs.complete(log)
    records = logs.records(tmp_path)
    single = [r for r in records if r["kind"] == "refusal"]
    aggregates = [r["counts"] for r in records if r["kind"] == "aggregate"]
    assert len(single) == 5
    assert sum(c.get("TOKEN_INVALID", {"number": 0})["number"] for c in aggregates) == 15
    assert sum(c.get("TOKEN_MISSING", {"number": 0})["number"] for c in aggregates) == 10
    assert all(n["first_us"] <= n["last_us"] for c in aggregates for n in c.values())
    assert logs.kinds(tmp_path).count("outcome") == 1
    assert problem(tmp_path) is None


async def test_a_call_of_which_nothing_is_known_is_recorded_before_it_is_counted(tmp_path: Path) -> None:
    """Such calls take part in the budget of those who proved nothing: records first, then counts, in all as many."""
    async with logs.opened(tmp_path, Hands().clock, unauthenticated_per_s=2) as log:
        for _ in range(7):
            if not log.counted(logs.call(), Reason.OVERLOADED):
                await refused(log, Reason.OVERLOADED)
        meters = log.trail(logs.call()).watch.meters
        assert meters.refusals[REASONS.index(Reason.OVERLOADED)] == 7
        await logs.complete(log)
    records = logs.records(tmp_path)
    assert [r["reason"] for r in records if r["kind"] == "refusal"] == ["OVERLOADED"] * 2
    assert sum(r["counts"]["OVERLOADED"]["number"] for r in records if r["kind"] == "aggregate") == 5


async def test_a_call_is_not_counted_by_a_log_that_is_not_written(tmp_path: Path) -> None:
    """While the log is not written the reason is another one, which a trail gives."""
    async with logs.opened(tmp_path, Hands().clock, unauthenticated_per_s=1) as log:
        await refused(log)
        assert log.counted(logs.call(), Reason.OVERLOADED)
    assert not log.ready
    assert not log.counted(logs.call(), Reason.OVERLOADED)


async def test_the_budget_is_for_each_second(tmp_path: Path) -> None:
    """A new second gives new records to callers who proved nothing."""
    hands = Hands()
    async with logs.opened(tmp_path, hands.clock, unauthenticated_per_s=1) as log:
        for _ in range(3):
            await refused(log)
            hands.wall += 500_000
            hands.monotonic += 500_000
    assert logs.kinds(tmp_path).count("refusal") == 2


@pytest.mark.parametrize("fault", [None, Fault.LOST, Fault.LIED])
async def test_counts_are_written_while_the_log_is_open(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, fault: Fault | None
) -> None:
    """Counts reach the log without a close, once, also when their record fails at first."""
    monkeypatch.setattr(logging_, "FLUSH_S", 0.01)
    async with logs.opened(tmp_path, Hands().clock, unauthenticated_per_s=1) as log:
        await refused(log)
        faults.plan[ENTRIES] = [fault]
        await refused(log)
        while "aggregate" not in logs.kinds(tmp_path):  # noqa: ASYNC110 - happens in another thread
            await asyncio.sleep(0.005)
    assert logs.kinds(tmp_path) == ["refusal", "aggregate"]


async def test_proved_callers_are_never_only_counted(tmp_path: Path) -> None:
    """The budget is for those who proved nothing: a tenant's refusals all get their record."""
    async with logs.opened(tmp_path, unauthenticated_per_s=1) as log:
        for _ in range(10):
            with suppress(GatewayError):
                async with log.trail(logs.call()) as trail:
                    logs.decide(trail, logs.DENY)
    assert logs.kinds(tmp_path) == ["refusal"] * 10


async def test_a_presented_certificate_is_recorded_by_fingerprint(tmp_path: Path) -> None:
    """An unproved caller's certificate is named by its SHA-256 when it can be read, and never breaks the record."""
    pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    calls = [Credentials((pem,), (), "a"), Credentials((b"\xff garbage",), (), "b"), Credentials((), (), "c")]
    async with logs.opened(tmp_path) as log:
        for credentials in calls:
            with suppress(GatewayError):
                async with log.trail(logs.Call("d" * 31 + credentials.address, "/m", credentials, 0)):
                    raise GatewayError(Reason.TENANT_UNKNOWN, "no")
    prints = [r["peer"]["certificate"]["sha256"] for r in logs.records(tmp_path) if r["kind"] == "refusal"]
    assert prints == ["709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c", "", ""]


# --- the log is not being written -------------------------------------------------------------------------------------


async def outcome_of(log: Log, decision_id: str) -> GatewayError:
    """A whole call that ends well, but for the log. Returns what the caller gets."""
    with pytest.raises(GatewayError) as caught:  # noqa: PT012 - the trail is what raises
        async with log.trail(logs.call(decision_id=decision_id)) as trail:
            await trail.intend(logs.decide(trail))
            trail.answered((), logs.END)
    return caught.value


def counted(folder: Path) -> int:
    """How many calls are only counted as refused because the log was down."""
    aggregates = [r["counts"] for r in logs.records(folder) if r["kind"] == "aggregate"]
    return sum(c["AUDIT_UNAVAILABLE"]["number"] for c in aggregates)


@pytest.mark.parametrize(
    ("plan", "kinds", "lost"),
    [
        ([Fault.LOST], [], 1),
        ([None, Fault.LOST], ["intent", "outcome"], 0),
    ],
)
async def test_a_record_that_is_lost_withholds_the_reply(
    tmp_path: Path, faults: Faults, plan: list[Fault | None], kinds: list[str], lost: int
) -> None:
    """When intent or outcome can't be written the caller gets AUDIT_UNAVAILABLE; the log tells what it can, later."""
    async with logs.opened(tmp_path) as log:
        faults.plan[ENTRIES] = plan
        error = await outcome_of(log, "d" * 32)
        assert error.reason is Reason.AUDIT_UNAVAILABLE
        await recovered(log)
    made = [r for r in logs.records(tmp_path) if r["decision_id"] == "d" * 32]
    assert [r["kind"] for r in made] == kinds
    assert all(r["reason"] in {"", "AUDIT_UNAVAILABLE"} for r in made)
    assert counted(tmp_path) == lost
    assert problem(tmp_path) is None


@pytest.mark.parametrize("plan", [[Fault.LIED], [None, Fault.LIED], [Fault.LIED, Fault.LIED]])
async def test_a_lost_acknowledgement_costs_nobody_a_reply(
    tmp_path: Path, faults: Faults, plan: list[Fault | None]
) -> None:
    """When a write is reported failed and was not, the call goes on, and both records are there once."""
    async with logs.opened(tmp_path) as log:
        faults.plan[ENTRIES] = plan
        await logs.complete(log)
    assert logs.kinds(tmp_path) == ["intent", "outcome"]
    assert problem(tmp_path) is None


async def test_an_intent_that_turns_out_durable_too_late_is_closed(tmp_path: Path, faults: Faults) -> None:
    """A stalled intent refuses its caller in time; when it turns out durable, an outcome says that nothing was sent."""
    async with logs.opened(tmp_path, deadline_ms=SHORT_MS) as log:
        faults.stall = ENTRIES
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):
            async with trail:
                await trail.intend(logs.decide(trail))
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):
            await logs.complete(log)
        faults.stall = ""
        faults.go_on.set()
        await recovered(log)
    intent, outcome = (r for r in logs.records(tmp_path) if r["decision_id"] == trail.decision_id)
    assert (intent["kind"], outcome["outcome"], outcome["reason"]) == ("intent", "not_forwarded", "AUDIT_UNAVAILABLE")
    assert counted(tmp_path) == 1
    assert problem(tmp_path) is None


async def test_an_outcome_that_turns_out_durable_too_late_is_the_only_one(tmp_path: Path, faults: Faults) -> None:
    """A stalled outcome withholds the reply; when it turns out durable, no second one is written beside it."""
    async with logs.opened(tmp_path, deadline_ms=SHORT_MS) as log:
        trail = log.trail(logs.call())
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):  # noqa: PT012 - the trail is what raises
            async with trail:
                await trail.intend(logs.decide(trail))
                faults.stall = ENTRIES
                trail.answered((), logs.END)
        faults.stall = ""
        faults.go_on.set()
        await recovered(log)
    made = [r for r in logs.records(tmp_path) if r["decision_id"] == trail.decision_id]
    assert [(r["kind"], r["outcome"]) for r in made] == [("intent", "permitted"), ("outcome", "completed")]
    assert problem(tmp_path) is None


async def test_an_intent_that_is_closed_late_is_closed_at_that_time(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long stall others may be recorded first; the outcome that comes after them is no older than they are."""
    monkeypatch.setattr(logging_, "FLUSH_S", 3600.0)
    hands = Hands()
    async with logs.opened(tmp_path, hands.clock, deadline_ms=SHORT_MS) as log:
        faults.stall = ENTRIES
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):
            await logs.complete(log)
        hands.wall += HOUR_US
        hands.monotonic += HOUR_US
        faults.stall = ""
        faults.go_on.set()
        await recovered(log)
        await logs.complete(log)
    assert logs.kinds(tmp_path) == ["intent", "intent", "outcome", "outcome"]
    assert problem(tmp_path) is None


@pytest.mark.parametrize(("plan", "sent"), [([Fault.LOST], False), ([None, Fault.LOST], True)])
async def test_only_what_was_not_forwarded_is_safe_to_repeat(
    tmp_path: Path, faults: Faults, plan: list[Fault | None], *, sent: bool
) -> None:
    """Without an intent nothing was forwarded; without an outcome the model may have been asked."""
    async with logs.opened(tmp_path) as log:
        faults.plan[ENTRIES] = plan
        assert (await outcome_of(log, "d" * 32)).sent is sent
        await recovered(log)


async def test_a_path_that_ignores_a_lost_intent_has_no_reply(tmp_path: Path, faults: Faults) -> None:
    """Even if intend's error is swallowed, the reply is withheld."""
    async with logs.opened(tmp_path) as log:
        faults.plan[ENTRIES] = [Fault.LOST]
        with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):  # noqa: PT012 - the trail is what raises
            async with log.trail(logs.call()) as trail:
                with suppress(GatewayError):
                    await trail.intend(logs.decide(trail))
    assert counted(tmp_path) == 1


async def test_a_call_cancelled_while_its_intent_is_lost_is_cancelled(tmp_path: Path, faults: Faults) -> None:
    """A cancellation that arrives during an intent which fails still arrives."""
    async with logs.opened(tmp_path, deadline_ms=SHORT_MS) as log:
        faults.stall = ENTRIES
        task = asyncio.create_task(logs.complete(log))
        while not faults.stalled.is_set():  # noqa: ASYNC110 - happens in another thread
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        faults.stall = ""
        faults.go_on.set()
        await recovered(log)
    assert [r["outcome"] for r in logs.records(tmp_path) if r["kind"] == "outcome"] == ["not_forwarded"]
    assert problem(tmp_path) is None


async def test_while_the_log_is_down_calls_are_turned_away_at_the_door(tmp_path: Path, faults: Faults) -> None:
    """A call that meets a log that is down gets AUDIT_UNAVAILABLE before anything is done for it, and is counted."""
    async with logs.opened(tmp_path, deadline_ms=SHORT_MS) as log:
        faults.stall = ENTRIES
        await outcome_of(log, "d" * 32)
        for _ in range(5):
            done: list[Any] = []
            with pytest.raises(GatewayError, match="AUDIT_UNAVAILABLE"):
                async with log.trail(logs.call()):
                    done.append(1)
            assert not done
        faults.stall = ""
        faults.go_on.set()
        await recovered(log)
        await logs.complete(log)
    assert counted(tmp_path) == 5
    assert problem(tmp_path) is None


async def test_a_cancelled_call_whose_record_is_lost_stays_cancelled(tmp_path: Path, faults: Faults) -> None:
    """There is no reply to withhold from a caller who left: the cancellation goes on, and the call is counted."""
    async with logs.opened(tmp_path) as log:
        faults.plan[ENTRIES] = [Fault.LOST]
        with pytest.raises(asyncio.CancelledError):  # noqa: PT012 - the trail is what raises
            async with log.trail(logs.call()) as trail:
                logs.decide(trail)
                raise asyncio.CancelledError
        await recovered(log)
    assert counted(tmp_path) == 1


async def test_a_file_system_without_room_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    """When the system refuses to let files grow, calls are refused; with room again the log goes on, and is whole."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with logs.opened(tmp_path) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            replies = [await answered(log) for _ in range(200)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert {type(r) for r in replies} == {str, GatewayError}
        await recovered(log)
        await logs.complete(log)
    done = {r["decision_id"] for r in logs.records(tmp_path) if r.get("outcome") == "completed"}
    assert {r for r in replies if isinstance(r, str)} <= done
    assert problem(tmp_path) is None


async def answered(log: Log) -> str | GatewayError:
    """A whole call: its decision id, or the refusal because the log is down."""
    try:
        return await logs.complete(log)
    except GatewayError as error:
        assert error.reason is Reason.AUDIT_UNAVAILABLE
        return error


async def test_a_close_survives_a_log_that_is_down(tmp_path: Path, faults: Faults) -> None:
    """A log that can't be written is still released; what it could not say is missing, not wrong."""
    log = await logs.open_log(tmp_path, deadline_ms=SHORT_MS)
    await logs.complete(log)
    faults.plan[ENTRIES] = [Fault.LOST] * 10
    await log.close()
    assert [r["kind"] for r in logs.records(tmp_path)] == ["start", "intent", "outcome"]
    faults.plan.clear()
    async with logs.opened(tmp_path):
        pass
    assert problem(tmp_path) is None


async def test_the_commitment_key_can_be_replaced(tmp_path: Path) -> None:
    """Records name the commitment key that they were made with, so an operator can change or destroy it."""
    async with logs.opened(tmp_path) as log:
        await logs.complete(log)
    (tmp_path / "commit.key").unlink()
    create_commitment_key(tmp_path / "commit.key")
    async with logs.opened(tmp_path) as log:
        await logs.complete(log)
    names = [r["commitments"]["key"] for r in logs.records(tmp_path) if r["kind"] == Kind.INTENT]
    assert len(set(names)) == 2
