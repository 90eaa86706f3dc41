"""One decoder under training on this machine: its loss, its number format, and what a compiled one gains."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.quick import fastest_float32, quicken
from honed.networks.decoders.shape import Shape
from honed.networks.decoders.vocabulary import Vocabulary
from honed.networks.precision import GAIN, autocast, bf16_possible
from honed.pretraining.packing import arrangement
from honed.pretraining.shards import BOUNDARY

PEAK_SIDE = 1024
"""Rows and columns of the matrices whose product shows what the processor can do."""


class Learner:
    """A decoder with the way it is computed.

    Parameters
    ----------
    shape : Shape
    precision : str
        "fp32" or "bf16": the format of products; weights, sums and everything else stay in float32.
    compiled : bool
        torch compiles what lies between tokens and loss.
    context : int
        Tokens of a row; 0 for all that it can read.
    boundary : int
        The token with which documents begin.
    """

    def __init__(
        self, shape: Shape, precision: str, device: str, seed: int, compiled: bool = False, *, context: int = 0,
        boundary: int = BOUNDARY,
    ) -> None:  # fmt: skip
        torch.manual_seed(seed)
        self.context, self.boundary = context or shape.context, boundary
        self.network, self.device, self.precision = Decoder(shape), device, precision
        self.network.to(device)
        if device == "cpu":
            quicken(self.network, "bf16" if precision == "bf16" else fastest_float32())
        self._losses: Callable[..., Tensor] = torch.compile(self._plain, dynamic=False) if compiled else self._plain

    def loaded(self, vocabulary: Vocabulary) -> Loaded:
        """The decoder as generators take it, just as it stands."""
        return Loaded(self.network, vocabulary, Path())

    def losses(self, rows: Tensor) -> Tensor:
        """Loss of every token of rows (n, context + 1) but the first of each, (n, context), in nats."""
        rows = rows.to(self.device)
        tokens, wanted = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
        places, mask = arrangement(tokens, self.boundary)
        losses = self._losses if torch.is_grad_enabled() else self._plain  # held-out rows come in other numbers
        with self._format():
            return losses(tokens, wanted, places, mask)

    def _format(self) -> AbstractContextManager[Any]:
        return autocast(self.precision, self.device) if self.device != "cpu" else nullcontext()

    def _plain(self, tokens: Tensor, wanted: Tensor, places: Tensor | None, mask: Tensor | None) -> Tensor:
        logits = self.network(tokens, places, mask=mask).flatten(0, 1).float()
        return functional.cross_entropy(logits, wanted.flatten(), reduction="none").view(wanted.shape)

    def learn(self, rows: Tensor, at_once: int) -> float:
        """Put the gradient of the mean loss of these rows into the network, some rows at a time; returns the loss."""
        total = torch.zeros((), device=self.device)
        for part in rows.split(at_once):
            loss = self.losses(part).mean() * (len(part) / len(rows))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return float(total)

    def forget(self) -> None:
        """Drop all gradients."""
        for parameter in self.network.parameters():
            parameter.grad = None


def judge(learner: Learner, stream: Any, at_once: int = 64, most_rows: int | None = None) -> tuple[float, int]:
    """Mean loss over the tokens of a stream, and how many they are.

    The stream is cut into rows of one context, every token is predicted once from what stands before it in its row and
    its document. With ``most_rows`` only that many rows, evenly spread, are read.
    """
    context = learner.context
    starts = list(range(0, max(1, len(stream) - 1), context))
    if most_rows and len(starts) > most_rows:
        starts = [starts[i * len(starts) // most_rows] for i in range(most_rows)]
    whole = [start for start in starts if start + context < len(stream)]
    total, count = 0.0, 0
    learner.network.eval()
    with torch.no_grad():
        for i in range(0, len(whole), at_once):
            rows = [torch.from_numpy(stream.piece(start, context + 1)) for start in whole[i : i + at_once]]
            losses = learner.losses(torch.stack(rows))
            total, count = total + float(losses.double().sum()), count + losses.numel()
        for start in [start for start in starts if start + context >= len(stream)]:
            losses = learner.losses(torch.from_numpy(stream.piece(start, len(stream) - start))[None])
            total, count = total + float(losses.double().sum()), count + losses.numel()
    learner.network.train()
    return total / max(1, count), count


def seconds_of(work: Callable[[], Any], device: str, times: int = 2) -> float:
    """The fastest of several times, after one that does not count."""
    found = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begin)
    return min(found[1:])


def step_seconds(learner: Learner, rows: int, times: int = 2) -> float:
    """Seconds of one step of this many rows, without the optimizer's."""
    shape = learner.network.shape
    made = torch.randint(1, shape.n_tokens, (rows, shape.context + 1), generator=torch.Generator().manual_seed(0))

    def work() -> None:
        learner.learn(made, rows)
        learner.forget()

    return seconds_of(work, learner.device, times)


def choose_precision(shape: Shape, device: str, rows: int) -> tuple[str, str]:
    """fp32 or bf16, timed on real steps, with the reason."""
    if not bf16_possible(device):
        return "fp32", "this processor has no bf16"
    learners = {name: Learner(shape, name, device, 0) for name in ("fp32", "bf16")}
    seconds = {name: step_seconds(learner, rows, 3) for name, learner in learners.items()}
    ratio = seconds["fp32"] / seconds["bf16"]
    return ("bf16" if ratio >= GAIN else "fp32"), f"steps timed here are {ratio:.1f} times as fast in bf16 as in fp32"


def peak_flops(precision: str, device: str) -> float:
    """Operations a second of a product of two large square matrices, the best of several: what this machine can do at most."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    side = PEAK_SIDE * (8 if device == "cuda" else 1)
    left, right = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    layer = nn.Linear(side, side, bias=False, device=device)
    if kind == torch.float32 and device == "cpu":
        layer.weight.data = right
        quicken(layer, fastest_float32())
        with torch.no_grad():
            return 2.0 * side**3 / seconds_of(lambda: layer(left), device, 3)
    return 2.0 * side**3 / seconds_of(lambda: left @ right, device, 3)
