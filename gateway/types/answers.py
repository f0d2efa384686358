"""A model's answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.types.prompts import Text, ToolUse


class Stop(StrEnum):
    """Why the model stopped."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    TOOL_USE = "tool_use"
    MODEL_REFUSAL = "model_refusal"


@dataclass(frozen=True, slots=True)
class End:
    """The end of an answer. model: the model that the service says answered; tokens as the service counts them."""

    stop: Stop
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    parts: tuple[Text | ToolUse, ...]
    end: End


Chunk: TypeAlias = Text | ToolUse | End
"""A piece of a streamed answer. The last piece is the only End; a stream without one was cut off."""
