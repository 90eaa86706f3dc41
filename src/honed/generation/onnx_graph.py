"""Our decoder as a graph for ONNX Runtime: few large operators, keys and values written in place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from honed.generation.packing import packed
from honed.networks.decoders.decoder import Block, Decoder
from honed.networks.decoders.shape import Shape

OWN = "com.microsoft"
"""Domain of the operators that ONNX Runtime adds."""
HEAD_STEP = 16
"""Its rotary attention wants heads whose width is a multiple of this; narrower ones are filled with zeros."""


def can_build(shape: Shape) -> bool:
    """True where the graph computes what the decoder does."""
    return not (shape.head_norm and head_width(shape) != shape.head_width)


def head_width(shape: Shape) -> int:
    """Width of a head in the graph."""
    return -(-shape.head_width // HEAD_STEP) * HEAD_STEP if shape.places == "rotary" else shape.head_width


def build(network: Decoder, context: int, bits: int = 32) -> tuple[bytes, dict[str, Any]]:
    """The graph, and its weights (name to array), which are handed over beside it.

    Inputs: ``tokens`` (n, t), ``places`` (n, t; learned places only), ``lengths`` (n) and ``longest`` (1) as
    GroupQueryAttention counts them, ``picked`` (k) positions among n x t whose logits are wanted, and for each layer
    ``keysI`` and ``valuesI`` (n, heads, room, width), which are bound to the outputs ``keys_outI`` and ``values_outI``.

    Parameters
    ----------
    bits : int
        32 for float32 weights; 8 or 4 for packed ones.
    """
    made = _Graph(network.shape, bits)
    with torch.no_grad():
        made.add(network, context)
    return made.finished(), made.weights


class _Graph:
    """A graph as it grows; every method returns the name of what it computed."""

    def __init__(self, shape: Shape, bits: int) -> None:
        self.shape, self.bits = shape, bits
        self.nodes: list[Any] = []
        self.inputs: list[tuple[str, int, list[Any]]] = []
        self.outputs: list[tuple[str, int, list[Any]]] = []
        self.weights: dict[str, Any] = {}

    def add(self, network: Decoder, context: int) -> None:
        from onnx import TensorProto

        shape, whole = self.shape, TensorProto.INT64
        self.inputs += [
            ("tokens", whole, ["n", "t"]),
            ("lengths", TensorProto.INT32, ["n"]),
            ("longest", TensorProto.INT32, [1]),
        ]
        self.inputs.append(("picked", whole, ["k"]))
        stream = self.node("Gather", [self.weight("tokens_table", network.tokens.weight), "tokens"], "embedded")
        if network.places is not None:
            self.inputs.append(("places", whole, ["n", "t"]))
            place = self.node(
                "Gather", [self.weight("places_table", network.places.weight[:context]), "places"], "placed"
            )
            stream = self.node("Add", [stream, place], "stream")
        else:
            self._turns(context)
        blocks = [block for block in network.blocks if isinstance(block, Block)]
        read = self._norm(stream, blocks[0].before_attention, "first")
        for layer, block in enumerate(blocks):
            after = blocks[layer + 1].before_attention if layer + 1 < len(blocks) else network.norm
            read, stream = self._block(layer, block, read, stream, after)
        flat = self.node("Reshape", [read, self.numbers("flat", [-1, shape.width])], "rows")
        picked = self.node("Gather", [flat, "picked"], "picked_rows")
        self.product(picked, network.head, "logits")
        self.outputs.append(("logits", TensorProto.FLOAT, ["k", shape.n_tokens]))

    def finished(self) -> bytes:
        from onnx import TensorProto, helper, numpy_helper

        small = [
            numpy_helper.from_array(value, name) for name, value in self.weights.items() if value.dtype == np.int64
        ]
        large = {name: value for name, value in self.weights.items() if value.dtype != np.int64}
        self.weights = large
        kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8}
        beside = []
        for name, value in large.items():
            told = TensorProto(
                name=name, data_type=kinds[value.dtype], dims=value.shape, data_location=TensorProto.EXTERNAL
            )
            told.external_data.add(key="location", value="weights")
            beside.append(told)
        given = [helper.make_tensor_value_info(*one) for one in self.inputs]
        found = [helper.make_tensor_value_info(*one) for one in self.outputs]
        graph = helper.make_graph(self.nodes, "decoder", given, found, initializer=[*small, *beside])
        domains = [helper.make_opsetid("", 18), helper.make_opsetid(OWN, 1)]
        made: bytes = helper.make_model(graph, opset_imports=domains, ir_version=9).SerializeToString()
        return made

    def node(self, kind: str, inputs: Iterable[str], output: str, *more: str, domain: str = "", **facts: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output, *more], domain=domain, **facts))
        return output

    def weight(self, name: str, value: Tensor) -> str:
        self.weights[name] = np.ascontiguousarray(value.detach().float().cpu().numpy())
        return name

    def numbers(self, name: str, values: list[int]) -> str:
        self.weights[name] = np.array(values, dtype=np.int64)
        return name

    def product(
        self, given: str, linear: nn.Linear, name: str, rows: Tensor | None = None, *, bias: bool = True
    ) -> str:
        """A linear layer, without its bias where that is added elsewhere; ``rows`` replaces its weight."""
        weight = linear.weight if rows is None else rows
        if self.bits == 32:
            inputs = [given, self.weight(f"{name}_weight", weight.T)]
            plain = self.node("MatMul", inputs, f"{name}_plain" if bias and linear.bias is not None else name)
        else:
            codes, scales, block = packed(weight.detach().float().cpu().numpy(), self.bits)
            self.weights |= {f"{name}_codes": codes, f"{name}_scales": scales}
            plain = self.node(
                "MatMulNBits", [given, f"{name}_codes", f"{name}_scales"], f"{name}_plain" if bias and linear.bias is not None else name,
                domain=OWN, K=weight.shape[1], N=weight.shape[0], bits=self.bits, block_size=block, accuracy_level=4,
            )  # fmt: skip
        if not bias or linear.bias is None:
            return plain
        value = linear.bias if rows is None else self._wide_rows(linear.bias[:, None])[:, 0]
        return self.node("Add", [plain, self.weight(f"{name}_bias", value)], name)

    def _turns(self, context: int) -> None:
        half, wide = self.shape.head_width // 2, head_width(self.shape) // 2
        pace = 1.0 / self.shape.theta ** (torch.arange(0, self.shape.head_width, 2).float() / self.shape.head_width)
        angle = torch.outer(torch.arange(context).float(), pace)
        self.weight("cosine", nn.functional.pad(angle.cos(), (0, wide - half), value=1.0))
        self.weight("sine", nn.functional.pad(angle.sin(), (0, wide - half)))

    def _norm(self, given: str, norm: nn.Module, name: str) -> str:
        if self.shape.norm == "rms":
            weight = self.weight(f"{name}_gain", norm.weight)  # type: ignore[arg-type]
            return self.node("SimplifiedLayerNormalization", [given, weight], name, epsilon=self.shape.epsilon, axis=-1)
        parts = [self.weight(f"{name}_{part}", getattr(norm, part)) for part in ("weight", "bias")]
        return self.node("LayerNormalization", [given, *parts], name, epsilon=self.shape.epsilon, axis=-1)

    def _added(self, stream: str, new: str, bias: Tensor | None, norm: nn.Module, name: str) -> tuple[str, str]:
        """(what the next part reads, the stream with something added to it), in one operator."""
        layer = self.shape.norm == "layer"
        inputs = [stream, new, self.weight(f"{name}_gain", norm.weight)]  # type: ignore[arg-type]
        if layer:
            inputs.append(self.weight(f"{name}_shift", norm.bias))  # type: ignore[arg-type]
        if bias is not None:
            inputs.append(self.weight(f"{name}_bias", bias))
        kind = "SkipLayerNormalization" if layer else "SkipSimplifiedLayerNormalization"
        self.node(kind, inputs, name, "", "", f"{name}_stream", domain=OWN, epsilon=self.shape.epsilon)
        return name, f"{name}_stream"

    def _block(self, layer: int, block: Block, read: str, stream: str, after: nn.Module) -> tuple[str, str]:
        found = self._attention(layer, block, read)
        out = block.attention.out
        rows = self._wide_rows(out.weight.T, heads=(self.shape.n_heads,)).T
        new = self.product(found, out, f"out{layer}", rows, bias=False)
        read, stream = self._added(stream, new, out.bias, block.before_feed, f"middle{layer}")
        up = self.product(read, block.feed.up, f"up{layer}")
        if self.shape.gated:
            self.node("Split", [up], f"gate{layer}", f"way{layer}", axis=-1, num_outputs=2)
            open_ = self.node("QuickGelu", [f"gate{layer}"], f"open{layer}", domain=OWN, alpha=1.0)
            inner = self.node("Mul", [open_, f"way{layer}"], f"inner{layer}")
        else:
            inner = self.node("FastGelu", [up], f"inner{layer}", domain=OWN)
        down = block.feed.down
        new = self.product(inner, down, f"down{layer}", bias=False)
        return self._added(stream, new, down.bias, after, f"end{layer}")

    def _attention(self, layer: int, block: Block, read: str) -> str:
        from onnx import TensorProto

        shape, wide = self.shape, head_width(self.shape)
        qkv = self.product(read, block.attention.qkv, f"qkv{layer}", self._wide_rows(block.attention.qkv.weight))
        given = [qkv, "", ""] if not shape.head_norm else self._normed_heads(layer, block, qkv)
        turned = shape.places == "rotary"
        inputs = [
            *given,
            f"keys{layer}",
            f"values{layer}",
            "lengths",
            "longest",
            *(["cosine", "sine"] if turned else []),
        ]
        sizes = ["n", shape.n_key_heads, "room", wide]
        for name in ("keys", "values"):
            self.inputs.append((f"{name}{layer}", TensorProto.FLOAT, sizes))
            self.outputs.append((f"{name}_out{layer}", TensorProto.FLOAT, sizes))
        facts: dict[str, Any] = {"local_window_size": shape.window} if shape.window else {}
        return self.node(
            "GroupQueryAttention", inputs, f"seen{layer}", f"keys_out{layer}", f"values_out{layer}", domain=OWN,
            num_heads=shape.n_heads, kv_num_heads=shape.n_key_heads, do_rotary=int(turned),
            scale=1.0 / math.sqrt(shape.head_width), **facts,
        )  # fmt: skip

    def _normed_heads(self, layer: int, block: Block, qkv: str) -> list[str]:
        """Queries, keys and values apart, the first two normalised head by head."""
        shape = self.shape
        sizes = [n * shape.head_width for n in (shape.n_heads, shape.n_key_heads, shape.n_key_heads)]
        names = [f"{part}{layer}" for part in ("queries", "new_keys", "new_values")]
        self.node("Split", [qkv, self.numbers("parts", sizes)], *names, axis=-1)
        found = []
        for name, norm, n in zip(names, (block.attention.query_norm, block.attention.key_norm), sizes, strict=False):
            heads = self.node(
                "Reshape", [name, self.numbers(f"heads{n}", [0, 0, -1, shape.head_width])], f"{name}_heads"
            )
            even = self._norm(heads, norm, f"{name}_even")  # type: ignore[arg-type]
            found.append(self.node("Reshape", [even, self.numbers("joined", [0, 0, -1])], f"{name}_joined"))
        return [*found, names[2]]

    def _wide_rows(self, rows: Tensor, heads: tuple[int, ...] | None = None) -> Tensor:
        """Rows of heads, filled with zeros to the width that the graph has; both halves of a head keep their beginning."""
        shape, wide = self.shape, head_width(self.shape)
        if wide == shape.head_width:
            return rows
        n = sum(heads or (shape.n_heads, shape.n_key_heads, shape.n_key_heads))
        halves = rows.reshape(n, 2, shape.head_width // 2, -1)
        filled = nn.functional.pad(halves, (0, 0, 0, (wide - shape.head_width) // 2))
        return filled.reshape(n * wide, -1)
