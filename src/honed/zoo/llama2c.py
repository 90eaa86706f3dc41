"""Checkpoints of llama2.c: seven numbers, then the weights in float32, and a vocabulary with scores beside them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.errors import ZooError
from honed.zoo.sentencepiece_tokens import SPACE, scored_tokenizer

UNKNOWN, BEGIN, END = 0, 1, 2
HEADER = struct.Struct("<7i")
MOST_VOCABULARY_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Header:
    """The seven numbers, and whether the last layer is the table of embeddings."""

    width: int
    hidden: int
    n_layers: int
    n_heads: int
    n_key_heads: int
    n_tokens: int
    context: int
    tied: bool

    def parts(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and shape of each stretch of the file, in its order."""
        layers, width, hidden = self.n_layers, self.width, self.hidden
        head = width // self.n_heads
        keys = self.n_key_heads * head
        found: list[tuple[str, tuple[int, ...]]] = [
            ("tokens", (self.n_tokens, width)), ("before_attention", (layers, width)), ("q", (layers, width, width)),
            ("k", (layers, keys, width)), ("v", (layers, keys, width)), ("o", (layers, width, width)),
            ("before_feed", (layers, width)), ("gate", (layers, hidden, width)), ("down", (layers, width, hidden)),
            ("up", (layers, hidden, width)), ("norm", (width,)), ("turns", (2, self.context, head // 2)),
        ]  # fmt: skip
        return found if self.tied else [*found, ("head", (self.n_tokens, width))]

    def n_bytes(self) -> int:
        """How long the file must be."""
        return HEADER.size + 4 * sum(_product(shape) for _, shape in self.parts())


def header_of(path: Path) -> Header | None:
    """The header of a checkpoint of llama2.c (its layout 0), or None where the file is not exactly as long as it says."""
    with path.open("rb") as stream:
        start = stream.read(HEADER.size)
    if len(start) < HEADER.size:
        return None
    width, hidden, n_layers, n_heads, n_key_heads, signed, context = HEADER.unpack(start)
    numbers = (width, hidden, n_layers, n_heads, n_key_heads, abs(signed), context)
    if min(numbers) < 1 or max(numbers) > 2**24 or width % n_heads or n_heads % n_key_heads or width // n_heads % 2:
        return None
    found = Header(width, hidden, n_layers, n_heads, n_key_heads, abs(signed), context, signed > 0)
    return found if found.n_bytes() == path.stat().st_size else None


def vocabulary_beside(path: Path, n_tokens: int) -> Path:
    """The file with the vocabulary: ``tokN.bin`` or ``tokenizer.bin`` in the same folder.

    Raises
    ------
    ZooError [Z013]
        There is none.
    """
    for name in (f"tok{n_tokens}.bin", "tokenizer.bin"):
        if (path.parent / name).is_file():
            return path.parent / name
    seen = f"Beside {path.name} lies no vocabulary: neither tok{n_tokens}.bin nor tokenizer.bin."
    raise ZooError("Z013", seen, "Put the vocabulary of the checkpoint into the same folder.")


def read_llama2c(path: Path, header: Header) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Configuration and tensors in hub format, and the tokenizer.

    Raises
    ------
    ZooError [Z013, Z031]
    """
    tokenizer = _tokenizer(vocabulary_beside(path, header.n_tokens), header.n_tokens)
    numbers = np.memmap(path, dtype="<f4", mode="r", offset=HEADER.size)
    parts: dict[str, Any] = {}
    start = 0
    for name, shape in header.parts():
        end = start + _product(shape)
        parts[name], start = numbers[start:end].reshape(shape), end
    return _config(header), _tensors(header, parts), tokenizer


def halves(weight: Any, n_heads: int) -> Any:
    """Rows of queries or keys whose pairs stood side by side (0, 1), (2, 3), ..., with first and second members apart."""
    rows, width = weight.shape
    return weight.reshape(n_heads, rows // n_heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


def _config(header: Header) -> dict[str, Any]:
    from honed.networks.decoders.shape import Shape, config_of

    shape = Shape(
        "llama", header.n_tokens, header.context, header.width, header.n_layers, header.n_heads, header.n_key_heads,
        header.width // header.n_heads, header.hidden, tied=header.tied,
    )  # fmt: skip
    return {**config_of(shape), "bos_token_id": BEGIN, "eos_token_id": [BEGIN, END]}


def _tensors(header: Header, parts: dict[str, Any]) -> dict[str, Any]:
    import torch

    found = {"model.embed_tokens.weight": parts["tokens"], "model.norm.weight": parts["norm"]}
    if not header.tied:
        found["lm_head.weight"] = parts["head"]
    for layer in range(header.n_layers):
        place = f"model.layers.{layer}"
        found[f"{place}.input_layernorm.weight"] = parts["before_attention"][layer]
        found[f"{place}.post_attention_layernorm.weight"] = parts["before_feed"][layer]
        found[f"{place}.self_attn.q_proj.weight"] = halves(parts["q"][layer], header.n_heads)
        found[f"{place}.self_attn.k_proj.weight"] = halves(parts["k"][layer], header.n_key_heads)
        for own, theirs in (
            ("v", "self_attn.v"),
            ("o", "self_attn.o"),
            ("gate", "mlp.gate"),
            ("down", "mlp.down"),
            ("up", "mlp.up"),
        ):
            found[f"{place}.{theirs}_proj.weight"] = parts[own][layer]
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in found.items()}


def _tokenizer(path: Path, n_tokens: int) -> Any:
    pieces, scores = _vocabulary(path, n_tokens)
    for place, name in ((UNKNOWN, "<unk>"), (BEGIN, "<s>"), (END, "</s>")):
        pieces[place] = name
    return scored_tokenizer(pieces, scores, special=(UNKNOWN, BEGIN, END), unknown=UNKNOWN, begin=BEGIN)


def _vocabulary(path: Path, n_tokens: int) -> tuple[list[str], list[float]]:
    if path.stat().st_size > MOST_VOCABULARY_BYTES:
        raise _unreadable(path, "is far too large for a vocabulary")
    data = path.read_bytes()
    pieces, scores, place = [], [], 4
    try:
        for _ in range(n_tokens):
            score, length = struct.unpack_from("<fI", data, place)
            place += 8 + length
            if place > len(data):
                raise _unreadable(path, "is cut short")
            pieces.append(data[place - length : place].decode("utf-8").replace(" ", SPACE))
            scores.append(score)
    except (struct.error, UnicodeDecodeError) as error:
        raise _unreadable(path, "is cut short or damaged") from error
    if place != len(data) or len(set(pieces)) != n_tokens:
        raise _unreadable(path, f"does not hold {n_tokens} different tokens")
    return pieces, scores


def _unreadable(path: Path, why: str) -> ZooError:
    return ZooError("Z031", f"The vocabulary {path.name} {why}.", "Get it again, from where the checkpoint comes.")


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
