"""Puts one object into a picture: its outline, texture, light, shadow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from honed.scenes.looks import Look
from honed.scenes.outlines import HOLE, Array, Shape
from honed.scenes.textures import texture


@dataclass(frozen=True)
class Pose:
    """Where an object lies: centre x, y and radius in pixels, turn in radians, width against height, mirrored or not."""

    x: float
    y: float
    radius: float
    turn: float = 0.0
    stretch: float = 1.0
    mirrored: bool = False


@dataclass(frozen=True)
class Stamp:
    """An object ready to be painted: coverage and tone (s, s) uint8 of a square whose corner lies at left, top."""

    cover: Image.Image
    tone: Image.Image | None
    left: int
    top: int

    @property
    def side(self) -> int:
        """Pixels a side."""
        return int(self.cover.width)


@dataclass(frozen=True)
class Light:
    """One light for a whole scene: from where (unit vector), and the shadow's length (share of the radius) and depth."""

    x: float
    y: float
    shadow_length: float = 0.0
    shadow_depth: float = 0.0


def random_light(rng: np.random.Generator) -> Light:
    """Light from any side, with a shadow in one scene of three."""
    angle = rng.uniform(0, 2 * np.pi)
    shadows = rng.random() < 0.35
    length, depth = (rng.uniform(0.05, 0.3), rng.uniform(0.2, 0.6)) if shadows else (0.0, 0.0)
    return Light(float(np.cos(angle)), float(np.sin(angle)), float(length), float(depth))


def stamp(form: Shape, pose: Pose) -> Stamp:
    """The object's outline in pixels, with smooth borders."""
    half = int(np.ceil(pose.radius * max(1.0, pose.stretch) * (1.45 if form.stencil else 1.2))) + 2
    left, top = int(np.floor(pose.x)) - half, int(np.floor(pose.y)) - half
    if form.stencil is not None:
        return Stamp(_stencilled(form.stencil, pose, 2 * half), None, left, top)
    finer = 2 if half < 80 else 1
    size = 2 * half * finer
    cover, tone = Image.new("L", (size, size), 0), Image.new("L", (size, size), 128)
    fill, shade, toned = ImageDraw.Draw(cover), ImageDraw.Draw(tone), False
    for part in form.parts:
        corners = (_placed(part.points, pose) - [left, top]) * finer
        flat = corners.ravel().tolist()
        if part.tone in (0.0, HOLE):
            fill.polygon(flat, fill=255 if part.tone == 0.0 else 0)
        else:
            shade.polygon(flat, fill=int(128 + 127 * float(np.clip(part.tone, -1, 1))))
            toned = True
    if finer > 1:
        cover, tone = cover.reduce(finer), tone.reduce(finer) if toned else tone
    return Stamp(cover, tone if toned else None, left, top)


def _placed(points: Array, pose: Pose) -> Array:
    c, s = np.cos(pose.turn), np.sin(pose.turn)
    scaled = points * [pose.radius * pose.stretch * (-1 if pose.mirrored else 1), pose.radius]
    return scaled @ np.array([[c, s], [-s, c]]) + [pose.x, pose.y]


def _stencilled(stencil: Image.Image, pose: Pose, side: int) -> Image.Image:
    """A stencil turned and scaled into a square, its middle in the middle."""
    factor = stencil.width / (2 * pose.radius)
    c, s = np.cos(pose.turn) * factor, np.sin(pose.turn) * factor
    a, b, d, e = c / pose.stretch, s / pose.stretch, -s, c
    offset = (side / 2 + (pose.x % 1), side / 2 + (pose.y % 1))
    middle = stencil.width / 2
    data = (a, b, middle - a * offset[0] - b * offset[1], d, e, middle - d * offset[0] - e * offset[1])
    return stencil.transform((side, side), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def paint(
    canvas: Array, what: Stamp, look: Look, light: Light, rng: np.random.Generator
) -> tuple[slice, slice, Array] | None:
    """Paint onto a canvas (h, w, 3) float32; gives the window and the object's own mask in it, or None outside.

    The mask is where the object covers at least half of a pixel.
    """
    rows, inner_rows = _overlap(what.top, what.side, canvas.shape[0])
    columns, inner_columns = _overlap(what.left, what.side, canvas.shape[1])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    if light.shadow_depth:
        _shade_ground(canvas, what, light)
    inside = (inner_rows, inner_columns)
    cover = np.asarray(what.cover)[inside]
    surface = (
        look.colours[texture(rng, cover.shape[0], cover.shape[1], look.texture)]
        * _lit(what, look, light)[inside][..., None]
    )
    share = (cover * np.float32(look.cover / 255))[..., None]
    window = canvas[rows, columns]
    window += (surface * np.float32(rng.uniform(0.88, 1.12)) - window) * share
    return rows, columns, cover >= 128


def _lit(what: Stamp, look: Look, light: Light) -> Array:
    """Brightness (s, s) float32 of a surface under the light: relief, rim and tones of the details."""
    found = np.ones((what.side, what.side), dtype=np.float32)
    if look.relief or look.rim:
        radius = max(1.0, what.side / 2.6 * look.round_share)
        height = (
            np.asarray(
                what.cover.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius / 2)), dtype=np.float32
            )
            / 255
        )
        if look.relief:
            slope = np.zeros_like(height)
            slope[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * light.x
            slope[1:-1] += (height[2:] - height[:-2]) * light.y
            found -= slope * np.float32(look.relief * radius)
        found += np.float32(look.rim) * np.clip(1.15 - height * 1.3, 0, 1)
    if what.tone is not None:
        found *= 1 + (np.asarray(what.tone, dtype=np.float32) - 128) * np.float32(look.detail / 128)
    return np.clip(found, 0.15, 2.2)


def _shade_ground(canvas: Array, what: Stamp, light: Light) -> None:
    """A soft shadow away from the light."""
    reach = what.side / 2.6 * light.shadow_length
    top, left = what.top + round(light.y * reach), what.left + round(light.x * reach)
    rows, inner_rows = _overlap(top, what.side, canvas.shape[0])
    columns, inner_columns = _overlap(left, what.side, canvas.shape[1])
    if rows.start < rows.stop and columns.start < columns.stop:
        soft = np.asarray(what.cover.filter(ImageFilter.BoxBlur(1 + reach / 3)))[inner_rows, inner_columns]
        canvas[rows, columns] *= (1 - soft * np.float32(light.shadow_depth / 255))[..., None]


def _overlap(start: int, length: int, limit: int) -> tuple[slice, slice]:
    """The part of a stretch within 0 and a limit, in the canvas and in the stretch."""
    low, high = max(0, start), max(0, min(limit, start + length))
    return slice(low, high), slice(low - start, max(low, high) - start)
