"""Weights of 8 bits: two ways to write them, one that ONNX Runtime runs fast and one that OpenVINO does."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from honed.engines.kinds import has_fast_int8

SMALLEST = 4096
"""Weight matrices with fewer numbers stay as they are: nothing would be gained."""
LARGE_BYTES = 1_800_000_000
"""Files beyond what one protocol buffer holds keep their weights in a second file."""


def quantize_for_onnx(source: Path, target: Path) -> None:
    """Matrix products on bytes, activations measured as they come (dynamic), weights with one scale a channel.

    The last layer stays in full precision: it is tiny and decides. Where the processor can overflow when it multiplies
    bytes, weights use 7 bits.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    keep = _head_nodes(source)
    with _quiet():
        quantize_dynamic(
            source, target, per_channel=True, reduce_range=not has_fast_int8(), weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"], nodes_to_exclude=keep,
            extra_options={"MatMulConstBOnly": True}, use_external_data_format=_bytes(source) > LARGE_BYTES,
        )  # fmt: skip


def compress_for_openvino(source: Path, target: Path) -> None:
    """Weights as bytes with one scale a channel, unpacked by the graph; OpenVINO then multiplies bytes by itself.

    Activations are rounded in small groups, each row for itself, so an answer does not depend on its batch.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    users: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    unpack = []
    keep = set(_head_names(graph))
    for node in graph.node:
        name = node.input[1] if len(node.input) > 1 else ""
        if node.op_type not in ("MatMul", "Gemm") or name not in weights or node.name in keep:
            continue
        matrix = numpy_helper.to_array(weights[name])
        if matrix.ndim != 2 or matrix.size < SMALLEST or users[name] > 1:
            continue
        axis = 0 if _transposed(node) else 1
        packed, scale = _packed(matrix, axis)
        graph.initializer.remove(weights[name])
        graph.initializer.extend(
            [numpy_helper.from_array(packed, f"{name}.bytes"), numpy_helper.from_array(scale, f"{name}.scale")]
        )
        inputs = [f"{name}.bytes", f"{name}.scale"]
        unpack.append(helper.make_node("DequantizeLinear", inputs, [name], name=f"{name}.unpack", axis=axis))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*unpack, *nodes])
    onnx.save(model, target, save_as_external_data=_bytes(source) > LARGE_BYTES)


def _packed(matrix: Any, axis: int) -> tuple[Any, Any]:
    """A matrix as bytes and the scale of each channel along ``axis``."""
    scale = np.abs(matrix).max(axis=1 - axis) / 127
    scale[scale == 0] = 1.0
    packed = np.clip(np.rint(matrix / np.expand_dims(scale, 1 - axis)), -127, 127).astype(np.int8)
    return packed, scale.astype(np.float32)


def _transposed(node: Any) -> bool:
    return node.op_type == "Gemm" and any(item.name == "transB" and item.i for item in node.attribute)


def _head_nodes(source: Path) -> list[str]:
    import onnx

    return _head_names(onnx.load(source, load_external_data=False).graph)


def _head_names(graph: Any) -> list[str]:
    """Names of the nodes that make the first output: the last product, and what lies between it and the output."""
    makers = {name: node for node in graph.node for name in node.output}
    node, names = makers.get(graph.output[0].name), []
    while node is not None:
        names.append(node.name)
        if node.op_type in ("MatMul", "Gemm"):
            return names
        node = makers.get(node.input[0]) if node.input else None
    return names


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice to preprocess the file first; it was tried and gains nothing here."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
