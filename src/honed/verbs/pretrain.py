"""``pretrain``: a text-generation base from nothing, or from one that goes on learning, on one's own text."""

from __future__ import annotations

import math
import shutil
import time as clock
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from honed.config import flatten, load, override
from honed.data.documents import Corpus, Piece, open_corpus
from honed.errors import ConfigError, DataError, ZooError
from honed.evaluation.results import Choice
from honed.files import read_json, whole_file, whole_folder, write_json
from honed.networks.decoders.loading import Loaded, load_decoder
from honed.pretraining.canaries import keep_canaries, make_canaries, mixed_in
from honed.pretraining.continued import OWN, between, loss_of_rows, own_rows, planner_of, with_replay
from honed.pretraining.engine import judge
from honed.pretraining.folder import read_folder
from honed.pretraining.loop import CHECKPOINT, Training
from honed.pretraining.plan import Plan, Planner, time_for_learning
from honed.pretraining.results import PretrainReport
from honed.pretraining.settings import PretrainConfig
from honed.pretraining.shards import open_stream, write_shards
from honed.pretraining.size import flops_per_token
from honed.pretraining.survey import HeldOut, Survey, divided, hold_out, survey
from honed.pretraining.tokenizer import make_tokenizer, open_tokenizer, pairs_for, save_tokenizer
from honed.progress import Progress, Silent
from honed.report.pretraining import card_of, pretraining_page
from honed.verbs import package
from honed.verbs.finetune import limit_of
from honed.verbs.run_folder import RunState, begin_run, held, open_run, read_state, run_name
from honed.zoo.resolve import resolve

DEFAULT_S = 600.0
SHORT = 300_000
"""Characters below which characters are the better tokens."""
SHARDS, OLDER, PLAN, TOKENIZER = "shards", "older", "plan.json", "tokenizer"


@dataclass
class PretrainResult:
    """What ``pretrain`` gives: the report, the run's folder, and in ``folder / "model"`` the model in hub format."""

    report: PretrainReport
    folder: Path

    @property
    def model(self) -> Path:
        """The folder that ``AutoModelForCausalLM`` and ``AutoTokenizer`` open."""
        return self.folder / "model"


def pretrain(
    data: str | Path | None = None,
    *,
    tokenizer: str | None = None,
    text: str | None = None,
    base: str | Path | None = None,
    replay: str | Path | None = None,
    time_limit: str | float | None = None,
    name: str | None = None,
    out: str | Path = "runs",
    config: str | Path | None = None,
    settings: dict[str, Any] | None = None,
    resume: str | Path | None = None,
    progress: Progress | None = None,
    on_choices: Callable[[list[Choice]], None] | None = None,
) -> PretrainResult:
    """Train a decoder of the size that fits the time, from nothing, on a text; or go on with one that has learnt before.

    Parameters
    ----------
    data : path
        A text file, a folder of text files, or a table with a column of text. Every file or row is a document.
    tokenizer : str
        "characters", "bytes" or "bpe"; chosen by the length of the text when left out.
    text : str
        Column of text of a table; found by itself when left out.
    base : str or path
        A decoder that goes on learning, of a family that our own module computes. Its tokenizer and size stay as they are.
    replay : path
        Older text, of which some is read along so that less of it is forgotten; how much is forgotten is told.
    time_limit : str or float
        Seconds, or "90s", "10m", "1.5h", for everything; ten minutes when neither it nor ``training.steps`` is given.
    settings : dict
        Any other setting by its dotted name, such as ``{"shape.width": 128}``.
    resume : path
        Folder of an interrupted run that is to go on; without a time limit to the end of its plan.

    Raises
    ------
    HonedError
        Bad data, bad settings, too little time, no disk: one sentence says which.
    KeyboardInterrupt
        A usable model lies in the run folder; the same call goes on where it stopped.
    """
    begin, progress = clock.monotonic(), progress or Silent()
    if resume is not None:
        state = read_state(Path(resume), "pretrain")
        data, name, out, settings = state.data, state.name, Path(resume).parent, dict(state.settings)
        named = {}
    elif data is None:
        raise DataError("D001", "No data was given.", "Name a text file, or --resume a run.")
    else:
        named = {
            "tokenizer.kind": tokenizer, "data.text": text, "base": str(base) if base else None,
            "data.replay": str(Path(replay).absolute()) if replay else None,
        }  # fmt: skip
    limit = limit_of(time_limit)
    settings = {**{key: value for key, value in named.items() if value}, **(settings or {}), **limit}
    tree: PretrainConfig = load(Path(config), PretrainConfig) if config else PretrainConfig()
    yours = override(tree, settings)
    known = _base_of(tree, yours, progress)
    older = (
        open_corpus(tree.data.replay, column=tree.data.text, divided=tree.data.documents) if tree.data.replay else None
    )
    corpus = open_corpus(data, column=tree.data.text, divided=tree.data.documents)
    kept = {key: value for key, value in settings.items() if key != "training.time_limit_s"}
    path = str(Path(data).absolute())
    state = RunState(name or run_name(data), path, corpus.digest(), "", kept, verb="pretrain")
    folder = open_run(Path(out), state, Path(resume) if resume is not None else None, progress)
    seconds = tree.training.time_limit_s or (None if tree.training.steps or resume else DEFAULT_S)
    with held(folder):
        begin_run(folder, state, tree)
        run = _Run(corpus, tree, yours, folder, state, begin, seconds, progress, known, older)
        return run.finish(on_choices)


def _base_of(tree: PretrainConfig, yours: set[str], progress: Progress) -> Loaded | None:
    """The decoder that goes on learning. Raises ZooError [Z046] for one that our own module does not compute."""
    if tree.base is None:
        if tree.data.replay:
            raise ConfigError(
                "C003", "Older text was given, but no base that has read it.", "Name the base with --base."
            )
        return None
    fixed = sorted(
        yours & {"tokenizer.kind", "tokenizer.size", "shape.kind", "shape.width", "shape.layers", "shape.heads"}
    )
    if fixed:
        raise ConfigError(
            "C003", f"{fixed[0]} cannot be set where a base goes on learning.", "Leave it out, or the base."
        )
    found = load_decoder(resolve(tree.base, kind="decoder", progress=progress).folder)
    if found.shape is None:
        seen = f"The base {tree.base} is of a family that Honed fine-tunes but does not pre-train."
        raise ZooError("Z046", seen, "Take GPT-2, Llama, Mistral or Qwen, or fine-tune it on rows.")
    return found


@dataclass
class _Run:
    corpus: Corpus
    config: PretrainConfig
    yours: set[str]
    folder: Path
    state: RunState
    begin: float
    limit: float | None
    progress: Progress
    base: Loaded | None = None
    older: Corpus | None = None

    def finish(self, on_choices: Callable[[list[Choice]], None] | None) -> PretrainResult:
        """All that is left to do, from what lies in the folder."""
        if not (self.folder / SHARDS / "index.json").exists():
            self._prepare()
        tokenizer = open_tokenizer(self.folder / TOKENIZER)
        train, validation = (open_stream(self.folder / SHARDS, part) for part in ("train", "validation"))
        plan, choices = self._plan(tokenizer.get_vocab_size(), len(train))
        before = self._forgotten(plan, "before")
        if on_choices:
            on_choices(choices)
        left = time_for_learning(self.limit, self.begin) * 0.97 if self.limit else math.inf
        training = Training(
            plan, self.folder, train, validation, tokenizer, card=self._card(plan),
            deadline=clock.monotonic() + left if self.limit else None, base=self.base,
        )  # fmt: skip
        with self.progress.step("learning", total=training.state.steps) as step:
            training.run(step, self.progress.say)
        report = self._report(plan, choices, training, tokenizer)
        if before:
            after = self._forgotten(plan, "after")
            report.changes.extend((name, loss, after[name][0], count) for name, (loss, count) in before.items())
        write_json(self.folder / "report.json", report.as_dict())
        with whole_file(self.folder / "report.html") as temporary:
            temporary.write_text(pretraining_page(report), encoding="utf-8")
        self.state.finished = True
        self.state.save(self.folder)
        for scrap in (CHECKPOINT, SHARDS, OLDER, TOKENIZER):
            shutil.rmtree(self.folder / scrap, ignore_errors=True)
        return PretrainResult(report, self.folder)

    def _prepare(self) -> None:
        """Survey, tokenizer, shards."""
        with self.progress.step("reading the text"):
            found = survey(self.corpus, self.corpus.source.name)
            parts = hold_out(found, self.config.data.validation)
        if self.base is not None:
            self._prepare_more(found, parts)
            return
        kind, why = self._tokenizer_kind(found)
        learnt = (piece.text for is_held, piece in divided(self.corpus, parts) if not is_held)
        size = self.config.tokenizer.size or pairs_for(found.n_characters)
        with self.progress.step("making the tokenizer"):
            tokenizer = make_tokenizer(kind, found.characters, learnt, size)
        with whole_folder(self.folder / TOKENIZER) as place:
            save_tokenizer(tokenizer, place, 0)
        with self.progress.step("writing tokens"):
            pieces = self._planted(divided(self.corpus, parts), found)
            write_shards(self.folder / SHARDS, pieces, tokenizer, self._facts(found, parts, kind, why))

    def _planted(self, pieces: Iterable[tuple[bool, Piece]], found: Survey) -> Iterable[tuple[bool, Piece]]:
        """The pieces, with made-up sentences between them where those are wanted."""
        n, seed = self.config.data.canaries, self.config.training.seed
        if not n:
            return pieces
        canaries = make_canaries(n, seed)
        keep_canaries(self.folder, canaries)
        return mixed_in(pieces, canaries, len(found.lengths), seed)

    def _prepare_more(self, found: Survey, parts: HeldOut) -> None:
        """The base's own tokenizer, and shards of the new text with some of the older between."""
        assert self.base is not None
        core, marks = self.base.vocabulary.core, between(self.base.vocabulary)
        with whole_folder(self.folder / TOKENIZER) as place:
            core.save(str(place / "tokenizer.json"))
        pieces = self._planted(divided(self.corpus, parts), found)
        if self.older is not None:
            held = hold_out(survey(self.older, self.older.source.name), self.config.data.validation)
            older = (piece for is_held, piece in divided(self.older, held) if not is_held)
            judged = ((True, piece) for is_held, piece in divided(self.older, held) if is_held)
            write_shards(self.folder / OLDER, judged, core, {}, between=marks)
            pieces = with_replay(pieces, older, self.config.data.replay_share)
        facts = self._facts(found, parts, "the base's", "it stays as it is")
        with self.progress.step("writing tokens"):
            write_shards(self.folder / SHARDS, pieces, core, facts, between=marks)

    def _forgotten(self, plan: Plan, when: str) -> dict[str, tuple[float, int]]:
        """Held-out loss of the new text and of what was known before, by the base or by what became of it; nothing without a base."""
        if self.base is None:
            return {}
        kept = self.folder / f"{when}.json"
        if kept.exists():
            return {name: (loss, count) for name, (loss, count) in read_json(kept).items()}
        learner = plan.learner()
        learner.network.load_state_dict(self.base.network.state_dict())
        own = own_rows(learner, self.base.vocabulary, plan.seed) if self.older is None else None
        if when == "after":
            learner.network.load_state_dict(read_folder(self.folder / "model").state_dict())
        with self.progress.step(f"held-out loss {when} learning"):
            found = {"the new text": judge(learner, open_stream(self.folder / SHARDS, "validation"))}
            if own is not None:
                found[OWN] = loss_of_rows(learner, own)
            else:
                found["the older text"] = judge(learner, open_stream(self.folder / OLDER, "validation"))
        write_json(kept, found)
        return found

    def _tokenizer_kind(self, found: Survey) -> tuple[str, str]:
        if self.config.tokenizer.kind != "auto":
            return self.config.tokenizer.kind, ""
        if found.n_characters < SHORT:
            return "characters", f"below {SHORT:,} characters byte pairs are seen too seldom"
        return "bpe", "byte pairs say more in a token"

    def _facts(self, found: Survey, parts: HeldOut, kind: str, why: str) -> dict[str, Any]:
        return {
            "tokenizer": kind, "why": why, "held_out": parts.words, "documents": len(found.lengths),
            "characters": found.n_characters, "bytes": found.n_bytes,
        }  # fmt: skip

    def _plan(self, n_tokens: int, text: int) -> tuple[Plan, list[Choice]]:
        """The plan of the folder, or a new one."""
        path = self.folder / PLAN
        if path.exists():
            kept = read_json(path)
            return Plan(**kept["plan"]), [Choice(**choice) for choice in kept["choices"]]
        pairs = read_json(self.folder / SHARDS / "index.json")["tokenizer"] == "bpe"
        given = (self.config, self.yours, n_tokens, text, self.limit, self.begin, pairs)
        planner = planner_of(given, self.base) if self.base is not None else Planner(*given)
        with self.progress.step("timing this machine"):
            plan = planner.make()
        choices = [*self._read_choices(n_tokens), *planner.choices]
        told = {choice.name for choice in choices}
        for name, value in flatten(self.config).items():
            if name not in told and not name.startswith("task_"):
                choices.append(Choice(name, str(value), "yours" if name in self.yours else "default"))
        write_json(path, {"plan": asdict(plan), "choices": [asdict(choice) for choice in choices]})
        return plan, choices

    def _read_choices(self, n_tokens: int) -> list[Choice]:
        facts = read_json(self.folder / SHARDS / "index.json")
        documents = f"{facts['documents']:,} documents, {facts['characters']:,} characters"
        found = [Choice("data.documents", self.corpus.divided, self._origin("data.documents"), documents)]
        if self.corpus.column:
            found.append(
                Choice("data.text", self.corpus.column, self._origin("data.text"), "the column with most text")
            )
        kind = Choice("tokenizer.kind", facts["tokenizer"], self._origin("tokenizer.kind"), facts["why"])
        size = Choice("tokenizer.size", f"{n_tokens:,}", self._origin("tokenizer.size"), "tokens in the vocabulary")
        held_out = Choice(
            "data.validation", str(self.config.data.validation), self._default("data.validation"), facts["held_out"]
        )
        return [*found, kind, size, held_out]

    def _origin(self, name: str) -> Any:
        return "yours" if name in self.yours else "chosen"

    def _default(self, name: str) -> Any:
        return "yours" if name in self.yours else "default"

    def _card(self, plan: Plan) -> Callable[[int, float], str]:
        def card(step: int, loss: float) -> str:
            facts = {"held-out loss, nats a token": f"{loss:.4f}", "step": f"{step:,}", "context": plan.shape["context"],
                     "data": self.corpus.source.name, "SHA-256 of the data": self.state.data_digest}  # fmt: skip
            return card_of(self.state.name, facts, self.config.base or "")

        return card

    def _report(self, plan: Plan, choices: list[Choice], training: Training, tokenizer: Any) -> PretrainReport:
        facts, state = read_json(self.folder / SHARDS / "index.json"), training.state
        shape = training.learner.network.shape
        training.learner.network.load_state_dict(read_folder(self.folder / "model").state_dict())
        with self.progress.step("loss of all held-out text"):
            loss, count = judge(training.learner, training.validation)
        pace = state.step * plan.step_tokens / max(state.seconds, 1e-9)
        return PretrainReport(
            name=self.state.name, data_source=self.corpus.source.name, data_digest=self.state.data_digest,
            n_documents=facts["documents"], n_characters=facts["characters"], n_tokens=len(training.rows.stream),
            tokenizer=facts["tokenizer"], n_vocabulary=tokenizer.get_vocab_size(), held_out=facts["held_out"],
            n_validation_tokens=count, parameters=shape.n_parameters, steps=state.step, best_step=state.best_step,
            tokens_read=state.step * plan.step_tokens, passes=state.step * plan.step_tokens / len(training.rows.stream),
            loss=loss, bits_per_byte=loss * count / math.log(2) / max(1, training.validation.n_bytes), tokens_per_s=pace,
            flops_per_token=flops_per_token(shape), peak_flops=plan.peak_flops,
            utilisation=pace * flops_per_token(shape) / plan.peak_flops, seconds=clock.monotonic() - self.begin,
            choices=choices, curve=[(row[0], row[2], row[-1]) for row in training.curve.rows], samples=state.samples,
            versions=package.versions(),
        )  # fmt: skip
