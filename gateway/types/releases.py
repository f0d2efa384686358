"""What a release contains: tenants, models, and decisions that its policy must make."""

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
    """The price of a million bytes and of a million tokens, in the unit of the tenants' quotas of spend."""

    million_bytes: int
    million_tokens: int

    def of(self, size: int, tokens: int) -> int:
        """The price of this many bytes sent to the model and tokens from it, rounded up."""
        return -(-(size * self.million_bytes + tokens * self.million_tokens) // 1_000_000)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the release. upstream: the name of its upstream; upstream_model: its identifier there."""

    id: str
    description: str
    upstream: str
    upstream_model: str
    attributes: Mapping[str, Json]
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A verified signature. role: in the release's metadata; key: its identifier there."""

    holder: str
    role: str
    key: str


@dataclass(frozen=True, slots=True)
class Check:
    """A decision that the policy of a release must make. effect: in lower case; rules: all that must fire."""

    id: str
    input: Mapping[str, Json]
    effect: str
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence about a change in a release. direction: looser, changed or stricter.

    about: who may know: "" for everybody, "tenant ID", "model ID", "agency NAME" for its own rules; any other value is
    for the signers only.
    """

    direction: str
    text: str
    about: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of the decisions of two releases on the same inputs. about: as in a change."""

    about: str
    decisions: int
    looser: int
    stricter: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One release following another, by their digests, as it was signed. before: empty for the first release."""

    before: str
    after: str
    version: int
    changes: tuple[Change, ...]
    compared: tuple[Compared, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A complete, immutable release. digest: SHA-256 of its canonical manifest.

    Only a signed release has signatures, metadata and expires_us: who signed, the version of each role, and when the
    first of them expires. base: the digest that both holders signed, if a holder's restrictions narrowed the release.
    steps: the known history of the release, oldest first.
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
