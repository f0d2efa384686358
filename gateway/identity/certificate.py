"""Parses a client certificate from PEM, and derives the one name that a tenant file maps.

The TLS layer has already verified possession of the key and the chain to the client CA. This module checks what TLS
does not: the certificate is for clients, it is valid now by the gateway's clock, its key and its signature digest are
strong enough, and it has one name (SPIFFE X.509-SVID, RFC 5280).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import GatewayError, Reason

_MAX_PEM_BYTES = 16 << 10
_MAX_SPIFFE_ID = 2048
_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
"""A SPIFFE ID with a path (SPIFFE-ID sections 2.1 to 2.4): no port, user, query, fragment, escape or dot segment."""
_CARD = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""The identifier of a PIV card (FIPS 201-3). It names the card and says nothing about a tenant."""

_DIGESTS = {"sha256", "sha384", "sha512"}
_RSA_BITS = 2048
_CURVE_BITS = 256


@dataclass(frozen=True, slots=True)
class Certificate:
    """A well-formed client certificate. name: its SPIFFE ID, or `sha256:` and the hexadecimal digest of its DER.

    trust_domain: of its SPIFFE ID; empty if it has none. thumbprint: its x5t#S256 (RFC 8705). issuer: the issuer's
    name as DER. Times are seconds since 1970 UTC, both inclusive.
    """

    name: str
    trust_domain: str
    sha256: str
    thumbprint: str
    issuer: bytes
    serial: int
    not_before_s: int
    not_after_s: int


def only(certificates: Sequence[bytes]) -> bytes:
    """The one PEM certificate that the peer presented. Raises GatewayError(CERTIFICATE_INVALID) if there is not one."""
    if len(certificates) != 1:
        raise invalid(f"{len(certificates)} certificates presented")
    return certificates[0]


@lru_cache(maxsize=1024)
def parse(pem: bytes) -> Certificate:
    """Parse one PEM certificate. Raises GatewayError(CERTIFICATE_INVALID).

    The result depends only on the bytes, so it is cached. Whatever depends on the time is checked at each use.
    """
    if len(pem) > _MAX_PEM_BYTES or pem.count(b"-----BEGIN ") != 1:
        raise invalid("not one PEM certificate of bounded size")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        problem = _weakness(certificate) or _usage_problem(certificate.extensions)
        names = _uri_names(certificate.extensions)
        digest = certificate.fingerprint(hashes.SHA256())
        issuer = certificate.issuer.public_bytes()
    except Exception as error:
        raise invalid(f"unreadable: {type(error).__name__}") from error
    if problem:
        raise invalid(problem)
    if len(names) > 1:
        raise invalid("several URI names")
    if names and _CARD.fullmatch(names[0]):
        names = []
    if names and (len(names[0]) > _MAX_SPIFFE_ID or not _SPIFFE_ID.fullmatch(names[0])):
        raise invalid("its URI name is neither a SPIFFE ID nor the UUID of a card")
    return Certificate(
        name=names[0] if names else f"sha256:{digest.hex()}",
        trust_domain=names[0].split("/", 3)[2] if names else "",
        sha256=digest.hex(),
        thumbprint=urlsafe_b64encode(digest).rstrip(b"=").decode(),
        issuer=issuer,
        serial=certificate.serial_number,
        not_before_s=timegm(certificate.not_valid_before_utc.utctimetuple()),
        not_after_s=timegm(certificate.not_valid_after_utc.utctimetuple()),
    )


def check_period(certificate: Certificate, now_us: int) -> None:
    """Raise GatewayError(CERTIFICATE_INVALID) outside the validity period (RFC 5280 section 4.1.2.5)."""
    if not certificate.not_before_s <= now_us // 1_000_000 <= certificate.not_after_s:
        raise invalid("outside of its validity period")


def _weakness(certificate: x509.Certificate) -> str:
    """A weakness that NIST SP 800-57 disallows; empty if none. TLS accepts RSA of 1,024 bits and SHA-1 signatures."""
    digest, key = certificate.signature_hash_algorithm, certificate.public_key()
    if digest is not None and digest.name not in _DIGESTS:  # Ed25519 has a digest of its own
        return f"signed with {digest.name}"
    match key:
        case RSAPublicKey() if key.key_size >= _RSA_BITS:
            return ""
        case EllipticCurvePublicKey() if key.curve.key_size >= _CURVE_BITS:
            return ""
        case Ed25519PublicKey():
            return ""
    return "its key is neither RSA of 2,048 bits or more, nor of a curve of 256 or more, nor Ed25519"


def _usage_problem(extensions: x509.Extensions) -> str:
    try:
        if ExtendedKeyUsageOID.CLIENT_AUTH not in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value:
            return "its extended key usage is not clientAuth"
    except x509.ExtensionNotFound:
        return "no extended key usage"
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            return "a CA certificate"
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign or not value.digital_signature):
            return "its key usage is not a client's"
    return ""


def _uri_names(extensions: x509.Extensions) -> list[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def invalid(detail: str) -> GatewayError:
    """The refusal of a certificate. detail: the reason, for the operator only."""
    return GatewayError(
        Reason.CERTIFICATE_INVALID, "the client certificate is not one that this gateway accepts", detail=detail
    )
