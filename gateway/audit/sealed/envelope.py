"""The envelope of one prompt or answer, and the escrow of a private half. Bytes in, bytes out; no files.

Content is encrypted by AES-256-GCM under a random data key. The wrapping key wraps the data key, and HPKE wraps the
result (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM). Every layer authenticates the label, so what was sealed for one
decision does not open for another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.canonical import canonical

PROMPT, OUTPUT = "prompt", "output"
_BEGIN: Final = b"brightline sealed 1\n"
_NONCE: Final = 12
_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class SealError(Exception):
    """Sealed content does not open: it, its label or a key differs from those with which it was sealed."""


@dataclass(frozen=True, slots=True)
class Period:
    """What one pair of keys is for: a tenant, retention class and month. month: such as 2026-11."""

    tenant: str
    retention: str
    month: str

    def __str__(self) -> str:
        return f"{self.tenant} {self.retention} {self.month}"


@dataclass(frozen=True, slots=True)
class Label:
    """What was sealed: the decision, prompt or output, and the period."""

    decision_id: str
    what: str
    period: Period

    def bound(self) -> bytes:
        """The bytes that every layer authenticates."""
        return canonical({"v": 1, "decision_id": self.decision_id, "what": self.what, **asdict(self.period)})


def seal(content: bytes, label: Label, public: X25519PublicKey, wrap: Callable[[bytes, bytes], bytes]) -> bytes:
    """Make the envelope. wrap: wraps a data key, bound to the second argument, by the wrapping key."""
    bound, data_key, nonce = label.bound(), AESGCM.generate_key(256), os.urandom(_NONCE)
    wrapped = _SUITE.encrypt(wrap(data_key, bound), public, info=bound)
    body = AESGCM(data_key).encrypt(nonce, content, bound)
    return _BEGIN + len(wrapped).to_bytes(2) + wrapped + nonce + body


def unseal(sealed: bytes, label: Label, private: X25519PrivateKey, unwrap: Callable[[bytes, bytes], bytes]) -> bytes:
    """Open the envelope; return the content. Raises SealError."""
    if not sealed.startswith(_BEGIN):
        raise SealError("is no sealed content of version 1")
    rest = sealed[len(_BEGIN) :]
    length = int.from_bytes(rest[:2])
    wrapped, nonce, body = rest[2 : 2 + length], rest[2 + length :][:_NONCE], rest[2 + length + _NONCE :]
    bound = label.bound()
    try:
        data_key = unwrap(_SUITE.decrypt(wrapped, private, info=bound), bound)
        return AESGCM(data_key).decrypt(nonce, body, bound)
    except (InvalidTag, ValueError) as error:
        raise SealError("does not open: content, label or keys are others") from error


def escrow(
    private: X25519PrivateKey, reviewers: Mapping[str, X25519PublicKey], period: Period
) -> dict[str, dict[str, str]]:
    """Encrypt the private half for each pair of reviewers: any two are enough, and one is not."""
    info = _escrow_info(period)
    pairs: dict[str, dict[str, str]] = {}
    for one, other in combinations(sorted(reviewers), 2):
        inner = _SUITE.encrypt(private.private_bytes_raw(), reviewers[other], info=info)
        pairs.setdefault(one, {})[other] = _SUITE.encrypt(inner, reviewers[one], info=info).hex()
    return pairs


def recover(
    pairs: Mapping[str, Mapping[str, str]], reviewers: Sequence[tuple[str, X25519PrivateKey]], period: Period
) -> X25519PrivateKey:
    """The private half, recovered by two different reviewers. Raises SealError."""
    (one, first), (other, second) = sorted(reviewers, key=lambda reviewer: reviewer[0])
    info = _escrow_info(period)
    try:
        inner = _SUITE.decrypt(bytes.fromhex(pairs[one][other]), first, info=info)
        return X25519PrivateKey.from_private_bytes(_SUITE.decrypt(inner, second, info=info))
    except KeyError as error:
        raise SealError(f"{one} and {other} were not both reviewers when the keys of {period} were made") from error
    except (InvalidTag, ValueError) as error:
        raise SealError(f"the keys of {one} and {other} do not open {period}") from error


def _escrow_info(period: Period) -> bytes:
    return canonical({"v": 1, "escrow": asdict(period)})
