"""Answers of a wanted form: a regular expression or a JSON schema says at every step which tokens may follow."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honed.errors import GenerationError
from honed.generation.settings import Settings
from honed.networks.decoders.vocabulary import Vocabulary


class Form:
    """What an answer has to match, and how far it has come.

    Parameters
    ----------
    matcher : llguidance.LLMatcher
    """

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self, n_tokens: int) -> NDArray[np.bool_]:
        """Which of the tokens may follow, (n_tokens,)."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        found = np.zeros(n_tokens, dtype=bool)
        n = min(n_tokens, len(bits))
        found[:n] = bits[:n].astype(bool)
        return found

    def take(self, token: int) -> bool:
        """Go one token further; True where the answer is complete and nothing can follow."""
        self._matcher.consume_token(token)
        return bool(self._matcher.is_stopped())


class Forms:
    """Makes forms for one vocabulary.

    Parameters
    ----------
    vocabulary : Vocabulary
    n_tokens : int
        Number of logits.
    """

    def __init__(self, vocabulary: Vocabulary, n_tokens: int) -> None:
        self._vocabulary, self._n_tokens = vocabulary, n_tokens
        self._tokenizer: Any = None
        self._grammar = lru_cache(maxsize=64)(self._checked)

    def form(self, settings: Settings) -> Form:
        """The form that the settings ask for.

        Raises
        ------
        GenerationError [G004, G005]
            It cannot be understood; the package for it is missing.
        """
        import_library()
        from llguidance import LLMatcher

        schema = "" if settings.json_schema is None else json.dumps(settings.json_schema)
        return Form(LLMatcher(self._reading(), self._grammar(settings.regex, schema)))

    def _checked(self, regex: str, schema: str) -> str:
        from llguidance import LLMatcher

        try:
            if regex:
                grammar = LLMatcher.grammar_from_regex(regex)
            else:
                grammar = LLMatcher.grammar_from_json_schema(schema, {"whitespace_flexible": False})
            wrong = LLMatcher(self._reading(), grammar).get_error()
        except ValueError as error:
            wrong = str(error)
        if wrong:
            kind = "regular expression" if regex else "JSON schema"
            raise GenerationError("G004", f"The {kind} cannot be used: {wrong[:300]}", "Simplify it.")
        return str(grammar)

    def _reading(self) -> Any:
        if self._tokenizer is None:
            from llguidance import LLTokenizer

            ends = list(self._vocabulary.ends)
            self._tokenizer = LLTokenizer(
                self._vocabulary.core.to_str(), n_vocab=self._n_tokens, eos_token=ends or None
            )
        return self._tokenizer


def import_library() -> None:
    """Import llguidance.

    Raises
    ------
    GenerationError [G005]
        It is not installed.
    """
    try:
        import llguidance  # noqa: F401
    except ImportError as error:
        seen = "Answers of a wanted form need the package llguidance."
        raise GenerationError("G005", seen, "Install honed[forms].") from error
