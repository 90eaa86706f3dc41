"""The report as one self-contained HTML page: no script, nothing loaded from anywhere, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from honed.evaluation.results import Evaluation, RunReport
from honed.finding import Finding, by_level
from honed.media.registry import medium_of
from honed.metrics.intervals import Interval, wilson
from honed.report import plots, words
from honed.report.inspection import Inspection
from honed.wording import counted, duration

MOST_IN_MATRIX, MOST_LABELS = 20, 10
TONES = {"ship": "good", "ship with care": "care", "do not ship": "bad", "cannot tell": "unsure"}


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("honed.report"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        figure=words.figure,
        interval=words.interval,
        duration=duration,
        short=words.shortened,
        cell=words.cell,
        counted=counted,
    )
    environment.globals.update(
        plots={name: _safe(getattr(plots, name), Markup) for name in ("whiskers", "ladder", "reliability", "curve", "heat", "scatter")},
        tones=TONES, most_in_matrix=MOST_IN_MATRIX, most_labels=MOST_LABELS, confusions=confusions, beside=beside, shade=shade, told=told,
        about_model=about_model,
    )  # fmt: skip
    return environment


def _safe(draw: Any, markup: Any) -> Any:
    return lambda *arguments: markup(draw(*arguments))


def template(name: str) -> Any:
    """A page of this folder, with its filters."""
    return _environment().get_template(name)


def run_page(report: RunReport) -> str:
    """The report of a run: verdict first, then how the model was found and what is known about it."""
    page: str = (
        _environment()
        .get_template("run.html")
        .render(
            report=report,
            evaluation=report.evaluation,
            title=f"Honed: {report.name}",
            inputs=medium_of(report.medium).many,
        )
    )
    return page


def evaluation_page(evaluation: Evaluation) -> str:
    """The report of one evaluation."""
    page: str = (
        _environment()
        .get_template("run.html")
        .render(
            report=None,
            evaluation=evaluation,
            title=f"Honed: {evaluation.model_name}",
            inputs=medium_of(evaluation.medium).many,
        )
    )
    return page


def inspection_page(inspection: Inspection) -> str:
    """What was noticed about the data."""
    page: str = (
        _environment()
        .get_template("inspection.html")
        .render(inspection=inspection, title=f"Honed: {inspection.source}")
    )
    return page


def confusions(evaluation: Evaluation, most: int = 12) -> list[tuple[str, str, int, Interval]]:
    """The most frequent mistakes: (truth, answer, rows, share of the rows with that truth)."""
    labels = evaluation.confusion_labels
    pairs = [
        (labels[i], labels[j], count, wilson(count, sum(row)))
        for i, row in enumerate(evaluation.confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]


def beside(evaluation: Evaluation) -> list[tuple[str, Any, str]]:
    """The deciding metric of the model and of the baselines, for a plot."""
    metric = evaluation.metrics[0]
    rows: list[tuple[str, Any, str]] = [("this model", metric.model, "best")]
    rows += [(f"baseline: {name}", estimate, "") for name, estimate in metric.baselines.items()]
    return rows + ([("on validation rows", metric.validation, "faint")] if metric.validation else [])


def shade(weight: float, weights: Sequence[tuple[str, float]]) -> str:
    """How strongly a word is marked: opacity from its weight, relative to the strongest."""
    most = max((abs(w) for _, w in weights), default=0.0) or 1.0
    return f"{min(1.0, abs(weight) / most):.2f}"


def about_model(evaluation: Evaluation) -> list[Finding]:
    """Findings of the evaluation itself; those about the data stand with the data."""
    return [finding for finding in told(evaluation.findings) if finding.code.startswith("E")]


def told(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that say something, the gravest first."""
    return [finding for finding in by_level(list(findings)) if finding.level in ("blocker", "issue", "tip")]
