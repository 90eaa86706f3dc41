"""The objects of one picture as they really are: the target of tasks that find objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from honed.data.picture_sets.rle import mask_of
from honed.metrics.detection.coco_format import rle_of
from honed.metrics.detection.data import Rle, Truths, gather_truths
from honed.networks.detection.mask_cells import MASK_SIDE, mask_in_box
from honed.tasks.answers import Array


@dataclass(frozen=True)
class Shapes:
    """Objects of one picture.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture, pixels.
    boxes : float32 array (k, 4)
        Left, top, right, bottom in pixels of the upright picture.
    labels : int array (k,)
        -2 for a label the model does not know.
    crowd : bool array (k,)
        True for regions of many objects that nobody counted.
    outlines : tuple of k, or None
        Polygons (lists of x, y, ...), run lengths as text, or None for an object that has only its box; None where the
        data have no outlines at all.
    """

    size: tuple[int, int]
    boxes: Array
    labels: Array
    crowd: Array
    outlines: tuple[Any, ...] | None = None

    def cells(self) -> Array:
        """Each outline over its box, (k, MASK_SIDE, MASK_SIDE) uint8, 0 to 255; the whole box where there is none."""
        found = np.full((len(self.boxes), MASK_SIDE, MASK_SIDE), 255, dtype=np.uint8)
        for row, (box, outline) in enumerate(zip(self.boxes, self.outlines or (), strict=False)):
            if isinstance(outline, str):
                found[row] = mask_in_box(mask_of(outline, *self.size), box)
            elif outline:
                found[row] = _filled(outline, box)
        return found

    def rles(self) -> list[Rle]:
        """Each outline as COCO writes masks; the whole box where there is none."""
        found = []
        for box, outline in zip(self.boxes, self.outlines or (None,) * len(self.boxes), strict=True):
            if isinstance(outline, str):
                found.append({"size": list(self.size), "counts": outline})
            else:
                left, top, right, bottom = (float(v) for v in box)
                polygons = outline or [[left, top, right, top, right, bottom, left, bottom]]
                found.append(rle_of([list(polygon) for polygon in polygons], self.size))
        return found


def _filled(polygons: Sequence[Sequence[float]], box: Array) -> Array:
    """Polygons drawn over their box, (MASK_SIDE, MASK_SIDE) uint8; drawn four times as fine and made smaller."""
    from PIL import Image, ImageDraw

    fine = 4 * MASK_SIDE
    left, top, right, bottom = (float(v) for v in box)
    across, down = fine / max(right - left, 1e-3), fine / max(bottom - top, 1e-3)
    image = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(image)
    for polygon in polygons:
        points = zip(polygon[::2], polygon[1::2], strict=True)
        pen.polygon([((x - left) * across, (y - top) * down) for x, y in points], fill=255)
    return np.asarray(image.resize((MASK_SIDE, MASK_SIDE), Image.Resampling.BOX))


def shapes_of(
    objects: Sequence[Mapping[str, Any]] | None, size: tuple[int, int], index: Mapping[str, int], outlines: bool
) -> Shapes:
    """The objects of a cell of a table (:data:`honed.data.picture_sets.raw.OBJECT`); labels without index become -2."""
    some = list(objects or ())
    boxes = np.array([item["box_xyxy"] for item in some], dtype=np.float32).reshape(-1, 4)
    labels = np.array([index.get(str(item["label"]), -2) for item in some], dtype=np.int64)
    crowd = np.array([bool(item.get("crowd")) for item in some], dtype=bool)
    drawn = tuple(item.get("rle") or item.get("polygons") or None for item in some) if outlines else None
    if drawn is not None:
        crowd |= np.array([outline is None for outline in drawn], dtype=bool)
    return Shapes(size, boxes, labels, crowd, drawn)


Targets = Sequence[Shapes] | Array
"""Shapes of many pictures, as a list or an array of objects."""


def truths_of(targets: Targets, labels: tuple[str, ...], masks: bool) -> Truths:
    """Targets as the metrics take them; objects of unknown labels are left out."""
    known = [target.labels >= 0 for target in targets]
    outlines = None
    if masks:
        outlines = [
            [rle for rle, keep in zip(t.rles(), k, strict=True) if keep] for t, k in zip(targets, known, strict=True)
        ]
    return gather_truths(
        [target.boxes[keep] for target, keep in zip(targets, known, strict=True)],
        [target.labels[keep] for target, keep in zip(targets, known, strict=True)],
        labels,
        crowd=[target.crowd[keep] for target, keep in zip(targets, known, strict=True)],
        area=None if outlines is None else [[_area(rle) for rle in some] for some in outlines],
        masks=outlines,
    )


def _area(rle: Rle) -> float:
    from faster_coco_eval import mask

    return float(mask.area(rle))
