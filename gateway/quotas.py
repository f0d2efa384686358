"""What a tenant may use up over time, as the release says: requests of a minute, tokens of an hour.

A minute or an hour begins with the first use after the last one ended. Tokens are those that a permitted request may at
most have made of it (`max_tokens`): known before anything is forwarded, where what a model will answer is not. What was
counted is in memory; a restart begins again.
"""

from __future__ import annotations

import math
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from gateway.config import part
from gateway.errors import GatewayError, Reason
from gateway.types import Tenant

REQUESTS: Final = "requests_per_minute"
TOKENS: Final = "tokens_per_hour"


class Quotas:
    """Counts for all tenants. workers: processes that count each for itself, so that each gives out its part."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._counts = FixedWindowRateLimiter(MemoryStorage())

    def take_request(self, tenant: Tenant) -> None:
        """Count a request of a proved caller. Raises GatewayError (QUOTA_EXHAUSTED)."""
        if most := tenant.quotas.get(REQUESTS):
            self._take(RateLimitItemPerMinute(part(most, self._workers)), tenant, 1, "requests of this minute")

    def take_tokens(self, tenant: Tenant, tokens: int) -> None:
        """Count what a permitted request may make of a model. Raises GatewayError (QUOTA_EXHAUSTED)."""
        if most := tenant.quotas.get(TOKENS):
            self._take(RateLimitItemPerHour(part(most, self._workers)), tenant, tokens, "tokens of this hour")

    def _take(self, item: RateLimitItem, tenant: Tenant, cost: int, what: str) -> None:
        if self._counts.test(item, tenant.id, cost=cost):
            self._counts.hit(item, tenant.id, cost=cost)
            return
        ends = self._counts.get_window_stats(item, tenant.id).reset_time
        again_s = max(1, math.ceil(ends - time.time()))
        raise GatewayError(
            Reason.QUOTA_EXHAUSTED,
            f"the {what} that the tenant has are used up; go on in {again_s} seconds, or ask for less",
            again_s=again_s,
        )
