"""The few lines of Python that run an exported folder without Honed: shown in its README, and run to check it."""

from __future__ import annotations

import json
from typing import Any

from honed.errors import BundleError
from honed.exporting.targets import TARGETS, Target
from honed.model import Model
from honed.tasks.contract import Recipe

FACTS_FILE = "answers.json"
_BEGINNING = "def outputs(rows):\n    batch = encode(rows)"
_SETTLED = """
def outputs(rows):
    batch = encode(rows)
    return settle(computed(batch), batch)
"""


def recipe_of(model: Model, target: Target | None = None) -> Recipe:
    """How the model's network is used without Honed.

    Raises
    ------
    BundleError [B034]
        The model is no network, or its network says nothing of it, or not for this form.
    """
    network = getattr(model.predictor, "network", None)
    if network is not None and not hasattr(network, "recipe"):
        seen = f'Nothing but Honed knows yet how to read pictures for "{model.name}" and choose among what its network says.'
        raise BundleError(
            "B034", seen, "Serve it with Honed (--engine onnx-fp32 is quick), or export it with --deploy."
        )
    if network is None:
        seen = f'"{model.name}" ({model.provenance.get("rung", model.predictor.kind)}) has no neural network to export.'
        raise BundleError("B034", seen, "Serve it with Honed, or export it with --deploy.")
    found: Recipe = network.recipe()
    if not found.encode and target is not None and target.outputs:
        seen = f'"{model.name}" writes a text token by token, which a file for {target.title} does not say.'
        raise BundleError("B034", seen, "Export to transformers, or serve it with Honed.")
    return found


def facts_of(model: Model) -> dict[str, Any]:
    """What ``answers.json`` holds: columns read, labels in the order of the outputs, and the decision."""
    return {"inputs": list(model.problem.inputs), "labels": list(model.problem.labels), **model.decision.as_dict()}


def script(model: Model, target: Target, folder: str = '"."') -> str:
    """Source that defines ``outputs(rows)`` and ``answers(rows)``; ``folder`` is a Python expression."""
    recipe = recipe_of(model, target)
    if target is TARGETS["mlflow"]:
        parts, imports = [target.outputs], list(target.imports)
    elif target.outputs:
        parts = [recipe.encode, _outputs(recipe, target), model.task.answer_code(model.problem)]
        imports = ["import numpy as np", *recipe.imports, *target.imports]
    else:
        if not recipe.transformers:
            raise BundleError("B034", "This network is none that transformers knows.", "Export it to onnx.")
        parts = [recipe.transformers, model.task.answer_code(model.problem)]
        imports = ["import numpy as np", *target.imports]
    facts = f'folder = {folder}\nfacts = json.load(open(f"{{folder}}/{FACTS_FILE}", encoding="utf-8"))'
    return "\n".join(["import json", *imports, "", facts, *("\n" + part for part in parts)]).replace("\n\n\n", "\n\n")


def _outputs(recipe: Recipe, target: Target) -> str:
    """The source of ``outputs(rows)``; where a network's numbers are to be settled, what computes them has another name."""
    if not recipe.settles:
        return target.outputs
    return f"{target.outputs.replace(_BEGINNING, 'def computed(batch):')}\n\n{_SETTLED.strip()}"


def example_rows(model: Model) -> str:
    """The example of the input schema as the argument of ``answers``."""
    example = model.task.schemas(model.problem).input["examples"][0]
    return json.dumps([[example[name] for name in model.problem.inputs]], ensure_ascii=False)


def packages_of(model: Model, target: Target) -> list[str]:
    """What users of the folder install."""
    reading = () if not target.outputs else recipe_of(model).packages
    return sorted({"numpy", *target.packages, *reading})
