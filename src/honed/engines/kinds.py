"""The engines there are, as facts, and whether each can run on this machine."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from honed.errors import BundleError

OWN = "own"
"""The one engine of predictors that are no network, such as counted words."""
DEFAULT = "torch-fp32"
AUTO = "auto"


@dataclass(frozen=True)
class Kind:
    """One way to compute a network.

    Parameters
    ----------
    name, title : str
        ``"onnx-int8"`` and what a reader who has never heard of it is told.
    runtime : str
        ``"torch"``, ``"onnx"``, ``"openvino"`` or ``"vllm"``.
    number_format : str
        ``"fp32"``, ``"bf16"`` or ``"int8"``.
    tolerance : float
        Largest allowed difference of an output from torch fp32, relative to the largest output; beyond it the engine
        is broken, whatever its answers. Formats with few digits differ by nature, so their bound is wide.
    """

    name: str
    title: str
    runtime: str
    number_format: str
    tolerance: float

    @property
    def exact(self) -> bool:
        """True where it computes in fp32, so that only the order of sums differs from torch."""
        return self.number_format == "fp32"


FP32_TOLERANCE = 1e-3
"""Sums in another order, and fused operators, differ by a few units of the sixth digit; long texts add up."""
KINDS = {
    kind.name: kind
    for kind in (
        Kind("torch-fp32", "PyTorch, full precision", "torch", "fp32", FP32_TOLERANCE),
        Kind("torch-joined", "PyTorch, full precision, layers joined", "torch", "fp32", FP32_TOLERANCE),
        Kind("torch-bf16", "PyTorch, half precision", "torch", "bf16", 0.1),
        Kind("onnx-fp32", "ONNX Runtime, full precision", "onnx", "fp32", FP32_TOLERANCE),
        Kind("onnx-int8", "ONNX Runtime, whole numbers of 8 bits", "onnx", "int8", 0.3),
        Kind("openvino-fp32", "OpenVINO, full precision", "openvino", "fp32", FP32_TOLERANCE),
        Kind("openvino-bf16", "OpenVINO, half precision", "openvino", "bf16", 0.1),
        Kind("openvino-int8", "OpenVINO, weights of 8 bits", "openvino", "int8", 0.3),
        Kind("vllm", "vLLM, for models that write", "vllm", "fp32", FP32_TOLERANCE),
    )
}
_PACKAGES = {"torch": ("torch",), "onnx": ("onnxruntime", "onnx", "onnxscript"),
             "openvino": ("openvino", "onnx", "onnxscript"), "vllm": ("vllm",)}  # fmt: skip
_EXTRAS = ("openvino", "vllm")
_IMPORTED_AS = {"pillow": "PIL"}


def kind_of(name: str) -> Kind:
    """The facts of an engine.

    Raises
    ------
    BundleError [B030]
        There is no engine of this name.
    """
    if name not in KINDS:
        raise BundleError("B030", f'There is no engine "{name}".', f"Engines: {AUTO}, {', '.join(KINDS)}.")
    return KINDS[name]


def missing(kind: Kind) -> str:
    """Why the engine cannot run on this machine, or "" where it can."""
    absent = [package for package in _PACKAGES[kind.runtime] if not installed(package)]
    if absent:
        extra = f': pip install "honed[{absent[0]}]"' if absent[0] in _EXTRAS else ""
        return f"the package {absent[0]} is not installed{extra}"
    if kind.number_format == "bf16":
        from honed.networks.devices import best_device
        from honed.networks.precision import bf16_possible

        if not bf16_possible(best_device() if kind.runtime == "torch" else "cpu"):
            return "this machine has no bf16"
    return ""


@cache
def installed(package: str) -> bool:
    """Whether a package can be imported here, by its name or by the one it is installed under."""
    return importlib.util.find_spec(_IMPORTED_AS.get(package, package)) is not None


@cache
def has_fast_int8() -> bool:
    """True where the processor multiplies bytes without overflow (VNNI, AMX, or ARM's dot product)."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    flags = {word for line in text.splitlines() if line.startswith(("flags", "Features")) for word in line.split()}
    return bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"})
