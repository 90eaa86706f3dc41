"""The worker process: opens one bundle, answers batches of rows, says that it is alive.

Started by the parent as ``python -m honed.serving.worker FD``; it ends when the parent is gone.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from honed.errors import HonedError, ServeError
from honed.resources import return_freed_memory
from honed.serving import wire
from honed.serving.attached import decoded, file_fields
from honed.tasks.contract import Array, Predictions

if TYPE_CHECKING:
    from honed.generation.asking import Asking
    from honed.generation.text_engine import TextEngine
    from honed.model import Model
    from honed.serving.scribe import Scribe

Row = dict[str, Any]
SMALL = 3_000_000
"""Parameters below which one thread writes: others would wait for it awake, on the cores that speak HTTP. With 260,000 parameters
and 32 texts a token takes 48 microseconds of the processor with one thread and 100 with two."""
TIDY_EVERY_S = 5.0
"""How often freed memory is given back: batches of all sizes leave holes, and a worker runs for months."""
Outcome = tuple[list[Any], dict[str, Array]]


def opened(folder: Path, engine: str, version: str, slots: int) -> Model:
    """The model in a bundle, every digest verified, on the engine asked for; it must be the version expected."""
    from honed.bundle.deployment import version_of
    from honed.engines.choose import choose
    from honed.engines.kinds import AUTO, DEFAULT
    from honed.engines.prepare import with_engine
    from honed.model import Model

    if version_of(folder) != version:
        seen = f"The bundle {folder} is no longer version {version}."
        raise ServeError("H024", seen, "Reload it: send SIGHUP to the server, or POST /admin/models/NAME/reload.")
    model = Model.load(folder)
    name = choose(model).chosen if engine == AUTO else engine
    return model if name == DEFAULT else with_engine(model, name, slots=slots)


def opened_base(path: Path, engine: str) -> Asking:
    """A decoder that was not fine-tuned, for an engine."""
    from honed.generation.asking import PlainAsking
    from honed.generation.opening import decoder_for
    from honed.zoo.resolve import resolve

    return PlainAsking(decoder_for(resolve(path, kind="decoder").folder, engine))


def engine_for(asking: Asking, engine: str, weights: str, slots: int) -> TextEngine:
    """What writes for a server: in one thread where the decoder is small."""
    from honed.generation.opening import open_engine

    shape = asking.loaded.shape
    threads = 1 if shape is not None and shape.n_parameters < SMALL else None
    return open_engine(asking.loaded, engine=engine, slots=slots, weights=weights, threads=threads)


def answer(
    model: Model, rows: Sequence[Row], files: Sequence[str] = ()
) -> tuple[list[int], Predictions | None, dict[int, dict[str, Any]]]:
    """Answers for rows. Rows on which the model fails are found by halving, so that they do not spoil the others.

    Parameters
    ----------
    files : sequence of str
        Fields that hold a file in base64.

    Returns
    -------
    good : list of int
        Rows that were answered, in order.
    predictions : Predictions or None
        For those rows.
    errors : dict
        Error of every other row, as plain JSON types.
    """
    errors: dict[int, dict[str, Any]] = {}
    parts: list[tuple[list[int], Predictions]] = []

    def attempt(numbers: list[int]) -> None:
        try:
            parts.append((numbers, _answers(model, [rows[number] for number in numbers], files)))
        except Exception as error:
            if len(numbers) == 1:
                errors[numbers[0]] = _told(error)
                return
            middle = len(numbers) // 2
            attempt(numbers[:middle])
            attempt(numbers[middle:])

    attempt(list(range(len(rows))))
    good = [number for numbers, _ in parts for number in numbers]
    return good, _joined([part for _, part in parts]), errors


def _answers(model: Model, rows: list[Row], files: Sequence[str]) -> Predictions:
    inputs = model.inputs(decoded(rows, files))
    found = model.answers(inputs)
    blank = [all(isinstance(value, str) and not value.strip() for value in row.values()) for row in rows]
    found.unsure[np.asarray(blank)] = True
    return found


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, HonedError):
        return {**error.as_dict(), "code": "H007"}
    print(f"honed worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    seen = f"The model failed on this row ({type(error).__name__})."
    return ServeError("H015", seen, "The server's log has more.").as_dict()


def _joined(parts: list[Predictions]) -> Predictions | None:
    if len(parts) <= 1:
        return parts[0] if parts else None

    def both(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    labels = [label for part in parts for label in part.labels]
    return Predictions(both("encoded"), labels, both("probabilities"), both("confidence"), both("unsure"))


def arrays_of(found: Predictions | None) -> Outcome:
    """Labels and arrays of predictions, as they travel."""
    if found is None:
        return [], {}
    numbers = {"encoded": np.asarray(found.encoded), "unsure": np.asarray(found.unsure, dtype=bool)}
    if numbers["encoded"].dtype.name not in wire.KINDS:
        kind = np.int64 if numbers["encoded"].dtype.kind in "iu" else np.float64
        numbers["encoded"] = numbers["encoded"].astype(kind)
    for name in ("probabilities", "confidence"):
        if getattr(found, name) is not None:
            array = np.asarray(getattr(found, name))
            numbers[name] = array if array.dtype.name in wire.KINDS else array.astype(np.float64)
    labels = [label.item() if isinstance(label, np.generic) else label for label in found.labels]
    return labels, numbers


class Worker:
    """One thread reads and says "alive", the main thread computes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self._work: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._model: Model | None = None
        self._scribe: Scribe | None = None
        self._files: list[str] = []
        self._tidied = time.monotonic()

    def run(self) -> None:
        """Serve until told to stop."""
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            message = self._work.get()
            if message["do"] == "stop":
                return
            self._load(message) if message["do"] == "load" else self._predict(message)

    def _read(self) -> None:
        try:
            while True:
                message, _ = wire.receive(self._sock)
                if message["do"] == "ping":
                    self._send({"id": message["id"], "alive": True})
                elif message["do"] in ("write", "cancel"):
                    assert self._scribe is not None
                    self._scribe.put(message)
                else:
                    self._work.put(message)
        except (OSError, ValueError):
            os._exit(0)

    def _send(self, head: dict[str, Any], arrays: dict[str, Array] | None = None) -> None:
        with self._sending:
            self._sock.sendall(wire.packed(head, arrays))

    def _load(self, message: dict[str, Any]) -> None:
        try:
            asking = self._open_base(message) if message["base"] else self._open(message)
            engine = "" if self._model is None else getattr(self._model.predictor, "engine", "torch-fp32")
            told = {"engine": str(getattr(engine, "name", engine)), "writes": None}
            if asking is not None:
                told |= self._write(asking, message)
        except Exception as error:
            told = error.as_dict() if isinstance(error, HonedError) else _load_error(error)
            self._send({"id": message["id"], "error": told})
            return
        self._send({"id": message["id"], **told})

    def _open(self, message: dict[str, Any]) -> Asking | None:
        """Open a bundle and try it; how it is asked for texts, where it writes any."""
        self._model = model = opened(Path(message["folder"]), message["engine"], message["version"], message["slots"])
        self._files = file_fields(model.task.schemas(model.problem).input)
        for rows in ([message["example"]], [message["example"]] * 2):
            answer(model, rows, self._files)
        return model.task.asking(model.predictor, model.problem)

    def _open_base(self, message: dict[str, Any]) -> Asking:
        from honed.generation.kinds import engine_for_texts

        return opened_base(Path(message["folder"]), engine_for_texts(message["engine"], message["weights"])[0])

    def _write(self, asking: Asking, message: dict[str, Any]) -> dict[str, Any]:
        """Begin to write, on the engine that answers rows where that one writes."""
        from honed.generation.kinds import engine_for_texts
        from honed.serving.scribe import Scribe

        writing = None if self._model is None else getattr(self._model.predictor, "writing", None)
        if writing is None:
            engine, weights = engine_for_texts(message["engine"], message["weights"])
            writing = engine_for(asking, engine, weights, message["slots"])
        self._scribe = Scribe(asking, self._send, writing)
        self._scribe.start()
        return {"writes": self._scribe.facts, **({"engine": self._scribe.engine} if self._model is None else {})}

    def _predict(self, message: dict[str, Any]) -> None:
        assert self._model is not None
        good, found, errors = answer(self._model, message["rows"], self._files)
        labels, arrays = arrays_of(found)
        self._send({"id": message["id"], "good": good, "labels": labels, "errors": errors}, arrays)
        if time.monotonic() - self._tidied > TIDY_EVERY_S:
            return_freed_memory()
            self._tidied = time.monotonic()


def _load_error(error: Exception) -> dict[str, Any]:
    seen = f"The worker could not open the model: {type(error).__name__}: {error}"
    return ServeError("H024", seen, "See the server's log.").as_dict()


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Worker(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
