"""An issuer's keys from an HTTPS address, with a bounded rate of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import aiohttp
import structlog

from gateway.config import Issuer, believing
from gateway.identity.jwks import MAX_BYTES, Key, parse_jwks
from gateway.identity.keys import unavailable

PAUSE_US = 10_000_000
"""At most one fetch in this time, however many unknown kids arrive. A new key is known after at most this time."""

MAX_AGE_REFRESHES = 12
"""Keys are used through this many failed refreshes (an hour by default). Then no token verifies until one succeeds."""

_FETCH_S = 5

log = structlog.get_logger()


class RemoteKeys:
    """Keys from an HTTPS address. One fetch runs at a time; a call waits for it only if its key is not known."""

    def __init__(self, issuer: Issuer, url: str, clock: Callable[[], int]) -> None:
        self._issuer = issuer.issuer
        self._url = url
        self._clock = clock
        self._refresh_us = issuer.refresh_s * 1_000_000
        self._tls = believing(issuer.ca, "identity.issuers.ca")
        self._keys: Mapping[str, Key] = {}
        self._fetched_us: int | None = None
        self._started_us: int | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._fetch_after(0)

    async def find(self, kid: str) -> Key | None:
        """See Keys."""
        self._fetch_after(self._refresh_us)
        key = self._believed().get(kid)
        if key is not None:
            return key
        self._fetch_after(PAUSE_US)
        if self._fetching is not None:
            await asyncio.shield(self._fetching)  # the fetch is shared, so a cancelled call must not end it
        keys = self._believed()
        if not keys:
            raise unavailable(f"no keys of {self._issuer}")
        return keys.get(kid)

    async def close(self) -> None:
        """See Keys."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _believed(self) -> Mapping[str, Key]:
        return {} if self._due(self._fetched_us, MAX_AGE_REFRESHES * self._refresh_us) else self._keys

    def _fetch_after(self, pause_us: int) -> None:
        if self._fetching is None and self._due(self._started_us, pause_us):
            self._started_us = self._clock()
            self._fetching = asyncio.create_task(self._fetch())

    def _due(self, since_us: int | None, pause_us: int) -> bool:
        """Whether pause_us have passed. Also true if the clock went back behind since_us."""
        return since_us is None or not 0 <= self._clock() - since_us < pause_us

    async def _fetch(self) -> None:
        try:
            self._keys = parse_jwks(await self._get())
            self._fetched_us = self._clock()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("jwks_fetch_failed", issuer=self._issuer, error=type(error).__name__)
        finally:
            self._fetching = None

    async def _get(self) -> bytes:
        """At most MAX_BYTES, only from this address, not decompressed. Raises ValueError unless the status is 200."""
        timeout = aiohttp.ClientTimeout(total=_FETCH_S)
        async with (
            aiohttp.ClientSession(
                timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.get(
                self._url, ssl=self._tls, allow_redirects=False, headers={"Accept-Encoding": "identity"}
            ) as response,
        ):
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"larger than {MAX_BYTES} bytes")
            return bytes(body)
