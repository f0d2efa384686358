"""A request: its prompt and declared use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from gateway.canonical import Json, canonical


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text document. marking: its banner line; empty for the marking of the request."""

    name: str
    text: str
    marking: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A request by the model to run a tool. input: JSON text of the arguments (an object)."""

    id: str
    name: str
    input: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool."""

    tool_use_id: str
    text: str
    is_error: bool


Said: TypeAlias = tuple[tuple[str, ...], ...]
"""Three groups of a tool call's strings: values in its arguments, names in its arguments, and its id and name. The
strings of several calls are joined group by group."""

Part: TypeAlias = Text | Document | ToolUse | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. role: "user" or "assistant"."""

    role: str
    parts: tuple[Part, ...]


Effector: TypeAlias = Literal[
    "unspecified",
    "read_only",
    "digital_write",
    "communication",
    "sensor_tasking",
    "cyber",
    "physical",
    "weapon",
    "nuclear",
]
"""What a tool can do in the world: brightline.v1.Effector in lower case, without prefix. A test compares the two."""

BESIDE: Final = 80
"""Characters on either side of a document's name that are read together with it."""

EFFECTORS: Final[frozenset[str]] = frozenset(get_args(Effector))


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool offered to the model. input_schema: JSON text; effector: one of EFFECTORS, as declared.

    apparent: further effectors that its own texts indicate (`gateway.effectors`).
    """

    name: str
    description: str
    input_schema: str
    effector: str
    apparent: tuple[Effector, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A validated prompt. use: the declared use as JSON facts, in the shape of input.request in rego/schemas.

    release: the digest of the release that must decide; empty for the one in force.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    max_tokens: int
    temperature_milli: int | None
    use: Mapping[str, Json]
    release: str = ""

    def texts(self) -> Iterator[str]:
        """Every string that the model would see, as forwarded."""
        yield self.system
        for tool in self.tools:
            yield from (tool.name, tool.description, tool.input_schema)
        for message in self.messages:
            for part in message.parts:
                yield from part_texts(part)

    def judged(self) -> Iterator[str]:
        """The same strings as detectors read them, so that no field goes unscanned. See `judged_texts`."""
        yield self.system
        yield from judged_texts(part for message in self.messages for part in message.parts)
        yield from (tool.description for tool in self.tools)
        yield from _strings(tool.input_schema for tool in self.tools)
        yield from (tool.name for tool in self.tools)

    def named(self) -> Iterator[str]:
        """Each document's name, between the texts that a model reads it between: `judged` has it apart from them."""
        before = self.system
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, Document) and part.name:
                    yield from (before[-BESIDE:], part.name, part.text[:BESIDE])
                before = "" if isinstance(part, ToolUse) else part.text


def part_texts(part: Part) -> tuple[str, ...]:
    """Every string of a part. All of them are forwarded."""
    match part:
        case Text(text):
            return (text,)
        case Document(name, text, marking):
            return (name, marking, text)
        case ToolUse(identifier, name, arguments):
            return (identifier, name, arguments)
        case ToolResult(tool_use_id, text, _):
            return (tool_use_id, text)


def judged_texts(parts: Iterable[Part]) -> Iterator[str]:
    """Every string of these parts as detectors read it. First come the texts that a model reads one after the other,
    then the arguments of tool calls, then names and ids. JSON is read as the strings that it contains, because in
    serialised JSON an escape can hide where a word ends.
    """
    every = [*parts]
    yield from (part.text for part in every if not isinstance(part, ToolUse))
    yield from _strings(part.input for part in every if isinstance(part, ToolUse))
    for part in every:
        match part:
            case Document(name, _, marking):
                yield from (name, marking)
            case ToolUse(identifier, name, _):
                yield from (identifier, name)
            case ToolResult(tool_use_id, _, _):
                yield tool_use_id


def call_texts(call: ToolUse) -> Said:
    """The strings of a tool call as detectors read them."""
    values, names = _held([call.input])
    return tuple(values), tuple(names), (call.id, call.name)


def _strings(texts: Iterable[str]) -> list[str]:
    """The strings in JSON texts, in order, and then the member names in them."""
    values, names = _held(texts)
    return values + names


def _held(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """The strings in JSON texts, in order, and the member names in them. Text that is not JSON is one string."""
    values: list[str] = []
    names: list[str] = []
    waiting: list[object] = []
    for text in reversed([*texts]):
        try:
            waiting.append(json.loads(text))
        except (ValueError, RecursionError):
            waiting.append(text)
    while waiting:
        match waiting.pop():
            case str(value):
                values.append(value)
            case list(items):
                waiting += reversed(items)
            case dict(items):
                names += items
                waiting += reversed(items.values())
    return values, names


def content_bytes(prompt: Prompt) -> bytes:
    """The canonical bytes of everything that is forwarded, for commitments and to compare what was judged and sent."""
    return canonical(
        {
            "model": prompt.model,
            "system": prompt.system,
            "max_tokens": prompt.max_tokens,
            "temperature_milli": prompt.temperature_milli,
            "tools": [[t.name, t.description, t.input_schema] for t in prompt.tools],
            "messages": [[m.role, *(_forwarded(p) for p in m.parts)] for m in prompt.messages],
        }
    )


def _forwarded(part: Part) -> list[Json]:
    return [type(part).__name__, *part_texts(part), isinstance(part, ToolResult) and part.is_error]
