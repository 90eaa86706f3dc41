"""Texts into token ids, in bulk and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CHARACTERS_PER_TOKEN = 20
"""Longer texts are cut to this many characters for every token that can be read, before they are tokenized."""


def tokenize(tokenizer: Any, inputs: Sequence[Any], max_length: int) -> list[dict[str, Any]]:
    """Unpadded encodings of texts or pairs: ``input_ids``, ``token_type_ids`` where used, ``length``."""
    if not inputs:
        return []
    rows = [(text,) if isinstance(text, str) else tuple(text) for text in inputs]
    most = max_length * CHARACTERS_PER_TOKEN
    first = [row[0][:most] for row in rows]
    second = ["\n".join(row[1:])[:most] for row in rows] if len(rows[0]) > 1 else None
    found = tokenizer(first, second, truncation=True, max_length=max_length, return_attention_mask=False)
    names = [name for name in ("input_ids", "token_type_ids") if name in found]
    return [
        {**{name: found[name][row] for name in names}, "length": len(found["input_ids"][row])}
        for row in range(len(rows))
    ]


def pad(encoded: Sequence[dict[str, Any]], padding: int) -> dict[str, Any]:
    """One batch of tensors padded at the right to its longest row, with its attention mask."""
    import torch

    longest = max(row["length"] for row in encoded)
    batch = {}
    for name in [key for key in encoded[0] if key != "length"]:
        value = padding if name == "input_ids" else 0
        batch[name] = torch.tensor([row[name] + [value] * (longest - row["length"]) for row in encoded])
    batch["attention_mask"] = torch.tensor([[1] * row["length"] + [0] * (longest - row["length"]) for row in encoded])
    return batch
