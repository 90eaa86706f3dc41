"""Requests that join and leave at every step, and what drives them: :class:`Generator`."""

from __future__ import annotations

from typing import Any

import numpy as np

from honed.generation.beginnings import FEWEST, Beginnings
from honed.generation.choosing import adjusted, chosen, log_shares
from honed.generation.engine import open_reader
from honed.generation.reader import Logits
from honed.generation.row import Row, shared
from honed.generation.stepped import Stepped
from honed.generation.weights import best_weights
from honed.networks.decoders.loading import Loaded

GUESSING_ROWS = 4
"""With more texts at a time no tokens are guessed: reading them together gains more."""


class Generator(Stepped):
    """Continues texts, many at a time; see :class:`~honed.generation.text_engine.TextEngine`.

    ``generate`` answers a list of prompts. A server calls ``submit`` from any thread and lets one thread ``step`` (or
    ``drive``); a :class:`~honed.generation.stream.Stream` gives tokens as they come and can be cancelled.

    Parameters
    ----------
    loaded : Loaded
        A decoder with its vocabulary, by :func:`~honed.networks.decoders.loading.load_decoder`.
    slots : int
        Texts at a time.
    context : int, optional
        Tokens of a text at most, prompt included; what the model reads by default.
    chunk : int
        Tokens of prompts read in one step, so that running answers do not wait for long prompts.
    engine : str
        "onnx", "torch", "transformers", or "auto" for the fastest that computes this model here.
    weights : str
        "float32"; "bfloat16" (torch), "int8" or "int4" (onnx); "auto" for the fastest that agrees with float32 here, found
        by :func:`~honed.generation.weights.try_weights`.
    kept_mib : float
        Memory for beginnings of texts that may come again.
    """

    def __init__(
        self, loaded: Loaded, *, slots: int = 16, context: int | None = None, chunk: int = 512, engine: str = "auto",
        weights: str = "float32", kept_mib: float = 64.0, threads: int | None = None,
    ) -> None:  # fmt: skip
        if weights == "auto":
            weights = best_weights(loaded, engine, threads)
        self.reader = open_reader(loaded, slots, context, engine, weights, threads)
        super().__init__(loaded.vocabulary, self.reader.n_tokens, self.reader.context)
        self.name = self.reader.name
        self._chunk = max(1, chunk)
        self._beginnings = Beginnings(int(kept_mib * 2**20))
        self._rows: list[Row] = []
        self._partial: Row | None = None
        self._next = np.zeros(slots, np.int64)
        self._places = np.zeros(slots, np.int64)

    def _held(self) -> list[Row]:
        return self._rows if self._partial is None else [*self._rows, self._partial]

    def _once(self) -> None:
        """Read a piece of waiting prompts and write one token of every running text."""
        self._admit()
        if self._rows:
            self._advance()
        for slot in reversed(range(len(self._rows))):  # those that a callback cancelled
            if self._rows[slot].finish is not None:
                self._remove(slot)

    def _release(self, row: Row) -> None:
        """Free the slot of a request that has ended."""
        if row is self._partial:
            self._partial = None
        elif row in self._rows:
            self._remove(self._rows.index(row))

    def _clear(self) -> None:
        """The slots are empty afterwards."""
        self._rows.clear()
        self._partial = None

    def _admit(self) -> None:
        """Read prompts, the first that came first, up to a chunk of tokens; whole ones get their first token."""
        left = self._chunk
        while left > 0:
            if self._partial is not None and self._partial.finish is not None:
                self._partial = None
            if self._partial is None and self.reader.together and (read := self._read_together(left)):
                left -= read
                continue
            row = self._partial or self._begun()
            if row is None:
                return
            slot, end = len(self._rows), min(row.n_prompt, row.done + left)
            logits = self.reader.read(slot, row.ids[row.done : end], row.done)
            left -= end - row.done
            row.done = end
            if end < row.n_prompt:
                self._partial = row
                return
            self._partial = None
            self._rows.append(row)
            self._places[slot] = row.done
            self._write(logits, [row], slot)

    def _read_together(self, left: int) -> int:
        """Read several whole prompts of which nothing is known in one pass; gives how many tokens that were, 0 where it is one at most."""
        rows, longest, first = list[Row](), 0, len(self._rows)
        while self._waiting and first + len(rows) < self.reader.slots:
            row = self._waiting[0]
            longer = max(longest, row.n_prompt)
            fits = (len(rows) + 1) * longer <= min(left, self.reader.together)
            if row.finish is not None or not fits or self._known(row)[0] >= FEWEST:
                break
            longest = longer
            rows.append(self._waiting.popleft())
        if len(rows) < 2:
            self._waiting.extendleft(rows)
            return 0
        logits = self.reader.read_together(first, [row.ids for row in rows])
        for row in rows:
            row.done = row.n_prompt
        self._rows += rows
        self._places[first : first + len(rows)] = [row.done for row in rows]
        self._write(logits, rows, first)
        return longest * len(rows)

    def _begun(self) -> Row | None:
        """The next waiting row, with what is known of its beginning put into the next slot."""
        while self._waiting and self._waiting[0].finish is not None:
            self._waiting.popleft()
        if not self._waiting or len(self._rows) == self.reader.slots:
            return None
        row = self._waiting.popleft()
        if self.reader.keeps:
            self._reuse(row, len(self._rows))
        return row

    def _reuse(self, row: Row, slot: int) -> None:
        n, live, kept = self._known(row)
        if n < FEWEST:
            return
        if live is not None:
            self.reader.copy(live, slot, n)
        else:
            self.reader.restore(slot, kept, n)
        row.done = row.reused = n

    def _known(self, row: Row) -> tuple[int, int | None, Any]:
        """Tokens of its beginning that were read before; the slot that holds them, or what was kept of them."""
        kept_n, kept = self._beginnings.find(row.ids) if len(self._beginnings) else (0, None)
        best, live_n = 0, 0
        for place, other in enumerate(self._rows):
            n = min(shared(row.ids, other.ids), other.done)
            if n > live_n:
                best, live_n = place, n
        return min(max(kept_n, live_n), row.n_prompt - 1), best if live_n >= kept_n else None, kept

    def _advance(self) -> None:
        rows = self._rows
        if len(rows) <= GUESSING_ROWS and self.reader.rewinds and any(row.settings.look_up for row in rows):
            if self._advance_guessing():
                return
            rows = self._rows
        n = len(rows)
        given = self._next[:n], self._places[:n]
        chooses = self.reader.chooses and all(row.likeliest for row in rows)
        found: Any = self.reader.likeliest(*given) if chooses else self.reader.step(*given)
        for row in rows:
            row.done += 1
        self._places[:n] += 1
        if chooses:
            ids, logs = (one.tolist() for one in found)
            ended = [row.take(token, log if row.raw else None) for row, token, log in zip(rows, ids, logs, strict=True)]
            self._put(0, ids, ended)
        else:
            self._write(found, rows, 0)

    def _write(self, logits: Logits, rows: list[Row], first: int) -> None:
        """Choose the next token of rows that stand in slots from ``first`` on, and take out those that end."""
        if all(row.plain for row in rows):
            ids: list[int] = logits.argmax(axis=1).tolist()
            ended = [row.take(token) for row, token in zip(rows, ids, strict=True)]
        else:
            ids = chosen(adjusted(logits, rows), rows)
            ended = [_taken(row, token, one) for row, token, one in zip(rows, ids, logits, strict=True)]
        self._put(first, ids, ended)

    def _put(self, first: int, ids: list[int], ended: list[bool]) -> None:
        """Tokens that come next in slots from ``first`` on; those that ended are taken out."""
        self._next[first : first + len(ids)] = ids
        for place in reversed(range(len(ended))):
            if ended[place]:
                self._remove(first + place)

    def _advance_guessing(self) -> bool:
        """One pass for each row over guessed tokens, as far as they are what the model writes; False where none were guessed."""
        guesses = [self._guess(row) for row in self._rows]
        if not any(guesses):
            return False
        ended = []
        for slot, (row, guess) in enumerate(zip(self._rows, guesses, strict=True)):
            logits = self.reader.read(slot, [int(self._next[slot]), *guess], row.done, every=True)
            for place, wanted in enumerate([*guess, None]):
                one = logits[place : place + 1]
                token = chosen(one if row.plain else adjusted(one, [row]), [row])[0]
                row.done += 1
                self._next[slot], self._places[slot] = token, row.done
                if _taken(row, token, logits[place]):
                    ended.append(slot)
                    break
                if token != wanted:
                    break
        for slot in reversed(ended):
            self._remove(slot)
        return True

    def _guess(self, row: Row) -> list[int]:
        most = min(row.settings.look_up, row.limit - len(row.ids) - 1, self.reader.context - row.done - 2)
        return row.guess(most) if most > 0 and row.settings.temperature == 0 and row.form is None else []

    def _remove(self, slot: int) -> None:
        """Free a slot: what was read is kept for texts that begin alike, the last text moves into the gap."""
        row, reader = self._rows[slot], self.reader
        known = row.ids[: row.done]
        if reader.keeps and self._beginnings.most_bytes and self._beginnings.wants(known):
            self._beginnings.keep(known, reader.kept(slot, len(known)))
        last = len(self._rows) - 1
        if slot != last:
            moved = self._rows[last]
            reader.copy(last, slot, moved.done)
            self._rows[slot] = moved
            self._next[slot], self._places[slot] = self._next[last], self._places[last]
        self._rows.pop()
        if self._partial is not None:
            reader.copy(last + 1, last, self._partial.done)


def _taken(row: Row, token: int, logits: Any) -> bool:
    """Write a token, with its probability where that is wanted."""
    if row.raw:
        return row.take(token, *log_shares(logits, token, row.settings.logprobs or 0))
    return row.take(token)
