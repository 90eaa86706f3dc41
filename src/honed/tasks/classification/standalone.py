"""From outputs to answers in plain numpy, for exports that run without Honed; tests compare them with ``decisions``."""

from __future__ import annotations

from honed.tasks.contract import Problem

_CLASSES = """
def answers(rows):
    scaled = outputs(rows) / facts["temperature"]
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best = (shares * np.array(facts["costs"] or [1.0])).argmax(axis=1)
    return [{"prediction": facts["labels"][i], "confidence": float(row[i]), "unsure": bool(row[i] < facts["unsure_below"])}
            for i, row in zip(best, shares)]
"""
_SEVERAL = """
def answers(rows):
    shares = 1 / (1 + np.exp(-np.clip(outputs(rows) / facts["temperature"], -60, 60)))
    given = shares >= np.array(facts["thresholds"] or [0.5])
    sure = np.where(given, shares, 1 - shares).min(axis=1)
    return [{"prediction": [facts["labels"][i] for i in np.flatnonzero(row)], "confidence": float(p), "unsure": bool(p < 0.5)}
            for row, p in zip(given, sure)]
"""
_NUMBER = """
def answers(rows):
    half = facts["half_width"]  # of the interval in which nine of ten true numbers lie
    return [{"prediction": x, "low": x - half, "high": x + half, "unsure": False} for x in map(float, outputs(rows)[:, 0])]
"""


def answer_code(problem: Problem) -> str:
    """The source for the problem's kind."""
    return {"regression": _NUMBER, "multilabel": _SEVERAL}.get(problem.kind, _CLASSES).strip()
