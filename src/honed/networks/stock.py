"""Mean pooling inside a stock classifier of transformers, so that a bundle opens with ``AutoModel...`` as it is.

Stock BERT-like classifiers read the first token. One extra transformer layer brings the masked mean there: with zero
queries and keys attention is uniform, with identity values it gives the mean, and a large output matrix drowns the
residual, so that the layer's LayerNorm returns the normalised mean, which is what :class:`EncoderClassifier` reads.
The head's own dense layer is made linear. Powers of two keep the classifier's weights exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from honed.networks.shapes import SHAPES, Shape

DROWN = 2.0**20
"""Scale of the mean against the residual: what remains of the residual is below the rounding of float32."""
SMALL = 2.0**-14
"""Scale at which tanh is linear to 3e-7."""
SHIFT = 32.0
"""Offset at which GELU and ReLU are the identity."""


def part(module: Any, path: str) -> Any:
    """The submodule at a dotted path."""
    for name in path.split("."):
        module = getattr(module, name)
    return module


def as_stock(backbone: Any, head: torch.nn.Linear, facts: dict[str, Any]) -> Any:
    """A stock classifier with the pooling layer appended; ``facts`` go into its configuration."""
    from transformers import AutoModelForSequenceClassification

    config = type(backbone.config).from_dict({**backbone.config.to_dict(), **facts})
    shape = SHAPES[config.model_type]
    config.num_hidden_layers += 1
    config.honed_pooling = "mean"
    stock = AutoModelForSequenceClassification.from_config(config).eval()
    encoder = stock.base_model
    with torch.no_grad():
        found = encoder.load_state_dict(backbone.state_dict(), strict=False)
        assert not found.unexpected_keys, found.unexpected_keys
        _make_pooling(part(encoder, shape.layers)[-1], shape)
        _make_head(stock, head, shape)
    return stock


def _make_pooling(layer: Any, shape: Shape) -> None:
    for name in (*shape.zero, shape.identity, shape.output):
        linear = part(layer, name)
        linear.weight.zero_()
        linear.bias.zero_()
    torch.nn.init.eye_(part(layer, shape.identity).weight)
    torch.nn.init.eye_(part(layer, shape.output).weight).mul_(DROWN)
    for name in shape.norms:
        norm = part(layer, name)
        norm.weight.fill_(1.0)
        norm.bias.zero_()


def _make_head(stock: Any, head: torch.nn.Linear, shape: Shape) -> None:
    dense, final = part(stock, shape.dense), part(stock, shape.final)
    torch.nn.init.eye_(dense.weight)
    weight, bias = head.weight.detach().float().cpu(), head.bias.detach().float().cpu()
    if shape.activation == "tanh":
        dense.weight.mul_(SMALL)
        dense.bias.zero_()
        final.weight.copy_(weight / SMALL)
        final.bias.copy_(bias)
    else:
        dense.bias.fill_(SHIFT)
        final.weight.copy_(weight)
        final.bias.copy_((bias.double() - SHIFT * weight.double().sum(dim=1)).float())


def from_stock(stock: Any, head_file: Path) -> tuple[Any, torch.nn.Linear]:
    """Take a saved stock classifier apart: the encoder without its pooling layer, and the exact head."""
    from safetensors.torch import load_file

    shape = SHAPES[stock.config.model_type]
    encoder = stock.base_model
    owner = part(encoder, shape.layers.rpartition(".")[0])
    name = shape.layers.rpartition(".")[2]
    setattr(owner, name, getattr(owner, name)[:-1])
    encoder.config.num_hidden_layers -= 1
    if hasattr(encoder, "pooler"):
        encoder.pooler = None
    saved = load_file(head_file)
    head = torch.nn.Linear(saved["weight"].shape[1], saved["weight"].shape[0])
    head.load_state_dict(saved)
    return encoder, head
