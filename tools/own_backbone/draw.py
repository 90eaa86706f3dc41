"""Pictures drawn by rule, of 192 classes: 128 fractals and 64 combinations of a shape and a texture. Nothing is a photograph.

Every picture is a function of its class and a seed. A fractal is the attractor of a random system of affine maps
(Barnsley, *Fractals everywhere*, 1988; as material for pre-training: Kataoka et al., *Pre-training without natural
images*, 2020).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 64
N_FRACTALS, SHAPES, TEXTURES = 128, 16, 4
N_CLASSES = N_FRACTALS + SHAPES * TEXTURES
CHAINS, STEPS, SKIPPED = 300, 70, 12


def picture(label: int, seed: int, side: int = SIDE) -> np.ndarray:
    """One picture of a class, (side, side, 3) uint8."""
    rng = np.random.default_rng((label, seed))
    ground = background(rng, side)
    if label < N_FRACTALS:
        drawn = fractal(system(label), rng, side, ground)
    else:
        shape, texture = divmod(label - N_FRACTALS, TEXTURES)
        drawn = figure(shape, texture, rng, side, ground)
    return finish(drawn, rng)


def system(label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (k, 2, 2), shifts (k, 2) and chances (k,) of a class: the first that fills enough of the plane."""
    rng = np.random.default_rng((99, label))
    while True:
        k = int(rng.integers(2, 6))
        matrices, shifts = rng.uniform(-1, 1, (k, 2, 2)) * rng.uniform(0.5, 0.95), rng.uniform(-1, 1, (k, 2))
        sizes = np.abs(np.linalg.det(matrices)) + 0.02
        if np.linalg.svd(matrices, compute_uv=False).max() < 0.99:
            chances = sizes / sizes.sum()
            points = orbit((matrices, shifts, chances), np.random.default_rng(0), 32)
            low, high = points.min(axis=0), points.max(axis=0)
            places = ((points - low) / np.maximum(high - low, 1e-6) * 31).astype(int)
            if len(np.unique(places[:, 0] * 32 + places[:, 1])) > 150:
                return matrices, shifts, chances


def orbit(
    maps: tuple[np.ndarray, np.ndarray, np.ndarray], rng: np.random.Generator, chains: int = CHAINS
) -> np.ndarray:
    """Points (chains * steps, 2) of the attractor."""
    matrices, shifts, chances = maps
    points, found = np.zeros((chains, 2)), []
    choices = rng.choice(len(chances), size=(STEPS, chains), p=chances)
    for step, chosen in enumerate(choices):
        points = np.einsum("nij,nj->ni", matrices[chosen], points) + shifts[chosen]
        if step >= SKIPPED:
            found.append(points)
    return np.concatenate(found)


def fractal(
    maps: tuple[np.ndarray, np.ndarray, np.ndarray], rng: np.random.Generator, side: int, ground: np.ndarray
) -> np.ndarray:
    """The attractor, its maps changed a little, turned and coloured, over a background."""
    matrices, shifts, chances = maps
    points = orbit((matrices * rng.uniform(0.92, 1.0), shifts, chances), rng)
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * np.array([flip, 1.0])
    points = (points - points.mean(axis=0)) @ turn.T
    reach = np.quantile(np.abs(points), 0.98) + 1e-6
    scale, centre = side * rng.uniform(0.28, 0.5) / reach, side * rng.uniform(0.38, 0.62, 2)
    places = np.rint(points * scale + centre).astype(int)
    inside = ((places >= 0) & (places < side)).all(axis=1)
    counts = np.bincount(places[inside, 1] * side + places[inside, 0], minlength=side * side).reshape(side, side)
    dense = np.log1p(counts) / max(1.0, np.log1p(counts).max())
    dense = (
        np.asarray(Image.fromarray((dense * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6)), float) / 255
    )
    share = np.clip(dense * 2.2, 0, 1)[..., None]
    first, last = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    colour = first + (last - first) * dense[..., None]
    return ground * (1 - share) + colour * share


def figure(shape: int, texture: int, rng: np.random.Generator, side: int, ground: np.ndarray) -> np.ndarray:
    """A shape filled with a texture and lit from one side, over a background."""
    big = side * 2
    mask_image = Image.new("L", (big, big), 0)
    centre, radius = big * rng.uniform(0.38, 0.62, 2), big * rng.uniform(0.22, 0.42)
    outline(ImageDraw.Draw(mask_image), shape, centre, radius, rng.uniform(0, 2 * np.pi), rng)
    mask = np.asarray(mask_image.resize((side, side), Image.Resampling.BOX), dtype=float)[..., None] / 255
    y, x = np.mgrid[0:side, 0:side] / side
    light = 1 + 0.35 * ((x - 0.5) * np.cos(a := rng.uniform(0, 6.28)) + (y - 0.5) * np.sin(a))[..., None]
    fill = textured(texture, rng, side) * light
    return ground * (1 - mask) + fill * mask


def outline(
    pen: ImageDraw.ImageDraw, shape: int, centre: np.ndarray, radius: float, angle: float, rng: np.random.Generator
) -> None:
    """One of 16 shapes: polygons, stars, rings, gears, crosses, arcs, leaves, blobs, rods, arrows."""
    squeeze = rng.uniform(0.7, 1.0)

    def ring(radii: np.ndarray) -> list[tuple[float, float]]:
        t = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
        x, y = radii * np.cos(t), radii * np.sin(t) * squeeze
        return [
            (
                float(centre[0] + u * np.cos(angle) - v * np.sin(angle)),
                float(centre[1] + u * np.sin(angle) + v * np.cos(angle)),
            )
            for u, v in zip(x, y, strict=True)
        ]

    def moved(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [
            (centre[0] + radius * (u * np.cos(angle) - v * np.sin(angle)), centre[1] + radius * (u * np.sin(angle) + v * np.cos(angle)))
            for u, v in points
        ]  # fmt: skip

    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    if shape < 4:
        pen.polygon(ring(np.full(shape + 3, radius)), fill=255)
    elif shape < 7:
        pen.polygon(ring(np.where(np.arange(2 * (shape + 1)) % 2 == 0, radius, radius * 0.45)), fill=255)
    elif shape == 7:
        pen.polygon(ring(np.full(96, radius)), fill=255)
    elif shape == 8:
        pen.polygon(ring(np.full(96, radius)), fill=255)
        pen.polygon(ring(np.full(96, radius * 0.55)), fill=0)
    elif shape == 9:
        pen.polygon(ring(radius * (0.8 + 0.2 * np.sign(np.sin(10 * t)))), fill=255)
        pen.polygon(ring(np.full(96, radius * 0.3)), fill=0)
    elif shape == 10:
        pen.polygon(moved([(-1, -0.25), (-0.25, -0.25), (-0.25, -1), (0.25, -1), (0.25, -0.25), (1, -0.25), (1, 0.25), (0.25, 0.25),
                           (0.25, 1), (-0.25, 1), (-0.25, 0.25), (-1, 0.25)]), fill=255)  # fmt: skip
    elif shape == 11:
        pen.polygon(
            ring(radius * (0.72 + 0.12 * np.sin(3 * t + 1) + 0.1 * np.sin(5 * t + rng.uniform(0, 6)))), fill=255
        )
    elif shape == 12:
        pen.polygon(ring(radius * np.abs(np.cos(t)) ** 0.6 + 1), fill=255)
    elif shape == 13:
        pen.polygon(moved([(-1, -0.16), (1, -0.16), (1, 0.16), (-1, 0.16)]), fill=255)
        pen.polygon(moved([(-1, -0.4), (-0.7, -0.4), (-0.7, 0.4), (-1, 0.4)]), fill=255)
    elif shape == 14:
        pen.polygon(moved([(-1, -0.2), (0.2, -0.2), (0.2, -0.6), (1, 0), (0.2, 0.6), (0.2, 0.2), (-1, 0.2)]), fill=255)
    else:
        pen.polygon(ring(np.full(96, radius)), fill=255)
        pen.polygon(moved([(0.35 + 0.9 * np.cos(u), 0.9 * np.sin(u)) for u in t]), fill=0)


def textured(kind: int, rng: np.random.Generator, side: int) -> np.ndarray:
    """Plain, striped, dotted or marbled, (side, side, 3) float."""
    first, second = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    y, x = np.mgrid[0:side, 0:side].astype(float)
    angle, step = rng.uniform(0, np.pi), side * rng.uniform(0.06, 0.16)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    share = {
        0: np.zeros_like(x),
        1: (np.sin(2 * np.pi * u / step) > 0).astype(float),
        2: (np.hypot((u % step) - step / 2, (v % step) - step / 2) < step * 0.3).astype(float),
        3: np.clip(smooth(rng, side, 8) * 1.4 - 0.2, 0, 1),
    }[kind]
    return first + (second - first) * share[..., None]


def smooth(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Soft random spots, 0 to 1."""
    coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=float) / 255


def background(rng: np.random.Generator, side: int) -> np.ndarray:
    """A plain, graded, spotted or textured ground, (side, side, 3) float."""
    kind = int(rng.integers(0, 4))
    first, second = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    if kind == 3:
        return textured(int(rng.integers(0, TEXTURES)), rng, side) * 0.6 + 50
    share = [
        np.zeros((side, side)),
        np.mgrid[0:side, 0:side][int(rng.integers(2))] / side,
        smooth(rng, side, int(rng.integers(3, 12))),
    ]
    return first + (second - first) * share[kind][..., None] * rng.uniform(0.3, 1.0)


def finish(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light, blur and noise of a camera."""
    pixels = np.clip(drawn * rng.uniform(0.75, 1.2) + rng.normal(0, rng.uniform(0, 10), drawn.shape), 0, 255).astype(
        np.uint8
    )
    if rng.random() < 0.3:
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0))))
    return pixels
