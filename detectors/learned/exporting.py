"""Writes the encoder as graphs that onnxruntime reads: eight bits a weight, and one text at a time, never padded.

It is cut where most passages turn out to be nothing: each part but the last gives the numbers that the next one begins
with, and a margin below which no other part need be asked.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from detectors.learned.pretrained import WIDTH, Numbers, Pretrained
from gateway.signals.encoder import SEEN

HEADS: Final = 12
_OPSET: Final = 21
_IR: Final = 10
_BLOCK: Final = 32
"""Weights of a table that share a scale, where they have four bits."""
CUTS: Final = {6: (0, 1, 3, 6), 12: (0, 3, 6, 12)}
"""Where an encoder of so many layers is cut: from the one to the next are the layers of a part."""
GIVEN: Final = "given"
"""What the margins of a part are made of, over all pieces: of the last part the mean and the first, of the others the
mean, the highest and the spread."""
LAST: Final = ("head", "foreign")
"""Margins of the last part: for the categories and for any; for another language."""
EARLY: Final = "early"
"""Margins of the others: for anything that the last part may say of a category, and of another language."""
_FUSED: Final = "com.microsoft"


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def node(self, kind: str, given: list[str], out: str, **more: Any) -> str:
        self.nodes.append(helper.make_node(kind, given, [out], **more))
        return out

    def times(self, x: str, weights: npt.NDArray[Any], bias: npt.NDArray[Any], out: str) -> str:
        whole, scale = _eight(weights, 0)
        names = [self.constant(f"{out}.w", whole), self.constant(f"{out}.scale", scale)]
        names += [self.constant(f"{out}.zero", np.zeros(len(scale), np.int8)), self.constant(f"{out}.b", bias)]
        return self.node("DynamicQuantizeMatMul", [x, *names], out, domain=_FUSED)

    def level(self, x: str, numbers: Numbers, name: str, out: str) -> str:
        names = [self.constant(f"{name}.{part}", numbers[f"{name}.{part}"]) for part in ("gain", "shift")]
        return self.node("LayerNormalization", [x, *names], out, axis=-1, epsilon=1e-12)


def exported(of: Pretrained, numbers: Numbers) -> dict[str, bytes]:
    """The graphs by the names of their files, from `pieces` of a text to margins. Those not settled yet are nought.

    numbers: what the encoder's own have become.
    """
    numbers = {**numbers, **_nought("foreign", 2 * WIDTH, 1), **_nought(EARLY, 3 * WIDTH, 2)}
    return {name: _part(of, numbers, *layers) for name, layers in parts(of.layers).items()}


def parts(layers: int) -> dict[str, tuple[int, int]]:
    """The layers of each part, by the name of its file: from, and up to."""
    cuts = CUTS[layers]
    return {f"encoder-{n}.onnx": ends for n, ends in enumerate(pairwise(cuts), 1)}


def _nought(name: str, given: int, margins: int) -> Numbers:
    return {f"{name}.w": np.zeros((given, margins), np.float32), f"{name}.b": np.zeros(margins, np.float32)}


def _part(of: Pretrained, numbers: Numbers, begin: int, end: int) -> bytes:
    g, x = _Graph(), SEEN
    given = helper.make_tensor_value_info(SEEN, TensorProto.FLOAT, [1, "pieces", WIDTH])
    if begin == 0:
        given = helper.make_tensor_value_info("pieces", TensorProto.INT64, [1, "pieces"])
        x = g.level(_placed(g, _looked_up(g, of), numbers["places"]), numbers, "first", "x")
    g.constant("three", np.array([WIDTH] * 3, np.int64))
    for layer in range(begin, end):
        x = _layer(g, x, layer, numbers)
    said = _last(g, x, numbers) if end == of.layers else _early(g, x, numbers)
    graph = helper.make_graph(g.nodes, "detector", [given], said, g.constants)
    versions = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=_IR)
    if end == of.layers:
        helper.set_model_props(model, {name: _kept(numbers[name]) for name in ("head.w", "head.b")})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _last(g: _Graph, x: str, numbers: Numbers) -> list[Any]:
    g.node("Gather", [x, g.constant("start", np.array(0, np.int64))], "begin", axis=1)
    g.node("ReduceMean", [x, g.constant("along", np.array([1], np.int64))], "mean", keepdims=0)
    g.node("Concat", ["begin", "mean"], GIVEN, axis=1)
    return [_margins(g, name, numbers) for name in LAST]


def _early(g: _Graph, x: str, numbers: Numbers) -> list[Any]:
    along = g.constant("along", np.array([1], np.int64))
    g.node("ReduceMean", [x, along], "middle", keepdims=1)
    g.node("Squeeze", ["middle", along], "mean")
    g.node("ReduceMax", [x, along], "most", keepdims=0)
    g.node("Sub", [x, "middle"], "off")
    g.node("Mul", ["off", "off"], "squares")
    g.node("Sqrt", [g.node("ReduceMean", ["squares", along], "square", keepdims=0)], "spread")
    g.node("Concat", ["mean", "most", "spread"], GIVEN, axis=1)
    seen = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, "pieces", WIDTH])
    return [seen, _margins(g, EARLY, numbers)]


def giving(model: bytes) -> bytes:
    """The graph, which says also what its margins are made of."""
    graph = onnx.load_from_string(model)
    graph.graph.output.append(helper.make_tensor_value_info(GIVEN, TensorProto.FLOAT, [1, "numbers"]))
    return bytes(graph.SerializeToString())


def last_of(model: bytes) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The weights and the bias of the last layer for the categories as the encoder was tuned with it."""
    kept = {one.key: one.value for one in onnx.load_from_string(model).metadata_props}
    weights, bias = (np.frombuffer(b64decode(kept[f"head.{name}"]), "<f4").astype(np.float64) for name in "wb")
    return weights.reshape(-1, len(bias)), bias


def with_last(model: bytes, others: Numbers) -> bytes:
    """The graph with other last layers. The one that the encoder was tuned with is kept beside them."""
    graph = onnx.load_from_string(model)
    for one in graph.graph.initializer:
        if one.name in others:
            one.CopyFrom(numpy_helper.from_array(others[one.name].astype(np.float32), one.name))
    return bytes(graph.SerializeToString(deterministic=True))


def _margins(g: _Graph, name: str, numbers: Numbers) -> Any:
    layer = [g.constant(f"{name}.{part}", numbers[f"{name}.{part}"]) for part in "wb"]
    said = g.node("Gemm", [GIVEN, *layer], f"{name}.margins")
    return helper.make_tensor_value_info(said, TensorProto.FLOAT, [1, len(numbers[f"{name}.b"])])


def _kept(value: npt.NDArray[Any]) -> str:
    return b64encode(value.astype("<f4").tobytes()).decode()


def _looked_up(g: _Graph, of: Pretrained) -> str:
    """The numbers of each piece."""
    if of.bits == 4:
        packed, scale = _four(of.table)
        g.constants.append(helper.make_tensor("table", TensorProto.INT4, of.table.shape, packed, raw=True))
        given = ["table", "pieces", g.constant("scale", scale)]
        more = {"block_size": _BLOCK, "gather_axis": 0, "quantize_axis": 1}
        return g.node("GatherBlockQuantized", given, "scaled", domain=_FUSED, **more)
    whole, scale = _eight(of.table, 1)
    g.node("Gather", [g.constant("table", whole), "pieces"], "small")
    g.node("Cast", ["small"], "looked", to=TensorProto.FLOAT)
    return g.node("Mul", ["looked", g.node("Gather", [g.constant("scale", scale[:, None]), "pieces"], "by")], "scaled")


def _placed(g: _Graph, looked_up: str, places: npt.NDArray[Any]) -> str:
    """The numbers of each piece at its place."""
    g.node("Shape", ["pieces"], "length", start=1, end=2)
    zero = g.constant("zero", np.array([0], np.int64))
    g.node("Slice", [g.constant("places", places), zero, "length", zero], "there")
    return g.node("Add", [looked_up, "there"], "sum")


def _layer(g: _Graph, x: str, layer: int, numbers: Numbers) -> str:
    of = {name.partition(".")[2]: value for name, value in numbers.items() if name.startswith(f"{layer}.")}
    n = f"{layer}."
    three = np.concatenate([of[f"{name}.w"] for name in "qkv"], 1), np.concatenate([of[f"{name}.b"] for name in "qkv"])
    g.times(x, *three, f"{n}three")
    g.nodes.append(helper.make_node("Split", [f"{n}three", "three"], [f"{n}q", f"{n}k", f"{n}v"], axis=-1))
    g.node("MultiHeadAttention", [f"{n}q", f"{n}k", f"{n}v"], f"{n}seen", domain=_FUSED, num_heads=HEADS)
    out = g.times(f"{n}seen", of["o.w"], of["o.b"], f"{n}out")
    x = g.level(g.node("Add", [x, out], f"{n}with"), numbers, f"{n}an", f"{n}middle")
    wide = g.node("FastGelu", [g.times(x, of["f.w"], of["f.b"], f"{n}wide")], f"{n}bent", domain=_FUSED)
    back = g.times(wide, of["g.w"], of["g.b"], f"{n}back")
    return g.level(g.node("Add", [x, back], f"{n}sum"), numbers, f"{n}on", f"{n}end")


def _eight(values: npt.NDArray[Any], along: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Weights in eight bits, and the scale of each column (along 0) or row (along 1)."""
    most = np.abs(values).max(axis=along) / 127
    scale = np.where(most == 0, 1, most).astype(np.float32)
    whole = np.round(values / np.expand_dims(scale, along)).astype(np.int8)
    return whole, scale


def _four(values: npt.NDArray[Any]) -> tuple[bytes, npt.NDArray[np.float32]]:
    """Weights in four bits, two in a byte, and the scale of each block: its longest weight is -8 times that.

    What was written so before, as the pretrained table, loses nothing.
    """
    blocks = values.reshape(len(values), -1, _BLOCK)
    longest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)
    scale = np.where(longest == 0, 1, longest / -8).astype(np.float32)
    whole = np.clip(np.round(blocks / scale), -8, 7).astype(np.int8).reshape(len(values), -1) & 15
    return (whole[:, ::2] | whole[:, 1::2] << 4).astype(np.uint8).tobytes(), scale[..., 0]
