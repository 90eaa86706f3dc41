"""The head of a GGUF file: what is said of the model, and where each tensor lies. Nothing is believed before it is checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honed.errors import ZooError
from honed.zoo.gguf.blocks import BLOCKS

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_HEAD_BYTES = 256 * 2**20
"""Vocabularies of a quarter of a million tokens take about 10 MiB."""
MOST_DIMENSIONS = 4
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _LIST = 8, 9


@dataclass(frozen=True)
class Place:
    """Where a tensor lies.

    Parameters
    ----------
    shape : tuple of int
        The slowest dimension first, as torch has it.
    kind : int
        ggml's number of the packing.
    start, length : int
        In bytes, from the beginning of the file.
    """

    shape: tuple[int, ...]
    kind: int
    start: int
    length: int


@dataclass(frozen=True)
class Gguf:
    """What the head of a file says, checked against the file's length."""

    path: Path
    facts: dict[str, Any]
    places: dict[str, Place]


def read_head(path: Path) -> Gguf:
    """Read and check the head of a GGUF file (versions 2 and 3, little-endian).

    Raises
    ------
    ZooError [Z040]
        No GGUF, cut short, or its numbers contradict the length of the file; [Z041] a packing that is not known.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        reader = _Reader(path, stream.read(min(size, MOST_HEAD_BYTES)))
    if reader.bytes(4) != MAGIC:
        raise broken(path, "it does not begin as a GGUF file")
    version = reader.number(4)
    if version not in VERSIONS:
        raise broken(path, f"it is of version {version}, and 2 and 3 are known")
    n_tensors, n_facts = reader.number(10), reader.number(10)
    facts = {reader.text(): reader.value(reader.number(4)) for _ in range(reader.count(n_facts, 13))}
    told = [_told(reader) for _ in range(reader.count(n_tensors, 24))]
    step = facts.get("general.alignment", 32)
    if type(step) is not int or step < 1 or step > 2**20:
        raise broken(path, "it states an impossible alignment")
    begin = -(-reader.place // step) * step
    places: dict[str, Place] = {}
    for name, shape, kind, offset in told:
        if name in places or offset % step:
            raise broken(path, f"the tensor {name[:80]!r} is described wrongly")
        places[name] = _placed(path, size, begin, name, shape, kind, offset)
    return Gguf(path, facts, places)


def broken(path: Path, why: str) -> ZooError:
    """The refusal of a damaged file."""
    return ZooError("Z040", f"{path.name} cannot be read: {why}.", "Get the file again, or the model in hub format.")


def _told(reader: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    name = reader.text()
    n = reader.number(4)
    if not 1 <= n <= MOST_DIMENSIONS:
        raise broken(reader.path, f"the tensor {name[:80]!r} has {n} dimensions")
    shape = tuple(reversed([reader.number(10) for _ in range(n)]))
    return name, shape, reader.number(4), reader.number(10)


def _placed(path: Path, size: int, begin: int, name: str, shape: tuple[int, ...], kind: int, offset: int) -> Place:
    packing = BLOCKS.get(kind)
    if packing is None:
        known = ", ".join(block.name for block in BLOCKS.values())
        seen = f"The tensor {name[:80]!r} of {path.name} is packed in a way (number {kind}) that Honed does not unpack."
        raise ZooError("Z041", seen, f"Get the file in one of: {known}.")
    n = 1
    for side in shape:
        n *= side
    length = n // packing.numbers * packing.n_bytes
    if n == 0 or shape[-1] % packing.numbers or begin + offset + length > size:
        raise broken(path, f"the tensor {name[:80]!r} does not fit into the file")
    return Place(shape, kind, begin + offset, length)


class _Reader:
    """Goes through the head; every length is compared with what is left before anything of that length is made."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.place = path, data, 0

    def bytes(self, n: int) -> bytes:
        end = self.place + n
        if end > len(self.data):
            raise broken(self.path, "it is cut short, or one of its lengths is wrong")
        found, self.place = self.data[self.place : end], end
        return found

    def count(self, n: int, least: int) -> int:
        """``n``, which many things of at least so many bytes must still follow."""
        if n * least > len(self.data) - self.place:
            raise broken(self.path, f"it states {n} parts, more than it can hold")
        return n

    def number(self, kind: int) -> Any:
        pattern = _NUMBERS[kind]
        return struct.unpack(pattern, self.bytes(struct.calcsize(pattern)))[0]

    def text(self) -> str:
        return self.bytes(self.number(10)).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind in _NUMBERS:
            return self.number(kind)
        if kind != _LIST:
            raise broken(self.path, f"it holds a value of the unknown kind {kind}")
        inner = self.number(4)
        n = self.number(10)
        if inner == _TEXT:
            return [self.text() for _ in range(self.count(n, 8))]
        if inner not in _NUMBERS:
            raise broken(self.path, f"it holds a list of the unknown kind {inner}")
        pattern = _NUMBERS[inner]
        self.count(n, struct.calcsize(pattern))
        return list(struct.unpack(f"<{n}{pattern[1]}", self.bytes(n * struct.calcsize(pattern))))
