"""``evaluate`` for a plain decoder: what it is, what it is judged on, and what is known of its training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from honed.config import load
from honed.data.documents import Corpus, Piece, is_table, open_corpus
from honed.data.read import read_table
from honed.data.table import Table
from honed.errors import HonedError
from honed.evaluation.choices import evaluate_choices
from honed.evaluation.decoders import Material, evaluate_decoder
from honed.evaluation.results import Evaluation
from honed.finding import Finding
from honed.likelihood.choices import are_choices
from honed.likelihood.reading import Reading, bytes_within, read
from honed.likelihood.scorer import Scorer
from honed.likelihood.told import Told
from honed.pretraining.canaries import kept_canaries
from honed.pretraining.settings import PretrainConfig
from honed.pretraining.survey import divided, hold_out, survey
from honed.progress import Progress
from honed.verbs.run_folder import read_state
from honed.zoo.resolve import resolve

MOST_LEARNT = 4_000_000
"""Bytes of training text that are looked at, spread evenly over it."""


def on_decoder(path: Path, data: Any, *, learnt_from: Any, control: Any, progress: Progress) -> Evaluation:
    """Open the data, then the decoder, and judge it.

    Raises
    ------
    ZooError, DataError
    """
    table = _questions(data)
    for texts in (data if table is None else None, learnt_from, control):
        if texts is not None:
            _pieces(texts)
    with progress.step("opening the decoder"):
        scorer = open_scorer(path)
    if table is not None:
        return evaluate_choices(scorer, table, name=_name(path), progress=progress)
    with progress.step("reading the text"):
        material = _material(scorer, path, data, learnt_from, control)
    return evaluate_decoder(scorer, material, name=_name(path), progress=progress)


def _questions(data: Any) -> Table | None:
    """The table, where the data are questions with choices."""
    rows = isinstance(data, list | tuple) and bool(data) and isinstance(data[0], dict)
    if not rows and not (isinstance(data, str | Path) and is_table(Path(data))):
        return None
    table = read_table(data)
    return table if are_choices(table.names) else None


def open_scorer(path: Path) -> Scorer:
    """A decoder of a folder or file, ready to judge texts. Raises ZooError."""
    from honed.networks.decoders.loading import load_decoder
    from honed.networks.devices import best_device

    return Scorer(load_decoder(resolve(path, kind="decoder").folder, device=best_device()))


def _name(path: Path) -> str:
    own = path.resolve()
    return own.parent.name if own.name == "model" else own.stem


def _material(scorer: Scorer, path: Path, data: Any, learnt_from: Any, control: Any) -> Material:
    source, digest = _source(data)
    known = _of_run(path) if learnt_from is None else None
    findings: list[Finding] = []
    kept = known is not None and known[2] == digest
    if known is not None:
        learnt, fresh = (_told(scorer, part) for part in known[:2])
        pieces = known[1] if kept else _pieces(data)
        if kept:
            told = f"The decoder was trained on {source}; only the part that was held out then is judged."
            findings.append(Finding("E016", "tip", told, "Bring text of your own to judge it on."))
    else:
        learnt = _told(scorer, _pieces(learnt_from)) if learnt_from is not None else []
        fresh, pieces = [], _pieces(data)
    same = learnt_from is not None and _source(learnt_from)[1] == digest
    against = _told(scorer, _pieces(control)) if control is not None else []
    canaries = kept_canaries(path.resolve().parent)
    return Material(
        _reading(scorer, pieces), source, digest, learnt, fresh, against, not same, kept, canaries, findings
    )


Pieces = Callable[[], Iterable[Piece]]


def _pieces(data: Any) -> Pieces:
    if isinstance(data, str | Path):
        corpus = open_corpus(data)
        return lambda: iter(corpus)
    texts = [str(text) for text in data]
    return lambda: [Piece(text, True) for text in texts if text.strip()]


def _source(data: Any) -> tuple[str, str]:
    if isinstance(data, str | Path):
        return Path(data).name, open_corpus(data).digest()
    return "python list", hashlib.sha256("\x1e".join(map(str, data)).encode("utf-8", "surrogatepass")).hexdigest()


def _reading(scorer: Scorer, pieces: Pieces) -> Reading:
    sample = next((piece.text for piece in pieces()), "")
    return read(pieces, bytes_within(scorer, sample))


def _told(scorer: Scorer, pieces: Pieces) -> Sequence[Told]:
    return read(pieces, MOST_LEARNT).told


def _of_run(path: Path) -> tuple[Pieces, Pieces, str] | None:
    """What a run of ``pretrain`` learnt from and what it held out, where its text still is what it was; and its digest."""
    folder = path.resolve().parent
    try:
        state = read_state(folder, "pretrain")
        config: PretrainConfig = load(folder / "config.yaml", PretrainConfig)
        corpus = open_corpus(state.data, column=config.data.text, divided=config.data.documents)
        if corpus.digest() != state.data_digest:
            return None
        held = hold_out(survey(corpus, state.name), config.data.validation)
    except HonedError:
        return None
    return _part(corpus, held, False), _part(corpus, held, True), state.data_digest


def _part(corpus: Corpus, held: Any, wanted: bool) -> Pieces:
    return lambda: (piece for is_held, piece in divided(corpus, held) if is_held == wanted)
