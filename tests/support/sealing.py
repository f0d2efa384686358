"""Sealed stores in a folder, and calls whose content has to be sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from brightline_verify.database import File
from gateway.audit.keys import create_signing_key
from gateway.audit.log import Log
from gateway.audit.sealed.places import create_reviewer_key
from gateway.audit.show import show
from gateway.config import Sealed
from gateway.types import Decision, Effect, Obligation, Text, ToolUse
from tests.support import logs

REVIEWERS = ("ito", "meyer", "okafor")
SEALING = Decision(Effect.ALLOW, (), (Obligation("seal_content", text="standard"),), ())


def settings(folder: Path, **changes: Any) -> Sealed:
    """Settings of a sealed store in `folder`. Missing keys are created."""
    made = Sealed(
        **{
            "path": folder / "sealed.db",
            "keys": folder / "keys",
            "reviewers": tuple(folder / f"{name}.key.pub" for name in REVIEWERS),
            "log": folder / "openings.db",
            "log_origin": "log.example/openings",
            "log_key": folder / "openings.key",
            "deadline_ms": 30_000,
            **changes,
        }
    )
    for name in REVIEWERS:
        if not (folder / f"{name}.key").exists():
            create_reviewer_key(folder / f"{name}.key", name, b"")
    if not made.log_key.exists():
        create_signing_key(made.log_key, made.log_origin)
    if made.keys is not None:
        made.keys.mkdir(mode=0o700, exist_ok=True)
    return made


def section(folder: Path) -> str:
    """The same settings as a section of a configuration file."""
    made = settings(folder)
    paths = {name: str(getattr(made, name)) for name in ("path", "keys", "log", "log_key", "log_origin")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in paths.items()]
    lines += [f"reviewers = {json.dumps(list(map(str, made.reviewers)))}", f"deadline_ms = {made.deadline_ms}"]
    return "[audit.sealed]\n" + "\n".join(lines) + "\n\n"


async def ask(
    log: Log,
    text: str = "A secret question",
    *answer: Text | ToolUse,
    decision: Decision = SEALING,
    tenant: str = logs.PRINCIPAL.tenant,
) -> str:
    """Make a whole call whose content has to be sealed. Returns its decision id."""
    async with log.trail(logs.call()) as trail:
        permitted = logs.decide(trail, decision, logs.prompt(text))
        trail.proved(replace(logs.PRINCIPAL, tenant=tenant))
        await trail.intend(permitted)
        trail.answered(answer or (Text("A secret answer"),), logs.END)
        return trail.decision_id


async def refuse(log: Log, decision: Decision, text: str) -> None:
    """Make a call that the policy refuses or holds back for approval. Raises the GatewayError."""
    async with log.trail(logs.call()) as trail:
        logs.decide(trail, decision, logs.prompt(text))


def told(folder: Path, decision_id: str) -> list[Any]:
    """The records of a decision in the log."""
    return [one.record for one in show(File(folder / "audit.db"), logs.verifier(folder), decision_id)]
