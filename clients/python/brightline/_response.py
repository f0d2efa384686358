"""Converts responses to values. A response that no gateway of this contract sends raises NotThisGateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from brightline import _check, _words
from brightline.content import Text, ToolUse
from brightline.errors import NotThisGateway
from brightline.results import Answer, Check, Effect, Model, Obligation, Rule, Source, Started, StopReason, Usage
from brightline.v1 import inference_pb2, message_pb2, refusal_pb2


def answer(message: inference_pb2.GenerateResponse) -> Answer:
    """A whole answer. Raises NotThisGateway."""
    start = started(message)
    parts = tuple(part for part in map(_answered, message.parts) if part is not None)
    return Answer(
        start.decision_id,
        start.release,
        parts,
        stop_reason(message.stop_reason),
        usage(message.usage),
        start.obligations,
    )


def check(message: inference_pb2.CheckPolicyResponse) -> Check:
    """The decision that the gateway would make. Raises NotThisGateway."""
    start = started(message)
    effect = Effect(_words.word(inference_pb2.Effect, message.effect))
    return Check(start.decision_id, start.release, effect, rules(message.rules), start.obligations)


def models(message: inference_pb2.ListModelsResponse) -> tuple[Model, ...]:
    """The models, in the gateway's order."""
    return tuple(Model(m.id, m.description, m.marking_ceiling) for m in message.models)


def stop_reason(number: int) -> StopReason:
    """Why the model stopped. Raises NotThisGateway for an unknown number."""
    return StopReason(_words.word(inference_pb2.StopReason, number))


def usage(message: inference_pb2.Usage) -> Usage:
    """Token counts."""
    return Usage(message.input_tokens, message.output_tokens)


def tool_use(message: message_pb2.ToolUse) -> ToolUse:
    """A tool call of the model. Raises NotThisGateway."""
    try:
        return ToolUse(id=message.id, name=message.name, input=_whole(json_format.MessageToDict(message.input)))
    except (ValueError, json_format.Error) as error:
        raise NotThisGateway(f"the answer holds a tool call that is none: {error}") from None


def text(said: str) -> Text | None:
    """Text of the model, or None if it is empty. Raises NotThisGateway."""
    try:
        return Text(said) if said else None
    except ValueError as error:
        raise NotThisGateway(f"the answer holds text that is none: {error}") from None


def rules(messages: Iterable[refusal_pb2.Rule]) -> tuple[Rule, ...]:
    """The rules of a refusal or a check, in the gateway's order."""
    return tuple(
        Rule(m.id, m.title, getattr(m, "class"), tuple(Source(s.title, s.read) for s in m.sources), m.remedy, m.effect)
        for m in messages
    )


def started(
    message: inference_pb2.StreamStart | inference_pb2.GenerateResponse | inference_pb2.CheckPolicyResponse,
) -> Started:
    """The beginning of every answer: record, release, obligations. Raises NotThisGateway."""
    if not message.decision_id:
        raise NotThisGateway("the answer names no record (decision_id)")
    obligations = tuple(Obligation(o.kind, o.value) for o in message.obligations)
    return Started(message.decision_id, message.release, obligations)


def _answered(message: message_pb2.Part) -> Text | ToolUse | None:
    match message.WhichOneof("content"):
        case "text":
            return text(message.text)
        case "tool_use":
            return tool_use(message.tool_use)
        case kind:
            raise NotThisGateway(f"the answer holds a part that no model writes: {kind}")


def _whole(value: Any) -> Any:
    """JSON of a Struct with whole floats converted to integers, as far as floats are exact."""
    match value:
        case float() if value.is_integer() and abs(value) <= _check.MAX_INTEGER:
            return int(value)
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value
