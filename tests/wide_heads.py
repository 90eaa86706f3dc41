"""A Llama whose heads are wider than they need to be, and that computes the very same: for engines that have a narrowest head."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from honed.files import read_json, write_json


def widened(folder: Path, target: Path, width: int = 32) -> Path:
    """A copy of a Llama in hub format with heads of ``width`` numbers, a multiple of what it has times a power of four.

    Numbers of queries and keys go where the wider head turns them as fast as the narrow one did, zeros stand in between, and queries
    are scaled so that their products stay what they were.
    """
    from safetensors.torch import load_file, save_file

    config, weights = read_json(folder / "config.json"), load_file(folder / "model.safetensors")
    heads, kept, narrow = (config[name] for name in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    half, step = narrow // 2, width // narrow
    turned = torch.cat([torch.arange(half) * step, torch.arange(half) * step + width // 2])
    plain = torch.arange(narrow)

    def rows(weight: Tensor, n: int, places: Tensor) -> Tensor:
        wide = torch.zeros(n, width, weight.shape[1])
        wide[:, places] = weight.reshape(n, narrow, -1)
        return wide.reshape(n * width, -1)

    for name, weight in weights.items():
        if name.endswith("q_proj.weight"):
            weights[name] = rows(weight, heads, turned) * (width / narrow) ** 0.5
        elif name.endswith("k_proj.weight"):
            weights[name] = rows(weight, kept, turned)
        elif name.endswith("v_proj.weight"):
            weights[name] = rows(weight, kept, plain)
        elif name.endswith("o_proj.weight"):
            weights[name] = rows(weight.T.contiguous(), heads, plain).T.contiguous()
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        (target / name).write_bytes((folder / name).read_bytes())
    write_json(target / "config.json", {**config, "head_dim": width})
    return target
