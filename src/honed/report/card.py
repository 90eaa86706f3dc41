"""The model card: what the model is for, how it was made, what is known of it, and its limits."""

from __future__ import annotations

import json

from honed.evaluation.results import RunReport
from honed.model import Model
from honed.report.words import figure, interval

MOST_LABELS = 40


def card_text(report: RunReport, model: Model) -> str:
    """Markdown with the front matter that model hubs read. It quotes no row of the data."""
    base, problem, evaluation = model.provenance.get("base") or {}, model.problem, report.evaluation
    front = ["---", f"license: {base.get('licence', 'other')}", f"pipeline_tag: {report.task}", "library_name: honed"]
    front += [f"base_model: {base['id']}"] if base else []
    lines = [*front, "---", "", f"# {report.name}", "", _purpose(report, model), "", "## How good it is", ""]
    if evaluation:
        verdict = evaluation.verdict
        lines += [f"**{verdict.answer.capitalize()}.** {verdict.headline}", ""]
        lines += [f"- {reason}" for reason in verdict.reasons]
        lines += ["", "| measure | value | 95 % interval |", "|---|---|---|"]
        lines += [
            f"| {m.title} | {figure(m.model.value, m.unit)} | {interval(m.model, m.unit)} |" for m in evaluation.metrics
        ]
        lines += ["", verdict.power]
    else:
        lines += [
            "It was not evaluated on held-out rows: there were too few. Evaluate it before it goes to production."
        ]
    lines += ["", "## How it was made", ""]
    lines += [
        f"- Method: {model.provenance.get('rung', '')}",
        f"- Rows learnt from: {report.n_train:,}; seed {model.provenance.get('seed', 0)}",
    ]
    lines += [f"- Base: {base['id']}, licence {base['licence']}, SHA-256 `{base['digest']}`"] if base else []
    lines += [f"- Data: {report.data_source}, SHA-256 `{report.data_digest}`", "", "## How to use it", ""]
    example = json.dumps(model.task.medium.example if len(problem.inputs) == 1 else [["first text", "second text"]])
    lines += ["```python", "import honed", 'model = honed.Model.load("PATH")', f"model.predict({example})", "```"]
    if hasattr(
        getattr(model.predictor, "network", None), "stock"
    ):  # the plain classifier of transformers that it is saved as
        lines += [
            "",
            "The folder also opens with `AutoModelForSequenceClassification.from_pretrained` of transformers.",
        ]
    lines += ["", "## Limits", "", _limits(report, model), ""]
    return "\n".join(lines)


def _purpose(report: RunReport, model: Model) -> str:
    problem = model.problem
    reads = " and ".join(f'"{name}"' for name in problem.inputs)
    names = ", ".join(problem.labels[:MOST_LABELS]) + (", ..." if len(problem.labels) > MOST_LABELS else "")
    several = "any of" if problem.kind == "multilabel" else "one of"
    gives = f"{several} {len(problem.labels)} labels ({names})" if problem.labels else problem.answer
    return f'Reads {reads} and gives "{problem.target}", {gives}. It was made for data like {report.data_source} and for nothing else.'


def _limits(report: RunReport, model: Model) -> str:
    medium = model.task.medium
    told = [f"It knows only the labels of its training data, and {medium.many} of other kinds may be answered wrongly."]
    abstention = report.evaluation.abstention if report.evaluation else None
    if abstention and abstention.out_of_scope_flagged is not None:
        refused = abstention.out_of_scope_flagged
        shown = f"{figure(refused.value, '%')} ({interval(refused, '%')})"
        told.append(f'Of {medium.many} on other subjects it refused {shown} with "I don\'t know".')
    told.append("`seen.safetensors` holds 64-bit hashes of the training inputs, so that later evaluations can leave them out: "
                f"whoever has a {medium.one} can tell with it whether that {medium.one} was learnt from.")  # fmt: skip
    return " ".join(told)
