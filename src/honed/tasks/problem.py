"""What a task is, and what it worked out from data: plain data that code outside ``tasks/`` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Facts:
    """What a task is, as data that code outside ``tasks/`` reads instead of asking for its name.

    Parameters
    ----------
    input_kinds : tuple of str
        ``("text",)``, ``("image",)``, ``("number",)``, ...
    output_kind : str
        ``"class"``, ``"number"``, ``"boxes"``, ...
    has_probabilities : bool
        Predictions carry probabilities that can be calibrated.
    min_rows : int
        Fewer rows than this cannot be split and learnt from.
    linear_head : bool
        The network offers ``features`` and a linear ``head``, so a probe on cached frozen features is possible.
    zero_shot : bool
        :meth:`Task.zero_shot` can predict before any training.
    needs_base : bool
        The network starts from a pre-trained base of the zoo.
    contrastive : bool
        With few rows, drawing inputs of one label together before a head is fitted is worth its time.
    automatic : bool
        It is taken by itself for data of its kinds of input and output; else only when named.
    frozen_head : bool
        The network has a ``head`` that :meth:`Task.head_from` can fit while the rest stays frozen.
    few_rows : int
        Below so many labelled rows methods are compared by cross-validation, not on held-out rows.
    bases : str
        The kind of base it starts from, where that is not its kind of input.
    one_label : bool
        Data with a single label can be learnt from.
    race : bool
        A few learning rates are tried on a part of the rows before the fine-tuning.
    whole : bool
        The network has no head that is fitted by itself: the fine-tuning starts from the base as it came.
    few_shot : bool
        :meth:`Task.shown` can give the base rows with their targets to go by.
    """

    input_kinds: tuple[str, ...]
    output_kind: str
    has_probabilities: bool
    min_rows: int
    linear_head: bool = False
    zero_shot: bool = False
    needs_base: bool = True
    contrastive: bool = False
    automatic: bool = False
    frozen_head: bool = False
    few_rows: int = 400
    bases: str = ""
    race: bool = True
    one_label: bool = False
    whole: bool = False
    few_shot: bool = False

    @property
    def base_kind(self) -> str:
        """The kind of base it starts from where none is named."""
        return self.bases or self.input_kinds[0]


@dataclass(frozen=True)
class Problem:
    """What a task worked out from the training data; it travels with the bundle.

    Parameters
    ----------
    task : str
        Name of the task.
    kind : str
        The shape of the target, for example ``"binary"``, ``"multiclass"``, ``"multilabel"``, ``"regression"``.
    inputs : tuple of str
        Columns the model reads, in order.
    target : str
        Column it predicts.
    labels : tuple of str
        Names of the classes in the order of the outputs; empty for numbers.
    metric : str
        Name of the metric that decides.
    extra : dict
        Anything else the task needs to encode and decode, plain JSON types.
    """

    task: str
    kind: str
    inputs: tuple[str, ...]
    target: str
    labels: tuple[str, ...] = ()
    metric: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def numeric(self) -> bool:
        """Answers are numbers, more or less near the truth; all others are right or wrong."""
        return not self.labels and self.kind != "text"

    @property
    def answer(self) -> str:
        """What is answered, in a few words: "8 labels", "a number", "a text"."""
        if self.labels:
            return f"{len(self.labels)} labels" if len(self.labels) > 1 else "1 label"
        return "a number" if self.numeric else "a text"

    def as_dict(self) -> dict[str, Any]:
        """The problem as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Problem:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**fields, "inputs": tuple(fields["inputs"]), "labels": tuple(fields["labels"])})
