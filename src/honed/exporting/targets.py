"""The forms a model can be exported to, as facts."""

from __future__ import annotations

from dataclasses import dataclass

from honed.engines.kinds import KINDS
from honed.errors import BundleError


@dataclass(frozen=True)
class Target:
    """One form.

    Parameters
    ----------
    name, title : str
    engine : str
        The engine whose numbers it gives; its tolerance is the bound of the check.
    packages : tuple of str
        What its users install (and what the check needs), besides numpy and what the reading needs.
    imports : tuple of str
        Import lines of the code in its README.
    outputs : str
        Source that defines ``outputs(rows)``; "" where the network's recipe has its own.
    """

    name: str
    title: str
    engine: str
    packages: tuple[str, ...]
    imports: tuple[str, ...]
    outputs: str

    @property
    def tolerance(self) -> float:
        return KINDS[self.engine].tolerance


_ONNX = """
session = onnxruntime.InferenceSession(f"{folder}/model.onnx")

def outputs(rows):
    batch = encode(rows)
    return session.run(["outputs"], {item.name: batch[item.name] for item in session.get_inputs()})[0]
"""
_OPENVINO = """
compiled = openvino.Core().compile_model(f"{folder}/model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

def outputs(rows):
    batch = encode(rows)
    return compiled({item.get_any_name(): batch[item.get_any_name()] for item in compiled.inputs})["outputs"]
"""
_SILENT = 'sys.modules["openvino_telemetry"] = None  # without this line OpenVINO reports its use to its maker'
_MLFLOW = """
model = mlflow.pyfunc.load_model(folder)
outputs = model.get_raw_model()

def answers(rows):
    return model.predict(pandas.DataFrame(rows, columns=facts["inputs"]))
"""
_ONNX_PARTS = (("onnxruntime",), ("import onnxruntime",), _ONNX.strip())
_OPENVINO_PARTS = (("openvino",), ("import sys", _SILENT, "import openvino"), _OPENVINO.strip())
TARGETS = {
    target.name: target
    for target in (
        Target("onnx", "ONNX, full precision", "onnx-fp32", *_ONNX_PARTS),
        Target("onnx-int8", "ONNX, weights and products of 8 bits", "onnx-int8", *_ONNX_PARTS),
        Target("openvino", "OpenVINO, full precision", "openvino-fp32", *_OPENVINO_PARTS),
        Target("openvino-int8", "OpenVINO, weights of 8 bits", "openvino-int8", *_OPENVINO_PARTS),
        Target(
            "transformers", "transformers, as a folder that its Auto classes open", "torch-fp32", ("transformers", "torch"),
            ("import torch", "from transformers import AutoModelForSequenceClassification, AutoTokenizer"), "",
        ),
        Target(
            "mlflow", "MLflow, with ONNX inside", "onnx-fp32", ("mlflow", "pandas", "onnxruntime"),
            ("import mlflow.pyfunc", "import pandas"), _MLFLOW.strip(),
        ),
    )
}  # fmt: skip


def target_of(name: str) -> Target:
    """The facts of a form. Raises BundleError [B034] for a name that is none."""
    if name not in TARGETS:
        raise BundleError("B034", f'There is no export to "{name}".', f"It may be {', '.join(TARGETS)}.")
    return TARGETS[name]
