"""What a release says of tenants, models and its own decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.canonical import Json


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the release. attributes: the facts that rules see as input.tenant. quotas: see gateway.quotas."""

    id: str
    certificates: tuple[str, ...]
    attributes: Mapping[str, Json]
    quotas: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Price:
    """What a million of each costs, in the unit of the tenants' quotas of spend."""

    million_bytes: int
    million_tokens: int

    def of(self, size: int, tokens: int) -> int:
        """What so many bytes for the model and so many tokens of it cost, rounded up."""
        return -(-(size * self.million_bytes + tokens * self.million_tokens) // 1_000_000)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the release. upstream: name of the adapter; upstream_model: its identifier there."""

    id: str
    description: str
    upstream: str
    upstream_model: str
    attributes: Mapping[str, Json]
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature. role: of the release's metadata; key: its identifier there."""

    holder: str
    role: str
    key: str


@dataclass(frozen=True, slots=True)
class Check:
    """A decision that the policy of a release has to make. effect: in lower case; rules: every one behind it."""

    id: str
    input: Mapping[str, Json]
    effect: str
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence about what a release changed. direction: looser, changed or stricter.

    about: who may know: "" everybody, "tenant ID", "model ID", "agency NAME" of its own rules; else the signers alone.
    """

    direction: str
    text: str
    about: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was computed of the decisions of two releases, about the same inputs. about: as of a change."""

    about: str
    decisions: int
    looser: int
    stricter: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """From one release to the next, by their digests, as it was signed. before: empty for the first release."""

    before: str
    after: str
    version: int
    changes: tuple[Change, ...]
    compared: tuple[Compared, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """What is in force, whole and immutable. digest: SHA-256 of its canonical manifest.

    signatures, metadata and expires_us are of a signed release alone: who signed, the version of each role, and when
    the first of them expires. base: what both signed, where a holder's restrictions made something narrower of it.
    steps: how it came about, as far as is known, oldest first.
    """

    digest: str
    version: int
    signers: tuple[str, ...]
    revision: str
    wasm: bytes
    data: Mapping[str, Json]
    tenants: Mapping[str, Tenant]
    models: Mapping[str, Model]
    signatures: tuple[Signature, ...] = ()
    metadata: Mapping[str, int] = field(default_factory=dict)
    expires_us: int | None = None
    checks: tuple[Check, ...] = ()
    base: str = ""
    steps: tuple[Step, ...] = ()
