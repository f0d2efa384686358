"""Tunes the encoder: every number of it but the table of pieces, and a margin for each category and for any.

Products of matrices are in bfloat16, which recent processors multiply ten times as fast; all else in 32 bits, and what
is done element by element is compiled into one loop. One step at a time, and chance from one seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from detectors.learned.batches import LENGTH, ROWS, TEXTS, Batch, hidden
from detectors.learned.last import SMOOTH
from detectors.learned.pretrained import WIDTH, Numbers, Pretrained

HEADS: Final = 12
RATE: Final = 1.5e-4
"""Of learning, for the last layer; each layer below has a tenth less, the margins eight times as much."""
BELOW: Final = 0.9
DECAY: Final = 0.01
WARM: Final = 0.08
ANY: Final = 3.0
"""How much the margin for any counts, of that of one category."""
DROPPED: Final = 25
"""Of 256 numbers that are left out at a time."""
HEAD_DROPPED: Final = 51
MEMORY: Final = 0.99
"""What is kept is the average of the last hundred steps or so."""

_HALF: Final = tf.bfloat16
_GRID: Final = tf.TensorSpec([ROWS, LENGTH], tf.int32)
_FIRST: Final = tf.TensorSpec([TEXTS], tf.int32)


def _fused(function: Callable[..., Any], learnt: int) -> Callable[..., Any]:
    """A function compiled whole, and its gradient for the first arguments too."""
    forward = tf.function(function, jit_compile=True)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def back(*given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given[:learnt])
            found = function(*given[:-1])
        return tape.gradient(found, given[:learnt], given[-1])

    @tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def both(*given: Any) -> Any:
        return forward(*given), lambda above: [*back(*given, above), *[None] * (len(given) - learnt)]

    found: Callable[..., Any] = both
    return found


def _level(x: Any, gain: Any, shift: Any) -> Any:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    return centred * tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + 1e-12) * gain + shift


def _bent(x: Any, bias: Any) -> Any:
    x = tf.cast(x, tf.float32) + bias
    return tf.cast(0.5 * x * (1 + tf.tanh(0.7978845608 * (x + 0.044715 * x * x * x))), _HALF)


def _kept(chance: Any, dropped: int) -> Any:
    return tf.where(chance >= dropped, 256 / (256 - dropped), 0.0)


level = _fused(_level, 3)
bent = _fused(_bent, 2)
biased = _fused(lambda x, bias: tf.cast(tf.cast(x, tf.float32) + bias, _HALF), 2)
added_in_part = _fused(
    lambda x, y, b, gain, shift, chance: _level(x + (tf.cast(y, tf.float32) + b) * _kept(chance, DROPPED), gain, shift),
    5,
)
attended = _fused(
    lambda x, apart: tf.cast(tf.nn.softmax(tf.cast(x, tf.float32) * (WIDTH / HEADS) ** -0.5 + apart), _HALF), 1
)


class Tuned:
    """The encoder while it is tuned."""

    def __init__(self, of: Pretrained, outputs: int, chance: np.random.Generator) -> None:
        self._chance, self._done, self._layers = chance, 0, of.layers
        self._mask, self._signs = of.mask, of.signs
        numbers = of.numbers
        self._table = tf.constant(of.table)
        head = chance.normal(size=(2 * WIDTH, outputs)).astype(np.float32) * 0.02
        given = numbers | {"head.w": head, "head.b": np.full(outputs, -2, np.float32)}
        self._of = {name: tf.Variable(value) for name, value in given.items()}
        self._average, *self._moments = (
            [tf.Variable(value if keep else tf.zeros_like(value)) for value in self._of.values()]
            for keep in (True, False, False)
        )
        self._dropping = [2 * of.layers + 2, ROWS * LENGTH, WIDTH]
        grid, first, chances = [_GRID] * 3, [_FIRST], [tf.TensorSpec(self._dropping, tf.uint8)]
        wanted = [tf.TensorSpec([TEXTS, outputs]), tf.TensorSpec([TEXTS])]
        self._step = tf.function(self._tune, input_signature=grid + first + wanted + chances + [tf.TensorSpec([])] * 3)
        self._update = tf.function(self._moved, jit_compile=True)

    def step(self, batch: Batch, wanted: npt.NDArray[Any], counts: npt.NDArray[Any], steps: int) -> float:
        """Learn from a batch: wanted and counts, of each of its texts; steps there are in all. Returns the loss."""
        there = len(batch.texts)
        targets, weights = np.zeros((TEXTS, wanted.shape[1]), np.float32), np.zeros(TEXTS, np.float32)
        targets[:there], weights[:there] = wanted, counts
        shown = hidden(batch.pieces, self._mask, self._signs, self._chance)
        chances = np.frombuffer(self._chance.bytes(math.prod(self._dropping)), np.uint8).reshape(self._dropping)
        at, self._done = self._done, self._done + 1
        warm = WARM * steps
        fall = 0.02 + 0.49 * (1 + math.cos(math.pi * min(1, max(0, (at - warm) / (steps - warm)))))
        rate = np.float32(RATE * min(1, (at + 1) / warm) * fall)
        memory = np.float32(min(MEMORY, (1 + at) / (10 + at)))
        given = shown, batch.owners, batch.places, batch.first, targets, weights, chances
        return float(self._step(*given, rate, np.float32(at + 1), memory))

    def settle(self) -> Numbers:
        """Take the average for the numbers, and return them."""
        for value, average in zip(self._of.values(), self._average, strict=True):
            value.assign(average)
        return {name: value.numpy() for name, value in self._of.items()}

    def _margins(self, pieces: Any, owners: Any, places: Any, first: Any, chance: Any) -> Any:
        of = self._of
        x = tf.gather(self._table, pieces) + tf.gather(of["places"], places)
        x = tf.reshape(level(x, of["first.gain"], of["first.shift"]), [ROWS * LENGTH, WIDTH])
        apart = tf.where(owners[:, None, :, None] == owners[:, None, None, :], 0.0, -1e4)
        x = x * _kept(chance[0], DROPPED)
        for layer in range(self._layers):
            x = self._layer(x, apart, layer, chance)
        mine = tf.one_hot(tf.reshape(owners, [-1]), TEXTS)
        mean = tf.matmul(mine, x, transpose_a=True) / tf.maximum(tf.reduce_sum(mine, 0)[:, None], 1.0)
        both = tf.concat([tf.gather(x, first), mean], 1)
        some = tf.reshape(chance[-1], [-1])[: TEXTS * 2 * WIDTH]
        both = both * tf.reshape(_kept(some, HEAD_DROPPED), [TEXTS, 2 * WIDTH])
        return tf.matmul(both, of["head.w"]) + of["head.b"]

    def _layer(self, x: Any, apart: Any, layer: int, chance: Any) -> Any:
        of = {name.partition(".")[2]: value for name, value in self._of.items() if name.startswith(f"{layer}.")}

        def times(left: Any, right: Any) -> Any:
            return tf.matmul(tf.cast(left, _HALF), tf.cast(right, _HALF))

        def joined(x: Any, y: Any, bias: Any, name: str, which: int) -> Any:
            given = x, y, bias, of[f"{name}.gain"], of[f"{name}.shift"]
            return added_in_part(*given, chance[2 * layer + which])

        three = times(x, tf.concat([of[f"{n}.w"] for n in "qkv"], 1))
        three = biased(three, tf.concat([of[f"{n}.b"] for n in "qkv"], 0))
        three = tf.transpose(tf.reshape(three, [ROWS, LENGTH, 3, HEADS, WIDTH // HEADS]), [2, 0, 3, 1, 4])
        query, key, value = tf.unstack(three)
        seen = tf.matmul(attended(tf.matmul(query, key, transpose_b=True), apart), value)
        seen = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [ROWS * LENGTH, WIDTH])
        x = joined(x, times(seen, of["o.w"]), of["o.b"], "an", 1)
        wide = bent(times(x, of["f.w"]), of["f.b"])
        return joined(x, times(wide, of["g.w"]), of["g.b"], "on", 2)

    def _tune(self, *given: Any) -> Any:
        pieces, owners, places, first, wanted, counts, chance, rate, at, memory = given
        values = [*self._of.values()]
        with tf.GradientTape() as tape:
            margins = self._margins(pieces, owners, places, first, chance)
            wrong = tf.nn.sigmoid_cross_entropy_with_logits(wanted * (1 - 2 * SMOOTH) + SMOOTH, margins)
            each = tf.reduce_sum(wrong[:, :-1], 1) + ANY * wrong[:, -1]
            loss = tf.reduce_sum(each * counts) / tf.reduce_sum(counts)
        self._update([tf.convert_to_tensor(g) for g in tape.gradient(loss, values)], rate, at, memory)
        return loss

    def _moved(self, gradients: Any, rate: Any, at: Any, memory: Any) -> None:
        """Adam, with weights that decay and gradients of at most length one; and the average."""
        short = tf.minimum(1.0, tf.math.rsqrt(tf.add_n([tf.reduce_sum(g * g) for g in gradients])))
        rows = zip(self._of.items(), self._average, *self._moments, gradients, strict=True)
        for (name, value), average, first, second, gradient in rows:
            g = gradient * short
            first.assign(0.9 * first + 0.1 * g)
            second.assign(0.98 * second + 0.02 * g * g)
            by = first / (1 - 0.9**at) / (tf.sqrt(second / (1 - 0.98**at)) + 1e-6)
            decayed = DECAY * value if value.shape.rank == 2 else 0.0
            value.assign_sub(rate * self._share(name) * (by + decayed))
            average.assign(memory * average + (1 - memory) * value)

    def _share(self, name: str) -> float:
        before = name.partition(".")[0]
        if before == "head":
            return 8.0
        return BELOW ** (self._layers - 1 - int(before) if before.isdigit() else self._layers)
