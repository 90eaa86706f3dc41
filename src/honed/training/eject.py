"""Writing the fine-tuning of a run as one readable script."""

from __future__ import annotations

from pathlib import Path

from honed.errors import RunError
from honed.files import read_json, whole_file

TEMPLATE = '''"""The fine-tuning of the run "{name}", written out by Honed. Change what you like.

It trains the same network on the same rows with the same plan: run it as it stands and the losses equal those of the run.
What a run does afterwards, an average of weights or a last fit with the rows it chose on, is not in it.
"""

import numpy as np
import torch

from honed.config import fill, load
from honed.data.read import read_table
from honed.networks.devices import forked_random, placed, repeatable
from honed.networks.engine import device_of, outputs_of, to_device
from honed.networks.learning import shape_for_learning
from honed.networks.precision import autocast
from honed.tasks.contract import Decision, Problem
from honed.tasks.registry import get_task
from honed.training.loop import as_tensor, collated
from honed.zoo.resolve import resolve

# --- the data: {n_train} rows to learn from, {n_validation} to choose with
config = load("{config}")
task = get_task(config.task)
settings = fill(task.config, config.task_settings)
problem = Problem.from_dict({problem})
table = read_table("{data}")
inputs, targets = task.inputs(table, problem), task.targets(table, problem)
rows = np.load("{rows}")
train_rows, validation_rows = rows["train"], rows["validation"]

# --- the network: the base, with the head that the probe found where there is one
network = placed(task.build(resolve(config.base, kind=task.facts.base_kind), problem, settings, {seed}))
device = device_of(network)
head = np.load("{head}")
with torch.no_grad():
    for name in head.files:
        getattr(network.head, name).copy_(torch.from_numpy(head[name]))
for name, parameter in network.backbone.named_parameters():
    if "embedding" in name:
        parameter.requires_grad = {train_embeddings}
{way}
# --- the plan
EPOCHS, BATCH_SIZE, SEED, PRECISION = {epochs}, {batch_size}, {seed}, "{precision}"
STEPS = {steps}  # at most; None for all that the epochs have
LEARNING_RATE, HEAD_RATE, LAYER_DECAY, WEIGHT_DECAY = {learning_rate}, {head_rate}, {layer_decay}, {weight_decay}
WARM_UP, POOL = 0.06, 20


def epoch_batches(lengths, epoch):
    """Shuffled batches of similar length, the same for the same seed and epoch."""
    rng = np.random.default_rng((SEED, epoch))
    order, batches = rng.permutation(len(lengths)), []
    for start in range(0, len(order), BATCH_SIZE * POOL):
        pool = sorted(order[start : start + BATCH_SIZE * POOL].tolist(), key=lambda i: lengths[i])
        batches += [pool[first : first + BATCH_SIZE] for first in range(0, len(pool), BATCH_SIZE)]
    return [batches[i] for i in rng.permutation(len(batches))]


def parameter_groups():
    """Lower layers learn slower; biases and norms do not decay."""
    from honed.training.optimizer import layer_depths

    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    in_head = {{id(p) for p in network.head.parameters()}}
    groups = {{}}
    for (name, p), depth in zip(named, layer_depths([name for name, _ in named])):
        rate = HEAD_RATE if id(p) in in_head else LEARNING_RATE * LAYER_DECAY**depth
        groups.setdefault((rate, WEIGHT_DECAY if p.ndim > 1 else 0.0), []).append(p)
    return [{{"params": ps, "lr": rate, "weight_decay": decay, "top": rate}} for (rate, decay), ps in groups.items()]


# --- the loop
encoded = network.encode([inputs[i] for i in train_rows])
shape_for_learning(network, encoded, dropout={dropout})
truth = targets[train_rows]
optimizer = torch.optim.AdamW(parameter_groups(), betas=(0.9, 0.98), eps=1e-6, fused=True)
torch.manual_seed(SEED)
losses, step = [], 0
with repeatable(device.type):
    for epoch in range(EPOCHS):
        network.train()
        batches = epoch_batches([row["length"] for row in encoded], epoch)
        total = min(STEPS or EPOCHS * len(batches), EPOCHS * len(batches))
        warm = max(1, round(WARM_UP * total))
        for number, rows in enumerate(batches[: total - step]):
            factor = min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm)))
            for group in optimizer.param_groups:
                group["lr"] = group["top"] * factor
            batch, wanted = collated(network, [encoded[i] for i in rows], truth[rows], (SEED, epoch, number))
            with autocast(PRECISION, device.type):
                outputs = network(to_device(batch, device))
            loss = task.loss(outputs, as_tensor(wanted, device), problem, settings)["loss"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            step += 1
        if len(validation_rows):
            with forked_random():
                outputs = outputs_of(network, network.encode([inputs[i] for i in validation_rows]))
            answers = task.decode(outputs, problem, Decision())
            metric = task.metrics(problem)[0]
            score = metric.score(targets[validation_rows], answers.encoded)
            print(f"epoch {{epoch + 1}}: loss {{np.mean(losses[-number - 1:]):.4f}}, {{metric.title}} {{score:.4f}}")
'''


def write_script(run: Path, target: Path) -> Path:
    """Write the script of a run that fine-tuned.

    Raises
    ------
    RunError [R030, R031]
        The folder holds no run, or the run ended below the fine-tuning.
    """
    if not (run / "state.json").exists():
        raise RunError("R030", f"{run} holds no run.", "Pass the folder that finetune made, such as runs/NAME.")
    if not (run / "eject.json").exists():
        raise RunError(
            "R031",
            f"The run {run} did not fine-tune a network, so there is nothing to write out.",
            "Its method is in report.html.",
        )
    facts = read_json(run / "eject.json")
    folder = run.absolute()
    paths = {"config": folder / "config.yaml", "rows": folder / "rows.npz", "head": folder / "head.npz"}
    way = facts.pop("way", "")
    facts["way"] = f'network.take_way("{way}")  # how pictures are changed\n' if way else ""
    text = TEMPLATE.format(**facts, **{name: str(path) for name, path in paths.items()})
    with whole_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target
