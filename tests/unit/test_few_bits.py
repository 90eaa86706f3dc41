"""Frozen weights in few bits: near what they were, exact ways back, adapters that are merged into what was trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import honed
from honed.networks.few_bits import FewBits, rounded, unrounded
from honed.networks.lora import LowRank, merge, wrap
from honed.tasks.registry import get_task
from honed.training.memory import WAYS, make_it_fit


@pytest.mark.parametrize(("bits", "most"), [(8, 0.008), (4, 0.13)])
def test_no_weight_is_off_by_more_than_half_a_step(bits: int, most: float) -> None:
    torch.manual_seed(0)
    weight = torch.randn(12, 150) * torch.logspace(-3, 1, 12)[:, None]
    codes, scales = rounded(weight, bits)
    assert codes.dtype == (torch.int8) and codes.numel() == 12 * 192 * bits // 8
    again = unrounded(codes, scales, bits, 150, torch.float32)
    assert ((again - weight).abs() <= scales.repeat_interleave(64, 1)[:, :150, 0] / 2 * 1.001).all()
    assert float((again - weight).norm() / weight.norm()) < most


@pytest.mark.parametrize("bits", [8, 4])
def test_it_computes_and_learns_as_the_layer_of_its_rounded_weights(bits: int) -> None:
    torch.manual_seed(0)
    few = FewBits(nn.Linear(70, 9), bits)
    plain = few.plain()
    rows = [torch.randn(3, 5, 70, requires_grad=True) for _ in range(2)]
    rows[1].data = rows[0].data.clone()
    found, wanted = few(rows[0]), plain(rows[1])
    torch.testing.assert_close(found, wanted)
    found.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(rows[0].grad, rows[1].grad)


def test_what_is_merged_answers_as_what_was_trained() -> None:
    torch.manual_seed(0)
    network = nn.Module()
    network.backbone = nn.Sequential(nn.Linear(70, 64), nn.Tanh(), nn.Linear(64, 5))
    names = list(network.backbone.state_dict())
    wrap(network, everywhere=True, bits=8)
    parts = list(network.modules())
    assert sum(isinstance(part, FewBits) for part in parts) == sum(isinstance(part, LowRank) for part in parts) == 2
    assert sum(p.numel() for p in network.parameters()) < 70 * 64, "the whole weights are gone"
    for part in parts:
        if isinstance(part, LowRank):
            nn.init.normal_(part.lora_b, std=0.1)
    rows = torch.randn(4, 70)
    before = network.backbone(rows)
    merge(network)
    assert sorted(network.backbone.state_dict()) == sorted(names)
    torch.testing.assert_close(network.backbone(rows), before)


def test_few_bits_are_chosen_where_nothing_else_fits_and_a_run_ends_well(tmp_path: Path) -> None:
    sample = get_task("text-generation").sample()
    problem = get_task("text-generation").frame(sample.table, _roles(sample), _settings())
    from honed.zoo.resolve import resolve

    base = resolve(str(sample.base), kind="decoder")
    network = get_task("text-generation").build(base, problem, _settings(), 0)
    needed = {name: make_it_fit(network, 1, 8, None, name).needed_mib for name in WAYS}
    assert needed["full"] > needed["lora"] > needed["lora-int8"] >= needed["lora-int4"]
    found = make_it_fit(network, 1, 8, (needed["lora"] + needed["lora-int8"]) / 2, "auto")
    assert found.way == "lora-int8" and "8 bits" in found.note
    settings = {
        "task": "text-generation", "training.adapter": "lora-int8", "training.learning_rate": 4e-3, "training.epochs": 30,
        "training.race": 1, "training.precision": "fp32", "training.stop_after": "fine-tune",
    }  # fmt: skip
    rows = {name: sample.table.texts(name) for name in ("ticket", "reply")}
    import pandas as pd

    result = honed.finetune(pd.DataFrame(rows), base=str(sample.base), target="reply", out=tmp_path, settings=settings)
    rung = next(line for line in result.report.ladder if line.name == "fine-tune")
    assert rung.score is not None and rung.score.value > 0.6
    assert {choice.name: choice.value for choice in result.report.choices}["training.adapter"] == "lora-int8"


def _settings() -> object:
    from honed.config import fill

    return fill(get_task("text-generation").config, {})


def _roles(sample: object) -> object:
    from honed.data.roles import infer_roles

    return infer_roles(sample.table, target="reply")  # type: ignore[attr-defined]
