"""Weights of our decoder under the names that hub format has for them, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from honed.networks.decoders.shape import Shape

_GPT2 = {
    "before_attention": "ln_1", "before_feed": "ln_2", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj",
    "feed.up": "mlp.c_fc", "feed.down": "mlp.c_proj",
}  # fmt: skip
_LLAMA = {
    "before_attention": "input_layernorm", "before_feed": "post_attention_layernorm", "attention.out": "self_attn.o_proj",
    "feed.down": "mlp.down_proj", "attention.query_norm": "self_attn.q_norm", "attention.key_norm": "self_attn.k_norm",
}  # fmt: skip


def to_hub(shape: Shape, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of a :class:`~honed.networks.decoders.decoder.Decoder` under the names that transformers gives it."""
    found: dict[str, Tensor] = {}
    for own, names, turn in _names(shape):
        if own in weights:
            whole = weights[own].T if turn else weights[own]
            sizes = _sizes(shape, own, len(names), len(whole))
            for name, part in zip(names, whole.split(sizes) if len(names) > 1 else [whole], strict=True):
                found[name] = part.contiguous().clone()
    return found


def from_hub(shape: Shape, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of :func:`to_hub`; KeyError names what is missing."""
    known = {plain(name): value for name, value in weights.items()}
    found: dict[str, Tensor] = {}
    for own, names, turn in _names(shape):
        parts = [known[plain(name)] for name in names]
        whole = torch.cat(parts) if len(parts) > 1 else parts[0]
        found[own] = (whole.T if turn else whole).contiguous()
    if shape.tied:
        found["head.weight"] = found["tokens.weight"]
    return found


def hub_names(shape: Shape) -> set[str]:
    """Names that weights of this shape have on a hub, without the prefix of the body; with a last layer where it is tied too."""
    found = {plain(name) for _, names, _ in _names(shape) for name in names}
    return found | {"lm_head.weight"}


def plain(name: str) -> str:
    """Without the prefix of the body, which some files leave out."""
    return name.removeprefix("transformer.").removeprefix("model.")


def _sizes(shape: Shape, own: str, n: int, rows: int) -> list[int]:
    if own.startswith("blocks.") and ".qkv." in own and n == 3:
        return [count * shape.head_width for count in (shape.n_heads, shape.n_key_heads, shape.n_key_heads)]
    return [rows // n] * n


def _names(shape: Shape) -> Iterator[tuple[str, list[str], bool]]:
    """Each of our names, the hub's names whose rows it holds one after another, and whether theirs is turned over."""
    gpt2 = shape.kind == "gpt2"
    yield "tokens.weight", ["transformer.wte.weight" if gpt2 else "model.embed_tokens.weight"], False
    if shape.places == "learned":
        yield "places.weight", ["transformer.wpe.weight"], False
    for layer in range(shape.n_layers):
        yield from _of_block(shape, f"blocks.{layer}", f"{'transformer.h' if gpt2 else 'model.layers'}.{layer}")
    for kind in ("weight", "bias") if shape.norm == "layer" else ("weight",):
        yield f"norm.{kind}", [f"{'transformer.ln_f' if gpt2 else 'model.norm'}.{kind}"], False
    if not shape.tied:
        yield "head.weight", ["lm_head.weight"], False


def _of_block(shape: Shape, own: str, theirs: str) -> Iterator[tuple[str, list[str], bool]]:
    if shape.kind == "gpt2":
        for part, name in _GPT2.items():
            yield f"{own}.{part}.weight", [f"{theirs}.{name}.weight"], name[:3] != "ln_"
            yield f"{own}.{part}.bias", [f"{theirs}.{name}.bias"], False
        return
    for part, name in _LLAMA.items():
        if shape.head_norm or not part.endswith(("query_norm", "key_norm")):
            yield f"{own}.{part}.weight", [f"{theirs}.{name}.weight"], False
    for kind in ("weight", "bias") if shape.attention_bias else ("weight",):
        yield f"{own}.attention.qkv.{kind}", [f"{theirs}.self_attn.{part}_proj.{kind}" for part in "qkv"], False
    yield f"{own}.feed.up.weight", [f"{theirs}.mlp.{part}_proj.weight" for part in ("gate", "up")], False
