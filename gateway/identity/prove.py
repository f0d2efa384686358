"""Authenticates the caller: the only check of identity, step by step."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gateway.config import Identity as Settings
from gateway.errors import GatewayError, Reason
from gateway.identity import certificate as certificates
from gateway.identity import token as tokens
from gateway.identity.certificate import Certificate
from gateway.identity.jwks import Key
from gateway.identity.keys import Keys, open_keys
from gateway.identity.ledger import Ledger, open_ledger
from gateway.identity.revocation import Revocation, open_revocation
from gateway.identity.token import Claims
from gateway.identity.trust_domains import Domains, open_domains
from gateway.types import Credentials, Principal, Tenant, owners

CACHED_TOKENS = 10_000
"""Cached tokens, about 20 MB. Beyond this, the least recently used token is verified again at its next use."""


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Claims
    key: Key


@dataclass(frozen=True, slots=True)
class _Believed:
    """The result of steps 1 to 11. digest: of the token; kept: whether the token was cached."""

    principal: Principal
    verified: _Verified
    digest: bytes
    kept: bool


class Identity:
    """Authenticates callers. One per gateway. Opened by Identity.open, closed by close."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], int],
        *,
        keys: Mapping[str, Keys],
        ledger: Ledger,
        revocation: Revocation,
        domains: Domains,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._keys = keys
        self._ledger = ledger
        self._revocation = revocation
        self._domains = domains
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._tenants: Mapping[str, Tenant] = {}
        self._tenant_by_certificate: Mapping[str, str] = {}

    @classmethod
    async def open(cls, settings: Settings, clock: Callable[[], int], client_ca: Path) -> Identity:
        """Read the files in the settings. clock: microseconds since 1970 UTC. client_ca: PEM; signs the CRLs.

        Raises StartError.
        """
        revocation = await open_revocation(settings, client_ca)
        domains = await open_domains(settings.trust_domains)
        keys: dict[str, Keys] = {}
        try:
            for issuer in settings.issuers:
                keys[issuer.issuer] = await open_keys(issuer, clock)
            ledger = await open_ledger(settings.ledger)
        except BaseException:
            for opened in keys.values():
                await opened.close()
            raise
        return cls(settings, clock, keys=keys, ledger=ledger, revocation=revocation, domains=domains)

    async def close(self) -> None:
        """Stop fetching keys, and close the ledger."""
        for keys in self._keys.values():
            await keys.close()
        await self._ledger.close()

    async def check_ready(self) -> None:
        """Raise GatewayError(IDENTITY_UNAVAILABLE) unless every issuer has keys, and as `check_files` does."""
        for keys in self._keys.values():
            await keys.find("")  # no key has this kid: the question is only whether there are keys
        await self.check_files()

    async def check_files(self) -> None:
        """Raise GatewayError(IDENTITY_UNAVAILABLE) unless every list is current and the ledger can be written."""
        await self._revocation.check_current(self._clock())
        await self._ledger.check()

    async def prove(self, credentials: Credentials, tenants: Mapping[str, Tenant]) -> Principal:
        """Authenticate the caller. tenants: of the release in force; the same object while it is in force.

        Raises GatewayError: CERTIFICATE_INVALID, TENANT_UNKNOWN, TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED,
        CREDENTIAL_REVOKED, TOKEN_NOT_BOUND, TENANT_MISMATCH, TOKEN_REPLAYED, IDENTITY_UNAVAILABLE.

        The certificate, whose chain to the client CA and possession of the key TLS has verified:
           1 exactly one, well formed, for clients, with one name, which its CA may issue    2 in its validity period
           3 not revoked    4 of exactly one tenant
        The token:
           5 exactly one, of bounded size
           6 header, algorithm and form, before any key is looked up
           7 the key, by exact issuer and kid; then signature, audience, issuer and required claims
           8 in its validity period    9 bound to the certificate    10 of the same tenant    11 not revoked
          12 not a replay, durably
        A token that passed is cached. At each later use it skips only 6, the signature and 12.
        """
        now_us = self._clock()
        believed = await self._believe(credentials, tenants, now_us)
        if not believed.kept:
            await self._claim(believed.verified.claims, now_us)  # 12
            self._keep(believed.digest, believed.verified)
        return believed.principal

    async def prove_again(self, credentials: Credentials, tenants: Mapping[str, Tenant]) -> None:
        """All steps but 12, for a caller that waited after authentication. Raises GatewayError as `prove` does."""
        await self._believe(credentials, tenants, self._clock())

    async def _believe(self, credentials: Credentials, tenants: Mapping[str, Tenant], now_us: int) -> _Believed:
        pem = certificates.only(credentials.certificates)  # 1
        certificate = certificates.parse(pem)
        await self._domains.check(certificate, pem, credentials.chain, now_us)
        certificates.check_period(certificate, now_us)  # 2
        await self._revocation.check_certificate(certificate, now_us)  # 3
        tenant = self._tenant_of(certificate, tenants)  # 4

        text = tokens.bearer(credentials.authorizations)  # 5
        digest = sha256(text.encode()).digest()
        kept = await self._kept(digest)
        verified = kept or await self._verify(text)  # 6, 7
        claims = verified.claims
        tokens.check_times(claims, now_us, self._settings.leeway_s)  # 8
        tokens.check_binding(claims, certificate)  # 9
        if claims.tenant != tenant:  # 10
            raise GatewayError(Reason.TENANT_MISMATCH, "certificate and access token are of different tenants")
        await self._revocation.check_token(claims.token_id)  # 11
        principal = Principal(
            tenant=tenant,
            subject=claims.subject,
            client_id=claims.client_id,
            roles=claims.roles,
            issuer=claims.issuer,
            token_id=claims.token_id,
            key_id=claims.key_id,
            certificate_name=certificate.name,
            certificate_sha256=certificate.sha256,
        )
        return _Believed(principal, verified, digest, kept is not None)

    def lane(self, credentials: Credentials, tenants: Mapping[str, Tenant]) -> tuple[str, bytes]:
        """The lane of a call, by its certificate alone: for fairness under overload, not for trust.

        The lane includes the issuer, so that a CA that may issue only some names can't use up another tenant's share.
        """
        try:
            certificate = certificates.parse(certificates.only(credentials.certificates))
        except GatewayError:
            return "", b""
        return self._owners(tenants).get(certificate.name, certificate.name), certificate.issuer

    def _owners(self, tenants: Mapping[str, Tenant]) -> Mapping[str, str]:
        if tenants is not self._tenants:
            self._tenants, self._tenant_by_certificate = tenants, owners(tenants)
        return self._tenant_by_certificate

    def _tenant_of(self, certificate: Certificate, tenants: Mapping[str, Tenant]) -> str:
        tenant = self._owners(tenants).get(certificate.name)
        if tenant is None:
            raise GatewayError(
                Reason.TENANT_UNKNOWN, "the client certificate is of no tenant", detail=f"name {certificate.name}"
            )
        return tenant

    async def _kept(self, digest: bytes) -> _Verified | None:
        """A cached token, if its issuer still has the same key that verified it."""
        verified = self._verified.get(digest)
        if verified is None:
            return None
        self._verified.move_to_end(digest)
        if await self._keys[verified.claims.issuer].find(verified.key.kid) != verified.key:
            self._verified.pop(digest, None)
            return None
        return verified

    async def _verify(self, text: str) -> _Verified:
        presented = tokens.parse(text)
        keys = self._keys.get(presented.issuer)
        key = await keys.find(presented.key_id) if keys else None
        if key is None:
            raise GatewayError(Reason.TOKEN_INVALID, "the access token does not verify", detail="unknown issuer or key")
        return _Verified(tokens.verify(presented, key, self._settings), key)

    async def _claim(self, claims: Claims, now_us: int) -> None:
        await self._ledger.claim(
            claims.issuer,
            claims.token_id,
            claims.content,
            expires_s=claims.expires_s + self._settings.leeway_s,
            now_s=now_us // 1_000_000,
            once=self._settings.tokens == "single_use",
        )

    def _keep(self, digest: bytes, verified: _Verified) -> None:
        if self._settings.tokens == "single_use":
            return
        self._verified[digest] = verified
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)
