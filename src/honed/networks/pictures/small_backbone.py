"""A small residual network for pictures of any size, quick on ordinary processors: plain 3 by 3 convolutions, no attention."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import relu

WIDTHS, DEPTHS = (32, 64, 96, 160, 256), (0, 1, 1, 1, 1)
"""1.5 million parameters; five stages, whose maps have a half to a 32nd of the picture's size."""


class _Block(nn.Module):
    """Two convolutions with batch normalisation beside a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / stride, w / stride)."""
        found = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        return relu(found + self.shortcut(x))


class SmallBackbone(nn.Module):
    """Pictures (n, 3, h, w) to features (n, n_features).

    Parameters
    ----------
    widths, depths : ints, one a stage
        Channels and blocks of the stages. The first has maps of half the picture's size, every other half of those of
        the one before. A first stage of depth 0 is the stem alone. Widths are multiples of 16: with 8, torch 2.15 corrupts
        memory in the backward pass of pictures laid out channels last.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, depths: tuple[int, ...] = DEPTHS) -> None:
        super().__init__()
        self.widths, self.depths = tuple(widths), tuple(depths)
        self.n_features = widths[-1]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU())
        before, stages = widths[0], []
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            steps = [2 if number and not block else 1 for block in range(depth)]
            stages.append(
                nn.Sequential(*(_Block(width if block else before, width, step) for block, step in enumerate(steps)))
            )
            before = width
        self.stages = nn.ModuleList(stages)

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The map of every stage, the finest first: (n, widths[i], h / 2^(i+1), w / 2^(i+1)), rounded up."""
        found, x = [], self.stem(x)
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, n_features): the mean of the coarsest map."""
        return self.maps(x)[-1].mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, n_features)."""
        return self.forward_features(x)
