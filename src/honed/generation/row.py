"""A request while it is being answered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from honed.generation.draws import Draws
from honed.generation.settings import Completion, Finish, Request, Token
from honed.generation.text_stream import TextStream
from honed.networks.decoders.vocabulary import Vocabulary

if TYPE_CHECKING:
    from honed.generation.forms import Form


class Row:
    """A request, what was read and written for it, and how it ended.

    Parameters
    ----------
    request : Request
    prompt : sequence of int
        Its tokens.
    room : int
        New tokens that fit into the context.
    """

    def __init__(
        self, request: Request, prompt: Sequence[int], vocabulary: Vocabulary, room: int, form: Form | None = None
    ) -> None:
        self.request, self.settings, self.form = request, request.settings, form
        self.ids = list(prompt)
        self.n_prompt, self.done, self.reused = len(self.ids), 0, 0
        self.limit = self.n_prompt + min(self.settings.max_tokens, room)
        self.tokens: list[Token] = []
        self.end_logprob: float | None = None
        self.finish: Finish | None = None
        self.error: Exception | None = None
        self.ready: SimpleQueue[Token | None] = SimpleQueue()
        self.plain = self.settings.plain
        self.raw = self.settings.logprobs is not None
        one = self.settings.logprobs in (None, 0)
        self.likeliest = one and self.settings.temperature == 0 and not self.settings.adjusts and form is None
        self.seed = secrets.randbits(32) if self.settings.seed is None else self.settings.seed
        self.begun = time.perf_counter()
        self.first_s = self.total_s = 0.0
        self._ends = frozenset(() if self.settings.ignore_end else vocabulary.ends)
        self._text = TextStream(vocabulary, () if request.anew else self.ids, self.settings.stop)
        self._on_token = request.on_token
        self._counting = bool(self.settings.presence_penalty or self.settings.frequency_penalty)
        self.counts: dict[int, int] = {}
        self.seen = set(self.ids) if self.settings.repetition_penalty != 1 else set()

    @cached_property
    def draws(self) -> Draws:
        """Numbers to draw tokens with."""
        return Draws(self.seed)

    @cached_property
    def bias(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and values of what is added to logits."""
        given = self.settings.logit_bias
        return np.fromiter(given, np.int64, len(given)), np.fromiter(given.values(), np.float32, len(given))

    def take(self, token: int, logprob: float | None = None, top: tuple[tuple[int, float], ...] = ()) -> bool:
        """Write one more token; True where the answer ends with it."""
        if self.finish is not None:
            return True
        if token in self._ends:
            self.end_logprob = logprob
            return self.end("stop")
        self.ids.append(token)
        text = self._text.push(token)
        if self._counting:
            self.counts[token] = self.counts.get(token, 0) + 1
        if self.seen:
            self.seen.add(token)
        complete = self.form is not None and self.form.take(token)
        self._give(Token(token, text, logprob, top))
        if self._text.stopped or complete:
            return self.end("stop")
        if len(self.ids) >= self.limit:
            return self.end("length")
        return self.finish is not None

    def end(self, finish: Finish) -> bool:
        """No more tokens come; what the text stream held back is shown with the last one."""
        if self.finish is None:
            rest = "" if self._text.stopped else self._text.finish()
            if rest and self.tokens:
                last = self.tokens[-1]
                self.tokens[-1] = Token(last.id, last.text + rest, last.logprob, last.top)
                self._show(Token(-1, rest))
            self.finish, self.total_s = finish, time.perf_counter() - self.begun
            self.ready.put(None)
        return True

    def fail(self, error: Exception) -> None:
        """End with an error, which whoever waits for the answer gets."""
        if self.finish is None:
            self.error, self.finish = error, "cancelled"
            self.ready.put(None)

    def _give(self, token: Token) -> None:
        if not self.tokens:
            self.first_s = time.perf_counter() - self.begun
        self.tokens.append(token)
        self._show(token)

    def _show(self, token: Token) -> None:
        self.ready.put(token)
        if self._on_token is not None:
            try:
                self._on_token(token)
            except Exception as error:  # the mistake of one request's callback is not the others'
                self._on_token = None
                self.fail(error)

    def completion(self) -> Completion:
        """The answer, once it has ended."""
        text = "".join(token.text for token in self.tokens)
        return Completion(
            text,
            tuple(self.tokens),
            self.finish or "cancelled",
            self.n_prompt,
            self.reused,
            self.seed,
            self.first_s,
            self.total_s,
            self.end_logprob,
        )

    def guess(self, most: int) -> list[int]:
        """Tokens that followed the same last tokens earlier, at most so many; none where there is no such place."""
        ids = self.ids
        for n in (3, 2):
            tail = ids[-n:]
            for place in range(len(ids) - n - 1, max(-1, len(ids) - n - 4096), -1):
                if ids[place] == tail[0] and ids[place : place + n] == tail:
                    return ids[place + n : place + n + most]
        return []


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts have in common at their beginning."""
    low, high = 0, min(len(first), len(second))
    if first[:high] == second[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low
