"""The development authority: a CA, certificates, a token key and tokens, for `brightline init` and tests.

No request uses it: an agency brings its own PKI and token issuer. Everything but write_private is a function of its
arguments and fresh randomness. Certificates and keys are PEM. Times are microseconds since 1970.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jwt.algorithms import ECAlgorithm

from gateway import atomic_files

_USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}
_SKEW = timedelta(minutes=5)
"""Certificates begin slightly in the past, so that a peer whose clock is behind accepts them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def create_ca(name: str, *, now_us: int) -> Pair:
    """A self-signed CA, valid for ten years, for leaf certificates and CRLs only (RFC 5280 4.2.1.9, path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key.public_key(), now_us, 3650)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(ca=True), critical=True)
    return Pair(_pem(builder.sign(key, hashes.SHA256())), _private_pem(key))


def issue_certificate(
    ca: Pair,
    *,
    usage: Literal["client", "server"],
    now_us: int,
    spiffe_id: str | None = None,
    hosts: Sequence[str] = (),
    days: int = 365,
) -> Pair:
    """A leaf certificate. hosts: DNS names and IP addresses. spiffe_id: its only URI name; None for a certificate
    that a tenant file maps by fingerprint.
    """
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [_host(host) for host in hosts]
    if spiffe_id is not None:
        names.append(x509.UniformResourceIdentifier(spiffe_id))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"brightline development {usage}")])
    builder = _builder(subject, issuer.subject, key.public_key(), now_us, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(_load_key(ca.key).public_key())
    builder = builder.add_extension(authority, critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([_USAGES[usage]]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(_pem(builder.sign(_load_key(ca.key), hashes.SHA256())), _private_pem(key))


def fingerprint(certificate: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits over the DER. A tenant file uses it to name a certificate without a URI."""
    return "sha256:" + x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()


def thumbprint(certificate: bytes) -> str:
    """The value of cnf.x5t#S256 for this certificate (RFC 8705 section 3.1)."""
    return _b64url(x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()))


def create_token_key() -> bytes:
    """A private key for ES256."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def jwks(*keys: bytes) -> bytes:
    """The JWK set (RFC 7517) of the public halves of these private keys."""
    return json.dumps({"keys": [_public_jwk(key) for key in keys]}, indent=1).encode()


def mint(
    key: bytes,
    certificate: bytes,
    *,
    issuer: str,
    audience: str,
    tenant: str,
    subject: str,
    client_id: str,
    now_us: int,
    roles: Sequence[str] = (),
    lifetime_s: int = 3600,
) -> str:
    """An RFC 9068 access token, valid for lifetime_s seconds from now_us, bound to this certificate (RFC 8705)."""
    now_s = now_us // 1_000_000
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "client_id": client_id,
        "tenant": tenant,
        "roles": list(roles),
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + lifetime_s,
        "jti": secrets.token_urlsafe(16),
        "cnf": {"x5t#S256": thumbprint(certificate)},
    }
    header = {"typ": "at+jwt", "kid": _public_jwk(key)["kid"]}
    return jwt.encode(claims, _load_key(key), algorithm="ES256", headers=header)


def write_private(path: Path, data: bytes) -> None:
    """Create the file with mode 0600. Raises FileExistsError, so that no key is overwritten."""
    atomic_files.create((path, data, 0o600))


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now_us: int, days: int
) -> x509.CertificateBuilder:
    begin = datetime.fromtimestamp(now_us // 1_000_000, UTC) - _SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _SKEW + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _public_jwk(key: bytes) -> dict[str, str]:
    public = ECAlgorithm.to_jwk(_load_key(key).public_key(), as_dict=True)
    required = json.dumps({k: public[k] for k in sorted(("crv", "kty", "x", "y"))}, separators=(",", ":"))
    kid = _b64url(hashlib.sha256(required.encode()).digest())  # RFC 7638: the thumbprint names the key
    return {**public, "kid": kid, "use": "sig", "alg": "ES256"}


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the development authority works with P-256 keys")
    return key


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _b64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
