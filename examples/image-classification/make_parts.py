"""Draws the pictures of this example: parts on a conveyor belt, as an inspection camera sees them. Seeded; no photograph.

    python examples/image-classification/make_parts.py FOLDER [pictures of each class]

Six classes: bolts, nuts, washers, gears, springs, and scratched washers. A few faults are planted for ``inspect`` to find:
a picture that is there twice, one under two labels, one that is cut short.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE, BIG = 96, 288
CLASSES = ("bolt", "gear", "nut", "scratched-washer", "spring", "washer")
PER_CLASS = 60


def part(kind: str, seed: int) -> Image.Image:
    """One part on the belt: metal under a lamp, blurred and noisy as from a cheap camera."""
    rng = np.random.default_rng((CLASSES.index(kind), seed))
    belt = _belt(rng)
    mask = Image.new("L", (BIG, BIG), 0)
    pen = ImageDraw.Draw(mask)
    centre, size, angle = BIG * rng.uniform(0.4, 0.6, 2), BIG * rng.uniform(0.24, 0.36), rng.uniform(0, 2 * np.pi)
    OUTLINES[kind.removeprefix("scratched-")](pen, centre, size, angle, rng)
    metal = _metal(mask, rng)
    if kind.startswith("scratched"):
        _scratch(ImageDraw.Draw(metal), centre, size, rng)
    shadow = mask.filter(ImageFilter.GaussianBlur(7))
    belt.paste((12, 13, 15), (6, 8), shadow.point(lambda value: value // 2))
    belt.paste(metal, (0, 0), mask)
    small = belt.resize((SIDE, SIDE), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    pixels = np.asarray(small, dtype=float) * rng.uniform(0.75, 1.2) + rng.normal(0, rng.uniform(3, 9), (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _belt(rng: np.random.Generator) -> Image.Image:
    tone = np.array([rng.uniform(45, 95)] * 3) * np.array([1.0, rng.uniform(0.95, 1.08), rng.uniform(0.95, 1.1)])
    y, x = np.mgrid[0:BIG, 0:BIG]
    weave = 6 * np.sin(x / rng.uniform(3, 6)) * np.sin(y / rng.uniform(3, 6)) + rng.normal(0, 4, (BIG, BIG))
    lamp = 30 * np.exp(
        -(((x - BIG * rng.uniform(0.2, 0.8)) / BIG) ** 2 + ((y - BIG * rng.uniform(0.2, 0.8)) / BIG) ** 2) * 4
    )
    return Image.fromarray(np.clip(tone + (weave + lamp)[..., None], 0, 255).astype(np.uint8))


def _metal(mask: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brushed metal, lit along the edges of the mask as if it were round."""
    height = np.asarray(mask.filter(ImageFilter.GaussianBlur(5)), dtype=float)
    slope_y, slope_x = np.gradient(height)
    angle = rng.uniform(0, 2 * np.pi)
    light = 165 + 2.2 * (slope_x * np.cos(angle) + slope_y * np.sin(angle))
    brushed = np.cumsum(rng.normal(0, 1.2, (BIG, BIG)), axis=1)
    light += brushed - brushed.mean(axis=1, keepdims=True)
    tint = np.array([1.0, rng.uniform(0.93, 1.0), rng.uniform(0.85, 1.02)])
    return Image.fromarray(np.clip(light[..., None] * tint, 0, 255).astype(np.uint8))


def _scratch(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(2, 4))):
        start = centre + rng.uniform(-0.75, 0.75, 2) * size
        direction = rng.uniform(0, 2 * np.pi)
        steps = np.cumsum(
            rng.normal(0, 2.5, (14, 2)) + size / 9 * np.array([np.cos(direction), np.sin(direction)]), axis=0
        )
        points = [tuple(map(float, start + step)) for step in steps]
        pen.line(points, fill=(35, 33, 32), width=int(rng.integers(4, 8)))


def _around(centre: np.ndarray, radii: np.ndarray, angle: float) -> list[tuple[float, float]]:
    t = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) + angle
    return list(zip((centre[0] + radii * np.cos(t)).tolist(), (centre[1] + radii * np.sin(t)).tolist(), strict=True))


def _moved(
    points: list[tuple[float, float]], centre: np.ndarray, size: float, angle: float
) -> list[tuple[float, float]]:
    c, s = np.cos(angle), np.sin(angle)
    return [(float(centre[0] + size * (u * c - v * s)), float(centre[1] + size * (u * s + v * c))) for u, v in points]


def _washer(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, angle: float, rng: np.random.Generator) -> None:
    pen.polygon(_around(centre, np.full(90, size), 0), fill=255)
    pen.polygon(_around(centre, np.full(90, size * rng.uniform(0.4, 0.55)), 0), fill=0)


def _nut(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, angle: float, rng: np.random.Generator) -> None:
    pen.polygon(_around(centre, np.full(6, size), angle), fill=255)
    pen.polygon(_around(centre, np.full(60, size * rng.uniform(0.42, 0.52)), 0), fill=0)


def _gear(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, angle: float, rng: np.random.Generator) -> None:
    teeth = int(rng.integers(8, 15))
    wave = np.sign(np.sin(np.linspace(0, 2 * np.pi * teeth, 360, endpoint=False)))
    pen.polygon(_around(centre, size * (0.9 + 0.12 * wave), angle), fill=255)
    pen.polygon(_around(centre, np.full(60, size * rng.uniform(0.2, 0.35)), 0), fill=0)


def _bolt(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, angle: float, rng: np.random.Generator) -> None:
    shaft, width = rng.uniform(1.0, 1.3), rng.uniform(0.2, 0.28)
    pen.polygon(_moved([(-0.6, -width), (shaft, -width), (shaft, width), (-0.6, width)], centre, size, angle), fill=255)
    pen.polygon(_moved([(-1, -0.5), (-0.55, -0.5), (-0.55, 0.5), (-1, 0.5)], centre, size, angle), fill=255)
    for u in np.arange(0.1, shaft, 0.14):
        pen.line(_moved([(u, -width), (u + 0.05, width)], centre, size, angle), fill=150, width=3)


def _spring(pen: ImageDraw.ImageDraw, centre: np.ndarray, size: float, angle: float, rng: np.random.Generator) -> None:
    turns, t = int(rng.integers(5, 9)), np.linspace(0, 1, 400)
    wave = list(zip((2 * t - 1).tolist(), (0.42 * np.sin(2 * np.pi * turns * t)).tolist(), strict=True))
    pen.line(_moved(wave, centre, size * 1.1, angle), fill=255, width=11, joint="curve")


OUTLINES = {"washer": _washer, "nut": _nut, "gear": _gear, "bolt": _bolt, "spring": _spring}


def make(folder: Path, per_class: int = PER_CLASS, first: int = 0, faults: bool = True) -> Path:
    """Write ``folder/CLASS/NUMBER.jpg``; with ``faults`` also the planted ones."""
    shutil.rmtree(folder, ignore_errors=True)
    for kind in CLASSES:
        place = folder / kind
        place.mkdir(parents=True)
        for number in range(first, first + per_class):
            part(kind, number).save(place / f"{number:04}.jpg", quality=90)
    if faults:
        shutil.copy(folder / "gear" / f"{first:04}.jpg", folder / "gear" / "again.jpg")
        shutil.copy(folder / "nut" / f"{first:04}.jpg", folder / "washer" / "a-nut.jpg")
        content = (folder / "bolt" / f"{first:04}.jpg").read_bytes()
        (folder / "bolt" / "cut-short.jpg").write_bytes(content[: len(content) // 2])
    return folder


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/parts")
    print(make(where, int(sys.argv[2]) if len(sys.argv) > 2 else PER_CLASS))
