"""What is known about a request when it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.canonical import Json, Written
from gateway.types.releases import Model


class Reading(NamedTuple):
    """What one detector says. score: thousandths, 0 to 1000; None means unavailable, which is never a zero."""

    name: str
    version: str
    score: int | None


class Standing(StrEnum):
    """How a safeguard stands, as measured: from best to worst.

    SILENT: its detectors answer, and one had no answer for this very content. STALE: one answered once, and has not for
    as long as `signals.live_s`. NEVER: one has not answered since the start.
    """

    LIVE = "live"
    SILENT = "silent"
    STALE = "stale"
    NEVER = "never"


Standings = tuple[tuple[str, Standing], ...]
"""Of each detector, by name."""


@lru_cache(maxsize=256)
def safeguards(detectors: Standings, *, read: bool, recorded: bool) -> Json:
    """How each safeguard stands as a decision is made. read: there is a score for everything; recorded: by the log.

    Classifiers stand as their worst detector does: the same ones read what goes in and what comes back. Every caller
    was proved by certificate and token before.
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


UNJUDGED: Final = "the content could not be judged: detectors read English text; one may also have failed or be late"
"""What a caller is told, who can't see scores."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The decision input of one stage. model: None when the release has no such model.

    remark: for the caller, what is wrong with a marking that was not understood; repeats nothing of it. judged: whether
    every signal has a score, once that was asked.
    """

    input: Mapping[str, Json]
    model: Model | None
    remark: str = ""
    judged: bool = True

    @property
    def request(self) -> Mapping[str, Json]:
        """The facts of the request. Raises TypeError where they are no object."""
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
        """The same facts at another stage, with what the detectors say and how they stand.

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
        """The refusal, with what its rules can't say: a marking was not understood, content was not judged."""
        return "; ".join(filter(None, (refusal, self.remark, "" if self.judged else UNJUDGED)))
