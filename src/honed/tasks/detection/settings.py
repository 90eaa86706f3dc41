"""Settings that all tasks have that find objects."""

from __future__ import annotations

from dataclasses import dataclass

from honed.config import setting


@dataclass
class DetectionConfig:
    """How pictures are read and changed, and what a mistake costs."""

    longest_side: int = setting(
        0, "longer side of the pictures as they are read, in pixels; 0 lets Honed choose", low=0, high=2048
    )
    variation: str = setting(
        "auto",
        "how pictures are changed in training: strong also with four put into one (mosaic), objects laid onto others (pasted) or "
        "canvases of several sizes; auto tries these on held-out pictures",
        among=("auto", "none", "light", "strong", "mosaic", "pasted", "sizes"),
    )
    mirror: bool = setting(True, "left and right may change places in training; false for letters, arrows and hands")
    upright: bool = setting(True, "above and below mean something; false for microscopes, belts and satellites")
    metric: str = setting(
        "ap",
        "what decides: ap averages overlaps from 0.50 to 0.95, ap50 is content with rough places",
        among=("ap", "ap50"),
    )
    costs: dict[str, float] = setting({}, "how much worse than usual it is to miss an object, by label")
