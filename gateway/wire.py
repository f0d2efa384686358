"""Converts wire messages to values and back. Part of the gRPC shell: nothing below sees a wire type."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn

from google.protobuf import json_format
from google.protobuf.message import Message

from brightline.v1 import audit_pb2, inference_pb2, message_pb2, refusal_pb2, use_context_pb2
from brightline_verify.record import Kind, Outcome
from gateway import effectors, types
from gateway.audit.filter import Filter
from gateway.canonical import MAX_INTEGER, Json
from gateway.errors import GatewayError, Reason, Rule


def prompt(message: inference_pb2.Prompt, release: str = "") -> types.Prompt:
    """The prompt as a value. release: the digest of the release that must decide it.

    Raises GatewayError: PART_UNREADABLE for a part of another medium, INVALID_REQUEST.
    """
    if len({tool.name for tool in message.tools}) < len(message.tools):  # a call of one could be judged as the other
        raise GatewayError(Reason.INVALID_REQUEST, "prompt.tools: two tools have one name", field="prompt.tools")
    return types.Prompt(
        model=message.model,
        system=message.system,
        messages=tuple(_message(m, f"prompt.messages[{i}]") for i, m in enumerate(message.messages)),
        tools=tuple(_tool(t, f"prompt.tools[{i}]") for i, t in enumerate(message.tools)),
        max_tokens=message.max_tokens,
        temperature_milli=message.temperature_milli if message.HasField("temperature_milli") else None,
        use=_use(message.use),
        release=release,
    )


def part(value: types.Text | types.ToolUse) -> message_pb2.Part:
    """A part of an answer on the wire."""
    if isinstance(value, types.Text):
        return message_pb2.Part(text=value.text)
    return message_pb2.Part(tool_use=tool_use(value))


def tool_use(value: types.ToolUse) -> message_pb2.ToolUse:
    """A tool call on the wire."""
    message = message_pb2.ToolUse(id=value.id, name=value.name)
    json_format.Parse(value.input, message.input)
    return message


@lru_cache(maxsize=1024)
def rule(value: Rule) -> refusal_pb2.Rule:
    """A rule on the wire. Don't modify it: it is cached, as a policy has few rules and every refusal uses some."""
    sources = [refusal_pb2.Source(title=s.title, read=s.read) for s in value.sources]
    fields = {"class": value.cls}  # `class` is a Python keyword
    return refusal_pb2.Rule(
        id=value.id, title=value.title, remedy=value.remedy, effect=value.effect, sources=sources, **fields
    )


def obligation(value: types.Obligation) -> inference_pb2.Obligation:
    """An obligation on the wire, with its number if it has one, otherwise its text."""
    return inference_pb2.Obligation(kind=value.kind, value=str(value.limit) if value.limit else value.text)


def model(value: types.Model) -> inference_pb2.Model:
    """A model on the wire."""
    ceiling = str(value.attributes.get("marking_ceiling", ""))
    return inference_pb2.Model(id=value.id, description=value.description, marking_ceiling=ceiling)


def usage(end: types.End) -> inference_pb2.Usage:
    """The token counts on the wire."""
    return inference_pb2.Usage(input_tokens=end.input_tokens, output_tokens=end.output_tokens)


def stop_reason(end: types.End) -> inference_pb2.StopReason:
    """Why the model stopped, on the wire."""
    return inference_pb2.StopReason.Value(f"STOP_REASON_{end.stop.name}")  # type: ignore[return-value]  # untyped


def _message(message: message_pb2.Message, path: str) -> types.Message:
    role = "user" if message.role == message_pb2.ROLE_USER else "assistant"
    return types.Message(role, tuple(_part(p, role, f"{path}.parts[{i}]") for i, p in enumerate(message.parts)))


def _part(message: message_pb2.Part, role: str, path: str) -> types.Part:
    kind = message.WhichOneof("content")
    if (kind == "tool_use" and role != "assistant") or (kind == "tool_result" and role != "user"):
        wanted = "assistant" if kind == "tool_use" else "user"
        raise GatewayError(Reason.INVALID_REQUEST, f"{path}: only in messages of role {wanted}", field=path)
    match kind:
        case "text":
            return types.Text(message.text)
        case "document":
            document = message.document
            return types.Document(document.name, document.text, document.marking)
        case "tool_use":
            use = message.tool_use
            return types.ToolUse(use.id, use.name, _json(use.input, path))
        case "tool_result":
            result = message.tool_result
            return types.ToolResult(result.tool_use_id, result.text, result.is_error)
        case _:
            raise GatewayError(
                Reason.PART_UNREADABLE,
                f"{path}: no detector reads this kind of content; send text or a text document",
                field=path,
            )


def _tool(message: message_pb2.Tool, path: str) -> types.Tool:
    effector = _word(message_pb2.Effector, message.effector)
    schema = _json(message.input_schema, path)
    apparent = effectors.apparent(message.name, message.description, schema)
    return types.Tool(message.name, message.description, schema, effector, apparent)


def _json(struct: Message, path: str) -> str:
    """A Struct as compact JSON text with sorted keys. A Struct's numbers are floats; whole ones become integers.

    Floats beyond the exact range stay floats: nine bytes on the wire could otherwise become three hundred digits.
    """
    try:
        value = _whole(json_format.MessageToDict(struct))
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError, json_format.SerializeToJsonError) as error:
        raise GatewayError(
            Reason.INVALID_REQUEST, f"{path}: is not JSON that a model could read", field=path, detail=str(error)
        ) from None


def _whole(value: object) -> object:
    match value:
        case float() if value.is_integer() and abs(value) <= MAX_INTEGER:
            return int(value)
        case dict():
            return {k: _whole(v) for k, v in value.items()}
        case list():
            return [_whole(v) for v in value]
    return value


def _use(use: use_context_pb2.UseContext) -> dict[str, Json]:
    authority, us_person, volume = use.authority, use.us_person, use.volume
    return {
        "purpose": use.purpose,
        "authority": {
            "kind": authority.kind,
            "citation": authority.citation,
            "id": authority.id,
            "not_before": authority.not_before_ms,
            "expires": authority.expires_ms,
        }
        if use.HasField("authority")
        else None,
        "marking": use.marking,
        "autonomy": _word(use_context_pb2.Autonomy, use.autonomy),
        "evidence": [{"kind": e.kind, "id": e.id, "expires": e.expires_ms} for e in use.evidence],
        "us_person": {
            "involved": _word(use_context_pb2.Involvement, us_person.involved),
            "basis": us_person.basis,
            "process_id": us_person.process_id,
        },
        "geo": list(use.geo),
        "volume": {
            "persons": volume.persons if volume.HasField("persons") else None,
            "records": volume.records if volume.HasField("records") else None,
        },
        "data_origin": _word(use_context_pb2.DataOrigin, use.data_origin),
        "channel": _word(use_context_pb2.Channel, use.channel),
        "approval_id": use.approval_id,
        "conversation_id": use.conversation_id,
        "idempotency_key": use.idempotency_key,
    }


@lru_cache(maxsize=256)
def _word(enum: object, value: int) -> str:
    """The name of an enum value in lower case, without the enum's prefix, which the name of the zero value shows."""
    names = enum.DESCRIPTOR.values_by_number  # type: ignore[attr-defined]  # enum wrappers are untyped
    prefix = str(names[0].name).removesuffix("UNSPECIFIED")
    return str(names[value].name).removeprefix(prefix).lower()


def record_filter(message: audit_pb2.RecordFilter) -> Filter:
    """The filter of a reviewer. Raises GatewayError (INVALID_REQUEST) for a word that no record has."""
    for name, value, known in (("kind", message.kind, Kind), ("outcome", message.outcome, Outcome)):
        if value and value not in tuple(map(str, known)):
            _no_such(name, known)
    if message.reason and message.reason not in tuple(map(str, Reason)):
        _no_such("reason", Reason)
    if message.until_us and message.until_us <= message.from_us:
        text = "filter.until_us: is not after filter.from_us, so that nothing fits"
        raise GatewayError(Reason.INVALID_REQUEST, text, field="filter.until_us")
    effect = message.effect
    return Filter(
        tenant=message.tenant,
        subject=message.subject,
        rule=message.rule,
        effect=_word(inference_pb2.Effect, effect) if effect else "",
        kind=message.kind,
        outcome=message.outcome,
        reason=message.reason,
        decision_id=message.decision_id,
        from_us=message.from_us,
        until_us=message.until_us,
    )


def _no_such(name: str, known: type[StrEnum]) -> NoReturn:
    text = f"filter.{name}: is none of {', '.join(map(str, known))}"
    raise GatewayError(Reason.INVALID_REQUEST, text, field=f"filter.{name}")
