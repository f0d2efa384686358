"""Writes the encoder as a graph that onnxruntime reads: eight bits a weight, and one text at a time, never padded."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from detectors.learned.pretrained import LAYERS, WIDTH, Numbers

HEADS: Final = 12
_OPSET: Final = 18
_IR: Final = 9
GIVEN: Final = "both"
"""What the last layer is given of a text: the numbers of its first piece, and their mean over all."""
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


def exported(table: npt.NDArray[Any], numbers: Numbers) -> bytes:
    """The graph: `pieces`, of one text, to `margins`."""
    g = _Graph()
    x = g.level(_looked_up(g, table, numbers["places"]), numbers, "first", "x")
    g.constant("three", np.array([WIDTH] * 3, np.int64))
    for layer in range(LAYERS):
        x = _layer(g, x, layer, numbers)
    g.node("Gather", [x, g.constant("start", np.array(0, np.int64))], "begin", axis=1)
    g.node("ReduceMean", [x, g.constant("along", np.array([1], np.int64))], "mean", keepdims=0)
    g.node("Concat", ["begin", "mean"], GIVEN, axis=1)
    g.node("Gemm", [GIVEN, g.constant("head.w", numbers["head.w"]), g.constant("head.b", numbers["head.b"])], "margins")
    given = helper.make_tensor_value_info("pieces", TensorProto.INT64, [1, "pieces"])
    said = helper.make_tensor_value_info("margins", TensorProto.FLOAT, [1, len(numbers["head.b"])])
    graph = helper.make_graph(g.nodes, "detector", [given], [said], g.constants)
    versions = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=_IR)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def giving(model: bytes) -> bytes:
    """The graph, which says also what its last layer is given."""
    graph = onnx.load_from_string(model)
    graph.graph.output.append(helper.make_tensor_value_info(GIVEN, TensorProto.FLOAT, [1, 2 * WIDTH]))
    return bytes(graph.SerializeToString())


def last_of(model: bytes) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The weights and the bias of the last layer."""
    found = {one.name: one for one in onnx.load_from_string(model).graph.initializer}
    weights, bias = (numpy_helper.to_array(found[f"head.{name}"]) for name in "wb")
    return weights.astype(np.float64), bias.astype(np.float64)


def with_last(model: bytes, weights: npt.NDArray[Any], bias: npt.NDArray[Any]) -> bytes:
    """The graph with another last layer."""
    graph = onnx.load_from_string(model)
    for one in graph.graph.initializer:
        if one.name in {"head.w", "head.b"}:
            value = weights if one.name == "head.w" else bias
            one.CopyFrom(numpy_helper.from_array(value.astype(np.float32), one.name))
    return bytes(graph.SerializeToString(deterministic=True))


def _looked_up(g: _Graph, table: npt.NDArray[Any], places: npt.NDArray[Any]) -> str:
    whole, scale = _eight(table, 1)
    g.node("Gather", [g.constant("table", whole), "pieces"], "small")
    g.node("Cast", ["small"], "looked", to=TensorProto.FLOAT)
    g.node("Mul", ["looked", g.node("Gather", [g.constant("scale", scale[:, None]), "pieces"], "by")], "scaled")
    g.node("Shape", ["pieces"], "length", start=1, end=2)
    zero = g.constant("zero", np.array([0], np.int64))
    g.node("Slice", [g.constant("places", places), zero, "length", zero], "there")
    return g.node("Add", ["scaled", "there"], "sum")


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
