"""Attractors of random systems of affine maps, as stencils and textures.

Barnsley, *Fractals everywhere*, 1988; as material for pre-training: Kataoka et al., *Pre-training without natural
images*, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image

from honed.scenes.outlines import Array

CHAINS, STEPS, SKIPPED = 160, 40, 8


@dataclass(frozen=True)
class System:
    """Maps x -> A x + b with chances: matrices (k, 2, 2), shifts (k, 2), chances (k,)."""

    matrices: Array
    shifts: Array
    chances: Array


def random_system(rng: np.random.Generator) -> System:
    """A system whose maps all contract, the first of a few that fills enough of the plane."""
    system = _draw(rng)
    for _ in range(6):
        if _filled(system) > 120:
            break
        system = _draw(rng)
    return system


@cache
def numbered_system(number: int) -> System:
    """The same system for the same number: a class of fractals."""
    rng = np.random.default_rng((77, number))
    system = random_system(rng)
    while _filled(system) <= 120:
        system = random_system(rng)
    return system


def varied(system: System, rng: np.random.Generator) -> System:
    """The same system with its maps changed a little: another example of the same class."""
    return replace(system, matrices=system.matrices * rng.uniform(0.93, 1.0, (len(system.chances), 1, 1)))


def _draw(rng: np.random.Generator) -> System:
    k = int(rng.integers(2, 5))
    left, right = _turns(rng.uniform(0, 2 * np.pi, k)), _turns(rng.uniform(0, 2 * np.pi, k))
    sizes = rng.uniform(0.25, 0.85, (k, 2)) * rng.choice([-1.0, 1.0], (k, 2))
    matrices = np.einsum("kij,kj,kjl->kil", left, sizes, right)
    chances = np.abs(np.linalg.det(matrices)) + 0.03
    return System(matrices, rng.uniform(-1, 1, (k, 2)), chances / chances.sum())


def _turns(angles: Array) -> Array:
    c, s = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)


def orbit(system: System, rng: np.random.Generator, chains: int = CHAINS) -> Array:
    """Points (chains * steps, 2) of the attractor."""
    choices = rng.choice(len(system.chances), size=(STEPS, chains), p=system.chances)
    points, found = np.zeros((chains, 2)), []
    for step, chosen in enumerate(choices):
        points = (system.matrices[chosen] @ points[:, :, None])[:, :, 0] + system.shifts[chosen]
        if step >= SKIPPED:
            found.append(points)
    return np.concatenate(found)


def _filled(system: System) -> int:
    points = orbit(system, np.random.default_rng(0), 32)
    spread = np.ptp(points, axis=0).max() + 1e-9
    places = ((points - points.min(axis=0)) / spread * 31).astype(int)
    return len(np.unique(places[:, 0] * 32 + places[:, 1]))


def attractor(system: System, rng: np.random.Generator, side: int) -> Image.Image:
    """The attractor as a greyscale stencil (side, side) that fills its square."""
    points = orbit(system, rng)
    low, high = np.quantile(points, 0.01, axis=0), np.quantile(points, 0.99, axis=0)
    scale = (side // 2 - 2) / max(float((high - low).max()), 1e-6)
    places = np.rint((points - (low + high) / 2) * scale + side / 4).astype(int)
    half = side // 2
    inside = ((places >= 0) & (places < half)).all(axis=1)
    counts = np.bincount(places[inside, 1] * half + places[inside, 0], minlength=half * half).reshape(half, half)
    dense = np.clip(np.log1p(counts) / np.log1p(3), 0, 1) * 255
    return Image.fromarray(dense.astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
