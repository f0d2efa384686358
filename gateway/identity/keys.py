"""Sources of an issuer's keys: a JWKS file, or an HTTPS address with a bounded rate of requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.config import Issuer
from gateway.errors import GatewayError, Reason, StartError
from gateway.identity.jwks import MAX_BYTES, Key, parse_jwks
from gateway.identity.reloading import UnreadableError, Watched


class Keys(Protocol):
    """The keys of one issuer."""

    async def find(self, kid: str) -> Key | None:
        """The key with this kid; None if the issuer has none. Raises GatewayError(IDENTITY_UNAVAILABLE)."""

    async def close(self) -> None:
        """Stop background work."""


async def open_keys(issuer: Issuer, clock: Callable[[], int]) -> Keys:
    """Open the key source of an issuer. clock: microseconds since 1970 UTC. Raises StartError for an unusable file.

    If an HTTPS issuer is down, the gateway still starts: the issuer's tokens are refused until it answers.
    """
    if issuer.jwks_url is not None:
        from gateway.identity.remote import RemoteKeys  # noqa: PLC0415 - aiohttp is slow to import, and few need it

        return RemoteKeys(issuer, issuer.jwks_url, clock)
    if issuer.jwks_file is None:
        raise StartError(f"identity.issuers: {issuer.issuer}: needs exactly one of jwks_file and jwks_url")
    file = Watched(issuer.jwks_file, parse_jwks, MAX_BYTES)
    try:
        await file.current()
    except UnreadableError as error:
        raise StartError(f"identity.issuers.jwks_file: {error}") from error
    return FileKeys(file)


class FileKeys:
    """Keys from a file, which is read again when it changes."""

    def __init__(self, file: Watched[Mapping[str, Key]]) -> None:
        self._file = file

    async def find(self, kid: str) -> Key | None:
        """See Keys."""
        try:
            return (await self._file.current()).get(kid)
        except UnreadableError as error:
            raise unavailable(str(error)) from error

    async def close(self) -> None:
        """See Keys."""


def unavailable(detail: str) -> GatewayError:
    """The refusal when nobody can tell whether a token is valid."""
    return GatewayError(
        Reason.IDENTITY_UNAVAILABLE, "the keys of the token issuer are not available at the moment", detail=detail
    )
