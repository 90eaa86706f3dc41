"""May it go to production? Rules with their thresholds in one table, reasons in words a manager reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from honed.evaluation.results import (
    AbstentionResult,
    Answer,
    CalibrationResult,
    ClassResult,
    Estimate,
    Gap,
    MetricResult,
    RobustnessResult,
    SliceResult,
    Verdict,
)
from honed.finding import Finding
from honed.metrics.intervals import Interval, unpaired_difference
from honed.tasks.judging import Worry
from honed.wording import counted, number


@dataclass(frozen=True)
class Limits:
    """Where care ends and refusal begins; shares are of 1, and for numbers of the error of the best trivial method."""

    widest_interval: float = 0.10
    fewest_rows: int = 40
    gap_care: float = 0.10
    calibration_care: float = 0.08
    drop_care: float = 0.10
    slice_care: float = 0.05
    slice_refuse: float = 0.20
    unmeasured_class: int = 5
    label_noise: float = 0.05
    known_labels: float = 0.05
    by_lot: float = 0.025
    hardly_better: float = 0.10
    shift_care: float = 0.05
    answered: float = 0.5
    distinct: float = 0.5
    told_by_input: float = 0.995


LIMITS = Limits()


@dataclass(frozen=True)
class Evidence:
    """What the verdict is reached from.

    ``gain`` is the model minus the best trivial baseline on the same rows and ``trivial_score`` what that one reaches;
    ``by_lot`` the share of shuffles of the answers that do as well; ``best`` the best value the metric can have;
    ``n_distinct`` how many rows differ (None: all); ``broken`` how many answers were no numbers; ``worries`` what
    answers of this kind do wrong.
    """

    metric: MetricResult
    n: int
    held_out: bool
    gain: Estimate | None
    baseline: str
    gap: Gap | None
    calibration: CalibrationResult | None
    robustness: list[RobustnessResult]
    slices: list[SliceResult]
    classes: list[ClassResult]
    abstention: AbstentionResult | None
    findings: list[Finding]
    unknown_share: float = 0.0
    trivial_score: float | None = None
    best: float = 1.0
    by_lot: float = 0.0
    n_distinct: int | None = None
    broken: int = 0
    worries: Sequence[Worry] = ()


Reason = tuple[Answer, str]


def reach_verdict(evidence: Evidence) -> Verdict:
    """The gravest answer any rule gives, with all reasons, the gravest first."""
    rules = (_usable, _enough, _better, _honest, _worrying, _believable, _fair, _steady)
    reasons = [reason for rule in rules for reason in rule(evidence)]
    order: list[Answer] = ["do not ship", "cannot tell", "ship with care", "ship"]
    reasons.sort(key=lambda reason: order.index(reason[0]))
    answer: Answer = reasons[0][0] if reasons else "ship"
    told = [text for _, text in reasons] or ["Every check passed."]
    return Verdict(answer, _headline(answer, evidence), told, power(evidence.metric, evidence.n))


def percent(value: float) -> str:
    """A share as people write it."""
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * abs(value):.0f} points"


def _is_share(metric: MetricResult) -> bool:
    return metric.unit == "%"


def _shown(metric: MetricResult, value: float) -> str:
    return percent(value) if _is_share(metric) else f"{number(value)}"


def _in_shares(evidence: Evidence, difference: float) -> float:
    """A difference of the metric as a share: as it is, or for numbers of what the trivial method is off by."""
    if _is_share(evidence.metric):
        return difference
    room = abs(evidence.best - evidence.trivial_score) if evidence.trivial_score is not None else 0.0
    return difference / room if math.isfinite(room) and room > 0 else 0.0


def _by(metric: MetricResult, difference: float, word: str) -> str:
    """ "12 points worse", "0.39 worse in mean absolute error"."""
    if _is_share(metric):
        return f"{_points(difference)} {word}"
    return f"{number(abs(difference))} {word} in {metric.title}"


def _headline(answer: Answer, evidence: Evidence) -> str:
    metric, model = evidence.metric, evidence.metric.model
    low, high = (
        (f"{100 * model.low:.1f}", percent(model.high))
        if _is_share(metric)
        else (f"{number(model.low)}", f"{number(model.high)}")
    )
    figure = f"{metric.title} {_shown(metric, model.value)} (95 % interval {low} to {high})"
    figure = figure if math.isfinite(model.value) else f"no {metric.title}"
    words = {
        "ship": "This model can go to production",
        "ship with care": "This model can go to production if somebody watches the points below",
        "do not ship": "This model must not go to production as it is",
        "cannot tell": "There is not enough evidence to say whether this model is good enough",
    }
    fresh = " it has never seen" if evidence.held_out and not _near_copies(evidence) else ""
    return f"{words[answer]}: {figure} on {counted(evidence.n, 'row')}{fresh}."


def _near_copies(evidence: Evidence) -> bool:
    return any(finding.code == "E003" for finding in evidence.findings)


def power(metric: MetricResult, n: int) -> str:
    """What the number of test rows allows to say, and how many would be needed to say it twice as sharply."""
    half = (metric.model.high - metric.model.low) / 2
    if not math.isfinite(half) or n == 0:
        return "No test rows, so nothing is known."
    shown = f"{100 * half:.1f} points" if _is_share(metric) else f"{number(half)}"
    sharper = f"{50 * half:.1f} points" if _is_share(metric) else f"{number(half / 2)}"
    return f"With {n:,} test rows the {metric.title} is known to about ±{shown}; for ±{sharper} about {4 * n:,} are needed."


def _usable(evidence: Evidence) -> list[Reason]:
    """Figures of answers that are no numbers mean nothing: every comparison with them would pass in silence."""
    if evidence.broken:
        return [("do not ship", f"For {counted(evidence.broken, 'row')} it computes no number at all: it is broken.")]
    if evidence.n and not math.isfinite(evidence.metric.model.value):
        return [("do not ship", f"Its {evidence.metric.title} cannot be computed.")]
    return []


def _enough(evidence: Evidence) -> list[Reason]:
    metric, found = evidence.metric, []
    width = metric.model.high - metric.model.low
    distinct = evidence.n if evidence.n_distinct is None else evidence.n_distinct
    if evidence.n < LIMITS.fewest_rows:
        found.append(
            f"Only {evidence.n} rows were left for the test; at least {LIMITS.fewest_rows} are needed to judge."
        )
    elif distinct < LIMITS.fewest_rows:
        found.append(
            f"The {evidence.n:,} rows repeat only {counted(distinct, 'row')}; {LIMITS.fewest_rows} different ones are needed to judge."
        )
    elif _is_share(metric) and width > 2 * LIMITS.widest_interval:
        found.append(
            f"The {metric.title} could lie anywhere from {percent(metric.model.low)} to {percent(metric.model.high)}."
        )
    reasons: list[Reason] = [("cannot tell", text) for text in found + _one_label(evidence)]
    if LIMITS.fewest_rows <= distinct < LIMITS.distinct * evidence.n:
        told = f"Only {distinct:,} of the {evidence.n:,} rows differ, so the figures are less sure than their intervals say."
        reasons.append(("ship with care", told))
    if evidence.held_out and _near_copies(evidence):
        reasons.append(
            ("cannot tell", "These rows are nearly the same as those it learnt from, so the figures flatter.")
        )
    if not evidence.held_out:
        reasons.append(("cannot tell", "Part of these rows may have been used in training, so the figures flatter."))
    return reasons


def _one_label(evidence: Evidence) -> list[str]:
    """A test that holds hardly anything but one label says nothing about telling labels apart."""
    measured = [row.label for row in evidence.classes if row.support >= LIMITS.unmeasured_class]
    several = sum(row.support for row in evidence.classes) != evidence.n
    if len(evidence.classes) < 2 or len(measured) >= 2 or (measured and several):
        return []
    if not measured:
        return [f"No label has {LIMITS.unmeasured_class} test rows, so none was measured."]
    return [f"Nearly all test rows have the label “{measured[0]}”, so nothing is known about the others."]


def _better(evidence: Evidence) -> list[Reason]:
    """Against what can be had without a model: the best trivial method, and the same answers dealt out by lot."""
    many, gain = evidence.n >= 5 * LIMITS.fewest_rows, evidence.gain
    if gain is not None and (gain.high <= 0 or (gain.low <= 0 and many)):
        return [("do not ship", f"It is not clearly better than the trivial method “{evidence.baseline}”.")]
    if evidence.by_lot > LIMITS.by_lot and (many or evidence.by_lot == 1.0):
        return [("do not ship", "Its answers fit the rows no better than if they were dealt out by lot.")]
    if gain is not None and gain.low <= 0:
        told = f"It is not clearly better than the trivial method “{evidence.baseline}”; more test rows would tell."
        return [("cannot tell", told)]
    if evidence.by_lot > LIMITS.by_lot:
        told = "Its answers fit the rows hardly better than if they were dealt out by lot; more test rows would tell."
        return [("cannot tell", told)]
    trivial = evidence.trivial_score
    room = abs(evidence.best - trivial) if trivial is not None else 0.0
    if gain is not None and trivial is not None and gain.value < LIMITS.hardly_better * room:
        own, other = _shown(evidence.metric, evidence.metric.model.value), _shown(evidence.metric, trivial)
        told = f"It is hardly better than the trivial method “{evidence.baseline}”: {own} against {other}."
        return [("ship with care", told)]
    return []


def _honest(evidence: Evidence) -> list[Reason]:
    reasons: list[Reason] = []
    grave = [finding for finding in evidence.findings if finding.level in ("blocker", "issue")]
    for leak in [finding for finding in grave if finding.code == "D130" and finding.details.get("read")]:
        whole = leak.details.get("share", 0.0) >= LIMITS.told_by_input
        reasons.append(("do not ship" if whole else "ship with care", f"It reads the answer: {leak.message}"))
    leaks = [finding for finding in grave if finding.code == "D131"]
    reasons += [("ship with care", f"The data may give the answer away: {leak.message}") for leak in leaks[:2]]
    if evidence.unknown_share > LIMITS.known_labels:
        share = percent(evidence.unknown_share)
        reasons.append(
            ("do not ship", f"{share} of the rows have labels the model does not know; it can never answer them.")
        )
    if evidence.gap is not None and _in_shares(evidence, evidence.gap.difference.low) > LIMITS.gap_care:
        better = _by(evidence.metric, evidence.gap.difference.value, "better")
        text = f"It does {better} on the rows it learnt from, partly by heart: more labelled rows would help."
        reasons.append(("ship with care", text))
    reasons += _as_chosen(evidence)
    noise = next((f.details.get("share", 0.0) for f in grave if f.code == "D150" and f.level == "issue"), 0.0)
    if noise > LIMITS.label_noise:
        told = f"About {percent(noise)} of the labels look wrong, so these figures are themselves uncertain."
        reasons.append(("ship with care", told))
    return reasons


def _as_chosen(evidence: Evidence) -> list[Reason]:
    """Clearly worse than on the rows it was chosen on: the rows of the test are of another kind, or luck has ended."""
    before, now = evidence.metric.validation, evidence.metric.model
    if before is None:
        return []
    pair = [Interval(found.value, found.low, found.high) for found in (before, now)]
    lost = unpaired_difference(*(pair if evidence.metric.higher_is_better else reversed(pair)))
    if lost.low <= 0 or _in_shares(evidence, lost.value) <= LIMITS.shift_care:
        return []
    told = (
        f"It does {_by(evidence.metric, lost.value, 'worse')} than when it was chosen: these rows are of another kind."
    )
    return [("ship with care", told)]


def _worrying(evidence: Evidence) -> list[Reason]:
    return [("do not ship" if worry.forbids else "ship with care", worry.text) for worry in evidence.worries]


def _believable(evidence: Evidence) -> list[Reason]:
    reasons: list[Reason] = []
    calibration, abstention = evidence.calibration, evidence.abstention
    if (
        calibration is not None
        and calibration.error.value > calibration.chance_high
        and calibration.error.value - calibration.by_chance > LIMITS.calibration_care
    ):
        off = _points(calibration.error.value)
        reasons.append(("ship with care", f"Its confidence is off by {off} on average; do not act on it alone."))
    if abstention is not None and abstention.coverage.high < LIMITS.answered:
        share = percent(1 - abstention.coverage.value)
        reasons.append(("ship with care", f"It says “I don’t know” to {share} of the rows."))
    return reasons


def _fair(evidence: Evidence) -> list[Reason]:
    reasons: list[Reason] = []
    sign = 1.0 if evidence.metric.higher_is_better else -1.0
    for part in evidence.slices:
        worse = -sign * part.gap.value
        if not part.significant or worse <= 0:
            continue
        least, amount = -sign * (part.gap.high if sign > 0 else part.gap.low), _by(evidence.metric, worse, "worse")
        if part.kind == "group" and _in_shares(evidence, least) > LIMITS.slice_refuse:
            told = f"It serves {part.name} far worse: {amount} than the rest ({part.n} rows)."
            reasons.append(("do not ship", told))
        elif _in_shares(evidence, worse) > LIMITS.slice_care:
            reasons.append(("ship with care", f"It is {amount} on {part.name} ({part.n} rows)."))
    rare = [row.label for row in evidence.classes if row.support < LIMITS.unmeasured_class]
    if rare:
        names = ", ".join(rare[:5]) + (", ..." if len(rare) > 5 else "")
        reasons.append(
            (
                "ship with care",
                f"{counted(len(rare), 'label')} with fewer than {LIMITS.unmeasured_class} test rows, hardly measured: {names}.",
            )
        )
    dead = [
        row.label for row in evidence.classes if row.support >= 2 * LIMITS.unmeasured_class and row.recall.high < 0.5
    ]
    if dead:
        reasons.append(("ship with care", f"It misses most rows of: {', '.join(dead[:5])}."))
    return reasons


def _steady(evidence: Evidence) -> list[Reason]:
    """Edits after which it does clearly worse; half a text may well mean something else, so that one is only shown."""
    bad = [
        edit
        for edit in evidence.robustness
        if edit.name != "truncation"
        and _in_shares(evidence, edit.drop.value) > LIMITS.drop_care
        and _in_shares(evidence, edit.drop.low) > LIMITS.drop_care / 2
    ]
    lost = [(edit.title, _by(evidence.metric, edit.drop.value, "worse")) for edit in bad]
    return [("ship with care", f"With {title} it does {worse}.") for title, worse in lost]
