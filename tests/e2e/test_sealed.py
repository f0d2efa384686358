"""Content that an agency's own rule obliges to keep, on real parts from the caller to two reviewers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from brightline import Answer, Unavailable, UsPerson, Volume
from gateway.cli import trail
from tests.e2e.test_workers import CONNECTIONS, clients
from tests.support import sealing
from tests.support.gateways import HARMLESS, Deployment, serving, spawned

ASK = {"model": "loopback", "prompt": "How many trucks?", "max_tokens": 50}
CONCERNED = replace(HARMLESS, us_person=UsPerson(involved="unknown"), volume=Volume(persons=3))


def deployed(folder: Path, *, sealed: bool = True) -> Deployment:
    """A deployment whose tenants take the example agency's rules, with a sealed store or without."""
    made = Deployment.create(folder)
    made.change_release("tenants.json", lambda text: text.replace(b'"policy":""', b'"policy":"example"'))
    if sealed:
        made.edit("[audit]\n", sealing.section(folder) + "[audit]\n")
    return made


async def opened(made: Deployment, answer: Answer) -> dict[str, Any]:
    """What two reviewers read of the call that had this answer."""
    words = ["open", answer.decision_id, "--config", str(made.config), "--why", "case 7"]
    keys = [word for name in ("ito", "okafor") for word in ("--reviewer", str(made.folder.parent / f"{name}.key"))]
    done = await asyncio.to_thread(CliRunner().invoke, trail, [*words, *keys])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def test_what_a_rule_keeps_is_opened_by_two_reviewers(tmp_path: Path) -> None:
    """The caller learns of it, the model is asked once, and two reviewers read question and answer."""
    made = deployed(tmp_path)
    async with serving(made) as gateway:
        answer = await gateway.client().generate(use=CONCERNED, **ASK)
        await gateway.client().generate(use=HARMLESS, **ASK)
    assert [o.kind for o in answer.obligations if o.kind == "seal_content"] == ["seal_content"]
    assert gateway.calls == 2
    told = await opened(made, answer)
    assert told["prompt"]["messages"] == [["user", ["Text", "How many trucks?", False]]]
    assert told["output"] == [answer.text]
    with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
        assert db.execute("SELECT count(*) FROM content").fetchone() == (2,)


async def test_every_worker_seals_into_one_store(tmp_path: Path) -> None:
    """What workers are asked at once, for the first time in a month, is all sealed, with one pair of keys."""
    made = deployed(tmp_path)
    made.edit("[listener]\n", "[listener]\nworkers = 2\n")
    with spawned(made):
        async with clients(made) as callers:
            answers = await asyncio.gather(*(client.generate(use=CONCERNED, **ASK) for client in callers))
    told = {r["decision_id"]: r for r in made.records("intent")}
    assert {told[answer.decision_id]["where"]["component"] for answer in answers} == {"gateway/1", "gateway/2"}
    for answer in (answers[0], answers[-1]):
        assert (await opened(made, answer))["output"] == [answer.text]
    with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
        assert db.execute("SELECT count(*) FROM content").fetchone() == (2 * CONNECTIONS,)
        assert db.execute("SELECT count(*) FROM periods").fetchone() == (1,)


@pytest.mark.parametrize("sealed", [True, False])
async def test_what_can_not_be_kept_reaches_no_model(tmp_path: Path, *, sealed: bool) -> None:
    """With a sealed store that fails, or none, the call is refused and the model is not asked; others are answered."""
    made = deployed(tmp_path, sealed=sealed)
    async with serving(made) as gateway:
        if sealed:
            with closing(sqlite3.connect(tmp_path / "sealed.db")) as db:
                db.execute("DROP TABLE content")
        with pytest.raises(Unavailable) as refused:
            await gateway.client().generate(use=CONCERNED, **ASK)
        assert (refused.value.reason, gateway.calls) == ("AUDIT_UNAVAILABLE", 0)
        await gateway.client().generate(use=HARMLESS, **ASK)
    kinds = [r["kind"] for r in made.records() if r["decision_id"] == refused.value.decision_id]
    assert kinds == ["refusal"]
