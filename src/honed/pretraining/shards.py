"""Tokens on disk: shards that are written once and read through memory maps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from honed.data.documents import Piece
from honed.files import read_json, whole_folder, write_json
from honed.pretraining.tokenizer import encode_all

SHARD = 1 << 24
"""Tokens of a shard at most."""
BOUNDARY = 0
"""The token that stands before every document."""


class _Writer:
    """Gathers tokens of one part and writes them shard by shard."""

    def __init__(self, folder: Path, part: str, kind: Any, size: int) -> None:
        self.folder, self.part, self.kind, self.size = folder, part, kind, size
        self.held: list[npt.NDArray[Any]] = []
        self.count, self.n_bytes, self.files = 0, 0, []  # type: ignore[var-annotated]

    def add(self, tokens: list[int]) -> None:
        self.held.append(np.array(tokens, self.kind))
        self.count += len(tokens)
        while self.count >= self.size:
            whole = np.concatenate(self.held)
            self._write(whole[: self.size])
            self.held, self.count = [whole[self.size :]], len(whole) - self.size

    def close(self) -> None:
        if self.count:
            self._write(np.concatenate(self.held))

    def _write(self, tokens: npt.NDArray[Any]) -> None:
        name = f"{self.part}-{len(self.files):05d}.npy"
        np.save(self.folder / name, tokens)
        self.files.append({"file": name, "tokens": len(tokens)})


def write_shards(
    target: Path, pieces: Iterable[tuple[bool, Piece]], tokenizer: Any, facts: dict[str, Any], *, size: int = SHARD,
    between: tuple[int, ...] = (BOUNDARY,),
) -> None:  # fmt: skip
    """Write ``train-*.npy``, ``validation-*.npy`` and ``index.json``, whole or not at all.

    Every document begins with the last of the tokens ``between``, the first of them ends it, in each part the last document too, so
    that the end of a document can be learnt.
    """
    kind = np.uint16 if tokenizer.get_vocab_size() <= 1 << 16 else np.uint32
    with whole_folder(target) as folder:
        parts = {held: _Writer(folder, name, kind, size) for held, name in ((False, "train"), (True, "validation"))}
        order: list[tuple[bool, Piece]] = []

        def texts() -> Iterable[str]:
            for held, piece in pieces:
                order.append((held, piece))
                yield piece.text

        for tokens in encode_all(tokenizer, texts()):
            held, piece = order.pop(0)
            part = parts[held]
            before = (between if part.count or part.files else between[-1:]) if piece.begins else ()
            part.add([*before, *tokens])
            part.n_bytes += len(piece.text.encode("utf-8", "replace"))
        for part in parts.values():
            part.add([between[0]])
            part.close()
        index = {part.part: {"shards": part.files, "bytes": part.n_bytes} for part in parts.values()}
        write_json(folder / "index.json", {**facts, **index})


@dataclass
class Stream:
    """Tokens of one part as one long row; nothing is read before it is asked for."""

    shards: list[npt.NDArray[Any]]
    begins: npt.NDArray[np.int64]
    n_bytes: int

    def __len__(self) -> int:
        return int(self.begins[-1])

    def piece(self, start: int, length: int) -> npt.NDArray[np.int64]:
        """Tokens from a place on."""
        found, end = [], start + length
        shard = int(np.searchsorted(self.begins, start, side="right")) - 1
        while start < end and shard < len(self.shards):
            first = start - int(self.begins[shard])
            part = self.shards[shard][first : first + end - start]
            found.append(part)
            start, shard = start + len(part), shard + 1
        return np.concatenate(found).astype(np.int64) if len(found) != 1 else found[0].astype(np.int64)


def open_stream(folder: Path, part: str) -> Stream:
    """The "train" or "validation" tokens of a folder of shards."""
    index = read_json(folder / "index.json")[part]
    shards = [np.load(folder / shard["file"], mmap_mode="r", allow_pickle=False) for shard in index["shards"]]
    return Stream(shards, np.cumsum([0, *(len(shard) for shard in shards)]), index["bytes"])
