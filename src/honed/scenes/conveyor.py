"""Machine parts on a conveyor: the pictures of the examples, with a look and kinds of their own that no pre-training sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from honed.scenes.camera import photograph
from honed.scenes.kinds import PARTS
from honed.scenes.looks import Look
from honed.scenes.outlines import HOLE, Array, Part, Shape, around, ribbon
from honed.scenes.paint import Light, Pose, paint, stamp
from honed.scenes.render import SceneObject, seen
from honed.scenes.textures import texture

FAULTS = ("none", "scratch", "rust", "chip")
METALS = ((176, 178, 182), (120, 124, 130), (196, 164, 96), (150, 112, 84), (90, 92, 98))
"""Zinc, steel, brass, copper, blackened steel: red, green, blue."""


def render_conveyor(
    rng: np.random.Generator, size: tuple[int, int] = (240, 320), kinds: Sequence[str] | None = None, most: int = 12
) -> tuple[Array, list[SceneObject]]:
    """A belt seen from above with 0 to ``most`` parts, some of them faulty or half out of the picture.

    Parameters
    ----------
    rng : numpy Generator
        All chance.
    size : (int, int)
        Height and width in pixels.
    kinds : sequence of str, optional
        Of ``kinds.PARTS``; all if left out.

    Returns
    -------
    (picture, objects)
        As :func:`honed.scenes.render_scene`.
    """
    names, (height, width) = tuple(kinds or PARTS), size
    canvas, light = belt(rng, height, width), _lamp(rng)
    painted = []
    for _ in range(int(rng.integers(0, most + 1))):
        name, radius = names[int(rng.integers(len(names)))], height * rng.uniform(0.08, 0.15)
        pose = Pose(rng.uniform(0, width), rng.uniform(0.1, 0.9) * height, radius, rng.uniform(0, 2 * np.pi))
        window = _part(rng, canvas, name, pose, light, str(rng.choice(FAULTS, p=(0.7, 0.1, 0.1, 0.1))))
        if window is not None:
            painted.append((name, window))
    return photograph(rng, canvas), seen(painted, size)


def render_part(rng: np.random.Generator, kind: str, fault: str = "none", side: int = 96) -> Array:
    """One part in the middle of the belt, picture (side, side, 3) uint8; ``fault`` is one of ``FAULTS``."""
    canvas = belt(rng, side, side)
    middle = rng.uniform(0.42, 0.58, 2) * side
    pose = Pose(middle[0], middle[1], side * rng.uniform(0.28, 0.42), rng.uniform(0, 2 * np.pi))
    _part(rng, canvas, kind, pose, _lamp(rng), fault)
    return photograph(rng, canvas)


def belt(rng: np.random.Generator, height: int, width: int) -> Array:
    """Dark rubber with ribs and dust, (height, width, 3) float32."""
    grain = texture(rng, height, width, "rough").astype(np.float32) / 255
    ribs = np.sin(np.arange(width, dtype=np.float32) * np.float32(2 * np.pi / rng.uniform(14, 22)))
    shade = rng.uniform(45, 75) + 18 * grain + 5 * ribs[None]
    return np.stack([shade * 0.97, shade, shade * 1.04], axis=2).astype(np.float32)


def _lamp(rng: np.random.Generator) -> Light:
    """A lamp over the belt, its shadows short."""
    angle = rng.uniform(-2.4, -0.7)
    return Light(float(np.cos(angle)), float(np.sin(angle)), 0.12, 0.5)


def _part(
    rng: np.random.Generator, canvas: Array, name: str, pose: Pose, light: Light, fault: str
) -> tuple[slice, slice, Array] | None:
    form = PARTS[name](rng)
    if fault == "chip":
        angle = rng.uniform(0, 2 * np.pi)
        place = 0.85 * np.array([np.cos(angle), np.sin(angle)])
        form = Shape((*form.parts, Part(around(rng.uniform(0.15, 0.3), 9) + place, HOLE)))
    elif fault == "scratch":
        form = Shape((*form.parts, *(Part(_scratch(rng), 1.0) for _ in range(3))))
    return paint(canvas, stamp(form, pose), _metal(rng, rusty=fault == "rust"), light, rng)


def _scratch(rng: np.random.Generator) -> Array:
    x = np.linspace(-0.8, 0.8, 8)
    line = np.stack([x, rng.uniform(-0.5, 0.5) + x * rng.uniform(-1, 1)], axis=1)
    return ribbon(line, 0.025)


def _metal(rng: np.random.Generator, rusty: bool) -> Look:
    base = np.asarray(METALS[rng.integers(len(METALS))], dtype=np.float32) * np.float32(rng.uniform(0.85, 1.1))
    other = np.array([130, 70, 35], dtype=np.float32) if rusty else base * np.float32(0.82)
    share = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    share = np.clip((share - 0.35) * 4, 0, 1) if rusty else share
    return Look(base + (other - base) * share, "cloudy" if rusty else "rough", 0.9, 0.12, -0.3, 0.6, 1.0)
