"""Limits the calls that one tenant may have in the gateway at once, so that it can't keep the others out."""

from __future__ import annotations

from collections import Counter

from gateway.errors import GatewayError, Reason


class Bulkhead:
    """Counts each tenant's calls. most: the limit per tenant."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tenant_of: dict[str, str] = {}
        self._calls: Counter[str] = Counter()

    def take(self, decision_id: str, tenant: str) -> None:
        """Count the call for its tenant until `give_back`. Raises GatewayError(OVERLOADED)."""
        if self._calls[tenant] >= self._most:
            raise GatewayError(
                Reason.OVERLOADED,
                "too many calls of this tenant at once; let some end first",
                detail=f"{tenant} has {self._most} calls",
                again_s=1,
            )
        self._calls[tenant] += 1
        self._tenant_of[decision_id] = tenant

    def give_back(self, decision_id: str) -> None:
        """Stop counting the call. A call that was never counted changes nothing."""
        tenant = self._tenant_of.pop(decision_id, None)
        if tenant is not None:
            self._calls[tenant] -= 1
            if not self._calls[tenant]:
                del self._calls[tenant]
