"""The content of a record, field by field. A record is canonical JSON of at most 65,535 bytes, and a leaf of the tree.

Text that a caller controls is escaped as JSON and otherwise unchanged. A record never has content.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from brightline_verify.record import MAX_BYTES, VERSION, Kind
from gateway.canonical import Json, NotCanonicalError, Written, WrittenArray, canonical
from gateway.errors import Rule
from gateway.types import Credentials, Decision, Principal, Reading, Release

_ESSENTIALS = ("v", "kind", "decision_id", "time_us", "clock", "where", "outcome", "reason", "release", "engine")

Record: TypeAlias = dict[str, Json]


class TooLargeError(ValueError):
    """The record is too large for a leaf."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the gateway runs, as stated in every record."""

    enclave: str
    node: str
    component: str
    listener: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record ready to be stored. The columns repeat parts of the leaf, so that it can be found.

    closes: write it only if an intent of the same decision id is durable and has no outcome yet.
    """

    leaf: bytes
    decision_id: str
    kind: str
    time_us: int
    tenant: str
    idempotency_key: str | None
    closes: bool = False


def entry(record: Record, *, closes: bool = False) -> Entry:
    """The entry of a record. Raises TooLargeError, canonical.NotCanonicalError."""
    leaf = canonical(record)
    if len(leaf) > MAX_BYTES:
        raise TooLargeError(f"the record has {len(leaf)} bytes; at most {MAX_BYTES} fit")
    return Entry(leaf, *columns(record), closes)


def fitting(record: Record, *, closes: bool = False) -> Entry:
    """The entry of a record that must be written: if it does not fit, parts are left out and named in `omitted`.

    First the decision's input is left out, then all but the essentials, which have no text of a caller or a model.
    """
    with contextlib.suppress(TooLargeError, NotCanonicalError):
        return entry(record, closes=closes)
    without_input = {key: value for key, value in record.items() if key != "input"}
    with contextlib.suppress(TooLargeError, NotCanonicalError):
        return entry(without_input | {"omitted": ["input"]}, closes=closes)
    principal = record.get("principal")
    essentials: Record = {key: record[key] for key in _ESSENTIALS if key in record}
    essentials["principal"] = {"tenant": principal["tenant"]} if isinstance(principal, Mapping) else None
    return entry(essentials | {"omitted": sorted(set(record) - set(_ESSENTIALS))}, closes=closes)


def columns(record: Mapping[str, Json]) -> tuple[str, str, int, str, str | None]:
    """decision_id, kind, time_us, tenant and idempotency_key of a record. Raises ValueError if one is missing."""
    principal = record.get("principal")
    tenant = principal.get("tenant") if isinstance(principal, Mapping) else ""
    match record.get("decision_id"), record.get("kind"), record.get("time_us"), tenant, record.get("idempotency_key"):
        case str(decision_id), str(kind), int(time_us), str(tenant), (str() | None) as key:
            return decision_id, kind, time_us, tenant, key
    raise ValueError("decision_id, kind, time_us, tenant or idempotency_key is missing or of another type")


def head(kind: Kind, decision_id: str, time_us: int, clock_source: str, place: Place) -> Record:
    """The fields that every record has."""
    return {
        "v": VERSION,
        "kind": str(kind),
        "decision_id": decision_id,
        "time_us": time_us,
        "clock": {"source": clock_source},
        "where": _where(place),
    }


# Values that many records share are serialised once and then copied.


@lru_cache(maxsize=16)
def _where(place: Place) -> Json:
    return Written(
        {
            "enclave": place.enclave,
            "node": place.node,
            "component": place.component,
            "listener": place.listener,
        }
    )


@lru_cache(maxsize=16)
def engine(name: str, version: str) -> Json:
    """The engine that decided."""
    return Written({"name": name, "version": version})


def peer(credentials: Credentials, principal: Principal | None) -> Json:
    """The peer. What its token says is included only if it was verified."""
    if principal is None:
        return {"address": credentials.address, "certificate": {"name": "", "sha256": _fingerprint(credentials)}}
    certificate, token = _shown(principal)
    return {"address": credentials.address, "certificate": certificate, "token": token}


@lru_cache(maxsize=1024)
def _shown(principal: Principal) -> tuple[Json, Json]:
    """The certificate and the token of an authenticated caller."""
    return (
        Written({"name": principal.certificate_name, "sha256": principal.certificate_sha256}),
        Written({"issuer": principal.issuer, "id": principal.token_id, "key_id": principal.key_id}),
    )


@lru_cache(maxsize=1024)
def who(principal: Principal | None) -> Json:
    """The authenticated caller; null if there is none."""
    if principal is None:
        return None
    return Written(
        {
            "tenant": principal.tenant,
            "subject": principal.subject,
            "client_id": principal.client_id,
            "roles": list(principal.roles),
        }
    )


def rules(fired: Iterable[Rule]) -> Json:
    """The rules that fired: identifier, class and effect. Titles and sources are in the release."""
    return [{"id": rule.id, "class": rule.cls, "effect": rule.effect} for rule in fired]


@lru_cache(maxsize=1024)  # most texts get the same readings
def readings(seen: tuple[Reading, ...]) -> Json:
    """The detectors' readings. A null score is a detector that was unavailable."""
    return WrittenArray([{"name": r.name, "version": r.version, "score": r.score} for r in seen])


@lru_cache(maxsize=256)
def decision(decided: Decision | None) -> Json:
    """Effect, obligations and grants; null if nothing was decided."""
    if decided is None:
        return None
    effect, grants = decided.effect.name.lower(), list(decided.grants)
    return Written({"effect": effect, "obligations": obligations(decided), "grants": grants})


def obligations(decided: Decision) -> Json:
    """The obligations of a decision."""
    return [
        {"kind": o.kind, "text": o.text, "limit": o.limit, "effectors": list(o.effectors)} for o in decided.obligations
    ]


def release(in_force: Release) -> Json:
    """The release in full, for the record of a start. For a signed release also version, signers and expiry."""
    made: dict[str, Json] = {
        "digest": in_force.digest,
        "version": in_force.version,
        "revision": in_force.revision,
        "signers": list(in_force.signers),
    }
    if in_force.metadata:
        made["signatures"] = [{"holder": s.holder, "role": s.role, "key": s.key} for s in in_force.signatures]
        made["metadata"] = dict(in_force.metadata)
        made["base"] = in_force.base
        made["expires_us"] = in_force.expires_us
    return made


def _fingerprint(credentials: Credentials) -> str:
    """SHA-256 of the presented certificate; empty if there is none that can be read."""
    for pem in credentials.certificates[:1]:
        try:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()
        except ValueError:
            return ""
    return ""
