"""Access tokens for tests, the defective ones named after their defect.

issuer = TokenIssuer(tenant="agency")
issuer.jwks()                                  # bytes for a jwks_file
issuer.token(certificate)                      # RFC 9068, bound to the PEM certificate
issuer.token(certificate, claims={"aud": "elsewhere"})
issuer.alg_none(certificate)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.clock import system_us
from gateway.identity.issue import create_token_key, jwks, thumbprint

ISSUER = "https://issuer.example"
AUDIENCE = "brightline"
MISSING = object()
"""As the value of a claim or header member: omit it."""

Signer = Callable[[bytes], bytes]


@dataclass(frozen=True)
class TokenIssuer:
    """A token issuer made for one test. By default it makes tokens that the gateway accepts."""

    issuer: str = ISSUER
    audience: str = AUDIENCE
    tenant: str = "agency"
    now_us: int = field(default_factory=system_us)
    key: bytes = field(default_factory=create_token_key)

    def jwks(self) -> bytes:
        return jwks(self.key)

    def jwk(self) -> dict[str, str]:
        """The one public JWK of this issuer."""
        jwk: dict[str, str] = json.loads(self.jwks())["keys"][0]
        return jwk

    def public_pem(self) -> bytes:
        public = serialization.load_pem_private_key(self.key, None).public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def claims(self, certificate: bytes) -> dict[str, Any]:
        now_s = self.now_us // 1_000_000
        return {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "analyst-7",
            "client_id": "triage-app",
            "tenant": self.tenant,
            "roles": ["analyst"],
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + 600,
            "jti": secrets.token_urlsafe(16),
            "cnf": {"x5t#S256": thumbprint(certificate)},
        }

    def header(self) -> dict[str, Any]:
        return {"alg": "ES256", "typ": "at+jwt", "kid": self.jwk()["kid"]}

    def token(
        self, certificate: bytes, claims: Mapping[str, Any] | None = None, header: Mapping[str, Any] | None = None
    ) -> str:
        """A signed token. The given claims and header members replace the valid ones, and MISSING removes one."""
        return compact(
            _merge(self.header(), header or {}), _merge(self.claims(certificate), claims or {}), self.signature
        )

    def signature(self, signing_input: bytes) -> bytes:
        """ES256 over the signing input (RFC 7515 section 5.1)."""
        key = serialization.load_pem_private_key(self.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input, key)

    def expired(self, certificate: bytes) -> str:
        now_s = self.now_us // 1_000_000
        return self.token(certificate, {"iat": now_s - 7200, "nbf": now_s - 7200, "exp": now_s - 3600})

    def alg_none(self, certificate: bytes, spelling: str = "none") -> str:
        return compact({**self.header(), "alg": spelling}, self.claims(certificate), lambda _: b"")

    def public_pem_as_hmac_secret(self, certificate: bytes) -> str:
        return self._hs256(certificate, self.public_pem())

    def jwk_as_hmac_secret(self, certificate: bytes) -> str:
        return self._hs256(certificate, json.dumps(self.jwk()).encode())

    def embedded_jwk(self, certificate: bytes) -> str:
        """Signed by an attacker's key that is embedded in the header (RFC 7515 section 4.1.3)."""
        attacker = TokenIssuer(self.issuer, self.audience, self.tenant, self.now_us)
        return attacker.token(certificate, header={"kid": self.jwk()["kid"], "jwk": attacker.jwk()})

    def signed_by_another_key(self, certificate: bytes) -> str:
        """Signed by a key that the issuer never had, under the issuer's kid."""
        attacker = TokenIssuer(self.issuer, self.audience, self.tenant, self.now_us)
        return attacker.token(certificate, header={"kid": self.jwk()["kid"]})

    def duplicate_claim(self, certificate: bytes, name: str = "tenant", first: str = "other") -> str:
        """A claim that occurs twice. Most parsers keep the last, some the first."""
        text = json.dumps(self.claims(certificate))
        return compact(self.header(), f"{{{json.dumps(name)}: {json.dumps(first)}, {text[1:]}", self.signature)

    def duplicate_header(self, certificate: bytes) -> str:
        text = json.dumps(self.header())
        return compact(f'{{"alg": "none", {text[1:]}', self.claims(certificate), self.signature)

    def id_token(self, certificate: bytes) -> str:
        return self.token(certificate, header={"typ": "JWT"})

    def _hs256(self, certificate: bytes, secret: bytes) -> str:
        header = {**self.header(), "alg": "HS256"}
        return compact(header, self.claims(certificate), lambda data: hmac.digest(secret, data, hashlib.sha256))


def compact(header: Mapping[str, Any] | str, payload: Mapping[str, Any] | str, sign: Signer) -> str:
    """A JWS in compact form from JSON objects or raw JSON text."""
    parts = [text if isinstance(text, str) else json.dumps(text) for text in (header, payload)]
    signing_input = b".".join(b64url(part.encode()) for part in parts)
    return (signing_input + b"." + b64url(sign(signing_input))).decode()


def b64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of the token, for assertions."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def jwk_set(*jwks: Mapping[str, Any]) -> bytes:
    """A JWK set. The JWKs may be invalid."""
    return json.dumps({"keys": list(jwks)}).encode()


@cache
def keys_of_every_type() -> Mapping[str, tuple[Any, Mapping[str, Any]]]:
    """A private key and its public JWK, kid "k", for each algorithm of the gateway. Made once: RSA keys are slow."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    p256, p384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    ed = ed25519.Ed25519PrivateKey.generate()
    named = {"kid": "k", "use": "sig"}
    return {
        "RS256": (key, {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), **named}),
        "PS256": (key, {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), **named}),
        "ES256": (p256, {**ECAlgorithm.to_jwk(p256.public_key(), as_dict=True), **named}),
        "ES384": (p384, {**ECAlgorithm.to_jwk(p384.public_key(), as_dict=True), **named}),
        "EdDSA": (ed, {**OKPAlgorithm.to_jwk(ed.public_key(), as_dict=True), **named}),
    }


def signed_with(algorithm: str, private_key: Any, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A token with another algorithm than ES256, for other types of keys."""
    return jwt.encode(dict(claims), private_key, algorithm=algorithm, headers=dict(header))


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in {**base, **changes}.items() if v is not MISSING}
