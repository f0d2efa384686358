"""Limits what a tenant uses over time, as the release says: requests per minute, bytes and tokens per hour, and spend
per day.

A minute, hour or day begins with the first use after the last one ended. Tokens are counted as the request's
`max_tokens`, because the length of the answer is unknown before forwarding. Bytes are the UTF-8 bytes of every text in
the request that the model sees. Spend is the cost of both at the model's price. Counts are in memory, where a restart
resets them, or in a store that several gateways share.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Final, Protocol

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from gateway.config import part
from gateway.errors import GatewayError, Reason
from gateway.types import Model, Tenant

REQUESTS: Final = "requests_per_minute"
BYTES: Final = "bytes_per_hour"
TOKENS: Final = "tokens_per_hour"
SPEND: Final = "spend_per_day"


class Counts(Protocol):
    """Where use is counted."""

    async def take(self, item: RateLimitItem, tenant: str, cost: int) -> float | None:
        """Count the cost and return None. If too little is left, return when the period ends, in seconds since 1970.

        Infinity if the cost exceeds the whole quota.
        """

    async def close(self) -> None:
        """Close the store."""


class Memory:
    """Counts in this process, which gets its part of each quota. workers: the number of parts."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._counts = FixedWindowRateLimiter(MemoryStorage())

    async def take(self, item: RateLimitItem, tenant: str, cost: int) -> float | None:
        """See Counts."""
        mine = type(item)(part(item.amount, self._workers), namespace=item.namespace)
        if cost > mine.amount:
            return math.inf
        if self._counts.test(mine, tenant, cost=cost):
            self._counts.hit(mine, tenant, cost=cost)
            return None
        return self._counts.get_window_stats(mine, tenant).reset_time

    async def close(self) -> None:
        """See Counts."""


class Quotas:
    """The quotas of all tenants."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    async def take_request(self, tenant: Tenant) -> None:
        """Count a request of an authenticated caller. Raises GatewayError (QUOTA_EXHAUSTED, POLICY_UNAVAILABLE)."""
        if most := tenant.quotas.get(REQUESTS):
            await self._take(RateLimitItemPerMinute(most), tenant, 1, "requests of this minute")

    async def take_bytes(self, tenant: Tenant, texts: Iterable[str]) -> None:
        """Count the bytes that a permitted request sends to a model. Raises GatewayError (as above)."""
        if most := tenant.quotas.get(BYTES):
            await self._take(RateLimitItemPerHour(most, namespace=BYTES), tenant, _size(texts), "bytes of this hour")

    async def take_tokens(self, tenant: Tenant, tokens: int) -> None:
        """Count the tokens that a permitted request may produce. Raises GatewayError (as above)."""
        if most := tenant.quotas.get(TOKENS):
            await self._take(RateLimitItemPerHour(most), tenant, tokens, "tokens of this hour")

    async def take_spend(self, tenant: Tenant, model: Model, texts: Iterable[str], tokens: int) -> None:
        """Count the most that a permitted request may cost. Raises GatewayError (as above).

        A tenant with a quota of spend can't ask a model without a price. A release that would let it is refused.
        """
        if most := tenant.quotas.get(SPEND):
            if model.price is None:
                raise GatewayError(Reason.POLICY_UNAVAILABLE, "the model has no price to count", detail=model.id)
            cost = model.price.of(_size(texts), tokens)
            await self._take(RateLimitItemPerDay(most), tenant, cost, "spend of this day")

    async def close(self) -> None:
        """Close the store."""
        await self._counts.close()

    async def _take(self, item: RateLimitItem, tenant: Tenant, cost: int, what: str) -> None:
        ends = await self._counts.take(item, tenant.id, cost)
        if ends is None:
            return
        if ends == math.inf:
            text = f"the request needs more than all the {what} that the tenant may have here; ask for less"
            raise GatewayError(Reason.QUOTA_EXHAUSTED, text)
        again_s = max(1, math.ceil(ends - time.time()))
        raise GatewayError(
            Reason.QUOTA_EXHAUSTED,
            f"the {what} that the tenant has are used up; go on in {again_s} seconds, or ask for less",
            again_s=again_s,
        )


def _size(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)
