"""What a camera does to a scene: light, colour cast, blur, noise, compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from honed.scenes.looks import light_fall
from honed.scenes.outlines import Array


def photograph(rng: np.random.Generator, canvas: Array) -> Array:
    """A canvas (h, w, 3) float32 as a picture (h, w, 3) uint8."""
    height, width = canvas.shape[:2]
    if rng.random() < 0.3:
        canvas = canvas * light_fall(rng, height, width)[..., None]
    canvas = canvas * (rng.uniform(0.75, 1.2) * rng.uniform(0.88, 1.12, 3)).astype(np.float32)
    if rng.random() < 0.3:
        canvas = canvas + np.float32(rng.uniform(0, 40))
    canvas = canvas + _noise(rng, canvas.shape)
    pixels = np.clip(canvas, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    return _compressed(rng, _blurred(rng, pixels))


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Sensor noise, cheaply: one field in a random order for the three channels, or grey."""
    strength = np.float32(rng.choice([0.0, 3.0, 6.0, 12.0]))
    if strength == 0:
        return np.zeros((1, 1, 1), dtype=np.float32)
    field = rng.standard_normal(shape[:2], dtype=np.float32) * strength
    if rng.random() < 0.5:
        return field[..., None]
    return np.stack([field, field[::-1], field[:, ::-1]], axis=2)


def _blurred(rng: np.random.Generator, pixels: Array) -> Array:
    if rng.random() > 0.35:
        return pixels
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.3))))


def _compressed(rng: np.random.Generator, pixels: Array) -> Array:
    if rng.random() > 0.3:
        return pixels
    store = io.BytesIO()
    Image.fromarray(pixels).save(store, "JPEG", quality=int(rng.integers(35, 90)))
    return np.asarray(Image.open(store))
