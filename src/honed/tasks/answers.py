"""From raw outputs to answers, and how answers are judged: plain data that every task shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Decision:
    """How raw outputs become answers; fitted on validation data, stored in the bundle.

    Parameters
    ----------
    temperature : float
        Outputs are divided by it before they become probabilities.
    unsure_below : float
        An answer with a confidence below this is flagged "I don't know".
    thresholds : tuple of float
        One probability per label above which it is given (multi-label), else empty.
    costs : tuple of float
        How much a missed example of each label costs, relative to the others; empty: all alike.
    half_width : float
        Half of the 90 % prediction interval (regression), in the unit of the target.
    shift : float
        Added to the log odds of a score after the temperature (objects).
    """

    temperature: float = 1.0
    unsure_below: float = 0.0
    thresholds: tuple[float, ...] = ()
    costs: tuple[float, ...] = ()
    half_width: float = 0.0
    shift: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Decision:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**fields, "thresholds": tuple(fields["thresholds"]), "costs": tuple(fields["costs"])})


@dataclass(frozen=True)
class Predictions:
    """Decoded answers for n examples.

    Parameters
    ----------
    encoded : array of length n
        In the encoding of the targets: class index (n,), 0/1 matrix (n, labels) or number (n,); packed objects (n, width).
    labels : list of length n
        In the words of the data: a string, a list of strings (multi-label), a float, or a list of objects (dictionaries
        with ``label``, ``score``, ``box``).
    probabilities : array (n, labels) or None
        Calibrated, float32; rows add up to 1 except for multi-label.
    confidence : array (n,) or None
        Probability that the answer is right, between 0 and 1.
    unsure : bool array (n,)
        True where the model says "I don't know".
    """

    encoded: Array
    labels: list[Any]
    probabilities: Array | None
    confidence: Array | None
    unsure: Array


@dataclass(frozen=True)
class Metric:
    """A figure people judge by.

    Parameters
    ----------
    name, title : str
        ``"macro_f1"`` and ``"macro F1"``.
    score : callable (targets, predicted) -> float
        Both in the encoding of the targets.
    higher_is_better : bool
    unit : str
        ``"%"`` (the score is a share between 0 and 1, shown times 100), ``"target"`` or ``""``.
    range : (float, float)
        Smallest and largest possible value.
    """

    name: str
    title: str
    score: Callable[[Array, Array], float]
    higher_is_better: bool = True
    unit: str = "%"
    range: tuple[float, float] = (0.0, 1.0)
