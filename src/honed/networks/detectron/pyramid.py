"""The feature pyramid on the residual trunk (Lin et al., *Feature pyramid networks*, 2017)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d, relu

from honed.networks.detectron.resnet import ResNet
from honed.networks.detectron.settings import DetectronSettings


class CoarseLevels(nn.Module):
    """Two coarser maps from the trunk's last (Lin et al., *Focal loss*, 2017)."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(n_in, width, 3, 2, 1)
        self.p7 = nn.Conv2d(width, width, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(n, n_in, h, w) to maps of half and a quarter of that height and width."""
        found = self.p6(x)
        return [found, self.p7(relu(found))]


class Pyramid(nn.Module):
    """Pictures to maps (n, width, h, w), the finest first: strides 4 to 64, or 8 to 128 for RetinaNet."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.bottom_up = ResNet(settings)
        single = settings.kind == "retinanet"
        self.numbers = (3, 4, 5) if single else (2, 3, 4, 5)
        for number in self.numbers:
            n_in = settings.res2_width * 2 ** (number - 2)
            self.add_module(f"fpn_lateral{number}", nn.Conv2d(n_in, settings.width, 1))
            self.add_module(f"fpn_output{number}", nn.Conv2d(settings.width, settings.width, 3, 1, 1))
        self.top_block = CoarseLevels(settings.res2_width * 8, settings.width) if single else None

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """See the class."""
        trunk = self.bottom_up(pixels)
        above: torch.Tensor | None = None
        found: list[torch.Tensor] = []
        for number in reversed(self.numbers):
            here = self.get_submodule(f"fpn_lateral{number}")(trunk[f"res{number}"])
            above = here if above is None else here + interpolate(above, scale_factor=2.0, mode="nearest")
            found.insert(0, self.get_submodule(f"fpn_output{number}")(above))
        if self.top_block is None:
            return [*found, max_pool2d(found[-1], kernel_size=1, stride=2)]
        return [*found, *self.top_block(trunk["res5"])]


class OneMap(ResNet):
    """Pictures to the one map, of stride 16, of a trunk without a pyramid."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:  # type: ignore[override]
        """A list of one map (n, c, h / 16, w / 16)."""
        return [super().forward(x)[self.names[-1]]]


def trunk_of(settings: DetectronSettings) -> Pyramid | OneMap:
    """The trunk that settings describe."""
    return Pyramid(settings) if settings.trunk == "fpn" else OneMap(settings)
