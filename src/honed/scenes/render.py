"""A scene: a picture of many objects with their boxes and masks, a function of its random generator alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from honed.scenes.camera import photograph
from honed.scenes.fractals import attractor, numbered_system, varied
from honed.scenes.kinds import ALL, TRAINED
from honed.scenes.layouts import LAYOUTS
from honed.scenes.looks import Look, ground, random_look
from honed.scenes.outlines import Array, Shape
from honed.scenes.paint import Light, Pose, paint, random_light, stamp

LEAST_PIXELS, LEAST_SHARE = 12, 0.25
Window = tuple[slice, slice, Array]


@dataclass(frozen=True)
class SceneObject:
    """One object that can be seen.

    Parameters
    ----------
    label : str
        Its kind.
    box_xyxy : four floats
        The smallest box around what is seen of it, in pixels: left, top, right, bottom, the last two just outside.
    mask : array of shape (h, w), bool
        What is seen of it.
    """

    label: str
    box_xyxy: tuple[float, float, float, float]
    mask: Array


def render_scene(
    rng: np.random.Generator,
    size: tuple[int, int] = (192, 192),
    kinds: Sequence[str] | None = None,
    layout: str | None = None,
) -> tuple[Array, list[SceneObject]]:
    """A picture and its objects.

    Parameters
    ----------
    rng : numpy Generator
        All chance; the same state gives the same scene.
    size : (int, int)
        Height and width in pixels.
    kinds : sequence of str, optional
        Names of ``kinds.ALL``; those of the pre-training if left out.
    layout : str, optional
        A name of ``layouts.LAYOUTS``; drawn by its share if left out.

    Returns
    -------
    (picture, objects)
        Picture (h, w, 3) uint8, and a list of SceneObject. An object of which less than a quarter is seen is not listed.
    """
    names = tuple(kinds or TRAINED)
    height, width = size
    canvas = ground(rng, height, width)
    chosen = layout or str(rng.choice(list(LAYOUTS), p=[share for _, share in LAYOUTS.values()]))
    cover = float(rng.uniform(0.55, 0.95)) if chosen == "microscope" and rng.random() < 0.6 else 1.0
    behind = canvas.mean(axis=(0, 1))
    alike = {name: random_look(rng, cover=cover, against=behind) for name in names} if rng.random() < 0.75 else {}
    light, painted = random_light(rng), []
    clutter(rng, canvas, light)
    for name, pose in LAYOUTS[chosen][0](rng, height, width, names):
        look = alike.get(name) or random_look(rng, cover=cover, against=behind)
        window = paint(canvas, stamp(ALL[name](rng), pose), look, light, rng)
        if window is not None:
            painted.append((name, window))
    return photograph(rng, canvas), seen(painted, (height, width), hidden=cover == 1.0)


def seen(painted: list[tuple[str, Window]], size: tuple[int, int], hidden: bool = True) -> list[SceneObject]:
    """Objects with what is seen of them, where later ones hide earlier ones if ``hidden``."""
    numbers = np.full(size, -1, dtype=np.int32)
    for number, (_, (rows, columns, mask)) in enumerate(painted):
        numbers[rows, columns][mask] = number
    found = []
    for number, (name, (rows, columns, mask)) in enumerate(painted):
        shown = (numbers[rows, columns] == number) if hidden else mask
        n = int(shown.sum())
        if n < LEAST_PIXELS or n < LEAST_SHARE * mask.sum():
            continue
        whole = np.zeros(size, dtype=bool)
        whole[rows, columns] = shown
        down, across = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        left, top = columns.start + across[0], rows.start + down[0]
        right, bottom = columns.start + across[-1] + 1, rows.start + down[-1] + 1
        found.append(SceneObject(name, (float(left), float(top), float(right), float(bottom)), whole))
    return found


def clutter(rng: np.random.Generator, canvas: Array, light: Light) -> None:
    """Things nobody asks for: specks, scratches and bars, faint and without a label."""
    if rng.random() < 0.5:
        return
    height, width = canvas.shape[:2]
    look = random_look(rng, cover=float(rng.uniform(0.15, 0.5)))
    for _ in range(int(rng.integers(3, 15))):
        radius = min(height, width) * float(rng.choice([0.008, 0.02, 0.3]))
        name = "rod" if radius > 0.1 * height else "blob"
        pose = Pose(rng.uniform(0, width), rng.uniform(0, height), radius, rng.uniform(0, 6.28))
        stretched = Pose(pose.x, pose.y, radius * 0.1, pose.turn, 10.0) if name == "rod" else pose
        paint(canvas, stamp(ALL[name](rng), stretched), look, light, rng)


def render_single(
    rng: np.random.Generator, kind: str | int, texture: str | None = None, side: int = 64, look: Look | None = None
) -> Array:
    """A picture (side, side, 3) uint8 of one object: of a named kind, or the fractal of a number."""
    canvas, light = ground(rng, side, side), random_light(rng)
    form = (
        Shape(stencil=attractor(varied(numbered_system(kind), rng), rng, 96))
        if isinstance(kind, int)
        else ALL[kind](rng)
    )
    x, y = rng.uniform(0.36, 0.64, 2) * side
    pose = Pose(
        x, y, side * rng.uniform(0.24, 0.5), rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.25), rng.random() < 0.5
    )
    paint(canvas, stamp(form, pose), look or random_look(rng, texture, against=canvas.mean(axis=(0, 1))), light, rng)
    return photograph(rng, canvas)
