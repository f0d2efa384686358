"""Which CA may issue which names. Only a trust domain's own CAs can issue its SPIFFE IDs, if it is bound to them.

TLS has verified that a client CA issued the certificate. If several CAs are trusted, that is not enough: each could
issue names of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from gateway.config import TrustDomain
from gateway.errors import GatewayError, Reason, StartError
from gateway.identity.certificate import Certificate, invalid
from gateway.identity.reloading import UnreadableError, Watched

_MAX_BYTES: Final = 1 << 20
_MAX_CHAIN_BYTES: Final = 64 << 10
_MINUTE_US: Final = 60_000_000


class Issuers:
    """The CAs of one trust domain, as its file has them now."""

    def __init__(self, data: bytes) -> None:
        self._store = Store(x509.load_pem_x509_certificates(data))
        self.issued = lru_cache(maxsize=1024)(self._issued)

    def _issued(self, pem: bytes, chain: bytes, minute: int) -> bool:
        """Whether a valid chain (RFC 5280) leads from the certificate to one of the CAs. The result is cached for one
        minute, because an intermediate CA may expire.
        """
        time = datetime.fromtimestamp(minute * 60, UTC)
        between = ExtensionPolicy.webpki_defaults_ca()
        leaf = ExtensionPolicy.permit_all()  # `certificate` checks the leaf
        policy = PolicyBuilder().store(self._store).time(time).extension_policies(ca_policy=between, ee_policy=leaf)
        try:
            given = x509.load_pem_x509_certificates(chain) if chain else []
            policy.build_client_verifier().verify(x509.load_pem_x509_certificate(pem), given)
        except (VerificationError, ValueError):
            return False
        return True


class Domains:
    """The trust domains that are bound to CAs. If there are none, every client CA may issue every name."""

    def __init__(self, issuers: Mapping[str, Watched[Issuers]]) -> None:
        self._issuers = issuers

    async def check(self, certificate: Certificate, pem: bytes, chain: bytes, now_us: int) -> None:
        """Raise GatewayError(CERTIFICATE_INVALID) if the certificate has a name that its CA may not issue.

        chain: PEM of the presented certificates between the leaf and a CA. A certificate without a SPIFFE ID is named
        by its digest, which is unique. Raises IDENTITY_UNAVAILABLE if the CAs can't be read.
        """
        if not self._issuers or not certificate.trust_domain:
            return
        watched = self._issuers.get(certificate.trust_domain)
        if watched is None:
            raise invalid("its trust domain is not one of identity.trust_domains")
        try:
            issuers = await watched.current()
        except UnreadableError as error:
            raise GatewayError(
                Reason.IDENTITY_UNAVAILABLE, "the client certificate can't be checked at the moment", detail=str(error)
            ) from error
        if len(chain) > _MAX_CHAIN_BYTES or not issuers.issued(pem, chain, now_us // _MINUTE_US):
            raise invalid("it was not issued by a CA of its trust domain")


async def open_domains(settings: Sequence[TrustDomain]) -> Domains:
    """Read the CAs of each trust domain. Raises StartError."""
    issuers = {domain.name: Watched(domain.ca, Issuers, _MAX_BYTES) for domain in settings}
    for watched in issuers.values():
        try:
            await watched.current()
        except UnreadableError as error:
            raise StartError(f"identity.trust_domains.ca: {error}") from error
    return Domains(issuers)
