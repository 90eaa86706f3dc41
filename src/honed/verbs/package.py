"""From the best rung to a bundle: decision, model, report, card, and the proof in a fresh process."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.fresh import check_fresh
from honed.bundle.reference import HeldOut, reference_table
from honed.bundle.write import PACKAGES, write_model
from honed.config import as_yaml
from honed.evaluation.results import RunReport
from honed.media.medium import hashes
from honed.model import Model
from honed.report.card import card_text
from honed.report.html import run_page
from honed.tasks.contract import Predictor
from honed.training.candidate import Candidate
from honed.training.session import Session
from honed.verbs.prepare import Prepared

FRESH_ROWS, REFERENCE_ROWS = 32, 20_000


def model_of(
    session: Session, prepared: Prepared, candidate: Candidate, name: str, predictor: Predictor | None = None
) -> Model:
    """A model with its decision fitted on the candidate's held-out outputs."""
    truth = session.train.targets if session.folds > 1 else session.validation.targets
    decision = session.task.fit_decision(candidate.outputs, truth, session.problem, session.settings)
    base = session.base.provenance() if session.base else {}
    trained = {
        "base": base if hasattr(candidate.predictor, "network") else {},
        "rung": candidate.title,
        "data": {"source": prepared.table.source, "digest": prepared.table.digest, "n_train": len(session.train)},
        "seed": session.seed,
        "validation": vars(candidate.score),
    }
    return Model(
        session.task, session.problem, predictor or candidate.predictor, decision, trained, prepared.roles, name
    )


def keep_interim(session: Session, prepared: Prepared, candidate: Candidate, name: str) -> None:
    """A usable bundle while the ladder is still being climbed."""
    write_model(
        session.folder / "model", model_of(session, prepared, candidate, name), config_text=as_yaml(session.config)
    )


def keep_final(
    session: Session,
    model: Model,
    report: RunReport,
    first_baseline: Candidate | None,
    held_out: HeldOut | None = None,
) -> Path:
    """The final bundle with its report; it is opened in a fresh process, and kept only if it predicts the same.

    Raises
    ------
    BundleError [B010, B011], RunError [R010, R011]
    """
    inputs = session.train.inputs
    sample = [inputs[i] for i in np.linspace(0, len(inputs) - 1, min(FRESH_ROWS, len(inputs))).astype(int)]
    expected = model.outputs(sample)
    evaluation = report.evaluation
    learnt, medium = inputs + session.validation.inputs, session.task.medium
    model.extra |= {"seen": hashes(medium, learnt), "baseline": first_baseline}
    if "near" not in model.extra:
        model.extra["near"] = medium.sketches(learnt)
    target = session.folder / "model"
    fresh = session.folder / "model.unproven"
    facts: dict[str, Any] = {"report": report.as_dict(), "html": run_page(report), "card": card_text(report, model)}
    reference = _reference(model, inputs, held_out)
    verdict = evaluation.verdict.answer if evaluation else "not evaluated"
    write_model(fresh, model, config_text=as_yaml(session.config), verdict=verdict, reference=reference, **facts)
    check_fresh(fresh, sample, expected, model.task.judging.differ)
    _swap(fresh, target)
    model.folder = target
    return target


def _reference(model: Model, inputs: list[Any], held_out: HeldOut | None) -> Any:
    step = max(1, len(inputs) // REFERENCE_ROWS)
    return reference_table(model, inputs[::step], held_out)


def _swap(fresh: Path, target: Path) -> None:
    import shutil

    old = target.with_name("model.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def versions() -> dict[str, str]:
    """Versions of what the run was made with."""
    return {name: metadata.version(name) for name in PACKAGES}
