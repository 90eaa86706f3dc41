"""The promises of a task's contract, one function each; run on every registered task, ours and a third party's."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from honed.config import RunConfig, fill
from honed.data.table import Roles, Table
from honed.model import Model
from honed.networks.devices import placed
from honed.networks.engine import NetworkPredictor, device_of, outputs_of, to_device
from honed.tasks.contract import Array, Decision, Problem, Task
from honed.training.loop import Plan, as_tensor, collated, train
from honed.training.session import Session, make_parts
from honed.zoo.resolve import resolve


@dataclass
class Bench:
    """A task's sample, framed: what every check works on."""

    task: Task
    table: Table
    roles: Roles
    settings: Any
    problem: Problem
    inputs: list[Any]
    targets: Array
    base: Any

    def network(self, seed: int = 0) -> Any:
        """A fresh network for the sample's problem."""
        return placed(self.task.build(self.base, self.problem, self.settings, seed))


def bench_of(task: Task) -> Bench:
    """Frame a task's own sample."""
    sample = task.sample()
    read, kind = tuple(name for name in sample.table.names if name != sample.target), task.facts.input_kinds[0]
    columns: dict[str, Any] = {"image": read[0]} if kind == "image" else {"text": read}
    roles = Roles(target=sample.target, yours=("target",), **columns)
    settings = fill(task.config, sample.config)
    problem = task.frame(sample.table, roles, settings)
    base = resolve(sample.base, kind=task.facts.base_kind) if sample.base else None
    inputs, targets = task.inputs(sample.table, problem), task.targets(sample.table, problem)
    return Bench(task, sample.table, roles, settings, problem, inputs, targets, base)


def check_task(task: Task, *, skip: tuple[str, ...] = ()) -> list[str]:
    """Run all checks on a task; returns the names of those that ran. The first broken promise raises AssertionError."""
    bench = bench_of(task)
    ran = []
    for name, check in CHECKS.items():
        if name not in skip:
            check(bench)
            ran.append(name)
    return ran


def bad_data_gives_findings(bench: Bench) -> None:
    """Empty, one-class, all-missing, duplicated and wrong-typed data give findings or coded errors, no traceback."""
    target, arrow = bench.problem.target, bench.table.arrow
    column = arrow.column_names.index(target)
    one_class = arrow.set_column(column, target, pa.array([bench.table.column(target)[0]] * len(arrow)))
    nothing = arrow.set_column(column, target, pa.nulls(len(arrow), pa.string()))
    wrong = pa.table(
        {
            name: pa.array([{"a": 1}] * 9) if name == target else pa.array([None] * 9, pa.string())
            for name in arrow.column_names
        }
    )
    several = not bench.task.facts.one_label
    for bad, must_block in ((arrow.slice(0, 0), True), (one_class, several), (nothing, True), (wrong, False)):
        table = Table(bad, "bad", "")
        findings = bench.task.validate(table, bench.roles, bench.settings)
        if must_block:
            assert any(finding.level == "blocker" for finding in findings), f"no blocker for {bad.schema}"
    doubled = Table(pa.concat_tables([arrow, arrow]), "doubled", "")
    assert not any(f.level == "blocker" for f in bench.task.validate(doubled, bench.roles, bench.settings))


def batch_equals_one_by_one(bench: Bench) -> None:
    """Outputs do not depend on what else is in the batch, so padding does not leak."""
    predictor = NetworkPredictor(bench.network())
    together = predictor.outputs(bench.inputs[:16])
    alone = np.concatenate([predictor.outputs([row]) for row in bench.inputs[:16]])
    assert np.asarray(together).any(), "all outputs are zero, so nothing is compared"
    assert bench.task.judging.differ(together, alone) <= 1e-4


def loss_reaches_all(bench: Bench) -> None:
    """The loss moves every trainable parameter and no frozen one."""
    import torch

    network = bench.network().train()
    frozen = next(iter(network.parameters()))
    frozen.requires_grad = False
    torch.nn.init.normal_(network.head.weight, std=0.5)
    place = device_of(network)
    batch, wanted = collated(network, network.encode(bench.inputs), bench.targets, (0,))
    torch.manual_seed(0)
    bench.task.loss(network(to_device(batch, place)), as_tensor(wanted, place), bench.problem, bench.settings)[
        "loss"
    ].backward()
    assert frozen.grad is None
    unused = [
        name
        for name, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.abs().sum() > 0)
    ]
    assert not unused, f"no gradient reaches {unused}"


def _trained(bench: Bench, targets: Array, plan: Plan, checkpoint: Path | None = None) -> tuple[Any, Any]:
    network = bench.network(plan.seed)
    trace = train(
        network, network.encode(bench.inputs), targets, bench.task, bench.problem, bench.settings, plan, checkpoint=checkpoint
    )  # fmt: skip
    return network, trace


def _score(bench: Bench, network: Any, targets: Array) -> float:
    outputs = outputs_of(network, network.encode(bench.inputs))
    metric = bench.task.metrics(bench.problem)[0]
    value = metric.score(targets, bench.task.decode(outputs, bench.problem, Decision()).encoded)
    return value if metric.higher_is_better else -value


PLAN = Plan(epochs=60, batch_size=16, learning_rate=3e-3, head_rate=1e-2, layer_decay=1.0)


def learns_and_beats_its_baseline(bench: Bench) -> None:
    """It overfits its sample, beats its best baseline out of fold, and does neither with shuffled targets."""
    held = np.arange(len(bench.inputs)) % 3 == 0
    shuffled = np.random.default_rng(0).permutation(bench.targets)
    metric = bench.task.metrics(bench.problem)[0]
    assert metric.higher_is_better, "the sample's deciding metric must be one of which more is better"
    scores = []
    for targets in (bench.targets, shuffled):
        part = replace(bench, inputs=[row for row, out in zip(bench.inputs, held, strict=True) if not out])
        network, _ = _trained(part, targets[~held], PLAN)
        if targets is bench.targets:
            learnt = _score(part, network, targets[~held])
            assert learnt > 0.95, f"it does not overfit its sample: {learnt:.2f}"
        rest = replace(bench, inputs=[row for row, out in zip(bench.inputs, held, strict=True) if out])
        scores.append(_score(rest, network, targets[held]))
    first = bench.task.baselines(bench.problem, bench.settings)[0]
    fitted = first.fit(
        [row for row, out in zip(bench.inputs, held, strict=True) if not out], bench.targets[~held], bench.problem, 0
    )
    outputs = fitted.outputs([row for row, out in zip(bench.inputs, held, strict=True) if out])
    baseline = metric.score(bench.targets[held], bench.task.decode(outputs, bench.problem, Decision()).encoded)
    assert scores[0] > baseline + 0.1, f"{scores[0]:.2f} is not better than the baseline's {baseline:.2f}"
    assert scores[1] < scores[0] - 0.1, f"it scores {scores[1]:.2f} with shuffled targets: something leaks"


def same_seed_same_losses(bench: Bench) -> None:
    """Two trainings with one seed have equal losses, step by step."""
    plan = replace(PLAN, epochs=2)
    first, second = (_trained(bench, bench.targets, plan)[1].losses for _ in range(2))
    assert first == second and len(first) > 4


def stop_and_resume_is_exact(bench: Bench) -> None:
    """A training that was stopped and went on equals an uninterrupted one: losses and weights, to the bit."""
    import torch

    plan = replace(PLAN, epochs=4, average=0.2)
    whole, trace = _trained(bench, bench.targets, plan)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoint"
        cut = replace(plan, cut=len(trace.losses) // 2)
        _trained(bench, bench.targets, cut, folder)
        assert (folder / "state.json").exists()
        resumed, rest = _trained(bench, bench.targets, plan, folder)
    assert rest.losses == trace.losses
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b), f"{name} differs after resuming"
    assert trace.averaged and trace.best_weights and rest.best_weights
    for name, value in trace.best_weights.items():
        assert torch.equal(value, rest.best_weights[name]), f"the average of {name} differs after resuming"


def saved_equals_fresh_process(bench: Bench) -> None:
    """A bundle holds no pickle, and a fresh process that opens it gives the same outputs."""
    from honed.bundle.fresh import check_fresh
    from honed.bundle.open import FORBIDDEN, open_bundle

    model = _model(bench)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        model.save(folder)
        assert not [path for path in folder.rglob("*") if path.suffix in FORBIDDEN]
        check_fresh(folder, bench.inputs[:8], model.outputs(bench.inputs[:8]), bench.task.judging.differ)
        assert alike(open_bundle(folder).predict(bench.table.take(range(8))), model.predict(bench.table.take(range(8))))


def _model(bench: Bench) -> Model:
    base = bench.base.provenance() if bench.base else {}
    return Model(bench.task, bench.problem, NetworkPredictor(bench.network()), Decision(), {"base": base}, bench.roles)


def baselines_survive_saving(bench: Bench) -> None:
    """Every baseline can be saved and read back with equal outputs."""
    for baseline in bench.task.baselines(bench.problem, bench.settings):
        predictor = baseline.fit(bench.inputs, bench.targets, bench.problem, 0)
        with tempfile.TemporaryDirectory() as scratch:
            predictor.save(Path(scratch))
            again = bench.task.load_predictor(predictor.kind, Path(scratch), bench.problem)
        np.testing.assert_allclose(
            again.outputs(bench.inputs[:9]), predictor.outputs(bench.inputs[:9]), rtol=1e-5, atol=1e-6
        )


def schemas_have_valid_examples(bench: Bench) -> None:
    """The example of the input schema is accepted by the model, and its answer has the fields of the output schema."""
    schemas = bench.task.schemas(bench.problem)
    json.dumps([schemas.input, schemas.output])
    example = schemas.input["examples"][0]
    assert set(schemas.input["required"]) <= set(example)
    answers = _model(bench).predict_full([example])
    assert len(answers.labels) == len(answers.unsure) == 1
    assert set(schemas.output["examples"][0]) <= set(schemas.output["properties"])


def http_equals_the_model(bench: Bench) -> None:
    """A served bundle takes the example of the input schema, and its answers over HTTP are those of the model."""
    import httpx

    from honed.serving.testing import running

    model = _model(bench)
    columns = [bench.table.take(range(6)).column(name) for name in bench.problem.inputs]
    schemas = bench.task.schemas(bench.problem)
    rows = [dict(zip(bench.problem.inputs, row, strict=True)) for row in zip(*columns, strict=True)]
    rows.append(schemas.input["examples"][0])
    with tempfile.TemporaryDirectory() as scratch:
        model.save(Path(scratch) / "bundle")
        with running([Path(scratch) / "bundle"]) as server:
            response = httpx.post(f"{server.url}/predict", json=rows, timeout=60)
            one = httpx.post(f"{server.url}/predict", json=rows[-1], timeout=60)
    assert response.status_code == one.status_code == 200, response.text
    found, wanted = response.json(), model.predict_full(rows)
    assert alike([row["prediction"] for row in [*found, one.json()]], [*wanted.labels, wanted.labels[-1]])
    assert all(set(row) <= set(schemas.output["properties"]) for row in found)
    if wanted.confidence is not None:
        np.testing.assert_allclose([row["confidence"] for row in found], wanted.confidence, atol=2e-5)


def alike(first: Any, second: Any) -> bool:
    """The same words, and numbers that differ by rounding alone."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(alike(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(alike(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, float) and isinstance(second, int | float):
        return bool(np.isclose(first, second, rtol=1e-3, atol=0.11 if abs(second) > 1 else 1e-3))
    return bool(first == second)


def engines_agree(bench: Bench) -> None:
    """Every engine that can run here gives torch's outputs: in batches, one by one, and beside longer inputs."""
    from honed.engines.kinds import KINDS
    from honed.engines.prepare import available

    model = _model(bench)
    rows = bench.inputs[:12]
    wanted = model.outputs(rows)
    ran = []
    for name, engine in available(model).items():
        if isinstance(engine, str):
            continue
        bound = KINDS[name].tolerance
        together, alone = engine.outputs(rows), np.concatenate([engine.outputs([row]) for row in rows])
        for found in (together, alone):
            assert found.shape == wanted.shape and found.dtype == np.float32
            difference = bench.task.judging.differ(found, wanted)
            assert difference <= bound, f"{name} differs by {difference:.2g}"
        ran.append(name)
    assert "torch-fp32" in ran


def problem_survives_json(bench: Bench) -> None:
    """Problem and decision are plain JSON, there and back."""
    assert Problem.from_dict(json.loads(json.dumps(bench.problem.as_dict()))) == bench.problem
    outputs = NetworkPredictor(bench.network()).outputs(bench.inputs)
    decision = bench.task.fit_decision(outputs, bench.targets, bench.problem, bench.settings)
    assert Decision.from_dict(json.loads(json.dumps(decision.as_dict()))) == decision


def climbs_the_ladder(bench: Bench) -> None:
    """The ladder gives a usable candidate whose score is the best of all rungs."""
    from honed.training.ladder import climb

    rows = np.arange(len(bench.inputs))
    train_part, validation = make_parts(bench.inputs, bench.targets, rows[rows % 4 != 0], rows[rows % 4 == 0])
    config = RunConfig(task=bench.task.name)
    config.training.stop_after, config.training.race, config.training.precision = "probe", 1, "fp32"
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(
            bench.task, bench.problem, bench.settings, config, bench.base, train_part, validation, Path(scratch)
        )  # fmt: skip
        ladder = climb(session)
        assert ladder.best is not None
        assert ladder.best.utility == max(candidate.utility for candidate in ladder.candidates.values())
        again = climb(session)
        assert [r.score for r in again.lines()] == [r.score for r in ladder.lines()]


CHECKS: dict[str, Callable[[Bench], None]] = {
    check.__name__: check
    for check in (
        bad_data_gives_findings, batch_equals_one_by_one, loss_reaches_all, learns_and_beats_its_baseline,
        same_seed_same_losses, stop_and_resume_is_exact, saved_equals_fresh_process, baselines_survive_saving,
        schemas_have_valid_examples, http_equals_the_model, engines_agree, problem_survives_json, climbs_the_ladder,
    )
}  # fmt: skip
