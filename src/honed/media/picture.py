"""Pictures, one for each row: a path, the bytes of a file, or a data URI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from honed.checks import picture_likeness, pictures
from honed.data.pictures import content_digest, in_threads, named, open_picture, trouble_of
from honed.errors import DataError
from honed.files import as_uri
from honed.media import picture_edits, picture_probes, picture_traits
from honed.media.medium import Array, Check, Edit, Input, Looked, Medium

THUMBNAIL, GRID = 96, 6


class Picture(Medium):
    """What can be said of pictures: near copies by fingerprints, edits a camera makes, light and sharpness."""

    name: ClassVar[str] = "image"
    one: ClassVar[str] = "picture"
    many: ClassVar[str] = "pictures"
    general_words: ClassVar[str] = "shapes and textures drawn by rule"
    rows_named: ClassVar[tuple[str, str]] = ("FOLDER", "FOLDER_BY_LABEL")
    example: ClassVar[list[Any]] = ["picture.jpg"]

    def unreadable(self, rows: Sequence[Input]) -> Array:
        """True for no picture, or one that cannot be opened."""
        return np.array(in_threads(lambda row: bool(trouble_of(row[0])), rows), dtype=bool)

    def clusters(self, table: Any, columns: tuple[str, ...], seed: int) -> Array | None:
        sources = _sources(table, columns)
        codes = pictures.content_codes(sources)
        lost = codes < 0
        contents = np.where(lost, (1 << 62) + np.arange(len(codes)), codes).astype(np.uint64)
        return picture_likeness.cluster_near_duplicates(_sketches(sources), contents)

    def checks(self, looked: Looked) -> dict[str, Check]:
        sources, column = _sources(looked.table, looked.columns), looked.columns[0]
        codes = pictures.content_codes(sources)
        found: dict[str, Check] = {"sizes": lambda: pictures.check_sizes(sources, column)}
        clusters, split, targets = looked.clusters, looked.split, looked.targets
        if clusters is not None:
            found["copies"] = lambda: pictures.check_copies(sources, codes, clusters, column)
            if split is not None and len(split.test):
                found["split"] = lambda: pictures.check_across_split(sources, codes, clusters, split, column)
        if targets is not None:
            found["conflicts"] = lambda: pictures.check_conflicts(sources, codes, targets, column)
        return found

    def hash_of(self, row: Input) -> int:
        return int.from_bytes(content_digest(row[0])[:8], "big")

    def sketches(self, rows: Sequence[Input]) -> Array:
        found = _sketches([row[0] for row in rows])
        return np.unique(found[found.any(axis=1)], axis=0)

    def nearly_seen(self, rows: Sequence[Input], known: Array) -> Array:
        return picture_likeness.nearly_seen(_sketches([row[0] for row in rows]), known)

    def edits(self) -> Sequence[Edit]:
        return picture_edits.EDITS

    def variants(self, row: Input) -> list[Input]:
        rng = np.random.default_rng(0)
        return [row, *((as_uri(edit.apply(row[0], rng), "image/png"),) for edit in self.edits()[:3])]

    def forms(self, rows: Sequence[Input]) -> Mapping[str, Array]:
        return picture_traits.forms([row[0] for row in rows])

    def out_of_scope(self, n_columns: int) -> list[Input]:
        return [(picture,) for picture in picture_probes.out_of_scope()]

    def general(self, n_columns: int) -> list[Input]:
        return self.out_of_scope(n_columns)

    def shown(self, row: Input) -> str:
        return named(row[0])

    def pieces(self, row: Input) -> list[tuple[str, Input]]:
        """The picture with one of 36 squares hidden under its mean colour at a time."""
        picture = open_picture(row[0], at_least=(THUMBNAIL, THUMBNAIL))
        mean, found = picture.mean(axis=(0, 1)).astype(np.uint8), []
        for top, bottom, left, right in squares(*picture.shape[:2]):
            hidden = picture.copy()
            hidden[top:bottom, left:right] = mean
            found.append((f"{top}:{bottom},{left}:{right}", (picture_edits.encoded(hidden),)))
        return found

    def picture(self, row: Input, weights: Sequence[float] = ()) -> str:
        """A thumbnail as a data URI; "" for a picture that cannot be opened. What spoke for the answer shines, the rest is dim."""
        try:
            image = Image.fromarray(open_picture(row[0], at_least=(THUMBNAIL, THUMBNAIL)))
        except DataError:
            return ""
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        if len(weights):
            image = shone_on(image, np.asarray(weights))
        return as_uri(picture_edits.encoded(image, "JPEG", quality=80), "image/jpeg")

    def measured(self, row: Input) -> Input:
        return picture_traits.traits_of(row[0])

    def measured_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{columns[0]} {name}" for name in picture_traits.NAMES)


def squares(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left and right of 36 squares that cover a picture."""
    rows, columns = np.linspace(0, height, GRID + 1).astype(int), np.linspace(0, width, GRID + 1).astype(int)
    return [
        (int(rows[i]), int(rows[i + 1]), int(columns[j]), int(columns[j + 1])) for i in range(GRID) for j in range(GRID)
    ]


def shone_on(image: Image.Image, weights: Array) -> Image.Image:
    """A picture whose squares are the brighter the more they spoke for the answer."""
    high = float(np.abs(weights).max()) or 1.0
    light = np.clip(0.5 + 0.5 * weights / high, 0.3, 1.0).reshape(GRID, GRID)
    mask = Image.fromarray((light * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BICUBIC)
    share = np.asarray(mask, dtype=np.float32)[..., None] / 255
    return Image.fromarray((np.asarray(image, dtype=np.float32) * share).astype(np.uint8))


def _sources(table: Any, columns: tuple[str, ...]) -> list[Any]:
    return [value if value is not None else "" for value in table.column(columns[0])]


def _sketches(sources: Sequence[Any]) -> Array:
    return picture_likeness.sketches(sources, lost_as_plain=True)
