"""Weight averaging: points between the probe and the fine-tuned network (WiSE-FT), often better than either end."""

from __future__ import annotations

import copy
from typing import Any

from honed.files import read_json, write_json
from honed.networks.engine import NetworkPredictor, outputs_of
from honed.tasks.contract import Predictor
from honed.training.measure import utility
from honed.training.recipe import Recipe
from honed.training.session import Part, Session

SHARE = "soup.json"
SHARES = (0.4, 0.6, 0.8)
"""Shares of the fine-tuned weights that are tried; 1 is the fine-tuned network itself."""


class SoupRecipe(Recipe):
    """Average the weights of two rungs that were already climbed; the share is chosen on held-out rows."""

    name, title = "soup", "weights averaged between the probe and the fine-tuned network (WiSE-FT)"

    def __init__(self, lower: Predictor | None, upper: Predictor | None) -> None:
        self.lower, self.upper = lower, upper

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        if session.folds > 1:
            return "too few rows to choose a share on"
        if not isinstance(self.lower, NetworkPredictor) or not isinstance(self.upper, NetworkPredictor):
            return "there is no fine-tuned network to average with"
        return None

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        assert isinstance(self.lower, NetworkPredictor) and isinstance(self.upper, NetworkPredictor) and watch
        encoded = self.upper.network.encode(watch.inputs)
        best: tuple[tuple[float, float], Any, float] | None = None
        with session.progress.step("averaging weights", len(SHARES)) as step:
            for share in SHARES:
                network = average(self.lower.network, self.upper.network, share)
                outputs = outputs_of(network, encoded, precision=session.precision())
                worth = utility(session.task, session.problem, session.settings, outputs, watch.targets)
                if best is None or worth > best[0]:
                    best = worth, network, share
                step.advance()
        assert best is not None
        write_json(session.folder / SHARE, best[2])
        return NetworkPredictor(best[1])


def mixed(lower: Predictor, upper: Predictor, session: Session) -> Predictor:
    """Two new fits averaged with the share that the session's soup chose."""
    assert isinstance(lower, NetworkPredictor) and isinstance(upper, NetworkPredictor)
    return NetworkPredictor(average(lower.network, upper.network, float(read_json(session.folder / SHARE))))


def average(lower: Any, upper: Any, share: float) -> Any:
    """A copy of ``upper`` whose weights are ``share`` upper and the rest lower."""
    twin = copy.deepcopy(upper)
    below = lower.state_dict()
    weights = {
        name: value * share + below[name] * (1 - share) if value.is_floating_point() else value
        for name, value in upper.state_dict().items()
    }
    twin.load_state_dict(weights)
    return twin
