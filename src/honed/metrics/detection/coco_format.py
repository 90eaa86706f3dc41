"""Truth and results in COCO's own format, as parsed JSON, into :class:`Truths` and :class:`Detections`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.errors import DataError
from honed.metrics.detection.data import Array, Detections, Rle, Truths, check_boxes

Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class CocoTruth:
    """The truth of a COCO file, and how the file names things.

    Parameters
    ----------
    truth : Truths
    picture_ids, category_ids : int arrays (pictures,), (labels,)
        The ids of the file, rising.
    sizes : list of (height, width)
        Of every picture in pixels, (0, 0) where the file does not say.
    """

    truth: Truths
    picture_ids: Array
    category_ids: Array
    sizes: list[tuple[int, int]]


def truths_from_coco(document: Mapping[str, Any], *, masks: bool = False) -> CocoTruth:
    """The objects of a COCO annotation file.

    Parameters
    ----------
    document : mapping
        Parsed JSON with ``images``, ``annotations`` and ``categories``. It is not changed.
    masks : bool
        Read the outlines too: polygons, run lengths, packed or not.

    Raises
    ------
    DataError [D086, D081, D084]
        A part is absent, or a number refers to nothing; a box is not a box; an outline is needed and absent.
    """
    for part in ("images", "annotations", "categories"):
        if part not in document:
            raise DataError("D086", f'The file has no part "{part}".', "Give a COCO annotation file.")
    images = {int(one["id"]): one for one in document["images"]}
    categories = {int(one["id"]): one for one in document["categories"]}
    picture_ids, category_ids = (np.array(sorted(ids), dtype=np.int64) for ids in (images, categories))
    entries = document["annotations"]
    picture, label = _indices(entries, picture_ids, category_ids)
    order = np.argsort(picture, kind="stable")
    boxes = _boxes(entries, picture)
    area = _column(entries, "area", np.nan)
    area = np.where(np.isnan(area), (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), area)
    crowd = _column(entries, "iscrowd", 0.0) > 0
    sizes = [(int(images[i].get("height") or 0), int(images[i].get("width") or 0)) for i in picture_ids.tolist()]
    outlines = tuple(_outline(entries[i], sizes[picture[i]]) for i in order) if masks else None
    names = tuple(str(categories[int(i)].get("name", i)) for i in category_ids)
    truth = Truths(
        len(picture_ids), names, picture[order], boxes[order], label[order], crowd[order], area[order], outlines
    )
    return CocoTruth(truth, picture_ids, category_ids, sizes)


def detections_from_coco(results: Entries, coco: CocoTruth, *, masks: bool = False) -> Detections:
    """The detections of a COCO results file (a list of entries with image_id, category_id, score and bbox or segmentation).

    Raises
    ------
    DataError [D086, D081, D083]
        A number refers to nothing in ``coco``; a box is not a box; a score is not finite.
    """
    picture, label = _indices(results, coco.picture_ids, coco.category_ids)
    order = np.argsort(picture, kind="stable")
    score = _column(results, "score", np.nan)
    if not np.isfinite(score).all():
        raise DataError("D083", f"{int((~np.isfinite(score)).sum())} scores are absent or not finite.", "Give scores.")
    outlines = tuple(_outline(results[i], coco.sizes[picture[i]]) for i in order) if masks else None
    boxes = _boxes(results, picture)
    return Detections(coco.truth.n_pictures, picture[order], boxes[order], label[order], score[order], outlines)


def _indices(entries: Entries, picture_ids: Array, category_ids: Array) -> tuple[Array, Array]:
    return _places(entries, "image_id", picture_ids), _places(entries, "category_id", category_ids)


def _places(entries: Entries, key: str, ids: Array) -> Array:
    values = _column(entries, key, np.nan)
    places = np.searchsorted(ids, values)
    wrong = ids[np.minimum(places, len(ids) - 1)] != values if len(ids) else np.ones(len(values), dtype=bool)
    if wrong.any():
        seen = f"{int(wrong.sum())} of {len(values)} entries have a {key} that the file does not list"
        raise DataError("D086", f"{seen}, such as {values[wrong][0]:g}.", "Give the results that belong to this truth.")
    return places


def _boxes(entries: Entries, picture: Array) -> Array:
    """Left, top, right, bottom; of the mask where an entry has no box."""
    try:
        rows = [entry.get("bbox") or _box_of(entry["segmentation"]) for entry in entries]
        boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("D086", f"An entry has no box of four numbers ({error}).", "Correct the file.") from None
    boxes[:, 2:] += boxes[:, :2]
    check_boxes(boxes, picture)
    return boxes


def _box_of(rle: Rle) -> list[float]:
    from faster_coco_eval import mask

    return [float(value) for value in mask.toBbox(rle)]


def _column(entries: Entries, key: str, default: float) -> Array:
    """One number of every entry; ids are far below 2**53, so that floats hold them exactly."""
    try:
        return np.fromiter((float(entry.get(key, default)) for entry in entries), dtype=np.float64, count=len(entries))
    except (TypeError, ValueError) as error:
        raise DataError("D086", f"An entry has a {key} that is not a number ({error}).", "Correct the file.") from None


def _outline(entry: Mapping[str, Any], size: tuple[int, int]) -> Rle:
    """Packed run lengths of polygons or run lengths."""
    outline = entry.get("segmentation")
    if not outline:
        raise DataError("D084", f"Annotation {entry.get('id', '')} has no outline.", "Give outlines, or compare boxes.")
    return rle_of(outline, size)


def rle_of(outline: Any, size: tuple[int, int]) -> Rle:
    """Packed run lengths of polygons (lists of x, y, ... in pixels) or of run lengths, on a picture of height and width."""
    from faster_coco_eval import mask

    if isinstance(outline, Mapping) and not isinstance(outline["counts"], list):
        return dict(outline)
    if 0 in size:
        raise DataError(
            "D086", "Outlines are polygons, and a picture has no height and width.", "Add them to the file."
        )
    packed = mask.frPyObjects(outline, *size)
    merged: Rle = mask.merge(packed) if isinstance(packed, list) else packed
    return merged
