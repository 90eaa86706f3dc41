"""The twelve figures of COCO, computed by the library faster-coco-eval, and the same by class and by size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from honed.metrics.detection.data import Array, Detections, Overlap, Truths, box_area, check_pair
from honed.metrics.detection.overlap import mask_area

NAMES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
SIZE_NAMES = ("all", "small", "medium", "large")


@dataclass(frozen=True)
class CocoFigures:
    """COCO's figures, each between 0 and 1, higher is better; NaN where no object of that kind exists.

    ``ap``: mean over the classes and over the overlaps 0.50, 0.55 ... 0.95 from which a detection counts as right.
    ``ap50``, ``ap75``: at one overlap. ``small`` is under 32 x 32 pixels of area, ``large`` over 96 x 96.
    ``ar1``, ``ar10``, ``ar100``: the share of objects found when 1, 10, 100 detections of a class on a picture are allowed.

    Parameters
    ----------
    labels : tuple of str
    ap_by_label, ap50_by_label : float array (labels,)
    ap_by_label_and_size : float array (labels, 3)
        Small, medium, large.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    labels: tuple[str, ...]
    ap_by_label: Array
    ap50_by_label: Array
    ap_by_label_and_size: Array

    def twelve(self) -> dict[str, float]:
        """The twelve figures in COCO's order."""
        fields = asdict(self)
        return {name: fields[name] for name in NAMES}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where no object of that kind exists."""
        arrays = {
            name: [_plain(value) for value in getattr(self, name)]
            for name in ("ap_by_label", "ap50_by_label", "ap_by_label_and_size")
        }
        return {**{name: _plain(value) for name, value in self.twelve().items()}, "labels": list(self.labels), **arrays}


def coco_figures(truth: Truths, found: Detections, *, iou: Overlap = "box") -> CocoFigures:
    """COCO's twelve figures of detections, and average precision by class and by size.

    Parameters
    ----------
    truth : Truths
    found : Detections
    iou : "box" or "mask"
        What is compared; masks are needed on both sides for "mask".

    Raises
    ------
    DataError [D082, D084]
        The two are not about the same pictures and labels; masks are absent.

    References
    ----------
    Lin et al., *Microsoft COCO: Common Objects in Context*, 2014, and its reference evaluation.
    """
    check_pair(truth, found, iou)
    n_labels = len(truth.labels)
    precision = np.full((10, 101, max(1, n_labels), 4, 3), -1.0)
    recall = np.full((10, max(1, n_labels), 4, 3), -1.0)
    if truth.n_pictures and n_labels:
        tables = _library(truth, found, iou)
        precision, recall = np.asarray(tables["precision"]), np.asarray(tables["recall"])
    return _figures(precision.reshape(10, 101, -1, 4, 3), recall.reshape(10, -1, 4, 3), truth.labels)


def _library(truth: Truths, found: Detections, iou: Overlap) -> dict[str, Any]:
    """The library's tables: precision (T, recalls, labels, sizes, limits) and recall (T, labels, sizes, limits)."""
    from faster_coco_eval import COCO, COCOeval_faster

    pictures = [{"id": i + 1, "height": 1, "width": 1} for i in range(truth.n_pictures)]  # masks carry their true sizes
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(truth.labels)]
    sides = []
    for entries in (_truth_entries(truth, iou), _found_entries(found, iou)):
        side = COCO()
        side.dataset = {"images": pictures, "annotations": entries, "categories": categories}
        side.createIndex()
        sides.append(side)
    judge = COCOeval_faster(*sides, iouType="bbox" if iou == "box" else "segm", print_function=_quiet)
    judge.evaluate()
    judge.accumulate()
    tables: dict[str, Any] = judge.eval
    return tables


def _quiet(*_: object) -> None:
    """The library's progress goes nowhere."""


def _truth_entries(truth: Truths, iou: Overlap) -> list[dict[str, Any]]:
    entries = _entries(truth, truth.area, iou)
    for entry, crowd in zip(entries, truth.crowd.tolist(), strict=True):
        entry["iscrowd"] = int(crowd)
    return entries


def _found_entries(found: Detections, iou: Overlap) -> list[dict[str, Any]]:
    area = box_area(found.boxes) if iou == "box" or found.masks is None else mask_area(found.masks)
    entries = _entries(found, area, iou)
    for entry, score in zip(entries, found.score.tolist(), strict=True):
        entry["score"] = score
    return entries


def _entries(side: Truths | Detections, area: Array, iou: Overlap) -> list[dict[str, Any]]:
    """Annotations as the library reads them; ids count from 1 because 0 means "none" to it."""
    boxes = np.concatenate([side.boxes[:, :2], side.boxes[:, 2:] - side.boxes[:, :2]], axis=1).tolist()
    columns = zip((side.picture + 1).tolist(), (side.label + 1).tolist(), boxes, np.asarray(area).tolist(), strict=True)
    entries: list[dict[str, Any]] = [
        {"id": number, "image_id": picture, "category_id": label, "bbox": box, "area": size}
        for number, (picture, label, box, size) in enumerate(columns, 1)
    ]
    if iou == "mask" and side.masks is not None:
        for entry, mask in zip(entries, side.masks, strict=True):
            entry["segmentation"] = mask
    return entries


def _figures(precision: Array, recall: Array, labels: tuple[str, ...]) -> CocoFigures:
    best = precision[..., -1]
    by_size = [_mean(best[:, :, :, size]) for size in range(4)]
    at = [_mean(best[t, :, :, 0]) for t in (0, 5)]
    limits = [_mean(recall[:, :, 0, limit]) for limit in range(3)]
    found = [_mean(recall[:, :, size, -1]) for size in (1, 2, 3)]
    figures = dict(zip(NAMES, [by_size[0], *at, *by_size[1:], *limits, *found], strict=True))
    numbers = range(len(labels))
    return CocoFigures(
        **figures,
        labels=labels,
        ap_by_label=np.array([_mean(best[:, :, k, 0]) for k in numbers]),
        ap50_by_label=np.array([_mean(best[0, :, k, 0]) for k in numbers]),
        ap_by_label_and_size=np.array([[_mean(best[:, :, k, size]) for size in (1, 2, 3)] for k in numbers]),
    )


def _mean(values: Array) -> float:
    """Mean of the entries that exist: the library writes -1 for the others."""
    there = values[values > -1]
    return float(there.mean()) if there.size else float("nan")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value]
    return None if np.isnan(value) else float(value)
