"""Running an ONNX file with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honed.resources import cpu_count
from honed.tasks.contract import Array, Batch

OUTPUTS, FEATURES = "outputs", "features"
"""Names of what files of networks give."""


class OnnxRunner:
    """A session on the processors this process may use.

    Torch tensors on the CPU and arrays share their memory, so a batch is handed over without a copy.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cpu_count()
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.names = [item.name for item in self.session.get_inputs()]

    def outputs(self, batch: Batch) -> Array:
        """Raw outputs of a batch, (n, outputs) float32."""
        return self._run(batch, OUTPUTS)

    def features(self, batch: Batch) -> Array:
        """What the head reads, (n, d) float32."""
        return self._run(batch, FEATURES)

    def _run(self, batch: Batch, wanted: str) -> Array:
        found: Array = self.session.run([wanted], {name: batch[name].numpy() for name in self.names})[0]
        return found
