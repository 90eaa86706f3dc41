"""The contract of a task: all that Honed asks of a kind of work, so that every verb serves it.

A task is a stateless object. What it works out from data is a :class:`Problem`; what is learnt is a
:class:`Predictor`; how outputs become decisions is a :class:`Decision`. All three travel in the bundle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from honed.data.split import SplitHint
from honed.data.table import Roles, Table
from honed.finding import Finding
from honed.media.medium import Medium
from honed.media.registry import medium_of
from honed.tasks.answers import Array, Decision, Metric, Predictions
from honed.tasks.judging import Judging, Look, ShownLabels
from honed.tasks.problem import Facts, Problem
from honed.tasks.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from honed.generation.asking import Asking
    from honed.zoo.base import Base

__all__ = [
    "Array",
    "Asked",
    "Baseline",
    "Batch",
    "Decision",
    "Encoded",
    "Facts",
    "Input",
    "Metric",
    "Network",
    "Predictions",
    "Predictor",
    "Problem",
    "Recipe",
    "Sample",
    "Schemas",
    "ShownLabels",
    "Task",
    "labelled",
]

Input = Any
Encoded = dict[str, Any]
Batch = dict[str, "torch.Tensor"]


class Network(Protocol):
    """What a task's torch module offers, so that one training loop and one engine serve every task.

    ``head`` and ``features`` are only needed where ``facts.linear_head`` says so; then
    ``forward(batch) == head(features(batch))`` in evaluation mode.
    """

    head: torch.nn.Linear

    def encode(self, inputs: Sequence[Input]) -> list[Encoded]:
        """Inputs into unpadded encodings; each has ``"length"`` (int), by which batches are sorted."""

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """One padded batch of tensors. Padding must not change any output."""

    def features(self, batch: Batch) -> torch.Tensor:
        """What the head reads, (n, d)."""

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Raw outputs, (n, outputs)."""

    def save(self, folder: Path) -> None:
        """Write weights and preprocessing into ``folder`` (safetensors and JSON only)."""

    # A network may also have ``collate_varied(encoded, targets, rng)``, which training calls instead of ``collate`` and which
    # gives a batch and the targets that go with it; ``settle(rows, batch)``, which makes outputs of what an engine computed
    # for a batch (arrays), and ``for_engines``, the part that engines compute; ``engines``, names of the only engines that can
    # compute it; ``worth(encoded, targets)``, a number that grows as it learns, judged while it trains where outputs take
    # long; ``activation_bytes(length)``, the memory one example needs in training; ``norms_learn``, set before training;
    # ``usual_epochs(n)``, passes over n examples; ``usual_average``, the share of all steps that a moving average of its
    # weights looks back, where it gains by one; ``natural_rate`` and ``natural_head_rate``, its highest learning rates;
    # ``tokens_in_fp32``, how many tokens a batch of float32 should have on a CPU; ``told(encoded, target)``, a row in words as it is
    # learnt from, shown before a run so that a wrong one is seen; ``outputs_of(encoded, advance)``, raw outputs of many where it has
    # a better way than batch by batch.


class Predictor(Protocol):
    """Something learnt that turns inputs into raw outputs; saved without pickle."""

    kind: str

    def outputs(self, inputs: Sequence[Input], advance: Callable[[int], None] | None = None) -> Array:
        """Raw outputs, float32, one row per input in the order given; ``advance(n)`` is called as inputs are done."""

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again into ``folder`` (safetensors and JSON only)."""


@dataclass(frozen=True)
class Baseline:
    """A cheap method every fine-tuned model must beat: ``fit(inputs, targets, problem, seed)`` gives a predictor."""

    name: str
    title: str
    fit: Callable[[Sequence[Input], Array, Problem, int], Predictor]


@dataclass(frozen=True)
class Schemas:
    """JSON Schemas of one input and one prediction, each with an ``examples`` list."""

    input: dict[str, Any]
    output: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a further look at a model may use (:meth:`Task.further`).

    Parameters
    ----------
    predictor, problem, decision
        The model.
    inputs, targets, answers
        Rows held out, with their truth and what the model answered.
    learnt_inputs, learnt_targets
        Rows it learnt from, where they are at hand.
    base : callable, optional
        Gives the network as its base came, where there is one.
    answer : callable
        Answers to any inputs.
    """

    predictor: Predictor
    problem: Problem
    decision: Decision
    inputs: Sequence[Input]
    targets: Array
    answers: Predictions
    learnt_inputs: Sequence[Input]
    learnt_targets: Any
    base: Callable[[], Any] | None
    answer: Callable[[Sequence[Input]], Predictions]
    seed: int = 0


@dataclass(frozen=True)
class Sample:
    """Tiny offline material on which a task shows that it works in seconds on a CPU.

    Parameters
    ----------
    table : Table
        A few dozen learnable rows.
    target : str
        The column to predict.
    base : path or None
        A folder in hub format with a tiny randomly initialised model (None if the task needs none).
    config : dict
        Overrides of the task's configuration that make it learn in seconds.
    """

    table: Table
    target: str
    base: Path | None
    config: dict[str, Any]


def labelled(targets: Array) -> Array:
    """True for the rows that have a target: encoded targets are -1, NaN or None where it is missing."""
    if targets.ndim == 2:
        return np.ones(len(targets), dtype=bool)
    if targets.dtype.kind == "O":
        return np.array([target is not None for target in targets], dtype=bool)
    there: Array = np.isfinite(targets) & ((targets != -1) | (targets.dtype.kind != "i"))
    return there


class Task(ABC):
    """What Honed asks of a kind of work. Tasks enter through the entry-point group ``honed.tasks``."""

    name: ClassVar[str]
    version: ClassVar[int]
    facts: ClassVar[Facts]
    config: ClassVar[type]
    zero_shot_title: ClassVar[str] = "the names of the labels alone, nothing learnt"
    """What the report calls :meth:`zero_shot`."""

    @property
    def medium(self) -> Medium:
        """What can be said of its inputs without knowing the task."""
        return medium_of(self.facts.input_kinds[0])

    @property
    def rows_named(self) -> tuple[str, str]:
        """What a command line shows where new data, and new data with the truth, are to be named."""
        return self.medium.rows_named

    # --- data -------------------------------------------------------------------------------------------------
    @abstractmethod
    def frame(self, table: Table, roles: Roles, config: Any) -> Problem:
        """Work out the problem from the training data.

        Raises
        ------
        DataError
            The data cannot serve this task; the same trouble is a ``blocker`` of :meth:`validate`.
        """

    @abstractmethod
    def validate(self, table: Table, roles: Roles, config: Any) -> list[Finding]:
        """All that is wrong with the data for this task, at once; never raises for bad data."""

    @abstractmethod
    def split_hint(self, table: Table, roles: Roles, problem: Problem) -> SplitHint:
        """How to divide the rows into training, validation and test data."""

    @abstractmethod
    def inputs(self, table: Table, problem: Problem) -> list[Input]:
        """One input per row, in order. Raises DataError [D022] when a needed column is absent."""

    @abstractmethod
    def targets(self, table: Table, problem: Problem) -> Array:
        """One encoded target per row: numbers, or objects (an array of them) where rows have several parts.

        Raises DataError [D023] for labels the problem does not know."""

    # --- models -----------------------------------------------------------------------------------------------
    @abstractmethod
    def baselines(self, problem: Problem, config: Any) -> list[Baseline]:
        """Cheap methods, cheapest first."""

    @abstractmethod
    def build(self, base: Base | None, problem: Problem, config: Any, seed: int) -> Any:
        """A :class:`Network` (a torch module) with a fresh head for the problem, on the base's weights."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, problem: Problem, config: Any) -> dict[str, Any]:
        """Named losses; ``"loss"`` is what training lowers."""

    def fit_head(self, features: Array, targets: Array, problem: Problem, config: Any, seed: int) -> dict[str, Array]:
        """Weight (outputs, d) and bias (outputs,) of a linear head on frozen features (facts.linear_head)."""
        raise TypeError(f"{self.name} has no linear head")

    def head_from(self, network: Any, inputs: Sequence[Input], targets: Array, problem: Problem, config: Any,
                  seed: int, seconds: float = float("inf")) -> dict[str, Array]:  # fmt: skip
        """Weight and bias of the head of a frozen network whose head reads more than one vector a row (facts.frozen_head).

        ``seconds`` is about how long the fit may take.
        """
        raise TypeError(f"{self.name} has no head that is fitted on a frozen network")

    def shown_labels(
        self, network: Any, inputs: Sequence[Input], targets: Array, frozen: Callable[[], Array]
    ) -> ShownLabels | None:
        """What a linear model would need to judge labels that it was not shown, or None where rows have no such labels.

        ``frozen`` gives the features of the inputs, as the frozen network has them.
        """
        if not self.facts.linear_head or targets.ndim != 1 or targets.dtype.kind != "i":
            return None
        rows = np.flatnonzero(targets >= 0)
        return ShownLabels(frozen()[rows], targets[rows], rows, ("",) * len(rows))

    def goodness(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> float:
        """What tells outputs apart that score alike: minus the loss, where the loss can be had from outputs."""
        import torch

        return -float(self.loss(torch.as_tensor(outputs), torch.as_tensor(targets), problem, config)["loss"])

    def zero_shot(self, network: Any, problem: Problem, config: Any) -> dict[str, Array] | None:
        """Weight and bias of a head made from the names of the labels alone (nothing, where the base needs none to answer), or
        None where that makes no sense."""
        return None

    def shown(
        self, network: Any, inputs: Sequence[Input], targets: Array, problem: Problem, n: int = 0
    ) -> Predictor | None:
        """The network as it is, given rows with their targets to go by, ``n`` for each input (0: as many as are of use); None
        where it cannot make use of them."""
        return None

    def prefers(self, problem: Problem) -> bool:
        """Whether targets know what they were preferred to (``target.rejected``), so that a network can be tuned to preferences."""
        return False

    def pairs(self, network: Any) -> Any:
        """A torch module around a network that reads inputs with both of their texts (see :meth:`prefers`).

        It has the ``network``; ``encode(inputs, targets)`` and ``collate_varied``, as networks have them; gives for a batch the
        sums of the log-probabilities of the preferred and the other text and their numbers of tokens, (n, 4); and
        ``chances(encoded)``, the same for many, as an array.
        """
        raise TypeError(f"{self.name} knows no preferences")

    def label_inputs(self, problem: Problem) -> list[Input] | None:
        """An input for each label that says what the label means, such as its name; None where nothing does."""
        return None

    @abstractmethod
    def load_predictor(self, kind: str, folder: Path, problem: Problem) -> Predictor:
        """Read back what a predictor of this kind saved."""

    def asking(self, predictor: Predictor, problem: Problem) -> Asking | None:
        """How a predictor that writes texts token by token is asked for one; None where it does not write so."""
        return None

    # --- answers ----------------------------------------------------------------------------------------------
    @abstractmethod
    def fit_decision(self, outputs: Array, targets: Array, problem: Problem, config: Any) -> Decision:
        """Temperature, thresholds and the point of doubt, fitted on validation data."""

    @abstractmethod
    def decode(self, outputs: Array, problem: Problem, decision: Decision) -> Predictions:
        """Outputs into answers."""

    def answer_type(self, problem: Problem) -> Any:
        """The Arrow type of answers in words, where it cannot be told from any of them; else None."""
        return None

    def answer_code(self, problem: Problem) -> str:
        """Python source that defines ``answers(rows)`` from ``outputs(rows)``, for exports that run without Honed.

        It may use ``np`` and ``facts``, a dictionary with ``inputs``, ``labels`` and the fields of the decision. The
        first key of an answer is ``prediction``.
        """
        return 'def answers(rows):\n    return [{"prediction": row.tolist()} for row in outputs(rows)]'

    @abstractmethod
    def metrics(self, problem: Problem) -> list[Metric]:
        """The figures this task is judged by; the first decides."""

    @property
    def judging(self) -> Judging:
        """How answers are compared with the truth row by row, and what else is told of them."""
        return Judging()

    def weighing(self, predictor: Predictor, problem: Problem) -> tuple[Any, Callable[[str, str], Any]] | None:
        """What judges how likely texts are (a :class:`~honed.likelihood.scorer.Scorer`), and how a question and a choice become
        what it judges; None where models of this kind cannot."""
        return None

    def further(self, asked: Asked) -> Look:
        """What only models of this kind can be asked beside their answers, such as what they have by heart: nothing."""
        return Look()

    @abstractmethod
    def schemas(self, problem: Problem) -> Schemas:
        """JSON Schemas that drive HTTP documentation, web form and command-line input."""

    @abstractmethod
    def sample(self) -> Sample:
        """Tiny offline material for the contract tests and for a first look."""
