"""The loss of direct preference optimisation (DPO).

It is that of Rafailov et al., *Direct preference optimization*, 2023, with a share of the ordinary loss of the preferred texts,
without which both texts of a pair may become less likely together (Pang et al., *Iterative reasoning preference optimization*, 2024;
Razin et al., *Unintentional unalignment*, 2024).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

BETAS = (0.1, 0.03, 0.3)
"""How strongly a text is held to what it was before, the usual one first; chosen on held-out pairs."""
SHARE = 0.2
"""Weight of the ordinary loss of the preferred texts."""


def preference_loss(found: Tensor, reference: Tensor, beta: float, share: float = SHARE) -> Tensor:
    """Mean of -log sigmoid(beta x margin), and ``share`` of the loss a token of the preferred texts.

    Parameters
    ----------
    found : tensor (n, 4)
        As :meth:`~honed.tasks.contract.Task.pairs` gives it.
    reference : tensor (n, 2)
        The two log-probabilities before learning.
    """
    gains = found[:, :2] - reference
    margin = gains[:, 0] - gains[:, 1]
    return (-functional.logsigmoid(beta * margin) - share * found[:, 0] / found[:, 2]).mean()


class PairLoss:
    """What the training loop asks of a task: the loss, nothing else."""

    def __init__(self, beta: float, share: float = SHARE) -> None:
        self.beta, self.share = beta, share

    def loss(self, outputs: Tensor, targets: Tensor, problem: Any, settings: Any) -> dict[str, Tensor]:
        """See :func:`preference_loss`."""
        return {"loss": preference_loss(outputs, targets, self.beta, self.share)}
