"""Detectron2's own answers and losses for made-up weights, for comparison (needs detectron2, built from its source).

    PYTHONPATH=. python benchmarks/peers/detectron2_outputs.py OUT [--full] [--case NAME]

Writes for every case of ``tests/detectron_cases.py`` a checkpoint (``NAME.pkl``, or ``.pth`` for every other case) into the
folder OUT, and the answers into ``OUT/answers.json``. ``--full`` takes the zoo's own widths and picture size.
"""

from __future__ import annotations

import argparse
import base64
import json
import pickle
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2 import model_zoo
from detectron2.config import get_cfg
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage
from tests.detectron_cases import CASES, TINY, made, objects, picture

FULL = {"n_classes": 80, "short": 800, "longest": 1333, "most": 100}
DEPTHS = {6: 50, 23: 101}
OTHER_NAMES = {
    "region": "loss_rpn_cls", "region_box": "loss_rpn_loc", "classes": "loss_cls", "boxes": "loss_box_reg", "masks": "loss_mask",
}  # fmt: skip


def configuration(case: dict[str, Any]) -> Any:
    """Detectron2's configuration for a case."""
    files = {
        "fpn": "Base-RCNN-FPN.yaml", "c4": "Base-RCNN-C4.yaml", "dc5": "Base-RCNN-DilatedC5.yaml",
    }  # fmt: skip
    name = "Base-RetinaNet.yaml" if case.get("kind") == "retinanet" else files[case["trunk"]]
    cfg = get_cfg()
    folder = Path(model_zoo.__file__).parent / "configs"
    folder = folder if folder.is_dir() else Path(model_zoo.__file__).parents[2] / "configs"
    cfg.merge_from_file(str(folder / name), allow_unsafe=True)
    model, pictures = cfg.MODEL, cfg.INPUT
    model.DEVICE, model.WEIGHTS, model.MASK_ON = "cpu", "", bool(case.get("masks"))
    model.RESNETS.DEPTH = DEPTHS[case.get("blocks", [3, 4, 6, 3])[2]]
    model.RESNETS.NUM_GROUPS, model.RESNETS.STRIDE_IN_1X1 = case.get("groups", 1), case.get("stride_first", True)
    model.RESNETS.WIDTH_PER_GROUP = case.get("group_width", 64)
    model.RESNETS.STEM_OUT_CHANNELS, model.RESNETS.RES2_OUT_CHANNELS = (
        case.get("stem_width", 64), case.get("res2_width", 256),
    )  # fmt: skip
    model.FPN.OUT_CHANNELS, model.ROI_BOX_HEAD.FC_DIM = case.get("width", 256), case.get("hidden", 1024)
    model.ROI_MASK_HEAD.CONV_DIM = case.get("mask_width", 256)
    model.ROI_HEADS.NUM_CLASSES = model.RETINANET.NUM_CLASSES = case["n_classes"]
    model.PIXEL_MEAN, model.PIXEL_STD = case.get("mean", model.PIXEL_MEAN), case.get("std", model.PIXEL_STD)
    pictures.FORMAT = "BGR" if case.get("bgr", True) else "RGB"
    pictures.MIN_SIZE_TEST, pictures.MAX_SIZE_TEST, pictures.MASK_FORMAT = case["short"], case["longest"], "bitmask"
    cfg.TEST.DETECTIONS_PER_IMAGE = case["most"]
    return cfg


def filled(model: torch.nn.Module, std: float) -> dict[str, np.ndarray[Any, Any]]:
    """Put the made-up weights into a model; they are returned as well."""
    weights = {name: made(name, tuple(value.shape), std) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return weights


def answers(cfg: Any, model: torch.nn.Module, image: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Objects of a picture (h, w, 3) uint8, as ``DefaultPredictor`` finds them."""
    height, width = image.shape[:2]
    ordered = image if cfg.INPUT.FORMAT == "RGB" else image[:, :, ::-1]
    resize = ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
    pixels = torch.as_tensor(resize.get_transform(ordered).apply_image(ordered).astype("float32").transpose(2, 0, 1))
    with torch.no_grad():
        found = model.eval()([{"image": pixels, "height": height, "width": width}])[0]["instances"]
    row = {
        "boxes": np.round(found.pred_boxes.tensor.numpy().astype(float), 4).tolist(),
        "scores": np.round(found.scores.numpy().astype(float), 6).tolist(), "labels": found.pred_classes.tolist(),
    }  # fmt: skip
    if found.has("pred_masks"):
        row["masks"] = base64.b64encode(zlib.compress(np.packbits(found.pred_masks.numpy()).tobytes(), 9)).decode()
    return row


def seconds(cfg: Any, model: torch.nn.Module, image: np.ndarray[Any, Any]) -> float:
    """The quickest of three times that all of it takes, from the picture to the objects."""
    times = []
    for _ in range(3):
        begin = time.monotonic()
        answers(cfg, model, image)
        times.append(time.monotonic() - begin)
    return round(min(times), 3)


def losses(cfg: Any, model: torch.nn.Module, image: np.ndarray[Any, Any]) -> dict[str, float]:
    """The parts of the loss for the made-up objects, with the samples that seed 0 draws; the picture is not resized."""
    height, width = image.shape[:2]
    boxes, labels, masks = objects(height, width, cfg.MODEL.ROI_HEADS.NUM_CLASSES)
    there = Instances((height, width))
    there.gt_boxes, there.gt_classes = Boxes(torch.from_numpy(boxes)), torch.from_numpy(labels)
    there.gt_masks = BitMasks(torch.from_numpy(masks))
    ordered = image if cfg.INPUT.FORMAT == "RGB" else image[:, :, ::-1]
    pixels = torch.as_tensor(ordered.astype("float32").transpose(2, 0, 1))
    torch.manual_seed(0)
    with EventStorage(), torch.no_grad():
        found = model.train()([{"image": pixels, "instances": there}])
    return {ours: float(f"{float(found[theirs]):.7g}") for ours, theirs in OTHER_NAMES.items() if theirs in found}


def save(path: Path, weights: dict[str, np.ndarray[Any, Any]], number: int) -> Path:
    """The weights as the zoo's own files are, or as training leaves them."""
    if number % 2:
        torch.save(
            {"model": {name: torch.from_numpy(value) for name, value in weights.items()}}, path.with_suffix(".pth")
        )
        return path.with_suffix(".pth")
    with path.with_suffix(".pkl").open("wb") as stream:
        pickle.dump({"model": weights, "__author__": "Detectron2 Model Zoo"}, stream, protocol=2 + number % 3)
    return path.with_suffix(".pkl")


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--case", default="")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, (name, changes) in enumerate(CASES.items()):
        if chosen.case not in ("", name):
            continue
        drop = ("groups", "group_width") if chosen.full else ()
        changes = {key: value for key, value in changes.items() if key not in drop}
        if chosen.full and "x101" in name:
            changes |= {"groups": 32, "group_width": 8}
        case = {**(FULL if chosen.full else TINY), **changes}
        if "x101" in name and not chosen.full:
            case["res2_width"] = 16
        cfg = configuration(case)
        model = build_model(cfg)
        weights = filled(model, float(cfg.MODEL.PIXEL_STD[0]))
        image = picture(480, 640) if chosen.full else picture()
        file = save(chosen.out / name, weights, number)
        found[name] = {
            "case": case,
            "file": file.name,
            **answers(cfg, model, image),
            "losses": losses(cfg, model, image),
        }
        if chosen.full:
            found[name]["seconds"] = seconds(cfg, model, image)
        print(name, file.name, len(found[name]["scores"]), found[name]["scores"][:3], found[name]["losses"], flush=True)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in found.items())
    (chosen.out / "answers.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
