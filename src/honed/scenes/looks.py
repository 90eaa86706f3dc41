"""How things look: colours, texture, relief, rim, transparency; and grounds to lie on."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image

from honed.scenes.outlines import Array
from honed.scenes.textures import KINDS, texture

LEAST_CONTRAST = 35.0


@dataclass(frozen=True)
class Look:
    """The surface of one object or of all of its kind in a picture.

    Parameters
    ----------
    colours : array of shape (256, 3), float32
        Colour (0 to 255) of every shade of the texture.
    texture : str
        A kind of ``textures``.
    relief : float
        How strongly light from one side shows the form; 0 is flat.
    round_share : float
        Share of the radius over which the form rises: small is a bevel, large a ball.
    rim : float
        Darkening (below 0) or lightening of the border.
    detail : float
        Strength of the details' tones.
    cover : float
        1 is opaque.
    """

    colours: Array
    texture: str
    relief: float
    round_share: float
    rim: float
    detail: float
    cover: float


def random_look(
    rng: np.random.Generator, kind: str | None = None, cover: float = 1.0, against: Array | None = None
) -> Look:
    """A look; ``kind`` fixes the texture, ``against`` (3,) is a mean colour from which it must differ to be seen."""
    return Look(
        _apart(rng, against),
        kind or ("plain" if rng.random() < 0.35 else KINDS[rng.integers(len(KINDS))]),
        float(rng.choice([0.0, 0.4, 0.8, 1.3])),
        float(rng.choice([0.1, 0.25, 0.5])),
        float(rng.choice([0.0, -0.5, 0.4, -0.9])) * float(rng.uniform(0.4, 1.0)),
        float(rng.uniform(0.3, 0.9)),
        cover,
    )


def _apart(rng: np.random.Generator, against: Array | None) -> Array:
    """The first of a few colour scales whose mean lies apart from a colour."""
    found = colour_scale(rng)
    for _ in range(5):
        if against is None or np.abs(found.mean(axis=0) - against).max() > LEAST_CONTRAST:
            break
        found = colour_scale(rng)
    return found


def colour_scale(rng: np.random.Generator, spread: float | None = None, pale: bool = False) -> Array:
    """Colours (256, 3) float32 between two or three that lie near each other or far apart; ``pale`` ones are light."""
    spread = rng.choice([0.06, 0.2, 0.6]) if spread is None else spread
    hue, saturation, value = rng.random(), rng.random() ** 2, rng.uniform(0.1, 1.0)
    if pale:
        saturation, value = saturation * 0.4, rng.uniform(0.65, 1.0)
    points = []
    for _ in range(int(rng.integers(2, 4))):
        h = hue + spread * rng.normal(0, 0.4)
        s, v = np.clip([saturation + spread * rng.normal(), value + spread * rng.normal()], 0, 1)
        points.append(colorsys.hsv_to_rgb(float(h % 1), float(s), float(max(v, 0.04))))
    at = np.linspace(0, len(points) - 1, 256)
    corners = np.asarray(points) * 255
    columns = [np.interp(at, np.arange(len(points)), corners[:, channel]) for channel in range(3)]
    return np.stack(columns, axis=1).astype(np.float32)


def ground(rng: np.random.Generator, height: int, width: int) -> Array:
    """A background (height, width, 3) float32: smooth, paper, noise, gravel, wood, tiles or a patchwork of them."""
    colours = colour_scale(rng, float(rng.choice([0.05, 0.15, 0.4])), pale=bool(rng.random() < 0.4))
    piece = np.array(_stretched(rng, height, width))
    if rng.random() < 0.25:
        other = _stretched(rng, height, width)
        edge = int(rng.uniform(0.2, 0.8) * height)
        piece[edge:] = 255 - other[edge:] // 2
    found = colours[piece]
    if rng.random() < 0.6:
        found *= light_fall(rng, height, width)[..., None]
    return found


def _stretched(rng: np.random.Generator, height: int, width: int) -> Array:
    """A texture at a random magnification."""
    factor = float(rng.choice([0.25, 0.5, 1.0, 1.0]))
    small = texture(rng, max(2, int(height * factor)), max(2, int(width * factor)))
    if small.shape == (height, width):
        return small
    return np.asarray(Image.fromarray(np.ascontiguousarray(small)).resize((width, height), Image.Resampling.BILINEAR))


def light_fall(rng: np.random.Generator, height: int, width: int) -> Array:
    """Light (height, width) float32 that falls to one side or towards the corners, about 1."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    if rng.random() < 0.5:
        return 1 + np.float32(rng.uniform(-0.35, 0.35)) * x + np.float32(rng.uniform(-0.35, 0.35)) * y
    return 1.1 - np.float32(rng.uniform(0.1, 0.4)) * (x * x + y * y)
