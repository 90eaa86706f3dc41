"""How far a written text can be believed: from how sure the model was of its tokens, fitted on validation rows."""

from __future__ import annotations

import numpy as np

from honed.tasks.answers import Array, Decision, Predictions
from honed.tasks.text_generation.judging import TextJudging
from honed.tasks.text_generation.written import BYTES, ENDED, SURE, texts_of

LEAST = 20
"""With fewer right or fewer wrong texts confidence is not fitted, and none is told."""


STRANGE = 0.02
"""Share of the validation rows with the least likely texts: what is written with less assurance is in doubt."""


def fit_decision(outputs: Array, targets: Array) -> Decision:
    """Slope and shift of the confidence that a text is exactly right, and the mean chance of a token below which a text is in
    doubt whatever was right before: rows that are none of the model's subject."""
    if len(outputs) < LEAST or np.ptp(outputs[:, SURE]) == 0:
        return Decision(temperature=0.0)
    strange = (float(np.exp(np.quantile(outputs[:, SURE], STRANGE))),)
    right = TextJudging().right(targets, outputs)
    if min(right.sum(), (~right).sum()) < LEAST:
        return Decision(temperature=0.0, thresholds=strange)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(_odds(outputs)[:, None], right)
    slope = float(model.coef_[0, 0])
    if slope <= 0:
        return Decision(temperature=0.0, thresholds=strange)
    return Decision(temperature=1 / slope, shift=float(model.intercept_[0]), thresholds=strange)


def decode(outputs: Array, decision: Decision) -> Predictions:
    """Texts, with a confidence where one was fitted; a row that wrote nothing, came to no end or is strange is in doubt."""
    unsure = (outputs[:, BYTES] == 0) | (outputs[:, ENDED] == 0)
    if decision.thresholds:
        unsure = unsure | (np.exp(np.asarray(outputs[:, SURE], dtype=np.float64)) < decision.thresholds[0])
    confidence = None
    if decision.temperature > 0 and (decision.shift or decision.temperature != 1.0):
        confidence = 1 / (1 + np.exp(-(_odds(outputs) / decision.temperature + decision.shift)))
        unsure = unsure | (confidence < decision.unsure_below)
    return Predictions(outputs, texts_of(outputs), None, confidence, np.asarray(unsure, dtype=bool))


def _odds(outputs: Array) -> Array:
    """Log odds of the mean chance of a token."""
    chance = np.clip(np.exp(np.asarray(outputs[:, SURE], dtype=np.float64)), 1e-6, 1 - 1e-6)
    found: Array = np.log(chance / (1 - chance))
    return found
