"""``evaluate``: a packaged model on rows whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from honed.bundle.plain import is_plain_decoder
from honed.data.read import read_table
from honed.errors import ConfigError
from honed.evaluation.choices import evaluate_choices
from honed.evaluation.evaluate import Background, evaluate_model, targets_of
from honed.evaluation.results import Estimate, Evaluation
from honed.files import read_json
from honed.finding import Finding
from honed.likelihood.choices import are_choices
from honed.model import Model
from honed.progress import Progress, Silent
from honed.tasks.contract import labelled
from honed.verbs.base_again import base_again
from honed.verbs.evaluate_decoder import on_decoder

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
    learnt_from : path or list
        Text that a decoder, or rows that a model, was trained on, to ask what it has by heart; known for runs of ``pretrain``.
    control : path or list of str
        Texts like the test that a decoder cannot have been trained on, to compare the test with.

    Raises
    ------
    BundleError, ConfigError, DataError, ZooError
    """
    progress = progress or Silent()
    if control is not None and (isinstance(model, Model) or not is_plain_decoder(Path(model))):
        raise ConfigError("C012", "A control is for plain decoders.", "Leave --control away.")
    if not isinstance(model, Model) and is_plain_decoder(Path(model)):
        if group:
            raise ConfigError(
                "C012", "A plain decoder has no rows whose groups could be compared.", "Leave --group away."
            )
        return on_decoder(Path(model), data, learnt_from=learnt_from, control=control, progress=progress)
    loaded = model if isinstance(model, Model) else Model.load(model)
    with progress.step("reading the data"):
        table = read_table(data)
    if are_choices(table.names):
        weighing = loaded.task.weighing(loaded.predictor, loaded.problem)
        if weighing is not None:
            scorer, passage = weighing
            return evaluate_choices(scorer, table, name=loaded.name, passage=passage, progress=progress)
    background = _with_learnt(background_of(loaded), loaded, learnt_from)
    return evaluate_model(loaded, table, background=background, group=tuple(group or ()), progress=progress)


def _with_learnt(background: Background, model: Model, learnt_from: Any) -> Background:
    """The rows that the model learnt from, where they are named: how much better it does on them, what it has by heart."""
    if learnt_from is None:
        return background
    table = read_table(learnt_from)
    inputs, targets = model.inputs(table), targets_of(model, table)
    rows = np.flatnonzero(labelled(targets) & ~model.task.medium.unreadable(inputs))
    return replace(background, train_inputs=[inputs[row] for row in rows], train_targets=targets[rows])


def background_of(model: Model) -> Background:
    """What a bundle remembers of its training: hashes of the inputs learnt from, the cheapest baseline, its own scores, its base,
    and whether its data gave the answer away. Without the hashes nobody knows whether rows are new."""
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
    base, absent = base_again(model)
    return Background(
        held_out=bool(seen),
        findings=[*_leaks(model.folder / "report.json"), *absent],
        baselines=baselines,
        trivial=list(baselines),
        seen=seen,
        near=near,
        validation=Estimate(**validation) if validation else None,
        base=base,
    )


def _leaks(report: Path) -> list[Finding]:
    """What the run found to give the answer away: it holds for the model on any rows."""
    if not report.is_file():
        return []
    told = [Finding.from_dict(fact) for fact in read_json(report).get("findings", [])]
    return [finding for finding in told if finding.code in LEAKS and finding.level == "issue"]
