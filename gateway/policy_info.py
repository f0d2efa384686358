"""Answers calls about the policy in force. Every authenticated caller may ask, and learns only about its own tenant.

1 authenticate the caller    2 read the request    3 look it up    4 leave out what is not for this tenant
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway import authentication
from gateway.errors import GatewayError, Reason
from gateway.gate import Gate
from gateway.inforce import InForce
from gateway.types import Call, Release, Step, Tenant

T = TypeVar("T")
Read = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Between:
    """Digests of two releases. Empty `before`: the release before `after`. Empty `after`: the release in force."""

    before: str
    after: str


async def standing(call: Call, read: Read[object], gate: Gate, in_force: InForce) -> Tenant:
    """What the release in force says about the caller's tenant. Raises GatewayError."""
    async with gate.log.trail(call) as trail:
        principal = await authentication.prove(call, gate, trail, in_force)  # 1
        await authentication.hear(call, read, gate, in_force)  # 2
        return in_force.release.tenants[principal.tenant]  # 3, 4


async def changes(call: Call, read: Read[Between], gate: Gate, in_force: InForce) -> tuple[Step, ...]:
    """What changed between two releases, as far as the tenant may know. Raises GatewayError (NOT_FOUND)."""
    async with gate.log.trail(call) as trail:
        principal = await authentication.prove(call, gate, trail, in_force)  # 1
        wanted = await authentication.hear(call, read, gate, in_force)  # 2
        found = between(in_force.release, wanted)  # 3
        return tuple(told(step, in_force.release.tenants[principal.tenant]) for step in found)  # 4


def between(release: Release, wanted: Between) -> tuple[Step, ...]:
    """The steps from one release to the other, oldest first. Raises GatewayError (NOT_FOUND)."""
    came = {step.after: step for step in release.steps}
    at = wanted.after or release.digest
    found: list[Step] = []
    while at != wanted.before and at in came and len(found) < len(came):
        found.insert(0, came[at])
        at = found[0].before
        if not wanted.before:
            return tuple(found)
    if at != wanted.before:
        text = "this gateway has not seen how the one became the other; name the older release first"
        raise GatewayError(Reason.NOT_FOUND, text, field="before" if wanted.before else "after")
    return tuple(found)


def told(step: Step, tenant: Tenant) -> Step:
    """The step without other tenants, models that this tenant does not have, and other agencies' rules."""
    models, policy = tenant.attributes.get("models"), tenant.attributes.get("policy")
    mine = {"", f"tenant {tenant.id}", f"agency {policy}"}
    mine |= {f"model {name}" for name in models} if isinstance(models, list | tuple) else set()
    return replace(
        step,
        changes=tuple(change for change in step.changes if change.about in mine),
        compared=tuple(part for part in step.compared if part.about in mine),
    )


def texts(tenant: Tenant, key: str) -> list[str]:
    """A list of strings among the attributes of a tenant."""
    found = tenant.attributes.get(key)
    return [str(item) for item in found] if isinstance(found, list | tuple) else []


def grants(tenant: Tenant) -> list[Mapping[str, object]]:
    """The grants that the provider gave a tenant."""
    found = tenant.attributes.get("grants")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []
