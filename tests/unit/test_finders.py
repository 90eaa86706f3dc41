"""Every family of detectors keeps the promises of a finder; tiny random networks stand for their big relatives."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision import models
from torchvision.models.resnet import BasicBlock, ResNet

from honed.errors import ZooError
from honed.networks.detection.assign import overlaps
from honed.networks.detection.families.base import FamilyFinder, without_crowds
from honed.networks.detection.families.loading import can_load, load_finder, rebuilt
from honed.networks.detection.families.queries import found_masks
from honed.networks.detection.families.torchvision_files import as_torchvision
from honed.networks.detection.mask_cells import MASK_SIDE
from honed.networks.detection.truth import Objects, Truth
from honed.networks.detectron.detector import ReadyDetector
from honed.networks.detectron.settings import DetectronSettings
from honed.scenes import render_scene
from honed.zoo.coco_labels import COCO
from honed.zoo.pictures import object_base

KNOWN = ("cat", "dog", "cow")
SIZE = (128, 128)
RESNET = {
    "model_type": "rt_detr_resnet", "embedding_size": 8, "hidden_sizes": [8, 16, 16, 32], "depths": [1, 1, 1, 1],
    "layer_type": "basic", "out_features": ["stage2", "stage3", "stage4"],
}  # fmt: skip
DETR = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 20,
    "id2label": dict(enumerate(KNOWN)), "label2id": {name: i for i, name in enumerate(KNOWN)},
}  # fmt: skip
PLAIN_RESNET = {**RESNET, "model_type": "resnet", "out_features": ["stage4"]}
REAL_TIME = {
    **DETR, "encoder_hidden_dim": 32, "encoder_in_channels": [16, 16, 32], "decoder_in_channels": [32, 32, 32],
    "backbone_config": RESNET, "num_denoising": 10,
}  # fmt: skip
SWIN = {
    "model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}  # fmt: skip
HGNET = {
    "model_type": "hgnet_v2", "stem_channels": [3, 8, 8], "stage_in_channels": [8, 16, 16, 16],
    "stage_mid_channels": [8, 8, 8, 8], "stage_out_channels": [16, 16, 16, 32], "stage_num_blocks": [1, 1, 1, 1],
    "stage_downsample": [False, True, True, True], "stage_light_block": [False, False, True, True],
    "stage_kernel_size": [3, 3, 3, 3], "stage_numb_of_layers": [1, 1, 1, 1], "embedding_size": 8,
    "hidden_sizes": [16, 16, 16, 32], "depths": [1, 1, 1, 1], "out_features": ["stage2", "stage3", "stage4"],
}  # fmt: skip
FAMILIES: dict[str, dict[str, object]] = {
    "small": {
        "family": "honed-small-detector", "width": 32, "depth": 1, "masks": True,
        "backbone": {"widths": [16, 16, 32, 32, 32], "depths": [0, 1, 1, 1, 1]},
    },
    **{
        f"torchvision {name}": {"family": "torchvision", "architecture": f"{name}_resnet50_fpn", "norm_eps": 1e-5}
        for name in ("fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet", "fcos")
    },
    "torchvision ssdlite": {"family": "torchvision", "architecture": "ssdlite320_mobilenet_v3_large"},
    **{
        f"detectron {name}": DetectronSettings(
            blocks=(1, 1, 1, 1), group_width=8, stem_width=8, res2_width=16, width=16, hidden=16, mask_width=16, **facts
        ).as_dict() | {"model_type": "honed-detectron"}
        for name, facts in {
            "faster": {}, "mask": {"masks": True}, "retina": {"kind": "retinanet"}, "c4": {"trunk": "c4", "masks": True},
        }.items()
    },
    "transformers rt_detr_v2": {"model_type": "rt_detr_v2", **REAL_TIME},
    "transformers d_fine": {"model_type": "d_fine", **REAL_TIME, "backbone_config": HGNET, "eval_idx": -1},
    "transformers detr": {"model_type": "detr", **DETR, "backbone_config": PLAIN_RESNET, "use_timm_backbone": False},
    "transformers conditional": {
        "model_type": "conditional_detr", **DETR, "backbone_config": PLAIN_RESNET, "use_timm_backbone": False,
    },
    "transformers deformable": {
        "model_type": "deformable_detr", **DETR, "backbone_config": {**RESNET, "model_type": "resnet"},
        "use_timm_backbone": False, "num_feature_levels": 4,
    },
    "transformers mask2former": {
        "model_type": "mask2former", "backbone_config": SWIN, "feature_size": 32, "mask_feature_size": 32,
        "hidden_dim": 32, "encoder_feedforward_dim": 32, "dim_feedforward": 32, "encoder_layers": 1,
        "decoder_layers": 2, "num_attention_heads": 2, "num_queries": 10, "train_num_points": 256,
        **{name: DETR[name] for name in ("id2label", "label2id")},
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def tiny_trunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's builders know no smaller trunk than ResNet-50."""
    from torchvision.models.detection import faster_rcnn, fcos, keypoint_rcnn, mask_rcnn, retinanet
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    def tiny(*, weights: None, norm_layer: Callable[[int], torch.nn.Module] | None = None, **options: object) -> ResNet:
        return ResNet(BasicBlock, [1, 1, 1, 1], norm_layer=norm_layer)

    for module in (faster_rcnn, fcos, keypoint_rcnn, mask_rcnn, retinanet):
        monkeypatch.setattr(module, "resnet50", tiny)
    monkeypatch.setattr(retinanet, "LastLevelP6P7", lambda _, width: LastLevelP6P7(512, width))


@pytest.fixture(params=list(FAMILIES))
def finder(request: pytest.FixtureRequest) -> FamilyFinder:
    torch.manual_seed(0)
    return rebuilt({**FAMILIES[request.param], "labels": list(KNOWN)}).eval()


def canvas(n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def truth() -> Truth:
    """Two objects on the first picture, none on the second."""
    masks = torch.full((2, MASK_SIDE, MASK_SIDE), 255, dtype=torch.uint8)
    masks[0, :20] = 0
    some = Objects(torch.tensor([[10.0, 12, 70, 90], [80.0, 40, 120, 100]]), torch.tensor([0, 1]), masks)
    none = Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), masks[:0])
    return Truth.of([some, none])


def test_what_it_finds_lies_on_the_canvas(finder: FamilyFinder) -> None:
    for found in finder.find(canvas(), least_score=0.0, most=15):
        assert 0 < len(found.boxes) <= 15
        assert (found.boxes >= 0).all() and (found.boxes <= torch.tensor([SIZE[1], SIZE[0]] * 2)).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert (found.scores[:-1] >= found.scores[1:]).all()
        assert ((found.labels >= 0) & (found.labels < len(KNOWN))).all()
        assert (found.masks is not None) == finder.has_masks
        assert found.masks is None or found.masks.shape == (len(found.boxes), 28, 28)
    assert all(len(found.boxes) == 0 for found in finder.find(canvas(), least_score=1.1, most=15))


def test_a_picture_does_not_depend_on_its_neighbour(finder: FamilyFinder) -> None:
    together = finder.find(canvas(), least_score=0.0, most=5)
    for picture, found in zip(canvas(), together, strict=True):
        alone = finder.find(picture[None], least_score=0.0, most=5)[0]
        torch.testing.assert_close(alone.scores, found.scores, atol=1e-5, rtol=1e-4)


def test_the_loss_reaches_the_head_and_the_backbone(finder: FamilyFinder) -> None:
    parts = finder.train().losses(canvas(), truth())
    assert all(torch.isfinite(part) for part in parts.values())
    sum(parts.values()).backward()  # type: ignore[union-attr]
    for module in (finder.head, finder.backbone):
        assert any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in module.parameters())


def test_pictures_without_objects_and_losses_in_evaluation(finder: FamilyFinder) -> None:
    none = truth()._replace(real=torch.zeros(2, 2, dtype=torch.bool))
    assert all(torch.isfinite(part) for part in finder.train().losses(canvas(), none).values())
    before = {name: value.clone() for name, value in finder.eval().network.state_dict().items()}
    with torch.no_grad():
        assert all(torch.isfinite(part) for part in finder.losses(canvas(), truth()).values())
    assert not finder.network.training
    assert all(torch.equal(value, before[name]) for name, value in finder.network.state_dict().items())


def test_rows_of_known_names_stay(finder: FamilyFinder) -> None:
    """The same classes in another order, and one more that is new, give the old ones the same scores."""
    before = finder.find(canvas(), least_score=0.0, most=40)
    kept = finder.for_labels(["cow", "dog", "cat"], seed=0)
    assert kept is finder and finder.labels == ("cow", "dog", "cat") and finder.known == KNOWN
    for old, new in zip(before, finder.find(canvas(), least_score=0.0, most=40), strict=True):
        torch.testing.assert_close(new.scores, old.scores, atol=1e-5, rtol=1e-4)
    finder.for_labels(["dog", "pallet"], seed=0)
    assert all((found.labels < 2).all() for found in finder.find(canvas(), least_score=0.0, most=50))
    assert rebuilt(finder.config()).labels == ("dog", "pallet")


def test_fresh_rows_follow_the_seed(finder: FamilyFinder) -> None:
    state = torch.random.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        other = rebuilt(finder.config())
        other.network.load_state_dict(finder.network.state_dict())
        torch.random.set_rng_state(state)
        other.for_labels(["pallet"], seed=seed)
        weights.append(torch.cat([p.detach().flatten() for p in other.head.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(torch.random.get_rng_state(), state)
    if finder.family != "honed-small-detector":
        assert not torch.equal(weights[0], weights[2])


def test_saved_and_reloaded_it_finds_the_same(finder: FamilyFinder, tmp_path: Path) -> None:
    finder.for_labels(["dog", "pallet"], seed=0).save(tmp_path)
    again = load_finder(tmp_path)
    assert (again.labels, again.known, again.has_masks) == (("dog", "pallet"), KNOWN, finder.has_masks)
    json.dumps(again.config(), allow_nan=False)
    assert again.config() == finder.config()
    for old, new in zip(
        finder.find(canvas(), least_score=0.0, most=20), again.find(canvas(), least_score=0.0, most=20), strict=True
    ):
        for one, other in zip(old, new, strict=True):
            torch.testing.assert_close(one, other)
    second = rebuilt(json.loads(json.dumps(finder.config())))
    second.load_state_dict(finder.state_dict())
    torch.testing.assert_close(second.eval().seen(canvas()), finder.seen(canvas()))
    assert finder.seen(canvas()).shape[0] == 2 and finder.seen(canvas()).ndim == 2


@pytest.mark.parametrize("name", ["small", "torchvision fcos", "detectron retina", "transformers rt_detr_v2"])
def test_weights_that_do_not_fit_are_told(name: str, tmp_path: Path) -> None:
    finder = rebuilt({**FAMILIES[name], "labels": list(KNOWN)})
    finder.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    some = next(key for key, value in weights.items() if value.ndim == 4)
    save_file({**weights, some: weights[some][:1]}, tmp_path / "model.safetensors")
    with pytest.raises(ZooError, match="Z016"):
        load_finder(tmp_path)
    weights.pop(some)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ZooError, match="Z016.*" + re.escape(some.rpartition(".")[2])):
        load_finder(tmp_path)


def test_what_is_no_detector_is_told(tmp_path: Path) -> None:
    for config in (
        {"model_type": "bert"}, {"architecture": "resnet50"}, {"family": "torchvision", "architecture": "resnet50"},
        {"model_type": "detr", "auto_map": {"AutoModel": "theirs.py"}}, {"model_type": "pp_doclayout_v3"}, {},
    ):  # fmt: skip
        assert not can_load(config)
        with pytest.raises(ZooError, match="Z014"):
            rebuilt(config)
    with pytest.raises(ZooError, match="Z011"):
        load_finder(tmp_path)
    (tmp_path / "config.json").write_text('{"architecture": "resnet50"}')
    with pytest.raises(ZooError, match="Z014"):
        object_base(tmp_path)
    (tmp_path / "config.json").write_text("[1")
    with pytest.raises(ZooError, match="Z016"):
        load_finder(tmp_path)


def test_crowds_are_covered_but_not_the_objects_on_them() -> None:
    boxes = torch.tensor([[2.0, 2, 8, 8], [0.0, 0, 10, 10]])
    truth = Truth.of([Objects(boxes, torch.tensor([0, 1]), crowd=torch.tensor([False, True]))])
    pixels, left = without_crowds(torch.ones(1, 3, 16, 16), truth, (0.2, 0.3, 0.4))
    assert left.real.tolist() == [[True, False]] and left.crowd is None
    assert torch.equal(pixels[0, :, 0, 0], torch.tensor([0.2, 0.3, 0.4]))
    assert (pixels[0, :, 2:8, 2:8] == 1).all() and (pixels[0, :, 10:] == 1).all() and (pixels[0, :, :2, :10] < 1).all()


def test_no_object_of_a_crowd_is_learnt(finder: FamilyFinder) -> None:
    """With all objects crowds, it is of no matter what they are called."""
    crowds = truth()._replace(crowd=torch.ones(2, 2, dtype=torch.bool))
    again = copy.deepcopy(finder)
    torch.manual_seed(0)
    parts = finder.losses(canvas(), crowds)
    torch.manual_seed(0)
    assert parts == again.losses(canvas(), crowds._replace(labels=crowds.labels + 1))


@pytest.mark.parametrize("name", ["torchvision maskrcnn", "detectron mask", "small"])
def test_a_network_of_outlines_learns_boxes_alone(name: str) -> None:
    finder = rebuilt({**FAMILIES[name], "labels": list(KNOWN)}).train()
    parts = finder.losses(canvas(), truth()._replace(masks=None))
    assert all(torch.isfinite(part) for part in parts.values())
    assert not any("mask" in part for part in parts if float(parts[part].detach()) != 0)


@pytest.mark.parametrize("architecture", ["fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet", "fcos"])
def test_a_checkpoint_of_torchvision_finds_what_the_library_finds(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    n_classes = 2 if architecture == "keypointrcnn" else 91
    torch.manual_seed(0)
    theirs = models.get_model(
        f"{architecture}_resnet50_fpn", weights=None, weights_backbone=None, num_classes=n_classes, min_size=SIZE[0]
    ).eval()
    weights = {name: value for name, value in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "theirs.pth")
    for part in theirs.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eps = 1e-5 if architecture == "fcos" else 0.0
    finder = load_finder(tmp_path / "theirs.pth")
    names = models.get_model_weights(f"{architecture}_resnet50_fpn")["COCO_V1"].meta["categories"]
    assert finder.known == (("person",) if n_classes == 2 else COCO)
    owner = getattr(theirs, "roi_heads", theirs)
    owner.score_thresh, owner.detections_per_img = 0.0, 20
    with torch.no_grad():
        expected = theirs(list(canvas()))
    for one, found in zip(expected, finder.find(canvas(), least_score=0.0, most=20), strict=True):
        some = ((one["boxes"][:, 2:] - one["boxes"][:, :2]) > 1e-3).all(dim=1)
        torch.testing.assert_close(found.scores, one["scores"][some])
        torch.testing.assert_close(found.boxes, one["boxes"][some], atol=1e-3, rtol=1e-4)
        assert [finder.labels[i] for i in found.labels] == [names[i] for i in one["labels"][some]]


def test_every_detector_of_torchvision_is_recognised() -> None:
    names = models.list_models(module=models.detection)
    assert len(names) == 12
    for name in names:
        with torch.device("meta"):
            theirs = models.get_model(name, weights=None, weights_backbone=None)
        known = as_torchvision(theirs.state_dict())
        assert known is not None
        assert known[0]["architecture"] == name.replace("_320", "")
        assert ("person" in known[0]["known"]) and "N/A" not in known[0]["known"]
        tensors = dict(theirs.state_dict())
        tensors.pop(next(key for key in tensors if key.startswith("backbone.") and key.endswith("weight")))
        assert as_torchvision(tensors) is None
    assert as_torchvision({"fc.weight": torch.zeros(2, 2)}) is None


@pytest.mark.parametrize("name", ["rt_detr_v2", "d_fine", "detr", "conditional", "deformable"])
def test_boxes_are_those_of_the_library(name: str) -> None:
    from transformers import ConditionalDetrImageProcessor, DetrImageProcessor, RTDetrImageProcessor

    torch.manual_seed(0)
    finder = rebuilt({**FAMILIES[f"transformers {name}"]}).eval()
    many = {"top_k": 20} if name in ("conditional", "deformable") else {}
    reader = {"detr": DetrImageProcessor, "rt_detr_v2": RTDetrImageProcessor, "d_fine": RTDetrImageProcessor}
    with torch.no_grad():
        told = finder.network(pixel_values=finder.normalised(canvas()))
    post = reader.get(name, ConditionalDetrImageProcessor)().post_process_object_detection
    expected = post(told, threshold=0.0, target_sizes=[SIZE] * 2, **many)
    for one, found in zip(expected, finder.find(canvas(), least_score=0.0, most=20), strict=True):
        order = one["scores"].argsort(descending=True)
        torch.testing.assert_close(found.scores, one["scores"][order][: len(found.scores)])
        limit = one["boxes"][order][: len(found.boxes)].clamp(0, SIZE[0])
        torch.testing.assert_close(found.boxes.sum(0), limit.sum(0), atol=1e-2, rtol=1e-4)


def test_the_library_reads_what_is_saved(tmp_path: Path) -> None:
    from transformers import AutoModelForObjectDetection

    finder = rebuilt(FAMILIES["transformers rt_detr_v2"]).eval()
    finder.save(tmp_path)
    theirs = AutoModelForObjectDetection.from_pretrained(tmp_path, local_files_only=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(canvas()).logits, finder.network(canvas()).logits)


def test_the_mask_of_a_query_lies_where_its_map_says() -> None:
    masks = torch.full((1, 32, 32), -9.0)
    masks[0, 8:16, 4:20] = 9.0
    masks[0, 8:12, 4:12] = -9.0
    found = found_masks(torch.tensor([[0.0, 9.0, 0.0]]), masks, SIZE, 0.5, 10)
    assert found.labels.tolist() == [1]
    torch.testing.assert_close(found.boxes, torch.tensor([[16.0, 32, 80, 64]]), atol=2.5, rtol=0)
    assert found.masks is not None and found.masks.shape == (1, 28, 28)
    share = (found.masks[0] > 0.5).float()
    assert share[:11, :11].mean() < 0.1 and share[16:].mean() > 0.9 and share[:, 16:].mean() > 0.9


def test_a_detector_of_the_zoo_finds_the_same_as_before() -> None:
    torch.manual_seed(0)
    finder = rebuilt({**FAMILIES["detectron mask"], "labels": list(KNOWN), "short": SIZE[0], "least_score": 0.0}).eval()
    picture = render_scene(np.random.default_rng(0), SIZE)[0]
    expected = ReadyDetector(finder.network, KNOWN).find([picture])[0]
    found = finder.find(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255, least_score=0.0, most=100)[0]
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.boxes, expected.boxes, atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize(("name", "steps", "rate"), [("small", 100, 3e-3), ("torchvision fcos", 80, 1e-3)])
def test_two_scenes_are_learnt_by_heart(name: str, steps: int, rate: float) -> None:
    kinds = ("ellipse", "star", "box")
    drawn = [render_scene(np.random.default_rng(seed), SIZE, kinds, "alone") for seed in range(2)]
    pixels = torch.stack([torch.from_numpy(picture.copy()).permute(2, 0, 1) for picture, _ in drawn]) / 255
    boxes = [torch.tensor([item.box_xyxy for item in objects]) for _, objects in drawn]
    labels = [torch.tensor([kinds.index(item.label) for item in objects]) for _, objects in drawn]
    torch.manual_seed(0)
    finder = rebuilt({**FAMILIES[name], "norm_eps": None, "masks": False, "labels": list(kinds)}).train()
    optimizer = torch.optim.AdamW(finder.parameters(), lr=rate)
    for _ in range(steps):
        loss = torch.stack(list(finder.losses(pixels, Truth.of(list(zip(boxes, labels, strict=True)))).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for found, box, label in zip(finder.find(pixels, least_score=0.3, most=20), boxes, labels, strict=True):
        same = found.labels[None] == label[:, None]
        fit = overlaps(box[:, None], found.boxes[None]) * same
        assert fit.amax(dim=1).min() > 0.6
