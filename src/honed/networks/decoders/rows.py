"""Texts of different lengths laid end to end in one row, nothing padded, each seeing only itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch

NOTHING = -100
"""Stands where nothing is to be learnt."""
SLACK = 1.2
"""Texts attend in groups; the longest of a group has at most so many times the tokens of the shortest, and a few more."""


def laid(texts: Sequence[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """One row of all texts, the longest first.

    Parameters
    ----------
    texts : sequence of (asked, written)
        Tokens that are read, and tokens that are to be learnt after them.

    Returns
    -------
    dict
        ``tokens``, ``places`` (in their own text), ``whose`` (which text) and ``wanted`` (the token that is to follow, or -100),
        all (1, tokens); and what :class:`~honed.networks.decoders.apart.Apart` wants: ``slots``, ``back`` and ``sizes``.
    """
    order = sorted(range(len(texts)), key=lambda k: -sum(map(len, texts[k])))
    tokens: list[int] = []
    places: list[int] = []
    wanted: list[int] = []
    whose: list[int] = []
    for k in order:
        asked, written = texts[k]
        whole = [*asked, *written]
        tokens += whole
        places += range(len(whole))
        whose += [k] * len(whole)
        after = [*whole[1:], NOTHING]
        first = max(0, len(asked) - 1)
        wanted += [NOTHING] * first + after[first:]
    found = {"tokens": tokens, "places": places, "wanted": wanted, "whose": whose}
    lengths = [sum(map(len, texts[k])) for k in order]
    return {name: torch.tensor([values]) for name, values in found.items()} | _arranged(lengths)


def _arranged(lengths: Sequence[int]) -> dict[str, torch.Tensor]:
    """Where each token stands when texts of like length stand below each other, and where each is found there again."""
    groups: list[list[int]] = []
    for length in lengths:
        if not groups or groups[-1][0] > SLACK * length + 8:
            groups.append([])
        groups[-1].append(length)
    slots, back, start, done = [], [], 0, 0
    for group in groups:
        longest = group[0]
        for row, length in enumerate(group):
            places = torch.arange(longest)
            slots.append(torch.where(places < length, start + places, -1))
            back.append(done + row * longest + places[:length])
            start += length
        done += len(group) * longest
    sizes = torch.tensor([[len(group), group[0]] for group in groups])
    return {"slots": torch.cat(slots), "back": torch.cat(back), "sizes": sizes}
