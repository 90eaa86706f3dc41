"""How a transformer encoder is used without Honed: its tokenizer as one plain file, and a few lines that read with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honed.errors import BundleError
from honed.networks.tokens import CHARACTERS_PER_TOKEN
from honed.tasks.recipe import Recipe

TOKENIZER_FILE = "tokenizer.json"
_ENCODE = """
tokenizer = Tokenizer.from_file(f"{{folder}}/tokenizer.json")  # it cuts at {max_length} tokens and pads

def encode(rows):
    most = {most}  # characters; longer texts would be cut anyway
    texts = [row[0][:most] if len(row) == 1 else (row[0][:most], "\\n".join(row[1:])[:most]) for row in rows]
    found = tokenizer.encode_batch(texts)
    return {{
{arrays}
    }}
"""
_ARRAYS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
_TRANSFORMERS = """
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()

def outputs(rows):
    most = {most}  # characters; longer texts would be cut anyway
    first = [row[0][:most] for row in rows]
    second = ["\\n".join(row[1:])[:most] for row in rows] if len(rows[0]) > 1 else None
    batch = tokenizer(first, second, truncation=True, max_length={max_length}, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model(**batch).logits.numpy()
"""


def encoder_recipe(tokenizer: Any, max_length: int) -> Recipe:
    """The recipe of a network that reads texts or pairs through a fast tokenizer."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        seen = "The tokenizer of this model runs only inside its own library."
        raise BundleError("B034", seen, "Export to transformers, or serve it with Honed.")
    shown = tokenizer("a", return_attention_mask=True)
    arrays = "\n".join(
        f'        "{name}": np.array([row.{field} for row in found]),'
        for name, field in _ARRAYS.items()
        if name in shown
    )
    most = max_length * CHARACTERS_PER_TOKEN
    return Recipe(
        write=lambda folder: _write(tokenizer, core, max_length, folder),
        imports=("from tokenizers import Tokenizer",),
        encode=_ENCODE.format(max_length=max_length, most=most, arrays=arrays).strip(),
        packages=("tokenizers",),
        transformers=_TRANSFORMERS.format(max_length=max_length, most=most).strip(),
    )


def _write(tokenizer: Any, core: Any, max_length: int, folder: Path) -> None:
    """The tokenizer with its cutting and padding switched on."""
    twin = type(core).from_str(core.to_str())
    twin.enable_truncation(max_length)
    twin.enable_padding(pad_id=tokenizer.pad_token_id or 0, pad_token=tokenizer.pad_token or "[PAD]")
    twin.save(str(folder / TOKENIZER_FILE))
