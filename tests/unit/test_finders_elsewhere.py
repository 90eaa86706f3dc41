"""Detectors computed by other means: layers joined, on ONNX Runtime, and chosen among with numpy alone. The objects are equal."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from honed.errors import BundleError
from honed.networks.detection.canvas import Canvas
from honed.networks.detection.families.base import FamilyFinder
from honed.networks.detection.families.loading import rebuilt
from honed.networks.detection.packing import unpack
from honed.networks.detection.picture_finder import PictureFinder
from honed.networks.engine import NetworkPredictor
from honed.networks.gap import gap_between
from honed.networks.joined import joined
from honed.tasks.detection.judging import ObjectJudging
from tests.unit.test_finders import FAMILIES, KNOWN, SIZE, canvas
from tests.unit.test_finders import tiny_trunks as tiny_trunks

ON_ONNX = (
    "small", "torchvision maskrcnn", "torchvision retinanet", "torchvision fcos", "detectron retina", "detectron c4",
    "transformers detr", "transformers rt_detr_v2", "transformers d_fine",
)  # fmt: skip
"""At least one of every family; each takes seconds to be written."""
WITH_NUMPY = (
    "small", "torchvision retinanet", "torchvision fcos", "torchvision ssdlite", "detectron retina",
    "transformers detr", "transformers rt_detr_v2", "transformers d_fine", "transformers deformable",
    "torchvision fasterrcnn", "torchvision maskrcnn", "torchvision keypointrcnn", "detectron faster", "detectron mask",
)  # fmt: skip
ALIKE = ("torchvision retinanet", "torchvision ssdlite", "detectron retina")
CHOOSING = ("transformers rt_detr_v2", "transformers d_fine")
"""Their queries are the best places of the picture."""
NEAR = 1e-3
"""Sums in another order differ by 1e-5 of a score or a side."""


def network_of(name: str, size: tuple[int, int] = SIZE) -> PictureFinder:
    """A tiny random network whose normalisations do something and whose answers are not all alike."""
    torch.manual_seed(0)
    finder = rebuilt({**FAMILIES[name], "labels": list(KNOWN)}).eval()
    for part in finder.modules():
        if getattr(part, "running_var", None) is not None:
            nn.init.uniform_(part.running_var, 0.5, 2.0)  # type: ignore[arg-type]
            nn.init.uniform_(part.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
    layers = [*finder.head.modules(), getattr(finder.network, "objectness", finder.head)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.05)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if name in CHOOSING:
        told_apart(finder)
    return PictureFinder(finder, Canvas(*size), finder.has_masks).eval()


def told_apart(finder: FamilyFinder) -> None:
    """Weights and statistics with which a random network says different things of different places.

    As the library begins it, tiny and never trained, it says the same of all places to the last digit, and any of them may
    become queries.
    """
    for part in finder.modules():
        if isinstance(part, nn.Conv2d | nn.Linear) and part.weight.ndim > 1:
            nn.init.xavier_normal_(part.weight)
        if getattr(part, "running_var", None) is not None:
            nn.init.ones_(part.running_var)  # type: ignore[arg-type]
            nn.init.zeros_(part.running_mean)  # type: ignore[arg-type]
    norms = [part for part in finder.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.train()
    some = PictureFinder(finder, Canvas(*SIZE), False)
    with torch.no_grad():
        finder.parts(some.collate(some.encode(pictures(4)))["pixels"].float() / 255)
    finder.eval()


def pictures(n: int = 3) -> list[tuple[bytes]]:
    """Files of noise in blocks, of several sizes."""
    rng, found = np.random.default_rng(3), []
    for i in range(n):
        blocks = rng.integers(0, 255, (12 + 2 * i, 16, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(blocks.repeat(10, 0).repeat(10, 1)).save(stream, "PNG")
        found.append((stream.getvalue(),))
    return found


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_joined_layers_say_the_same(name: str, quick: bool) -> None:
    network = network_of(name)
    batch = {"pixels": (canvas() * 255).to(torch.uint8), "size": torch.tensor([SIZE, SIZE])}
    with torch.no_grad():
        wanted = network.for_engines(batch)
        twin = joined(network, batch, quick=quick)
        found = twin.for_engines(batch)
    assert gap_between(network.for_engines, found, wanted) <= NEAR
    norms = [sum(hasattr(part, "running_var") for part in one.modules()) for one in (network, twin)]
    assert norms[1] < norms[0] or norms[0] == 0
    with torch.no_grad():
        assert torch.equal(network.for_engines(batch), wanted), "the network itself was changed"


def test_what_is_more_than_a_factor_is_not_joined() -> None:
    class Sharp(nn.BatchNorm2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).relu()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(3, 16, 3), Sharp(16), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16))
            self.twice = nn.BatchNorm2d(16)

        def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            return self.twice(self.twice(self.layers(batch["x"])))

    batch = {"x": torch.rand(2, 3, 8, 8)}
    twin = joined(Net().eval(), batch)
    assert isinstance(twin.layers[1], Sharp) and isinstance(twin.layers[3], nn.Identity)
    assert isinstance(twin.twice, nn.BatchNorm2d)
    assert joined(nn.Sequential(nn.Linear(3, 3)), batch) is None


ON_CANVASES = [*((name, SIZE) for name in ON_ONNX), ("transformers rt_detr_v2", (96, 224))]


@pytest.mark.parametrize(("name", "size"), ON_CANVASES)
def test_onnx_runtime_finds_the_same_objects(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from honed.engines.onnx_runtime import OnnxRunner
    from honed.engines.predictor import EnginePredictor
    from honed.engines.to_onnx import export_network

    network = network_of(name, size)
    export_network(network, pictures(2), tmp_path / "model.onnx", with_features=False)
    engine = EnginePredictor(network, "onnx-fp32", OnnxRunner(tmp_path / "model.onnx"))
    for n in (1, 5):
        wanted = NetworkPredictor(network).outputs(pictures(n))
        assert unpack(wanted).there.sum() > 5
        assert ObjectJudging().differ(engine.outputs(pictures(n)), wanted) < NEAR


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Path]:
    """A folder that modules are imported from, and forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "objects":
            del sys.modules[name]


@pytest.mark.parametrize("name", WITH_NUMPY)
def test_numpy_chooses_the_same_objects(name: str, alone: Path) -> None:
    network = network_of(name)
    recipe = network.recipe()
    recipe.write(alone)
    space = {"np": np, "json": json, "sys": sys, "folder": str(alone)}
    exec(recipe.encode, space)
    batch = space["encode"](pictures())  # type: ignore[operator]
    wanted_batch = network.collate(network.encode(pictures()))
    np.testing.assert_array_equal(batch["pixels"], wanted_batch["pixels"].numpy())
    np.testing.assert_array_equal(batch["size"], wanted_batch["size"].numpy())
    with torch.no_grad():
        rows = network.for_engines(wanted_batch).numpy()
    if name in ALIKE:  # random ones say nearly the same of all anchors
        rows = np.random.default_rng(5).normal(scale=1.5, size=rows.shape).astype(np.float32)
    found, wanted = space["settle"](rows, batch), network.settle(rows, wanted_batch)  # type: ignore[operator]
    assert unpack(wanted).there.sum() > 5
    assert ObjectJudging().differ(found, wanted) < NEAR
    if network.with_masks:
        first, second = unpack(found), unpack(wanted)
        assert first.cells is not None and second.cells is not None and second.cells.any()
        assert (first.cells == second.cells).all(axis=-1)[second.there].mean() > 0.98, "cells on the edge may differ"


@pytest.mark.parametrize("name", ["transformers mask2former", "detectron c4"])
def test_families_that_need_their_library_say_so(name: str) -> None:
    with pytest.raises(BundleError, match="B034"):
        network_of(name).recipe()


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_of_numbers_hold_all_that_was_said(name: str) -> None:
    finder: FamilyFinder = network_of(name).finder
    with torch.no_grad():
        plain = finder.find(canvas(), least_score=0.0, most=10)
        again = finder.from_dense(finder.dense(canvas()), SIZE, least_score=0.0, most=10)
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one.boxes, other.boxes)
        torch.testing.assert_close(one.scores, other.scores)


def test_queries_count_whatever_their_order() -> None:
    network = network_of("transformers rt_detr_v2")
    with torch.no_grad():
        logits, boxes = network.finder.parts(canvas())
    rows, turned = (torch.cat([logits.flip(k).flatten(1), boxes.flip(k).flatten(1)], 1) for k in ((), (1,)))
    assert float((rows - turned).abs().max()) > 0.1
    assert gap_between(network.for_engines, turned, rows) == 0
    boxes[1, 3, 0] += 0.5
    off = torch.cat([logits.flatten(1), boxes.flatten(1)], 1)
    assert gap_between(network.for_engines, off, rows) > 0.01
    assert gap_between(network.for_engines, off[:1], rows) == float("inf")
