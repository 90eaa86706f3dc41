"""Decoder files of other programs, written for tests: GGUF and llama2.c."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {"F32": 0, "F16": 1, "Q8_0": 8}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def fact(value: Any) -> bytes:
    """A value of GGUF with its kind before it."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    inner = fact(value[0])[:4]
    return struct.pack("<I", 9) + inner + struct.pack("<Q", len(value)) + b"".join(fact(one)[4:] for one in value)


def pack(weight: np.ndarray, kind: str) -> bytes:
    if kind == "Q8_0":
        blocks = weight.reshape(-1, 32)
        scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype("<f2")
        codes = np.rint(blocks / np.maximum(scale.astype(np.float32), 1e-12)).astype(np.int8)
        return b"".join(one.tobytes() + code.tobytes() for one, code in zip(scale, codes, strict=True))
    return weight.astype({"F32": "<f4", "F16": "<f2"}[kind]).tobytes()


def write_gguf(path: Path, facts: Mapping[str, Any], weights: Mapping[str, np.ndarray], kind: str = "F32") -> Path:
    """A GGUF file of version 3; vectors stay in float32."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(facts))
    head += b"".join(text(name) + fact(value) for name, value in facts.items())
    data = b""
    for name, weight in weights.items():
        own = kind if weight.ndim == 2 and weight.shape[1] % 32 == 0 else "F32"
        head += text(name) + struct.pack(f"<I{weight.ndim}Q", weight.ndim, *reversed(weight.shape))
        head += struct.pack("<IQ", KINDS[own], len(data))
        packed = pack(weight, own)
        data += packed + b"\0" * (-len(packed) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)
    return path


def side_by_side(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Rows of heads whose two halves are brought side by side, pair by pair."""
    rows, width = weight.shape
    return weight.reshape(n_heads, 2, rows // n_heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def write_llama2c(
    folder: Path, shape: Any, weights: Mapping[str, np.ndarray], pieces: list[str], scores: list[float]
) -> Path:
    """A checkpoint of llama2.c from weights under hub names, and its vocabulary beside it."""
    layers = range(shape.n_layers)

    def of(name: str, turn: int = 0) -> bytes:
        every = [weights[f"model.layers.{layer}.{name}.weight"] for layer in layers]
        return b"".join((side_by_side(one, turn) if turn else one).astype("<f4").tobytes() for one in every)

    signed = shape.n_tokens if shape.tied else -shape.n_tokens
    numbers = (shape.width, shape.hidden, shape.n_layers, shape.n_heads, shape.n_key_heads, signed, shape.context)
    parts = [
        struct.pack("<7i", *numbers), weights["model.embed_tokens.weight"].astype("<f4").tobytes(), of("input_layernorm"),
        of("self_attn.q_proj", shape.n_heads), of("self_attn.k_proj", shape.n_key_heads), of("self_attn.v_proj"),
        of("self_attn.o_proj"), of("post_attention_layernorm"), of("mlp.gate_proj"), of("mlp.down_proj"), of("mlp.up_proj"),
        weights["model.norm.weight"].astype("<f4").tobytes(), bytes(4 * shape.context * shape.head_width),
    ]  # fmt: skip
    if not shape.tied:
        parts.append(weights["lm_head.weight"].astype("<f4").tobytes())
    path = folder / "small.bin"
    path.write_bytes(b"".join(parts))
    data = [piece.replace("▁", " ").encode() for piece in pieces]
    data[1:3] = [b"\n<s>\n", b"\n</s>\n"]
    told = b"".join(struct.pack("<fI", score, len(one)) + one for score, one in zip(scores, data, strict=True))
    (folder / f"tok{len(pieces)}.bin").write_bytes(struct.pack("<I", max(map(len, data))) + told)
    return path


def scored_pieces() -> tuple[list[str], list[float]]:
    """A small vocabulary as sentencepiece makes it: controls, bytes, joined pieces, letters."""
    joined = [
        "▁t",
        "he",
        "▁the",
        "in",
        "er",
        "▁a",
        "re",
        "▁printer",
        "▁pr",
        "int",
        "print",
        "▁prin",
        "ter",
        "on",
        "or",
        "▁o",
    ]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *joined, "▁"]
    pieces += [chr(letter) for letter in range(ord("a"), ord("z") + 1)] + ["é", "ü"]
    return pieces, [0.0] * 259 + [-float(place) for place in range(len(pieces) - 259)]


def read_as_llama2c(text: str, pieces: list[str], scores: list[float]) -> list[int]:
    """llama2.c's way to cut a text, written down anew: letters or bytes, then the best pair again and again."""
    ids = {piece: place for place, piece in enumerate(pieces)}
    found = [1, *([ids["▁"]] if text else [])]
    for letter in text.replace(" ", "▁"):
        found += [ids[letter]] if letter in ids else [byte + 3 for byte in letter.encode()]
    while True:
        pairs = [(ids.get(pieces[one] + pieces[two]), place) for place, (one, two) in enumerate(pairwise(found))]
        known = [(scores[joined], -place, joined) for joined, place in pairs if joined is not None]
        if not known:
            return found
        _, place, joined = max(known)
        found[-place : -place + 2] = [joined]
