"""Helper for tests of quotas."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.quotas import Quotas
from gateway.types import Tenant


async def refusal(quotas: Quotas, who: Tenant, tokens: int) -> GatewayError | None:
    """The error for a tenant that asks for that many tokens, or None."""
    try:
        await quotas.take_tokens(who, tokens)
    except GatewayError as error:
        return error
    return None
