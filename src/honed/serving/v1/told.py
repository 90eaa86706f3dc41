"""Texts as OpenAI's clients expect them: whole, or in chunks as they are written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from honed.serving.v1.asked import Asked

Part = dict[str, Any]


@dataclass
class Draft:
    """One text as far as it is written."""

    text: str = ""
    tokens: list[list[Any]] = field(default_factory=list)
    n_prompt: int = 0
    row: list[str] | None = None
    end: Part | None = None
    shown: int = 0
    """Letters that were told of before, for the places of tokens."""


class Told:
    """The texts of one request.

    Parameters
    ----------
    ident : str
        Of the request; the answer's id is made of it.
    model, version : str
    """

    def __init__(self, asked: Asked, ident: str, model: str, version: str) -> None:
        self.asked = asked
        kind = "chat.completion" if asked.chat else "text_completion"
        head = "chatcmpl-" if asked.chat else "cmpl-"
        self._facts = {
            "id": head + ident, "object": kind, "created": int(time.time()), "model": model,
            "system_fingerprint": f"honed-{version}",
        }  # fmt: skip
        self.drafts: list[Draft] = []
        self._opened: set[int] = set()
        self.restart()

    def restart(self) -> None:
        """Nothing is written yet."""
        self.drafts = [Draft() for _ in range(len(self.asked.prompts) * self.asked.n)]

    def take(self, place: int, part: Part) -> list[dict[str, Any]]:
        """Take in a part; the choices to tell of it at once."""
        draft = self.drafts[place]
        if "begun" in part:
            draft.n_prompt, draft.row = part["begun"]["n_prompt"], part["begun"]["row"]
            return self._opening(place)
        if "end" in part:
            draft.end = part["end"]
            return [self._choice(place, "", [], part["end"]["finish"])]
        new = "".join(token[0] for token in part["tokens"])
        draft.text += new
        real = [token for token in part["tokens"] if token[1] >= 0]
        draft.tokens += real
        return [self._choice(place, new, real)] if new or (self.asked.top is not None and real) else []

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """One event of a stream."""
        facts = {**self._facts, "object": "chat.completion.chunk"} if self.asked.chat else self._facts
        return {**facts, "choices": choices, **({"usage": None} if self.asked.usage else {})}

    def last(self) -> dict[str, Any]:
        """The event that tells what a stream took."""
        return {**self.chunk([]), "usage": self.usage()}

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        choices = []
        for place, draft in enumerate(self.drafts):
            finish = draft.end["finish"] if draft.end else None
            if self.asked.chat:
                message = {"role": "assistant", "content": draft.text, "refusal": None}
                one: dict[str, Any] = {"message": message}
            else:
                one = {"text": self._echo(place) + draft.text}
            draft.shown = 0
            choices.append(
                {"index": place, **one, "logprobs": self._logprobs(draft, draft.tokens), "finish_reason": finish}
            )
        return {**self._facts, "choices": choices, "usage": self.usage()}

    def usage(self) -> dict[str, Any]:
        """Tokens read, each prompt once, and written."""
        firsts = self.drafts[:: self.asked.n]
        read, known = sum(draft.n_prompt for draft in firsts), sum(_known(draft) for draft in firsts)
        written = sum(len(draft.tokens) for draft in self.drafts)
        return {
            "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
            "prompt_tokens_details": {"cached_tokens": known},
        }  # fmt: skip

    def _opening(self, place: int) -> list[dict[str, Any]]:
        """The first chunk of a text; none where its writing began anew."""
        if place in self._opened:
            return []
        self._opened.add(place)
        told: dict[str, Any] = {"text": self._echo(place)}
        if self.asked.chat:
            told = {"delta": {"role": "assistant", "content": ""}}
        return [{"index": place, **told, "logprobs": None, "finish_reason": None}]

    def _choice(self, place: int, text: str, tokens: list[list[Any]], finish: str | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {"text": text}
        if self.asked.chat:
            told = {"delta": {} if finish else {"content": text}}
        logprobs = None if finish else self._logprobs(self.drafts[place], tokens)
        return {"index": place, **told, "logprobs": logprobs, "finish_reason": finish}

    def _echo(self, place: int) -> str:
        prompt = self.asked.prompts[place // self.asked.n]
        return prompt if self.asked.echo and isinstance(prompt, str) else ""

    def _logprobs(self, draft: Draft, tokens: list[list[Any]]) -> dict[str, Any] | None:
        if self.asked.top is None:
            return None
        if self.asked.chat:
            content = [{**_one(token[2:5]), "top_logprobs": [_one(one) for one in token[5]]} for token in tokens]
            return {"content": content, "refusal": None}
        offsets = []
        for token in tokens:
            offsets.append(draft.shown)
            draft.shown += len(token[0])
        best = [{**{one[0]: one[2] for one in token[5]}, token[2]: token[4]} for token in tokens]
        return {
            "tokens": [token[2] for token in tokens], "token_logprobs": [token[4] for token in tokens], "top_logprobs": best,
            "text_offset": offsets,
        }  # fmt: skip


def _one(token: list[Any]) -> dict[str, Any]:
    return {"token": token[0], "logprob": token[2], "bytes": token[1]}


def _known(draft: Draft) -> int:
    return int(draft.end["n_reused"]) if draft.end else 0
