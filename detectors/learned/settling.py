"""Settles an encoder's last layers and thresholds by texts of writers whom it has not seen.

1. The encoder reads the texts to their end.
2. Its last layer is tuned again on them. The threshold is the lowest at which it refuses at most 2 % of their hard
   negatives, and at most 0.4 % of their ordinary texts, or one. Each group is measured by a layer tuned without it.
3. Another last layer finds texts that the encoder can't read. It takes at most 0.5 % of these for such, again measured
   by layers made without the group.
4. Every part of the encoder but the last gets margins for whether a later part may have something to say (early.py), by
   texts as they are and among ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.corpus import CATEGORIES
from detectors.learned import last, together
from detectors.learned.early import early
from detectors.learned.exporting import EARLY, last_of, with_last
from detectors.learned.reading import Read, Rows, Test, among
from detectors.learned.tuning import ANY
from gateway.measuring.corpus import Text
from gateway.signals.fusion import UNSEEN

HARD_SHARE: Final = 0.02
ORDINARY_SHARE: Final = 0.004
"""Less than what is aimed at: a threshold that is chosen at the limit is over it elsewhere as often as not."""
FOREIGN_SHARE: Final = 0.005
WIDE: Final = 4.0
"""The margin from 500 thousandths to 881."""
SAYS: Final = WIDE * float(np.arctanh(UNSEEN / 500 - 1))
"""From the threshold, the margin from which the detector does not say that a text is nothing."""
GROUPS: Final = 5
SEED: Final = 1

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """An encoder, its thresholds, and what they find: of restricted texts apart, and of texts that it can't read.

    left: of passages apart of which the last part has nothing to say, the share that each part before it leaves.
    together: the threshold with another encoder; over: what is found then; both None where there is no other.
    """

    encoder: dict[str, bytes]
    threshold: float
    foreign: float
    restricted: float
    elsewhere: float
    left: dict[str, float]
    together: float | None
    over: float | None


@dataclass(frozen=True, slots=True)
class Sets:
    """Texts to settle by. apart: of writers whom the encoder has not seen. known: some that it was tuned on.

    unreadable: what it can't read. group: whose texts are left out together where something is measured. beside: what
    another encoder says, which is asked where this one is in doubt.
    """

    apart: Sequence[Text]
    known: Sequence[Text]
    unreadable: Sequence[Text]
    group: Callable[[Text], str]
    beside: together.Beside | None = None


def settled(encoder: Mapping[str, bytes], read: Callable[[Text], Rows], sets: Sets) -> Settled:
    """The encoder with its last layers. encoder: its parts, in order. read: reads a text with it, to its end."""
    apart, group = sets.apart, sets.group
    chance, filling = np.random.default_rng(SEED), [text.text for text in apart if text.ordinary]
    hidden = among(apart, filling, chance), among(sets.known[::2], filling, chance)
    with ThreadPoolExecutor() as threads:  # 1
        mine, known, abroad, mine_hidden, known_hidden = (
            Read([*some], [*threads.map(read, some)]) for some in (apart, sets.known, sets.unreadable, *hidden)
        )
    *parts, end = encoder
    seen = [last.Seen(rows, wanted(text), group(text)) for rows, text in zip(mine.ends(), apart, strict=True)]
    start = last.Layer(*last_of(encoder[end]))
    head = last.tuned(start, seen, ANY)  # 2
    layers = last.without(seen, lambda some: last.tuned(start, some, ANY))
    threshold, restricted = _threshold(apart, last.elsewhere(seen, layers))
    both, over = _both(apart, seen, layers, threshold, sets.beside) if sets.beside else (None, None)

    def telling(some: Sequence[last.Seen]) -> last.Layer:
        return last.telling(abroad.ends(), [one.rows for one in some])

    foreign = telling(seen)  # 3
    limit = _over(last.elsewhere(seen, last.without(seen, telling)), FOREIGN_SHARE)
    says, refused = _test(head, threshold + SAYS), _test(head, threshold)
    found = {end: with_last(encoder[end], {**_numbers("head", head), **_numbers("foreign", foreign)})}
    left, all_mine, all_known = {}, mine + mine_hidden, known + known_hidden
    for part, name in enumerate(parts):  # 4
        here = all_mine.passages(part, _fifths(apart, group), says, refused)
        layer = early(
            here,
            all_known.passages(part, group, says, refused),
            abroad.passages(part, lambda text: text.lang, says, _test(foreign, limit)),
        )
        found[name] = with_last(encoder[name], _numbers(EARLY, layer))
        left[name] = float(np.mean((here.rows[~here.says] @ layer.weights + layer.bias < 0).all(axis=1)))
    return Settled(
        found,
        threshold,
        limit,
        restricted,
        float(np.mean([last.margin(foreign, some) >= limit for some in abroad.ends()])),
        left,
        both,
        over,
    )


def _threshold(texts: Sequence[Text], margins: Numbers) -> tuple[float, float]:
    """The threshold by the margins of these texts, and the share of restricted ones that is over it."""
    threshold = max(
        _over(margins[[text.hard for text in texts]], HARD_SHARE),
        _over(margins[[text.ordinary for text in texts]], ORDINARY_SHARE),
    )
    return threshold, float(np.mean(margins[[bool(text.labels) for text in texts]] >= threshold))


def _both(
    texts: Sequence[Text],
    seen: Sequence[last.Seen],
    layers: Mapping[str, last.Layer],
    threshold: float,
    beside: together.Beside,
) -> tuple[float, float]:
    """The same for both encoders. layers: for each group; threshold: of the one that is settled."""
    with ThreadPoolExecutor() as threads:
        others = [*threads.map(beside, texts)]

    def margins(text: last.Seen) -> Numbers:
        layer = layers[text.writer]
        return text.rows @ layer.weights + layer.bias

    found = [together.margin(margins(text), other, threshold) for text, other in zip(seen, others, strict=True)]
    return _threshold(texts, np.array(found))


def wanted(text: Text) -> Numbers:
    """What the margins should be of, 0 or 1: each category, then any."""
    return np.array([name in text.labels for name in CATEGORIES] + [bool(text.labels)], np.float64)


def _fifths(texts: Sequence[Text], group: Callable[[Text], str]) -> Callable[[Text], str]:
    """One of five larger groups for each text."""
    groups = sorted(set(map(group, texts)))
    return lambda text: str(groups.index(group(text)) % GROUPS)


def _test(layer: last.Layer, least: float) -> Test:
    """Whether passages have this margin, that decides, or more."""
    return lambda rows: last.margins(layer, rows) >= least


def _numbers(name: str, layer: last.Layer) -> dict[str, Numbers]:
    return {f"{name}.w": layer.weights, f"{name}.b": layer.bias}


def _over(margins: Numbers, share: float) -> float:
    """The lowest threshold over which there is this share, or one where the share is less."""
    return round(float(np.sort(margins)[-1 - max(1, int(len(margins) * share))]) + 0.001, 3)
