"""Detectors of the Detectron family: equal to Detectron2's own answers, read from its files, able to learn."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from honed.errors import ZooError
from honed.networks.detection.families.detectron import DetectronFinder
from honed.networks.detectron.boxes import cell_anchors, clip, decode, encode, grid_anchors, overlaps
from honed.networks.detectron.detector import KIND, Network, ReadyDetector, build_detector, load_detector
from honed.networks.detectron.found import Found, Target
from honed.networks.detectron.mask_head import cut_masks, paste_masks
from honed.networks.detectron.matching import match, sample
from honed.networks.detectron.pictures import as_read, in_pixels_of, padded, read_size, to_tensor
from honed.networks.detectron.pooling import levels
from honed.networks.detectron.settings import DetectronSettings
from honed.zoo.legacy import converted_checkpoint
from tests.detectron_cases import CASES, TINY, made, objects, picture

ANSWERS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "detectron2_answers.json").read_text())
"""Written by ``benchmarks/peers/detectron2_outputs.py`` with Detectron2 itself."""
NEAR = 1e-3
"""Pixels, and shares of 1: rounding of the file and of other processors; a wrong step of the work makes whole pixels."""


def settings_of(name: str) -> DetectronSettings:
    return DetectronSettings.from_dict({**TINY, **CASES[name]})


def network_of(name: str) -> Network:
    settings = settings_of(name)
    network = build_detector(settings)
    weights = {key: made(key, tuple(value.shape), settings.std[0]) for key, value in network.state_dict().items()}
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return network.eval()


def detector_of(name: str) -> ReadyDetector:
    return ReadyDetector(network_of(name), tuple("abcde"))


def pixels_of(settings: DetectronSettings) -> torch.Tensor:
    """The picture as it is, normalised and padded, not resized."""
    return padded([to_tensor(picture(), settings)], settings.multiple)


def targets_of(settings: DetectronSettings) -> list[Target]:
    boxes, labels, masks = objects(*picture().shape[:2], settings.n_classes)
    return [Target(torch.from_numpy(boxes), torch.from_numpy(labels), torch.from_numpy(masks))]


def test_all_cases_have_answers() -> None:
    assert set(ANSWERS) == set(CASES) and len(CASES) == 10
    assert {row["file"].rpartition(".")[2] for row in ANSWERS.values()} == {"pkl", "pth"}


@pytest.mark.parametrize("name", CASES)
def test_objects_are_those_of_detectron2(name: str) -> None:
    wanted = ANSWERS[name]
    assert {**TINY, **CASES[name]} == wanted["case"]
    found = detector_of(name).find([picture()])[0]
    assert len(found.scores) == len(wanted["scores"]) == 20
    assert found.labels.tolist() == wanted["labels"]
    np.testing.assert_allclose(found.scores.numpy(), wanted["scores"], atol=NEAR)
    np.testing.assert_allclose(found.boxes.numpy(), wanted["boxes"], atol=NEAR)
    assert (found.masks is not None) == ("masks" in wanted)
    if found.masks is not None:
        bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(wanted["masks"])), np.uint8))
        masks = bits[: found.masks.numel()].reshape(found.masks.shape).astype(bool)
        assert masks.sum() > 200 and (masks != found.masks.numpy()).sum() <= 5


@pytest.mark.parametrize("name", CASES)
def test_losses_are_those_of_detectron2(name: str) -> None:
    """The same samples are drawn from the same seed, so that the parts are equal to a hundred-thousandth."""
    settings = replace(settings_of(name), short=120, longest=150)
    network = network_of(name).train()
    torch.manual_seed(0)
    found = network.losses(pixels_of(settings), [picture().shape[:2]], targets_of(settings))
    wanted = ANSWERS[name]["losses"]
    assert set(found) == set(wanted)
    for part, value in wanted.items():
        assert found[part].item() == pytest.approx(value, rel=1e-5), part


def zoo_file(folder: Path, name: str, protocol: int) -> Path:
    weights = {key: value.numpy() for key, value in network_of(name).state_dict().items()}
    weights["proposal_generator.anchor_generator.cell_anchors.0"] = np.zeros((3, 4), np.float32)
    path = folder / f"model_final_{protocol}.pkl"
    path.write_bytes(pickle.dumps({"model": weights, "__author__": "Detectron2 Model Zoo"}, protocol))
    return path


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("mask-r50-fpn", 2), ("faster-r50-c4", 3), ("mask-r50-dc5", 4), ("retinanet-r50", 2), ("faster-x101-fpn", 3)],
)
def test_files_of_the_zoo_are_converted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, protocol: int
) -> None:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    path = zoo_file(tmp_path, name, protocol)
    folder = converted_checkpoint(path)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    detector, settings = load_detector(folder), settings_of(name)
    drawn = (
        "kind",
        "trunk",
        "n_classes",
        "masks",
        "blocks",
        "groups",
        "group_width",
        "res2_width",
        "stride_first",
        "std",
    )
    assert {key: getattr(detector.settings, key) for key in drawn} == {key: getattr(settings, key) for key in drawn}
    assert detector.config["model_type"] == KIND and detector.labels[0] == "class 1" and detector.settings.short == 800
    for key, value in network_of(name).state_dict().items():
        assert torch.equal(detector.network.state_dict()[key], value), key
    path.touch()
    assert converted_checkpoint(path) == folder


def test_what_training_leaves_is_read_with_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    network = network_of("faster-r50-fpn-torchvision")
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"model": state, "iteration": 7, "optimizer": {"state": {}}}, tmp_path / "model_final.pth")
    plain = load_detector(converted_checkpoint(tmp_path / "model_final.pth")).settings
    assert plain.stride_first and plain.bgr and plain.short == 800, "what a file does not tell follows the zoo"
    (tmp_path / "config.yaml").write_text(
        "INPUT: {FORMAT: RGB, MIN_SIZE_TEST: 128, MAX_SIZE_TEST: 192}\nTEST: {DETECTIONS_PER_IMAGE: 20}\nMODEL:\n"
        "  META_ARCHITECTURE: GeneralizedRCNN\n  PIXEL_MEAN: [123.675, 116.28, 103.53]\n"
        "  PIXEL_STD: [58.395, 57.12, 57.375]\n  RESNETS: {STRIDE_IN_1X1: false}\n"
        "  ROI_HEADS: {SCORE_THRESH_TEST: 0.05, NMS_THRESH_TEST: 0.5}\n"
    )
    detector = load_detector(converted_checkpoint(tmp_path / "model_final.pth"))
    found, wanted = detector.find([picture()])[0], ANSWERS["faster-r50-fpn-torchvision"]
    np.testing.assert_allclose(found.boxes.numpy(), wanted["boxes"], atol=NEAR)
    np.testing.assert_allclose(found.scores.numpy(), wanted["scores"], atol=NEAR)


def test_a_file_of_the_zoo_brings_its_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from honed.zoo.licence import licence_of

    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    path = zoo_file(tmp_path, "faster-r50-fpn", 2).rename(tmp_path / "model_final_280758.pkl")
    assert licence_of(converted_checkpoint(path)) == "cc-by-sa-3.0"


CAFFE = {
    "backbone.bottom_up.stem.conv1.weight": "conv1_w", "backbone.bottom_up.stem.conv1.norm.": "res_conv1_bn_",
    "proposal_generator.rpn_head.conv.": "conv_rpn_fpn2_", "proposal_generator.rpn_head.anchor_deltas.": "rpn_bbox_pred_fpn2_",
    "proposal_generator.rpn_head.objectness_logits.": "rpn_cls_logits_fpn2_", "roi_heads.box_head.fc1.": "fc6_",
    "roi_heads.box_head.fc2.": "fc7_", "roi_heads.box_predictor.cls_score.": "cls_score_",
    "roi_heads.box_predictor.bbox_pred.": "bbox_pred_", "roi_heads.mask_head.mask_fcn1.": "_[mask]_fcn1_",
    "roi_heads.mask_head.mask_fcn2.": "_[mask]_fcn2_", "roi_heads.mask_head.mask_fcn3.": "_[mask]_fcn3_",
    "roi_heads.mask_head.mask_fcn4.": "_[mask]_fcn4_", "roi_heads.mask_head.deconv.": "conv5_mask_",
    "roi_heads.mask_head.predictor.": "mask_fcn_logits_", "backbone.fpn_lateral5.": "fpn_inner_res5_2_sum_",
    "backbone.fpn_lateral4.": "fpn_inner_res4_5_sum_lateral_", "backbone.fpn_lateral3.": "fpn_inner_res3_3_sum_lateral_",
    "backbone.fpn_lateral2.": "fpn_inner_res2_2_sum_lateral_", "backbone.fpn_output5.": "fpn_res5_2_sum_",
    "backbone.fpn_output4.": "fpn_res4_5_sum_", "backbone.fpn_output3.": "fpn_res3_3_sum_",
    "backbone.fpn_output2.": "fpn_res2_2_sum_",
}  # fmt: skip
"""Where the names of the first Detectron begin otherwise than those of the second."""


def caffe_name(name: str) -> str:
    start = next((begin for begin in CAFFE if name.startswith(begin)), "")
    if start:
        ends = {"weight": "s" if "bn" in CAFFE[start] else "w", "bias": "b"}
        return CAFFE[start] + ends.get(name.removeprefix(start), "")
    stage, block, layer, *rest = name.removeprefix("backbone.bottom_up.").split(".")
    branch = {"shortcut": "1", "conv1": "2a", "conv2": "2b", "conv3": "2c"}[layer]
    return f"{stage}_{block}_branch{branch}" + (
        "_w" if len(rest) == 1 else "_bn_" + {"weight": "s", "bias": "b"}[rest[1]]
    )


def with_background(name: str, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if name == "cls_score":
        return np.concatenate([value[-1:], value[:-1]])
    rows = {"bbox_pred": 4, "mask_fcn_logits": 1}.get(name, 0)
    return np.concatenate([np.full_like(value[:rows], 7.0), value])


def test_files_of_the_first_detectron_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its normalisation has no means and variances; the background is its first class."""
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    state = {key: value for key, value in network_of("mask-r50-fpn").state_dict().items() if ".running_" not in key}
    blobs = {caffe_name(key): value.numpy() for key, value in state.items()}
    assert len(blobs) == len(state)
    blobs = {key: with_background(key.rpartition("_")[0], value) for key, value in blobs.items()}
    blobs["fc6_w_momentum"] = np.zeros(3, np.float32)
    (tmp_path / "old.pkl").write_bytes(pickle.dumps({"blobs": blobs, "cfg": "MODEL: {}"}, 2))
    found = load_detector(converted_checkpoint(tmp_path / "old.pkl")).network.state_dict()
    for key, value in state.items():
        assert torch.equal(found[key], value), key
    assert all(bool((value == 0).all()) for key, value in found.items() if key.endswith("running_mean"))


def test_other_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONED_HOME", str(tmp_path / "home"))
    weights = {key: value.numpy() for key, value in network_of("faster-r50-fpn").state_dict().items()}
    some = {key: value for key, value in weights.items() if "fpn_output3" not in key}
    (tmp_path / "part.pkl").write_bytes(pickle.dumps({"model": some}, 2))
    with pytest.raises(ZooError, match="Z032"):
        converted_checkpoint(tmp_path / "part.pkl")
    odd = {
        "backbone.bottom_up.stem.conv1.weight": np.zeros((10**12, 0), np.float32),
        "backbone.bottom_up.res2.0.conv2.weight": np.zeros(3, np.float32),
        "roi_heads.box_predictor.cls_score.bias": np.zeros((10**9, 0), np.float32),
    }  # fmt: skip
    for name, value in odd.items():
        (tmp_path / "odd.pkl").write_bytes(pickle.dumps({"model": {**weights, name: value}}, 4))
        with pytest.raises(ZooError, match="Z032"):
            converted_checkpoint(tmp_path / "odd.pkl")
    folder = converted_checkpoint(zoo_file(tmp_path, "faster-r50-fpn", 2))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden": 33}))
    with pytest.raises(ZooError, match="Z016"):
        load_detector(folder)


@pytest.mark.parametrize("name", ["mask-r50-fpn", "mask-r50-c4", "retinanet-r50"])
def test_an_answer_does_not_depend_on_its_neighbours(name: str) -> None:
    detector = detector_of(name)
    pictures = [picture(), picture(60, 200), picture(119, 149)]
    for one, several in zip([detector.find([x])[0] for x in pictures], detector.find(pictures), strict=True):
        assert one.labels.tolist() == several.labels.tolist()
        torch.testing.assert_close(one.boxes, several.boxes, atol=NEAR, rtol=0)
        torch.testing.assert_close(one.scores, several.scores, atol=NEAR, rtol=0)
    assert detector.find([]) == []
    assert detector.find(pictures[1:2])[0].boxes[:, 2].max() <= 200


def test_a_picture_without_objects() -> None:
    detector = detector_of("mask-r50-fpn")
    detector.network.settings = replace(detector.settings, least_score=1.0)
    detector.network.roi_heads.settings = detector.network.settings
    found = detector.find([picture()])[0]
    assert found.boxes.shape == (0, 4) and found.masks is not None and found.masks.shape == (0, 120, 150)


@pytest.mark.parametrize("name", ["mask-r50-fpn", "retinanet-r50"])
def test_other_classes_keep_the_rows_they_share(name: str) -> None:
    torch.manual_seed(0)
    old = detector_of(name)
    finder = DetectronFinder(old.settings, old.labels)
    finder.network.load_state_dict(old.network.state_dict())
    finder.for_labels(("x", "c", "a"), seed=0)
    new = ReadyDetector(finder.network.eval(), finder.labels)
    assert new.labels == ("x", "c", "a") and new.settings.n_classes == 3 and old.settings.n_classes == 5
    dense = {"head.cls_score.bias"}
    for key, value in new.network.state_dict().items():
        before = old.network.state_dict()[key]
        if value.shape == before.shape:
            assert torch.equal(value, before), key
        elif key in dense:
            assert torch.equal(value.view(9, 3)[:, 1:], before.view(9, 5)[:, [2, 0]])
        elif key.endswith("cls_score.weight") and key.startswith("roi"):
            assert torch.equal(value[[1, 2, 3]], before[[2, 0, 5]]) and not torch.equal(value[0], before[1])
        elif key.endswith("bbox_pred.weight"):
            assert torch.equal(value[4:8], before[8:12]) and torch.equal(value[8:], before[:4])
    assert len(new.find([picture()])) == 1


@pytest.mark.parametrize("name", ["mask-r50-fpn", "faster-r50-c4", "retinanet-r50"])
def test_it_learns_and_what_is_frozen_stays(name: str) -> None:
    torch.manual_seed(0)
    network = network_of(name).train()
    trunk: Any = network.backbone.bottom_up if name != "faster-r50-c4" else network.backbone
    trunk.freeze(2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    settings = replace(network.settings, short=120, longest=150)
    pixels, targets = pixels_of(settings), targets_of(settings)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.002, momentum=0.9)
    totals = []
    for _ in range(3 if name == "faster-r50-c4" else 6):
        loss: Any = sum(network.losses(pixels, [(120, 150)], targets).values())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        totals.append(loss.item())
    assert totals[-1] < 0.95 * totals[0]
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    trained = {key for key, value in network.named_parameters() if value.requires_grad}
    assert moved == trained and not any(".stem." in key or ".res2." in key or "norm" in key for key in moved)


@pytest.mark.parametrize("name", ["mask-r50-fpn", "mask-r50-c4", "retinanet-r50"])
def test_a_picture_of_nothing_can_be_learnt_from(name: str) -> None:
    network = network_of(name).train()
    settings = replace(network.settings, short=120, longest=150)
    nothing = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, 120, 150, dtype=torch.bool))
    found = network.losses(pixels_of(settings), [(120, 150)], [nothing])
    assert all(bool(torch.isfinite(value)) for value in found.values())
    assert found["boxes"].item() == 0 and found["classes"].item() > 0


def test_anchors_and_boxes_by_hand() -> None:
    cell = cell_anchors((32.0,), (0.5, 1.0))
    np.testing.assert_allclose(cell.numpy(), [[-22.627, -11.314, 22.627, 11.314], [-16, -16, 16, 16]], atol=1e-3)
    grid = grid_anchors(cell, 2, 3, 16)
    assert grid.shape == (12, 4) and grid[1].tolist() == [-16, -16, 16, 16] and grid[9].tolist() == [0, 0, 32, 32]
    first, second = torch.tensor([[0.0, 0, 10, 10], [0, 0, 4, 4]]), torch.tensor([[5.0, 5, 15, 15], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlaps(first, second).numpy(), [[25 / 175, 0], [0, 0]])
    torch.testing.assert_close(decode(encode(first, second, (10, 10, 5, 5)), first, (10, 10, 5, 5)), second)
    far = decode(torch.tensor([[0.0, 0, 99, 0]]), torch.tensor([[0.0, 0, 16, 16]]), (1, 1, 1, 1))
    assert float(far[0, 2] - far[0, 0]) == pytest.approx(1000)
    assert clip(torch.tensor([[-3.0, 2, 99, 99]]), (20, 30)).tolist() == [[0, 2, 30, 20]]
    sides = torch.tensor([[0.0, 0, side, side] for side in (1, 111, 112, 223, 224, 448, 5000)])
    assert levels(sides, (4, 8, 16, 32)).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_matching_and_sampling() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60], [0, 0, 10, 8]])
    targets = torch.tensor([[0.0, 0, 10, 10], [52, 58, 60, 70]])
    which, kinds = match(boxes, targets, low=0.6, high=0.7, rescue=False)
    assert which.tolist() == [0, 0, 1, 0] and kinds.tolist() == [1, 0, 0, 1]
    assert match(boxes, targets, low=0.4, high=0.7, rescue=True)[1].tolist() == [1, -1, 1, 1]
    assert match(boxes, targets[:0], low=0.4, high=0.7, rescue=True)[1].tolist() == [0, 0, 0, 0]
    labels = torch.tensor([3, 0, 3, -1, 1, 3, 2])
    objects_at, rest = sample(labels, 4, 0.5, 3)
    assert (
        len(objects_at) == 2
        and len(rest) == 2
        and set(objects_at.tolist()) < {1, 4, 6}
        and set(rest.tolist()) < {0, 2, 5}
    )


def test_a_quarter_of_the_regions_to_learn_from_are_objects() -> None:
    heads = build_detector(settings_of("faster-r50-fpn")).roi_heads
    target = Target(torch.tensor([[0.0, 0, 50, 50]]), torch.tensor([2]))
    regions = torch.cat([target.boxes.repeat(600, 1), target.boxes.repeat(600, 1) + 30])
    boxes, labels, _ = heads._drawn(regions, target)
    assert len(boxes) == 512 and labels.tolist() == [2] * 128 + [5] * 384 and boxes[0].tolist() == [0, 0, 50, 50]


def test_masks_are_pasted_and_cut() -> None:
    whole = paste_masks(torch.ones(1, 4, 4), torch.tensor([[2.0, 3, 10, 7]]), (12, 15))
    assert whole[0, 3:7, 2:10].all() and int(whole.sum()) == 32
    assert paste_masks(torch.zeros(0, 4, 4), torch.zeros(0, 4), (12, 15)).shape == (0, 12, 15)
    cut = cut_masks(whole, torch.tensor([[2.0, 3, 18, 7]]), 8)
    assert cut[0, :, :4].all() and not cut[0, :, 4:].any()


def test_targets_are_read_at_the_size_of_the_picture_and_answers_brought_back() -> None:
    boxes, labels, masks = (torch.from_numpy(part) for part in objects(60, 80, 5))
    read = as_read(Target(boxes, labels, masks), (60, 80), (150, 200))
    torch.testing.assert_close(read.boxes, boxes * 2.5)
    assert read.masks is not None and read.masks.shape == (4, 150, 200) and torch.equal(read.labels, labels)
    shares = [value.float().mean(dim=(1, 2)) for value in (masks, read.masks)]
    torch.testing.assert_close(*shares, atol=0.01, rtol=0)
    assert as_read(Target(boxes[:0], labels[:0], masks[:0]), (60, 80), (150, 200)).masks is not None
    back = in_pixels_of(Found(read.boxes, torch.ones(4), labels), (150, 200), (60, 80))
    torch.testing.assert_close(back.boxes, boxes)
    outside = Found(torch.tensor([[-9.0, 0, -2, 5], [190, 0, 230, 50]]), torch.ones(2), torch.tensor([0, 1]))
    assert in_pixels_of(outside, (150, 200), (60, 80)).boxes.tolist() == [[76, 0, 80, 20]]


def test_pictures_are_read_at_the_sizes_of_the_zoo() -> None:
    assert read_size(480, 640, 800, 1333) == (800, 1067) and read_size(640, 480, 800, 1333) == (1067, 800)
    assert read_size(300, 900, 800, 1333) == (444, 1333) and read_size(1, 5000, 800, 1333) == (1, 1333)
    settings = DetectronSettings()
    assert DetectronSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    tensor = to_tensor(red, settings)
    np.testing.assert_allclose(tensor[:, 0, 0].numpy(), [-103.53, -116.28, 200 - 123.675], rtol=1e-6)
