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


def build(network: Decoder, context: int, *, bits: int = 32, one: bool = False) -> tuple[bytes, dict[str, Any]]:
    """The graph, and its weights (name to array), which are handed over beside it.

    Inputs: ``tokens`` and ``places`` (n, t); ``mask`` (n, 1, m, room), added to what queries and keys say of each other, with
    m = 1 or one row for each query that shares a head of keys; ``key_slots`` (n, heads, width, t, 4) and ``value_slots``
    (n, heads, t, 3), where each number of the new keys and each head of the new values is written; ``picked`` (k) positions
    among n x t whose logits are wanted; for each layer ``keysI`` (n, heads, width, room) and ``valuesI`` (n, heads, room,
    width), which are bound to the outputs ``keys_outI`` and ``values_outI`` as well, so that they are written in place.

    Parameters
    ----------
    bits : int
        32 for float32 weights; 8 or 4 for packed ones.
    one : bool
        For one token a text (t = 1): fewer operators.
    """
    made = _Graph(network.shape, bits, one)
    with torch.no_grad():
        made.add(network, context)
    return made.finished(), made.weights


class _Graph:
    """A graph as it grows; every method returns the name of what it computed."""

    def __init__(self, shape: Shape, bits: int, one: bool) -> None:
        self.shape, self.bits, self.one = shape, bits, one
        self.nodes: list[Any] = []
        self.inputs: list[tuple[str, int, list[Any]]] = []
        self.outputs: list[tuple[str, int, list[Any]]] = []
        self.weights: dict[str, Any] = {}

    def add(self, network: Decoder, context: int) -> None:
        from onnx import TensorProto

        shape, whole, heads = self.shape, TensorProto.INT64, self.shape.n_key_heads
        self.inputs += [("tokens", whole, ["n", "t"]), ("places", whole, ["n", "t"]), ("picked", whole, ["k"])]
        self.inputs.append(("mask", TensorProto.FLOAT, ["n", 1, "m", "room"]))
        self.inputs.append(("key_slots", whole, ["n", heads, shape.head_width, "t", 4]))
        self.inputs.append(("value_slots", whole, ["n", heads, "t", 3]))
        stream = self.node("Gather", [self.weight("tokens_table", network.tokens.weight), "tokens"], "embedded")
        if network.places is not None:
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
        self, given: str, linear: nn.Linear, name: str, *, scale: Tensor | None = None, bias: bool = True
    ) -> str:
        """A linear layer, its rows scaled; without its bias where that is added elsewhere."""
        weight = linear.weight if scale is None else linear.weight * scale[:, None]
        added = linear.bias if bias else None
        output = name if added is None else f"{name}_plain"
        if self.bits == 32:
            self.node("MatMul", [given, self.weight(f"{name}_weight", weight.T)], output)
        else:
            codes, scales, block = packed(weight.detach().float().cpu().numpy(), self.bits)
            self.weights |= {f"{name}_codes": codes, f"{name}_scales": scales}
            self.node(
                "MatMulNBits", [given, f"{name}_codes", f"{name}_scales"], output, domain=OWN, K=weight.shape[1],
                N=weight.shape[0], bits=self.bits, block_size=block, accuracy_level=4,
            )  # fmt: skip
        if added is None:
            return output
        value = added if scale is None else added * scale
        return self.node("Add", [output, self.weight(f"{name}_bias", value)], name)

    def _turns(self, context: int) -> None:
        pace = 1.0 / self.shape.theta ** (torch.arange(0, self.shape.head_width, 2).float() / self.shape.head_width)
        angle = torch.outer(torch.arange(context).float(), pace)
        self.weight("cosine", angle.cos())
        self.weight("sine", angle.sin())

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
        new = self.product(found, out, f"out{layer}", bias=False)
        read, stream = self._added(stream, new, out.bias, block.before_feed, f"middle{layer}")
        inner = self._inner(layer, block, read)
        down = block.feed.down
        new = self.product(inner, down, f"down{layer}", bias=False)
        return self._added(stream, new, down.bias, after, f"end{layer}")

    def _inner(self, layer: int, block: Block, read: str) -> str:
        """What stands inside the feed-forward part; gate and way up are two products, which spares cutting them apart."""
        up = block.feed.up
        if not self.shape.gated:
            return self.node("FastGelu", [self.product(read, up, f"up{layer}")], f"inner{layer}", domain=OWN)
        half = self.shape.hidden
        gate = self.product(read, part_of(up, 0, half), f"gate{layer}")
        way = self.product(read, part_of(up, half, 2 * half), f"way{layer}")
        opened = self.node("QuickGelu", [gate], f"opened{layer}", domain=OWN, alpha=1.0)
        return self.node("Mul", [opened, way], f"inner{layer}")

    def _attention(self, layer: int, block: Block, read: str) -> str:
        """What each token takes from those it may look at; heads of queries that share keys stand in one product."""
        from onnx import TensorProto

        shape, group = self.shape, self.shape.n_heads // self.shape.n_key_heads
        queries, new_keys, new_values = self._heads(layer, block, read)
        sizes = {
            "keys": ["n", shape.n_key_heads, shape.head_width, "room"],
            "values": ["n", shape.n_key_heads, "room", shape.head_width],
        }
        for (name, size), new, slots in zip(
            sizes.items(), (new_keys, new_values), ("key_slots", "value_slots"), strict=True
        ):
            self.inputs.append((f"{name}{layer}", TensorProto.FLOAT, size))
            self.outputs.append((f"{name}_out{layer}", TensorProto.FLOAT, size))
            self.node("ScatterND", [f"{name}{layer}", slots, new], f"{name}_out{layer}")
        fits = self.node("MatMul", [queries, f"keys_out{layer}"], f"fits{layer}")
        seen = self.node("Add", [fits, "mask"], f"seen{layer}")
        share = self.node("Softmax", [seen], f"share{layer}", axis=-1)
        found = self.node("MatMul", [share, f"values_out{layer}"], f"taken{layer}")
        if not self.one:
            found = self.shaped(found, f"apart{layer}", [0, shape.n_key_heads, group, -1, shape.head_width])
            found = self.node("Transpose", [found], f"back{layer}", perm=[0, 3, 1, 2, 4])
            return self.shaped(found, f"joined{layer}", [0, 0, shape.n_heads * shape.head_width])
        return self.shaped(found, f"joined{layer}", [0, 1, shape.n_heads * shape.head_width])

    def _heads(self, layer: int, block: Block, read: str) -> tuple[str, str, str]:
        """Queries (n, heads of keys, queries that share it x t, width), keys (n, heads, width, t), values (n, heads, t, width)."""
        shape, heads, width = self.shape, self.shape.n_key_heads, self.shape.head_width
        own, theirs, source = shape.n_heads * width, heads * width, block.attention.qkv
        strength = 1.0 / math.sqrt(width)
        scale = torch.cat([torch.full((own,), 1.0 if shape.head_norm else strength), torch.ones(theirs)])
        both = self.product(read, part_of(source, 0, own + theirs), f"both{layer}", scale=scale)
        values = self.product(read, part_of(source, own + theirs, own + 2 * theirs), f"new_values{layer}")
        if shape.head_norm:
            both = self._normed(layer, block, both, strength)
        if shape.places == "rotary":
            both = self.node("RotaryEmbedding", [both, "places", "cosine", "sine"], f"turned{layer}", domain=OWN)
        queries, keys = f"queries{layer}", f"new_keys{layer}"
        self.node("Split", [both, self.numbers("pair", [own, theirs])], queries, keys, axis=-1)
        return self._arranged(queries, keys, values)

    def _normed(self, layer: int, block: Block, both: str, strength: float) -> str:
        """Queries and keys side by side, normalised head by head."""
        shape, width = self.shape, self.shape.head_width
        names = [f"raw_queries{layer}", f"raw_keys{layer}"]
        sizes = self.numbers("pair", [shape.n_heads * width, shape.n_key_heads * width])
        self.node("Split", [both, sizes], *names, axis=-1)
        even = []
        for name, norm, factor in zip(
            names, (block.attention.query_norm, block.attention.key_norm), (strength, 1.0), strict=True
        ):
            apart = self.shaped(name, f"{name}_apart", [0, 0, -1, width])
            gain = self.weight(f"{name}_gain", norm.weight * factor)  # type: ignore[union-attr]
            inputs = [apart, gain]
            self.node("SimplifiedLayerNormalization", inputs, f"{name}_even", epsilon=shape.epsilon, axis=-1)
            even.append(self.shaped(f"{name}_even", f"{name}_flat", [0, 0, -1]))
        return self.node("Concat", even, f"even{layer}", axis=-1)

    def _arranged(self, queries: str, keys: str, values: str) -> tuple[str, str, str]:
        """The three as products of matrices want them; for one token the numbers stand there already."""
        heads, width = self.shape.n_key_heads, self.shape.head_width
        group = self.shape.n_heads // heads
        if self.one:
            queries = self.shaped(queries, f"{queries}_shaped", [0, heads, group, width])
            keys = self.shaped(keys, f"{keys}_shaped", [0, heads, width, 1])
            return queries, keys, self.shaped(values, f"{values}_shaped", [0, heads, 1, width])
        apart = self.shaped(queries, f"{queries}_apart", [0, 0, heads, group, width])
        turned = self.node("Transpose", [apart], f"{queries}_turned", perm=[0, 2, 3, 1, 4])
        shaped = self.shaped(turned, f"{queries}_shaped", [0, heads, -1, width])
        apart = self.shaped(keys, f"{keys}_apart", [0, 0, heads, width])
        keys = self.node("Transpose", [apart], f"{keys}_shaped", perm=[0, 2, 3, 1])
        apart = self.shaped(values, f"{values}_apart", [0, 0, heads, width])
        return shaped, keys, self.node("Transpose", [apart], f"{values}_shaped", perm=[0, 2, 1, 3])

    def shaped(self, given: str, output: str, sizes: list[int]) -> str:
        """The same numbers in another shape (0: as it was, -1: what is left)."""
        name = "shape_" + "_".join(str(size).replace("-", "m") for size in sizes)
        return self.node("Reshape", [given, self.numbers(name, sizes)], output)


def part_of(linear: nn.Linear, start: int, end: int) -> nn.Linear:
    """Some outputs of a linear layer, sharing its memory."""
    found = nn.Linear(linear.in_features, end - start, bias=linear.bias is not None, device="meta")
    found.weight = nn.Parameter(linear.weight[start:end], requires_grad=False)
    if linear.bias is not None:
        found.bias = nn.Parameter(linear.bias[start:end], requires_grad=False)
    return found
