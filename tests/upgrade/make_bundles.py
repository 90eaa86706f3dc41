"""Writes the kept bundles of a format. Run once, when a format is new; never again for an old one.

python tests/upgrade/make_bundles.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from honed.bundle.manifest import FORMAT_VERSION
from honed.config import fill
from honed.data.read import read_table
from honed.data.table import Roles
from honed.model import Model
from honed.networks.engine import NetworkPredictor
from honed.tasks.registry import get_task
from honed.testing.tiny_models import tiny_model
from honed.zoo.local import local_base

PLACE = Path(__file__).parent / f"format_{FORMAT_VERSION}"
WORDS = ["printer", "toner", "paper", "jam", "router", "wifi", "cable", "vpn", "help", "please", "broken", "today"]


def rows() -> list[dict[str, Any]]:
    """Made-up rows with every kind of target."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(40):
        words = [str(word) for word in rng.choice(WORDS, 6)]
        text = " ".join(words)
        found.append(
            {
                "text": text,
                "topic": "printing" if i % 2 else "network",
                "tags": ["a", "b"] if i % 3 else ["b"],
                "score": i * 1.5,
            }
        )
    return found


def model_of(target: str, kind: str) -> Model:
    """A model of fixed random weights, or a counting one."""
    task = get_task("text-classification")
    settings = fill(task.config, {"max_length": 16})
    table, roles = read_table(rows()), Roles(text=("text",), target=target)
    problem = task.frame(table, roles, settings)
    targets, inputs = task.targets(table, problem), task.inputs(table, problem)
    if kind == "network":
        with tempfile.TemporaryDirectory() as scratch:
            base = local_base(tiny_model("bert", Path(scratch) / "base", sentences=[" ".join(WORDS)]))
            network = task.build(base, problem, settings, 0)
        torch.nn.init.normal_(network.head.weight, std=0.5)
        predictor: Any = NetworkPredictor(network)
    else:
        predictor = task.baselines(problem, settings)[-1].fit(inputs, targets, problem, 0)
    decision = task.fit_decision(predictor.outputs(inputs), targets, problem, settings)
    return Model(
        task,
        problem,
        predictor,
        decision,
        {"base": {"id": "tiny", "revision": "", "digest": "none", "licence": "none"}},
        roles,
        name=f"{target}-{kind}",
    )


def main() -> None:
    """Write each bundle with what it answers."""
    torch.manual_seed(0)
    shutil.rmtree(PLACE, ignore_errors=True)
    for target, kind in (("topic", "network"), ("topic", "counting"), ("tags", "network"), ("score", "counting")):
        model = model_of(target, kind)
        folder = PLACE / f"{target}-{kind}"
        model.save(folder)
        texts = [row["text"] for row in rows()[:10]]
        answers = {
            "texts": texts,
            "outputs": model.outputs(model.inputs(texts)).tolist(),
            "labels": model.predict(texts),
        }
        (PLACE / f"{target}-{kind}.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
