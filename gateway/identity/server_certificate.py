"""Checks whether callers will accept the gateway's own certificate. TLS does not check that on its own side."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.errors import StartError


def check_shown(path: Path, pem: bytes, now_us: int) -> None:
    """Raise StartError for a certificate that every caller would refuse. path: for the message. pem: its chain."""
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension) as error:
        raise StartError(f"listener.certificate: {path}: cannot be read as a certificate") from error
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins.timestamp() <= now_us / 1_000_000 <= ends.timestamp():
        raise StartError(
            f"listener.certificate: {path}: callers refuse it: it is valid from {begins:%Y-%m-%d %H:%M} to "
            f"{ends:%Y-%m-%d %H:%M} UTC; renew it"
        )
    if not _for_servers(extensions):
        raise StartError(f"listener.certificate: {path}: callers refuse it: its extended key usage has no serverAuth")
    if not _named(extensions):
        raise StartError(
            f"listener.certificate: {path}: callers refuse it: it has no DNS name or IP address as subjectAltName"
        )


def _for_servers(extensions: x509.Extensions) -> bool:
    try:
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _named(extensions: x509.Extensions) -> bool:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)
