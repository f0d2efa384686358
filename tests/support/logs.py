"""Logs in a folder, and calls to record in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from brightline_verify.note import Signer, Verifier
from brightline_verify.record import Kind, Outcome
from brightline_verify.whole import Trust
from gateway.audit.keys import create_commitment_key, create_signing_key, load_signer, public_path
from gateway.audit.log import Log
from gateway.audit.record import Entry, Place, Record, decision, entry, head, peer, readings, release, rules
from gateway.audit.sqlite import Sqlite
from gateway.audit.store import Store
from gateway.audit.trail import Trail
from gateway.clock import Clock
from gateway.config import Audit
from gateway.errors import Rule, Source
from gateway.types import (
    Call,
    Credentials,
    Decision,
    Effect,
    End,
    Facts,
    Message,
    Model,
    Obligation,
    Permitted,
    Principal,
    Prompt,
    Reading,
    Release,
    Signature,
    Stop,
    Text,
    new_decision_id,
)

ORIGIN = "log.example/test"
PLACE = Place("enclave", "node-1", "gateway", "127.0.0.1:0")
START_US = 1_800_000_000_000_000

RULE = Rule(
    "weapon_engage_autonomous", "No autonomous engagement", "red_line", "None.", (Source("DoDD", "first_hand"),), "deny"
)
MODEL = Model("analyst", "A model", "loopback", "echo", {})
RELEASE = Release("ab" * 32, 7, ("provider", "agency"), "r7", b"", {}, {}, {"analyst": MODEL})
SIGNED = replace(
    RELEASE,
    version=8,
    signatures=(Signature("provider", "targets", "cd" * 32), Signature("agency", "targets", "ef" * 32)),
    metadata={"root": 1, "targets": 8},
    base="ab" * 32,
    expires_us=START_US + 86_400_000_000,
)
"""A release that both holders signed."""
PRINCIPAL = Principal(
    "tenant-a", "alice", "app-1", ("analyst",), "https://issuer.example", "jti-1", "key-1", "spiffe://a/app", "cd" * 32
)
ALLOW = Decision(Effect.ALLOW, (), (Obligation("max_tokens", limit=10), Obligation("label", text="CUI")), ())
DENY = Decision(Effect.DENY, (RULE,), (), ())
READINGS = (Reading("autonomous_targeting", "1", 12), Reading("domestic_surveillance", "1", None))
END = End(Stop.END, "echo", 3, 4)


def settings(folder: Path, **changes: Any) -> Audit:
    """Settings of a log in `folder`. Missing keys are created."""
    made = Audit(
        **{
            "path": folder / "audit.db",
            "origin": ORIGIN,
            "signing_key": folder / "log.key",
            "commitment_key": folder / "commit.key",
            **changes,
        }
    )
    if not made.signing_key.exists():
        create_signing_key(made.signing_key, made.origin)
    if not made.commitment_key.exists():
        create_commitment_key(made.commitment_key)
    return made


def signer(folder: Path) -> Signer:
    """The signer of the log in `folder`."""
    made = settings(folder)
    return load_signer(made.signing_key, made.origin)


def verifier(folder: Path) -> Verifier:
    """The public key with which an auditor checks the log in `folder`."""
    return Verifier.parse(public_path(settings(folder).signing_key).read_text())


def trust(folder: Path) -> Trust:
    """The same as a Trust, without kept checkpoints or witnesses."""
    return Trust(verifier(folder))


def prompt(text: str = "What is a checkpoint?", **use: Any) -> Prompt:
    """A prompt with the given facts of use."""
    return Prompt("analyst", "", (Message("user", (Text(text),)),), (), 100, None, {"purpose": "analysis", **use})


def facts(asked: Prompt) -> Facts:
    """The decision input of a prompt, as far as records need it."""
    request = {"marking": {"level": 1, "controls": []}, **asked.use}
    return Facts({"stage": "request", "request": request, "release": {"digest": RELEASE.digest}}, MODEL)


def call(method: str = "Generate", decision_id: str | None = None) -> Call:
    """A call to a method of the service."""
    name = f"/brightline.v1.InferenceService/{method}"
    return Call(decision_id or new_decision_id(START_US), name, Credentials((), (), "ipv4:127.0.0.1:9"), START_US)


@asynccontextmanager
async def opened(folder: Path, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Log]:
    """The log in `folder`, open."""
    log = await open_log(folder, clock, **changes)
    try:
        yield log
    finally:
        await log.close()


async def open_log(folder: Path, clock: Clock | None = None, **changes: Any) -> Log:
    """Open the log in `folder`. The caller closes it."""
    where = {"clock": clock or Clock(), "listener": PLACE.listener}
    return await Log.open(settings(folder, **changes), RELEASE, "wasm", "1.2.1", **where)


def decide(trail: Trail, decision: Decision = ALLOW, asked: Prompt | None = None) -> Permitted:
    """Take a trail up to the decision, and permit. Raises GatewayError as Decision.permit does."""
    asked = asked or prompt()
    known = facts(asked)
    trail.in_force(RELEASE, "wasm", "1.2.1")
    trail.proved(PRINCIPAL)
    trail.asked(asked)
    trail.saw(known, READINGS)
    trail.decided(decision)
    return decision.permit(asked, known)


async def complete(log: Log, asked: Prompt | None = None) -> str:
    """Make a whole successful call. Returns its decision id."""
    async with log.trail(call()) as trail:
        await trail.intend(decide(trail, asked=asked))
        trail.answered((Text("An answer."),), END)
        return trail.decision_id


def entries(count: int, *, first: int = 0, kind: Kind = Kind.REFUSAL, tenant: str = "t") -> list[Entry]:
    """Entries for a store, made without the gateway's path."""
    return [entry(record(kind, n, tenant)) for n in range(first, first + count)]


def record(kind: Kind, number: int, tenant: str = "t", after_us: int = 0, **fields: Any) -> Record:
    """A whole record with that number as its decision id and its time."""
    of_every = head(kind, f"{number:032x}", START_US + number + after_us, "system", PLACE)
    return {**of_every, **_call(kind, tenant), **_BESIDE[kind], **fields}


def _call(kind: Kind, tenant: str) -> Record:
    if kind in {Kind.START, Kind.STOP, Kind.AGGREGATE, Kind.RELEASE}:
        return {}
    if kind is Kind.SEALED:
        return {"outcome": "completed", "principal": {"tenant": tenant}}
    outcomes = {Kind.INTENT: Outcome.PERMITTED, Kind.REFUSAL: Outcome.REFUSED}
    return {
        "outcome": str(outcomes.get(kind, Outcome.COMPLETED)),
        "method": "/brightline.v1.InferenceService/Generate",
        "reason": "POLICY_DENIED" if kind is Kind.REFUSAL else "",
        "field": "",
        "rules": rules((RULE,)) if kind is Kind.REFUSAL else [],
        "principal": {"tenant": tenant, "subject": "alice", "client_id": "app-1", "roles": []},
        "release": RELEASE.digest,
        "engine": {"name": "wasm", "version": "1.2.1"},
    }


_BEFORE: Record = {
    "peer": peer(Credentials((), (), "ipv4:127.0.0.1:9"), PRINCIPAL),
    "input": {"stage": "request", "request": {"marking": {"level": 1, "controls": ["CUI"]}, "geo": []}, "now": 1},
    "readings": readings(READINGS),
    "decision": decision(ALLOW),
    "incidents": [],
    "marking": {"in": None, "out": []},
    "declared": {"conversation_id": "", "approval_id": ""},
    "commitments": {"key": "ab" * 8, "judged": "cd" * 32, "forwarded": None},
    "counts": {"bytes_in": 21},
}
_BESIDE: dict[Kind, Record] = {
    Kind.START: {
        "origin": ORIGIN,
        "version": "0.1.0",
        "release": release(RELEASE),
        "engine": {"name": "wasm", "version": "1.2.1"},
    },
    Kind.STOP: {},
    Kind.INTENT: {**_BEFORE, "idempotency_key": None},
    Kind.OUTCOME: {
        "model": {"answered": "echo", "stop": "end"},
        "judgements": [
            {
                "stage": "response",
                "effect": "allow",
                "rules": [],
                "obligations": None,
                "readings": readings(READINGS),
                "safeguards": {"detector.lexical": "stale", "usage_monitoring": "live"},
                "tools": None,
                "times": 1,
                "exact": True,
            }
        ],
        "incidents": [],
        "commitments": {"key": "ab" * 8, "output": "ef" * 32},
        "counts": {"bytes_released": 10, "tokens_in": 3, "tokens_out": None},
    },
    Kind.REFUSAL: _BEFORE,
    Kind.CHECK: _BEFORE,
    Kind.ACCESS: _BEFORE,
    Kind.REVIEW: {
        "peer": _BEFORE["peer"],
        "asked": {"filter": {"tenant": "t", "from_us": 1}},
        "scope": "tenant",
        "given": 3,
    },
    Kind.APPROVAL: {
        "peer": _BEFORE["peer"],
        "about": "0" * 32,
        "approval": {"subject": "bob", "digest": "ab" * 32, "until_us": 2, "why": "reviewed"},
        "idempotency_key": "approved/" + "0" * 32,
    },
    Kind.AGGREGATE: {"outcome": "refused", "counts": {"OVERLOADED": {"number": 2, "first_us": 1, "last_us": 2}}},
    Kind.RELEASE: {
        "outcome": "completed",
        "release": release(SIGNED),
        "previous": "cd" * 32,
        "engine": {"name": "wasm", "version": "1.2.1"},
        "why": "",
    },
    Kind.SEALED: {
        "action": "opened",
        "retention": "standard",
        "month": "2026-11",
        "about": "0" * 32,
        "digests": ["ab" * 32],
        "by": ["ito", "meyer"],
        "why": "case 7",
    },
}


def fill(folder: Path, count: int, *, every: int = 7) -> None:
    """A closed log of `count` entries with a checkpoint after each `every`."""
    store = Store(Sqlite(settings(folder).path), signer(folder))
    made = entries(count)
    for start in range(0, count, every):
        store.append(made[start : start + every])
        store.checkpoint()
    store.close()


def records(folder: Path) -> list[dict[str, Any]]:
    """Every record in the log, as JSON."""
    with reading(folder) as db:
        return [json.loads(leaf) for (leaf,) in db.execute("SELECT leaf FROM entries ORDER BY idx")]


def kinds(folder: Path) -> list[str]:
    """The kinds of the records, without start and stop."""
    return [r["kind"] for r in records(folder) if r["kind"] not in {"start", "stop"}]


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of the log in `folder`, as another process sees it."""
    with closing(sqlite3.connect(folder / "audit.db", isolation_level=None)) as db:
        yield db
