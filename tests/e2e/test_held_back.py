"""A caller that was proved and holds its message back, at every method: what changes meanwhile holds for it, too."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.test_activation import NARROWER, Held, in_force, reloading
from tests.e2e.test_clock_and_start import Set
from tests.support.attacks import METHODS, SERVICE, put, unpacked, verified
from tests.support.gateways import LOGISTICS, Deployment, Running, serving
from tests.support.raw_http2 import Answer, Raw, connected
from tests.support.tokens import unverified_claims
from tests.support.waiting import Passing, until

WATCH = "/brightline.v1.AuditService/Watch"


def deployment(folder: Path) -> Deployment:
    """One that signs a checkpoint with every batch: before the first there is nothing to export."""
    made = Deployment.create(folder)
    made.edit("[audit]\n", "[audit]\ncheckpoint_records = 1\n")
    return made


def token(running: Running) -> str:
    """Of a caller who may use every method."""
    return running.token(LOGISTICS, roles=("auditor", "approver"))


async def begun(running: Running, raw: Raw, method: str, text: str) -> int:
    """A call whose caller is proved and whose message is awaited: callers are proved in the order of their calls."""
    stream = raw.begin(method, {"authorization": f"Bearer {text}"})
    other = raw.begin("ListModels", {"authorization": f"Bearer {token(running)}"})
    raw.message(other, b"", end=True)
    assert (await raw.answer(other)).headers["grpc-status"] == "0"
    return stream


async def served(raw: Raw, method: str, stream: int) -> None:
    """Return when the call is answered: with what its method finds."""
    if method == WATCH:  # it goes on
        await raw.some(stream, 1)
        raw.reset(stream)
    else:
        status = "5" if method.endswith(("/Get", "/Prove", "/Approve", "/GetChanges")) else "0"
        assert (await raw.answer(stream)).headers["grpc-status"] == status


def unavailable(answer: Answer, says: str) -> None:
    """Fails the test unless the call was refused so, and its client may send it again."""
    assert answer.headers["grpc-status"] == "14"
    text = answer.headers["grpc-status-details-bin"]
    whole, info, refusal = unpacked(b64decode(text + "=" * (-len(text) % 4)))
    assert (info.reason, refusal.retry_safe) == ("POLICY_UNAVAILABLE", True)
    assert says in whole.message


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tokens", ["bound", "single_use"])
async def test_a_proof_grows_stale_while_the_message_is_awaited(tmp_path: Path, tokens: str, method: str) -> None:
    """A caller that held its message back is proved again: served while nothing changed, refused once it is revoked."""
    deployed, passing = deployment(tmp_path), Passing()
    revoked = deployed.folder / "revoked.json"
    put(revoked, b"[]")
    deployed.edit("[identity]\n", f'[identity]\ntokens = "{tokens}"\nrevoked_tokens = "revoked.json"\n')
    async with serving(deployed, passing.clock) as running, connected(running) as raw:
        stream = await begun(running, raw, method, token(running))
        passing.by_us += 2_000_000
        raw.message(stream, METHODS[method], end=True)
        await served(raw, method, stream)

        text = token(running)
        stream = await begun(running, raw, method, text)
        passing.by_us += 2_000_000
        put(revoked, f'["{unverified_claims(text)["jti"]}"]'.encode())
        raw.message(stream, METHODS[method], end=True)
        assert (await raw.answer(stream)).headers["grpc-status"] == "16"
        last = running.records()[-1]
        assert (last["reason"], last["principal"]["tenant"]) == ("CREDENTIAL_REVOKED", LOGISTICS)
        assert running.calls == ("/Generate" in method)
        verified(running)


@pytest.mark.parametrize("late", [False, True])
async def test_who_holds_its_message_back_does_not_keep_a_release(tmp_path: Path, *, late: bool) -> None:
    """A call whose message comes late is refused once another release is in force; one in time keeps what it has."""
    passing = Passing()
    async with serving(deployment(tmp_path), passing.clock) as running, connected(running) as raw:
        first, activation = in_force(running).release.digest, reloading(running)
        streams = {method: await begun(running, raw, method, token(running)) for method in METHODS}
        running.change_release("tenants.json", NARROWER)
        await activation.reload()
        assert in_force(running).release.digest != first
        passing.by_us += 2_000_000 * late
        for method, stream in streams.items():
            raw.message(stream, METHODS[method], end=True)
            if late:
                unavailable(await raw.answer(stream), "another release came in force")
            else:
                await served(raw, method, stream)
        assert running.calls == (0 if late else 2)
        again = raw.begin("Generate")
        raw.message(again, METHODS[f"{SERVICE}/Generate"], end=True)
        assert (await raw.answer(again)).headers["grpc-status"] == "7"
        assert running.records()[-1]["release"] == in_force(running).release.digest
        verified(running)
    await activation.close()


async def test_a_release_that_expires_while_the_message_is_awaited_decides_nothing(tmp_path: Path) -> None:
    """What was signed expires for calls that wait as for those that come."""
    passing = Passing()
    async with serving(deployment(tmp_path), passing.clock) as running, connected(running) as raw:
        streams = {method: await begun(running, raw, method, token(running)) for method in METHODS}
        in_force(running).expires_us = passing.clock() + 2_000_000
        passing.by_us += 2_000_000
        for method, stream in streams.items():
            raw.message(stream, METHODS[method], end=True)
            unavailable(await raw.answer(stream), "has expired")
        assert running.calls == 0
        verified(running)


@pytest.mark.parametrize("by_us", [-10_000_000, 10_000_000], ids=["back 10 s", "forward 10 s"])
async def test_a_clock_that_is_set_while_the_message_is_awaited_decides_nothing(tmp_path: Path, by_us: int) -> None:
    """A clock that was set is believed no more for calls that wait than for those that come."""
    time = Set()
    async with serving(deployment(tmp_path), time.clock()) as running, connected(running) as raw:
        streams = {method: await begun(running, raw, method, token(running)) for method in METHODS}
        time.by_us = by_us
        for method, stream in streams.items():
            raw.message(stream, METHODS[method], end=True)
            assert (await raw.answer(stream)).headers["grpc-status"] == "14"
            assert running.records()[-1]["reason"] == "CLOCK_UNTRUSTED"
        assert running.calls == 0
        verified(running)


@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_a_token_that_is_revoked_while_the_policy_decides_permits_nothing(tmp_path: Path, method: str) -> None:
    """Who is not believed any more when the decision is there has no intent, and no model is asked."""
    deployed, passing = deployment(tmp_path), Passing()
    revoked = deployed.folder / "revoked.json"
    put(revoked, b"[]")
    deployed.edit("[identity]\n", '[identity]\nrevoked_tokens = "revoked.json"\n')
    async with serving(deployed, passing.clock) as running, connected(running) as raw:
        text, engine = token(running), Held(in_force(running).engine)
        assert running.gate is not None
        running.gate.in_force = replace(in_force(running), engine=engine)
        stream = raw.begin(method, {"authorization": f"Bearer {text}"})
        raw.message(stream, METHODS[f"{SERVICE}/{method}"], end=True)
        await engine.asked.wait()
        passing.by_us += 2_000_000
        put(revoked, f'["{unverified_claims(text)["jti"]}"]'.encode())
        engine.go.set()
        assert (await raw.answer(stream)).headers["grpc-status"] == "16"
        assert running.calls == 0
        (record,) = running.records("refusal")
        assert record["reason"] == "CREDENTIAL_REVOKED"
        assert not running.records("intent")


async def test_a_token_that_is_revoked_while_its_call_waits_for_its_turn_learns_no_decision(tmp_path: Path) -> None:
    """Who is not believed any more when its turn comes is refused for that, and the policy is not asked."""
    deployed, passing = deployment(tmp_path), Passing()
    revoked = deployed.folder / "revoked.json"
    put(revoked, b"[]")
    deployed.edit("[identity]\n", '[identity]\nrevoked_tokens = "revoked.json"\n')
    deployed.edit("[audit]\n", "[limits]\ndeciding = 1\nqueue_ms = 60000\n\n[audit]\n")
    async with serving(deployed, passing.clock) as running, connected(running) as raw:
        text, gate = token(running), running.gate
        assert gate is not None
        await gate.queue.take("another")
        stream = raw.begin("CheckPolicy", {"authorization": f"Bearer {text}"})
        raw.message(stream, METHODS[f"{SERVICE}/CheckPolicy"], end=True)
        await until(lambda: gate.queue.waiting == 1)
        passing.by_us += 2_000_000
        put(revoked, f'["{unverified_claims(text)["jti"]}"]'.encode())
        gate.queue.give_back("another")
        assert (await raw.answer(stream)).headers["grpc-status"] == "16"
        (record,) = running.records("refusal")
        assert (record["reason"], record["decision"]) == ("CREDENTIAL_REVOKED", None)
