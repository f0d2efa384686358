"""The policy in force, and changes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from brightline import _check, _words
from brightline.errors import NotThisGateway
from brightline.v1 import policy_pb2

_DIGEST = re.compile(r"([0-9a-f]{64})?")


class Direction(StrEnum):
    """Whether a change loosens. CHANGED: only the computed effect shows the direction."""

    LOOSER = "looser"
    CHANGED = "changed"
    STRICTER = "stricter"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that the gateway verified. holder: provider or agency. role: "targets" is the one that both sign."""

    holder: str
    role: str
    key: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A relaxation of one of the provider's rules for the tenant. Times: milliseconds since 1970 UTC."""

    id: str
    rule: str
    purposes: tuple[str, ...]
    addendum: str
    not_before_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Terms:
    """The tenant's terms in the release. rules: the selectable rules that the tenant selected."""

    tenant: str
    purposes: tuple[str, ...]
    models: tuple[str, ...]
    marking_ceiling: str
    rules: tuple[str, ...]
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class InForce:
    """The release in force. since_us, expires_us: microseconds since 1970 UTC; expires_us is 0 for an unsigned release.

    base: the release that both holders signed, if a restriction by one holder is in force; otherwise empty.
    """

    decision_id: str
    release: str
    version: int
    revision: str
    since_us: int
    expires_us: int
    base: str
    signatures: tuple[Signature, ...]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence that describes one change."""

    direction: Direction
    text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The decisions of two releases on the same inputs. about: "tenant NAME", "model NAME", or empty for the rules."""

    about: str
    decisions: int
    looser: int
    stricter: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """The change from one release to the next, by their digests. before is empty for the first release."""

    before: str
    after: str
    version: int
    changes: tuple[Change, ...]
    effects: tuple[Compared, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes, oldest step first."""

    decision_id: str
    steps: tuple[Step, ...]


def asked(before: str, after: str) -> policy_pb2.GetChangesRequest:
    """The request message. Raises ValueError."""
    for field, value in (("before", before), ("after", after)):
        _check.matching(field, value, _DIGEST, "64 hexadecimal digits, or empty")
    return policy_pb2.GetChangesRequest(before=before, after=after)


def in_force(message: policy_pb2.GetInForceResponse) -> InForce:
    """The release in force. Raises NotThisGateway."""
    if not message.decision_id or not message.release:
        raise NotThisGateway("the answer names no record or no release")
    return InForce(
        message.decision_id,
        message.release,
        message.version,
        message.revision,
        message.since_us,
        message.expires_us,
        message.base,
        tuple(Signature(s.holder, s.role, s.key) for s in message.signatures),
        _terms(message.tenant),
    )


def changes(message: policy_pb2.GetChangesResponse) -> Changes:
    """The changes. Raises NotThisGateway."""
    if not message.decision_id:
        raise NotThisGateway("the answer names no record (decision_id)")
    return Changes(message.decision_id, tuple(_step(step) for step in message.steps))


def _terms(message: policy_pb2.TenantTerms) -> Terms:
    return Terms(
        message.id,
        tuple(message.purposes),
        tuple(message.models),
        message.marking_ceiling,
        tuple(message.rules),
        tuple(_grants(message.grants)),
    )


def _grants(messages: Iterable[policy_pb2.TenantGrant]) -> Iterable[Grant]:
    for grant in messages:
        times = grant.not_before_ms, grant.expires_ms
        yield Grant(grant.id, grant.rule, tuple(grant.purposes), grant.addendum, *times)


def _step(message: policy_pb2.ReleaseStep) -> Step:
    words = (_words.word(policy_pb2.Direction, change.direction) for change in message.changes)
    return Step(
        message.before,
        message.after,
        message.version,
        tuple(Change(Direction(w), c.text) for w, c in zip(words, message.changes, strict=True)),
        tuple(Compared(e.about, e.decisions, e.looser, e.stricter, tuple(e.examples)) for e in message.effects),
    )
