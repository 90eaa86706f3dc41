"""Weights of a GGUF file under the names that hub format has for them, with its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from honed.errors import ZooError
from honed.zoo.gguf.blocks import unpacked
from honed.zoo.gguf.header import Gguf, broken
from honed.zoo.llama2c import halves

ARCHITECTURES = ("gpt2", "llama", "qwen2")
_LLAMA = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
_GPT2 = {
    "attn_norm": "ln_1", "ffn_norm": "ln_2", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}  # fmt: skip
_ENDS = {
    "llama": {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"},
    "gpt2": {"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f", "output": "lm_head"},
}  # fmt: skip
_DERIVED = ("rope_freqs.weight",)


def configuration(file: Gguf) -> dict[str, Any]:
    """The configuration in hub format.

    Raises
    ------
    ZooError [Z040, Z042]
        A number is missing or impossible; an architecture, or a way to tell places, that Honed does not know.
    """
    kind = file.facts.get("general.architecture")
    if kind not in ARCHITECTURES:
        seen = f'{file.path.name} holds a model of the architecture "{str(kind)[:40]}".'
        raise ZooError("Z042", seen, f"Honed reads {', '.join(ARCHITECTURES)} from GGUF; get others in hub format.")
    _check_places(file, kind)
    from honed.networks.decoders.shape import config_of

    shape = _gpt2_shape(file) if kind == "gpt2" else _llama_shape(file, kind)
    return {**config_of(shape), **_special(file)}


def _check_places(file: Gguf, kind: str) -> None:
    scaled = file.facts.get(f"{kind}.rope.scaling.type", "none") != "none" or any(
        name in file.places for name in _DERIVED
    )
    experts = file.facts.get(f"{kind}.expert_count", 0)
    if scaled or experts:
        what = "mixes experts" if experts else "stretches its places"
        seen = f"The model in {file.path.name} {what}, which Honed does not read from GGUF."
        raise ZooError("Z042", seen, "Get the model in hub format (config.json and model.safetensors).")


def _number(file: Gguf, name: str, default: Any = None) -> Any:
    kind = file.facts["general.architecture"]
    found = file.facts.get(f"{kind}.{name}", default)
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 < found < 2**31:
        raise broken(file.path, f"{kind}.{name} is missing or impossible")
    return found


def _n_tokens(file: Gguf) -> int:
    table = file.places.get("token_embd.weight")
    if table is None or len(table.shape) != 2:
        raise broken(file.path, "it has no table of embeddings")
    return table.shape[0]


def _gpt2_shape(file: Gguf) -> Any:
    from dataclasses import replace

    from honed.networks.decoders.shape import gpt2

    sizes = [
        int(_number(file, name))
        for name in ("context_length", "embedding_length", "block_count", "attention.head_count")
    ]
    found = gpt2(_n_tokens(file), *sizes)
    hidden = int(_number(file, "feed_forward_length", 4 * sizes[1]))
    return replace(
        found,
        hidden=hidden,
        epsilon=_epsilon(file, "attention.layer_norm_epsilon"),
        tied="output.weight" not in file.places,
    )


def _llama_shape(file: Gguf, kind: str) -> Any:
    from honed.networks.decoders.shape import Shape

    width, heads = int(_number(file, "embedding_length")), int(_number(file, "attention.head_count"))
    head = int(_number(file, "attention.key_length", width // heads))
    if int(_number(file, "rope.dimension_count", head)) != head or head % 2:
        raise ZooError(
            "Z042", f"The model in {file.path.name} turns a part of each head only.", "Get it in hub format."
        )
    return Shape(
        kind, _n_tokens(file), int(_number(file, "context_length")), width, int(_number(file, "block_count")), heads,
        int(_number(file, "attention.head_count_kv", heads)), head, int(_number(file, "feed_forward_length")),
        theta=float(_number(file, "rope.freq_base", 10000.0)), epsilon=_epsilon(file, "attention.layer_norm_rms_epsilon"),
        attention_bias=kind == "qwen2", tied="output.weight" not in file.places,
    )  # fmt: skip


def _epsilon(file: Gguf, name: str) -> float:
    """Stored as float32: the short number it was meant to be."""
    return float(f"{_number(file, name, 1e-5):.6g}")


def _special(file: Gguf) -> dict[str, Any]:
    names = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    found = {name: file.facts.get(f"tokenizer.ggml.{part}_token_id") for name, part in names.items()}
    return {name: value for name, value in found.items() if isinstance(value, int)}


def tensors(file: Gguf, config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and float32 array of each weight, one after another, as hub format has them.

    Raises
    ------
    ZooError [Z042]
        A tensor that the architecture does not have.
    """
    data = np.memmap(file.path, dtype=np.uint8, mode="r")
    for name, place in file.places.items():
        weight = unpacked(place.kind, data[place.start : place.start + place.length]).reshape(place.shape)
        yield _renamed(file, name), _turned(config, name, weight)


def _renamed(file: Gguf, name: str) -> str:
    family = "gpt2" if file.facts["general.architecture"] == "gpt2" else "llama"
    stem, _, kind = name.rpartition(".")
    if stem in _ENDS[family]:
        return f"{_ENDS[family][stem]}.{kind}"
    parts = stem.split(".")
    known = _GPT2 if family == "gpt2" else _LLAMA
    if len(parts) == 3 and parts[0] == "blk" and parts[1].isdigit() and parts[2] in known:
        return f"{'transformer.h' if family == 'gpt2' else 'model.layers'}.{int(parts[1])}.{known[parts[2]]}.{kind}"
    seen = f"{file.path.name} has a tensor {name[:80]!r}, which no {family} has."
    raise ZooError("Z042", seen, "Get the model in hub format (config.json and model.safetensors).")


def _turned(config: dict[str, Any], name: str, weight: Any) -> Any:
    """GPT-2's products are the other way round in hub format; llama's queries and keys have their pairs side by side here."""
    if config["model_type"] == "gpt2" and name.startswith("blk.") and name.endswith(".weight") and weight.ndim == 2:
        return np.ascontiguousarray(weight.T)
    if config["model_type"] == "llama" and name.endswith(("attn_q.weight", "attn_k.weight")):
        n = config["num_attention_heads"] if "attn_q" in name else config["num_key_value_heads"]
        return np.ascontiguousarray(halves(weight, n))
    return weight
