"""A decoder with its tokenizer, ready to judge texts, and how much of that a machine can afford."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.generation.at_hand import continued
from honed.generation.settings import Settings
from honed.likelihood.tokens import Passage, Scored, score
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.vocabulary import Vocabulary
from honed.tasks.answers import Array

OPERATIONS = 5e12
"""Operations that one question may cost: about a minute on two cores, more only for decoders of a thousand million parameters."""
FEWEST_TOKENS, MOST_TOKENS = 4_000, 400_000


@dataclass(frozen=True)
class Scorer:
    """A decoder in hand.

    Parameters
    ----------
    loaded : Loaded
    """

    loaded: Loaded

    @property
    def network(self) -> Any:
        """Any decoder; see :class:`~honed.networks.decoders.any_decoder.AnyDecoder`."""
        return self.loaded.network

    @property
    def vocabulary(self) -> Vocabulary:
        """Its tokenizer."""
        return self.loaded.vocabulary

    @property
    def context(self) -> int:
        """Tokens it reads at most."""
        return self.loaded.context

    @property
    def stride(self) -> int:
        """New tokens in each window of a long text."""
        return max(1, self.context // 2)

    @property
    def begin(self) -> list[int]:
        """What stands before a text: the token that begins one, else the one that ends one, else nothing."""
        if self.vocabulary.begin is not None:
            return [self.vocabulary.begin]
        return list(self.vocabulary.ends[:1])

    def tokens_within(self, share: float = 1.0) -> int:
        """Tokens that may be judged for one question; ``share`` of the usual cost."""
        n = sum(parameter.numel() for parameter in self.network.parameters())
        most = min(MOST_TOKENS, max(FEWEST_TOKENS, int(OPERATIONS / (2 * max(1, n)))))
        return max(1, int(share * most))

    def passage(self, text: str, before: Sequence[int] | None = None) -> Passage:
        """The tokens of a text, after ``before`` or what begins a text; where nothing does, its first token is only read."""
        tokens = self.vocabulary.encode(text, special=False)
        head = list(self.begin if before is None else before)
        return Passage(head, tokens) if head else Passage(tokens[:1], tokens[1:])

    def score(self, passages: Sequence[Passage], advance: Callable[[int], None] | None = None) -> list[Scored]:
        """The likelihood of the tokens of every passage."""
        return score(self.network, passages, self.context, stride=self.stride, advance=advance)

    def written(self, prompts: Sequence[Sequence[int]], most: int, *, seed: int | None = None) -> list[list[int]]:
        """Tokens after each prompt, up to the end of a text: the likeliest, or drawn as the decoder says where there is a seed."""
        wanted = Settings(max_tokens=most, temperature=0.0 if seed is None else 1.0, seed=seed)
        return [one.ids for one in continued(self.loaded, prompts, wanted)]

    def pair(self, before: str, after: str) -> Passage:
        """Two texts in a row as they are cut into tokens together; blanks between them go to the second.

        The tokens read are those of the first text alone; what the whole has beyond their number is judged. So does
        EleutherAI's evaluation harness.
        """
        plain = before.rstrip()
        after, before = before[len(plain) :] + after, plain
        if not before:
            return self.passage(after)
        special = self.vocabulary.encode(before, special=True)
        whole = self.vocabulary.encode(before + after, special=True)
        rest = whole[len(special) :]
        return Passage(special, rest or self.vocabulary.encode(after, special=False))


def ends_in_bytes(vocabulary: Vocabulary, text: str) -> tuple[list[int], Array]:
    """Tokens of a text, and for each how many bytes of the text (UTF-8) end with it; they add up to all."""
    found = vocabulary.core.encode(text, add_special_tokens=False)
    sizes = np.cumsum([0, *(len(letter.encode("utf-8", "surrogatepass")) for letter in text)])
    ends = np.array([end for _, end in found.offsets], dtype=np.int64)
    places = np.maximum.accumulate(sizes[np.clip(ends, 0, len(text))]) if len(ends) else np.zeros(0, dtype=np.int64)
    if len(places):
        places[-1] = sizes[-1]
    return found.ids, np.diff(places, prepend=0)
