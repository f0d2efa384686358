"""The Anthropic Messages API. Events and stop reasons are as its documentation defines them.

A thinking block is not part of an answer and is never released. Any other block or event that was not requested makes
the answer invalid.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway import config
from gateway.egress import Egress, failed
from gateway.errors import GatewayError, Reason
from gateway.types import Chunk, Completion, Document, End, Message, Part, Permitted, Stop, Text, ToolResult, ToolUse
from gateway.upstream.answer import Answer, document_text, quoted
from gateway.upstream.events import Parsed
from gateway.upstream.exchange import Exchange, attempt, deadline_at

_STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.END,
    "max_tokens": Stop.MAX_TOKENS,
    "model_context_window_exceeded": Stop.MAX_TOKENS,
    "tool_use": Stop.TOOL_USE,
    "refusal": Stop.MODEL_REFUSAL,
}
_HIDDEN = ("thinking", "redacted_thinking")


class Anthropic:
    """An Upstream. reached: called with each connection. Raises StartError if `settings` can't work."""

    def __init__(self, settings: config.Upstream, answer_bytes: int, reached: Callable[[], None]) -> None:
        self.name = settings.name
        self._answer_bytes = answer_bytes
        section, url = f"upstreams.{settings.name}", "https://api.anthropic.com"
        egress = Egress(settings, section, url, answer_bytes, reached, traced=True)
        self._service = Exchange(egress, "/v1/messages", {"anthropic-version": "2023-06-01"})

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """The whole answer. Raises GatewayError."""
        asked = request(permitted)
        async with attempt(deadline_at(deadline_s)):
            return whole(await self._service.ask(asked), Answer(permitted, self._answer_bytes))

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The answer piece by piece, its End last. Raises GatewayError."""
        reader = StreamReader(Answer(permitted, self._answer_bytes))
        return self._service.stream({**request(permitted), "stream": True}, reader, deadline_at(deadline_s))

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


def request(permitted: Permitted) -> dict[str, Any]:
    """The request fields that carry `permitted`. Raises GatewayError for a temperature, which has no field."""
    prompt = permitted.prompt
    if prompt.temperature_milli is not None:
        field_path = "prompt.temperature_milli"
        raise GatewayError(Reason.INVALID_REQUEST, f"{field_path}: this model takes no temperature", field=field_path)
    fields: dict[str, Any] = {
        "model": permitted.model.upstream_model,
        "max_tokens": prompt.max_tokens,
        "messages": [_message(message) for message in prompt.messages],
    }
    if prompt.system:
        fields["system"] = prompt.system
    if prompt.tools:
        fields["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": json.loads(tool.input_schema)}
            for tool in prompt.tools
        ]
    return fields


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [_block(part) for part in message.parts]}


def _block(part: Part) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Document():
            return {"type": "text", "text": document_text(part)}
        case ToolUse(identifier, name, arguments):
            return {"type": "tool_use", "id": identifier, "name": name, "input": json.loads(arguments)}
        case ToolResult(identifier, text, is_error):
            return {"type": "tool_result", "tool_use_id": identifier, "content": text, "is_error": is_error}


def whole(reply: Parsed, answer: Answer) -> Completion:
    """The answer of a call that was not streamed. Raises GatewayError, or any exception for an unexpected shape."""
    answer.model(reply["model"])
    parts: list[Text | ToolUse] = []
    for block in reply["content"]:
        if block["type"] == "text":
            if text := answer.take(block["text"]):
                parts.append(Text(text))
        elif block["type"] == "tool_use":
            parts.append(answer.tool_use(block["id"], block["name"], answer.take(json.dumps(block["input"]))))
        elif block["type"] not in _HIDDEN:
            raise failed(f"a block of type {quoted(block['type'])}")
    usage = reply["usage"]
    return Completion(
        tuple(parts), answer.end(_STOPS.get(reply["stop_reason"]), usage["input_tokens"], usage["output_tokens"])
    )


@dataclass(slots=True)
class _Call:
    identifier: object
    name: object
    arguments: list[str] = field(default_factory=list)


class StreamReader:
    """The events of one streamed answer, in the only order that is valid:

    message_start (content_block_start content_block_delta* content_block_stop)* message_delta+ message_stop
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._seen = ""
        self._blocks = 0
        self._block = ""
        self._call: _Call | None = None
        self._stop: Stop | None = None
        self._input_tokens: object = None
        self._output_tokens: object = None

    def read(self, event: Parsed) -> Iterator[Text | ToolUse]:
        """The pieces that are complete after this event.

        Raises GatewayError, or any exception for an unexpected shape.
        """
        kind = event["type"]
        if (kind == "message_start") != (self._seen == "") or self._seen == "message_stop":
            raise failed(f"{quoted(kind)} after {self._seen or 'nothing'}")
        self._seen = kind
        if kind.startswith("content_block_") and event["index"] != self._blocks:
            raise failed("a block out of its place")  # content of another message or block, or after a lost block
        match kind:
            case "message_start":
                self._answer.model(event["message"]["model"])
                self._input_tokens = event["message"]["usage"]["input_tokens"]
            case "content_block_start":
                yield from self._start(event["content_block"])
            case "content_block_delta":
                yield from self._delta(event["delta"])
            case "content_block_stop":
                yield from self._finish()
            case "message_delta":
                self._stop = _STOPS.get(event["delta"]["stop_reason"])
                self._output_tokens = event["usage"]["output_tokens"]
            case "message_stop":
                pass
            case _:
                raise failed(f"an event of type {quoted(kind)}")

    def end(self) -> End:
        """The end. Raises GatewayError if the stream broke off."""
        if self._seen != "message_stop" or self._block:
            raise failed("the stream broke off")
        return self._answer.end(self._stop, self._input_tokens, self._output_tokens)

    def _start(self, block: Parsed) -> Iterator[Text]:
        if self._block or self._stop is not None:
            raise failed("a block starts where none can")
        if block["type"] == "tool_use":
            if block.get("input"):
                raise failed("arguments of a tool call outside their deltas")
            self._call = _Call(block["id"], block["name"])
        elif block["type"] == "text":
            yield from self._text(block["text"])
        elif block["type"] not in _HIDDEN:
            raise failed(f"a block of type {quoted(block['type'])}")
        self._block = block["type"]

    def _delta(self, delta: Parsed) -> Iterator[Text]:
        match self._block, delta["type"]:
            case "text", "text_delta":
                yield from self._text(delta["text"])
            case "tool_use", "input_json_delta" if self._call is not None:
                self._call.arguments.append(self._answer.take(delta["partial_json"]))
            case block, _ if block in _HIDDEN:
                pass
            case block, kind:
                raise failed(f"a delta of type {quoted(kind)} in a block of type {quoted(block)}")

    def _finish(self) -> Iterator[ToolUse]:
        if not self._block:
            raise failed("a block stops that did not start")
        if self._call is not None:
            # A tool without arguments has no argument text in the stream.
            yield self._answer.tool_use(self._call.identifier, self._call.name, "".join(self._call.arguments) or "{}")
        self._block, self._call = "", None
        self._blocks += 1

    def _text(self, text: object) -> Iterator[Text]:
        if taken := self._answer.take(text):
            yield Text(taken)
