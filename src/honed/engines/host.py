"""This machine as an engine sees it, and where prepared engines are kept."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from honed.resources import cpu_count

PACKAGES = ("honed", "torch", "onnx", "onnxscript", "onnxruntime", "openvino", "vllm")


def cpu_name() -> str:
    """The processor's name, with the number of cores this process may use."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.machine()}, {cpu_count()} cores"


def versions() -> dict[str, str]:
    """Versions of all that has a part in an engine; absent packages are left out."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def host_key() -> str:
    """Sixteen letters for processor, graphics card and versions: what was measured on one host says nothing about another."""
    from honed.networks.devices import card_name

    return short(repr((cpu_name(), _flags(), card_name(), sorted(versions().items()))))


def cache_folder() -> Path:
    """Where prepared engines are kept: HONED_HOME/engines, or the user's cache folder."""
    home = os.environ.get("HONED_HOME")
    if home:
        return Path(home) / "engines"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "honed" / "engines"


def digest_of(network: Any) -> str:
    """Sixteen letters for a network: its weights, its structure, and the versions that write it out."""
    digest = hashlib.sha256(repr(network).encode())
    _add_weights(digest, network)
    digest.update(repr(sorted(versions().items())).encode())
    return digest.hexdigest()[:16]


def weights_digest(network: Any) -> str:
    """Sixteen letters for the weights of a network alone, the same on every machine and with all versions."""
    digest = hashlib.sha256()
    _add_weights(digest, network)
    return digest.hexdigest()[:16]


def _add_weights(digest: Any, network: Any) -> None:
    for name, value in sorted(network.state_dict().items()):
        tensor = value.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(memoryview(tensor.reshape(-1).view(_bytes_type()).numpy()))


def _bytes_type() -> Any:
    import torch

    return torch.uint8


def _flags() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def short(text: str) -> str:
    """Sixteen letters for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
