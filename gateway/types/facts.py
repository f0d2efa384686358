"""The facts on which a request is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.canonical import Json, Written
from gateway.types.releases import Model


class Reading(NamedTuple):
    """One detector's result. score: thousandths, 0 to 1000; None means unavailable, never zero."""

    name: str
    version: str
    score: int | None


class Standing(StrEnum):
    """The measured state of a safeguard, from best to worst.

    SILENT: its detectors answer, but one gave no answer for this content. STALE: one answered once, but not within
    `signals.live_s`. NEVER: one has not answered since the start.
    """

    LIVE = "live"
    SILENT = "silent"
    STALE = "stale"
    NEVER = "never"


Standings = tuple[tuple[str, Standing], ...]
"""The state of each detector, by name."""


@lru_cache(maxsize=256)
def safeguards(detectors: Standings, *, read: bool, recorded: bool) -> Json:
    """The state of each safeguard at a decision. read: everything has a score. recorded: the log can record the call.

    Classifiers are as good as their worst detector, for input and output alike, because both use the same detectors.
    Every caller was authenticated by certificate and token before.
    """
    classifier = max((standing for _, standing in detectors), key=list(Standing).index, default=Standing.NEVER)
    if classifier is Standing.LIVE and not read:
        classifier = Standing.SILENT
    return Written(
        {
            **{f"detector.{name}": str(standing) for name, standing in detectors},
            "input_classifier": str(classifier),
            "output_classifier": str(classifier),
            "trusted_user_access": str(Standing.LIVE),
            "usage_monitoring": str(Standing.LIVE if recorded else Standing.STALE),
        }
    )


@lru_cache(maxsize=1024)
def _signals(readings: tuple[Reading, ...]) -> Json:
    return Written({r.name: r.score for r in readings})


class Stage(StrEnum):
    """Which content a decision is about."""

    REQUEST = "request"
    RESPONSE = "response"
    TOOL_CALL = "tool_call"


UNJUDGED: Final = (
    "the content could not be judged: detectors can't read its language or encoding, or one failed or was late"
)
"""Told to callers, who can't see scores."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The decision input of one stage. model: None if the release has no such model.

    remark: tells the caller what is wrong with the purpose, a marking or a tool, without quoting it. judged: whether
    every signal has a score, once the detectors have been asked.
    """

    input: Mapping[str, Json]
    model: Model | None
    remark: str = ""
    judged: bool = True

    @property
    def request(self) -> Mapping[str, Json]:
        """The facts of the request. Raises TypeError if they are not an object."""
        request = self.input["request"]
        if not isinstance(request, Mapping):
            raise TypeError("request facts are an object")
        return request

    def at(
        self,
        stage: Stage,
        readings: tuple[Reading, ...],
        detectors: Standings,
        request: Mapping[str, Json] | None = None,
    ) -> Facts:
        """The facts at another stage, with the detectors' readings and states.

        request: other request facts, for tool calls.
        """
        read = bool(readings) and all(r.score is not None for r in readings)
        changed: dict[str, Json] = {
            "stage": str(stage),
            "signals": _signals(readings),
            "safeguards": safeguards(detectors, read=read, recorded=self.input.get("audit") == {"ready": True}),
        }
        if request is not None:
            changed["request"] = request
        return replace(self, input=Written({**self.input, **changed}), judged=read)

    def told(self, refusal: str) -> str:
        """The refusal, with what its rules can't say: what is wrong with a declaration, or content was not judged."""
        return "; ".join(filter(None, (refusal, self.remark, "" if self.judged else UNJUDGED)))
