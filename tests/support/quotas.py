"""What becomes of a tenant that asks for tokens of its quota."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.quotas import Quotas
from gateway.types import Tenant


async def refusal(quotas: Quotas, who: Tenant, tokens: int) -> GatewayError | None:
    """Why the tenant does not get so many tokens."""
    try:
        await quotas.take_tokens(who, tokens)
    except GatewayError as error:
        return error
    return None
