"""Writes drawn pictures as the sets that users have: COCO annotations, and a folder for each class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from honed.scenes.conveyor import render_conveyor, render_part
from honed.scenes.kinds import PARTS
from honed.scenes.outlines import Array
from honed.scenes.render import SceneObject


def write_conveyor_set(folder: Path, n: int = 60, seed: int = 0, size: tuple[int, int] = (240, 320)) -> Path:
    """Pictures of parts on a conveyor with boxes and masks; gives the annotations' file (COCO format).

    Picture i is a function of (seed, i): a longer set begins with the shorter one.
    """
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names = list(PARTS)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(n):
        picture, objects = render_conveyor(np.random.default_rng((seed, i)), size)
        name = f"images/{i:05d}.jpg"
        Image.fromarray(picture).save(folder / name, quality=92)
        pictures.append({"id": i + 1, "file_name": name, "height": size[0], "width": size[1]})
        annotations += [_annotation(item, i + 1, names, len(annotations) + k + 1) for k, item in enumerate(objects)]
    kinds = [{"id": number + 1, "name": name} for number, name in enumerate(names)]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": pictures, "annotations": annotations, "categories": kinds}), encoding="utf-8")
    return path


def write_part_folders(folder: Path, n_each: int = 20, seed: int = 0, side: int = 96) -> Path:
    """A folder of pictures for each kind of part; gives the folder."""
    for number, name in enumerate(PARTS):
        place = folder / name.replace(" ", "_")
        place.mkdir(parents=True, exist_ok=True)
        for i in range(n_each):
            picture = render_part(np.random.default_rng((seed, number, i)), name, side=side)
            Image.fromarray(picture).save(place / f"{i:04d}.jpg", quality=92)
    return folder


def _annotation(item: SceneObject, picture: int, names: list[str], number: int) -> dict[str, Any]:
    left, top, right, bottom = item.box_xyxy
    return {
        "id": number, "image_id": picture, "category_id": names.index(item.label) + 1, "iscrowd": 0,
        "bbox": [left, top, right - left, bottom - top], "area": int(item.mask.sum()),
        "segmentation": {"size": list(item.mask.shape), "counts": run_lengths(item.mask)},
    }  # fmt: skip


def run_lengths(mask: Array) -> list[int]:
    """COCO's uncompressed run lengths of a mask (h, w) bool: column by column, beginning with the zeros."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(flat)]])
    counts = np.diff(edges).tolist()
    return [0, *counts] if flat[0] else counts
