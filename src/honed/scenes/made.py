"""Kinds of objects that are made: signs, tools, vessels, vehicles, houses, machine elements."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from honed.scenes.grown import turned
from honed.scenes.outlines import HOLE, Part, Shape, around, bar, capsule, disc, polygon, profile, ribbon, shape

Rng = np.random.Generator


def triangle(rng: Rng) -> Shape:
    """A triangle of any proportions."""
    t = np.array([-np.pi / 2, np.pi / 6, 5 * np.pi / 6]) + rng.uniform(-0.3, 0.3, 3)
    return framed(np.stack([np.cos(t), np.sin(t)], axis=1), rng)


def rectangle(rng: Rng) -> Shape:
    """A rectangle or a square."""
    return framed(bar(-1, -(h := rng.uniform(0.35, 1.0)), 1, h), rng)


def many_sided(rng: Rng) -> Shape:
    """A polygon of 5 to 8 sides."""
    return framed(around(1.0, int(rng.integers(5, 9)), rng.uniform(0.8, 1.0)), rng)


def star(rng: Rng) -> Shape:
    """A star of 4 to 8 points."""
    n = int(rng.integers(4, 9))
    return framed(around(np.where(np.arange(2 * n) % 2 == 0, 1.0, rng.uniform(0.35, 0.6)), 2 * n), rng)


def framed(points: np.ndarray, rng: Rng) -> Shape:  # type: ignore[type-arg]
    """An outline, at times with a smaller one of another tone within."""
    inner = Part(points * rng.uniform(0.5, 0.85), rng.uniform(-1, 1))
    return shape(Part(points), inner) if rng.random() < 0.4 else shape(Part(points))


def arrow(rng: Rng) -> Shape:
    """An arrow."""
    w, head = rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.75)
    neck = rng.uniform(-0.1, 0.4)
    return shape(Part(polygon([(-1, -w), (neck, -w), (neck, -head), (1, 0), (neck, head), (neck, w), (-1, w)])))


def rod(rng: Rng) -> Shape:
    """A straight or bent rod with round ends."""
    x = np.linspace(-0.9, 0.9, 16)
    line = np.stack([x, rng.uniform(-0.5, 0.5) * (x**2 - 0.4)], axis=1)
    return shape(Part(ribbon(line, rng.uniform(0.08, 0.28) * np.clip((1.0 - np.abs(x)) * 6, 0.3, 1))))


def gear(rng: Rng) -> Shape:
    """A toothed wheel."""
    n = int(rng.integers(7, 17))
    t = np.arange(4 * n) % 4
    teeth = around(np.where(t < 2, 1.0, rng.uniform(0.75, 0.88)), 4 * n)
    return shape(
        Part(teeth), Part(around(0.6, 32), rng.uniform(-0.5, 0.5)), Part(around(rng.uniform(0.15, 0.4), 24), HOLE)
    )


def spiral(rng: Rng) -> Shape:
    """A spiral band."""
    t = np.linspace(0.3, 2 * np.pi * rng.uniform(1.5, 2.8), 60)
    line = (t / t.max())[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1) * 0.93
    return shape(Part(ribbon(line, rng.uniform(0.04, 0.09))))


def letter(rng: Rng) -> Shape:
    """A capital letter."""
    return glyph(str(rng.choice(list("ABCDEFGHJKLMNPRSTUVXYZ"))))


def digit(rng: Rng) -> Shape:
    """A digit."""
    return glyph(str(rng.choice(list("0123456789"))))


def glyph(text: str, side: int = 96) -> Shape:
    """A character as a stencil that fills its square."""
    picture = Image.new("L", (side, side), 0)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size=side * 0.9)
    pen.text((side / 2, side / 2), text, fill=255, font=font, anchor="mm", stroke_width=3)
    return Shape(stencil=picture)


def bottle(rng: Rng) -> Shape:
    """A bottle with a label."""
    w, neck = rng.uniform(0.25, 0.42), rng.uniform(0.08, 0.14)
    y = [-1, -0.93, -0.92, rng.uniform(-0.6, -0.35), rng.uniform(-0.3, -0.1), 0.95, 1]
    body = Part(profile(y, [neck, neck, neck, neck, w, w, w * 0.9]))
    return shape(
        body,
        Part(bar(-w, 0.1, w, rng.uniform(0.45, 0.75)), rng.uniform(-1, 1)),
        Part(bar(-neck, -1, neck, -0.85), rng.uniform(-1, 1)),
    )


def can(rng: Rng) -> Shape:
    """A can, a jar or a cup seen from a little above."""
    w, lift = rng.uniform(0.45, 0.75), rng.uniform(0.08, 0.25)
    t = np.linspace(0, np.pi, 16)
    top, base = (
        np.stack([w * np.cos(t + np.pi), -0.8 + lift * np.sin(t + np.pi)], axis=1),
        np.stack([w * np.cos(t), 0.8 + lift * np.sin(t)], axis=1),
    )
    return shape(
        Part(np.concatenate([top, base])),
        Part(around(w, 32, lift / w) - [0, 0.8], rng.uniform(-0.9, 0.9)),
        Part(bar(-w, -0.3, w, 0.4), rng.uniform(-0.6, 0.6)),
    )


def box(rng: Rng) -> Shape:
    """A box of which three sides are seen."""
    d, s = rng.uniform(0.2, 0.45), rng.choice([-1.0, 1.0])
    x0, x1 = -0.9 * s, (0.9 - d) * s
    front = bar(x0, -0.9 + d, x1, 0.9)
    top = polygon([(x0, -0.9 + d), (x1, -0.9 + d), (x1 + d * s, -0.9), (x0 + d * s, -0.9)])
    side = polygon([(x1, -0.9 + d), (x1 + d * s, -0.9), (x1 + d * s, 0.9 - d), (x1, 0.9)])
    return shape(Part(front), Part(top), Part(side), Part(top, 0.6), Part(side, -0.6))


def car(rng: Rng) -> Shape:
    """A car from the side."""
    roof, back = rng.uniform(-0.5, -0.3), rng.uniform(-0.8, -0.4)
    body = polygon(
        [(-1, 0.25), (-1, -0.05), (back, -0.1), (back + 0.2, roof), (0.3, roof), (0.6, -0.08), (1, 0.02), (1, 0.25)]
    )
    window = polygon([(back + 0.12, -0.1), (back + 0.27, roof + 0.07), (0.25, roof + 0.07), (0.48, -0.1)])
    wheels = [Part(disc(x, 0.27, 0.2), tone) for x in (-0.58, 0.58) for tone in (0.0, -0.9)]
    return shape(
        Part(body),
        *wheels,
        Part(window, rng.choice([-0.7, 0.7])),
        *(Part(disc(x, 0.27, 0.09, 12), 0.6) for x in (-0.58, 0.58)),
    )


def spanner(rng: Rng) -> Shape:
    """An open spanner."""
    w, head = rng.uniform(0.09, 0.16), rng.uniform(0.28, 0.36)
    jaw = bar(0.75, -head * 0.45, 1.1, head * 0.45)
    ends = [
        Part(disc(0.7, 0, head)),
        Part(jaw, HOLE),
        Part(disc(-0.75, 0, head * 0.8)),
        Part(disc(-0.75, 0, head * 0.4, 6), HOLE),
    ]
    return shape(Part(capsule(-0.7, 0, 0.6, 0, w)), *ends)


def house(rng: Rng) -> Shape:
    """A house with a roof, windows and a door."""
    w = rng.uniform(0.6, 0.9)
    roof = polygon([(-w - 0.1, -0.2), (0, -0.95), (w + 0.1, -0.2)])
    panes = [Part(bar(x - 0.14, 0.05, x + 0.14, 0.35), 0.8) for x in (-w / 2, w / 2)]
    return shape(
        Part(bar(-w, -0.2, w, 0.95)), Part(roof), Part(roof, -0.7), *panes, Part(bar(-0.13, 0.4, 0.13, 0.95), -0.5)
    )


def person(rng: Rng) -> Shape:
    """A standing figure."""
    swing, arm = rng.uniform(0.05, 0.3), rng.uniform(0.1, 0.45)
    limbs = [capsule(0, 0.1, s * swing, 0.93, 0.1) for s in (-1, 1)] + [
        capsule(s * 0.17, -0.45, s * arm, 0.1, 0.065) for s in (-1, 1)
    ]
    torso = polygon([(-0.22, -0.55), (0.22, -0.55), (0.16, 0.2), (-0.16, 0.2)])
    trousers = [Part(limb, -0.6) for limb in limbs[:2]]
    return shape(*map(Part, limbs), Part(torso), *trousers, Part(disc(0, -0.8, 0.17)), Part(disc(0, -0.8, 0.17), 0.5))


def heart(rng: Rng) -> Shape:
    """A heart."""
    t = np.linspace(0, 2 * np.pi, 48)
    x, y = 16 * np.sin(t) ** 3, -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return framed(np.stack([x / 17, y / 17 * rng.uniform(0.8, 1.1)], axis=1), rng)


def crescent(rng: Rng) -> Shape:
    """A crescent."""
    return shape(
        Part(around(1.0, 48)), Part(around(rng.uniform(0.75, 0.95), 48) + np.array([rng.uniform(0.35, 0.6), 0]), HOLE)
    )


def cross(rng: Rng) -> Shape:
    """A cross."""
    w = rng.uniform(0.15, 0.35)
    return shape(Part(bar(-1, -w, 1, w)), Part(bar(-w, -1, w, 1)))


def mug(rng: Rng) -> Shape:
    """A mug with a handle."""
    handle = [Part(disc(0.55, 0, 0.42)), Part(disc(0.55, 0, 0.27), HOLE)]
    rim = Part(around(0.6, 24, 0.25) - [0.1, 0.7], rng.uniform(-1, -0.3))
    return shape(
        *handle,
        Part(profile([-0.7, 0.8], [0.6, rng.uniform(0.45, 0.6)]) - [0.1, 0]),
        Part(around(0.6, 24, 0.25) - [0.1, 0.7]),
        rim,
    )


def key(rng: Rng) -> Shape:
    """A key."""
    teeth = [Part(bar(x, 0, x + 0.1, rng.uniform(0.2, 0.4))) for x in (0.5, 0.68, 0.86)]
    return shape(Part(bar(-0.4, -0.08, 1, 0.08)), *teeth, Part(disc(-0.65, 0, 0.35)), Part(disc(-0.7, 0, 0.15), HOLE))


def hammer(rng: Rng) -> Shape:
    """A hammer."""
    head = polygon([(-0.5, -0.9), (0.35, -0.9), (0.65, -0.65), (0.35, -0.55), (-0.5, -0.5)])
    shaft = bar(-0.1, -0.55, 0.1, 1.0)
    return shape(Part(shaft), Part(shaft, rng.uniform(0.2, 0.8)), Part(head), Part(head, rng.uniform(-0.8, 0)))


def bolt(rng: Rng) -> Shape:
    """A bolt from the side: a head, a shank, a thread."""
    w, start = rng.uniform(0.16, 0.24), rng.uniform(-0.3, 0.2)
    thread = [Part(bar(x, -w, x + 0.04, w), -0.6) for x in np.arange(start, 0.95, 0.1)]
    return shape(
        Part(bar(-1, -w * 2.1, -0.6, w * 2.1)),
        Part(bar(-0.6, -w, 1, w)),
        *thread,
        Part(bar(-1, -w * 0.9, -0.6, w * 0.9), 0.4),
    )


def nut(rng: Rng) -> Shape:
    """A nut from above."""
    return shape(Part(around(1.0, 6)), Part(around(0.82, 32), 0.3), Part(around(rng.uniform(0.42, 0.55), 32), HOLE))


def washer(rng: Rng) -> Shape:
    """A thin flat ring."""
    return shape(Part(around(1.0, 48)), Part(around(rng.uniform(0.5, 0.7), 48), HOLE))


def spring(rng: Rng) -> Shape:
    """A coil from the side."""
    x = np.linspace(-0.95, 0.95, 120)
    line = np.stack([x, 0.32 * np.sin(x * np.pi * int(rng.integers(5, 9)))], axis=1)
    return shape(Part(ribbon(line, 0.05)))


def bracket(rng: Rng) -> Shape:
    """An angle iron with two holes."""
    w = rng.uniform(0.4, 0.6)
    plate = polygon([(-0.9, -0.9), (-0.9 + w, -0.9), (-0.9 + w, 0.9 - w), (0.9, 0.9 - w), (0.9, 0.9), (-0.9, 0.9)])
    return shape(Part(plate), Part(disc(-0.9 + w / 2, -0.6, w / 4), HOLE), Part(disc(0.6, 0.9 - w / 2, w / 4), HOLE))


def wing_nut(rng: Rng) -> Shape:
    """A nut with two wings."""
    wing = around(1.0, 24, rng.uniform(0.5, 0.7)) * 0.4 + [0.6, 0]
    return shape(Part(wing), Part(turned(wing, np.pi)), Part(disc(0, 0, 0.4)), Part(disc(0, 0, 0.18), HOLE))
