"""SqueezeNet in the layout of Deep Compression: written here by the paper's rules, read by Honed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.errors import ZooError
from honed.networks.pictures.backbones import load_backbone
from honed.zoo.deep_compression import layers, read_deep_compressed
from honed.zoo.legacy import converted_checkpoint

Array = np.ndarray[Any, np.dtype[Any]]


def compressed(weight: Array, values: Array) -> tuple[int, bytes, bytes]:
    """Number of told weights, their values, and the noughts before each; a gap of more than 15 is told in steps."""
    places, before = [], -1
    for place in np.flatnonzero(weight.reshape(-1)):
        while place - before > 16:
            before += 16
            places.append(before)
        places.append(int(place))
        before = int(place)
    gaps = np.diff([-1, *places]).astype(np.uint8) - 1
    codes = np.searchsorted(values, weight.reshape(-1)[places]).astype(np.uint8)
    halves = np.append(gaps, 0)[: len(gaps) + len(gaps) % 2]
    return len(places), codes.tobytes(), (halves[0::2] | halves[1::2] << 4).astype(np.uint8).tobytes()


def written(path: Path) -> dict[str, Array]:
    """A file of made-up weights, nine in ten nought; the weights."""
    draw, counts, parts, found = np.random.default_rng(0), [], [], {}
    for name, shape in layers().items():
        values = np.concatenate([[0.0], 0.05 + draw.random(255).cumsum() / 2000]).astype(np.float32)
        kept = draw.random(shape) < 0.1
        weight = np.where(kept, values[draw.integers(1, 256, shape)], 0).astype(np.float32)
        bias = draw.normal(size=shape[0]).astype(np.float32)
        count, codes, gaps = compressed(weight, values)
        counts.append(count)
        parts.append(values.tobytes() + bias.tobytes() + codes + gaps)
        found |= {f"{name}.weight": weight, f"{name}.bias": bias}
    path.write_bytes(np.array(counts, "<u4").tobytes() + b"".join(parts))
    return found


def test_weights_and_network_are_those_that_were_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    wanted = written(tmp_path / "small.net")
    found = read_deep_compressed(tmp_path / "small.net")
    assert len(layers()) == 26 and set(found) == set(wanted)
    assert all(np.array_equal(found[name].numpy(), value) for name, value in wanted.items())
    network = models.squeezenet1_0(weights=None).eval()
    network.load_state_dict(found)
    backbone = load_backbone(converted_checkpoint(tmp_path / "small.net"))
    pixels = torch.randn(1, 3, 100, 120)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.module(pixels), network.features(pixels).mean(dim=(2, 3)))
    how = backbone.preprocessing
    assert backbone.n_features == 512 and len(backbone.labels) == 1000 and backbone.labels[340] == "zebra"
    assert how.bgr and how.size == 227 and how.shift_and_factor == ((104.0, 117.0, 123.0), (1.0, 1.0, 1.0))
    assert backbone.head is not None and torch.equal(backbone.head[0], found["classifier.1.weight"][:, :, 0, 0])


def test_damaged_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "small.net"
    written(path)
    whole = path.read_bytes()
    many = np.array([10**9, *np.frombuffer(whole[4:104], "<u4")], "<u4").tobytes() + whole[104:]
    start = 104 + 1024 + 4 * 96
    count = int(np.frombuffer(whole[:4], "<u4")[0])
    far = whole[: start + count] + b"\xff" * (-(-count // 2)) + whole[start + count + -(-count // 2) :]
    for data in (b"", whole[:50], whole[:-1], whole + b"\x00", many, far):
        path.write_bytes(data)
        with pytest.raises(ZooError, match="Z031"):
            read_deep_compressed(path)
