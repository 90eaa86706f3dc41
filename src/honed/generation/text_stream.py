"""Tokens into text as they come: never half a character, and nothing that may belong to a stop text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from honed.networks.decoders.vocabulary import Vocabulary

HELD = 8
"""Tokens that are decoded together at least, where what a token shows depends on its neighbours."""


class TextStream:
    """The text of an answer, token by token.

    Parameters
    ----------
    vocabulary : Vocabulary
    before : sequence of int
        Tokens of the prompt: after some text the blank before a word is shown.
    stop : sequence of str
    """

    __slots__ = (
        "_bytes",
        "_decode",
        "_first",
        "_ids",
        "_pending",
        "_pieces",
        "_read",
        "_shown",
        "_stop",
        "_vocabulary",
        "stopped",
    )

    def __init__(self, vocabulary: Vocabulary, before: Sequence[int], stop: Sequence[str] = ()) -> None:
        self._vocabulary, self._pieces, self._stop = vocabulary, vocabulary.pieces, tuple(stop)
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._decode = self._bytes.decode
        self._pending = ""
        self.stopped = False
        self._first = vocabulary.strips_first and all(one in vocabulary.hidden for one in before)
        self._ids = [one for one in before[-HELD:] if one not in vocabulary.hidden]
        self._shown, self._read = 0, len(self._ids)

    def push(self, token: int) -> str:
        """What can be shown after one more token."""
        pieces = self._pieces
        if pieces is None:
            new = self._by_decoding(token)
        else:
            piece = pieces[token] if token < len(pieces) else b""
            new = self._decode(piece)
            if self._first and piece:
                new, self._first = new.removeprefix(" "), False
        return self._released(new) if self._stop else new

    def finish(self) -> str:
        """What was held back and belongs to the text; half a character at the end becomes one replacement sign."""
        new = self._new_text(len(self._ids)) if self._pieces is None else self._decode(b"", final=True)
        if not self._stop:
            return new
        shown = self._released(new)
        rest = "" if self.stopped else self._pending
        self._pending = ""
        return shown + rest

    def _released(self, new: str) -> str:
        text = self._pending + new
        found = min((place for stop in self._stop if (place := text.find(stop)) >= 0), default=-1)
        if found >= 0:
            self.stopped, self._pending = True, ""
            return text[:found]
        held = max(_overlap(text, stop) for stop in self._stop)
        self._pending = text[len(text) - held :]
        return text[: len(text) - held]

    def _by_decoding(self, token: int) -> str:
        self._ids.append(token)
        return self._new_text(len(self._ids), whole=True)

    def _new_text(self, end: int, whole: bool = False) -> str:
        """Text of tokens that is not shown yet; with ``whole`` nothing while it ends within a character."""
        before = self._vocabulary.decode(self._ids[self._shown : self._read])
        after = self._vocabulary.decode(self._ids[self._shown : end])
        if len(after) <= len(before) or (whole and after.endswith("�")):
            return ""
        self._shown, self._read = self._read, end
        return after[len(before) :]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of a text with which a stop text begins."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
