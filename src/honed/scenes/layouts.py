"""Where things lie in a scene: strewn, heaped, under a microscope, on shelves, on a table, in a street, one alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from honed.scenes.kinds import SMALL, UPRIGHT
from honed.scenes.paint import Pose

Placed = Iterator[tuple[str, Pose]]
Layout = Callable[[np.random.Generator, int, int, Sequence[str]], Placed]


def _pose(rng: np.random.Generator, kind: str, x: float, y: float, radius: float) -> Pose:
    turn = rng.normal(0, 0.06) if kind in UPRIGHT else rng.uniform(0, 2 * np.pi)
    return Pose(x, y, radius, float(turn), float(rng.uniform(0.75, 1.2)), bool(rng.random() < 0.5))


def _few(rng: np.random.Generator, kinds: Sequence[str], most: int) -> list[str]:
    """At most a few of the kinds: a scene has a theme."""
    n = int(rng.integers(1, min(most, len(kinds)) + 1))
    return [kinds[i] for i in rng.choice(len(kinds), n, replace=False)]


def strewn(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """Objects of any size anywhere."""
    for _ in range(int(rng.integers(2, 10))):
        kind = kinds[int(rng.integers(len(kinds)))]
        radius = min(height, width) * float(np.exp(rng.uniform(np.log(0.05), np.log(0.25))))
        yield kind, _pose(rng, kind, rng.uniform(0, width), rng.uniform(0, height), radius)


def alone(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """One or two large objects."""
    for _ in range(int(rng.integers(1, 3))):
        kind = kinds[int(rng.integers(len(kinds)))]
        radius = min(height, width) * rng.uniform(0.22, 0.48)
        yield kind, _pose(rng, kind, width * rng.uniform(0.25, 0.75), height * rng.uniform(0.25, 0.75), radius)


def microscope(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """Dozens of small things of like size that touch, with a few others among them."""
    small = [kind for kind in kinds if kind in SMALL]
    chosen = _few(rng, small if small and rng.random() < 0.6 else kinds, 3)
    radius = min(height, width) * rng.uniform(0.03, 0.085)
    step = radius * rng.uniform(1.9, 3.0)
    sparse = rng.uniform(0.25, 0.95)
    for y in np.arange(0, height + step, step):
        for x in np.arange(0, width + step, step):
            if rng.random() > sparse:
                continue
            place = np.array([x, y]) + rng.normal(0, step * 0.3, 2)
            kind = chosen[0] if rng.random() < 0.8 else chosen[rng.integers(len(chosen))]
            size = radius * rng.uniform(0.8, 1.2) * (1.6 if kind != chosen[0] else 1.0)
            yield kind, _pose(rng, kind, place[0], place[1], size)


def heap(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """Middle-sized things of few kinds that lie over each other."""
    chosen, side = _few(rng, kinds, 4), min(height, width)
    radius, centre, spread = side * rng.uniform(0.07, 0.16), rng.uniform(0.3, 0.7, 2), rng.uniform(0.15, 0.35)
    for _ in range(int(rng.integers(6, 26))):
        kind = chosen[rng.integers(len(chosen))]
        place = centre + rng.normal(0, spread, 2)
        yield kind, _pose(rng, kind, place[0] * width, place[1] * height, radius * rng.uniform(0.7, 1.3))


def shelves(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """Rows of like things side by side."""
    rows = int(rng.integers(1, 5))
    radius = height / rows * rng.uniform(0.3, 0.48)
    for row in range(rows):
        chosen, x = _few(rng, kinds, 3), rng.uniform(0, radius)
        while x < width:
            kind = chosen[rng.integers(len(chosen))]
            size = radius * rng.uniform(0.85, 1.0)
            foot = (row + 0.97) * height / rows - size
            if rng.random() < 0.9:
                pose = _pose(rng, kind, x, foot, size)
                yield kind, Pose(pose.x, pose.y, size, float(rng.normal(0, 0.05)), pose.stretch, pose.mirrored)
            x += radius * rng.uniform(0.9, 2.0)


def receding(rng: np.random.Generator, height: int, width: int, kinds: Sequence[str]) -> Placed:
    """A table or a street seen from above one end: the nearer, the larger and the later painted."""
    horizon, near = height * rng.uniform(0.2, 0.5), height * rng.uniform(0.08, 0.24)
    chosen = _few(rng, kinds, 6)
    for depth in np.sort(rng.uniform(0.12, 1.0, int(rng.integers(4, 16)))):
        kind = chosen[rng.integers(len(chosen))]
        radius, foot = near * depth, horizon + (height - horizon) * depth
        yield kind, _pose(rng, kind, rng.uniform(0, width), foot - radius, radius)


LAYOUTS: dict[str, tuple[Layout, float]] = {
    "strewn": (strewn, 0.25), "alone": (alone, 0.12), "microscope": (microscope, 0.2), "heap": (heap, 0.18),
    "shelves": (shelves, 0.12), "receding": (receding, 0.13),
}  # fmt: skip
"""Every layout with the share of scenes that have it."""
