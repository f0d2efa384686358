"""Builds request messages from values that were checked when they were constructed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Required, TypedDict

from google.protobuf import struct_pb2

from brightline import _check, _words
from brightline.content import Document, Message, Part, Text, Tool, ToolResult, ToolUse, user
from brightline.use import Authority, Evidence, Use, UsPerson, Volume
from brightline.v1 import inference_pb2, message_pb2, use_context_pb2

_DIGEST = re.compile(r"([0-9a-f]{64})?")
_MODEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Ask(TypedDict, total=False):
    """What to ask: the keyword arguments of generate, stream and check.

    model: an id from models(). use: the declared use.
    prompt: one user message; messages: a conversation, oldest message first. Give exactly one of the two.
    temperature_milli: in thousandths, None for the model's default.
    release: the digest of the release that has to decide, from an answer or in_force(); empty for any release.
    """

    model: Required[str]
    use: Required[Use]
    prompt: str
    messages: Sequence[Message]
    system: str
    tools: Sequence[Tool]
    max_tokens: int
    temperature_milli: int | None
    release: str


def fields(*, release: str = "", **given: Any) -> dict[str, Any]:
    """The fields of a request: the prompt, and the release that has to decide. Raises ValueError, as `ask` does."""
    _check.matching("release", release, _DIGEST, "64 hexadecimal digits, or empty")
    for name in given:
        _check.word("an argument", name, tuple(Ask.__annotations__))
    for name in ("model", "use"):
        if name not in given:
            raise ValueError(f"{name}: is missing")
    return {"prompt": ask(**given), "release": release}


def ask(
    *,
    model: str,
    use: Use,
    prompt: str | None = None,
    messages: Sequence[Message] | None = None,
    system: str = "",
    tools: Sequence[Tool] = (),
    max_tokens: int = 1024,
    temperature_milli: int | None = None,
) -> inference_pb2.Prompt:
    """The prompt message. Raises ValueError that names the argument and what would be accepted."""
    _check.matching("model", model, _MODEL, "an identifier from models()")
    _check.instance("use", use, Use)
    if (prompt is None) == (messages is None):
        raise ValueError("prompt, messages: give exactly one of the two")
    turns = [user(prompt)] if prompt is not None else messages
    _check.several("messages", turns, 256, least=1)
    _check.several("tools", tools, 64)
    for field, values, kind in (("messages", turns or (), Message), ("tools", tools, Tool)):
        for index, value in enumerate(values):
            _check.instance(f"{field}[{index}]", value, kind)
    if len({tool.name for tool in tools}) != len(tools):
        raise ValueError("tools: two tools have the same name")
    _check.text("system", system)
    _check.integer("max_tokens", max_tokens, 1, 1_000_000)
    if temperature_milli is not None:
        _check.integer("temperature_milli", temperature_milli, 0, 2000)
    return inference_pb2.Prompt(
        model=model,
        system=system,
        messages=[_message(m) for m in turns or ()],
        tools=[_tool(t) for t in tools],
        max_tokens=max_tokens,
        temperature_milli=temperature_milli,
        use=_use(use),
    )


def _message(value: Message) -> message_pb2.Message:
    return message_pb2.Message(role=_words.number(message_pb2.Role, value.role), parts=[_part(p) for p in value.parts])


def _part(value: Part) -> message_pb2.Part:
    match value:
        case Text(text):
            return message_pb2.Part(text=text)
        case Document():
            document = message_pb2.Document(name=value.name, text=value.text, marking=value.marking)
            return message_pb2.Part(document=document)
        case ToolUse():
            use = message_pb2.ToolUse(id=value.id, name=value.name, input=_struct(value.input))
            return message_pb2.Part(tool_use=use)
        case ToolResult():
            result = message_pb2.ToolResult(tool_use_id=value.tool_use_id, text=value.text, is_error=value.is_error)
            return message_pb2.Part(tool_result=result)


def _tool(value: Tool) -> message_pb2.Tool:
    return message_pb2.Tool(
        name=value.name,
        description=value.description,
        input_schema=_struct(value.input_schema),
        effector=_words.number(message_pb2.Effector, value.effector),
    )


def _use(value: Use) -> use_context_pb2.UseContext:
    return use_context_pb2.UseContext(
        purpose=value.purpose,
        authority=None if value.authority is None else _authority(value.authority),
        marking=value.marking,
        autonomy=_words.number(use_context_pb2.Autonomy, value.autonomy),
        us_person=None if value.us_person is None else _us_person(value.us_person),
        geo=value.geo,
        evidence=[_evidence(e) for e in value.evidence],
        volume=None if value.volume is None else _volume(value.volume),
        data_origin=_words.number(use_context_pb2.DataOrigin, value.data_origin),
        channel=_words.number(use_context_pb2.Channel, value.channel),
        approval_id=value.approval_id,
        conversation_id=value.conversation_id,
        idempotency_key=value.idempotency_key,
    )


def _authority(value: Authority) -> use_context_pb2.Authority:
    return use_context_pb2.Authority(
        kind=value.kind,
        citation=value.citation,
        id=value.id,
        not_before_ms=value.not_before_ms,
        expires_ms=value.expires_ms,
    )


def _evidence(value: Evidence) -> use_context_pb2.Evidence:
    return use_context_pb2.Evidence(kind=value.kind, id=value.id, expires_ms=value.expires_ms)


def _us_person(value: UsPerson) -> use_context_pb2.UsPerson:
    involved = _words.number(use_context_pb2.Involvement, value.involved)
    return use_context_pb2.UsPerson(involved=involved, basis=value.basis, process_id=value.process_id)


def _volume(value: Volume) -> use_context_pb2.Volume:
    return use_context_pb2.Volume(persons=value.persons, records=value.records)


def _struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct
