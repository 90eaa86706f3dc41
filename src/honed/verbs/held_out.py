"""Rows the packaged model did not learn from, as the reference of monitoring: the test rows, else the validation rows."""

from __future__ import annotations

import numpy as np

from honed.bundle.reference import HeldOut
from honed.data.table import Table
from honed.evaluation.evaluate import targets_of
from honed.media.medium import hashes, unseen
from honed.model import Model
from honed.tasks.contract import labelled
from honed.training.ladder import Ladder
from honed.training.session import Session
from honed.verbs.prepare import Prepared

MOST_ROWS, FEWEST_TEST_ROWS = 5_000, 100


def held_out(session: Session, prepared: Prepared, model: Model, ladder: Ladder, test: Table | None) -> HeldOut | None:
    """Outputs and targets of held-out rows.

    No choice depended on the test rows, so figures on them are those to expect in production. Where they are too few the
    validation rows serve (out of fold where there are no others), as the method that won saw them when they were new to it.
    """
    assert prepared.split is not None
    found = None
    if test is not None or len(prepared.split.test):
        found = _from_test(session, model, test if test is not None else prepared.table.take(prepared.split.test))
    if found is not None and len(found.targets) >= FEWEST_TEST_ROWS:
        return found
    if ladder.best is None:
        return found
    targets = session.train.targets if session.folds > 1 else session.validation.targets
    outputs = ladder.best.outputs
    return HeldOut(outputs, targets) if len(outputs) == len(targets) and len(targets) else found


def _from_test(session: Session, model: Model, table: Table) -> HeldOut | None:
    inputs, targets = model.inputs(table), targets_of(model, table)
    known = hashes(model.task.medium, session.train.inputs + session.validation.inputs)
    there = labelled(targets) & ~model.task.medium.unreadable(inputs)
    rows = np.flatnonzero(there & unseen(model.task.medium, inputs, known))
    rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))]
    if not len(rows):
        return None
    some = [inputs[row] for row in rows]
    together = getattr(model.predictor, "outputs_and_vectors", None)
    if together is not None and model.task.facts.linear_head:
        outputs, vectors = together(some)
        return HeldOut(outputs, targets[rows], vectors)
    return HeldOut(model.outputs(some), targets[rows])
