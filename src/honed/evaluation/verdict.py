"""May it go to production? Rules with their thresholds in one table, reasons in words a manager reads."""

from __future__ import annotations

import math
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
from honed.wording import counted


@dataclass(frozen=True)
class Limits:
    """Where care ends and refusal begins; shares are of 1."""

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


LIMITS = Limits()


@dataclass(frozen=True)
class Evidence:
    """What the verdict is reached from. ``gain`` is the model minus the best trivial baseline on the same rows."""

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


Reason = tuple[Answer, str]


def reach_verdict(evidence: Evidence) -> Verdict:
    """The gravest answer any rule gives, with all reasons, the gravest first."""
    reasons = [*_enough(evidence), *_better(evidence), *_honest(evidence), *_fair(evidence), *_steady(evidence)]
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
    return percent(value) if _is_share(metric) else f"{value:.3g}"


def _headline(answer: Answer, evidence: Evidence) -> str:
    metric, model = evidence.metric, evidence.metric.model
    low, high = (
        (f"{100 * model.low:.1f}", percent(model.high))
        if _is_share(metric)
        else (f"{model.low:.3g}", f"{model.high:.3g}")
    )
    figure = f"{metric.title} {_shown(metric, model.value)} (95 % interval {low} to {high})"
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
    shown = f"{100 * half:.1f} points" if _is_share(metric) else f"{half:.3g}"
    sharper = f"{50 * half:.1f} points" if _is_share(metric) else f"{half / 2:.3g}"
    return f"With {n:,} test rows the {metric.title} is known to about ±{shown}; for ±{sharper} about {4 * n:,} are needed."


def _enough(evidence: Evidence) -> list[Reason]:
    metric, found = evidence.metric, []
    width = metric.model.high - metric.model.low
    if evidence.n < LIMITS.fewest_rows:
        found.append(
            f"Only {evidence.n} rows were left for the test; at least {LIMITS.fewest_rows} are needed to judge."
        )
    elif _is_share(metric) and width > 2 * LIMITS.widest_interval:
        found.append(
            f"The {metric.title} could lie anywhere from {percent(metric.model.low)} to {percent(metric.model.high)}."
        )
    reasons: list[Reason] = [("cannot tell", text) for text in found]
    if evidence.held_out and _near_copies(evidence):
        reasons.append(
            ("cannot tell", "These rows are nearly the same as those it learnt from, so the figures flatter.")
        )
    if not evidence.held_out:
        reasons.append(("cannot tell", "Part of these rows may have been used in training, so the figures flatter."))
    return reasons


def _better(evidence: Evidence) -> list[Reason]:
    if evidence.gain is None:
        return []
    if evidence.gain.high <= 0 or (evidence.gain.low <= 0 and evidence.n >= 5 * LIMITS.fewest_rows):
        return [("do not ship", f"It is not clearly better than the trivial method “{evidence.baseline}”.")]
    if evidence.gain.low <= 0:
        return [
            (
                "cannot tell",
                f"It is not clearly better than the trivial method “{evidence.baseline}”; more test rows would tell.",
            )
        ]
    return []


def _honest(evidence: Evidence) -> list[Reason]:
    reasons: list[Reason] = []
    leaks = [
        finding for finding in evidence.findings if finding.code == "D131" and finding.level in ("blocker", "issue")
    ]
    reasons += [("ship with care", f"The data may give the answer away: {leak.message}") for leak in leaks[:2]]
    if evidence.unknown_share > LIMITS.known_labels:
        share = percent(evidence.unknown_share)
        reasons.append(
            ("do not ship", f"{share} of the rows have labels the model does not know; it can never answer them.")
        )
    if evidence.gap is not None and _is_share(evidence.metric) and evidence.gap.difference.low > LIMITS.gap_care:
        better = _points(evidence.gap.difference.value)
        text = f"It does {better} better on the rows it learnt from, partly by heart: more labelled rows would help."
        reasons.append(("ship with care", text))
    calibration = evidence.calibration
    if (
        calibration is not None
        and calibration.error.value > calibration.chance_high
        and calibration.error.value - calibration.by_chance > LIMITS.calibration_care
    ):
        reasons.append(
            (
                "ship with care",
                f"Its confidence is off by {_points(calibration.error.value)} on average; do not act on it alone.",
            )
        )
    noise = next(
        (f.details.get("share", 0.0) for f in evidence.findings if f.code == "D150" and f.level == "issue"), 0.0
    )
    if noise > LIMITS.label_noise:
        reasons.append(
            (
                "ship with care",
                f"About {percent(noise)} of the labels look wrong, so these figures are themselves uncertain.",
            )
        )
    return reasons


def _fair(evidence: Evidence) -> list[Reason]:
    reasons: list[Reason] = []
    sign = 1.0 if evidence.metric.higher_is_better else -1.0
    for part in evidence.slices:
        worse = -sign * part.gap.value
        if not part.significant or worse <= 0 or not _is_share(evidence.metric):
            continue
        least = -sign * (part.gap.high if sign > 0 else part.gap.low)
        if part.kind == "group" and least > LIMITS.slice_refuse:
            reasons.append(
                ("do not ship", f"It serves {part.name} far worse: {_points(worse)} below the rest ({part.n} rows).")
            )
        elif worse > LIMITS.slice_care:
            reasons.append(("ship with care", f"It is {_points(worse)} worse on {part.name} ({part.n} rows)."))
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
    if not _is_share(evidence.metric):
        return []
    bad = [edit for edit in evidence.robustness if edit.drop.low > LIMITS.drop_care and edit.name != "truncation"]
    return [("ship with care", f"With {edit.title} it loses {_points(edit.drop.value)}.") for edit in bad]
