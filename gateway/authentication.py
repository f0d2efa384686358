"""Authenticates the caller before anything of a call is judged or parsed, and again after a call has waited.

Every call begins here, whether it comes from a caller of a model (`gateway.pep`), a reviewer or an approver, or asks
about the policy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.audit.trail import Trail
from gateway.errors import GatewayError, Reason
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.types import Call, Principal

STALE_US: Final = 1_000_000
"""Microseconds. After a wait longer than this, the caller is checked again for revocation and expiry."""

T = TypeVar("T")


async def prove(call: Call, gate: Gate, trail: Trail, in_force: InForce) -> Principal:
    """Step 1: authenticate the caller and take its slot and quota. Raises GatewayError.

    Refuses first if the gateway is draining, its clock can't be trusted, or the release in force has expired.
    """
    trail.in_force(in_force.release, in_force.engine.name, in_force.engine.version)
    if gate.draining:
        raise GatewayError(Reason.SHUTTING_DOWN, "the gateway is stopping; ask another or try again")
    gate.clock.check()
    in_force.check(gate.clock())
    principal = await gate.identity.prove(call.credentials, in_force.release.tenants)
    trail.proved(principal)
    gate.bulkhead.take(call.decision_id, principal.tenant)
    await gate.quotas.take_request(in_force.release.tenants[principal.tenant])
    if call.deadline_us is None:
        raise GatewayError(Reason.DEADLINE_REQUIRED, "the call has no deadline; set one, for example 60 seconds")
    return principal


async def hear(call: Call, read: Callable[[], Awaitable[T]], gate: Gate, in_force: InForce) -> T:
    """The message of an authenticated caller, who is checked again if it arrives late. Raises GatewayError.

    If another release came in force meanwhile, a late message is refused: by holding its message back, a caller could
    otherwise choose the release that decides its call.
    """
    began_us = gate.clock()
    message = await read()
    if _stale(gate, began_us) and gate.in_force is not in_force:
        text = "another release came in force while the call waited for its message; send it again"
        raise GatewayError(Reason.POLICY_UNAVAILABLE, text, detail=f"in force: {gate.in_force.release.digest}")
    await prove_again(call, gate, in_force)
    return message


async def prove_again(call: Call, gate: Gate, in_force: InForce) -> None:
    """Step 1 again for a call that waited: check what may have changed meanwhile. Raises GatewayError as `prove`."""
    if _stale(gate, call.received_us):
        gate.clock.check()
        in_force.check(gate.clock())
        await gate.identity.prove_again(call.credentials, in_force.release.tenants)


def _stale(gate: Gate, since_us: int) -> bool:
    return not 0 <= gate.clock() - since_us <= STALE_US


async def turned_away(call: Call, gate: Gate, in_force: InForce, error: GatewayError) -> GatewayError:
    """Record or count a call refused before authentication, and return the error to raise."""
    if gate.log.counted(call, error.reason):
        return error
    try:
        async with gate.log.trail(call) as trail:
            trail.in_force(in_force.release, in_force.engine.name, in_force.engine.version)
            raise error
    except GatewayError as recorded:
        return recorded
