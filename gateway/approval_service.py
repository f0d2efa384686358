"""ApprovalService on the wire, part of the gRPC shell. gateway.approving handles the approver's call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import grpc
from google.protobuf.message import Message

from brightline.v1 import approval_pb2
from gateway import approving, wire
from gateway.approving import Asked
from gateway.audit.approval import Held
from gateway.inforce import InForce
from gateway.review import Desk
from gateway.server import Context, Handler, Shell, only_message, unary
from gateway.types import Call

SERVICE: Final = "brightline.v1.ApprovalService"

Answer: TypeAlias = Callable[[Desk, Shell, Call, InForce, Context], Awaitable[Message]]


def handlers(shell: Shell, desk: Desk) -> dict[str, Handler]:
    """The methods of ApprovalService by name. They are read as streams; gateway.server explains why."""
    methods: dict[str, Answer] = {"ListPending": _pending, "Approve": _approve}
    return {
        name: grpc.stream_unary_rpc_method_handler(unary(shell, f"/{SERVICE}/{name}", partial(answer, desk)))
        for name, answer in methods.items()
    }


async def _pending(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    read = partial(only_message, shell, context, approval_pb2.ListPendingRequest)
    waiting = await approving.pending(call, read, desk, in_force)
    return approval_pb2.ListPendingResponse(decision_id=call.decision_id, requests=[_held(one) for one in waiting])


async def _approve(desk: Desk, shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    async def read() -> Asked:
        request = await only_message(shell, context, approval_pb2.ApproveRequest)
        return Asked(request.id, wire.prompt(request.prompt), request.why, request.valid_s)

    given, identifier = await approving.approve(call, read, desk, in_force)
    return approval_pb2.ApproveResponse(decision_id=call.decision_id, approval_id=identifier, expires_us=given.until_us)


def _held(one: Held) -> approval_pb2.PendingRequest:
    return approval_pb2.PendingRequest(
        id=one.id, time_us=one.time_us, subject=one.subject, purpose=one.purpose, model=one.model, rules=one.rules
    )
