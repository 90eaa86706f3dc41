"""Pictures that concern nobody's problem, drawn by rule: does the model know that it does not know?"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from honed.media.picture_edits import encoded

SIDE = 96
N = 36


@cache
def out_of_scope() -> tuple[bytes, ...]:
    """36 pictures: noise, plain colours, gradients, stripes, boards, circles, writing-like strokes, plasma, as PNG."""
    rng = np.random.default_rng(11)
    makers = (_noise, _plain, _gradient, _stripes, _board, _circles, _strokes, _plasma, _dots)
    return tuple(encoded(makers[i % len(makers)](rng)) for i in range(N))


def _noise(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def _plain(rng: np.random.Generator) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), _colour(rng))


def _gradient(rng: np.random.Generator) -> Image.Image:
    share = np.linspace(0, 1, SIDE)[None, :, None] if rng.random() < 0.5 else np.linspace(0, 1, SIDE)[:, None, None]
    first, last = (np.array(_colour(rng), dtype=float) for _ in range(2))
    return Image.fromarray(np.broadcast_to(first + (last - first) * share, (SIDE, SIDE, 3)).astype(np.uint8))


def _stripes(rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    angle, width = rng.uniform(0, np.pi), rng.integers(4, 16)
    on = ((x * np.cos(angle) + y * np.sin(angle)) // width).astype(int) % 2 == 0
    return _two(on, rng)


def _board(rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[0:SIDE, 0:SIDE] // int(rng.integers(6, 24))
    return _two((x + y) % 2 == 0, rng)


def _circles(rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[0:SIDE, 0:SIDE] - rng.integers(20, SIDE - 20, 2)[:, None, None]
    return _two((np.hypot(x, y) // rng.integers(4, 12)).astype(int) % 2 == 0, rng)


def _strokes(rng: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), (250, 248, 240))
    pen = ImageDraw.Draw(picture)
    for line in range(8, SIDE, 12):
        x = 6
        while x < SIDE - 10:
            length = int(rng.integers(3, 14))
            pen.line(
                [(x, line + int(rng.integers(-2, 3))), (x + length, line + int(rng.integers(-2, 3)))], (30, 30, 40), 2
            )
            x += length + 4
    return picture


def _plasma(rng: np.random.Generator) -> Image.Image:
    coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _dots(rng: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    pen = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, r = int(rng.integers(0, SIDE)), int(rng.integers(0, SIDE)), int(rng.integers(1, 5))
        pen.ellipse([x - r, y - r, x + r, y + r], _colour(rng))
    return picture


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _two(on: np.ndarray, rng: np.random.Generator) -> Image.Image:  # type: ignore[type-arg]
    first, second = (np.array(_colour(rng), dtype=np.uint8) for _ in range(2))
    return Image.fromarray(np.where(on[..., None], first, second))
