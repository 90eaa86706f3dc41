"""Fine-tuning that starts from the probe (LP-FT): the head is right before the encoder moves, so little is forgotten."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from honed.files import read_json, whole_file, write_json
from honed.networks.engine import NetworkPredictor, outputs_of
from honed.networks.learning import learning, usual_epochs
from honed.networks.lora import linear_layers, merge, wrap
from honed.tasks.contract import Array, Predictor
from honed.training import memory
from honed.training.checkpoint import has_checkpoint, restore
from honed.training.loop import Judge, Plan, Trace, n_steps, train
from honed.training.measure import utility
from honed.training.pace import in_time, spare_steps
from honed.training.recipe import Recipe, probe_head, put_head, with_head
from honed.training.rehearsal import rehearse_once
from honed.training.session import Part, Session
from honed.training.ways import TRIAL, best_way

MODEL_IS_LARGE = 200_000_000
"""Above so many parameters, low-rank adapters train instead of all weights."""
LEARNING_RATE, LORA_RATE, HEAD_RATE = 1e-4, 1e-3, 1e-4
"""Highest rates for batches of ``BATCH`` examples; larger batches learn faster by the square root of their size."""
BATCH, MANY_ROWS = 32, 4000
"""Examples in one optimizer step; twice as many with so many training rows that steps are plenty."""
FACTORS = (1.0, 0.5, 2.0, 0.25, 0.7, 1.4)
"""Learning rates that start the race, as multiples of the default, the strongest default first."""
RACE_ROWS = 1000
"""Rows each starter of the race trains on, in one short schedule of its own."""
NEAR_PERFECT = 0.998
AVERAGE, AVERAGED = 0.1, "average.json"
"""Share of all steps that a moving average of the weights looks back; file that says whether it was the better network."""
PLAN = Path("checkpoint") / "plan.json"
HELD_OUT = "held-out"
"""Tag of the fit whose rows leave out the validation rows."""


class FineTuneRecipe(Recipe):
    """Train the whole network (or adapters) from the probe's head; the best epoch on held-out rows is kept."""

    name, title = "fine-tune", "fine-tuning that starts from the probe (LP-FT)"

    def __init__(self, starts_from_head: bool = True) -> None:
        if not starts_from_head:
            self.title = "fine-tuning that starts from the base"

    def skip_reason(self, session: Session, best: float | None) -> str | None:
        return nothing_to_gain(session, best)

    def fit(self, session: Session, part: Part, watch: Part | None, tag: str) -> Predictor:
        head = probe_head(session, part)
        network = with_head(session.frozen_network(), head)
        if not session.config.training.train_embeddings:
            freeze_embeddings(network)
        encoded = network.encode(part.inputs)
        kept = kept_plan(session)
        plan = kept or self._plan(session, network, encoded, part, head, watch)
        if plan.way:
            network.take_way(plan.way)
        if session.remember("lora", lambda: False):
            network = _with_adapters(session, network, head)
        if kept is None:
            plan = in_time(session, network, encoded, part.targets, plan, len(watch or ()))
            _keep_plan(session, plan)
        if watch is None and not _averaged(session):
            plan = dataclasses.replace(plan, average=0.0)
        judge = _judge(session, network, watch) if watch else None
        name = f"{self.name}-{tag}"
        if not has_checkpoint(session.folder / "checkpoint" / name):
            with learning(network, encoded, session.config.training.dropout):
                rehearse_once(session, network, encoded, part.targets, plan)
        trace = train_all(session, network, encoded, part.targets, plan, f"{self.title} ({tag})", name, judge)
        if trace.best_weights is not None:
            restore(network, trace.best_weights)
        if tag == HELD_OUT and plan.average:
            _tell_average(session, trace)
        if tag == HELD_OUT and not session.remember("lora", lambda: False):
            _keep_for_eject(session.folder, head, plan, trace.losses)
        return NetworkPredictor(_merged(session, network))

    def _plan(
        self, session: Session, network: Any, encoded: list[Any], part: Part, head: dict[str, Array], watch: Part | None
    ) -> Plan:
        plan, room = first_plan(session, network, encoded)
        session.remember("lora", lambda: room.lora)
        session.remember("bits", lambda: room.bits)
        if room.lora:
            return plan

        spare = spare_steps(session, network, encoded, part.targets, plan)
        starters = session.config.training.race if session.task.facts.race else 1
        chosen = session.config.training.learning_rate == 0
        if starters > 1 and chosen and spare > starters * n_steps(_short(plan), min(RACE_ROWS, len(part))):
            plan = race(session, network, encoded, part, plan)
            spare = spare_steps(session, network, encoded, part.targets, plan)
        if watch and getattr(network, "ways", None) and spare > 2 * TRIAL * n_steps(plan, len(part)):
            plan = dataclasses.replace(plan, way=_best_way(session, head, encoded, part, watch, plan))
        return plan


def train_all(
    session: Session,
    network: Any,
    encoded: list[Any],
    targets: Array,
    plan: Plan,
    title: str,
    name: str,
    judge: Judge | None = None,
) -> Trace:
    """The whole of a plan, shown as ``title``; the checkpoint ``name`` is kept, and gone on from, in the folder of the run."""
    total = n_steps(plan, len(encoded))
    dropout = session.config.training.dropout
    with session.progress.step(title, total) as step, learning(network, encoded, dropout):
        return train(
            network,
            encoded,
            targets,
            session.task,
            session.problem,
            session.settings,
            plan,
            judge=judge,
            checkpoint=session.folder / "checkpoint" / name,
            deadline=session.deadline,
            step=step,
        )


def kept_plan(session: Session) -> Plan | None:
    """The plan of this run, once there is one; whether it has adapters and few bits is remembered too."""
    if not (session.folder / PLAN).exists():
        return None
    facts = read_json(session.folder / PLAN)
    lora, bits = facts.pop("lora"), facts.pop("bits", 0)
    session.remember("lora", lambda: lora)
    session.remember("bits", lambda: bits)
    return Plan(**facts)


def _keep_plan(session: Session, plan: Plan) -> None:
    lora, bits = session.remember("lora", lambda: False), session.remember("bits", lambda: 0)
    write_json(session.folder / PLAN, {**dataclasses.asdict(plan), "lora": lora, "bits": bits})


def nothing_to_gain(session: Session, best: float | None) -> str | None:
    """Why no dearer method is worth its time: a cheaper one is near perfect already; None where it is not."""
    share = session.task.metrics(session.problem)[0].range == (0.0, 1.0)
    return "nothing is left to gain" if share and best is not None and best >= NEAR_PERFECT else None


def _keep_for_eject(folder: Path, head: dict[str, Array], plan: Plan, losses: list[float]) -> None:
    """What a script needs to repeat this training, and the losses it must then have."""
    with whole_file(folder / "head.npz") as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = head
        np.savez(stream, **arrays)
    write_json(folder / "plan.json", dataclasses.asdict(plan))
    write_json(folder / "losses.json", losses)


def _averaged(session: Session) -> bool:
    """Whether the moving average was the better network on held-out rows; a fit without such rows follows that."""
    kept = session.folder / AVERAGED
    return kept.exists() and bool(read_json(kept))


def _tell_average(session: Session, trace: Trace) -> None:
    write_json(session.folder / AVERAGED, trace.averaged)
    kept = "their moving average" if trace.averaged else "as they were learnt"
    session.choose("final weights", kept, "chosen", f"the better on held-out rows (epoch {trace.best_epoch + 1})")


def freeze_embeddings(network: Any) -> None:
    """Keep the table of word vectors as it is: large, and rows of words that never come would only decay."""
    for name, parameter in network.backbone.named_parameters():
        if "embedding" in name:
            parameter.requires_grad = False


def _with_adapters(session: Session, network: Any, head: dict[str, Array]) -> Any:
    """The network with adapters; where its weights are held in few bits, nothing else keeps them whole meanwhile."""
    bits = session.remember("bits", lambda: 0)
    if bits:
        session.forget("frozen network")
        network.to("meta")  # frees its weights, whoever else still holds it
        network = put_head(session.fresh_network(), head)
    wrap(network, everywhere=bits > 0, bits=bits, seed=session.seed)
    return network


def _merged(session: Session, network: Any) -> Any:
    if session.remember("lora", lambda: False):
        merge(network)
    return network.eval()


def first_plan(session: Session, network: Any, encoded: list[Any]) -> tuple[Plan, memory.Fit]:
    """The default plan for this data, base and memory, and how it fits into it."""
    settings = session.config.training
    n_parameters = session.base.n_parameters if session.base else 0
    wanted = settings.adapter
    if wanted == "auto" and n_parameters > MODEL_IS_LARGE and linear_layers(network.backbone):
        wanted = memory.LIGHT
    longest = max(item["length"] for item in encoded)
    usual = getattr(network, "usual_batch", BATCH)
    size = settings.batch_size or (2 * usual if len(encoded) >= MANY_ROWS else usual)
    average = _average(network, settings.average)
    room = memory.make_it_fit(network, size, longest, settings.memory_limit_mib, wanted, average > 0)
    session.choose("training.adapter", room.way, _origin(settings.adapter != "auto"), room.note)
    memory_note = f"about {room.needed_mib:,.0f} of {room.allowed_mib:,.0f} MiB that may be used"
    session.choose("training.batch_size", room.batch_size, _origin(settings.batch_size > 0), memory_note)
    epochs = settings.epochs or getattr(network, "usual_epochs", usual_epochs)(len(encoded))
    session.choose("training.epochs", epochs, _origin(settings.epochs > 0), f"for {len(encoded):,} training rows")
    faster = math.sqrt(room.batch_size / usual)
    plan = Plan(
        epochs,
        room.batch_size,
        settings.learning_rate or _natural_rate(network, n_parameters, room.lora) * faster,
        getattr(network, "natural_head_rate", HEAD_RATE) * faster,
        settings.layer_decay,
        settings.weight_decay,
        session.precision(),
        session.seed,
        max(settings.patience, epochs // 4),
        average=average,
    )
    return plan, room


def _average(network: Any, wanted: str) -> float:
    """How far back a moving average looks, 0 for none: by the setting, else what the architecture is known to gain by."""
    usual = float(getattr(network, "usual_average", 0.0))
    return {"off": 0.0, "on": usual or AVERAGE}.get(wanted, usual)


def _origin(yours: bool) -> str:
    return "yours" if yours else "chosen"


def _natural_rate(network: Any, n_parameters: int, lora: bool) -> float:
    """The rate that the network's architecture is known to learn with, else that of transformers."""
    own = None if lora else getattr(network, "natural_rate", None)
    return default_rate(n_parameters, lora) if own is None else float(own)


def default_rate(n_parameters: int, lora: bool) -> float:
    """Learning rate of the top layer: smaller for larger models."""
    if lora:
        return LORA_RATE
    return (
        LEARNING_RATE * min(1.0, (22_000_000 / max(1, n_parameters)) ** 0.5)
        if n_parameters > 22_000_000
        else LEARNING_RATE
    )


def _judge(session: Session, network: Any, watch: Part) -> Any:
    encoded = network.encode(watch.inputs)
    own = getattr(network, "worth", None)
    if own is not None:
        return lambda: own(encoded, watch.targets)

    def judge() -> float:
        outputs = outputs_of(network, encoded, precision=session.precision())
        network.train()
        score, loss = utility(session.task, session.problem, session.settings, outputs, watch.targets)
        return score + 1e-3 * math.tanh(loss)

    return judge


def race(session: Session, network: Any, encoded: list[Any], part: Part, plan: Plan) -> Plan:
    """Run a short schedule of each starter on a few rows and keep the learning rate with the lowest held-out loss."""
    rng = np.random.default_rng(session.seed)
    order = rng.permutation(len(part))
    n_held = min(500, len(part) // 4)
    held, rows = order[:n_held], order[n_held : n_held + RACE_ROWS]
    if len(rows) < 100:
        return plan
    factors = FACTORS[: session.config.training.race]
    losses = []
    with session.progress.step(f"race of {len(factors)} learning rates", len(factors)) as step:
        for factor in factors:
            losses.append(_race_one(session, network, encoded, part, plan, factor, rows, held))
            step.advance()
    best = factors[int(np.argmin(losses))]
    told = ", ".join(f"{plan.learning_rate * f:.1e}: {loss:.3f}" for f, loss in zip(factors, losses, strict=True))
    session.choose(
        "training.learning_rate",
        f"{plan.learning_rate * best:.1e}",
        "chosen",
        f"lowest held-out loss in a race ({told})",
    )
    return dataclasses.replace(plan, learning_rate=plan.learning_rate * best)


def _best_way(session: Session, head: dict[str, Array], encoded: list[Any], part: Part, watch: Part, plan: Plan) -> str:
    def start() -> Any:
        return with_head(session.frozen_network(), head)

    return best_way(session, start, encoded, part, watch, plan, lambda network: _judge(session, network, watch))


def _short(plan: Plan) -> Plan:
    """That of a race."""
    return dataclasses.replace(plan, epochs=2, patience=1000, average=0.0)


def _race_one(
    session: Session, network: Any, encoded: list[Any], part: Part, plan: Plan, factor: float, rows: Array, held: Array
) -> float:
    starter = with_head(session.frozen_network(), probe_head(session, part.take(rows)))
    if not session.config.training.train_embeddings:
        freeze_embeddings(starter)
    short = dataclasses.replace(_short(plan), learning_rate=plan.learning_rate * factor)
    chosen = [encoded[row] for row in rows]
    with learning(starter, chosen, session.config.training.dropout):
        train(starter, chosen, part.targets[rows], session.task, session.problem, session.settings, short)
    outputs = outputs_of(starter, [encoded[row] for row in held], precision=plan.precision)
    return -utility(session.task, session.problem, session.settings, outputs, part.targets[held])[1]
