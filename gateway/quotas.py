"""What a tenant may use up over time, as the release says: requests of a minute, bytes and tokens of an hour, and the
spend of a day.

A minute, hour or day begins with the first use after the last one ended. Tokens are those that a permitted request may
at most have made of it (`max_tokens`): known before anything is forwarded, where what a model will answer is not. Bytes
are those of every text in it that the model sees, in UTF-8. Spend is what both cost by the model's price. What was
counted is in memory, and a restart begins again; or in a store that several gateways share.
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
    """Where it is counted."""

    async def take(self, item: RateLimitItem, tenant: str, cost: int) -> float | None:
        """None once the cost is counted; else when the time ends in which there is no more, in seconds since 1970, and
        infinity for a cost that is more than there ever is.
        """

    async def close(self) -> None:
        """Let go."""


class Memory:
    """Counts of one process, which gives out its part. workers: how many there are."""

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
    """What is left to all tenants, by these counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    async def take_request(self, tenant: Tenant) -> None:
        """Count a request of a proved caller. Raises GatewayError (QUOTA_EXHAUSTED, POLICY_UNAVAILABLE)."""
        if most := tenant.quotas.get(REQUESTS):
            await self._take(RateLimitItemPerMinute(most), tenant, 1, "requests of this minute")

    async def take_bytes(self, tenant: Tenant, texts: Iterable[str]) -> None:
        """Count what a permitted request brings to a model. Raises GatewayError (as above)."""
        if most := tenant.quotas.get(BYTES):
            await self._take(RateLimitItemPerHour(most, namespace=BYTES), tenant, _size(texts), "bytes of this hour")

    async def take_tokens(self, tenant: Tenant, tokens: int) -> None:
        """Count what a permitted request may make of a model. Raises GatewayError (as above)."""
        if most := tenant.quotas.get(TOKENS):
            await self._take(RateLimitItemPerHour(most), tenant, tokens, "tokens of this hour")

    async def take_spend(self, tenant: Tenant, model: Model, texts: Iterable[str], tokens: int) -> None:
        """Count what a permitted request may cost at most. Raises GatewayError (as above).

        A model without a price is asked by no tenant whose spend is bounded: a release in which one could is refused.
        """
        if most := tenant.quotas.get(SPEND):
            if model.price is None:
                raise GatewayError(Reason.POLICY_UNAVAILABLE, "the model has no price to count", detail=model.id)
            cost = model.price.of(_size(texts), tokens)
            await self._take(RateLimitItemPerDay(most), tenant, cost, "spend of this day")

    async def close(self) -> None:
        """Let go of the store."""
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
