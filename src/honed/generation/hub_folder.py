"""A decoder as a folder that another program opens by itself, and how much memory its texts take there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from honed.files import read_json
from honed.networks.decoders.loading import Loaded, load_decoder, save_decoder
from honed.networks.decoders.unread import Unread
from honed.zoo.local import weights_of

BLOCK = 128
"""Tokens for which memory is given out together."""
SHARE = 0.5
"""Of the free memory of the machine, at most."""


def hub_folder(decoder: Loaded | Unread) -> tuple[tempfile.TemporaryDirectory[str] | None, Path]:
    """A folder in hub format with weights as safetensors: that of the decoder, or a temporary one that goes with the first result."""
    if (decoder.folder / "config.json").is_file() and weights_of(decoder.folder):
        return None, decoder.folder
    loaded = decoder if isinstance(decoder, Loaded) else load_decoder(decoder.folder)
    temporary = tempfile.TemporaryDirectory(prefix="honed-decoder-")
    save_decoder(loaded.network, loaded.vocabulary, Path(temporary.name))
    return temporary, Path(temporary.name)


def cache_bytes(folder: Path, slots: int, context: int) -> int:
    """Memory for the keys and values of so many texts in full precision, and no more than half of what is free."""
    import psutil

    told = read_json(folder / "config.json")
    told = told.get("text_config", told)

    def number(*names: str) -> int:
        return next((int(told[name]) for name in names if isinstance(told.get(name), int)), 1)

    heads = number("num_attention_heads", "n_head")
    width = told.get("head_dim") or number("hidden_size", "n_embd", "d_model") // heads
    kept = told.get("num_key_value_heads") or heads
    token = 2 * 4 * number("num_hidden_layers", "n_layer", "num_layers") * int(kept) * int(width)
    room = (slots + 1) * (-(-context // BLOCK) + 1) * BLOCK
    most = int(SHARE * psutil.virtual_memory().available)
    return min(max(token * room, 2**20), most)
