"""The fastest engine on this machine whose answers agree with torch in full precision."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honed.config import setting
from honed.engines import timing
from honed.engines.agreement import Agreement, agreement
from honed.engines.host import cache_folder, cpu_name, digest_of, host_key, versions
from honed.engines.kinds import DEFAULT, KINDS, OWN, Kind
from honed.engines.prepare import available, engine_of, is_network, sample_inputs
from honed.engines.proof import Proof, proof_of
from honed.engines.results import EngineChoice, EngineResult, Use, fastest
from honed.engines.rows import Rows, rows_for
from honed.errors import RunError
from honed.files import read_json, write_json
from honed.model import Model
from honed.progress import Progress, Silent
from honed.tasks.contract import Predictor

MOST_DIFFERENCE = 1.0
"""Where labels tell what a format with few digits costs, that decides, and an output may differ by as much as the largest."""


@dataclass
class EngineConfig:
    """How an engine is chosen."""

    max_loss_points: float = setting(
        0.3, "points of the deciding metric an engine may lose against full precision", low=0.0, high=10.0
    )


def choose(
    model: Model,
    data: Any = None,
    *,
    use: Use = "single",
    max_loss_points: float | None = None,
    again: bool = False,
    progress: Progress | None = None,
) -> EngineChoice:
    """Build every engine that can run here, compare and time them, and pick the fastest that agrees.

    Parameters
    ----------
    data : path, list, frame, optional
        Rows to compare on, best with their labels: then the loss is measured. Without labels the share of changed
        answers stands for it. Left out, the rows the run held out are taken where its folder still has them, and
        without any rows only engines in full precision are considered, and those that a proof beside the bundle is about.
    use : str
        ``"single"`` for requests one at a time, ``"batch"`` for files.
    max_loss_points : float
        See :class:`EngineConfig`.
    again : bool
        Measure anew even if a choice for this model, bound and machine is remembered. One that was made without any
        rows is measured anew by itself once there are some.

    Raises
    ------
    DataError, ConfigError
        The data cannot be read, or the bound makes no sense.
    """
    bound = _bound(max_loss_points)
    if not is_network(model.predictor):
        return _own(model, use, bound)
    digest = digest_of(model.predictor.network)  # type: ignore[attr-defined]
    place = cache_folder() / digest / f"choice-{host_key()}-{_question(model, bound)}.json"
    remembered = None if again or data is not None else _remembered(place)
    if remembered is not None and remembered.rows:
        return remembered.for_use(use)
    rows = rows_for(model, data)
    proof = None if rows.n else proof_of(model)
    if remembered is not None and not rows.n and proof is None:
        return remembered.for_use(use)
    found = _measure(model, rows, proof, use, bound, progress or Silent())
    with contextlib.suppress(RunError):  # a cache that cannot be written is no reason not to answer
        write_json(place, found.as_dict())
    return found


def with_chosen(
    model: Model, data: Any = None, *, use: Use = "single", progress: Progress | None = None
) -> tuple[Model, EngineChoice]:
    """The model on the engine that :func:`choose` picks, and the choice."""
    from honed.engines.prepare import with_engine

    found = choose(model, data, use=use, progress=progress)
    return with_engine(model, found.chosen), found


def _bound(given: float | None) -> float:
    from honed.config import fill

    config: EngineConfig = fill(EngineConfig, {} if given is None else {"max_loss_points": given})
    return config.max_loss_points


def _own(model: Model, use: Use, bound: float) -> EngineChoice:
    only = EngineResult(OWN, "its own engine", "accepted", "this model is no neural network", loss_points=0.0)
    return EngineChoice(OWN, use, (only,), 0, "none", "", bound, cpu_name(), versions())


def _question(model: Model, bound: float) -> str:
    """Eight letters for what was asked besides the network: the same numbers lose more under other thresholds or bounds."""
    asked = json.dumps([bound, model.problem.as_dict(), model.decision.as_dict()], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:8]


def _remembered(place: Path) -> EngineChoice | None:
    try:
        return EngineChoice.from_dict(read_json(place))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _measure(model: Model, rows: Rows, proof: Proof | None, use: Use, bound: float, progress: Progress) -> EngineChoice:
    begin = time.monotonic()
    with progress.step("preparing engines", len(KINDS)) as step:
        found: dict[str, Predictor | str] = {}
        for name in KINDS:
            step.note(name)
            found |= available(model, [name])
            step.advance(1)
    predictors = {name: engine for name, engine in found.items() if not isinstance(engine, str)}
    with progress.step("comparing and timing engines"):
        compared, timed = timing.affordable(predictors[DEFAULT], rows.inputs or sample_inputs(model))
        rows = rows.first(compared)
        agreements = _agreements(model, rows, proof, predictors)
        inputs = (rows.inputs or sample_inputs(model) * 8)[:timed]
        milliseconds = timing.weighed_ms(predictors, *timing.short_and_long(predictors[DEFAULT], inputs))
        speeds = timing.rows_per_s(predictors, inputs)
    results = []
    for name, kind in KINDS.items():
        engine = found[name]
        if isinstance(engine, str):
            results.append(EngineResult(name, kind.title, "not available", engine))
            continue
        told = agreements[name]
        carried = proof is not None and told.loss_points is not None
        accepted, reason = _judge(kind, told, proof.rows if proof else rows.n, bound, carried=carried)
        results.append(
            EngineResult(
                name,
                kind.title,
                "accepted" if accepted else "refused",
                reason,
                milliseconds[name][0],
                speeds[name],
                told.loss_points,
                told.measured,
                told.changed,
                min(told.difference, 1e9),
                *milliseconds[name][1:],
            )
        )
    engines = tuple(results)
    n, source = (proof.rows, "carried") if proof else (rows.n, rows.source)
    return EngineChoice(
        fastest(engines, use), use, engines, n, source, _rows_key(rows), bound, cpu_name(), versions(),
        time.monotonic() - begin,
    )  # fmt: skip


def _agreements(
    model: Model, rows: Rows, proof: Proof | None, predictors: dict[str, Predictor]
) -> dict[str, Agreement]:
    inputs = rows.inputs or sample_inputs(model)
    reference = predictors[DEFAULT].outputs(inputs)
    found = {}
    for name, predictor in predictors.items():
        told = agreement(model, rows, reference, reference if name == DEFAULT else predictor.outputs(inputs))
        carried = (
            proof.agreement(model, name, predictor) if proof and told.difference <= KINDS[name].tolerance else None
        )
        found[name] = carried or told
    return found


def _judge(kind: Kind, told: Agreement, n: int, bound: float, *, carried: bool = False) -> tuple[bool, str]:
    """Whether an engine may be used, and the sentence that says why."""
    if not told.difference <= (kind.tolerance if kind.exact or not told.measured else MOST_DIFFERENCE):
        return False, f"its outputs differ by {100 * told.difference:.1f} % of the largest"
    if kind.name == DEFAULT:
        return True, "what the others are compared with"
    if told.loss_points is None:
        if kind.exact:
            return True, "it computes in full precision and gives the same outputs"
        return False, "it rounds, and there are no rows to measure what that costs: pass --data"
    what = "it loses" if told.measured else "without labels, changed answers count as lost: it may lose"
    elsewhere = ", measured elsewhere; it gives the same numbers here" if carried else ""
    sentence = f"{what} {max(0.0, told.loss_points):.2f} points on {n:,} rows{elsewhere}"
    if told.loss_points > bound:
        return False, f"{sentence}, more than the {bound:g} allowed"
    return True, sentence


def _rows_key(rows: Rows) -> str:
    return hashlib.sha256(repr((rows.inputs, rows.targets is not None)).encode()).hexdigest()[:16] if rows.n else ""


def describe(model: Model) -> str:
    """The engine a model runs on, in words."""
    name = engine_of(model.predictor)
    return KINDS[name].title if name in KINDS else name
