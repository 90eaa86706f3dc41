"""Where the parts of a post-norm transformer layer are, by architecture: facts that ``stock`` reads.

Only architectures whose attention is uniform when queries and keys are zero, and whose layers end in a LayerNorm over
the residual sum, belong here. Every other architecture uses its own classification head as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Attribute paths: the list of layers in the encoder, the parts of a layer, and the head of the classifier.

    ``activation`` is that of the head's dense layer: "tanh" is made linear by small inputs, "ramp" (GELU, ReLU) by
    large positive ones.
    """

    layers: str
    zero: tuple[str, ...]
    identity: str
    output: str
    norms: tuple[str, str]
    dense: str
    final: str
    activation: str


_BERT_LAYER: dict[str, Any] = {
    "layers": "encoder.layer",
    "zero": ("attention.self.query", "attention.self.key", "intermediate.dense", "output.dense"),
    "identity": "attention.self.value",
    "output": "attention.output.dense",
    "norms": ("attention.output.LayerNorm", "output.LayerNorm"),
}
_ROBERTA = Shape(**_BERT_LAYER, dense="classifier.dense", final="classifier.out_proj", activation="tanh")
SHAPES: dict[str, Shape] = {
    "bert": Shape(**_BERT_LAYER, dense="bert.pooler.dense", final="classifier", activation="tanh"),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "electra": Shape(**_BERT_LAYER, dense="classifier.dense", final="classifier.out_proj", activation="ramp"),
    "distilbert": Shape(
        layers="transformer.layer",
        zero=("attention.q_lin", "attention.k_lin", "ffn.lin1", "ffn.lin2"),
        identity="attention.v_lin",
        output="attention.out_lin",
        norms=("sa_layer_norm", "output_layer_norm"),
        dense="pre_classifier",
        final="classifier",
        activation="ramp",
    ),
}
