"""The kinds of objects by name: those of the pre-training, those kept back to judge it, those of the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from honed.scenes import grown, made
from honed.scenes.outlines import Shape

Maker = Callable[[np.random.Generator], Shape]

TRAINED: Mapping[str, Maker] = MappingProxyType({
    "ellipse": grown.ellipse, "blob": grown.blob, "cell": grown.cell, "ring": grown.ring, "spiky": grown.spiky,
    "chain": grown.chain, "leaf": grown.leaf, "tree": grown.tree, "fractal": grown.fractal, "triangle": made.triangle,
    "rectangle": made.rectangle, "polygon": made.many_sided, "star": made.star, "arrow": made.arrow, "rod": made.rod,
    "gear": made.gear, "spiral": made.spiral, "letter": made.letter, "digit": made.digit, "bottle": made.bottle,
    "can": made.can, "box": made.box, "car": made.car, "spanner": made.spanner, "house": made.house,
    "person": made.person,
})  # fmt: skip
"""Kinds the carried detector is pre-trained on; their order is that of its classes."""

KEPT_BACK: Mapping[str, Maker] = MappingProxyType({
    "heart": made.heart, "crescent": made.crescent, "cross": made.cross, "flower": grown.flower, "fish": grown.fish,
    "mug": made.mug, "key": made.key, "hammer": made.hammer,
})  # fmt: skip
"""Kinds that no pre-training sees: its figures are measured on these."""

PARTS: Mapping[str, Maker] = MappingProxyType({
    "bolt": made.bolt, "nut": made.nut, "washer": made.washer, "spring": made.spring, "bracket": made.bracket,
    "wing nut": made.wing_nut,
})  # fmt: skip
"""Kinds of the examples: machine parts on a conveyor."""

ALL: Mapping[str, Maker] = MappingProxyType({**TRAINED, **KEPT_BACK, **PARTS})
UPRIGHT = frozenset({"tree", "bottle", "can", "box", "car", "house", "person", "mug"})
"""Kinds that stand on something and are not turned over."""
SMALL = frozenset({"ellipse", "blob", "cell", "ring", "spiky", "chain", "rod"})
"""Kinds as a microscope shows them."""
