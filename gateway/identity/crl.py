"""Certificate revocation lists (RFC 5280 section 5), parsed strictly."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from gateway.errors import GatewayError, Reason
from gateway.identity.certificate import Certificate

MAX_BYTES = 64 << 20

_END = b"-----END X509 CRL-----"
_PART = x509.DeltaCRLIndicator, x509.IssuingDistributionPoint, x509.CertificateIssuer
"""Extensions, of a list or an entry, of lists that are not their issuer's full list. Such lists are refused."""


@dataclass(frozen=True, slots=True)
class _Crl:
    serials: frozenset[int]
    this_update_s: int
    next_update_s: int

    def check_current(self, now_us: int) -> None:
        if not self.this_update_s <= now_us // 1_000_000 <= self.next_update_s:
            raise _unavailable("the revocation list is past its nextUpdate or before its thisUpdate")


@dataclass(frozen=True, slots=True)
class Crls:
    """The revocation lists of the client CAs, by the issuer's name in DER."""

    crls: Mapping[bytes, _Crl]

    def check_current(self, now_us: int) -> None:
        """Raise GatewayError(IDENTITY_UNAVAILABLE) unless every list is current."""
        for crl in self.crls.values():
            crl.check_current(now_us)

    def check(self, certificate: Certificate, now_us: int) -> None:
        """Raise GatewayError: CREDENTIAL_REVOKED, or IDENTITY_UNAVAILABLE if no current list covers the issuer."""
        crl = self.crls.get(certificate.issuer)
        if crl is None:
            raise _unavailable("no revocation list of the certificate's issuer")
        crl.check_current(now_us)
        if certificate.serial in crl.serials:
            raise GatewayError(
                Reason.CREDENTIAL_REVOKED, "the client certificate was revoked", detail=f"serial {certificate.serial:x}"
            )


def parse(data: bytes, authorities: Sequence[x509.Certificate]) -> Crls:
    """Parse one DER list or several PEM lists, each signed by one of the client CAs. Raises ValueError.

    Each issuer has one full list: not delta, partitioned or indirect. A list with an unknown critical extension must
    not be used (RFC 5280 section 5.2).
    """
    try:
        return Crls(_crls(data, authorities))
    except (TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise ValueError(f"a revocation list that can't be read: {type(error).__name__}") from error


def _crls(data: bytes, authorities: Sequence[x509.Certificate]) -> Mapping[bytes, _Crl]:
    crls: dict[bytes, _Crl] = {}
    for crl in _load(data):
        if not any(_signed(crl, authority) for authority in authorities):
            raise ValueError("a revocation list is not signed by a client CA")
        issuer = crl.issuer.public_bytes()
        if issuer in crls:
            raise ValueError("two revocation lists of one issuer")
        if crl.next_update_utc is None:
            raise ValueError("a revocation list without nextUpdate")
        _check_whole(crl.extensions, "")
        crls[issuer] = _Crl(
            frozenset(_serials(crl)),
            timegm(crl.last_update_utc.utctimetuple()),
            timegm(crl.next_update_utc.utctimetuple()),
        )
    return crls


def _load(data: bytes) -> Iterator[x509.CertificateRevocationList]:
    if _END not in data:
        yield x509.load_der_x509_crl(data)
        return
    *blocks, rest = data.split(_END)
    if rest.strip():
        raise ValueError("data after the last revocation list")
    for block in blocks:
        yield x509.load_pem_x509_crl(block + _END)


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    if authority.subject != crl.issuer or not _may_sign_crls(authority):
        return False
    return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # TypeError if the key can't sign


def _may_sign_crls(authority: x509.Certificate) -> bool:
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _serials(crl: x509.CertificateRevocationList) -> Iterator[int]:
    for entry in crl:
        _check_whole(entry.extensions, " in an entry")
        yield entry.serial_number


def _check_whole(extensions: x509.Extensions, where: str) -> None:
    if any(extension.critical for extension in extensions):
        raise ValueError(f"a revocation list with a critical extension{where}")
    if any(isinstance(extension.value, _PART) for extension in extensions):
        raise ValueError(f"a revocation list that is only a part{where}")


def _unavailable(detail: str) -> GatewayError:
    return GatewayError(Reason.IDENTITY_UNAVAILABLE, "revocation can't be checked at the moment", detail=detail)
