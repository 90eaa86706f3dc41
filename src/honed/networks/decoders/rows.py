"""Texts of different lengths laid side by side into rows of one length, each seeing only itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

NOTHING = -100
"""Stands where nothing is to be learnt."""


def laid(texts: Sequence[tuple[list[int], list[int]]], most: int) -> dict[str, torch.Tensor]:
    """Rows of texts, packed as tightly as first-fit allows, longest first.

    Parameters
    ----------
    texts : sequence of (asked, written)
        Tokens that are read, and tokens that are to be learnt after them.
    most : int
        Length of a row; no text may be longer.

    Returns
    -------
    dict
        ``tokens`` and ``places`` (rows, length), ``mask`` (rows, 1, length, length) True where a token may look, and
        ``wanted`` (rows, length): the token that is to follow, or -100.
    """
    order = sorted(range(len(texts)), key=lambda k: -sum(map(len, texts[k])))
    rows: list[list[int]] = []
    room: list[int] = []
    for k in order:
        length = sum(map(len, texts[k]))
        place = next((row for row, left in enumerate(room) if left >= length), None)
        if place is None:
            rows.append([])
            room.append(most)
            place = len(rows) - 1
        rows[place].append(k)
        room[place] -= length
    longest = most - min(room)
    return _filled([[texts[k] for k in row] for row in rows], longest)


def _filled(rows: list[list[Any]], length: int) -> dict[str, torch.Tensor]:
    shape = (len(rows), length)
    tokens, places = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    owner, wanted = torch.full(shape, -1), torch.full(shape, NOTHING, dtype=torch.long)
    for row, texts in enumerate(rows):
        start = 0
        for number, (asked, written) in enumerate(texts):
            whole = [*asked, *written]
            end = start + len(whole)
            tokens[row, start:end] = torch.tensor(whole)
            places[row, start:end], owner[row, start:end] = torch.arange(len(whole)), number
            first = start + max(0, len(asked) - 1)
            wanted[row, first : end - 1] = torch.tensor(whole[max(1, len(asked)) :])
            start = end
    alone = torch.eye(length, dtype=torch.bool)
    mask = (owner[:, :, None] == owner[:, None]) & torch.ones(length, length, dtype=torch.bool).tril() | alone
    return {"tokens": tokens, "places": places, "mask": mask[:, None], "wanted": wanted}
