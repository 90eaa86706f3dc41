"""A first look at a corpus: how much text there is, which characters, and which documents are held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from honed.data.documents import Piece
from honed.errors import DataError

FEWEST = 2_000
"""Characters below which nothing can be learnt."""


@dataclass(frozen=True)
class Survey:
    """What is in a corpus.

    Parameters
    ----------
    characters : Counter
        How often each character occurs.
    n_bytes : int
        Size as UTF-8.
    lengths, keys : arrays of length n_documents
        Characters of each document; a digest of its beginning, equal for equal documents.
    """

    characters: Counter[str]
    n_bytes: int
    lengths: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]

    @property
    def n_characters(self) -> int:
        return int(self.lengths.sum())


def survey(pieces: Iterable[Piece], source: str) -> Survey:
    """Read a corpus once.

    Raises
    ------
    DataError [D093]
        There is too little text.
    """
    characters: Counter[str] = Counter()
    lengths: list[int] = []
    keys: list[int] = []
    n_bytes = 0
    for piece in pieces:
        encoded = piece.text.encode("utf-8", "replace")
        characters.update(piece.text)
        n_bytes += len(encoded)
        if piece.begins:
            lengths.append(0)
            keys.append(int.from_bytes(blake2b(encoded, digest_size=8).digest(), "little"))
        lengths[-1] += len(piece.text)
    if sum(lengths) < FEWEST:
        seen = f"{source} has {sum(lengths):,} characters of text; {FEWEST:,} are needed at least."
        raise DataError("D093", seen, "Bring more text; a model is worth its name from about a million characters.")
    return Survey(characters, n_bytes, np.array(lengths, np.int64), np.array(keys, np.uint64))


@dataclass(frozen=True)
class HeldOut:
    """Which text validates: whole documents, or from ``cut`` on the end of the document ``cut_in``."""

    documents: frozenset[int]
    cut_in: int
    cut: int
    words: str


def hold_out(found: Survey, share: float) -> HeldOut:
    """Choose held-out documents by their content, so that copies of one stand on one side.

    Where whole documents do not come near the share (there is one, or one is nearly all), the end of the longest one
    is held out instead.
    """
    wanted = share * found.n_characters
    chosen: list[int] = []
    held = 0
    for rows in _copies(found.keys):
        size = int(found.lengths[rows].sum())
        if held + size <= 1.25 * wanted and held < wanted:
            chosen += rows.tolist()
            held += size
    if held >= wanted / 4 and len(chosen) < len(found.lengths):
        words = f"{len(chosen):,} of {len(found.lengths):,} documents are held out ({100 * held / found.n_characters:.0f} % of the text)"
        return HeldOut(frozenset(chosen), -1, 0, words)
    longest = int(found.lengths.argmax())
    cut = (
        max(1, int(found.lengths[longest]) - round(wanted))
        if len(found.lengths) > 1
        else int((1 - share) * found.n_characters)
    )
    which = "the text" if len(found.lengths) == 1 else "the longest document"
    return HeldOut(frozenset(), longest, cut, f"the end of {which} is held out ({100 * share:.0f} % of the text)")


def _copies(keys: npt.NDArray[np.uint64]) -> list[npt.NDArray[np.int64]]:
    """Documents with one key together, in the order of their keys, which is as good as by lot."""
    order = np.argsort(keys, kind="stable")
    _, begins = np.unique(keys[order], return_index=True)
    return np.split(order, begins[1:])


def divided(pieces: Iterable[Piece], held: HeldOut) -> Iterable[tuple[bool, Piece]]:
    """Every piece with whether it is held out; the piece with the cut becomes two."""
    document, read = -1, 0
    for piece in pieces:
        if piece.begins:
            document, read = document + 1, 0
        if document != held.cut_in:
            yield document in held.documents, piece
            continue
        first = piece.text[: max(0, held.cut - read)]
        rest = piece.text[len(first) :]
        if first:
            yield False, Piece(first, piece.begins)
        if rest:
            yield True, Piece(rest, read + len(first) == held.cut)
        read += len(piece.text)
