"""The careful evaluation: everything worth knowing about a model before it goes to production."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from honed.data.table import Table
from honed.errors import DataError
from honed.evaluation import doubt, errors, figures, robustness, slices, trivial
from honed.evaluation.results import Estimate, Evaluation, Gap
from honed.evaluation.verdict import Evidence, reach_verdict
from honed.finding import Finding
from honed.media.medium import Medium, hashes, unseen
from honed.metrics.intervals import Interval, bootstrap_interval, paired_difference, unpaired_difference
from honed.model import Model
from honed.progress import Progress, Silent
from honed.tasks.contract import Array, Asked, Input, Metric, Predictor, labelled
from honed.tasks.judging import Look
from honed.wording import counted

UNKNOWN = -2
"""Encoding of a label the model does not know: it never counts as right."""
ALWAYS = "always the same answer"
"""Name of the best single answer on the test rows."""
GAP_ROWS = 1000
LEAST_UNSEEN = 20
"""Where fewer rows than this are neither copies nor near copies, the near copies are kept in the claim, and told."""


@dataclass(frozen=True)
class Background:
    """What the run that made the model knows and an evaluation can use.

    ``seen`` are hashes and ``near`` sketches of the inputs the model was fitted on, ``trivial`` the names of baselines
    that every model must beat, ``base`` gives a network like the model's on the base as it came.
    """

    held_out: bool = True
    baselines: Mapping[str, Predictor] = field(default_factory=dict)
    trivial: Sequence[str] = ()
    train_inputs: Sequence[Input] = ()
    train_targets: Array | None = None
    validation: Estimate | None = None
    seen: frozenset[int] = frozenset()
    near: Array | None = None
    base: Callable[[], Any] | None = None
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class _Seen:
    """Test rows that were learnt from: copies, near copies, and whether the near ones had to be kept in the claim."""

    exact: int
    near: int
    kept_near: bool

    @property
    def removed(self) -> int:
        return self.exact + (0 if self.kept_near else self.near)


def evaluate_model(
    model: Model,
    table: Table,
    *,
    background: Background | None = None,
    group: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a model on the rows of a table that have a target.

    Rows whose input was in the training data, exactly or nearly, are left out of the claim; rows with a label the model
    does not know count as wrong.

    Raises
    ------
    DataError [D022, D026]
        A needed column is absent, or no row has a target.
    """
    begin, background, progress = time.monotonic(), background or Background(), progress or Silent()
    inputs, (targets, strange) = model.inputs(table), _targets(model, table)
    there = labelled(targets)
    if not there.any():
        raise DataError(
            "D026", f'No row of {table.source} has a value in "{model.problem.target}".', "Evaluation needs the truth."
        )
    medium = model.task.medium
    lost = there & medium.unreadable(inputs)
    there &= ~lost
    if not there.any():
        raise DataError("D064", f"No {medium.one} of {table.source} can be opened.", "Check the paths and files.")
    exact = there & ~unseen(medium, inputs, background.seen)
    near = (
        there & ~exact & medium.nearly_seen(inputs, background.near) if background.near is not None else ~there & there
    )
    seen_all, kept_near = bool(exact[there].all()), int((there & ~exact & ~near).sum()) < LEAST_UNSEEN
    rows = np.flatnonzero(there if seen_all else there & ~exact if kept_near else there & ~exact & ~near)
    used, truth = [inputs[row] for row in rows], targets[rows]
    with progress.step("predicting the test rows", len(used)) as step:
        outputs = model.outputs(used, step.advance)
    answers = model.task.decode(outputs, model.problem, model.decision)
    return _assemble(
        model, table.take(rows), used, truth, outputs, answers, background,
        held_out=background.held_out and not seen_all, n_rows=table.n_rows,
        seen=_Seen(int(exact.sum()), int(near.sum()), kept_near),
        strange=strange[rows], n_lost=int(lost.sum()), groups=tuple(group) or model.roles.group, seed=seed, progress=progress, begin=begin,
    )  # fmt: skip


def targets_of(model: Model, table: Table) -> Array:
    """Encoded targets; labels the model does not know become -2 (no label at all for several labels a row)."""
    return _targets(model, table)[0]


def _targets(model: Model, table: Table) -> tuple[Array, Array]:
    """Encoded targets, and True for rows with labels the model does not know."""
    strange = np.zeros(table.n_rows, dtype=bool)
    try:
        return model.task.targets(table, model.problem), strange
    except DataError as error:
        if error.code != "D023":
            raise
        strange[np.array(error.details["rows"])] = True
    known = np.flatnonzero(~strange)
    some = model.task.targets(table.take(known), model.problem)
    shape = (table.n_rows, *some.shape[1:])
    blank = None if some.dtype.kind == "O" else UNKNOWN if some.ndim == 1 else 0
    targets = np.full(shape, blank, dtype=some.dtype)
    targets[known] = some
    return targets, strange


def _assemble(
    model: Model,
    table: Table,
    inputs: list[Input],
    truth: Array,
    outputs: Array,
    answers: Any,
    background: Background,
    *,
    held_out: bool,
    n_rows: int,
    seen: _Seen,
    strange: Array,
    n_lost: int,
    groups: tuple[str, ...],
    seed: int,
    progress: Progress,
    begin: float,
) -> Evaluation:
    predicted, metric = answers.encoded, model.task.metrics(model.problem)[0]
    beside = {name: _decoded(model, baseline, inputs) for name, baseline in background.baselines.items()}
    metrics = figures.metric_results(model, truth, predicted, beside, background.validation, seed)
    gain, name, trivial_score = _gain(
        metric, truth, predicted, {name: beside[name] for name in background.trivial if name in beside}, seed
    )
    gap = _gap(model, metric, background, truth, predicted, seed)
    calibration = figures.calibration(model, outputs, answers, truth, seed)
    edits = robustness.robustness(model, inputs, truth, predicted, seed, progress)
    parts = slices.group_slices(model, table, groups, truth, predicted, seed)
    parts += slices.found_slices(model, inputs, truth, predicted, seed)
    classes = figures.class_results(model, truth, predicted, seed)
    abstention = doubt.abstention(model, answers, truth, seed)
    findings = [*_lost_findings(n_lost, model.task.medium), *_seen_findings(seen)]
    findings += [*_unknown_findings(int(strange.sum()), len(truth)), *background.findings]
    findings += [finding for finding in table.findings if finding.level in ("issue", "tip") and finding not in findings]
    with progress.step("looking further"):
        look = _further(model, inputs, truth, answers, background, seed)
    findings += look.findings
    evidence = Evidence(
        metrics[0], len(truth), held_out, gain, name, gap, calibration, edits, parts, classes, abstention, findings,
        unknown_share=float(strange.mean()), trivial_score=trivial_score,
        best=metric.range[1] if metric.higher_is_better else metric.range[0],
        by_lot=trivial.by_lot(metric, truth, predicted, seed), n_distinct=len(hashes(model.task.medium, inputs)),
        broken=int((~np.isfinite(outputs)).reshape(len(outputs), -1).any(axis=1).sum()),
        worries=[*model.task.judging.worries(truth, predicted, model.problem), *look.worries],
    )  # fmt: skip
    return Evaluation(
        task=model.task.name,
        kind=model.problem.kind,
        model_name=model.name,
        base=model.provenance.get("base", {}).get("id", ""),
        data_source=table.source,
        data_digest=table.digest,
        n_rows=n_rows,
        n_used=len(truth),
        n_duplicates_removed=seen.removed if held_out else 0,
        held_out=held_out,
        metrics=metrics,
        verdict=reach_verdict(evidence),
        per_class=classes,
        confusion_labels=list(model.problem.labels),
        confusion=figures.confusion(model, truth, predicted),
        gap=gap,
        calibration=calibration,
        robustness=edits,
        slices=parts,
        abstention=abstention,
        forgetting=doubt.forgetting(model, background.base),
        worst_errors=errors.worst_errors(model, inputs, truth, answers),
        scatter=_scatter(truth, predicted, seed) if truth.dtype.kind == "f" else [],
        details=[*model.task.judging.details(truth, predicted, model.problem, seed), *look.details],
        findings=findings,
        seconds=time.monotonic() - begin,
        medium=model.task.facts.input_kinds[0],
    )


def _further(model: Model, inputs: list[Input], truth: Array, answers: Any, background: Background, seed: int) -> Look:
    learnt = background.train_targets if background.train_targets is not None else ()
    asked = Asked(
        model.predictor, model.problem, model.decision, inputs, truth, answers, background.train_inputs, learnt,
        background.base, model.answers, seed,
    )  # fmt: skip
    return model.task.further(asked)


def _decoded(model: Model, predictor: Predictor, inputs: list[Input]) -> Array:
    return model.task.decode(predictor.outputs(inputs), model.problem, model.decision).encoded


def _gain(
    metric: Metric, truth: Array, predicted: Array, baselines: dict[str, Array], seed: int
) -> tuple[Estimate | None, str, float | None]:
    """The model minus the best trivial method, turned so that positive is better; its name and its score."""
    constant = trivial.best_constant(metric, truth)
    found = baselines if constant is None else {**baselines, ALWAYS: constant}
    if not found:
        return None, "", None
    sign = 1.0 if metric.higher_is_better else -1.0
    name = max(found, key=lambda key: sign * metric.score(truth, found[key]))
    pair = (predicted, found[name]) if sign > 0 else (found[name], predicted)
    gain = figures.estimate(paired_difference(metric.score, truth, *pair, seed=seed))
    return gain, name, metric.score(truth, found[name])


def _gap(model: Model, metric: Metric, background: Background, truth: Array, predicted: Array, seed: int) -> Gap | None:
    if background.train_targets is None or not len(background.train_inputs):
        return None
    train_truth = background.train_targets[:GAP_ROWS]
    own = model.answers(background.train_inputs[:GAP_ROWS]).encoded
    train = bootstrap_interval(metric.score, train_truth, own, n=300, seed=seed)
    held = bootstrap_interval(metric.score, truth, predicted, n=300, seed=seed)
    difference = unpaired_difference(train, held)
    if not metric.higher_is_better:
        difference = Interval(-difference.value, -difference.high, -difference.low)
    return Gap(figures.estimate(train), figures.estimate(held), figures.estimate(difference))


def _seen_findings(seen: _Seen) -> list[Finding]:
    found = []
    if seen.removed:
        nearly = f" ({seen.near:,} of them nearly)" if seen.near and not seen.kept_near else ""
        were = "test row was" if seen.removed == 1 else "test rows were"
        message = f"{seen.removed:,} {were} also in the training data{nearly} and left out of the claim."
        found.append(Finding("E001", "tip", message, "Nothing: they would only flatter.", n_rows=seen.removed))
    if seen.kept_near and seen.near:
        are = "test row is" if seen.near == 1 else "test rows are"
        message = (
            f"{seen.near:,} {are} nearly the same as a training row, and hardly any others are left to measure on."
        )
        found.append(Finding("E003", "issue", message, "Test with rows that are new.", n_rows=seen.near))
    return found


def _lost_findings(n_lost: int, medium: Medium) -> list[Finding]:
    if not n_lost:
        return []
    message = (
        f"{counted(n_lost, medium.one)} could not be opened and {'is' if n_lost == 1 else 'are'} left out of the claim."
    )
    return [Finding("E004", "issue", message, "Mend or remove them.", n_rows=n_lost)]


def _unknown_findings(n_unknown: int, n: int) -> list[Finding]:
    if not n_unknown:
        return []
    message = f"{n_unknown:,} of {counted(n, 'row')} carry labels the model does not know; it cannot find these."
    return [
        Finding("E002", "issue", message, "Correct them, or train again with data that has them.", n_rows=n_unknown)
    ]


def _scatter(truth: Array, predicted: Array, seed: int) -> list[tuple[float, float]]:
    rows = np.random.default_rng(seed).permutation(len(truth))[:500]
    return [(float(truth[row]), float(predicted[row])) for row in rows]
