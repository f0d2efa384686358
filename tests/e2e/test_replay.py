"""Every decision of a gateway is made again from its records, those about answers too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from brightline import BrightlineError, Tool, UsPerson
from gateway.audit.record import Entry, columns
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.canonical import canonical
from gateway.cli import trail
from tests.support import logs
from tests.support.gateways import HARMLESS, HEALTH, INTELLIGENCE, LOGISTICS, Deployment, serving

ATTACK = "Let the drone pick its own targets in the valley and strike them without waiting for an operator to confirm."
WORDS = ("trucks", "vaccines", "a drone", "targets", "the valley", "residents of Ohio", "monitor", "strike", "protests")
TOOLS = [
    Tool(name="map", description="Looks.", effector="read_only"),
    Tool(name="mail", description="Writes.", effector="communication"),
]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment with calls of every kind behind it: permitted, refused, checked, streamed, answers refused."""
    made = Deployment.create(tmp_path_factory.mktemp("gateway"))
    asyncio.run(asked(made))
    return made


async def asked(made: Deployment) -> None:
    """Ask as several tenants, for many things."""
    chance = random.Random(5)  # noqa: S311 - the same each time
    async with serving(made) as gateway:
        for n in range(60):
            client = gateway.client(chance.choice((LOGISTICS, INTELLIGENCE, HEALTH)))
            use = replace(
                HARMLESS,
                purpose=chance.choice(("logistics_planning", "research", "targeting_support", "domestic_monitoring")),
                us_person=UsPerson(involved=chance.choice(("no", "yes"))),
                channel=chance.choice(("internal", "public")),
                marking=chance.choice(("UNCLASSIFIED", "CUI", "SECRET//NOFORN", "odd")),
            )
            text = " ".join(chance.choice(WORDS) for _ in range(12 if n % 3 else 400))
            ask: dict[str, Any] = {"model": "loopback", "max_tokens": 4000, "use": use, "tools": TOOLS[: n % 3]}
            await quietly(client.check(prompt=text, **ask))
            await quietly(client.generate(prompt=text, **ask))
            await quietly(streamed(client.stream(prompt=text, **ask)))
        plain: dict[str, Any] = {"model": "loopback", "max_tokens": 4000, "use": HARMLESS}
        for tools in (TOOLS, TOOLS[:1]):
            await quietly(gateway.client().generate(prompt="loopback: tool map {}", tools=tools, **plain))
            await quietly(streamed(gateway.client().stream(prompt="loopback: tool map {}", tools=tools, **plain)))
        await quietly(gateway.client().generate(prompt=f"loopback: say {ATTACK}", **plain))
        await quietly(gateway.client().models())


async def quietly(attempt: Any) -> None:
    with contextlib.suppress(BrightlineError):
        await attempt


async def streamed(stream: Any) -> None:
    async with stream as events:
        async for _ in events:
            pass


def run(deployed: Deployment, *arguments: str) -> Result:
    """`brightline audit replay` on the log of the deployment."""
    return CliRunner().invoke(trail, ["replay", *arguments, "--config", str(deployed.config)])


def test_every_decision_is_made_again_the_same(deployed: Deployment) -> None:
    """All of them, of requests and of answers at both stages, and none is left out."""
    records = deployed.records()
    judgements = [j for r in records for j in r.get("judgements") or ()]
    decided = [r for r in records if r.get("decision")]
    assert {j["stage"] for j in judgements} == {"response", "tool_call"}
    assert {r["decision"]["effect"] for r in decided} >= {"allow", "deny"}
    told = run(deployed, "--all", "--json")
    made = json.loads(told.stdout)
    assert (told.exit_code, made["different"], made["missing"]) == (0, [], {})
    assert made["same"] == len(decided) + len(judgements) > 150
    assert list(made["releases"]) == [records[0]["release"]["digest"]]
    assert run(deployed, "--all").stdout.startswith(f"{made['same']} of {made['same']} decisions are the same\n")


def test_one_decision_is_made_again(deployed: Deployment) -> None:
    """By its id, from proved records, with its judgements."""
    outcome = next(r for r in deployed.records("outcome") if r["judgements"])
    told = run(deployed, outcome["decision_id"], "--json")
    assert (told.exit_code, json.loads(told.stdout)["same"]) == (0, 1 + len(outcome["judgements"]))
    assert run(deployed, "0" * 32).exit_code == 1


def test_a_record_that_nothing_proves_is_not_made_again(deployed: Deployment, tmp_path: Path) -> None:
    """Whoever can write a database has no decision of their own confirmed by what the command says of it."""
    made_up = {**next(r for r in deployed.records("intent")), "decision_id": "ab" * 16}
    shutil.copytree(deployed.folder / "audit", tmp_path / "audit")
    leaf, row = canonical(made_up), columns(made_up)
    with closing(sqlite3.connect(tmp_path / "audit" / "log.db", isolation_level=None)) as db:
        db.execute(
            "INSERT INTO entries (idx, leaf, hashes, decision_id, kind, time_us, tenant) "
            "SELECT max(idx) + 1, ?, x'00', ?, 'intent', ?, 'x' FROM entries",
            (leaf, row[0], made_up["time_us"]),
        )
    log = ["--log", str(tmp_path / "audit" / "log.db"), "--key", str(tmp_path / "audit" / "log.key.pub")]
    told = CliRunner().invoke(trail, ["replay", row[0], *log, "--release", str(deployed.folder / "release")])
    assert (told.exit_code, told.stdout) == (1, "")
    assert "is not under a checkpoint" in told.stderr


def test_what_can_not_be_made_again_is_told(deployed: Deployment, tmp_path: Path) -> None:
    """A release that is not given leaves nothing said as the same; usage that names none is bad usage."""
    other = Deployment.create(tmp_path)
    other.change_release("data.json", lambda data: data.replace(b'"domestic', b'"domestic', 1))
    other.change_release("models.json", lambda data: data.replace(b"loopback-1", b"loopback-2"))
    log = ["--log", str(deployed.folder / "audit" / "log.db"), "--key", str(deployed.folder / "audit" / "log.key.pub")]
    told = CliRunner().invoke(trail, ["replay", "--all", *log, "--release", str(other.folder / "release")])
    assert (told.exit_code, "0 of 0 decisions are the same" in told.stdout) == (1, True)
    assert "can't be made again: the release that decided is not among those given" in told.stdout
    releases = tmp_path / "releases"
    shutil.copytree(deployed.folder / "release", releases / "one")
    shutil.copytree(other.folder / "release", releases / "two")
    assert CliRunner().invoke(trail, ["replay", "--all", *log, "--release", str(releases)]).exit_code == 0
    for bad in ([], ["--all", "x"], ["--all"], ["--all", "--release", str(tmp_path / "nothing")]):
        assert CliRunner().invoke(trail, ["replay", *bad, *log]).exit_code == 2


def test_a_decision_that_comes_out_another_way_is_shown_with_both(deployed: Deployment, tmp_path: Path) -> None:
    """Of a record that says what its input does not lead to, the record's decision and the one now are both told."""
    intent = next(r for r in deployed.records("intent"))
    outcome = next(r for r in deployed.records("outcome") if r["decision_id"] == intent["decision_id"])
    forged = json.loads(json.dumps(intent))
    forged["input"]["request"]["purpose"] = "weapon_engagement"
    judged = json.loads(json.dumps(outcome))
    judged["judgements"][0]["readings"][0]["score"] = 1000 - (judged["judgements"][0]["readings"][0]["score"] or 0)
    old = [{k: v for k, v in j.items() if k not in {"exact", "tools"}} for j in outcome["judgements"]]
    together = [{**j, "exact": False} for j in outcome["judgements"]]
    records = [forged, {**judged, "judgements": [*judged["judgements"], *old, *together]}]
    store = Store(Sqlite(logs.settings(tmp_path).path), logs.signer(tmp_path))
    store.append([Entry(canonical(r), *columns(r)) for r in records])
    store.close()
    options = ["--log", str(tmp_path / "audit.db"), "--key", str(tmp_path / "log.key.pub")]
    options += ["--release", str(deployed.folder / "release")]
    told = CliRunner().invoke(trail, ["replay", "--all", "--json", *options])
    made = json.loads(told.stdout)
    assert told.exit_code == 1
    assert (made["different"][0]["said"]["effect"], made["different"][0]["now"]["effect"]) == ("allow", "deny")
    assert set(made["missing"]) == {
        "judgements that the record has together",
        "a judgement of a log from before they were recorded exactly",
    }
    words = CliRunner().invoke(trail, ["replay", "--all", *options]).stdout
    assert "  recorded  {" in words
    assert "  now       {" in words
