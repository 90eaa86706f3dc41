"""Objects of many pictures as one plain table of numbers, so that engines, bundles and comparisons need to know nothing of
objects: one row a picture, its height and width first, then ``MOST`` objects, the surest first, each with ``FIELDS`` numbers:
left, top, right, bottom in pixels of the picture, score, label, and 1 where it was decided that the object is told. A mask of
28 x 28 cells follows, 16 cells a number. What is not there is all zeros, its score too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MOST, FIELDS, GRID, BITS = 100, 7, 28, 16
CELLS = GRID * GRID // BITS
"""Numbers that hold one mask: 49, each up to 65,535, which float32 keeps exactly."""
SCORE, LABEL, TOLD = 4, 5, 6


@dataclass(frozen=True)
class Packed:
    """A view of packed rows.

    Parameters
    ----------
    size : array (n, 2)
        Height and width of each picture, pixels.
    objects : array (n, MOST, FIELDS)
    cells : array (n, MOST, CELLS) or None
    """

    size: Array
    objects: Array
    cells: Array | None

    @property
    def boxes(self) -> Array:
        """Left, top, right, bottom, (n, MOST, 4)."""
        return self.objects[..., :SCORE]

    @property
    def scores(self) -> Array:
        """(n, MOST), 0 where there is nothing."""
        return self.objects[..., SCORE]

    @property
    def labels(self) -> Array:
        """Class indices (n, MOST), int."""
        return self.objects[..., LABEL].astype(np.int64)

    @property
    def there(self) -> Array:
        """True where an object was found at all, (n, MOST)."""
        return self.scores > 0

    @property
    def told(self) -> Array:
        """True where it was decided that the object is told, (n, MOST)."""
        return self.objects[..., TOLD] > 0


def width_of(masks: bool) -> int:
    """Numbers in a row."""
    return 2 + MOST * (FIELDS + (CELLS if masks else 0))


def unpack(rows: Array) -> Packed:
    """See the parts of packed rows (n, width); changes of the parts change the rows."""
    rows = np.asarray(rows)
    masks = rows.shape[1] == width_of(True)
    parts = rows[:, 2:].reshape(len(rows), MOST, FIELDS + (CELLS if masks else 0))
    return Packed(rows[:, :2], parts[..., :FIELDS], parts[..., FIELDS:] if masks else None)


def pack(
    size: tuple[int, int], boxes: Array, scores: Array, labels: Array, masks: Array | None, with_masks: bool
) -> Array:
    """One row (width,) float32 from the objects of one picture, the surest first; ``masks`` (k, GRID, GRID) bool."""
    row = np.zeros(width_of(with_masks), dtype=np.float32)
    row[:2] = size
    k = min(MOST, len(boxes))
    parts = row[2:].reshape(MOST, -1)
    parts[:k, :SCORE], parts[:k, SCORE], parts[:k, LABEL] = boxes[:k], scores[:k], labels[:k]
    if with_masks and masks is not None:
        parts[:k, FIELDS:] = packed_cells(masks[:k])
    return row


def packed_cells(masks: Array) -> Array:
    """Masks (k, GRID, GRID) bool as numbers (k, CELLS) float32."""
    bits = np.asarray(masks, dtype=np.int64).reshape(len(masks), CELLS, BITS)
    return (bits << np.arange(BITS)).sum(axis=-1).astype(np.float32)


def cells_of(numbers: Array) -> Array:
    """The inverse: masks (k, GRID, GRID) bool."""
    bits = (np.asarray(numbers, dtype=np.int64)[..., None] >> np.arange(BITS)) & 1
    return bits.astype(bool).reshape(len(numbers), GRID, GRID)


def pasted(cells: Array, box: Array, size: tuple[int, int]) -> Array:
    """A mask of 28 x 28 cells over its box as a mask (height, width) bool of the whole picture."""
    from PIL import Image

    height, width = size
    whole = np.zeros((height, width), dtype=bool)
    left, top = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if right <= left or bottom <= top:
        return whole
    grown = Image.fromarray((cells * 255).astype(np.uint8)).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR
    )
    whole[top:bottom, left:right] = np.asarray(grown) >= 128
    return whole
