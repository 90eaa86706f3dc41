"""Running an ONNX file with OpenVINO, and nothing of OpenVINO's telemetry."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from honed.engines.onnx_runtime import FEATURES, OUTPUTS
from honed.networks.precision import bf16_possible
from honed.resources import cpu_count
from honed.tasks.contract import Array, Batch

GROUP = 32
"""Activations share a scale in groups of so many when weights are bytes: small groups lose little."""
TELEMETRY = "openvino_telemetry"


def load_openvino() -> Any:
    """The package, its telemetry locked out.

    OpenVINO reports its own import to a web service unless the user has opted out. With the reporting package out of
    reach it falls back to a stub of its own that sends nothing.
    """
    if "openvino" not in sys.modules:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # the import system's own way to say: not there
    import openvino

    return openvino


def settings_of(number_format: str) -> dict[str, str]:
    """OpenVINO's settings for a number format on this machine."""
    half = number_format == "bf16" or (number_format == "int8" and bf16_possible())
    found = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(cpu_count()),
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }
    if number_format == "int8":
        found["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = str(GROUP)
    return found


class OpenvinoRunner:
    """A compiled network; one batch at a time, the tensors' memory shared."""

    def __init__(self, path: Path, number_format: str = "fp32") -> None:
        self.openvino = load_openvino()
        core = self.openvino.Core()
        compiled = core.compile_model(core.read_model(str(path)), "CPU", settings_of(number_format))
        self.names = [item.get_any_name() for item in compiled.inputs]
        self.request = compiled.create_infer_request()
        self.lock = threading.Lock()

    def outputs(self, batch: Batch) -> Array:
        """Raw outputs of a batch, (n, outputs) float32."""
        return self._run(batch, OUTPUTS)

    def features(self, batch: Batch) -> Array:
        """What the head reads, (n, d) float32."""
        return self._run(batch, FEATURES)

    def _run(self, batch: Batch, wanted: str) -> Array:
        with self.lock:
            for name in self.names:
                tensor = self.openvino.Tensor(batch[name].numpy(), shared_memory=True)
                self.request.set_tensor(name, tensor)
            self.request.infer()
            found: Array = self.request.get_tensor(wanted).data.astype("float32", copy=True)
        return found
