"""A head fitted on a frozen finder by a short training of its rows alone: the cheapest way to teach new classes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from honed.networks.engine import device_of, to_device
from honed.tasks.answers import Array
from honed.tasks.contract import Input

STEPS, BATCH, RATE, FEW = 120, 8, 1e-2, 600
TIMED, LEAST = 4, 20
"""Steps after which those that the time has room for are known; so many are made whatever it has."""


def head_from(
    network: Any, inputs: Sequence[Input], targets: Array, seed: int, seconds: float = float("inf")
) -> dict[str, Array]:
    """Weight and bias of the rows of the classes, everything else frozen; the network is left as it was.

    At most 600 pictures are looked at, unchanged, in fewer steps where there are too few ``seconds`` for all.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(inputs))[:FEW])
    encoded, wanted = network.encode([inputs[row] for row in rows]), targets[rows]
    head, before = network.head, {name: value.clone() for name, value in network.head.state_dict().items()}
    needed = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    variation, network.variation = network.variation, None
    try:
        for parameter in network.parameters():
            parameter.requires_grad = False
        learnt = [parameter.requires_grad_() for parameter in head.parameters()]
        _fit(network, learnt, encoded, wanted, rng, seconds)
        return {name: value.detach().cpu().numpy().copy() for name, value in head.state_dict().items()}
    finally:
        network.variation = variation
        for name, parameter in network.named_parameters():
            parameter.requires_grad = needed[name]
        head.load_state_dict(before)
        network.eval()


def _fit(
    network: Any, learnt: list[torch.nn.Parameter], encoded: list[Any], wanted: Array, rng: Any, seconds: float
) -> None:
    optimizer = torch.optim.AdamW(learnt, lr=RATE, weight_decay=0.01)
    network.norms_learn = False
    network.train()
    steps, step, begin = min(STEPS, 10 * len(encoded)), 0, time.monotonic()
    while step < steps:
        if step == TIMED and math.isfinite(seconds):
            steps = min(steps, max(LEAST, int(seconds * TIMED / (time.monotonic() - begin))))
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / steps)
        chosen = rng.integers(0, len(encoded), min(BATCH, len(encoded)))
        batch, _ = network.collate_varied([encoded[i] for i in chosen], wanted[chosen], rng)
        loss = torch.stack(list(network(to_device(batch, device_of(network))).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        step += 1
