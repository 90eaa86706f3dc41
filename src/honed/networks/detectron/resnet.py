"""The residual trunk, normalised by figures that never change (He et al., *Deep residual learning*, 2016)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import batch_norm, max_pool2d, relu

from honed.networks.detectron.settings import STAGES, DetectronSettings

EPSILON = 1e-5


class FrozenNorm(nn.Module):
    """Batch normalisation whose figures are part of the checkpoint and are not trained."""

    weight: torch.Tensor
    bias: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(width))
        self.register_buffer("bias", torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width) - EPSILON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape; in training without the memory that gradients of frozen figures would take."""
        if not x.requires_grad:
            return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, eps=EPSILON)
        factor = self.weight * (self.running_var + EPSILON).rsqrt()
        shift = self.bias - self.running_mean * factor
        return x * factor.view(1, -1, 1, 1).to(x.dtype) + shift.view(1, -1, 1, 1).to(x.dtype)


class NormedConvolution(nn.Conv2d):
    """A convolution without bias, and its :class:`FrozenNorm`."""

    def __init__(
        self, n_in: int, n_out: int, size: int, stride: int = 1, *, padding: int = 0, groups: int = 1, dilation: int = 1
    ) -> None:
        super().__init__(n_in, n_out, size, stride, padding, dilation, groups, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.norm = FrozenNorm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / stride, w / stride)."""
        return self.norm(super().forward(x))


class Stem(nn.Module):
    """Pictures (n, 3, h, w) to (n, width, h / 4, w / 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = NormedConvolution(3, width, 7, 2, padding=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return max_pool2d(relu(self.conv1(x)), kernel_size=3, stride=2, padding=1)


class Block(nn.Module):
    """A narrow 3 by 3 convolution between two of 1 by 1, and a shortcut."""

    def __init__(
        self, n_in: int, middle: int, n_out: int, stride: int, groups: int, dilation: int, stride_first: bool
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_first else (1, stride)
        self.shortcut = NormedConvolution(n_in, n_out, 1, stride) if n_in != n_out else None
        self.conv1 = NormedConvolution(n_in, middle, 1, first)
        self.conv2 = NormedConvolution(
            middle, middle, 3, second, padding=dilation, groups=groups, dilation=dilation
        )  # fmt: skip
        self.conv3 = NormedConvolution(middle, n_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / stride, w / stride)."""
        found = self.conv3(relu(self.conv2(relu(self.conv1(x)))))
        return relu(found + (x if self.shortcut is None else self.shortcut(x)))


def stage(number: int, settings: DetectronSettings) -> nn.Sequential:
    """The blocks of stage 2, 3, 4 or 5."""
    factor = 2 ** (number - 2)
    middle, n_out = settings.groups * settings.group_width * factor, settings.res2_width * factor
    dilation = 2 if number == 5 and settings.trunk == "dc5" else 1
    stride = 1 if number == 2 or dilation == 2 else 2
    before = settings.stem_width if number == 2 else n_out // 2
    blocks = settings.blocks[number - 2]
    return nn.Sequential(
        *(
            Block(
                n_out if i else before, middle, n_out, 1 if i else stride, settings.groups, dilation, settings.stride_first
            )
            for i in range(blocks)
        )
    )  # fmt: skip


class ResNet(nn.Module):
    """Stem and stages up to the last one that the trunk needs; pictures to the maps of all its stages by name."""

    def __init__(self, settings: DetectronSettings) -> None:
        super().__init__()
        self.stem = Stem(settings.stem_width)
        self.names = STAGES[:-1] if settings.trunk == "c4" else STAGES
        for name in self.names:
            self.add_module(name, stage(int(name[3:]), settings))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """``res2`` (n, c, h / 4, w / 4), ``res3`` (n, 2 c, h / 8, w / 8) and so on."""
        x = self.stem(x)
        maps = {}
        for name in self.names:
            x = maps[name] = self.get_submodule(name)(x)
        return maps

    def freeze(self, stages: int = 2) -> None:
        """Stop training the stem (1) and the stages that follow it (2: ``res2`` as well, ...), as the zoo's models were."""
        parts = [self.stem, *(self.get_submodule(name) for name in self.names)][:stages]
        for part in parts:
            part.requires_grad_(False)
