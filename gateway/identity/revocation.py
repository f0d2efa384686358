"""Revocation, as the files say now: of certificates by a CRL, of tokens by a list of their jti."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from cryptography import x509

from gateway.config import Identity as Settings
from gateway.errors import GatewayError, Reason, StartError
from gateway.identity import crl, strict_json
from gateway.identity.certificate import Certificate
from gateway.identity.crl import Crls
from gateway.identity.reloading import UnreadableError, Watched

T = TypeVar("T")

_MAX_LIST_BYTES = 16 << 20


class Revocation:
    """Opened by open_revocation. Without a configured file nothing is revoked; an unreadable file refuses all."""

    def __init__(self, crls: Watched[Crls] | None, token_ids: Watched[frozenset[str]] | None) -> None:
        self._crls = crls
        self._token_ids = token_ids

    async def check_current(self, now_us: int) -> None:
        """Raise GatewayError(IDENTITY_UNAVAILABLE) unless the lists can be used now."""
        if self._crls is not None:
            (await _current(self._crls)).check_current(now_us)
        if self._token_ids is not None:
            await _current(self._token_ids)

    async def check_certificate(self, certificate: Certificate, now_us: int) -> None:
        """Raise GatewayError(CREDENTIAL_REVOKED or IDENTITY_UNAVAILABLE) unless it is known not to be revoked."""
        if self._crls is not None:
            (await _current(self._crls)).check(certificate, now_us)

    async def check_token(self, token_id: str) -> None:
        """Raise GatewayError(CREDENTIAL_REVOKED or IDENTITY_UNAVAILABLE) unless the jti is known not to be revoked."""
        if self._token_ids is not None and token_id in await _current(self._token_ids):
            raise GatewayError(Reason.CREDENTIAL_REVOKED, "the access token was revoked", detail="jti is on the list")


async def open_revocation(settings: Settings, client_ca: Path) -> Revocation:
    """Read the configured files. client_ca: PEM; one of its CAs signs each list. Raises StartError."""
    crls = token_ids = None
    if settings.crl is not None:
        await _readable(Watched(client_ca, x509.load_pem_x509_certificates, crl.MAX_BYTES), "listener.client_ca")
        crls = Watched((settings.crl, client_ca), _parse_lists, crl.MAX_BYTES)
        await _readable(crls, "identity.crl")
    if settings.revoked_tokens is not None:
        token_ids = Watched(settings.revoked_tokens, _parse_token_ids, _MAX_LIST_BYTES)
        await _readable(token_ids, "identity.revoked_tokens")
    return Revocation(crls, token_ids)


def _parse_lists(lists: bytes, client_ca: bytes) -> Crls:
    return crl.parse(lists, x509.load_pem_x509_certificates(client_ca))


def _parse_token_ids(data: bytes) -> frozenset[str]:
    match strict_json.loads(data):
        case list(items) if all(isinstance(item, str) for item in items):
            return frozenset(items)
        case _:
            raise ValueError("not a JSON list of strings")


async def _readable(file: Watched[T], key: str) -> None:
    try:
        await file.current()
    except UnreadableError as error:
        raise StartError(f"{key}: {error}") from error


async def _current(file: Watched[T]) -> T:
    try:
        return await file.current()
    except UnreadableError as error:
        raise GatewayError(
            Reason.IDENTITY_UNAVAILABLE, "revocation can't be checked at the moment", detail=str(error)
        ) from error
