"""What is known about a request when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from gateway.canonical import Json, Written
from gateway.types.releases import Model


class Reading(NamedTuple):
    """What one detector says. score: thousandths, 0 to 1000; None means unavailable, which is never a zero."""

    name: str
    version: str
    score: int | None


def live_safeguards(readings: tuple[Reading, ...]) -> list[Json]:
    """The safeguards that are live as this decision is made, in alphabetical order.

    Classifiers are live when every one of them answered just now: the same ones read what goes in and what comes back.
    Every caller was proved by certificate and token before, and every use is recorded.
    """
    answered = readings and all(r.score is not None for r in readings)
    classifiers = ["input_classifier", "output_classifier"] if answered else []
    return [*classifiers, "trusted_user_access", "usage_monitoring"]


@lru_cache(maxsize=1024)
def _signals(readings: tuple[Reading, ...]) -> Json:
    return Written({r.name: r.score for r in readings})


class Stage(StrEnum):
    """Which content a decision is about."""

    REQUEST = "request"
    RESPONSE = "response"
    TOOL_CALL = "tool_call"


@dataclass(frozen=True, slots=True)
class Facts:
    """The decision input of one stage. model: None when the release has no such model.

    remark: for the caller, what is wrong with a marking that was not understood; repeats nothing of it.
    """

    input: Mapping[str, Json]
    model: Model | None
    remark: str = ""

    def at(self, stage: Stage, readings: tuple[Reading, ...], request: Mapping[str, Json] | None = None) -> Facts:
        """The same facts at another stage, with other readings and, for tool calls, other request facts."""
        changed: dict[str, Json] = {
            "stage": str(stage),
            "signals": _signals(readings),
            "safeguards": live_safeguards(readings),
        }
        if request is not None:
            changed["request"] = request
        return replace(self, input=Written({**self.input, **changed}))
