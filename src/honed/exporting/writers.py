"""What each form of export puts into its folder, besides the texts that all have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from honed.engines.kinds import KINDS, Kind, missing
from honed.engines.prepare import NETWORK_FILE, file_for, home_of
from honed.errors import BundleError
from honed.exporting.script import FACTS_FILE, facts_of, packages_of, recipe_of, script
from honed.exporting.targets import TARGETS, Target
from honed.files import write_json
from honed.model import Model

MLFLOW_DATA, MLFLOW_CODE = "data", "code"


def write_model(model: Model, target: Target, place: Path) -> None:
    """Network, preprocessing and ``answers.json``.

    Raises
    ------
    BundleError [B031, B032, B034]
        A package is missing, or the network cannot be written in this form.
    """
    write_json(place / FACTS_FILE, facts_of(model))
    WRITERS[target.name](model, target, place)


def _onnx(model: Model, target: Target, place: Path) -> None:
    recipe_of(model, target).write(place)
    source = _network_file(model, KINDS[target.engine])
    for path in source.parent.glob(f"{NETWORK_FILE}*"):  # with a second file where the weights are too large for one
        shutil.copy(path, place / path.name)


def _openvino(model: Model, target: Target, place: Path) -> None:
    kind = KINDS[target.engine]
    recipe_of(model, target).write(place)
    source = _network_file(model, kind)
    from honed.engines.openvino_runtime import load_openvino

    openvino = load_openvino()
    openvino.save_model(openvino.Core().read_model(str(source)), str(place / "model.xml"), compress_to_fp16=False)


def _transformers(model: Model, target: Target, place: Path) -> None:
    script(model, target)  # raises where the network is none that transformers knows
    model.predictor.save(place)


def _mlflow(model: Model, target: Target, place: Path) -> None:
    """MLflow's own layout with a loader module in the folder: no pickle, and no Honed where it is opened."""
    inner = TARGETS["onnx"]
    data, code = place / MLFLOW_DATA, place / MLFLOW_CODE
    data.mkdir()
    code.mkdir()
    write_json(data / FACTS_FILE, facts_of(model))
    _onnx(model, inner, data)
    module = f"honed_model_{_short_digest(model)}"
    here = f'str(Path(__file__).resolve().parents[1] / "{MLFLOW_DATA}")'
    source = f'"""Loads this model for MLflow; written by Honed."""\n\nfrom pathlib import Path\n{script(model, inner, here)}\n\n{_LOADER}'
    (code / f"{module}.py").write_text(source, encoding="utf-8")
    packages = sorted({"mlflow", "pandas", *packages_of(model, inner)})
    (place / "requirements.txt").write_text("".join(f"{name}\n" for name in packages), encoding="utf-8")
    environment = {"python": ">=3.11", "dependencies": [{"requirements": "requirements.txt"}]}
    (place / "python_env.yaml").write_text(yaml.safe_dump(environment, sort_keys=False), encoding="utf-8")
    (place / "MLmodel").write_text(yaml.safe_dump(_mlmodel(model, module), sort_keys=False), encoding="utf-8")


_LOADER = """
class _Predictor:
    def predict(self, model_input, params=None):
        columns = model_input[facts["inputs"]]
        return answers([list(row) for row in columns.itertuples(index=False, name=None)])

    def get_raw_model(self):
        return outputs


def _load_pyfunc(path):
    return _Predictor()
""".lstrip()
_COLUMN_TYPES = {"string": "string", "number": "double", "integer": "long", "boolean": "boolean"}


def _mlmodel(model: Model, module: str) -> dict[str, Any]:
    properties = model.task.schemas(model.problem).input["properties"]
    columns = [
        {"type": _COLUMN_TYPES[properties[name]["type"]], "name": name, "required": True}
        for name in model.problem.inputs
    ]
    flavor = {
        "loader_module": module,
        "code": MLFLOW_CODE,
        "data": MLFLOW_DATA,
        "env": {"virtualenv": "python_env.yaml"},
        "python_version": "3.11",
    }
    return {"flavors": {"python_function": flavor}, "signature": {"inputs": json.dumps(columns), "outputs": None}}


def _short_digest(model: Model) -> str:
    from honed.engines.host import digest_of

    return digest_of(model.predictor.network)[:12]  # type: ignore[attr-defined]


def _network_file(model: Model, kind: Kind) -> Path:
    """The engine's file, from the cache of prepared engines or made now."""
    reason = missing(kind)
    if reason:
        raise BundleError(
            "B031", f"An export to {kind.runtime} is not possible: {reason}.", "Install it, or choose another form."
        )
    return file_for(model, kind, home_of(model.predictor.network)[0])  # type: ignore[attr-defined]


WRITERS: dict[str, Callable[[Model, Target, Path], None]] = {
    "onnx": _onnx,
    "onnx-int8": _onnx,
    "openvino": _openvino,
    "openvino-int8": _openvino,
    "transformers": _transformers,
    "mlflow": _mlflow,
}
