"""What the wire can carry that no honest client sends: refused with a reason, or ended by gRPC, and never forwarded.

Where gRPC answers before the gateway can, the caller gets no refusal, and the record says what the gateway saw of it: a
call that went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import h2.errors
import h2.exceptions
import h2.settings
import hpack
import pytest
import pytest_asyncio

from brightline.v1 import inference_pb2, message_pb2
from tests.support.attacks import HEALTH, SERVICE, attacking, message, prompt, refused, serves
from tests.support.gateways import LOGISTICS, Deployment, Running, serving
from tests.support.raw_http2 import Answer, connected, tls
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1 << 20
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
UNBOUNDED = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 1 << 20),
)


class Seen:
    """What a test began with: records, and calls that reached the upstream."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._records, self._calls = len(running.records()), running.calls

    async def ended_by_grpc(self, calls: int = 1, or_for: str = "CANCELLED") -> None:
        """As many refusals without a reason of ours, no upstream call, and the gateway serves the next.

        or_for: why the gateway refuses, where it may have looked before gRPC ended the call.
        """
        await until(lambda: len(self._running.records()) >= self._records + calls)
        new = self._running.records()[self._records :]
        assert [r["kind"] for r in new] == ["refusal"] * calls
        assert {r["reason"] for r in new} <= {"CANCELLED", or_for}
        assert self._running.calls == self._calls
        await serves(self._running)

    async def nothing(self) -> None:
        """No record, no upstream call, and the gateway serves the next."""
        assert len(self._running.records()) == self._records
        assert self._running.calls == self._calls
        await serves(self._running)


@pytest.fixture
def seen(running: Running) -> Seen:
    """Taken before the test acts."""
    return Seen(running)


# --- size --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Generate", "GenerateStream", "CheckPolicy", "ListModels"])
async def test_a_message_over_the_limit_is_refused(running: Running, method: str) -> None:
    """A message between our limit and gRPC's is REQUEST_TOO_LARGE and never parsed."""
    async with attacking(running, options=UNBOUNDED) as attacker:
        answer, _ = await refused(running, "REQUEST_TOO_LARGE", attacker.call(method, b"\xff" * (LIMIT + 1)))
    assert str(LIMIT) in answer.message


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_far_over_the_limit_is_ended_by_grpc(
    running: Running, seen: Seen, compression: grpc.Compression
) -> None:
    """A message of many times the limit, sent whole or unpacked from little, is not held in memory."""
    async with attacking(running, options=UNBOUNDED) as attacker:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await attacker.call(data=bytes(64 * LIMIT), compression=compression)
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await seen.ended_by_grpc()


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_message_that_unpacks_over_the_limit_is_refused(running: Running, algorithm: grpc.Compression) -> None:
    """The limit is on what a message unpacks to: a kilobyte that becomes more is REQUEST_TOO_LARGE."""
    async with attacking(running) as attacker:
        await refused(running, "REQUEST_TOO_LARGE", attacker.call(data=bytes(LIMIT + 1), compression=algorithm))


@pytest.mark.parametrize(
    "metadata",
    [[("x-a", "a" * 20_000)], [("x-a", "a" * 500_000)], [(f"x-{n}", "a" * 100) for n in range(300)]],
    ids=["one", "large", "many"],
)
async def test_oversized_metadata_is_ended_by_grpc(
    running: Running, seen: Seen, metadata: Sequence[tuple[str, str]]
) -> None:
    """Metadata over the limit ends the call, though token and message are good."""
    async with attacking(running, options=UNBOUNDED) as attacker:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await attacker.call(metadata=metadata)
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await seen.ended_by_grpc()


# --- form --------------------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    """A request whose tool has a schema of this depth."""
    asked = inference_pb2.GenerateRequest(prompt=prompt())
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    asked.prompt.tools.add(name="deep", effector=message_pb2.EFFECTOR_READ_ONLY).input_schema.update(value)
    return asked.SerializeToString()


MALFORMED = {
    "not protobuf": b"\xff\xff",
    "empty": b"",
    "cut short": message()[:-3],
    "an unknown field": message() + b"\xa2\x06\x01x",
    "not UTF-8": message().replace(b"trucks", b"tr\xff\xfeks"),
    "NUL": message(prompt="How many?trucks?").replace(b"many?", b"many\0"),
    "nested beyond what is read": nested(60),
    "a group that never ends": message() + b"\x0b" * 5000,
    "a role that is its default": message().replace(b"\x08\x01\x12", b"\x08\x00\x12", 1),
    "a text that is its default": message(prompt="x").replace(b"\x12\x03\x0a\x01x", b"\x12\x03\x0a\x00\x00"),
}


@pytest.mark.parametrize("defect", MALFORMED)
@pytest.mark.parametrize("method", ["Generate", "GenerateStream", "CheckPolicy"])
async def test_a_malformed_message_is_refused(running: Running, method: str, defect: str) -> None:
    """A message that is not exactly one request is INVALID_REQUEST, and none of it is in the record."""
    async with attacking(running) as attacker:
        _, record = await refused(running, "INVALID_REQUEST", attacker.call(method, MALFORMED[defect]))
    assert record["input"] is None
    assert record["commitments"]["judged"] is None


async def test_nesting_that_can_be_read_is_read(running: Running) -> None:
    """A schema of ordinary depth reaches the policy."""
    async with attacking(running) as attacker:
        assert await attacker.call("CheckPolicy", nested(10))


async def test_a_field_said_twice_is_judged_as_it_is_forwarded(running: Running) -> None:
    """Of a scalar that is said twice the last one counts, for the decision, the record and the model alike."""
    model = inference_pb2.Prompt(max_tokens=7).SerializeToString()
    again = message() + b"\x0a" + bytes([len(model)]) + model
    async with attacking(running) as attacker:
        (answer,) = await attacker.call(data=again)
    decision_id = inference_pb2.GenerateResponse.FromString(answer).decision_id
    intent, outcome = (r for r in running.records() if r["decision_id"] == decision_id)
    assert intent["input"]["request"]["max_tokens"] == 7
    assert intent["commitments"]["judged"] == intent["commitments"]["forwarded"]
    assert outcome["counts"]["tokens_out"] <= 7


# --- one message -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Generate", "GenerateStream", "CheckPolicy", "ListModels"])
async def test_a_call_has_exactly_one_message(running: Running, method: str) -> None:
    """No message, and a second one behind a good one, are refused: nothing arrives that nobody judged."""
    good = b"" if method == "ListModels" else message()
    async with attacking(running) as attacker:
        await refused(running, "INVALID_REQUEST", attacker.call(method, []))
        await refused(running, "INVALID_REQUEST", attacker.call(method, [good, good]))


async def test_a_list_request_is_read_like_any_other(running: Running) -> None:
    """ListModels takes no fields, so a field in its request is refused."""
    async with attacking(running) as attacker:
        await refused(running, "INVALID_REQUEST", attacker.call("ListModels", message()))


# --- deadlines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [None, "99999999999S"], ids=["none", "more digits than there are"])
@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_a_call_without_deadline_is_refused(running: Running, method: str, told: str | None) -> None:
    """A call that says no deadline, or one that gRPC takes for none, is DEADLINE_REQUIRED."""
    calls, before = running.calls, len(running.records())
    async with connected(running) as raw:
        stream = raw.begin(method, {"grpc-timeout": told})
        raw.message(stream, message(), end=True)
        answer = await raw.answer(stream)
    assert answer.headers["grpc-status"] == "3"
    assert "grpc-status-details-bin" in answer.headers
    (record,) = running.records()[before:]
    assert (record["kind"], record["reason"]) == ("refusal", "DEADLINE_REQUIRED")
    assert running.calls == calls


@pytest.mark.parametrize("told", ["0n", "0S", "1n"])
async def test_a_deadline_that_has_passed_is_never_forwarded(running: Running, told: str) -> None:
    """A call whose time is over when it arrives ends as DEADLINE_EXCEEDED, before or after its intent."""
    calls, before = running.calls, len(running.records())
    async with connected(running) as raw:
        stream = raw.begin("Generate", {"grpc-timeout": told})
        raw.message(stream, message(), end=True)
        answer = await raw.answer(stream)
    assert answer.headers["grpc-status"] == "4"
    await until(lambda: running.records()[before:] != [] and running.records()[-1]["kind"] != "intent")
    last = running.records()[-1]
    assert (last["kind"] in {"refusal", "outcome"}, last["reason"]) == (True, "DEADLINE_EXCEEDED")
    assert running.calls == calls
    await serves(running)


async def test_a_call_ends_at_the_longest_deadline_that_is_granted(tmp_path: Path) -> None:
    """A caller that gives an hour gets what the gateway grants, even if it never sends its message."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndeadline_ms = 300\n")
    async with serving(deployed) as gateway, connected(gateway) as raw:
        stream = raw.begin("Generate", {"grpc-timeout": "1H"})
        answer = await raw.answer(stream)
        assert answer.headers["grpc-status"] == "4"
        (record,) = gateway.records("refusal", "intent", "outcome")
        assert (record["kind"], record["reason"]) == ("refusal", "DEADLINE_EXCEEDED")
        assert gateway.calls == 0


async def test_a_stream_that_is_taken_too_late_still_ends_with_its_reason(tmp_path: Path) -> None:
    """A caller that gives an hour and reads nothing until the gateway's time was over gets what was sent, and why."""
    deployed = Deployment.create(tmp_path)
    deployed.config.write_text(deployed.config.read_text() + "\n[limits]\ndeadline_ms = 2000\n")
    async with serving(deployed) as gateway, connected(gateway) as raw:
        raw.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        stream = raw.begin("GenerateStream", {"grpc-timeout": "1H"})
        raw.message(stream, message(), end=True)
        await until(lambda: gateway.records("outcome") != [])
        raw.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65_535})
        raw.flush()
        answer = await raw.answer(stream)
    assert answer.headers["grpc-status"] == "4"
    assert "grpc-status-details-bin" in answer.headers
    (outcome,) = gateway.records("outcome")
    assert (outcome["reason"], outcome["outcome"]) == ("DEADLINE_EXCEEDED", "deadline")


# --- headers and frames ------------------------------------------------------------------------------------------


async def asked(running: Running, headers: dict[str, str | bytes | None], **framing: Any) -> Answer:
    """The answer to an honest message under these headers, framed as told."""
    async with connected(running) as raw:
        stream = raw.begin("Generate", headers)
        raw.message(stream, message(), end=True, **framing)
        return await raw.answer(stream)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-a-bin": "%%%"},
        {"grpc-status-details-bin": "%%%"},
        {"grpc-timeout": "-1S"},
        {"grpc-timeout": "soon"},
        {"grpc-timeout": ""},
        {"grpc-encoding": "br"},
        {"Authorization": "Bearer x"},
    ],
    ids=["-bin", "details-bin", "negative timeout", "a word", "no timeout", "encoding", "upper case"],
)
async def test_headers_that_do_not_parse_end_the_call(
    running: Running, seen: Seen, headers: dict[str, str | bytes | None]
) -> None:
    """GRPC ends a call whose headers it can't read, and its message never reaches the gateway."""
    answer = await asked(running, headers)
    assert answer.headers["grpc-status"] == "13"
    await seen.ended_by_grpc(or_for="DEADLINE_REQUIRED")


async def test_headers_that_do_not_parse_never_win_the_race(running: Running, seen: Seen) -> None:
    """However often it is tried, such a call is not decided before gRPC has ended it."""
    async with connected(running) as raw:
        streams = [raw.begin("Generate", {"x-a-bin": "%"}) for _ in range(100)]
        for stream in streams:
            raw.message(stream, message(), end=True)
        assert {(await raw.answer(s)).headers["grpc-status"] for s in streams} == {"13"}
    await seen.ended_by_grpc(100)


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ({}, {"compressed": 1}),
        ({"grpc-encoding": "gzip"}, {"compressed": 1}),
        ({}, {"length": 2**32 - 1}),
    ],
    ids=["flag without encoding", "not gzip", "a length of 4 GiB"],
)
async def test_a_message_that_does_not_unpack_ends_the_call(
    running: Running, seen: Seen, headers: dict[str, str | bytes | None], framing: dict[str, int]
) -> None:
    """GRPC ends a call whose message it can't unpack or hold."""
    answer = await asked(running, headers, **framing)
    assert answer.headers["grpc-status"] in {"8", "13"}
    await seen.ended_by_grpc()


@pytest.mark.parametrize("length", [10_000, 10], ids=["longer", "shorter"])
async def test_a_length_that_lies_is_refused(running: Running, length: int) -> None:
    """A message that ends before or goes on after the length it claims is refused with a reason."""
    calls, before = running.calls, len(running.records())
    answer = await asked(running, {}, length=length)
    assert "grpc-status-details-bin" in answer.headers
    assert [(r["kind"], r["reason"]) for r in running.records()[before:]] == [("refusal", "INVALID_REQUEST")]
    assert running.calls == calls
    await serves(running)


@pytest.mark.parametrize("headers", [{":method": "GET"}, {"te": None}], ids=["GET", "no te"])
async def test_what_is_not_grpc_is_reset(running: Running, seen: Seen, headers: dict[str, str | bytes | None]) -> None:
    """A stream that is not a gRPC call never becomes one."""
    answer = await asked(running, headers)
    assert (answer.reset, answer.headers) == (int(h2.errors.ErrorCodes.INTERNAL_ERROR), {})
    await seen.nothing()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame as RFC 9113 section 4.1 has it."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(running: Running, **changes: str | None) -> bytes:
    """The headers of an honest call, encoded. None leaves one out."""
    given = {
        ":method": "POST",
        ":scheme": "https",
        ":path": f"{SERVICE}/Generate",
        ":authority": running.address,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "20S",
        "authorization": f"Bearer {running.token(LOGISTICS)}",
        **changes,
    }
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(n, v) for n, v in given.items() if v is not None])


ORDERS: dict[str, tuple[str, Callable[[Running, bytes, bytes], list[bytes]]]] = {
    "DATA before HEADERS": (
        "",
        lambda _, head, data: [frame(0, 1, 1, data), frame(1, 4, 1, head), frame(0, 1, 1, data)],
    ),
    "HEADERS twice": ("CANCELLED", lambda _, head, data: [frame(1, 4, 1, head)] * 2 + [frame(0, 1, 1, data)]),
    "a second path": (
        "CANCELLED",
        lambda running, head, data: [
            frame(1, 4, 1, head),
            frame(1, 4, 1, block(running, **{":path": f"{HEALTH}/Check"})),
            frame(0, 1, 1, data),
        ],
    ),
    "trailers": ("", lambda _, head, data: [frame(1, 4, 1, head), frame(0, 0, 1, data), frame(1, 5, 1, b"\x10\1x\1y")]),
    "a token in the trailers": (
        "TOKEN_MISSING",
        lambda running, head, data: [
            frame(1, 4, 1, block(running, authorization=None)),
            frame(0, 0, 1, data),
            frame(1, 5, 1, head),
        ],
    ),
    "trailers before DATA": (
        "CANCELLED",
        lambda _, head, data: [frame(1, 4, 1, head), frame(1, 4, 1, b"\x10\1x\1y"), frame(0, 1, 1, data)],
    ),
    "a stream again": ("", lambda _, head, data: [frame(1, 4, 1, head), frame(0, 1, 1, data)] * 2),
    "an older stream": (
        "",
        lambda _, head, data: [part for n in (5, 3) for part in (frame(1, 4, n, head), frame(0, 1, n, data))],
    ),
    "a second message after the end": ("", lambda _, head, data: [frame(1, 4, 1, head), *[frame(0, 1, 1, data)] * 2]),
    "GOAWAY before DATA": (
        "",
        lambda _, head, data: [frame(1, 4, 1, head), frame(7, 0, 0, bytes(8)), frame(0, 1, 1, data)],
    ),
    "a window that grows by nothing": (
        "CANCELLED",
        lambda _, head, data: [frame(1, 4, 1, head), frame(8, 0, 1, bytes(4)), frame(0, 1, 1, data)],
    ),
    "an end before DATA": ("INVALID_REQUEST", lambda _, head, data: [frame(1, 5, 1, head), frame(0, 1, 1, data)]),
}


@pytest.mark.parametrize("order", ORDERS)
async def test_frames_in_another_order_are_one_call_at_most(running: Running, order: str) -> None:
    """Frames that are repeated, out of place or too late make no second call, and none that nobody decided."""
    reason, frames = ORDERS[order]
    before, calls, data = len(running.records()), running.calls, message()
    async with connected(running) as raw:
        await raw.settled()
        await raw.write(frames(running, block(running), b"\0" + len(data).to_bytes(4, "big") + data))
        await until(lambda: {r["kind"] for r in running.records()[before:]} & {"refusal", "outcome"} != set())
    await serves(running)  # by then a second call would be there
    new = [(r["kind"], r["reason"]) for r in running.records()[before:]]
    answered = [("intent", ""), ("outcome", "")]
    assert new == ([("refusal", reason)] if reason else answered) + answered
    assert running.calls - calls == (1 if reason else 2)


async def test_a_token_that_is_no_text_is_refused(running: Running) -> None:
    """Bytes that are no UTF-8 where the token belongs are TOKEN_INVALID, not a fault."""
    before = len(running.records())
    answer = await asked(running, {"authorization": b"Bearer \xff\xfe"})
    assert answer.headers["grpc-status"] == "16"
    assert [r["reason"] for r in running.records()[before:]] == ["TOKEN_INVALID"]
    await serves(running)


# --- methods -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        "Unheard",
        "generate",
        "Generate/",
        "Generate?x=1",
        "%47enerate",
        "/brightline.v1.InferenceService",
        "//brightline.v1.InferenceService/Generate",
        "/brightline.v2.InferenceService/Generate",
        "/Generate",
        "/" + "a" * 5000,
    ],
)
async def test_an_unknown_method_is_no_way_in(running: Running, method: str) -> None:
    """A method that is not exactly one of the service's is METHOD_UNKNOWN, under a bounded name in the record, which
    says by which release the gateway decided then.
    """
    async with attacking(running) as attacker:
        _, record = await refused(running, "METHOD_UNKNOWN", attacker.call(method))
    assert running.gate is not None
    assert record["release"] == running.gate.in_force.release.digest
    assert record["engine"]
    assert len(record["method"]) <= 200


async def test_health_says_whether_it_serves_and_nothing_else(running: Running, seen: Seen) -> None:
    """Health takes a client certificate and no token, leaves no record, and knows no service by another name."""
    async with attacking(running) as attacker:
        assert await attacker.call(f"{HEALTH}/Check", b"", authorizations=()) == [b"\x08\x01"]
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await attacker.call(f"{HEALTH}/Check", b"\x0a\x01x", authorizations=())
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    await seen.nothing()


async def test_reflection_is_for_development(running: Running, seen: Seen, tmp_path: Path) -> None:
    """Reflection describes the contract where it is switched on; elsewhere it is a method that nobody knows."""
    async with attacking(running) as attacker:
        (answer,) = await attacker.call(REFLECTION, b"\x3a\x00", authorizations=())
        assert b"brightline.v1.InferenceService" in answer
    await seen.nothing()
    deployed = Deployment.create(tmp_path)
    deployed.edit("reflection = true\n", "")
    async with serving(deployed) as gateway, attacking(gateway) as attacker:
        await refused(gateway, "METHOD_UNKNOWN", attacker.call(REFLECTION, b"\x3a\x00"))


# --- floods ------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def flooded(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway for one flood."""
    async with serving(Deployment.create(tmp_path)) as gateway:
        yield gateway


async def test_rapid_reset_forwards_nothing_that_was_not_recorded(flooded: Running) -> None:
    """Streams that are opened and reset at once leave one refusal, or an intent and its outcome, or nothing at all."""
    async with connected(flooded) as raw:
        for _ in range(20):
            streams = [raw.begin("Generate") for _ in range(50)]
            for stream in streams:
                with suppress(h2.exceptions.StreamClosedError):  # the peer was faster
                    await raw.room(stream, len(message()) + 5)
                    raw.message(stream, message(), end=True)
                    raw.reset(stream)
            raw.flush()
    await until(lambda: flooded.gate is not None and not still_running(flooded))
    by_decision: dict[str, list[str]] = {}
    for record in flooded.records("refusal", "intent", "outcome"):
        by_decision.setdefault(record["decision_id"], []).append(record["kind"])
    assert set(map(tuple, by_decision.values())) <= {("refusal",), ("intent", "outcome")}
    assert flooded.calls <= len(flooded.records("intent"))
    await serves(flooded)


def still_running(running: Running) -> int:
    """How many intents have no outcome yet."""
    return len(running.records("intent")) - len(running.records("outcome"))


async def test_a_ping_flood_is_cut_off(flooded: Running) -> None:
    """A connection that only pings is told to calm down and closed; others are served."""
    async with connected(flooded) as raw:
        for _ in range(50):
            raw.http.ping(b"12345678")
        raw.flush()
        await raw.ended()
        assert raw.goodbye == int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
    assert flooded.records("refusal") == []
    await serves(flooded)


FLOODS = {
    "CONTINUATION without end": [frame(1, 0, 1, b""), *(frame(9, 0, 1, b"\x40\x01a\x7f\x81\x0f" + b"b" * 256),) * 500],
    "empty CONTINUATION": [frame(1, 0, 1, b""), *(frame(9, 0, 1, b""),) * 5000],
    "one entry of the table over and over": [frame(1, 4, 1, b"\x40\x01a\x7f\x81\x0f" + b"b" * 256 + b"\xbe" * 15_000)],
    "SETTINGS": [frame(4, 0, 0, b"")] * 2000,
    "WINDOW_UPDATE": [frame(8, 0, 0, b"\0\0\0\1")] * 5000,
    "PRIORITY": [frame(2, 0, n, b"\0\0\0\0\x10") for n in range(1, 10_000, 2)],
    "empty DATA on a stream that is not there": [frame(0, 0, 1, b"")] * 2000,
    "frames of no kind": [frame(0x77, 0, 0, b"x" * 16_000)] * 50,
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_that_only_cost_forward_nothing(flooded: Running, flood: str) -> None:
    """Whatever frames come without a call in them, nothing is forwarded, and others are served meanwhile."""
    async with connected(flooded) as raw:
        await raw.settled()
        with suppress(OSError):
            await raw.write(FLOODS[flood])
        await serves(flooded)
    assert flooded.calls == 1
    assert {r["reason"] for r in flooded.records("refusal")} <= {"TOKEN_MISSING", "METHOD_UNKNOWN"}


async def test_idle_connections_do_not_keep_others_out(flooded: Running) -> None:
    """A few hundred connections that say nothing, with and without a handshake, leave the gateway serving."""
    host, _, port = flooded.address.rpartition(":")
    context = tls(flooded)
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(150)]
    opened += [await asyncio.open_connection(host, int(port), ssl=context) for _ in range(150)]
    try:
        await serves(flooded)
    finally:
        for _, writer in opened:
            writer.transport.abort()
        await asyncio.gather(*(w.wait_closed() for _, w in opened), return_exceptions=True)
    await serves(flooded)


async def test_more_streams_than_granted_are_refused_by_the_connection(flooded: Running) -> None:
    """A connection gets as many streams as the gateway takes calls; the others are refused before they are calls."""
    async with connected(flooded) as raw:
        streams = [raw.begin("Generate", {"authorization": None}) for _ in range(400)]
        answers = [await raw.answer(stream) for stream in streams]
    told = [a for a in answers if a.headers.get("grpc-status") == "16"]
    over = [a for a in answers if not a.headers and a.reset == int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)]
    assert (len(told), len(over)) == (256, 144)
    assert flooded.calls == 0
    await serves(flooded)
