"""Who asks, before anything of a call is judged: proved before its message is read, and again where it waited.

Every path begins here: that of a question (`gateway.pep`), of a reviewer, of an approver, of who asks what is in force.
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
"""A caller may take long to send its message, or wait long. What was revoked or expired meanwhile is not believed."""

T = TypeVar("T")


async def prove(call: Call, gate: Gate, trail: Trail, in_force: InForce) -> Principal:
    """Step 1, and what has to hold before anything can be judged: the gateway stays, and knows what time it is."""
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
    """The message of a proved caller, who is believed still when it comes. Raises GatewayError.

    A caller who holds it back does not keep a release that was replaced meanwhile: it would choose what decides it.
    """
    began_us = gate.clock()
    message = await read()
    if _stale(gate, began_us) and gate.in_force is not in_force:
        text = "another release came in force while the call waited for its message; send it again"
        raise GatewayError(Reason.POLICY_UNAVAILABLE, text, detail=f"in force: {gate.in_force.release.digest}")
    await prove_again(call, gate, in_force)
    return message


async def prove_again(call: Call, gate: Gate, in_force: InForce) -> None:
    """Step 1 once more for a call that waited: what can cease to hold meanwhile. Raises GatewayError as `prove`."""
    if _stale(gate, call.received_us):
        gate.clock.check()
        in_force.check(gate.clock())
        await gate.identity.prove_again(call.credentials, in_force.release.tenants)


def _stale(gate: Gate, since_us: int) -> bool:
    return not 0 <= gate.clock() - since_us <= STALE_US


async def turned_away(call: Call, gate: Gate, in_force: InForce, error: GatewayError) -> GatewayError:
    """The error to raise for a call that is refused before anything is known of it, once it is recorded or counted."""
    if gate.log.counted(call, error.reason):
        return error
    try:
        async with gate.log.trail(call) as trail:
            trail.in_force(in_force.release, in_force.engine.name, in_force.engine.version)
            raise error
    except GatewayError as recorded:
        return recorded
