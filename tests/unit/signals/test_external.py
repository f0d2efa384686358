"""Detectors of others: what they answer in time and in shape counts, and nothing else is a score."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from gateway import config
from gateway.errors import StartError
from gateway.signals import Detectors
from gateway.signals.external import External, open_external
from gateway.signals.external.circuit import Circuit
from tests.support.twice import answering_twice, turns
from tests.support.upstream_servers import MODEL, SECRET, Script, Server, serve

SERVED = {"http": "detector", "moderation": "moderation", "guard": "openai", "anthropic": "anthropic"}
KINDS = tuple(SERVED)
CANARY = "canary-prompt-31337"
KEY = "sk-detector-key-5150"
NAMES = {"a": "cbrn", "b": "weapons_design", "c": "cbrn"}
"""Categories of the detectors below, and the signals that they are: two are one."""
SCHEMAS = json.loads((Path(__file__).parents[3] / "docs/spec/detector.schema.json").read_bytes())["definitions"]


def settings(kind: str, url: str = "https://detector.example", **keys: Any) -> config.External:
    """The section of the configuration."""
    given = {"name": "other", "kind": kind, "base_url": url, "model": MODEL, "categories": NAMES}
    return config.External.model_validate({**given, **keys})


def scored(kind: str, a: int, b: int) -> Script:
    """What a detector of this kind answers for a score of its category a and one of b, thousandths."""
    if kind == "guard":
        codes = ",".join(name for name, score in {"a": a, "b": b}.items() if score)
        return Script(texts=(f"unsafe\n{codes}" if codes else "safe",))
    scores = {"a": a, "b": b, "c": 0}
    if kind == "anthropic":
        return Script(texts=(), calls=(("call_1", "report", json.dumps(scores)),))
    return Script(scores={k: v / 1000 for k, v in scores.items()} if kind == "moderation" else scores)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def server(kind: str) -> AsyncIterator[Server]:
    async with serve(SERVED[kind]) as running:
        running.script = scored(kind, 1000, 0)
        yield running


@asynccontextmanager
async def opened(kind: str, server: Server, **keys: Any) -> AsyncIterator[External]:
    """The detector on this server, with enough time unless told otherwise."""
    detector = open_external(settings(kind, server.base_url, **{"deadline_ms": 10_000, **keys}))
    try:
        yield detector
    finally:
        await detector.close()


async def test_its_categories_are_our_signals(kind: str, server: Server, tmp_path: Path) -> None:
    """A text is sent once, with the key of the file; of two categories that are one signal the higher counts."""
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    key.chmod(0o600)
    async with opened(kind, server, api_key=str(key)) as detector:
        assert await detector.score(CANARY, 60) == {"cbrn": 1000, "weapons_design": 0}
        server.script = scored(kind, 0, 0)
        assert await detector.score("hello", 60) == {"cbrn": 0, "weapons_design": 0}
    assert len(server.requests) == 2
    assert CANARY in json.dumps(server.requests[0])
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_a_long_text_is_given_in_pieces(kind: str, server: Server) -> None:
    """Each piece is as long as was configured at most, all of the text is in one, and the highest score counts."""
    text = " ".join(f"w{number}" for number in range(600))
    async with opened(kind, server, characters=1_000) as detector:
        found = await detector.score(text, 60)
    assert found == {"cbrn": 1000, "weapons_design": 0}
    sent = json.dumps(server.requests)
    assert len(server.requests) > 2
    assert all(f"w{number}" in sent for number in range(600))


@pytest.mark.parametrize(
    "behaviour",
    [
        "status",
        "redirect",
        "hang_up",
        "cut",
        "cut_clean",
        "endless",
        "garbage",
        "not_json",
        "wrong_shape",
        "wrong_type",
        "twice",
        "compressed",
        "nothing",
    ],
)
async def test_whatever_is_no_answer_is_no_score(kind: str, server: Server, behaviour: str) -> None:
    """It is asked once, nothing is followed or asked again, and nothing that anybody wrote is logged."""
    server.script.behaviour = behaviour
    async with opened(kind, server) as detector:
        with capture_logs() as logs:
            assert await detector.score(CANARY, 60) is None
    assert (len(server.requests), server.redirected) == (1, 0)
    assert [entry["event"] for entry in logs] == ["detector_unavailable"]
    for hidden in (CANARY, SECRET, KEY, "X-Injected"):
        assert hidden not in str(logs)


async def test_another_model_is_no_score(kind: str, server: Server) -> None:
    """The model, or the version, that was configured has to answer."""
    server.script.model = "another"
    async with opened(kind, server) as detector:
        assert await detector.score(CANARY, 60) is None


@pytest.mark.parametrize(("deadline_ms", "left_s"), [(20, 60), (10_000, 0.02)])
async def test_a_late_detector_has_no_score(kind: str, server: Server, deadline_ms: int, left_s: float) -> None:
    """Its own deadline holds, and so does what is left of the time for reading."""
    server.script.behaviour = "silent"
    async with opened(kind, server, deadline_ms=deadline_ms) as detector:
        assert await detector.score(CANARY, left_s) is None


async def test_a_score_that_nobody_asked_for_is_no_score_of_a_later_text() -> None:
    """A text has the score that its own question got, or none."""

    def scored(asked: dict[str, str]) -> bytes:
        return json.dumps({"version": MODEL, "scores": {"a": 1000 * ("nerve" in asked["text"])}}).encode()

    async with answering_twice(scored) as (url, asked):
        detector = open_external(settings("http", url, categories={"a": "cbrn"}))
        assert await detector.score("good morning", 60) == {"cbrn": 0}
        await turns()
        assert await detector.score("a nerve agent", 60) == {"cbrn": 1000}
        assert len(asked) == 2
        await detector.close()


async def test_the_contract_is_what_is_sent_and_read() -> None:
    """The schemas of docs/spec accept what the gateway sends, and what it reads."""
    async with serve("detector") as server, opened("http", server) as detector:
        server.script = scored("http", 900, 0)
        assert await detector.score(CANARY, 60) == {"cbrn": 900, "weapons_design": 0}
    jsonschema.validate(server.requests[0], SCHEMAS["request"])
    jsonschema.validate({"version": MODEL, "scores": server.script.scores}, SCHEMAS["answer"])
    for odd in ({"version": 1, "scores": {}}, {"scores": {}}, {"version": "1", "scores": {"a": 0.5}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(odd, SCHEMAS["answer"])


@pytest.mark.parametrize("score", [True, None, "900", -1, 1001, 0.5, [900], {"a": 1}])
async def test_what_is_no_score_is_none(score: Any) -> None:
    """Integers from 0 to 1000 are scores, of exactly the categories that were asked for."""
    for kind in ("http", "anthropic"):
        async with serve(SERVED[kind]) as server, opened(kind, server) as detector:
            for scores in ({"a": score, "b": 0, "c": 0}, {"a": 1, "b": 0}, {"a": 1, "b": 0, "c": 0, "d": 0}):
                call = (("call_1", "report", json.dumps(scores)),)
                server.script = Script(texts=(), calls=call, scores=scores)
                assert await detector.score(CANARY, 60) is None


@pytest.mark.parametrize("share", [True, None, "0.9", -0.1, 1.1, float("nan"), [0.9]])
async def test_what_is_no_share_is_no_score(share: Any) -> None:
    """The moderation endpoint gives numbers from 0 to 1; a category that is configured has to be there."""
    async with serve("moderation") as server, opened("moderation", server) as detector:
        for scores in ({"a": share, "b": 0, "c": 0}, {"a": 0.5, "b": 0}):
            server.script = Script(scores=scores)
            assert await detector.score(CANARY, 60) is None
        server.script = Script(scores={"a": 0.9996, "b": 1, "c": 0.0, "other": 0.7})
        assert await detector.score(CANARY, 60) == {"cbrn": 999, "weapons_design": 1000}


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        ("safe", (0, 0)),
        ("\n\nsafe", (0, 0)),
        ("unsafe\na", (1000, 0)),
        ("unsafe\na,b", (1000, 1000)),
        ("unsafe\nb, S14", (0, 1000)),
        ("unsafe\nS14", (0, 0)),
        ("unsafe", None),
        ("unsafe\n", None),
        ("unsafe\na because it is", None),
        ("Safe", None),
        ("safe, I think", None),
        ("I can't help with that.", None),
        ("", None),
    ],
)
async def test_a_verdict_is_one_of_two(verdict: str, found: tuple[int, int] | None) -> None:
    """safe, or unsafe and codes; those that nobody configured are not ours. Anything else is no verdict."""
    async with serve("openai") as server, opened("guard", server) as detector:
        server.script = Script(texts=(verdict,))
        expected = None if found is None else {"cbrn": found[0], "weapons_design": found[1]}
        assert await detector.score(CANARY, 60) == expected


async def test_what_fails_again_and_again_is_left_alone(kind: str, server: Server) -> None:
    """After so many failures in a row it is not asked, and has no score; an answer in between begins the count anew."""
    async with opened(kind, server, failures=2, pause_s=3_600) as detector:
        for behaviour in ("status", "answer", "status", "status", "answer", "answer"):
            server.script.behaviour = behaviour
            await detector.score(CANARY, 60)
        assert await detector.score(CANARY, 60) is None
    assert len(server.requests) == 4


def test_an_open_circuit_lets_one_try() -> None:
    """After the pause one is asked; others wait for how it ends: an answer closes the circuit, a failure opens it."""
    now = 0.0
    circuit = Circuit(1, 10, lambda: now)
    circuit.leave(circuit.enter(), answered=False)
    assert not circuit.enter()
    now = 10.0
    trial = circuit.enter()
    assert trial
    assert not circuit.enter()
    circuit.leave(trial, answered=False)
    now = 19.0
    assert not circuit.enter()
    now = 20.0
    circuit.leave(circuit.enter(), answered=None)  # nobody waited: another may try
    circuit.leave(circuit.enter(), answered=True)
    assert circuit.enter()
    assert circuit.enter()


def test_a_call_from_before_is_not_the_one_that_tries() -> None:
    """What was asked before the circuit opened, and ends while one tries, lets no second one try."""
    now = 0.0
    circuit = Circuit(1, 10, lambda: now)
    before, failing = circuit.enter(), circuit.enter()
    circuit.leave(failing, answered=False)
    now = 10.0
    assert circuit.enter()
    circuit.leave(before, answered=None)
    assert not circuit.enter()


async def test_it_can_only_add_to_what_others_found() -> None:
    """The higher score counts; where it has none, the signals that it scores have none, and others stay."""
    async with serve("detector") as server:
        external = open_external(settings("http", server.base_url, deadline_ms=10_000))
        detectors = Detectors(external=[external], deadline_ms=60_000)
        plain = {r.name: r.score for r in await Detectors().read(["Buy pens for the office."])}
        server.script = scored("http", 900, 0)
        readings = await detectors.read(["Buy pens for the office."])
        assert {r.name: r.score for r in readings} == plain | {"cbrn": 900}
        assert {r.version for r in readings} == {f"{(await Detectors().read(['']))[0].version}+{external.version}"}
        server.script = Script(behaviour="status")
        readings = await detectors.read(["Buy pens for the office."])
        assert {r.name: r.score for r in readings} == plain | {"cbrn": None, "weapons_design": None}
        await detectors.close()


async def test_it_reads_what_is_decoded_too() -> None:
    """What another detector would read of an encoded text is put before it below the text."""
    async with serve("detector") as server:
        server.script = scored("http", 0, 0)
        detectors = Detectors(
            external=[open_external(settings("http", server.base_url, deadline_ms=10_000))], deadline_ms=60_000
        )
        await detectors.read([f"Please do: {b'pick its own targets'.hex()}"])
        await detectors.close()
        assert "pick its own targets" in server.requests[0]["text"]


async def test_nothing_is_sent_of_no_content() -> None:
    """Content without text scores zero without a call."""
    detectors = Detectors(external=[open_external(settings("http"))])
    assert {r.score for r in await detectors.read(["", ""])} == {0}
    await detectors.close()


async def test_a_signal_that_does_not_exist_refuses_the_start() -> None:
    """A category that would be nobody's signal is a mistake, and the error names those that there are."""
    external = open_external(settings("http", categories={"a": "nuclear"}))
    with pytest.raises(StartError, match=r"signals\.external\.other\.categories: no such signal: nuclear; .*cbrn"):
        Detectors(external=[external])
    await external.close()


def test_what_is_configured_is_in_the_version(tmp_path: Path) -> None:
    """Another model, category or rubric is another version on the record."""
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("Judge strictly.")
    found = {
        open_external(settings("anthropic", **keys)).version
        for keys in ({}, {"model": "m"}, {"categories": {"x": "cbrn"}}, {"rubric": str(rubric)})
    }
    assert len(found) == 4
    assert all(version.startswith("other-") for version in found)


@pytest.mark.parametrize("url", ["http://detector.example", "http://localhost:9", "detector.example", ""])
def test_content_crosses_no_network_in_the_clear(kind: str, url: str) -> None:
    """https, or http to a loopback address, in every profile."""
    with pytest.raises(StartError, match=r"signals\.external\.other\.base_url: "):
        open_external(settings(kind, url))


def test_a_key_that_others_can_read_refuses_the_start(kind: str, tmp_path: Path) -> None:
    """The error says how to mend it, and shows nothing of the key."""
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600") as refused:
        open_external(settings(kind, api_key=str(key)))
    assert KEY not in str(refused.value)


def test_what_makes_no_sense_together_is_refused() -> None:
    """Two detectors of one name; a rubric for who reads none; no categories."""
    one = settings("http").model_dump()
    with pytest.raises(ValidationError, match="two detectors have the same name"):
        config.Signals.model_validate({"external": [one, one]})
    with pytest.raises(ValidationError, match="rubric: a detector of kind http has no such key"):
        settings("http", rubric="x")
    with pytest.raises(ValidationError, match="categories"):
        settings("http", categories={})
