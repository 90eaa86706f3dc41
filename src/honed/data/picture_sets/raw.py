"""What a reader of annotations hands on, before the pictures themselves have been looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

Box = tuple[float, float, float, float]

OBJECT = pa.struct(
    {
        "label": pa.string(),
        "box_xyxy": pa.list_(pa.float64()),
        "crowd": pa.bool_(),
        "polygons": pa.list_(pa.list_(pa.float64())),
        "rle": pa.string(),
    }
)
"""One object: its label, its box (x1, y1, x2, y2 in pixels from the upper left corner of the upright picture), whether
it stands for a group that cannot be told apart (such an object is neither learnt nor counted as missed), and its outline:
polygons (x, y, x, y, ... in pixels), or a mask as compressed counts of COCO for the size of the picture, or neither."""


@dataclass(slots=True)
class RawObject:
    """One annotation: ``box`` is x1, y1, x2, y2, in pixels or (``RawPicture.relative``) in shares of the size."""

    label: str
    box: Box
    crowd: bool = False
    polygons: list[list[float]] | None = None
    rle: str | None = None


@dataclass(slots=True)
class RawPicture:
    """One picture as an annotation file tells of it.

    Parameters
    ----------
    path : str
        Absolute; it need not be there.
    objects : list of RawObject or None
        None for sets that give one label to a picture.
    label : str or None
        Its label, in such sets.
    part : str or None
        "train", "validation" or "test".
    claimed : (int, int) or None
        Width and height that the annotations state.
    relative : bool
        Coordinates are shares of the width and height.
    empty : str
        What the ledger calls it when there are no objects.
    """

    path: str
    objects: list[RawObject] | None = None
    label: str | None = None
    part: str | None = None
    claimed: tuple[int, int] | None = None
    relative: bool = False
    empty: str = "no objects"


@dataclass(frozen=True)
class RawSet:
    """A whole set: where it stands, the name of its format, its pictures, and the names of its classes in order."""

    root: str
    kind: str
    pictures: Sequence[RawPicture]
    classes: tuple[str, ...] = ()
    reading: dict[str, str] = field(default_factory=dict)
