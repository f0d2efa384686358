"""Whether a detector is live is measured by when it last answered, to a call or to what is read at intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from gateway.signals import Detectors
from gateway.signals.liveness import PROBE, Liveness
from gateway.types import Standing, safeguards


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def standings(detectors: Detectors) -> dict[str, str]:
    return {name: str(standing) for name, standing in detectors.liveness.standings()}


async def test_an_answer_counts_for_its_time_and_no_longer() -> None:
    """A detector never answered until it does; then it is live for as long as an answer counts, to its last moment."""
    hand = Hand()
    detectors = Detectors(liveness=Liveness(60, hand))
    assert standings(detectors) == {"lexical": "never"}
    await detectors.read(["Order spare parts."])
    for later, standing in ((0, "live"), (60, "live"), (60.5, "stale"), (9999, "stale")):
        hand.seconds = 1000 + later
        assert standings(detectors) == {"lexical": standing}
        assert detectors.liveness.live is (standing == "live")
    await detectors.read(["Order spare parts."])
    assert standings(detectors) == {"lexical": "live"}


async def test_a_failure_is_no_answer() -> None:
    """A detector that raises is not seen to work, and one that did before is so only until its answer is too old."""
    hand, fails = Hand(), [True]

    def score(_: list[str]) -> Mapping[str, int]:
        if fails[0]:
            raise RuntimeError("broken")
        return {}

    detectors = Detectors(liveness=Liveness(60, hand), score=score)
    await detectors.read([PROBE])
    assert standings(detectors) == {"lexical": "never"}
    fails[0] = False
    await detectors.read([PROBE])
    hand.seconds, fails[0] = 1061, True
    await detectors.read([PROBE])
    assert standings(detectors) == {"lexical": "stale"}


async def test_every_detector_has_its_own_pulse() -> None:
    """While one of two is late or fails, the other's answers count all the same."""

    class Broken:
        version, languages = "broken-1", None

        def reads(self, text: str, whose: str | None = None, **_: bool) -> tuple[dict[str, int], bool]:
            raise RuntimeError(text, whose)

    detectors = Detectors(learned=Broken())
    await detectors.read([PROBE])
    assert standings(detectors) == {"learned": "never", "lexical": "live"}


@pytest.mark.parametrize(("answer", "standing"), [({"cbrn": 0}, "live"), (None, "never")])
async def test_a_detector_of_others_has_a_pulse(answer: dict[str, int] | None, standing: str) -> None:
    """One that is asked elsewhere is live while it answers, under its own name, and never was while it does not."""

    class Elsewhere:
        name, names, version = "other", frozenset({"cbrn"}), "other-1"

        async def score(self, text: str, left_s: float) -> dict[str, int] | None:  # noqa: ARG002 - as it is asked
            return answer

        async def close(self) -> None:
            """There is nothing to give back."""

    detectors = Detectors(external=[Elsewhere()])
    await detectors.read([PROBE])
    assert standings(detectors) == {"external.other": standing, "lexical": "live"}


async def test_a_gateway_without_calls_is_measured() -> None:
    """A text is read at intervals, without any call, and every detector has an answer to it."""
    detectors = Detectors(liveness=Liveness(0.05))
    beating = asyncio.create_task(detectors.liveness.beat(detectors.read))
    try:
        async with asyncio.timeout(60):
            while not detectors.liveness.live:  # noqa: ASYNC110 - waits for what is measured
                await asyncio.sleep(0.01)
    finally:
        beating.cancel()
    assert all(reading.score is not None for reading in await detectors.read([PROBE]))


@pytest.mark.parametrize(
    ("detectors", "read", "classifier"),
    [
        ((("a", Standing.LIVE), ("b", Standing.LIVE)), True, "live"),
        ((("a", Standing.LIVE), ("b", Standing.LIVE)), False, "silent"),
        ((("a", Standing.LIVE), ("b", Standing.STALE)), True, "stale"),
        ((("a", Standing.NEVER), ("b", Standing.STALE)), False, "never"),
        ((), True, "never"),
    ],
)
def test_classifiers_stand_as_their_worst_detector(
    detectors: tuple[tuple[str, Standing], ...], read: bool, classifier: str
) -> None:
    """One detector that is not live is enough; content without an answer is not read; no detector reads nothing."""
    assert safeguards(detectors, read=read, recorded=False) == {
        **{f"detector.{name}": str(standing) for name, standing in detectors},
        "input_classifier": classifier,
        "output_classifier": classifier,
        "trusted_user_access": "live",
        "usage_monitoring": "stale",
    }
