"""The last fit: what was chosen learns from the rows it was chosen on as well."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from honed.networks.engine import NetworkPredictor
from honed.tasks.contract import Predictor
from honed.training.candidate import Candidate
from honed.training.finetune import FineTuneRecipe, freeze_embeddings, kept_plan, train_all
from honed.training.ladder import Ladder, recipes
from honed.training.loop import Plan
from honed.training.measure import utility
from honed.training.session import Part, Session, joined
from honed.training.soup import mixed
from honed.training.time_limit import OutOfTimeError

AGAIN_SECONDS = 60.0
"""What took at most so long the first time is fitted again on all rows."""
MANY_HELD = 0.2
"""A network that took longer goes on with all rows where so many of them were held out."""
MORE_EPOCHS, SLOWER = 0.3, 0.3
"""How long and how fast it goes on, as shares of the epochs and of the rates that it was trained with."""


def fit_on_all(session: Session, ladder: Ladder) -> Predictor | None:
    """The method that won, fitted on training and validation rows together; None where that is not worth it.

    What is quick is fitted again; of an average of two, the part that is, the other kept. A network that took longer goes on
    from where it is, where many rows were held out. The new fit is kept only if it does at least as well on the validation
    rows, which it has now seen, as the old one did when it had not.
    """
    best = ladder.best
    assert best is not None
    if session.folds > 1:
        return None
    everything = joined(session.train, session.validation)
    parts = {"soup": ("probe", "fine-tune")}.get(best.name, (best.name,))
    again = _affordable(session, ladder, parts)
    if again:
        try:
            predictor, told = _again(session, ladder, parts, again, everything)
        except OutOfTimeError:
            return None
    else:
        plan = _plan_of_more(session, best, everything)
        if plan is None:
            return None
        predictor, told = _gone_on(session, best, everything, plan)
    if session.time_left() <= 0:  # it was cut short, which rows that it has seen cannot tell
        return None
    outputs = predictor.outputs(session.validation.inputs)
    if utility(session.task, session.problem, session.settings, outputs, session.validation.targets) < best.utility:
        return None
    session.choose("final fit", "training and validation rows", "chosen", told)
    return predictor


def _again(
    session: Session, ladder: Ladder, parts: tuple[str, ...], again: list[str], everything: Part
) -> tuple[Predictor, str]:
    known = {recipe.name: recipe for recipe in recipes(session, ladder)}
    fitted = [
        known[name].fit(session, everything, None, "all rows") if name in again else ladder.candidates[name].predictor
        for name in parts
    ]
    what = "the method that won" if len(again) == len(parts) else f"the part of it that is quick to fit ({again[0]})"
    predictor = fitted[0] if len(fitted) == 1 else mixed(fitted[0], fitted[1], session)
    return predictor, f"{what}, fitted again on all of them"


def _affordable(session: Session, ladder: Ladder, parts: tuple[str, ...]) -> list[str]:
    """Parts that are fitted again, the cheapest first, within the time there is."""
    left, again = min(AGAIN_SECONDS, session.time_left()), []
    for name in sorted(parts, key=lambda part: ladder.candidates[part].seconds):
        left -= ladder.candidates[name].seconds
        if left >= 0:
            again.append(name)
    return again


def _plan_of_more(session: Session, best: Candidate, everything: Part) -> Plan | None:
    """How a network goes on; None where few rows were held out, time is short, or it was another method that won."""
    plan, many = kept_plan(session), len(session.validation) >= MANY_HELD * len(everything)
    if plan is None or not many or best.name != FineTuneRecipe.name or session.remember("lora", lambda: False):
        return None
    if session.time_left() < MORE_EPOCHS * best.seconds * len(everything) / len(session.train):
        return None
    return dataclasses.replace(
        plan,
        epochs=max(1, round(MORE_EPOCHS * plan.epochs)),
        steps=None if plan.steps is None else round(MORE_EPOCHS * plan.steps * len(everything) / len(session.train)),
        learning_rate=SLOWER * plan.learning_rate,
        head_rate=SLOWER * plan.head_rate,
        average=0.0,
    )


def _gone_on(session: Session, best: Candidate, everything: Part, plan: Plan) -> tuple[Predictor, str]:
    """A copy of the network that won, trained for some epochs more at lower rates, with the rows that were held out too."""
    won: Any = best.predictor
    network = copy.deepcopy(session.frozen_network())  # as it is for training; what was packaged may lack that
    network.load_state_dict(won.network.state_dict())
    if not session.config.training.train_embeddings:
        freeze_embeddings(network)
    if plan.way:
        network.take_way(plan.way)
    encoded = network.encode(everything.inputs)
    train_all(session, network, encoded, everything.targets, plan, "going on with all rows", "all-rows")
    return NetworkPredictor(network.eval()), f"{plan.epochs} epochs more, at lower rates, with all of them"
