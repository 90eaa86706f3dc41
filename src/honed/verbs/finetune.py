"""``finetune``: from data to a packaged model that was carefully evaluated."""

from __future__ import annotations

import difflib
import shutil
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from honed.config import RunConfig, flatten, load, override, seconds
from honed.data.read import read_table
from honed.data.table import Table
from honed.errors import ConfigError, DataError, RunError
from honed.evaluation.evaluate import Background, evaluate_model
from honed.evaluation.results import Evaluation, RungResult, RunReport
from honed.files import read_json, whole_file, write_json
from honed.finding import by_level, stop_at_blockers
from honed.media.medium import hashes
from honed.model import Model
from honed.progress import Progress, Silent
from honed.report.html import run_page
from honed.tasks.contract import Array, Predictions
from honed.training.candidate import Candidate
from honed.training.ladder import ORDER, Ladder, climb
from honed.training.last_fit import fit_on_all
from honed.training.session import Session, make_parts
from honed.training.suspects import suspects
from honed.verbs import package
from honed.verbs.held_out import held_out
from honed.verbs.prepare import Prepared, prepare
from honed.verbs.run_folder import RunState, begin_run, held, open_run, read_state, run_name
from honed.wording import shown_title
from honed.zoo.resolve import resolve

FOLDS = 4
EVALUATION_SHARE, EVALUATION_S, AT_MOST = 0.15, 20.0, 0.25
"""What of the time limit is kept for the final evaluation: a share, but not fewer seconds than these, and these at most a quarter."""


@dataclass
class Result:
    """What ``finetune`` gives: the model in hand, the report, and where both lie."""

    model: Model
    report: RunReport
    folder: Path

    @property
    def evaluation(self) -> Evaluation | None:
        """The evaluation on held-out rows; None where there were too few rows to keep any back."""
        return self.report.evaluation


OnPrepared = Callable[[Prepared], None]


def finetune(
    data: Any = None,
    *,
    target: str | None = None,
    text: Sequence[str] | None = None,
    base: str | Path | None = None,
    time_limit: str | float | None = None,
    costs: dict[str, float] | None = None,
    test: Any = None,
    time: str | None = None,
    group: Sequence[str] | None = None,
    entity: str | None = None,
    task: str | None = None,
    name: str | None = None,
    out: str | Path = "runs",
    config: str | Path | None = None,
    settings: dict[str, Any] | None = None,
    resume: str | Path | None = None,
    progress: Progress | None = None,
    on_prepared: OnPrepared | None = None,
    on_rung: Callable[[RungResult], None] | None = None,
) -> Result:
    """Climb the ladder of methods on data, evaluate the best one, and package it.

    Parameters
    ----------
    data : path, list, or pandas / polars / Arrow frame
        Left out when resuming.
    target, text, time, group, entity : column names
        Found by themselves when left out.
    base : str or path
        A name of ``honed models`` or a folder in hub format; the embedded one when left out.
    time_limit : str or float
        Seconds, or "90s", "10m", "1.5h", for everything.
    costs : dict
        How much worse than usual it is to miss a label, by label.
    test : path or frame
        Rows for the final evaluation; when left out some of the data are kept back.
    settings : dict
        Any other setting by its dotted name, such as ``{"training.seed": 1}``.
    resume : path
        Folder of an interrupted run that is to go on.

    Raises
    ------
    HonedError
        Bad data, bad settings, no such base, not enough memory or disk: one sentence says which.
    KeyboardInterrupt
        The best model so far is packaged in the run folder; the same call goes on where it stopped.
    """
    begin, progress = clock.monotonic(), progress or Silent()
    if resume is not None:
        state = read_state(Path(resume), "finetune")
        if not state.data:
            raise RunError(
                "R030", f"The run {resume} was started from data in memory.", "Call finetune again with the same data."
            )
        data, test, name, out, settings = (
            state.data,
            state.test or None,
            state.name,
            Path(resume).parent,
            state.settings,
        )
        settings = {**settings, **limit_of(time_limit)}
    elif data is None:
        raise DataError("D001", "No data was given.", "Name a file, or --resume a run.")
    else:
        named = {"task": task, "base": str(base) if base else None, "data.target": target, "data.text": list(text or []),
                 "data.time": time, "data.group": list(group or []), "data.entity": entity, **limit_of(time_limit),
                 "task_settings.costs": dict(costs or {})}  # fmt: skip
        given = {key: value for key, value in named.items() if value not in (None, "", [], {})}
        settings = {**given, **(settings or {})}
    run_config = load(Path(config)) if config else RunConfig()
    yours = override(run_config, settings)
    prepared = prepare(data, run_config, test=test is None, progress=progress)
    if on_prepared:
        on_prepared(prepared)
    stop_at_blockers(prepared.findings)
    _check_costs(prepared)
    state = RunState(
        name or run_name(data),
        _path_of(data),
        prepared.table.digest,
        _path_of(test),
        {k: v for k, v in settings.items() if k != "training.time_limit_s"},
    )
    folder = open_run(Path(out), state, Path(resume) if resume is not None else None, progress)
    test_table = read_table(test) if test is not None else None
    with held(folder):
        session = _session(prepared, run_config, folder, state, begin, yours, progress)
        return _run(session, prepared, state, test_table, begin, progress, on_rung)


def limit_of(time_limit: str | float | None) -> dict[str, Any]:
    """A time limit as the setting it is. Raises ConfigError [C002]."""
    if time_limit is None:
        return {}
    try:
        found = seconds(time_limit) if isinstance(time_limit, str) else float(time_limit)
    except ValueError:
        raise ConfigError("C002", f'"{time_limit}" is no time limit.', "Write 90s, 10m or 1.5h.") from None
    return {"training.time_limit_s": found}


def _path_of(data: Any) -> str:
    return str(Path(data).absolute()) if isinstance(data, str | Path) else ""


def _check_costs(prepared: Prepared) -> None:
    """A cost for a label that the data do not have would silently change nothing."""
    labels = prepared.problem.labels if prepared.problem else ()
    strange = [label for label in getattr(prepared.settings, "costs", {}) if label not in labels]
    if strange:
        close = difflib.get_close_matches(strange[0], labels, n=1)
        hint = f'Did you mean "{close[0]}"?' if close else f"Labels: {', '.join(labels[:12]) or 'none'}."
        raise ConfigError("C003", f'There is no label "{strange[0]}" that a cost could be for.', hint)


def _session(
    prepared: Prepared,
    config: RunConfig,
    folder: Path,
    state: RunState,
    begin: float,
    yours: set[str],
    progress: Progress,
) -> Session:
    assert prepared.problem is not None and prepared.targets is not None and prepared.split is not None
    kind = prepared.task.facts.base_kind
    found = resolve(config.base, kind=kind, progress=progress) if prepared.task.facts.needs_base else None
    inputs = prepared.task.inputs(prepared.table, prepared.problem)
    train, validation = make_parts(inputs, prepared.targets, prepared.split.train, prepared.split.validation)
    limit = config.training.time_limit_s
    session = Session(
        prepared.task, prepared.problem, prepared.settings, config, found, train, validation, folder,
        folds=1 if len(validation) else FOLDS, progress=progress,
        deadline=begin + limit - _kept_for_evaluation(limit) if limit else None,
    )  # fmt: skip
    _meet_base(session)
    begin_run(folder, state, config)
    _choices(session, prepared, yours)
    return session


def _kept_for_evaluation(limit: float) -> float:
    """Seconds of a time limit."""
    return max(EVALUATION_SHARE * limit, min(EVALUATION_S, AT_MOST * limit))


def _meet_base(session: Session) -> None:
    """Open the base before anything is climbed, so that one that does not do is refused at once and nothing is left behind; and
    show what is learnt of a row, where a network can tell."""
    if session.base is None or session.config.training.stop_after == ORDER[0]:
        return
    network = session.frozen_network()
    told = getattr(network, "told", None)
    if told is not None and len(session.train):
        session.progress.say(told(network.encode(session.train.inputs[:1])[0], session.train.targets[0]))


def _choices(session: Session, prepared: Prepared, yours: set[str]) -> None:
    roles, problem = prepared.roles, session.problem
    named = {"target": problem.target, session.task.facts.input_kinds[0]: ", ".join(problem.inputs)}
    for role, value in named.items():
        session.choose(
            f"data.{role}", value, "yours" if role in roles.yours else "chosen", roles.reasons.get(value, "")
        )
    session.choose(
        "problem",
        problem.kind,
        "chosen",
        problem.answer,
    )
    if session.base:
        session.choose(
            "base", session.base.id, "yours" if "base" in yours else "default", f"licence {session.base.licence}"
        )
    measured = f"{FOLDS}-fold cross-validation" if session.folds > 1 else f"{len(session.validation):,} held-out rows"
    session.choose(
        "methods are compared on",
        measured,
        "chosen",
        f"below {session.task.facts.few_rows} labelled rows none can be spared" if session.folds > 1 else "",
    )
    for name, value in flatten(session.config).items():
        if name in yours and not any(choice.name == name for choice in session.choices):
            session.choose(name, value, "yours")


def _run(
    session: Session,
    prepared: Prepared,
    state: RunState,
    test: Table | None,
    begin: float,
    progress: Progress,
    on_rung: Any,
) -> Result:
    def better(candidate: Candidate, ladder: Ladder) -> None:
        package.keep_interim(session, prepared, candidate, state.name)

    ladder = climb(session, better, on_rung)
    assert ladder.best is not None
    predictor = fit_on_all(session, ladder)
    model = package.model_of(session, prepared, ladder.best, state.name, predictor)
    _look_at_labels(session, prepared, model, ladder)
    evaluation = _evaluate(session, prepared, model, ladder, test, progress)
    report = _report(session, prepared, state, ladder, evaluation, clock.monotonic() - begin)
    first = next(iter(ladder.candidates.values()))
    with progress.step("packaging, and opening the model in a fresh process"):
        package.keep_final(session, model, report, first, held_out(session, prepared, model, ladder, test))
    write_json(session.folder / "report.json", report.as_dict())
    (session.folder / "report.html").write_text(run_page(report), encoding="utf-8")
    _keep_for_eject(session, prepared, state)
    state.finished = True
    state.save(session.folder)
    for scrap in ("ladder", "checkpoint", "features.npy", "soup.json", "average.json", "precision.txt"):
        path = session.folder / scrap
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return Result(model, report, session.folder)


def _look_at_labels(session: Session, prepared: Prepared, model: Model, ladder: Ladder) -> None:
    """Labels that look wrong, where a base has been looked with and there is time left."""
    if "probe" not in ladder.candidates or session.time_left() <= 0:
        return
    assert prepared.split is not None and ladder.best is not None
    rows = np.concatenate([prepared.split.train, prepared.split.validation]).astype(np.int64)

    def decided(outputs: Array) -> Predictions:
        return model.task.decode(outputs, model.problem, model.decision)

    with session.progress.step("looking for labels that look wrong"):
        session.findings += suspects(session, ladder.best, decided, rows, prepared.findings)


def _keep_for_eject(session: Session, prepared: Prepared, state: RunState) -> None:
    """Which rows were learnt from and held out, and settings beside the plan, so that ``eject`` can write the training
    out and engines can be compared on rows that were not learnt from; only for data in a file."""
    if not state.data or prepared.split is None:
        return
    with whole_file(session.folder / "rows.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, train=prepared.split.train, validation=prepared.split.validation)
    plan = session.folder / "plan.json"
    if not plan.exists():
        return
    facts = {
        "name": state.name,
        "data": state.data,
        "n_train": len(session.train),
        "n_validation": len(session.validation),
    }
    training = session.config.training
    extra = {
        "problem": session.problem.as_dict(),
        "train_embeddings": training.train_embeddings,
        "dropout": training.dropout,
    }
    write_json(session.folder / "eject.json", {**facts, **extra, **read_json(plan)})


def _evaluate(
    session: Session, prepared: Prepared, model: Model, ladder: Ladder, test: Table | None, progress: Progress
) -> Evaluation | None:
    assert prepared.split is not None
    rows = prepared.split.test
    if test is None and not len(rows):
        return None
    table = test if test is not None else prepared.table.take(rows)
    baselines = {
        shown_title(ladder.candidates[name].title): ladder.candidates[name].predictor
        for name in _baseline_names(session, ladder)
    }
    learnt = session.train.inputs + session.validation.inputs
    model.extra["near"] = session.task.medium.sketches(learnt)
    background = Background(
        baselines=baselines,
        trivial=list(baselines)[:1],
        train_inputs=session.train.inputs,
        train_targets=session.train.targets,
        validation=ladder.best.score if ladder.best else None,
        seen=frozenset(hashes(session.task.medium, learnt)),
        near=model.extra["near"],
        base=session.frozen_network if session.base is not None and model.predictor.kind == "network" else None,
        findings=[finding for finding in prepared.findings if finding.level in ("issue", "tip")],
    )
    return evaluate_model(model, table, background=background, seed=session.seed, progress=progress)


def _baseline_names(session: Session, ladder: Ladder) -> list[str]:
    names = [baseline.name for baseline in session.task.baselines(session.problem, session.settings)]
    return [name for name in names if name in ladder.candidates]


def _report(
    session: Session,
    prepared: Prepared,
    state: RunState,
    ladder: Ladder,
    evaluation: Evaluation | None,
    seconds_: float,
) -> RunReport:
    assert prepared.split is not None
    metric = session.task.metrics(session.problem)[0]
    return RunReport(
        name=state.name,
        task=session.task.name,
        data_source=prepared.table.source,
        data_digest=prepared.table.digest,
        n_rows=prepared.table.n_rows,
        n_train=len(session.train),
        n_validation=len(session.validation),
        n_test=evaluation.n_used if evaluation else 0,
        split=prepared.split.description,
        findings=by_level([*prepared.findings, *session.findings]),
        choices=session.choices,
        metric=metric.title,
        metric_unit=metric.unit,
        ladder=ladder.lines(),
        evaluation=evaluation,
        seconds=seconds_,
        base=session.base.provenance() if session.base else {},
        versions=package.versions(),
        medium=session.task.facts.input_kinds[0],
    )
