"""The fields of a record, for every kind, as docs/spec/record.md defines them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from brightline_verify.fields import (
    FieldError,
    Object,
    Scalar,
    Type,
    anything,
    boolean,
    either,
    hexadecimal,
    integer,
    items,
    literal,
    maybe,
    members,
    named,
    text,
    word,
)

VERSION: Final = 1
MAX_BYTES: Final = 65_535


class Kind(StrEnum):
    """The kind of a record."""

    START = "start"
    STOP = "stop"
    INTENT = "intent"
    OUTCOME = "outcome"
    REFUSAL = "refusal"
    CHECK = "check"
    ACCESS = "access"
    AGGREGATE = "aggregate"
    RELEASE = "release"
    REVIEW = "review"
    SEALED = "sealed"
    APPROVAL = "approval"


class Outcome(StrEnum):
    """How a call ended, for readers. `reason` says why, for programs."""

    PERMITTED = "permitted"
    COMPLETED = "completed"
    REFUSED = "refused"
    PENDING = "pending"
    REFUSED_OUTPUT = "refused_output"
    UPSTREAM_ERROR = "upstream_error"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    PARTIAL = "partial"
    ERROR = "error"
    NOT_FORWARDED = "not_forwarded"
    UNKNOWN = "outcome_unknown"


def _some(optional: str, **fields: Type) -> Object:
    return Object(MappingProxyType(fields), frozenset(optional.split()))


_effect: Final = word("allow", "deny", "require_approval")
_digest: Final = hexadecimal(64, or_empty=True)
_engine: Final = _some("", name=text, version=text)
_signatures: Final = items(_some("", holder=text, role=text, key=text))
_release: Final = _some(
    "signatures metadata base expires_us",
    digest=_digest,
    version=integer,
    revision=text,
    signers=items(text),
    signatures=_signatures,
    metadata=members(integer),
    base=_digest,
    expires_us=integer,
)
_rules: Final = items(_some("", **{"id": text, "class": text, "effect": text}))
_readings: Final = items(_some("", name=text, version=text, score=maybe(integer)))
_incidents: Final = items(_some("", text=text, aware_at_us=integer, report_within_hours=integer))
_obligations: Final = items(_some("", kind=text, text=text, limit=integer, effectors=items(text)))
_judgement: Final = _some(
    "obligations safeguards tools exact",
    stage=text,
    effect=_effect,
    rules=_rules,
    obligations=maybe(_obligations),
    readings=_readings,
    safeguards=maybe(either(members(text), items(text))),
    tools=maybe(items(_some("apparent", name=text, effector=text, apparent=items(text)))),
    times=integer,
    exact=boolean,
)
_principal: Final = _some(
    "subject client_id roles", tenant=named("tenant", text), subject=text, client_id=text, roles=items(text)
)

_peer: Final = _some(
    "token",
    address=text,
    certificate=_some("", name=text, sha256=_digest),
    token=_some("", issuer=text, id=text, key_id=text),
)

_HEAD: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "v": Scalar("1", b"1", lambda value: type(value) is int and value == VERSION),
        "kind": literal(*Kind),
        "decision_id": named("decision_id", hexadecimal(32)),
        "time_us": named("time_us", integer),
        "clock": _some("", source=word("system", "monotonic")),
        "where": _some("", enclave=text, node=text, component=text, listener=text),
    }
)
"""Fields of every record, whatever was omitted."""

_CALL: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "outcome": literal(*Outcome),
        "method": text,
        "reason": text,
        "field": text,
        "rules": _rules,
        "principal": maybe(_principal),
        "release": _digest,
        "engine": _engine,
    }
)
_BEFORE: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "peer": _peer,
        "input": anything,
        "readings": _readings,
        "incidents": _incidents,
        "decision": maybe(_some("", effect=_effect, obligations=_obligations, grants=items(text))),
        "marking": Object({"in": anything, "out": items(text)}),
        "declared": maybe(members(anything)),
        "commitments": _some(
            "sealed",
            key=hexadecimal(16),
            judged=maybe(hexadecimal(64)),
            forwarded=maybe(hexadecimal(64)),
            sealed=hexadecimal(64),
        ),
        "counts": _some("", bytes_in=integer),
    }
)
_REVIEW: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "peer": _peer,
        "asked": members(anything),
        "scope": word("tenant", "all"),
        "given": maybe(integer),
    }
)
_APPROVAL: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "peer": _peer,
        "about": hexadecimal(32, or_empty=True),
        "idempotency_key": maybe(named("idempotency_key", text)),
        "approval": maybe(_some("", subject=text, digest=hexadecimal(64), until_us=integer, why=text)),
    }
)
_AFTER: Final[Mapping[str, Type]] = MappingProxyType(
    {
        "model": maybe(_some("", answered=text, stop=text)),
        "judgements": items(_judgement),
        "incidents": _incidents,
        "commitments": _some("sealed", key=hexadecimal(16), output=maybe(hexadecimal(64)), sealed=hexadecimal(64)),
        "counts": _some("", bytes_released=integer, tokens_in=maybe(integer), tokens_out=maybe(integer)),
    }
)
FIELDS: Final[Mapping[str, Mapping[str, Type]]] = MappingProxyType(
    {
        Kind.START: {
            "origin": text,
            "version": text,
            "release": _release,
            "engine": _engine,
        },
        Kind.STOP: {},
        Kind.INTENT: {**_CALL, **_BEFORE, "idempotency_key": maybe(named("idempotency_key", text))},
        Kind.OUTCOME: {**_CALL, **_AFTER},
        Kind.REFUSAL: {**_CALL, **_BEFORE},
        Kind.CHECK: {**_CALL, **_BEFORE},
        Kind.ACCESS: {**_CALL, **_BEFORE},
        Kind.REVIEW: {**_CALL, **_REVIEW},
        Kind.APPROVAL: {**_CALL, **_APPROVAL},
        Kind.AGGREGATE: {
            "outcome": literal(*Outcome),
            "counts": members(_some("", number=integer, first_us=integer, last_us=integer)),
        },
        Kind.RELEASE: {
            "outcome": literal(Outcome.COMPLETED, Outcome.REFUSED),
            "release": maybe(_release),
            "previous": _digest,
            "engine": _engine,
            "why": text,
        },
        Kind.SEALED: {
            "outcome": literal(Outcome.COMPLETED),
            "action": word("opened", "purged", "held", "freed"),
            "principal": maybe(_principal),
            "retention": text,
            "month": text,
            "about": text,
            "digests": items(hexadecimal(64)),
            "by": items(text),
            "why": text,
        },
    }
)
"""The additional fields of each kind."""

_TYPES: Final = {
    kind: Object({**_HEAD, **fields, "omitted": items(text)}, frozenset({*fields, "omitted"}))
    for kind, fields in FIELDS.items()
}


def pattern(record: Any) -> bytes:
    """The pattern of all canonical records of the same shape. Raises FieldError for an invalid record.

    All fields of the kind have to be present. Exceptions are fields that `omitted` names as too large, and an outcome
    that nobody knows.
    """
    if not isinstance(record, dict):
        raise FieldError("the record is not an object")
    kind = record.get("kind")
    if record.get("v") != VERSION or not isinstance(kind, str) or kind not in FIELDS:
        raise FieldError("the record is of a version or kind that is not known")
    found = _TYPES[kind](record, "")
    missing = FIELDS[kind].keys() - record.keys()
    if missing and "omitted" not in record and record.get("outcome") != Outcome.UNKNOWN:
        raise FieldError(f"{min(missing)} is missing")
    return found
