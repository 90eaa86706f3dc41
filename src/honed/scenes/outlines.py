"""Outlines as polygons: the alphabet that kinds of objects are spelt in. Unit coordinates, y downwards, radius about 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]
HOLE = -2.0


@dataclass(frozen=True)
class Part:
    """One filled polygon.

    Parameters
    ----------
    points : array of shape (n, 2)
        Corners in unit coordinates.
    tone : float
        0 for the body, -1 to 1 for a darker or lighter detail on it, ``HOLE`` for a hole through it.
    """

    points: Array
    tone: float = 0.0


@dataclass(frozen=True)
class Shape:
    """What is drawn of one object: polygons in the order of painting, or a stencil (a square greyscale picture)."""

    parts: tuple[Part, ...] = ()
    stencil: Image.Image | None = None


def shape(*parts: Part) -> Shape:
    """A shape of polygons."""
    return Shape(tuple(parts))


def around(radii: Array | float, n: int = 40, squeeze: float = 1.0, phase: float = 0.0) -> Array:
    """A closed curve (n, 2) whose distance from the middle is given at n angles."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False) + phase
    radius = np.broadcast_to(np.asarray(radii, dtype=float), (n,))
    return np.stack([radius * np.cos(t), radius * np.sin(t) * squeeze], axis=1)


def wavy(rng: np.random.Generator, strength: float, n: int = 48, waves: int = 5) -> Array:
    """Radii (n,) of an uneven round thing, at most 1."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    orders = np.arange(2, 2 + waves)
    sizes = rng.normal(0, strength, waves) / orders
    radii = 1 + (sizes[:, None] * np.cos(orders[:, None] * t + rng.uniform(0, 2 * np.pi, (waves, 1)))).sum(axis=0)
    radii = np.clip(radii, 0.2, None)
    return radii / radii.max()


def polygon(points: Iterable[tuple[float, float]]) -> Array:
    """Corners (n, 2) of a polygon."""
    return np.asarray(list(points), dtype=float)


def bar(x0: float, y0: float, x1: float, y1: float) -> Array:
    """An upright rectangle."""
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def disc(x: float, y: float, radius: float, n: int = 24) -> Array:
    """A circle."""
    return around(radius, n) + np.array([x, y])


def capsule(x0: float, y0: float, x1: float, y1: float, width: float) -> Array:
    """A rod with round ends between two points; ``width`` is its half width."""
    along = np.arctan2(y1 - y0, x1 - x0)
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)
    front = np.stack([x1 + width * np.cos(along + t), y1 + width * np.sin(along + t)], axis=1)
    back = np.stack([x0 - width * np.cos(along + t), y0 - width * np.sin(along + t)], axis=1)
    return np.concatenate([front, back])


def ribbon(line: Array, width: Array | float) -> Array:
    """A band along a line (n, 2) of the given half width."""
    ahead = np.gradient(line, axis=0)
    across = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-9
    half = np.broadcast_to(np.asarray(width, dtype=float), (len(line),))[:, None]
    return np.concatenate([line + across * half, (line - across * half)[::-1]])


def profile(heights: Iterable[float], widths: Iterable[float]) -> Array:
    """The outline of a turned thing, such as a bottle: half widths at heights from the top (-1) to the bottom (1)."""
    y, x = np.asarray(list(heights)), np.asarray(list(widths))
    return np.concatenate([np.stack([x, y], axis=1), np.stack([-x, y], axis=1)[::-1]])
