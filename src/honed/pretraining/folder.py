"""The result: a folder in hub format that ``AutoModelForCausalLM`` and ``AutoTokenizer`` open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from honed.errors import BundleError
from honed.files import read_json, whole_folder
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.hub_names import from_hub
from honed.networks.decoders.loading import save_decoder
from honed.networks.decoders.shape import shape_of
from honed.networks.decoders.vocabulary import Vocabulary
from honed.pretraining.shards import BOUNDARY
from honed.pretraining.tokenizer import save_tokenizer

ALIKE = 1e-4
"""Largest difference of a logit after reading back, relative to the largest."""


def write_folder(
    target: Path, network: Decoder, tokenizer: Any, card: str, vocabulary: Vocabulary | None = None
) -> None:
    """Write config, weights, tokenizer and card, read them back, and let them take the place of what was there.

    ``vocabulary`` is that of the base which went on learning.

    Raises
    ------
    BundleError [B010]
        What was written computes something else.
    """
    with whole_folder(target) as folder:
        if vocabulary is not None:
            save_decoder(network, vocabulary, folder)
        else:
            network.save(folder, begin=BOUNDARY, ends=BOUNDARY, dtype="float32")
            save_tokenizer(tokenizer, folder, network.shape.context)
        (folder / "README.md").write_text(card, encoding="utf-8")
        _compare(folder, network)


def read_folder(folder: Path) -> Decoder:
    """The decoder of a folder that :func:`write_folder` wrote."""
    shape = shape_of(read_json(folder / "config.json"))
    assert shape is not None
    network = Decoder(shape)
    network.load_state_dict(from_hub(shape, load_file(folder / "model.safetensors")))
    return network


def _compare(folder: Path, network: Decoder) -> None:
    shape = network.shape
    tokens = torch.arange(min(16, shape.context))[None] % shape.n_tokens
    twin = Decoder(shape)
    twin.load_state_dict({name: value.detach().cpu() for name, value in network.state_dict().items()})
    with torch.no_grad():
        expected, found = twin(tokens), read_folder(folder)(tokens)
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-9))
    if not difference <= ALIKE:
        seen = f"The saved model predicts differently from the trained one (by {difference:.2g})."
        raise BundleError("B010", seen, "It was not kept. Report this as a fault of Honed.")
