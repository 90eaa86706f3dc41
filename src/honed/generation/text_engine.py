"""What writes texts for many at a time, whoever computes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from honed.generation.row import Row
from honed.generation.settings import Completion, Request, Settings
from honed.generation.stream import Stream
from honed.networks.decoders.vocabulary import Vocabulary


class TextEngine(Protocol):
    """An engine that takes requests and gives streams of tokens: all that a server, a command or a test asks of it.

    :class:`~honed.generation.generator.Generator` is one, on our own readers;
    :class:`~honed.generation.vllm_engine.VllmEngine` another, on vLLM. Get one by
    :func:`~honed.generation.opening.open_engine`.

    Parameters
    ----------
    vocabulary : Vocabulary
    name : str
        What computes: "onnx", "torch", "transformers" or "vllm".
    n_tokens, context : int
        Size of the vocabulary it computes; tokens of prompt and answer together at most.
    """

    vocabulary: Vocabulary
    name: str
    n_tokens: int
    context: int

    @property
    def n_running(self) -> int:
        """Texts that are being written."""

    @property
    def n_waiting(self) -> int:
        """Requests that wait for their turn."""

    def submit(self, request: Request) -> Stream:
        """Take a request, from any thread. Raises GenerationError [G002, G003, G004, G005]."""

    def check_form(self, settings: Settings) -> None:
        """Make ready the form that an answer is to have. Raises GenerationError [G004, G005]."""

    def generate(self, prompts: Sequence[str | Sequence[int]], settings: Settings | None = None) -> list[Completion]:
        """Answers to all prompts, in their order."""

    def step(self) -> bool:
        """Go on with every running text; False where nothing is left to do."""

    def drive(self, stop: threading.Event) -> None:
        """Step as long as there is work and wait where there is none, until told to stop."""

    def driven_by(self, wake: Callable[[], None]) -> None:
        """From now on the thread that calls steps, and no other; ``wake`` is called when another thread has sent a request."""

    def cancel(self, row: Row) -> None:
        """End a request and free what it holds."""

    def close(self) -> None:
        """Give memory and processes back; nothing can be asked afterwards."""
