"""The small residual networks for pictures of 32 by 32 pixels (He et al., *Deep residual learning*, 2016, section 4.2)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad, relu

WIDTHS = (16, 32, 64)


class _Block(nn.Module):
    """Two convolutions and a shortcut without weights (option A): every other pixel, new channels are zero."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride, self.more = stride, n_out - n_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, n_in, h, w) to (n, n_out, h / stride, w / stride)."""
        found = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        kept = x
        if self.more:
            kept = x[:, :, :: self.stride, :: self.stride]
            kept = pad(kept, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return relu(found + kept)


class CifarResNet(nn.Module):
    """A residual network of ``6 n + 2`` layers, without its classifier: pictures (n, 3, h, w) to features (n, 64)."""

    n_features = WIDTHS[-1]

    def __init__(self, depth: int = 20) -> None:
        super().__init__()
        if (depth - 2) % 6:
            raise ValueError(f"a depth of {depth} is not 6 n + 2")
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        before = WIDTHS[0]
        for number, width in enumerate(WIDTHS, 1):
            layers = [
                _Block(before if i == 0 else width, width, 2 if i == 0 and number > 1 else 1) for i in range(blocks)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*layers))
            before = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (n, 64)."""
        x = relu(self.bn1(self.conv1(x)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        return x.mean(dim=(2, 3))
