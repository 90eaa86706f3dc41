"""How large a decoder should be for the time there is: the stated rule.

The law of Hoffmann et al. (2022) says how low the loss gets with so many parameters and tokens; with the constants that
Muennighoff et al. (2023) fitted, and their rule for text that is read several times: the first four passes count nearly as
new text, later ones ever less. Parameters and tokens then share the computing time so that there are about twenty tokens to a
parameter, until the text runs out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from honed.networks.decoders.shape import Shape, gpt2

LEAST, OF_PARAMETERS, OF_TOKENS, POWER = 1.87, 521.0, 1488.0, 0.353
REPEATS, EXCESS = 15.387743, 5.309743
"""How many further passes, and how much larger a model than fits the text, count half and less."""
PER_PARAMETER = (OF_TOKENS / OF_PARAMETERS) ** (1 / POWER)
"""Tokens to a parameter at the optimum: 19.6."""
LADDER = (
    (48, 2), (64, 3), (96, 4), (128, 4), (192, 5), (256, 6), (320, 7), (384, 8), (512, 8), (640, 10), (768, 12), (1024, 16),
    (1280, 20), (1536, 24), (2048, 24),
)  # fmt: skip
"""Width and blocks of the sizes that come into question."""


def expected_loss(parameters: float, tokens: float, text: float) -> float:
    """Loss that the law expects of so many parameters and tokens read, from a text of so many tokens."""
    passes = max(0.0, tokens / text - 1)
    worth = min(tokens, text) + text * REPEATS * (1 - math.exp(-passes / REPEATS)) * (passes > 0)
    fitting = min(tokens, text) / PER_PARAMETER
    beyond = max(0.0, parameters / fitting - 1)
    size = min(parameters, fitting) + fitting * EXCESS * (1 - math.exp(-beyond / EXCESS))
    return LEAST + OF_PARAMETERS / size**POWER + OF_TOKENS / worth**POWER


def shape_of_size(kind: str, n_tokens: int, context: int, width: int, layers: int, heads: int = 0) -> Shape:
    """A decoder of this size: heads of 32 or 64, a feed-forward part that is gated for "llama"."""
    heads = heads or max(1, width // (32 if width < 384 else 64))
    if kind == "gpt2":
        return gpt2(n_tokens, context, width, layers, heads)
    hidden = 32 * max(1, round(width * 8 / 3 / 32))
    return Shape("llama", n_tokens, context, width, layers, heads, heads, width // heads, hidden)


def working_parameters(shape: Shape) -> int:
    """Parameters that every token is multiplied with: all but tables that are only looked up."""
    tables = shape.n_tokens * shape.width * (0 if shape.tied else 1) + (shape.context * shape.width) * (
        shape.places == "learned"
    )
    return shape.n_parameters - tables


def flops_per_token(shape: Shape) -> float:
    """Operations of training for one token: 6 for each working parameter, 12 x blocks x width x context for attention.

    Chowdhery et al., *PaLM*, 2022, appendix B; attention is counted as if no key were masked.
    """
    return 6.0 * working_parameters(shape) + 12.0 * shape.n_layers * shape.n_heads * shape.head_width * shape.context


@dataclass(frozen=True)
class Size:
    """A size that was timed, with what the time there is would make of it."""

    shape: Shape
    token_s: float
    tokens: float
    loss: float


def choose_size(
    shapes: Sequence[Shape],
    token_s: Callable[[Shape], float],
    seconds: float,
    text: int,
    most_tokens: float,
    may_go_on: Callable[[], bool],
) -> list[Size]:
    """Time sizes from the smallest on until the expected loss rises; the best is last but for what was tried after it.

    Parameters
    ----------
    token_s : callable
        Measures seconds a token of training with a shape.
    seconds : float
        Time for training.
    text, most_tokens : tokens of the text, and tokens that may be read at most
    may_go_on : callable
        False once enough time was spent on timing.
    """
    tried: list[Size] = []
    for shape in shapes:
        pace = token_s(shape)
        tokens = min(seconds / pace, most_tokens)
        tried.append(Size(shape, pace, tokens, expected_loss(working_parameters(shape), tokens, text)))
        worse = len(tried) > 1 and tried[-1].loss > tried[-2].loss
        if worse or not may_go_on():
            break
    return tried
