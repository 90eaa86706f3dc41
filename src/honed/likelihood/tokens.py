"""The likelihood of every token of many texts, in batches: the one place where it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from honed.networks.products import fast_products
from honed.tasks.answers import Array

TOKENS_AT_ONCE = 4096
LOGITS_AT_ONCE = 1 << 24
"""Tokens read in one batch, and logits held at once, at most."""


@dataclass(frozen=True)
class Passage:
    """Tokens that are judged, and at least one token that is read before them."""

    before: Sequence[int]
    tokens: Sequence[int]


@dataclass(frozen=True)
class Scored:
    """What a decoder thinks of the m tokens of a passage.

    Parameters
    ----------
    logs : float64 array (m,)
        Logarithm of the probability of each token, given all before it.
    means, spreads : float64 arrays (m,)
        Mean and standard deviation of that logarithm over all tokens that could have come, drawn as the model says.
    likeliest : bool array (m,)
        No other token was likelier: greedy writing would have gone on with it.
    """

    logs: Array
    means: Array
    spreads: Array
    likeliest: Array

    @property
    def log(self) -> float:
        """Logarithm of the probability of the passage."""
        return float(self.logs.sum())


@dataclass(frozen=True)
class _Window:
    """A stretch of tokens that is read, and how many of the tokens that follow each of them, counted from the end, are judged."""

    passage: int
    read: list[int]
    wanted: list[int]


def score(
    network: Any,
    passages: Sequence[Passage],
    context: int,
    *,
    stride: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[Scored]:
    """The likelihood of the tokens of every passage, in the order given.

    A passage with more tokens than the decoder reads is read in windows: the first judges as many tokens as it can hold,
    every further one ``stride`` new ones, with as many before them as fit. What is read before a shorter passage
    loses its beginning where both do not fit.

    Parameters
    ----------
    network : AnyDecoder
    context : int
        Tokens it reads at most.
    stride : int, optional
        New tokens of a window; half of the context when left out.
    """
    windows = [
        window
        for k, passage in enumerate(passages)
        for window in _windows(k, passage, context, stride or max(1, context // 2))
    ]
    parts: list[list[Any]] = [[] for _ in windows]
    device, training = next(network.parameters()).device, network.training
    network.eval()
    for batch in _batches(windows, _room(network)):
        _read(network, [windows[k] for k in batch], [parts[k] for k in batch], device)
        if advance:
            advance(len(batch))
    network.train(training)
    found: list[list[Any]] = [[] for _ in passages]
    for window, part in zip(windows, parts, strict=True):
        found[window.passage].append(part[0])
    return [_joined(one) for one in found]


def _windows(place: int, passage: Passage, context: int, stride: int) -> Iterator[_Window]:
    whole = [*passage.before, *passage.tokens]
    first, n = len(passage.before), len(whole)
    end = n if len(passage.tokens) <= context else first + context
    while first < n:
        yield _Window(place, whole[max(0, end - 1 - context) : end - 1], whole[first:end])
        first, end = end, min(n, end + stride)


def _batches(windows: Sequence[_Window], room: int) -> Iterator[list[int]]:
    order = sorted(range(len(windows)), key=lambda k: -len(windows[k].read))
    batch: list[int] = []
    for k in order:
        if batch and (len(batch) + 1) * len(windows[batch[0]].read) > room:
            yield batch
            batch = []
        batch.append(k)
    if batch:
        yield batch


def _room(network: Any) -> int:
    """Tokens of a batch, fewer where the logits of all of them are computed."""
    width = 2 * LOGITS_AT_ONCE // max(1, int(network.head.weight.shape[0]))
    return max(1, min(TOKENS_AT_ONCE, width)) if network.every_logit else TOKENS_AT_ONCE


@torch.inference_mode()
def _read(network: Any, windows: list[_Window], parts: list[list[Any]], device: torch.device) -> None:
    """Read windows padded on the right, which no token before the padding sees, and judge the ends of each."""
    longest = max(len(window.read) for window in windows)
    tokens = torch.zeros((len(windows), longest), dtype=torch.long)
    judged = torch.zeros((len(windows), longest), dtype=torch.bool)
    for row, window in enumerate(windows):
        n = len(window.read)
        tokens[row, :n] = torch.tensor(window.read)
        judged[row, n - len(window.wanted) : n] = True
    tokens, judged = tokens.to(device), judged.to(device)
    wanted = torch.tensor([token for window in windows for token in window.wanted], device=device)
    with fast_products():
        pieces, done = [], 0
        for logits in network.logits_at(tokens, judged, LOGITS_AT_ONCE):
            pieces.append(_judged(logits, wanted[done : done + len(logits)]))
            done += len(logits)
    numbers = np.concatenate(pieces, axis=1)
    ends = np.cumsum([len(window.wanted) for window in windows])
    for part, one in zip(parts, np.split(numbers, ends[:-1], axis=1), strict=True):
        part.append(one)


def _judged(logits: torch.Tensor, wanted: torch.Tensor) -> Array:
    """Logarithm, mean, standard deviation and whether it is the likeliest, of each wanted token: (4, m) float64."""
    logs = torch.log_softmax(logits.float(), dim=-1)
    own = logs.gather(1, wanted[:, None])[:, 0]
    shares, finite = logs.exp(), logs.clamp(min=-1e4)
    mean = (shares * finite).sum(dim=-1)
    spread = ((finite - mean[:, None]).square() * shares).sum(dim=-1).sqrt()
    found: Array = torch.stack([own, mean, spread, (own >= logs.amax(dim=-1)).float()]).double().cpu().numpy()
    return found


def _joined(parts: list[Array]) -> Scored:
    whole = np.concatenate(parts, axis=1) if parts else np.zeros((4, 0))
    return Scored(whole[0], whole[1], whole[2], whole[3] > 0)
