"""In which number format a decoder generates on this machine: fewer bits only where they are faster and answer alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.generation.engine import open_reader
from honed.generation.reader import Logits, Reader
from honed.networks.decoders.loading import Loaded

GAIN = 1.15
"""Fewer bits must be at least this many times faster to be worth their rounding."""
LEAST_AGREEMENT = 0.98
"""Share of places at which the likeliest token must be the same."""
MOST_DIVERGENCE = 0.01
"""Nats that the mean divergence of the next token's distribution may be off."""
FORMATS = ("float32", "int8", "int4")
N_TOKENS, N_STEPS, ROUNDS = 64, 12, 3


@dataclass(frozen=True)
class Tried:
    """One number format on this machine.

    Parameters
    ----------
    weights : str
    step_ms : float
        Milliseconds for one token, the best of a few rounds.
    agreement : float
        Share of places at which the likeliest token is that of float32.
    divergence : float
        Mean Kullback-Leibler divergence from float32, in nats.
    taken : bool
    """

    weights: str
    step_ms: float
    agreement: float
    divergence: float
    taken: bool


def try_weights(loaded: Loaded, *, threads: int | None = None, seed: int = 0) -> list[Tried]:
    """Time and compare the formats of :data:`FORMATS` on a text the model draws itself; exactly one is taken, the fastest that agrees.

    Raises
    ------
    GenerationError [G006]
        The decoder is one that only transformers computes.
    """
    readers = {name: open_reader(loaded, 1, None, "onnx", name, threads) for name in FORMATS}
    text = _drawn(readers["float32"], seed)
    logits = {name: reader.read(0, text, 0, every=True).astype(np.float64) for name, reader in readers.items()}
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, reader in readers.items():
            times[name].append(_step_s(reader, len(text)))
    found = [(name, 1000 * min(times[name]), *_compared(logits["float32"], logits[name])) for name in readers]
    exact_ms = found[0][1]
    fit = [
        one
        for one in found[1:]
        if exact_ms / one[1] >= GAIN and one[2] >= LEAST_AGREEMENT and one[3] <= MOST_DIVERGENCE
    ]
    best = min(fit, key=lambda one: one[1], default=found[0])
    return [Tried(*one, taken=one is best) for one in found]


def best_weights(loaded: Loaded, engine: str, threads: int | None = None) -> str:
    """The format that :func:`try_weights` takes; float32 where another engine than ONNX Runtime computes."""
    if loaded.shape is None or engine not in ("auto", "onnx") or next(loaded.network.parameters()).device.type != "cpu":
        return "float32"
    return next(one.weights for one in try_weights(loaded, threads=threads) if one.taken)


def _drawn(reader: Reader, seed: int) -> list[int]:
    """A text drawn from the model, as what it will meet is nearer to that than to random tokens."""
    rng = np.random.default_rng(seed)
    text = [int(rng.integers(reader.n_tokens))]
    while len(text) < min(N_TOKENS, reader.context - N_STEPS - 2):
        logits = reader.read(0, text[-1:], len(text) - 1)[0].astype(np.float64)
        share = np.exp(logits - logits.max())
        text.append(int(rng.choice(len(share), p=share / share.sum())))
    return text


def _step_s(reader: Reader, start: int) -> float:
    token = np.zeros(1, np.int64)
    begin = time.perf_counter()
    for place in range(start, start + N_STEPS):
        reader.step(token, np.array([place]))
    return (time.perf_counter() - begin) / N_STEPS


def _compared(exact: Any, other: Any) -> tuple[float, float]:
    """(share of places with the same likeliest token, mean divergence in nats)."""
    logs = [_log_shares(one) for one in (exact, other)]
    divergence = (np.exp(logs[0]) * (logs[0] - logs[1])).sum(axis=1).mean()
    return float((exact.argmax(axis=1) == other.argmax(axis=1)).mean()), float(divergence)


def _log_shares(logits: Logits) -> Any:
    raised = logits - logits.max(axis=1, keepdims=True)
    return raised - np.log(np.exp(raised).sum(axis=1, keepdims=True))
