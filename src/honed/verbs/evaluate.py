"""``evaluate``: a packaged model on rows whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honed.data.read import read_table
from honed.evaluation.choices import evaluate_choices
from honed.evaluation.evaluate import Background, evaluate_model
from honed.evaluation.results import Estimate, Evaluation
from honed.files import read_json
from honed.finding import Finding
from honed.likelihood.choices import are_choices
from honed.model import Model
from honed.progress import Progress, Silent
from honed.verbs.evaluate_decoder import is_decoder, on_decoder

LEAKS = ("D130", "D131")


def evaluate(
    model: str | Path | Model,
    data: Any,
    *,
    group: Sequence[str] | None = None,
    learnt_from: Any = None,
    control: Any = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on new rows: figures with intervals, weaknesses, and a verdict.

    Parameters
    ----------
    model : path of a bundle, Model, or path of a decoder
        A decoder is a folder in hub format, such as ``pretrain`` makes one, a GGUF file or a checkpoint of llama2.c.
    data : path, list, or frame with the columns the model reads and its target
        For a decoder: a text file, a folder of texts, a table with a column of text, or a list of texts. For it and for a model
        that writes also questions with choices: columns ``question``, ``choices`` (a list) and ``answer`` (a place from 0, or the choice).
    group : names of columns whose groups are compared
    learnt_from : path or list of str
        Text that a decoder was trained on, to ask what it has by heart; known for runs of ``pretrain``.
    control : path or list of str
        Texts like the test that a decoder cannot have been trained on, to compare the test with.

    Raises
    ------
    BundleError, DataError, ZooError
    """
    progress = progress or Silent()
    if not isinstance(model, Model) and is_decoder(Path(model)):
        return on_decoder(Path(model), data, learnt_from=learnt_from, control=control, progress=progress)
    loaded = model if isinstance(model, Model) else Model.load(model)
    with progress.step("reading the data"):
        table = read_table(data)
    if are_choices(table.names):
        weighing = loaded.task.weighing(loaded.predictor, loaded.problem)
        if weighing is not None:
            scorer, passage = weighing
            return evaluate_choices(scorer, table, name=loaded.name, passage=passage, progress=progress)
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
