"""What an evaluation found, as plain dataclasses: the terminal, JSON and HTML reports are drawn from these."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from honed.finding import Finding
from honed.tasks.judging import Detail

Answer = Literal["ship", "ship with care", "do not ship", "cannot tell"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MetricResult:
    """One metric of the model, beside the baselines on the same rows and the model on validation data."""

    name: str
    title: str
    unit: str
    higher_is_better: bool
    model: Estimate
    baselines: dict[str, Estimate] = field(default_factory=dict)
    validation: Estimate | None = None


@dataclass(frozen=True)
class ClassResult:
    """Precision, recall and F1 of one label, with the number of its examples."""

    label: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True)
class Gap:
    """The deciding metric on training data against held-out data; ``difference`` is training minus held-out."""

    train: Estimate
    held_out: Estimate
    difference: Estimate


@dataclass(frozen=True)
class CalibrationBin:
    """Answers whose confidence lies in [low, high): their mean confidence and the share that was right."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class CalibrationResult:
    """How far confidence can be believed. ``error`` is the expected calibration error, ``uncalibrated`` the same
    without the temperature; ``by_chance`` what perfect confidences would show on so many rows, ``chance_high`` the
    most they would in 97.5 of 100 cases."""

    error: Estimate
    uncalibrated: float
    temperature: float
    bins: list[CalibrationBin]
    by_chance: float = 0.0
    chance_high: float = 0.0


@dataclass(frozen=True)
class RobustnessResult:
    """The deciding metric after one kind of edit of the inputs. ``drop`` is the loss in the metric (positive: worse),
    ``changed`` the share of predictions that changed."""

    name: str
    title: str
    score: Estimate
    drop: Estimate
    changed: Estimate
    n: int
    example: tuple[str, str] = ("", "")
    pictures: tuple[str, str] = ("", "")
    """The example before and after as data URIs, where inputs can be seen."""


@dataclass(frozen=True)
class SliceResult:
    """The deciding metric on part of the rows. ``gap`` is slice minus the rest (in the metric's own direction);
    ``significant`` after correction for the number of slices looked at."""

    name: str
    kind: Literal["group", "found"]
    n: int
    score: Estimate
    gap: Estimate
    significant: bool


@dataclass(frozen=True)
class AbstentionResult:
    """What saying "I don't know" below the threshold buys: coverage (the share of rows answered), the metric on them and, where
    out-of-scope text was tried, the share of it that was flagged."""

    threshold: float
    coverage: Estimate
    score_answered: Estimate
    score_all: Estimate
    out_of_scope_flagged: Estimate | None = None
    out_of_scope_n: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class ForgettingResult:
    """How far the fine-tuned encoder moved from its base on general text (1 = same similarities, 0 = unrelated)."""

    similarity: float
    probe_before: float | None
    probe_after: float | None
    note: str


@dataclass(frozen=True)
class ErrorExample:
    """One confident mistake, with the words that drove it (positive weight: towards the given answer); ``picture`` is a data
    URI where the input can be seen."""

    row: int
    text: str
    truth: str
    predicted: str
    confidence: float
    words: list[tuple[str, float]]
    picture: str = ""
    drawn: bool = False
    """Truth and answer are drawn into the picture."""


@dataclass(frozen=True)
class Verdict:
    """May this model go to production? With reasons and the statistical power, in words a manager reads."""

    answer: Answer
    headline: str
    reasons: list[str]
    power: str


@dataclass(frozen=True)
class Evaluation:
    """All that was found about one model on one set of held-out rows."""

    task: str
    kind: str
    model_name: str
    base: str
    data_source: str
    data_digest: str
    n_rows: int
    n_used: int
    n_duplicates_removed: int
    held_out: bool
    metrics: list[MetricResult]
    verdict: Verdict
    per_class: list[ClassResult] = field(default_factory=list)
    confusion_labels: list[str] = field(default_factory=list)
    confusion: list[list[int]] = field(default_factory=list)
    gap: Gap | None = None
    calibration: CalibrationResult | None = None
    robustness: list[RobustnessResult] = field(default_factory=list)
    slices: list[SliceResult] = field(default_factory=list)
    abstention: AbstentionResult | None = None
    forgetting: ForgettingResult | None = None
    worst_errors: list[ErrorExample] = field(default_factory=list)
    scatter: list[tuple[float, float]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    medium: str = "text"
    """Kind of input: "text", "image", ..."""
    details: list[Detail] = field(default_factory=list)
    """Tables that only answers of one kind have."""
    unit: str = "row"
    """What was counted: "row", "document", "question", ..."""

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class RungResult:
    """One rung of the ladder: the deciding metric on validation data, what it cost, and why it was tried or skipped.

    ``status`` is ``"done"``, ``"skipped"`` (with the reason in ``note``) or ``"cut short"``.
    """

    name: str
    title: str
    status: Literal["done", "skipped", "cut short"]
    score: Estimate | None
    seconds: float
    peak_mib: float
    best: bool = False
    note: str = ""


@dataclass(frozen=True)
class Choice:
    """One setting of a run: its value, whether it was chosen from the data and machine, a default, or yours, and why."""

    name: str
    value: str
    origin: Literal["chosen", "default", "yours"]
    reason: str = ""


@dataclass(frozen=True)
class RunReport:
    """What ``finetune`` did: findings, choices, ladder, evaluation."""

    name: str
    task: str
    data_source: str
    data_digest: str
    n_rows: int
    n_train: int
    n_validation: int
    n_test: int
    split: str
    findings: list[Finding]
    choices: list[Choice]
    metric: str
    metric_unit: str
    ladder: list[RungResult]
    evaluation: Evaluation | None
    seconds: float
    base: dict[str, Any]
    versions: dict[str, str]
    medium: str = "text"

    def as_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self)
