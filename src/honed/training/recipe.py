"""What a rung of the ladder does: fit on one part of the data, predict another."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from hashlib import blake2b
from typing import Any

import numpy as np

from honed.networks.engine import NetworkPredictor
from honed.tasks.contract import Array, Baseline, Predictor
from honed.training.session import Part, Session

HEAD_SHARE = 0.25
"""Of the time that is left, for a head that is trained rather than solved for."""


class Recipe(ABC):
    """A method of the ladder, the same for every task."""

    name: str
    title: str
    trust: int = 1
    """What is known before a row is seen, for when rows are too few to tell methods apart: 0 has learnt from these rows
    alone, 1 brings what its base knows, 2 is made for few rows."""

    rests: bool = False
    """A large network that it leaves as it came is not kept in memory."""

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        """Why this rung makes no sense here, or None. ``best`` is the best score so far."""
        return None

    @abstractmethod
    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        """Fit on a part; ``watch`` are held-out rows for early stopping, ``tag`` names this fit for checkpoints."""

    def outputs(self, session: Session, predictor: Predictor, part: Part) -> Array:
        """Raw outputs for a part."""
        return predictor.outputs(part.inputs)


class BaselineRecipe(Recipe):
    """A cheap method of the task's own."""

    trust = 0

    def __init__(self, baseline: Baseline) -> None:
        self.baseline, self.name, self.title = baseline, baseline.name, baseline.title

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        return self.baseline.fit(part.inputs, part.targets, session.problem, session.seed)


def with_head(network: Any, head: dict[str, Array]) -> Any:
    """A copy of a network with this linear head; as it is, where there is none."""
    return put_head(copy.deepcopy(network), head)


def put_head(network: Any, head: dict[str, Array]) -> Any:
    """The network itself with this linear head."""
    import torch

    with torch.no_grad():
        for name, value in head.items():
            getattr(network.head, name).copy_(torch.as_tensor(value))
    return network


class _FrozenRecipe(Recipe):
    """Recipes that leave the base as it is: outputs come from the cached features, where one vector a row is all there is."""

    def outputs(self, session: Session, predictor: Predictor, part: Part) -> Array:
        assert isinstance(predictor, NetworkPredictor)
        if not session.task.facts.linear_head:
            return super().outputs(session, predictor, part)
        head = predictor.network.head
        weight, bias = head.weight.detach().cpu().numpy(), head.bias.detach().cpu().numpy()
        found: Array = (session.frozen_features(part) @ weight.T + bias).astype(np.float32)
        return found


class ZeroShotRecipe(_FrozenRecipe):
    """What the base knows of the labels by their names, no training."""

    name, rests = "zero-shot", True

    def __init__(self, title: str) -> None:
        self.title = title

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        return None if self._head(session) is not None else "the names of the labels alone tell nothing here"

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        head = self._head(session)
        assert head is not None
        return NetworkPredictor(with_head(session.frozen_network(), head))

    def _head(self, session: Session) -> dict[str, Array] | None:
        def make() -> dict[str, Array] | None:
            return session.task.zero_shot(session.frozen_network(), session.problem, session.settings)

        found: dict[str, Array] | None = session.remember("zero-shot head", make)
        return found


class FewShotRecipe(Recipe):
    """The base as it is, shown rows with their targets; ``n`` of them for each input, 0 for as many as are of use."""

    rests = True

    def __init__(self, n: int = 0) -> None:
        self.n, self.name = n, "one-shot" if n == 1 else "few-shot"
        what = "one row" if n == 1 else "rows"
        self.title = f"{what} of the data shown to the base, nothing learnt"

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        found = session.task.shown(session.frozen_network(), part.inputs, part.targets, session.problem, self.n)
        assert found is not None
        return found


class ProbeRecipe(_FrozenRecipe):
    """A linear head on the frozen base's features."""

    name, title = "probe", "a linear head on the frozen base"

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        return NetworkPredictor(with_head(session.frozen_network(), probe_head(session, part)))


def probe_head(session: Session, part: Part) -> dict[str, Array]:
    """The head a probe fits on the frozen features of a part; once for the same rows."""

    def fit() -> dict[str, Array]:
        if session.task.facts.whole:
            return {}
        task, problem, settings, seed = session.task, session.problem, session.settings, session.seed
        if not task.facts.linear_head:
            network = session.frozen_network()
            seconds = HEAD_SHARE * session.room()
            return task.head_from(network, part.inputs, part.targets, problem, settings, seed, seconds)
        known = part.take(session.read_rows(part))
        if len(known) < len(part):
            told = f"{len(known):,} of {len(part):,} {session.task.medium.many}"
            session.choose("rows of the probe", told, "chosen", "as many as the time limit left room to read")
        return task.fit_head(session.frozen_features(known), known.targets, problem, settings, seed)

    found: dict[str, Array] = session.remember(f"probe of {blake2b(part.rows.tobytes()).hexdigest()}", fit)
    return found
