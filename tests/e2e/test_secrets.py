"""What must not get out: prompts, answers, tokens and keys are searched for in the log, in records and in answers.

One gateway of its own process, with parts that break and an upstream that misbehaves; every way to end a call is taken,
then everything that was written or said is searched.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field, replace

import grpc
import pytest
import pytest_asyncio

from brightline import Authority, Tool
from gateway.canonical import canonical
from gateway.cli.demo_steps import TARGETING
from gateway.telemetry.meters import SPANS
from tests.support import faulty_gateway, upstream_servers
from tests.support.attacks import Attacker, attacking, issuer, message, refused_in, verified
from tests.support.gateways import HARMLESS, LOGISTICS, Deployment, spawned
from tests.support.observing import Collector, collector, scrape, told_port
from tests.support.raw_http2 import connected
from tests.support.upstream_servers import Script, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT, SYSTEM, SCHEMA, ANSWER = "canary-prompt-7311", "canary-system-2204", "canary-schema-9917", "canary-answer-5150"
API_KEY = "sk-canary-0451"
FORGERY = '\r\n{"event": "forged"}\x1b[31m'


@dataclass
class Heard:
    """A gateway, its upstream, and everything that callers were told when they were refused; also what is observed."""

    deployed: Deployment
    server: Server
    traces: Collector
    metrics: str = ""
    told: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def refused(self, attacker: Attacker, reason: str, method: str, data: bytes, **call: object) -> None:
        """Make a call that is refused, and keep what was told."""
        answer = await refused_in(self.deployed, reason, attacker.call(method, data, **call))  # type: ignore[arg-type]
        self.told.append(answer.everything)


def serve_model(data: bytes) -> bytes:
    """models.json with a model at the upstream."""
    document = json.loads(data)
    served = {"id": "served", "upstream": "service", "upstream_model": upstream_servers.MODEL}
    document["models"].append(document["models"][0] | served)
    return canonical(document)


def allow_model(data: bytes) -> bytes:
    """tenants.json that lets every tenant use it."""
    document = json.loads(data)
    for tenant in document["tenants"]:
        tenant["attributes"]["models"].append("served")
    return canonical(document)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Heard]:
    """The gateway, as talkative as it can be set."""
    deployed = Deployment.create(tmp_path_factory.mktemp("secrets"))
    key = deployed.folder / "api.key"
    key.write_text(API_KEY)
    key.chmod(0o600)
    deployed.change_release("models.json", serve_model)
    deployed.change_release("tenants.json", allow_model)
    async with upstream_servers.serve("openai") as server, collector() as traces:
        upstream = f'name = "service"\nkind = "openai"\nbase_url = "{server.base_url}"\napi_key = "api.key"\n'
        observed = f'[metrics]\naddress = "127.0.0.1:0"\n[tracing]\nendpoint = "{traces.url}"\nper_thousand = 1000\n'
        deployed.config.write_text(f"{deployed.config.read_text()}\n[[upstreams]]\n{upstream}\n{observed}")
        deployed.edit('profile = "development"', 'log_level = "debug"\nprofile = "development"')
        with spawned(deployed, program=("tests.support.faulty_gateway", "serve")):
            made = Heard(deployed, server, traces)
            await everything_that_can_go_wrong(made)
            made.metrics = await exported(told_port(deployed))
            yield made
        # The process has ended: what it wrote last is in its log as well.
    assert_nothing_leaked(made)


async def exported(port: int) -> str:
    """The metrics, once every span was sent."""
    while True:
        found = await scrape(port)
        made, sent, failed = (found.of("brightline_spans_total", result=result) for result in SPANS)
        assert not failed
        if made == sent:
            return found.text
        await asyncio.sleep(0.1)  # between two looks


def asked(word: str = "", *, model: str = "served", **changes: object) -> bytes:
    """A request full of canaries."""
    tool = Tool(
        name="lookup", description=SCHEMA, input_schema={"type": "object", "title": SCHEMA}, effector="read_only"
    )
    given = {"prompt": f"{PROMPT} {word}", "system": SYSTEM, "tools": [tool], "model": model}
    return message(**(given | changes))


async def everything_that_can_go_wrong(heard: Heard) -> None:
    """Refusals, failures and faults, each with canaries in all that it could repeat."""
    async with attacking(heard.deployed) as attacker:
        heard.tokens.append(attacker.token)
        heard.server.script = Script(texts=(ANSWER,))
        assert ANSWER.encode() in b"".join(await attacker.call(data=asked()))
        assert ANSWER.encode() in b"".join(await attacker.call("GenerateStream", asked()))
        for method in ("Generate", "GenerateStream"):
            await refusals(heard, attacker, method)
            await failures(heard, attacker, method)
            await faults(heard, attacker, method)
        await forged_tokens(heard, attacker)


async def refusals(heard: Heard, attacker: Attacker, method: str) -> None:
    """Refused before anything was forwarded."""
    denied = replace(HARMLESS, purpose="weapon_engagement", autonomy="autonomous")
    await heard.refused(attacker, "POLICY_DENIED", method, asked(use=denied))
    await heard.refused(attacker, "POLICY_DENIED", method, asked(model="unheard-of"))
    await heard.refused(attacker, "INVALID_REQUEST", method, asked() + b"\xa2\x06\x07canary!")
    await heard.refused(attacker, "INVALID_REQUEST", method, asked("NUL").replace(b" NUL", b"\0NUL"))
    await heard.refused(attacker, "REQUEST_TOO_LARGE", method, asked("x" * (1 << 20)))
    await heard.refused(attacker, "DEADLINE_REQUIRED", method, asked(), timeout=None)


async def failures(heard: Heard, attacker: Attacker, method: str) -> None:
    """The upstream fails, with secrets and line breaks in what it says, or answers what may not be answered."""
    for status in (400, 401, 429, 500):
        heard.server.script = Script("status", status=status)
        await heard.refused(attacker, "UPSTREAM_FAILED", method, asked())
    for behaviour in ("garbage", "not_json", "wrong_shape", "wrong_type", "error_event", "cut_clean"):
        heard.server.script = Script(behaviour, texts=(ANSWER, " ", ANSWER))
        await heard.refused(attacker, "UPSTREAM_FAILED", method, asked())
    heard.server.script = Script(texts=(ANSWER, f" {TARGETING}"))
    await heard.refused(attacker, "OUTPUT_DENIED", method, asked())


async def faults(heard: Heard, attacker: Attacker, method: str) -> None:
    """A part of the gateway raises with everything it knows in the text of the exception."""
    heard.server.script = Script(texts=(ANSWER, " break-output"))
    for word in faulty_gateway.WORDS:
        if word == "break-output" and method == "GenerateStream":
            continue  # streams are judged elsewhere
        use = replace(HARMLESS, authority=Authority(kind="statute", citation=f"1 USC {word}"))
        await heard.refused(attacker, "INTERNAL", method, asked(word, use=use))


async def forged_tokens(heard: Heard, attacker: Attacker) -> None:
    """Tokens that break the identity, or try to write lines of their own."""
    pem = heard.deployed.certificate(LOGISTICS)
    for claims in ({"sub": f"canary-subject{FORGERY}"}, {"tenant": f"x{FORGERY}"}, {"jti": FORGERY}):
        heard.tokens.append(issuer(heard.deployed).token(pem, claims))
        await heard.refused(
            attacker, "TOKEN_INVALID", "Generate", asked(), authorizations=[f"Bearer {heard.tokens[-1]}"]
        )
    broken = [f"Bearer {attacker.token}break-identity"]
    await heard.refused(attacker, "INTERNAL", "Generate", asked(), authorizations=broken)


def secrets(heard: Heard) -> dict[str, bytes]:
    """Every secret by its name: content, credentials, and the lines of every private key."""
    found = {"prompt": PROMPT, "system": SYSTEM, "answer": ANSWER, "API key": API_KEY}
    found |= {"upstream's secret": upstream_servers.SECRET, "subject": "canary-subject", "unknown field": "canary!"}
    found |= {f"token {n}": token.rpartition(".")[2] for n, token in enumerate(heard.tokens)}
    found |= {f"payload {n}": token.split(".")[1] for n, token in enumerate(heard.tokens)}
    for path in heard.deployed.folder.rglob("*.key"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("-")]
        found |= {f"{path.name} {n}": line for n, line in enumerate(lines)}
    return {name: text.encode() for name, text in found.items()}


def records(deployed: Deployment) -> list[bytes]:
    """The stored records, byte for byte."""
    with closing(sqlite3.connect(f"file:{deployed.folder / 'audit' / 'log.db'}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT leaf FROM entries ORDER BY idx")]


def assert_nothing_leaked(heard: Heard) -> None:
    """No secret is in the log, a record, what a refused caller was told, a metric or a span."""
    said = {
        "log": (heard.deployed.folder / "gateway.log").read_bytes(),
        "records": b"\n".join(records(heard.deployed)),
        "refusals": b"\n".join(heard.told),
        "metrics": heard.metrics.encode(),
        "traces": b"".join(heard.traces.bodies),
    }
    assert all(said.values())
    hidden = secrets(heard).items()
    assert [(name, where) for name, secret in hidden for where, text in said.items() if secret in text] == []
    verified(heard.deployed)


async def test_no_secret_is_written_or_told(heard: Heard) -> None:
    """Prompts, answers, tokens, keys and what an upstream says in an error are nowhere but where they belong."""
    assert len(heard.told) > 30
    assert API_KEY in heard.server.headers[0]["authorization"]
    assert PROMPT.encode() in heard.server.bodies[0]
    assert_nothing_leaked(heard)


async def test_a_fault_is_told_by_its_place_alone(heard: Heard) -> None:
    """An exception in the gateway is in its log by type and place, under the decision id of its record."""
    lines = [json.loads(line) for line in (heard.deployed.folder / "gateway.log").read_text().splitlines()]
    faults = {line["decision_id"]: line for line in lines if line["event"] == "fault"}
    recorded = {r["decision_id"] for r in heard.deployed.records("refusal", "outcome") if r["reason"] == "INTERNAL"}
    assert faults.keys() == recorded
    assert {line["exception"] for line in faults.values()} == {"RuntimeError"}
    assert all("faulty_gateway.py" in line["at"] for line in faults.values())


async def test_nobody_writes_a_line_of_the_log(heard: Heard) -> None:
    """Line breaks, escapes and JSON in what a caller controls stay inside the text of one line."""
    for path in (b"/a\x1b[31m/b", b'/x"},{"event":"forged"}', b"/a\r\nb: c"):
        async with connected(heard.deployed) as raw:
            await raw.answer(raw.begin("/", {":path": path}, end=True))
    citation = f"50 USC{FORGERY}"
    authority = Authority(kind="statute", citation=citation, id=FORGERY)
    use = replace(HARMLESS, authority=authority, marking=f"SECRET{FORGERY}")
    async with attacking(heard.deployed) as attacker:
        with pytest.raises(grpc.aio.AioRpcError):
            await attacker.call(data=asked(use=use))
    log = (heard.deployed.folder / "gateway.log").read_bytes()
    assert log.count(b"METHOD_UNKNOWN") >= 2
    for line in log.splitlines():
        assert json.loads(line)["event"] != "forged"
    assert not set(log) & (set(range(32)) - {10})
    assert max(log) < 127
    for record in records(heard.deployed):
        assert b"\x1b" not in record
        assert b"\n" not in record
    authorities = [r["input"]["request"]["authority"] for r in heard.deployed.records("refusal") if r["input"]]
    assert citation in [a["citation"] for a in authorities if a]
