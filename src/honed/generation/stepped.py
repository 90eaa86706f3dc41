"""What engines that are stepped have in common: requests come from any thread, one thread steps, answers are streams."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from honed.errors import GenerationError
from honed.generation.forms import Forms
from honed.generation.row import Row
from honed.generation.settings import Completion, Request, Settings
from honed.generation.stream import Stream
from honed.networks.decoders.vocabulary import Vocabulary


class Stepped(ABC):
    """The side of a :class:`~honed.generation.text_engine.TextEngine` that faces who asks; a subclass computes.

    Parameters
    ----------
    vocabulary : Vocabulary
    n_tokens, context : int
        Number of logits; tokens of prompt and answer together at most.
    """

    def __init__(self, vocabulary: Vocabulary, n_tokens: int, context: int) -> None:
        self.vocabulary, self.n_tokens, self.context = vocabulary, n_tokens, context
        self.driver: int | None = None
        self._wake: Callable[[], None] | None = None
        self._forms = Forms(vocabulary, n_tokens)
        self._waiting: deque[Row] = deque()
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        self._stepping = False

    @abstractmethod
    def _held(self) -> Sequence[Row]:
        """Requests that are being answered."""

    @abstractmethod
    def _once(self) -> None:
        """One step: take in who waits, write a token of every running text, let go who has ended."""

    @abstractmethod
    def _release(self, row: Row) -> None:
        """Let go a request that has ended between two steps; one that was let go before is no mistake."""

    @abstractmethod
    def _clear(self) -> None:
        """Let go all requests."""

    @property
    def n_running(self) -> int:
        """Texts that hold a slot."""
        return len(self._held())

    @property
    def n_waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting)

    def submit(self, request: Request) -> Stream:
        """Take a request; it begins at the next step with a free slot.

        Raises
        ------
        GenerationError [G002, G003, G004, G005]
            The prompt is too long, empty or no tokens of this model; the wanted form cannot be used.
        """
        row = self._row(request)
        if self._wake is None:
            with self._work:
                self._waiting.append(row)
                self._work.notify()
        else:  # without the lock, which the thread that steps lets go for microseconds only
            self._waiting.append(row)
            if self.driver != threading.get_ident():
                self._wake()
        return Stream(self, row)

    def check_form(self, settings: Settings) -> None:
        """Make ready the form that an answer is to have, in a thread that holds nobody up; what it takes is kept for :meth:`submit`.

        Raises
        ------
        GenerationError [G004, G005]
        """
        if settings.constrained:
            self._forms.form(settings)

    def generate(self, prompts: Sequence[str | Sequence[int]], settings: Settings | None = None) -> list[Completion]:
        """Answers to all prompts, in their order. Raises GenerationError as :meth:`submit`."""
        streams = [self.submit(Request(prompt, settings or Settings())) for prompt in prompts]
        return [stream.result() for stream in streams]

    def step(self) -> bool:
        """Read a piece of waiting prompts and write one token of every running text; False where nothing is left to do."""
        with self._lock:
            self._stepping = True
            try:
                self._once()
            except Exception as error:
                self._fail(error)
                raise
            finally:
                self._stepping = False
            return self._busy

    @property
    def _busy(self) -> bool:
        return bool(self._waiting or self._held())

    def drive(self, stop: threading.Event) -> None:
        """Step as long as there is work and wait where there is none, until told to stop; for a thread of a server.

        An error in a step reaches everyone who waits, and the driving goes on.
        """
        self.driver = threading.get_ident()
        try:
            while not stop.is_set():
                with suppress(Exception):
                    if self.step():
                        continue
                if not stop.is_set():
                    with self._work:
                        if not self._busy:
                            self._work.wait(timeout=0.1)
        finally:
            self.driver = None

    def driven_by(self, wake: Callable[[], None]) -> None:
        """From now on the thread that calls steps, and no other; ``wake`` is called when another thread has sent a request."""
        self.driver, self._wake = threading.get_ident(), wake

    def cancel(self, row: Row) -> None:
        """End a request; its slot is free when this returns (inside a callback: when the step ends)."""
        with self._lock:
            if row.finish is not None:
                return
            row.end("cancelled")
            if self._stepping:
                return
            if row in self._waiting:
                self._waiting.remove(row)
            else:
                self._release(row)

    def close(self) -> None:
        """End all requests; a subclass gives back what it holds."""
        with self._lock:
            for row in (*self._held(), *self._taken_back()):
                row.end("cancelled")
            self._clear()

    def _fail(self, error: Exception) -> None:
        """Tell everyone who waits; nothing is held afterwards."""
        for row in (*self._held(), *self._taken_back()):
            row.fail(error)
        self._clear()

    def _taken_back(self) -> list[Row]:
        """Requests that waited; one that comes at the same time is among them or waits on."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found

    def _row(self, request: Request) -> Row:
        prompt = request.prompt
        ids = self.vocabulary.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if not ids or min(ids) < 0 or max(ids) >= self.n_tokens:
            seen = f"A token of the prompt is not from 0 to {self.n_tokens - 1}." if ids else "The prompt is empty."
            raise GenerationError("G003", seen, "Give a text, or tokens of this model.")
        if len(ids) >= self.context:
            seen = f"The prompt has {len(ids):,} tokens; with the answer at most {self.context:,} fit."
            raise GenerationError("G002", seen, "Shorten the prompt.")
        if max(request.settings.logit_bias, default=0) >= self.n_tokens:
            raise GenerationError("G003", "logit_bias names a token that this model does not have.", "Check the ids.")
        form = self._forms.form(request.settings) if request.settings.constrained else None
        return Row(request, ids, self.vocabulary, self.context - len(ids), form)
