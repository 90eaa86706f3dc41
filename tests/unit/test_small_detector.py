"""The small backbone and the small detector: shapes, assignment, losses, learning, weights that come with Honed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import honed
from honed.errors import ZooError
from honed.networks.detection.assign import assign, overlaps
from honed.networks.detection.decode import found_objects
from honed.networks.detection.families.loading import load_finder
from honed.networks.detection.families.small import build_small
from honed.networks.detection.found import Found
from honed.networks.detection.losses import detector_loss, generalised_overlaps
from honed.networks.detection.small_detector import STRIDES, Seen, SmallDetector, padded
from honed.networks.detection.truth import Objects, Truth
from honed.networks.pictures.small_backbone import SmallBackbone
from honed.scenes import render_scene

CARRIED = Path(honed.__file__).parent / "zoo" / "own_weights"
DETECTOR = CARRIED / "honed-detector-small"


def tiny(n_classes: int = 3) -> SmallDetector:
    torch.manual_seed(0)
    return SmallDetector(n_classes, SmallBackbone((16, 16, 32, 32, 64), (0, 1, 1, 1, 1)), width=32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny random detector in hub format, half precision."""
    network = tiny()
    config = {
        "model_type": "honed-small-detector", "labels": ["cat", "dog", "cow"], "width": 32, "depth": 2,
        "backbone": {"widths": network.backbone.widths, "depths": network.backbone.depths},
        "preprocessing": {"mean": [0.5] * 3, "std": [0.25] * 3},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    save_file(weights, tmp_path / "model.safetensors")
    return tmp_path


def normalised(picture: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255 - 0.5) / 0.25


def asked(network: SmallDetector, pictures: list[np.ndarray], **options: float) -> list[Found]:
    """Objects of pictures of several sizes."""
    with torch.no_grad():
        seen = network.eval()(padded([normalised(picture) for picture in pictures]))
    return found_objects(seen, [picture.shape[:2] for picture in pictures], **options)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (128, 192), (224, 224), (97, 131)])
def test_the_maps_of_the_backbone(height: int, width: int) -> None:
    backbone = SmallBackbone()
    maps = backbone.maps(torch.zeros(2, 3, height, width))
    for level, found in enumerate(maps):
        step = 2 ** (level + 1)
        assert found.shape == (2, backbone.widths[level], -(-height // step), -(-width // step))
    assert backbone(torch.zeros(2, 3, height, width)).shape == (2, backbone.n_features)
    assert sum(p.numel() for p in backbone.parameters()) < 2_000_000


def test_a_stage_that_is_one_block_wide_and_a_stage_of_none() -> None:
    assert [len(stage) for stage in SmallBackbone((8, 8, 16), (0, 2, 1)).stages] == [0, 2, 1]


@pytest.mark.parametrize("size", [(128, 128), (192, 320), (800, 768)])
def test_what_the_detector_says(size: tuple[int, int]) -> None:
    network = SmallDetector(5).eval()
    with torch.no_grad():
        seen = network(padded([torch.zeros(3, *size)]))
    height, width = (-(-length // 64) * 64 for length in size)
    places = sum((height // stride) * (width // stride) for stride in STRIDES)
    assert seen.objectness.shape == (1, places)
    assert seen.classes.shape == (1, places, 5)
    assert seen.boxes.shape == (1, places, 4)
    assert (seen.boxes[..., 2:] > seen.boxes[..., :2]).all()
    assert seen.centres.shape == (places, 2)
    assert sum(p.numel() for p in network.parameters()) < 4_000_000


def test_padding_gives_the_mean_colour_below_and_to_the_right() -> None:
    batch = padded([torch.ones(3, 50, 70), torch.ones(3, 64, 64)])
    assert batch.shape == (2, 3, 64, 128)
    assert batch[0].sum() == 3 * 50 * 70


def places(boxes: list[list[float]], objectness: list[float]) -> Seen:
    where = torch.tensor(boxes, dtype=torch.float32)
    return Seen(
        torch.tensor([objectness]), torch.zeros(1, len(boxes), 2), where[None], (where[:, :2] + where[:, 2:]) / 2,
        torch.zeros(1, len(boxes), 4),
    )  # fmt: skip


def test_each_object_takes_the_places_whose_boxes_fit_best() -> None:
    seen = places([[0, 0, 20, 20], [0, 0, 18, 20], [50, 50, 70, 70], [200, 200, 210, 210]], [0.0, 0.0, 0.0, 3.0])
    truth = Truth.of([Objects(torch.tensor([[0.0, 0, 20, 20], [50.0, 50, 70, 70]]), torch.tensor([0, 1]))])
    found = assign(seen, truth.boxes, truth.real)
    assert found.object[0, :3].tolist() == [0, 0, 1]
    assert found.quality[0, 0] == pytest.approx(1.0)
    assert 0 < found.quality[0, 1] < found.quality[0, 0]
    assert found.quality[0, 3] == 0


def test_a_picture_without_objects_teaches_background_alone() -> None:
    network = tiny().train()
    empty = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    parts = detector_loss(network(torch.randn(2, 3, 64, 64)), Truth.of([empty, empty]))
    told = {name: float(part.detach()) for name, part in parts.items()}
    assert told["sides"] == told["classes"] == 0.0
    assert told["objectness"] > 0


def test_overlaps_against_torchvision() -> None:
    from torchvision.ops import box_iou, generalized_box_iou

    corners = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * 50
    sizes = torch.rand(40, 2, generator=torch.Generator().manual_seed(1)) * 50 + 1
    boxes = torch.cat([corners, corners + sizes], dim=1)
    torch.testing.assert_close(overlaps(boxes[:, None], boxes[None]), box_iou(boxes, boxes))
    torch.testing.assert_close(generalised_overlaps(boxes, boxes.flip(0)), generalized_box_iou(boxes, boxes.flip(0)).diag())  # fmt: skip


def test_one_box_an_object_and_none_outside_the_picture() -> None:
    seen = places([[0, 0, 20, 20], [1, 0, 20, 20], [60, 60, 120, 140]], [2.0, 1.0, 1.5])
    found = found_objects(seen, [(100, 90)])[0]
    assert len(found.boxes) == 2
    assert found.boxes[1].tolist() == [60, 60, 90, 100]
    assert (found.scores[:-1] >= found.scores[1:]).all()
    assert len(found_objects(seen, [(100, 90)], least_score=0.99)[0].boxes) == 0


def test_the_loss_reaches_every_weight() -> None:
    network = tiny().train()
    pictures = torch.randn(2, 3, 192, 192)
    boxes = torch.tensor([[8.0, 8, 30, 30], [10.0, 10, 60, 60], [10.0, 10, 120, 120], [0.0, 0, 190, 190]])
    sum(detector_loss(network(pictures), Truth.of([(boxes, torch.tensor([0, 1, 2, 0]))] * 2)).values()).backward()  # type: ignore[union-attr]
    bare = [name for name, p in network.named_parameters() if p.grad is None]
    assert bare == []


def test_four_scenes_are_learnt_by_heart() -> None:
    """A tiny detector finds again what it has seen in seconds."""
    kinds = ("ellipse", "star", "box")
    drawn = [render_scene(np.random.default_rng(seed), (128, 128), kinds, "alone") for seed in range(4)]
    batch = padded([normalised(picture) for picture, _ in drawn])
    targets = [
        (torch.tensor([item.box_xyxy for item in objects]), torch.tensor([kinds.index(item.label) for item in objects]))
        for _, objects in drawn
    ]
    network = tiny().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(120):
        loss = torch.stack(list(detector_loss(network(batch), Truth.of(targets)).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = found_objects(network(batch), [(128, 128)] * 4, least_score=0.3)
    for some, (boxes, labels) in zip(found, targets, strict=True):
        fit, place = overlaps(boxes[:, None], some.boxes[None]).max(dim=1)
        assert fit.min() > 0.7
        assert (some.labels[place] == labels).all()


def test_the_carried_detector_finds_objects_of_kinds_it_never_saw() -> None:
    ready = load_finder(DETECTOR).network  # type: ignore[attr-defined]
    hit = total = 0
    for seed in range(12):
        picture, objects = render_scene(np.random.default_rng((50, seed)), (192, 192), ("heart", "key", "mug", "fish"))
        found = asked(ready, [picture], by_class=False, least_score=0.1)[0]
        boxes = torch.tensor([item.box_xyxy for item in objects]).reshape(-1, 4)
        if len(boxes) and len(found.boxes):
            hit += int((overlaps(boxes[:, None], found.boxes[None]).amax(dim=1) > 0.5).sum())
        total += len(boxes)
    assert hit / total > 0.5


def test_a_detector_read_from_a_folder_says_the_same(folder: Path) -> None:
    ready = load_finder(folder)
    pictures = [render_scene(np.random.default_rng(seed), (128, 64))[0] for seed in range(2)]
    canvas = torch.stack([torch.from_numpy(picture.copy()).permute(2, 0, 1) for picture in pictures]) / 255
    found = ready.find(canvas, least_score=0.0, most=20)
    for some, expected in zip(found, asked(tiny().half().float(), pictures, least_score=0.0, most=20), strict=True):
        torch.testing.assert_close(some.scores, expected.scores)


def test_new_labels_keep_the_rows_of_known_ones(folder: Path) -> None:
    ready = load_finder(folder)
    before = ready.head.weight.detach().clone()  # type: ignore[operator]
    other = ready.for_labels(["pallet", "cow"], seed=0)
    assert other.labels == ("pallet", "cow")
    assert torch.equal(other.head.weight[1], before[2])  # type: ignore[index]
    assert float(other.head.weight[0].detach().abs().max()) == 0.0  # type: ignore[index]
    assert build_small(other.config()).head.out_channels == 2


def test_places_in_a_crowd_teach_nothing() -> None:
    seen = places([[0, 0, 20, 20], [50, 50, 70, 70], [52, 52, 68, 68]], [0.0, 3.0, 3.0])
    first = places([[0, 0, 20, 20]], [0.0])
    boxes, labels = torch.tensor([[0.0, 0, 20, 20], [45.0, 45, 75, 75]]), torch.tensor([0, 1])
    found = detector_loss(seen, Truth.of([Objects(boxes, labels, crowd=torch.tensor([False, True]))]))
    assert found == detector_loss(first, Truth.of([Objects(boxes[:1], labels[:1])]))


def test_a_missing_tensor_is_told(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("sides.bias")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ZooError, match=r"sides\.bias"):
        load_finder(folder)


def test_the_carried_weights_are_small_and_say_their_licence() -> None:
    assert sum(path.stat().st_size for path in CARRIED.rglob("*") if path.is_file()) < 10_000_000
    assert "license: apache-2.0" in (DETECTOR / "README.md").read_text()
    assert (DETECTOR / "log.csv").read_text().startswith("seconds,")
