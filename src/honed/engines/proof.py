"""What engines cost in answers, measured where there were rows and carried beside the bundle to machines that have none.

A loss is a property of the network, the thresholds and the numbers an engine computes, not of the machine. So it may be
believed elsewhere when the network and the thresholds are the same and the engine gives the same numbers there: those for a few
made-up inputs are carried along and compared. Times are never carried.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.engines.agreement import Agreement
from honed.engines.host import short, weights_digest
from honed.engines.prepare import predictor_for, sample_inputs
from honed.engines.results import EngineChoice
from honed.errors import BundleError, RunError
from honed.files import read_json, write_json
from honed.model import Model
from honed.tasks.contract import Array, Predictor

FILE = "engines.json"
"""Its name, in the folder that holds the bundle's folder."""
SAME = 0.01
"""Largest difference of an output, relative to the largest: far below what rounding costs, far above the order of sums."""


@dataclass(frozen=True)
class Proven:
    """One engine: its agreement with full precision, and its outputs for the made-up inputs, each asked alone."""

    loss_points: float
    measured: bool
    changed: float
    difference: float
    outputs: list[Any]


@dataclass(frozen=True)
class Proof:
    """Agreements of the engines of one network.

    Parameters
    ----------
    network, question : str
        Digests of the weights, and of the problem with its thresholds: it holds for no other.
    rows : int
        On how many rows it was measured.
    engines : dict of str to Proven
    """

    network: str
    question: str
    rows: int
    engines: dict[str, Proven]

    def agreement(self, model: Model, name: str, predictor: Predictor) -> Agreement | None:
        """What was measured of an engine, if it gives the same numbers on this machine."""
        proven = self.engines.get(name)
        if proven is None:
            return None
        wanted, found = np.asarray(proven.outputs, dtype=np.float64), _outputs(model, predictor)
        if wanted.shape != found.shape or not np.isfinite(found).all():
            return None
        scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
        if float(np.abs(found - wanted).max(initial=0.0)) > SAME * scale:
            return None
        return Agreement(proven.loss_points, proven.measured, proven.changed, proven.difference)


def write_proof(model: Model, choice: EngineChoice, place: Path) -> bool:
    """Write beside a bundle what a choice measured; False, and no file, when it had no rows or nothing was accepted."""
    if not choice.rows:
        return False
    engines = {}
    for row in choice.engines:
        if row.state != "accepted" or row.loss_points is None or row.changed is None or row.difference is None:
            continue
        try:
            outputs = _outputs(model, predictor_for(model, row.name)).tolist()
        except (BundleError, RunError):
            continue
        engines[row.name] = Proven(row.loss_points, row.measured, row.changed, row.difference, outputs)
    if not engines:
        return False
    write_json(place / FILE, asdict(Proof(*_bound_to(model), choice.rows, engines)))
    return True


def proof_of(model: Model) -> Proof | None:
    """The proof beside a model's bundle; None when there is none, it cannot be read, or it is about another model."""
    if model.folder is None:
        return None
    try:
        fields = read_json(Path(model.folder).parent / FILE)
        engines = {name: Proven(**proven) for name, proven in fields["engines"].items()}
        proof = Proof(str(fields["network"]), str(fields["question"]), int(fields["rows"]), engines)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return proof if (proof.network, proof.question) == _bound_to(model) else None


def _bound_to(model: Model) -> tuple[str, str]:
    asked = json.dumps([model.problem.as_dict(), model.decision.as_dict()], sort_keys=True)
    return weights_digest(model.predictor.network), short(asked)  # type: ignore[attr-defined]


def _outputs(model: Model, predictor: Predictor) -> Array:
    return np.concatenate([np.asarray(predictor.outputs([row]), dtype=np.float64) for row in sample_inputs(model)])
