"""What a decoder looks like: sizes and kinds of its parts, read from and written as a configuration in hub format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

KINDS = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
"""Values of ``model_type`` that :class:`Shape` knows."""


@dataclass(frozen=True)
class Shape:
    """Sizes and kinds of the parts of a decoder.

    Parameters
    ----------
    kind : str
        Which of :data:`KINDS` it is saved as.
    n_tokens, context : int
        Size of the vocabulary; how many tokens it reads at most.
    width, n_layers, n_heads, n_key_heads, head_width, hidden : int
        Width of the stream, blocks, heads of queries, heads of keys and values, width of one head, width inside the
        feed-forward part.
    places : str
        How a token knows its place: "rotary" or "learned".
    norm : str
        "rms" or "layer".
    gated : bool
        The feed-forward part multiplies by a gate (SiLU); else it has one GELU (tanh form).
    attention_bias, bias : bool
        Queries, keys and values have a bias; all other linear layers have one.
    head_norm : bool
        Queries and keys are normalised per head.
    window : int
        A token attends to this many tokens at most, itself included; 0 for all before it.
    tied : bool
        The last layer is the table of embeddings.
    """

    kind: str
    n_tokens: int
    context: int
    width: int
    n_layers: int
    n_heads: int
    n_key_heads: int
    head_width: int
    hidden: int
    places: Literal["rotary", "learned"] = "rotary"
    theta: float = 10000.0
    norm: Literal["rms", "layer"] = "rms"
    epsilon: float = 1e-5
    gated: bool = True
    attention_bias: bool = False
    bias: bool = False
    head_norm: bool = False
    window: int = 0
    tied: bool = True

    @property
    def n_parameters(self) -> int:
        """Numbers that are learnt, tied ones counted once."""
        heads = self.n_heads * self.head_width
        keys = self.n_key_heads * self.head_width
        attention = self.width * (heads + 2 * keys) + heads * self.width
        attention += (
            (heads + 2 * keys) * self.attention_bias + self.width * self.bias + 2 * self.head_width * self.head_norm
        )
        feed = self.width * self.hidden * (3 if self.gated else 2) + (self.hidden + self.width) * self.bias
        norm = self.width * (2 if self.norm == "layer" else 1)
        ends = self.n_tokens * self.width * (1 if self.tied else 2) + self.context * self.width * (
            self.places == "learned"
        )
        return self.n_layers * (attention + feed + 2 * norm) + norm + ends

    def with_tokens(self, n_tokens: int) -> Shape:
        """The same for another vocabulary."""
        return replace(self, n_tokens=n_tokens)


def gpt2(n_tokens: int, context: int, width: int, n_layers: int, n_heads: int) -> Shape:
    """The shape of GPT-2."""
    return Shape(
        "gpt2", n_tokens, context, width, n_layers, n_heads, n_heads, width // n_heads, 4 * width, places="learned",
        norm="layer", gated=False, attention_bias=True, bias=True,
    )  # fmt: skip


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape a configuration in hub format describes, or None where our decoder would compute something else."""
    kind = config.get("model_type")
    try:
        if kind == "gpt2":
            return _of_gpt2(config)
        if kind in KINDS:
            return _of_llama(config, str(kind))
    except (KeyError, TypeError):
        pass
    return None


def _of_gpt2(config: Mapping[str, Any]) -> Shape | None:
    odd = config.get("scale_attn_by_inverse_layer_idx") or not config.get("scale_attn_weights", True)
    if odd or config.get("activation_function", "gelu_new") != "gelu_new" or config.get("add_cross_attention"):
        return None
    n_tokens, context, width = (
        config.get("vocab_size", 50257),
        config.get("n_positions", 1024),
        config.get("n_embd", 768),
    )
    found = gpt2(n_tokens, context, width, config.get("n_layer", 12), config.get("n_head", 12))
    hidden = config.get("n_inner") or 4 * width
    epsilon = config.get("layer_norm_epsilon", 1e-5)
    return replace(found, hidden=hidden, epsilon=epsilon, tied=config.get("tie_word_embeddings", True))


def _of_llama(config: Mapping[str, Any], kind: str) -> Shape | None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default" or rope.get("partial_rotary_factor", 1.0) != 1.0:
        return None
    if config.get("hidden_act", "silu") != "silu" or config.get("mlp_bias"):
        return None
    bias = bool(config.get("attention_bias"))
    if bias and kind != "qwen2":  # theirs has a bias on the output of attention as well
        return None
    windowed = kind == "mistral" or bool(config.get("use_sliding_window"))
    if windowed and len(set(config.get("layer_types") or ["one"])) > 1:
        return None
    width, n_heads = config["hidden_size"], config["num_attention_heads"]
    return Shape(
        kind, config["vocab_size"], config.get("max_position_embeddings", 2048), width, config["num_hidden_layers"], n_heads,
        config.get("num_key_value_heads") or n_heads, config.get("head_dim") or width // n_heads, config["intermediate_size"],
        theta=float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        epsilon=float(config.get("rms_norm_eps", 1e-6)), attention_bias=kind == "qwen2", head_norm=kind == "qwen3",
        window=int(config.get("sliding_window") or 0) if windowed else 0, tied=bool(config.get("tie_word_embeddings", False)),
    )  # fmt: skip


def config_of(shape: Shape) -> dict[str, Any]:
    """The configuration in hub format that ``AutoModelForCausalLM`` reads."""
    if shape.kind == "gpt2":
        return {
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": shape.n_tokens, "n_positions": shape.context,
            "n_ctx": shape.context, "n_embd": shape.width, "n_layer": shape.n_layers, "n_head": shape.n_heads,
            "n_inner": shape.hidden, "activation_function": "gelu_new", "layer_norm_epsilon": shape.epsilon,
            "tie_word_embeddings": shape.tied, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        }  # fmt: skip
    name = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[shape.kind]
    config: dict[str, Any] = {
        "architectures": [f"{name}ForCausalLM"], "model_type": shape.kind, "vocab_size": shape.n_tokens,
        "max_position_embeddings": shape.context, "hidden_size": shape.width, "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads, "num_key_value_heads": shape.n_key_heads, "head_dim": shape.head_width,
        "intermediate_size": shape.hidden, "hidden_act": "silu", "rms_norm_eps": shape.epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta}, "attention_bias": False,
        "tie_word_embeddings": shape.tied,
    }  # fmt: skip
    if shape.kind == "mistral":
        config["sliding_window"] = shape.window or None
    elif shape.window:
        config |= {"use_sliding_window": True, "sliding_window": shape.window, "max_window_layers": 0}
    return config
