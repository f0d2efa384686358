"""PolicyService on the wire, part of the gRPC shell. gateway.policy_info handles the call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from brightline.v1 import policy_pb2
from gateway import policy_info
from gateway.inforce import InForce
from gateway.policy_info import Between
from gateway.server import Context, Handler, Shell, only_message, unary
from gateway.types import Call, Step, Tenant

SERVICE: Final = "brightline.v1.PolicyService"


def handlers(shell: Shell) -> dict[str, Handler]:
    """The methods of PolicyService by name. They are read as streams; gateway.server explains why."""
    methods = {"GetInForce": _in_force, "GetChanges": _changes}
    return {
        name: grpc.stream_unary_rpc_method_handler(unary(shell, f"/{SERVICE}/{name}", work))
        for name, work in methods.items()
    }


async def _in_force(shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    read = partial(only_message, shell, context, policy_pb2.GetInForceRequest)
    tenant = await policy_info.standing(call, read, shell.gate, in_force)
    release = in_force.release
    return policy_pb2.GetInForceResponse(
        decision_id=call.decision_id,
        release=release.digest,
        version=release.version,
        revision=release.revision,
        since_us=in_force.since_us,
        expires_us=in_force.expires_us or 0,
        base=release.base,
        signatures=[policy_pb2.ReleaseSignature(holder=s.holder, role=s.role, key=s.key) for s in release.signatures],
        tenant=_terms(tenant),
    )


async def _changes(shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    async def read() -> Between:
        request = await only_message(shell, context, policy_pb2.GetChangesRequest)
        return Between(request.before, request.after)

    steps = await policy_info.changes(call, read, shell.gate, in_force)
    return policy_pb2.GetChangesResponse(decision_id=call.decision_id, steps=[_step(step) for step in steps])


def _terms(tenant: Tenant) -> policy_pb2.TenantTerms:
    return policy_pb2.TenantTerms(
        id=tenant.id,
        purposes=policy_info.texts(tenant, "purposes"),
        models=policy_info.texts(tenant, "models"),
        marking_ceiling=str(tenant.attributes.get("marking_ceiling", "")),
        rules=policy_info.texts(tenant, "rules"),
        grants=[_grant(grant) for grant in policy_info.grants(tenant)],
    )


def _grant(grant: Mapping[str, Any]) -> policy_pb2.TenantGrant:
    return policy_pb2.TenantGrant(
        id=grant["id"],
        rule=grant["rule"],
        purposes=grant["purposes"],
        addendum=grant["addendum"],
        not_before_ms=grant["not_before"],
        expires_ms=grant["expires"],
    )


def _step(step: Step) -> policy_pb2.ReleaseStep:
    return policy_pb2.ReleaseStep(
        before=step.before,
        after=step.after,
        version=step.version,
        changes=[
            policy_pb2.ReleaseChange(direction=_direction(change.direction), text=change.text)
            for change in step.changes
        ],
        effects=[
            policy_pb2.ReleaseEffect(
                about=part.about,
                decisions=part.decisions,
                looser=part.looser,
                stricter=part.stricter,
                examples=part.examples,
            )
            for part in step.compared
        ],
    )


def _direction(word: str) -> policy_pb2.Direction:
    """The enum value of a direction. An unknown word counts as looser, so that nobody takes it for harmless."""
    known = {
        "changed": policy_pb2.DIRECTION_CHANGED,
        "stricter": policy_pb2.DIRECTION_STRICTER,
    }
    return known.get(word, policy_pb2.DIRECTION_LOOSER)
