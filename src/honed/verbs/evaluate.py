"""``evaluate``: a packaged model on rows whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honed.data.read import read_table
from honed.evaluation.evaluate import Background, evaluate_model
from honed.evaluation.results import Estimate, Evaluation
from honed.files import read_json
from honed.finding import Finding
from honed.model import Model
from honed.progress import Progress, Silent

LEAKS = ("D130", "D131")


def evaluate(
    model: str | Path | Model,
    data: Any,
    *,
    group: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on new rows: figures with intervals, weaknesses, and a verdict.

    Parameters
    ----------
    model : path of a bundle, or Model
    data : path, list, or frame with the columns the model reads and its target
    group : names of columns whose groups are compared

    Raises
    ------
    BundleError, DataError
    """
    progress = progress or Silent()
    loaded = model if isinstance(model, Model) else Model.load(model)
    with progress.step("reading the data"):
        table = read_table(data)
    return evaluate_model(loaded, table, background=background_of(loaded), group=tuple(group or ()), progress=progress)


def background_of(model: Model) -> Background:
    """What a bundle remembers of its training: hashes of the inputs learnt from, the cheapest baseline, its own scores, and
    whether its data gave the answer away. Without the hashes nobody knows whether rows are new."""
    if model.folder is None:
        return Background(held_out=False)
    baselines = {}
    kind = model.folder / "baseline" / "kind.json"
    if kind.is_file():
        facts = read_json(kind)
        baselines[facts["name"]] = model.task.load_predictor(facts["kind"], kind.parent, model.problem)
    seen: frozenset[int] = frozenset()
    near = None
    if (model.folder / "seen.safetensors").is_file():
        from safetensors.numpy import load_file

        learnt = load_file(model.folder / "seen.safetensors")
        seen, near = frozenset(learnt["hashes"].tolist()), learnt.get("near")
    validation = model.provenance.get("validation")
    return Background(
        held_out=bool(seen),
        findings=_leaks(model.folder / "report.json"),
        baselines=baselines,
        trivial=list(baselines),
        seen=seen,
        near=near,
        validation=Estimate(**validation) if validation else None,
    )


def _leaks(report: Path) -> list[Finding]:
    """What the run found to give the answer away: it holds for the model on any rows."""
    if not report.is_file():
        return []
    told = [Finding.from_dict(fact) for fact in read_json(report).get("findings", [])]
    return [finding for finding in told if finding.code in LEAKS and finding.level == "issue"]
