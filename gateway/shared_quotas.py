"""Counts quotas that several gateways share, in a Valkey server.

Each request to the server has a deadline. If it fails, the call is refused, because nobody knows what is used up. For a
second after a failure, calls are refused at once, so that not every call asks a server that is down or slow. There are
never more requests at once than connections; the rest wait, so that a burst of calls is not taken for a slow server.
The counts are neither secret nor proof: whoever can write to the server can give tenants more, or nothing. A key
consists of a tenant's name, its quota and the unit of time. A name has no "/", so that no two keys are equal. The
server drops a key when its time is over.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from valkey.asyncio import BlockingConnectionPool, Connection, SSLConnection
from valkey.exceptions import ValkeyError

from gateway.config import QuotaStore, believing, read_secret
from gateway.errors import GatewayError, Reason

log = structlog.get_logger()

PREFIX: Final = "brightline"
CONNECTIONS: Final = 16
PAUSE_S: Final = 1.0
NOBODY: Final = "/"
"""No tenant can have this name."""
_NO_NUMBER: Final = ValueError, TypeError, RecursionError
"""What a malformed answer of the server raises."""


class Shared:
    """See gateway.quotas.Counts. Connects when first needed."""

    def __init__(self, settings: QuotaStore) -> None:
        """Raises StartError when the password or the CA can't be read."""
        self._deadline_s = settings.deadline_ms / 1000
        self._pool = BlockingConnectionPool(**_options(settings))
        options: dict[str, Any] = {"connection_pool": self._pool}
        self._counts = FixedWindowRateLimiter(RedisStorage("async+valkey://", key_prefix=PREFIX, **options))
        self._asking = asyncio.Semaphore(CONNECTIONS)
        self._again_s = 0.0

    async def take(self, item: RateLimitItem, tenant: str, cost: int) -> float | None:
        """See Counts. If another gateway uses up the rest at the same moment, the cost is counted and still refused.

        Raises GatewayError (POLICY_UNAVAILABLE).
        """
        if cost > item.amount:
            return math.inf
        async with self._asking:
            return await self._taken(item, tenant, cost)

    async def check(self) -> None:
        """Count one request for no tenant, to test the server. Raises GatewayError (POLICY_UNAVAILABLE)."""
        await self.take(RateLimitItemPerMinute(1_000), NOBODY, 1)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()

    async def _taken(self, item: RateLimitItem, tenant: str, cost: int) -> float | None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._again_s:
            raise _unavailable("the store failed just now")
        try:
            async with asyncio.timeout(self._deadline_s):
                # Crash or a lost answer here: counted, but refused or never answered. Nothing was forwarded.
                if await self._counts.test(item, tenant, cost=cost) and await self._counts.hit(item, tenant, cost=cost):
                    return None
                ends = (await self._counts.get_window_stats(item, tenant)).reset_time
                return min(ends, time.time() + item.get_expiry())
        except (TimeoutError, ValkeyError, OSError, *_NO_NUMBER) as error:
            self._again_s = loop.time() + PAUSE_S
            log.error("quotas not counted", error=type(error).__name__)  # noqa: TRY400 - its text may quote the address
            raise _unavailable(type(error).__name__) from error


class _Plain(Connection):
    """A connection that is dropped if unrequested data arrived, which would be taken for the next answer."""

    async def can_read_destructive(self) -> bool:
        """Whether there is data to read or the peer is gone. Called before each use. The library's own checks less."""
        if await super().can_read_destructive() or self._reader is None:  # type: ignore[no-untyped-call]  # untyped
            return True
        try:
            async with asyncio.timeout(0):
                await self._reader.read(1)
        except TimeoutError:
            return False
        return True


class _Tls(_Plain, SSLConnection):
    """Trusts only the given context. The library's own would also trust public CAs."""

    def __init__(self, *, context: ssl.SSLContext, **rest: Any) -> None:
        super().__init__(**rest)
        self.ssl_context.context = context


def _options(settings: QuotaStore) -> dict[str, Any]:
    url = urlsplit(settings.url or "")
    given: dict[str, Any] = {
        "connection_class": _Plain,
        "host": url.hostname,
        "port": url.port,
        "db": int(url.path[1:] or 0),
        "max_connections": CONNECTIONS,
        "timeout": settings.deadline_ms / 1000,
        "socket_connect_timeout": settings.deadline_ms / 1000,
        "retry_on_timeout": False,  # a retry would count twice
    }
    if settings.user:
        given["username"] = settings.user
    if settings.password_file:
        given["password"] = read_secret(settings.password_file, "quotas.password_file")
    if url.scheme == "valkeys":
        given |= {"connection_class": _Tls, "context": believing(settings.ca, "quotas.ca")}
    return given


def _unavailable(detail: str) -> GatewayError:
    return GatewayError(Reason.POLICY_UNAVAILABLE, "quotas can't be counted at the moment", detail=f"quotas: {detail}")
