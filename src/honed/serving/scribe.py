"""The part of a worker that writes texts: many at a time, each told token by token as it comes.

One thread makes prompts of requests, another drives the engine and owns it, so that nobody waits for a lock. What a step
wrote for all texts goes to the parent in one message, ``{"written": [[number, part], ...], "running": n, "waiting": n}``.
The parts of a text are, in this order: ``{"begun": {...}}``, any number of ``{"tokens": [...]}`` and ``{"end": {...}}``; or
``{"error": {...}}`` at any place, after which nothing comes.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache, partial
from queue import Empty, SimpleQueue
from typing import Any

from honed.errors import GenerationError, HonedError, ServeError
from honed.generation.asking import Asking, Prompt
from honed.generation.settings import Request, Settings, Token
from honed.generation.stream import Stream
from honed.generation.text_engine import TextEngine
from honed.resources import return_freed_memory

Part = dict[str, Any]
TIDY_EVERY_S = 5.0
LONG = 32
"""Letters that a token stands for at least, when a prompt is looked at before it is cut into tokens."""
WAKE = -1
"""Stands for no text: another thread of this process has sent the engine a request."""


@dataclass
class Text:
    """One text that is being written."""

    stream: Stream | None = None
    new: list[list[Any]] = field(default_factory=list)


class Scribe:
    """Writes what the parent asks for.

    Parameters
    ----------
    asking : Asking
    send : callable (dict)
        Sends a message to the parent; safe from any thread.
    writing : TextEngine
        What computes; other threads may ask it too.
    """

    def __init__(self, asking: Asking, send: Callable[[dict[str, Any]], None], writing: TextEngine) -> None:
        self._asking, self._send, self._writing = asking, send, writing
        self._writing.generate([[0]], Settings(max_tokens=2, ignore_end=True))  # warm
        self._asked: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._ready: SimpleQueue[tuple[int, Request | None, Part]] = SimpleQueue()
        self._texts: dict[int, Text] = {}
        self._spelled = lru_cache(maxsize=4096)(self._spelling)
        self._tidied = time.monotonic()

    @property
    def engine(self) -> str:
        """What computes."""
        return self._writing.name

    @property
    def facts(self) -> dict[str, Any]:
        """What may be asked, as plain JSON types."""
        manner = asdict(self._asking.manner)
        return {**manner, "columns": list(manner["columns"]), "context": self._writing.context}

    def start(self) -> None:
        """Begin to work."""
        for work in (self._prepare, self._drive):
            threading.Thread(target=work, daemon=True).start()

    def put(self, message: dict[str, Any]) -> None:
        """Take a message: ``{"do": "write", "id": n, ...}`` or ``{"do": "cancel", "id": n}``, answered in their order."""
        self._asked.put(message)

    # --- the thread that makes prompts -----------------------------------------------------------------------------
    def _prepare(self) -> None:
        while True:
            message = self._asked.get()
            number = message["id"]
            if message["do"] == "cancel":
                self._ready.put((number, None, {}))
                continue
            try:
                prompt, settings = self._prompt(message)
                row = None if prompt.row is None else list(prompt.row)
                request = Request(prompt.ids, settings, partial(self._heard, number), prompt.anew)
                self._ready.put((number, request, {"begun": {"n_prompt": len(prompt.ids), "row": row}}))
            except Exception as error:
                self._ready.put((number, None, {"error": _told(error)}))

    def _prompt(self, message: dict[str, Any]) -> tuple[Prompt, Settings]:
        given, fields = message["prompt"], dict(message["settings"])
        self._check_length(given)
        if isinstance(given, str):
            prompt = self._asking.text(given)
        elif given and isinstance(given[0], dict):
            prompt = self._asking.chat(given)
        else:
            prompt = Prompt(given)
        context, n = self._writing.context, len(prompt.ids)
        most = fields.pop("max_tokens")
        if n >= context or (message["strict"] and n + most > context):
            asked = f" and the answer {most:,}" if message["strict"] and n < context else ""
            seen = f"The prompt has {n:,} tokens{asked}; together at most {context:,} fit."
            raise GenerationError("G002", seen, "Shorten the prompt, or ask for a shorter answer.")
        fields["logit_bias"] = {int(key): value for key, value in fields.get("logit_bias", {}).items()}
        settings = Settings(**fields, max_tokens=most or context - n)
        self._writing.check_form(settings)
        return prompt, settings

    def _check_length(self, given: Any) -> None:
        """Refuse what is far too long before time is spent on its tokens."""
        texts = [given] if isinstance(given, str) else [one["content"] for one in given if isinstance(one, dict)]
        letters, context = sum(map(len, texts)), self._writing.context
        if letters > context * self._longest:
            seen = f"The prompt has {letters:,} letters, more than {context:,} tokens can hold."
            raise GenerationError("G002", seen, "Shorten the prompt.")

    @cached_property
    def _longest(self) -> int:
        """Letters that a token may stand for."""
        pieces = self._asking.loaded.vocabulary.pieces or []
        return max(LONG, *map(len, pieces)) if pieces else 1000

    # --- the thread that drives ------------------------------------------------------------------------------------
    def _drive(self) -> None:
        self._writing.driven_by(lambda: self._ready.put((WAKE, None, {})))
        busy = False
        while True:
            parts = self._taken(wait=not busy)
            try:
                busy = self._writing.step()
            except Exception as error:
                print(f"honed worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                busy = False
            for number in list(self._texts):
                parts += self._progress(number)
            if parts:
                running, waiting = self._writing.n_running, self._writing.n_waiting
                self._send({"id": -1, "written": parts, "running": running, "waiting": waiting})
            if not busy and time.monotonic() - self._tidied > TIDY_EVERY_S:
                return_freed_memory()
                self._tidied = time.monotonic()

    def _taken(self, *, wait: bool) -> list[tuple[int, Part]]:
        """Begin and end what was asked for; without anything to do wait for it."""
        parts: list[tuple[int, Part]] = []
        try:
            while True:
                number, request, part = self._ready.get(block=wait and not parts)
                if number == WAKE:
                    return parts
                wait = False
                if request is not None:
                    self._texts[number] = text = Text()
                    try:
                        text.stream = self._writing.submit(request)
                    except Exception as error:
                        del self._texts[number]
                        part = {"error": _told(error)}
                elif not part:
                    self._cancel(number)
                    part = {"cancelled": True}
                parts.append((number, part))
        except Empty:
            return parts

    def _cancel(self, number: int) -> None:
        text = self._texts.pop(number, None)
        if text is not None and text.stream is not None:
            text.stream.cancel()

    def _heard(self, number: int, token: Token) -> None:
        """Called by the engine with every token."""
        text = self._texts.get(number)
        if text is None:
            return
        if token.logprob is None:
            text.new.append([token.text, token.id])
        else:
            top = [[*self._spelled(one), value] for one, value in token.top]
            text.new.append([token.text, token.id, *self._spelled(token.id), token.logprob, top])

    def _progress(self, number: int) -> list[tuple[int, Part]]:
        """What is new of a text, and how it ended."""
        text, parts = self._texts[number], []
        if text.new:
            parts.append((number, {"tokens": text.new}))
            text.new = []
        if text.stream is not None and text.stream.finished:
            del self._texts[number]
            parts.append((number, _end(text.stream)))
        return parts

    def _spelling(self, token: int) -> tuple[str, list[int]]:
        """A token as a text, and its bytes."""
        vocabulary = self._asking.loaded.vocabulary
        pieces = vocabulary.pieces
        raw = pieces[token] if pieces is not None and token < len(pieces) else vocabulary.decode([token]).encode()
        raw = raw or str(vocabulary.core.id_to_token(token) or "").encode()
        try:
            return raw.decode(), list(raw)
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw), list(raw)


def _end(stream: Stream) -> Part:
    try:
        found = stream.result()
    except Exception as error:
        return {"error": _told(error)}
    return {"end": {"finish": found.finish, "n": len(found.tokens), "n_reused": found.n_reused, "seed": found.seed}}


def _told(error: Exception) -> dict[str, Any]:
    if isinstance(error, HonedError):
        return error.as_dict()
    print(f"honed worker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    seen = f"The model failed while it wrote ({type(error).__name__})."
    return ServeError("H015", seen, "The server's log has more.").as_dict()
