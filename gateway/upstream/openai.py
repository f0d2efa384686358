"""The OpenAI chat completions API, which many servers implement.

Token usage is requested and required, also in streams. The API has no field for a marking or a tool's failure, so both
are put into the text. Servers with reasoning output send it in separate fields, which are not part of an answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gateway import config
from gateway.egress import Egress, failed
from gateway.types import (
    Chunk,
    Completion,
    Document,
    End,
    Message,
    Part,
    Permitted,
    Stop,
    Text,
    Tool,
    ToolResult,
    ToolUse,
)
from gateway.upstream.answer import Answer, document_text
from gateway.upstream.events import Parsed
from gateway.upstream.exchange import Exchange, attempt, deadline_at

_STOPS = {
    "stop": Stop.END,
    "length": Stop.MAX_TOKENS,
    "tool_calls": Stop.TOOL_USE,
    "content_filter": Stop.MODEL_REFUSAL,
}

MOST_CALLS: Final = 1_000
"""The most tool calls in a streamed answer: all are held in memory until the finish reason, and then parsed at once."""


class OpenAI:
    """An Upstream. reached: called with each connection. Raises StartError if `settings` can't work."""

    def __init__(self, settings: config.Upstream, answer_bytes: int, reached: Callable[[], None]) -> None:
        self.name = settings.name
        self._answer_bytes = answer_bytes
        section, url = f"upstreams.{settings.name}", "https://api.openai.com/v1"
        self._service = Exchange(
            Egress(settings, section, url, answer_bytes, reached, traced=True), "/chat/completions"
        )

    async def generate(self, permitted: Permitted, deadline_s: float) -> Completion:
        """The whole answer. Raises GatewayError."""
        asked = request(permitted)
        async with attempt(deadline_at(deadline_s)):
            return whole(await self._service.ask(asked), Answer(permitted, self._answer_bytes))

    def stream(self, permitted: Permitted, deadline_s: float) -> AsyncGenerator[Chunk]:
        """The answer piece by piece, its End last. Raises GatewayError."""
        asked = {**request(permitted), "stream": True, "stream_options": {"include_usage": True}}
        reader = StreamReader(Answer(permitted, self._answer_bytes))
        return self._service.stream(asked, reader, deadline_at(deadline_s))

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


def request(permitted: Permitted) -> dict[str, Any]:
    """The request fields that carry `permitted`."""
    prompt = permitted.prompt
    messages: list[Any] = [{"role": "system", "content": prompt.system}] if prompt.system else []
    for message in prompt.messages:
        messages.extend(_user(message) if message.role == "user" else [_assistant(message)])
    fields: dict[str, Any] = {
        "model": permitted.model.upstream_model,
        "max_completion_tokens": prompt.max_tokens,
        "messages": messages,
    }
    if prompt.temperature_milli is not None:
        fields["temperature"] = prompt.temperature_milli / 1000
    if prompt.tools:
        fields["tools"] = [{"type": "function", "function": _function(tool)} for tool in prompt.tools]
    return fields


def _function(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.input_schema)}


def _user(message: Message) -> Iterator[Any]:
    """The API's messages for one user message. Each tool result becomes its own message; the order is kept."""
    texts: list[str] = []
    for part in message.parts:
        if not isinstance(part, ToolResult):
            texts.append(_text(part))
            continue
        if texts:
            yield {"role": "user", "content": _content(texts)}
            texts = []
        text = f"The tool failed: {part.text}" if part.is_error else part.text
        yield {"role": "tool", "tool_call_id": part.tool_use_id, "content": text}
    if texts:
        yield {"role": "user", "content": _content(texts)}


def _assistant(message: Message) -> Any:
    texts = [_text(part) for part in message.parts if not isinstance(part, ToolUse)]
    calls = [
        {"type": "function", "id": part.id, "function": {"name": part.name, "arguments": part.input}}
        for part in message.parts
        if isinstance(part, ToolUse)
    ]
    said = {"content": _content(texts)} if texts else {}
    return {"role": "assistant", **said, **({"tool_calls": calls} if calls else {})}


def _text(part: Part) -> str:
    match part:
        case Text(text):
            return text
        case Document():
            return document_text(part)
        case _:
            raise TypeError(f"{type(part).__name__} is no text")


def _content(texts: list[str]) -> Any:
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def whole(reply: Parsed, answer: Answer) -> Completion:
    """The answer of a call that was not streamed. Raises GatewayError, or any exception for an unexpected shape."""
    answer.model(reply["model"])
    (choice,) = reply["choices"]
    message = choice["message"]
    refusal = message.get("refusal")
    parts: list[Text | ToolUse] = [Text(answer.take(text)) for text in (message["content"], refusal) if text]
    parts += [_tool_use(call, answer) for call in message.get("tool_calls") or ()]
    stop = Stop.MODEL_REFUSAL if refusal else _STOPS.get(choice["finish_reason"])
    usage = reply["usage"]
    return Completion(tuple(parts), answer.end(stop, usage["prompt_tokens"], usage["completion_tokens"]))


def _tool_use(call: Parsed, answer: Answer) -> ToolUse:
    function = call["function"]
    return answer.tool_use(call["id"], function["name"], answer.take(function["arguments"]))


@dataclass(slots=True)
class _Call:
    identifier: str
    name: str
    arguments: list[str] = field(default_factory=list)

    def goes_on(self, identifier: object, name: object) -> bool:
        """Whether a piece with this id and name continues this call. Both may be absent after the first piece."""
        return identifier in {None, "", self.identifier} and name in {None, "", self.name}


class StreamReader:
    """The chunks of one streamed answer: text as it arrives, tool calls when the finish reason completes them."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._calls: dict[int, _Call] = {}
        self._refused = False
        self._finished = False
        self._stop: Stop | None = None
        self._usage: Any = None

    def read(self, event: Parsed) -> Iterator[Text | ToolUse]:
        """The pieces that are complete after this chunk.

        Raises GatewayError, or any exception for an unexpected shape.
        """
        self._answer.model(event["model"])
        self._usage = event.get("usage") or self._usage
        if not event["choices"]:
            return
        (choice,) = event["choices"]
        if self._finished or choice["index"] != 0:
            raise failed("a choice where none can be")
        delta = choice["delta"]
        for text in (delta.get("content"), delta.get("refusal")):
            if text:
                yield Text(self._answer.take(text))
        self._refused = self._refused or bool(delta.get("refusal"))
        for piece in delta.get("tool_calls") or ():
            self._collect(piece)
        if (reason := choice["finish_reason"]) is not None:
            self._finished = True
            self._stop = Stop.MODEL_REFUSAL if self._refused else _STOPS.get(reason)
            for _, call in sorted(self._calls.items()):
                yield self._answer.tool_use(call.identifier, call.name, "".join(call.arguments))

    def end(self) -> End:
        """The end. Raises GatewayError if the stream broke off."""
        if not self._finished or self._usage is None:
            raise failed("the stream broke off, or without a count of tokens")
        return self._answer.end(self._stop, self._usage["prompt_tokens"], self._usage["completion_tokens"])

    def _collect(self, piece: Parsed) -> None:
        index, function = piece["index"], piece["function"]
        if index not in self._calls:
            if len(self._calls) == MOST_CALLS:
                raise failed("too many tool calls")
            # Ids and names are counted too, so that the number of calls without arguments is bounded.
            self._calls[index] = _Call(self._answer.take(piece["id"]), self._answer.take(function["name"]))
        elif not self._calls[index].goes_on(piece.get("id"), function.get("name")):
            raise failed("two tool calls in one place")
        if text := function.get("arguments"):
            self._calls[index].arguments.append(self._answer.take(text))
