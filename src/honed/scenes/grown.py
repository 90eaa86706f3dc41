"""Kinds of objects that grow: cells, blobs, leaves, trees, flowers, fish."""

from __future__ import annotations

import numpy as np

from honed.scenes.fractals import attractor, random_system
from honed.scenes.outlines import HOLE, Array, Part, Shape, around, bar, capsule, disc, polygon, ribbon, shape, wavy

Rng = np.random.Generator


def ellipse(rng: Rng) -> Shape:
    """A plain round or oval thing, at times with a highlight."""
    body = around(1.0, 48, rng.uniform(0.55, 1.0))
    spot = Part(around(rng.uniform(0.1, 0.3), 16, 0.7) + rng.uniform(-0.4, 0.1, 2), rng.uniform(-1, 1))
    return shape(Part(body), spot) if rng.random() < 0.4 else shape(Part(body))


def blob(rng: Rng) -> Shape:
    """An uneven round thing."""
    return shape(Part(around(wavy(rng, rng.uniform(0.15, 0.45)), 48, rng.uniform(0.6, 1.0))))


def cell(rng: Rng) -> Shape:
    """A cell: an uneven rim, one or several lobes of a nucleus, at times a pale middle instead."""
    body = Part(around(wavy(rng, 0.12), 48, rng.uniform(0.75, 1.0)))
    if rng.random() < 0.3:
        return shape(body, Part(around(wavy(rng, 0.1), 48) * rng.uniform(0.3, 0.55), rng.uniform(0.3, 0.9)))
    tone, size = -rng.uniform(0.4, 1.0), rng.uniform(0.3, 0.7)
    lobes = int(rng.choice([1, 1, 2, 3, 4]))
    reach = rng.uniform(0.1, 0.45) if lobes > 1 else rng.uniform(0, 0.2)
    turns = rng.uniform(0, 2 * np.pi) + np.arange(lobes) * rng.uniform(1.0, 2.2)
    nuclei = [
        Part(around(wavy(rng, 0.2, 24), 24) * size / lobes**0.4 + reach * np.array([np.cos(t), np.sin(t)]), tone)
        for t in turns
    ]
    return shape(body, *nuclei)


def ring(rng: Rng) -> Shape:
    """A ring with a hole."""
    squeeze, inner = rng.uniform(0.7, 1.0), rng.uniform(0.35, 0.75)
    return shape(Part(around(1.0, 48, squeeze)), Part(around(inner, 48, squeeze), HOLE))


def spiky(rng: Rng) -> Shape:
    """A body with thin arms, as a nerve cell or a virus."""
    n = int(rng.integers(5, 13))
    turns = 2 * np.pi * (np.arange(n) + rng.uniform(-0.25, 0.25, n)) / n
    core, width = rng.uniform(0.35, 0.65), rng.uniform(0.03, 0.1)
    arms = [
        Part(capsule(0, 0, r * np.cos(t), r * np.sin(t), width))
        for t, r in zip(turns, rng.uniform(0.75, 1, n), strict=True)
    ]
    return shape(*arms, Part(around(wavy(rng, 0.2, 24), 24) * core))


def chain(rng: Rng) -> Shape:
    """Beads on a bent line, as bacteria in a row."""
    n = int(rng.integers(3, 8))
    x = np.linspace(-1, 1, n) * (1 - 1 / n)
    y = rng.uniform(-0.5, 0.5) * x**2 + rng.normal(0, 0.04, n)
    return shape(*(Part(disc(u, v, 1.15 / n)) for u, v in zip(x, y, strict=True)))


def leaf(rng: Rng) -> Shape:
    """A leaf with its rib, smooth or notched."""
    t = np.linspace(0, 1, 24)
    width = np.sin(np.pi * t ** rng.uniform(0.6, 1.2)) * rng.uniform(0.2, 0.5)
    if rng.random() < 0.5:
        width = width * (1 + 0.25 * np.sign(np.sin(t * np.pi * 12)))
    bend = rng.uniform(-0.4, 0.4)
    line = np.stack([t * 1.8 - 0.9, bend * (t - 0.5) ** 2], axis=1)
    stalk = Part(capsule(-1.0, bend * 0.3, -0.8, bend * 0.2, 0.03))
    return shape(stalk, Part(ribbon(line, width)), Part(ribbon(line, 0.025), rng.choice([-0.7, 0.7])))


def tree(rng: Rng) -> Shape:
    """A trunk with a round or pointed crown."""
    trunk = Part(bar(-0.09, 0.2, 0.09, 1.0), -0.6)
    base = Part(bar(-0.09, 0.2, 0.09, 1.0))
    if rng.random() < 0.5:
        layers = [
            Part(polygon([(0, -1 + 0.45 * i), (0.35 + 0.15 * i, -0.3 + 0.45 * i), (-0.35 - 0.15 * i, -0.3 + 0.45 * i)]))
            for i in range(3)
        ]
        return shape(base, trunk, *layers)
    crown = [
        Part(around(wavy(rng, 0.3, 32), 32) * rng.uniform(0.4, 0.65) + rng.uniform(-0.25, 0.25, 2) - [0, 0.4])
        for _ in range(3)
    ]
    return shape(base, trunk, *crown)


def fractal(rng: Rng) -> Shape:
    """The attractor of a random system of maps."""
    return Shape(stencil=attractor(random_system(rng), rng, 96))


def flower(rng: Rng) -> Shape:
    """Petals around a middle."""
    n = int(rng.integers(4, 10))
    petal = around(1.0, 20, rng.uniform(0.25, 0.5)) * 0.42 + [0.55, 0]
    petals = [Part(turned(petal, 2 * np.pi * i / n)) for i in range(n)]
    return shape(*petals, Part(disc(0, 0, rng.uniform(0.2, 0.35)), rng.choice([-0.8, 0.8])))


def fish(rng: Rng) -> Shape:
    """A body, a tail, a fin, an eye."""
    body = around(0.7, 32, rng.uniform(0.4, 0.65)) - [0.25, 0]
    tail = polygon([(0.3, 0), (1.0, -0.45), (0.8, 0), (1.0, 0.45)])
    fin = polygon([(-0.4, -0.25), (0.1, -0.65), (0.15, -0.2)])
    return shape(Part(tail), Part(fin), Part(body), Part(disc(-0.65, -0.08, 0.07, 12), -1.0))


def turned(points: Array, angle: float) -> Array:
    """Points (n, 2) turned about the middle."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])
