"""InferenceService on the wire, part of the gRPC shell. gateway.pep handles the call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

from brightline.v1 import inference_pb2
from gateway import pep, wire
from gateway.inforce import InForce
from gateway.pep import Admitted
from gateway.server import Context, Handler, Shell, only_message, streaming, unary
from gateway.types import Call, End, Prompt, Text, ToolUse

SERVICE: Final = "brightline.v1.InferenceService"
Asking = TypeVar(
    "Asking", inference_pb2.GenerateRequest, inference_pb2.GenerateStreamRequest, inference_pb2.CheckPolicyRequest
)


def handlers(shell: Shell) -> dict[str, Handler]:
    """The methods of InferenceService by name."""
    stream = streaming(shell, f"/{SERVICE}/GenerateStream", _generate_stream)
    return {
        "Generate": grpc.stream_unary_rpc_method_handler(unary(shell, f"/{SERVICE}/Generate", _generate)),
        "GenerateStream": grpc.stream_stream_rpc_method_handler(stream),
        "CheckPolicy": grpc.stream_unary_rpc_method_handler(unary(shell, f"/{SERVICE}/CheckPolicy", _check)),
        "ListModels": grpc.stream_unary_rpc_method_handler(unary(shell, f"/{SERVICE}/ListModels", _models)),
    }


async def _generate(shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    read = _reader(shell, context, inference_pb2.GenerateRequest)
    admitted, completion = await pep.generate(call, read, shell.gate, in_force)
    return inference_pb2.GenerateResponse(
        decision_id=call.decision_id,
        release=in_force.release.digest,
        parts=[wire.part(p) for p in completion.parts],
        stop_reason=wire.stop_reason(completion.end),
        usage=wire.usage(completion.end),
        obligations=[wire.obligation(o) for o in admitted.permitted.obligations],
    )


async def _generate_stream(shell: Shell, call: Call, in_force: InForce, context: Context) -> AsyncGenerator[Message]:
    read = _reader(shell, context, inference_pb2.GenerateStreamRequest)
    async with aclosing(pep.generate_stream(call, read, shell.gate, in_force)) as pieces:
        async for piece in pieces:
            yield _event(call, piece)


async def _check(shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    read = _reader(shell, context, inference_pb2.CheckPolicyRequest)
    decision = await pep.check(call, read, shell.gate, in_force)
    return inference_pb2.CheckPolicyResponse(
        decision_id=call.decision_id,
        release=in_force.release.digest,
        effect=f"EFFECT_{decision.effect.name}",
        rules=[wire.rule(r) for r in decision.rules],
        obligations=[wire.obligation(o) for o in decision.obligations],
    )


async def _models(shell: Shell, call: Call, in_force: InForce, context: Context) -> Message:
    read = partial(only_message, shell, context, inference_pb2.ListModelsRequest)
    found = await pep.models(call, read, shell.gate, in_force)
    return inference_pb2.ListModelsResponse(decision_id=call.decision_id, models=[wire.model(m) for m in found])


def _reader(shell: Shell, context: Context, kind: type[Asking]) -> Callable[[], Awaitable[Prompt]]:
    async def read() -> Prompt:
        message = await only_message(shell, context, kind)
        return wire.prompt(message.prompt, message.release)

    return read


def _event(call: Call, piece: Admitted | Text | ToolUse | End) -> Message:
    match piece:
        case Admitted():
            start = inference_pb2.StreamStart(
                decision_id=call.decision_id,
                release=piece.in_force.release.digest,
                obligations=[wire.obligation(o) for o in piece.permitted.obligations],
            )
            return inference_pb2.GenerateStreamResponse(start=start)
        case Text(text):
            return inference_pb2.GenerateStreamResponse(text=text)
        case ToolUse():
            return inference_pb2.GenerateStreamResponse(tool_use=wire.tool_use(piece))
        case End():
            end = inference_pb2.StreamEnd(stop_reason=wire.stop_reason(piece), usage=wire.usage(piece))
            return inference_pb2.GenerateStreamResponse(end=end)
