"""How likely given texts are after a prompt, on vLLM: every beginning that they share is asked once for what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from honed.generation.likelihood import Tokens
from honed.generation.vllm_engine import VllmEngine


class VllmLikelihood:
    """Log-probabilities of continuations; see :class:`~honed.generation.likelihood.Likelihood`.

    The prompt is asked first, so that vLLM has it ready for what begins with it.

    Parameters
    ----------
    engine : VllmEngine
        It may write texts at the same time.
    """

    def __init__(self, engine: Any) -> None:
        self._engine: VllmEngine = engine

    def after(self, prompt: Tokens, continuations: Sequence[Tokens]) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each continuation, (n,); none may be empty, nor the prompt."""
        children: dict[tuple[int, ...], set[int]] = {}
        for one in continuations:
            for place, token in enumerate(one):
                children.setdefault(tuple(one[:place]), set()).add(token)
        logs = self._engine.logs_after([prompt], [sorted(children.pop(()))])
        below = list(children)
        logs += self._engine.logs_after([[*prompt, *one] for one in below], [sorted(children[one]) for one in below])
        found = dict(zip([(), *below], logs, strict=True))
        return np.array(
            [sum(found[tuple(one[:place])][token] for place, token in enumerate(one)) for one in continuations]
        )
