"""The content of a conversation: immutable values, checked when they are constructed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from brightline import _check
from brightline._check import Json

Role: TypeAlias = Literal["user", "assistant"]
"""The author of a message: "user" is the application or its user, "assistant" is the model."""

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
"""What a tool can do in the world. unspecified is judged as the worst case."""


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str

    def __post_init__(self) -> None:
        _check.text("text", self.text, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text document with its own banner line. An empty marking means the request's marking."""

    name: str
    text: str
    marking: str = ""

    def __post_init__(self) -> None:
        _check.text("document.name", self.name, 0, 256)
        _check.text("document.text", self.text, 1)
        _check.text("document.marking", self.marking, 0, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A tool call by the model. id: the model's identifier of this call."""

    id: str
    name: str
    input: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check.text("tool_use.id", self.id, 1, 128)
        _check.matching("tool_use.name", self.name, _check.NAME, "1 to 64 letters, digits and _ -")
        _check.json_object("tool_use.input", self.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """The result of the tool call with this id."""

    tool_use_id: str
    text: str
    is_error: bool = False

    def __post_init__(self) -> None:
        _check.text("tool_result.tool_use_id", self.tool_use_id, 1, 128)
        _check.text("tool_result.text", self.text)
        _check.instance("tool_result.is_error", self.is_error, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the model may call. input_schema: JSON Schema of the arguments."""

    name: str
    description: str = ""
    input_schema: Mapping[str, Json] = field(default_factory=dict)
    effector: Effector = "unspecified"

    def __post_init__(self) -> None:
        _check.matching("tool.name", self.name, _check.NAME, "1 to 64 letters, digits and _ -")
        _check.text("tool.description", self.description, 0, 8192)
        _check.json_object("tool.input_schema", self.input_schema)
        _check.word("tool.effector", self.effector, get_args(Effector))


Part: TypeAlias = Text | Document | ToolUse | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `user` and `assistant` make one from strings and parts."""

    role: Role
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        _check.word("message.role", self.role, get_args(Role))
        _check.several("message.parts", self.parts, 256, least=1)
        for index, part in enumerate(self.parts):
            forbidden = ToolUse if self.role == "user" else ToolResult
            accepted = tuple(kind for kind in get_args(Part) if kind is not forbidden)
            _check.instance(f"message.parts[{index}]", part, accepted)


def user(*parts: str | Part) -> Message:
    """A message of the application, from strings and parts."""
    return Message("user", _parts(parts))


def assistant(*parts: str | Part) -> Message:
    """An earlier message of the model, from strings and parts, for example those of an Answer."""
    return Message("assistant", _parts(parts))


def _parts(parts: tuple[str | Part, ...]) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)
