"""Greyscale textures: noise of several roughnesses, stripes, dots, bricks, grains, wood, fractals; made once, then cut from."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from honed.scenes.fractals import attractor, random_system
from honed.scenes.outlines import Array

SIDE = 256
KINDS = ("plain", "cloudy", "rough", "striped", "dotted", "grainy", "woven", "fractal")
A_KIND = 8


@cache
def tiles() -> dict[str, tuple[Array, ...]]:
    """For every kind several textures (SIDE, SIDE) uint8; the same in every process."""
    makers = {
        "plain": _plain, "cloudy": _cloudy, "rough": _rough, "striped": _striped, "dotted": _dotted,
        "grainy": _grainy, "woven": _woven, "fractal": _fractal,
    }  # fmt: skip
    found = {}
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng((5, number))
        found[kind] = tuple(_scaled(makers[kind](rng)) for _ in range(A_KIND))
    return found


def texture(rng: np.random.Generator, height: int, width: int, kind: str | None = None) -> Array:
    """A piece (height, width) uint8 of a texture, at a random place and in a random orientation."""
    tile = tiles()[kind or KINDS[rng.integers(len(KINDS))]][rng.integers(A_KIND)]
    return cut(rng, tile, height, width)


def cut(rng: np.random.Generator, tile: Array, height: int, width: int) -> Array:
    """A piece of a tile; mirrored copies continue it where it is too small."""
    if rng.random() < 0.5:
        tile = tile.T
    if max(height, width) > SIDE:
        tile = np.concatenate(
            [np.concatenate([tile, tile[:, ::-1]], 1), np.concatenate([tile[::-1], tile[::-1, ::-1]], 1)]
        )
        if max(height, width) > 2 * SIDE:
            return np.asarray(Image.fromarray(tile).resize((width, height)))
    y, x = rng.integers(0, tile.shape[0] - height + 1), rng.integers(0, tile.shape[1] - width + 1)
    return tile[y : y + height, x : x + width]


def _scaled(values: Array) -> Array:
    low, high = np.quantile(values, 0.01), np.quantile(values, 0.99)
    return np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, roughness: float) -> Array:
    """Noise whose power falls with the frequency to the given power: 0 is white, 2 is cloudy."""
    y, x = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    fall = np.maximum(np.hypot(y, x), 1.5 / SIDE) ** -roughness
    return np.fft.irfft2(fall * np.exp(2j * np.pi * rng.random(fall.shape)), s=(SIDE, SIDE))


def _axes(rng: np.random.Generator) -> tuple[Array, Array]:
    """Two turned coordinates of every pixel, bent a little."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    angle, bend = rng.uniform(0, np.pi), _noise(rng, 2.2)
    bend *= rng.choice([0.0, 3.0, 8.0]) / bend.std()
    return x * np.cos(angle) + y * np.sin(angle) + bend, y * np.cos(angle) - x * np.sin(angle) + bend


def _plain(rng: np.random.Generator) -> Array:
    y, x = _axes(rng)
    return x + y + 6 * rng.normal(size=x.shape)


def _cloudy(rng: np.random.Generator) -> Array:
    return _noise(rng, rng.uniform(1.4, 2.4))


def _rough(rng: np.random.Generator) -> Array:
    return np.asarray(np.abs(_noise(rng, rng.uniform(0.5, 1.3))))


def _striped(rng: np.random.Generator) -> Array:
    u, _ = _axes(rng)
    waves = np.sin(2 * np.pi * u / rng.uniform(5, 40))
    return np.sign(waves - rng.uniform(-0.6, 0.6)) if rng.random() < 0.5 else waves


def _dotted(rng: np.random.Generator) -> Array:
    u, v = _axes(rng)
    step = rng.uniform(6, 24)
    far = np.hypot(u % step - step / 2, v % step - step / 2)
    return np.tanh((far - step * rng.uniform(0.2, 0.4)) * 1.5) * rng.choice([-1.0, 1.0])


def _grainy(rng: np.random.Generator) -> Array:
    """Stones or grains: every pixel has the shade of its nearest seed, darker where two meet."""
    from scipy.spatial import cKDTree

    n = int(rng.choice([80, 250, 700]))
    seeds, shades = rng.uniform(0, SIDE, (n, 2)), rng.uniform(0.3, 1, n)
    grid = np.moveaxis(np.mgrid[0:SIDE, 0:SIDE], 0, -1).reshape(-1, 2)
    far, nearest = cKDTree(seeds).query(grid, k=2)
    edge = np.clip((far[:, 1] - far[:, 0]) * np.sqrt(n) / 40, 0, 1)
    return np.asarray((shades[nearest[:, 0]] * (0.25 + 0.75 * edge)).reshape(SIDE, SIDE))


def _woven(rng: np.random.Generator) -> Array:
    u, v = _axes(rng)
    a, b = rng.uniform(4, 20, 2)
    return np.sin(2 * np.pi * u / a) * np.sin(2 * np.pi * v / b) + rng.uniform(0, 0.5) * np.sin(2 * np.pi * u / (3 * a))


def _fractal(rng: np.random.Generator) -> Array:
    layers = [np.asarray(attractor(random_system(rng), rng, SIDE), dtype=float) for _ in range(3)]
    soft = Image.fromarray(np.maximum.reduce(layers).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    return np.asarray(soft, dtype=float) + 20 * _noise(rng, 2) / 0.05
