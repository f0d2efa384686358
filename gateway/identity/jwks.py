"""The keys of a token issuer, from a JWK set (RFC 7517), parsed strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.identity import strict_json

MAX_BYTES = 256 << 10

ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "ES384", "EdDSA"})
"""Signature algorithms for tokens. None is symmetric, so a public key can't be used as a secret."""

_PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}
_RSA_BITS: Final = range(2048, 8192 + 1)

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Key:
    """A verification key. algorithms: those that its type allows. spki: its public bytes, to compare keys."""

    kid: str
    algorithms: tuple[str, ...]
    spki: bytes
    public: PublicKey = field(compare=False, repr=False)


def parse_jwks(data: bytes) -> Mapping[str, Key]:
    """The verification keys of a JWK set, by kid. Raises ValueError.

    A set with a secret, a weak RSA key or a duplicate kid is refused as a whole, so that the mistake is noticed. A key
    for another use or of an unknown type is skipped, as RFC 7517 section 5 asks.
    """
    match strict_json.loads(data):
        case {"keys": list(members)}:
            pass
        case _:
            raise ValueError("not a JWK set")
    keys: dict[str, Key] = {}
    for member in members:
        key = _parse_key(member)
        if key is not None and key.kid in keys:
            raise ValueError("two keys with one kid")
        if key is not None:
            keys[key.kid] = key
    return keys


def _parse_key(jwk: object) -> Key | None:
    if not isinstance(jwk, dict) or jwk.get("kty") == "oct" or not _PRIVATE.isdisjoint(jwk):
        raise ValueError("a key set must hold public keys alone")
    kid = jwk.get("kid")
    algorithms = _algorithms(jwk)
    if jwk.get("use") != "sig" or not isinstance(kid, str) or not algorithms:
        return None
    try:
        public = jwt.PyJWK(jwk, algorithm=algorithms[0]).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"a {jwk['kty']} key that can't be read") from error
    if isinstance(public, RSAPublicKey) and public.key_size not in _RSA_BITS:
        raise ValueError("an RSA key of fewer than 2048 or more than 8192 bits")
    return Key(kid, algorithms, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), public)


def _algorithms(jwk: Mapping[str, object]) -> tuple[str, ...]:
    """The algorithms that the key's type allows, narrowed to its own `alg` if it has one."""
    by_type: tuple[str, ...]
    match jwk:
        case {"kty": "RSA"}:
            by_type = ("RS256", "PS256")
        case {"kty": "EC", "crv": "P-256"}:
            by_type = ("ES256",)
        case {"kty": "EC", "crv": "P-384"}:
            by_type = ("ES384",)
        case {"kty": "OKP", "crv": "Ed25519"}:
            by_type = ("EdDSA",)
        case _:
            by_type = ()
    return tuple(name for name in by_type if jwk.get("alg", name) == name)
