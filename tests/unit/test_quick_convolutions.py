"""Convolutions by other ways than torch's own: the numbers are the same but for rounding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from honed.networks import quick_convolutions
from honed.networks.quick_convolutions import ByProduct, ByWinograd, quicken

NEAR = 1e-4
"""Winograd's sums in another order, and of larger numbers, differ by 2e-5 of the largest."""


@pytest.fixture
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def maps(n: int = 2, channels: int = 64, height: int = 24, width: int = 33) -> torch.Tensor:
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(0))


def gap(found: torch.Tensor, wanted: torch.Tensor) -> float:
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


def quick(*layers: nn.Module) -> nn.Sequential:
    network = nn.Sequential(*layers)
    quicken(network)
    return network


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_winograd_and_products_give_the_same(bias: bool) -> None:
    torch.manual_seed(0)
    three, one = nn.Conv2d(64, 48, 3, 1, 1, bias=bias), nn.Conv2d(64, 48, 1, bias=bias)
    first, second = quick(three)[0], quick(one)[0]
    assert isinstance(first, ByWinograd) and isinstance(second, ByProduct)
    for x in (maps(), maps().contiguous(memory_format=torch.channels_last), maps(height=5, width=7)):
        assert gap(first(x), three(x)) < NEAR
        assert gap(second(x), one(x)) < NEAR
    assert second(maps()).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(first(maps())[1:], first(maps()[1:])), "the neighbour in the batch counts"


@torch.no_grad()
def test_large_maps_go_by_winograd_and_small_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    real = quick_convolutions._by_nnpack
    monkeypatch.setattr(quick_convolutions, "_by_nnpack", lambda *given: calls.append(1) or real(*given))
    layer = quick(nn.Conv2d(64, 64, 3, 1, 1))[0]
    layer(maps(1))
    assert len(calls) == 1
    layer(maps(1, height=12, width=16))
    with torch.autocast("cpu", torch.bfloat16):
        layer(maps(1))
    with torch.enable_grad():
        layer(maps(1))
    assert len(calls) == 1


@torch.no_grad()
def test_two_threads_make_parts_of_one_map(two_threads: None) -> None:
    layer = nn.Conv2d(64, 96, 3, 1, 1)
    wanted = layer(maps())
    with torch.inference_mode():
        assert gap(quick(layer)[0](maps()), wanted) < NEAR


def test_other_convolutions_stay_as_they_are() -> None:
    class Normed(nn.Conv2d):
        norm = nn.BatchNorm2d(64)

    layers = (
        nn.Conv2d(64, 64, 3, 2, 1), nn.Conv2d(64, 64, 3, 1, 1, groups=2), nn.Conv2d(64, 64, 3, 1, 2, dilation=2),
        nn.Conv2d(64, 64, 3), nn.Conv2d(3, 16, 3, 1, 1), nn.Conv2d(64, 64, 1, 2), nn.Conv2d(64, 64, 5, 1, 2),
        nn.Conv2d(64, 64, 3, 1, 1, padding_mode="reflect"), Normed(64, 64, 1), nn.Linear(3, 3),
    )  # fmt: skip
    assert quicken(nn.Sequential(*layers)) == 0
    shared = nn.Conv2d(64, 64, 3, 1, 1)
    network = nn.Sequential(shared, nn.ReLU(), nn.Sequential(shared))
    assert quicken(network) == 1 and network[0] is network[2][0]


def test_a_torch_without_the_library_computes_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_convolutions, "_nnpack", lambda: False)
    assert quicken(nn.Sequential(nn.Conv2d(64, 64, 3, 1, 1))) == 0
