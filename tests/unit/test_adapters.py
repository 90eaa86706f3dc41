"""Low-rank adapters on bases that see: what trains, what is merged, what is saved; and that convolutions have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import honed
from honed.errors import RunError
from honed.networks.lora import merge, wrap
from honed.networks.pictures.classifier import PictureClassifier
from honed.scenes import write_part_folders
from honed.training.memory import make_it_fit
from honed.zoo.resolve import resolve


def tiny_vit(folder: Path) -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8,
        num_labels=3,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ViTForImageClassification(config).save_pretrained(folder)
    facts = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(facts))
    return folder


def classifier(base: Path | str | None, n: int = 3) -> PictureClassifier:
    found = resolve(base, kind="image")
    return PictureClassifier.from_base(found, n_outputs=n, labels=(), size=0, variation=None, seed=0)


def backbones() -> dict[str, Any]:
    import timm
    from torchvision.models.vision_transformer import VisionTransformer

    plain = VisionTransformer(32, 8, 2, 2, 32, 48, num_classes=7)
    plain.heads = torch.nn.Identity()
    return {
        "timm": timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, img_size=32, patch_size=8),
        "torchvision": plain,
    }


@pytest.mark.parametrize("name", ["transformers", "timm", "torchvision"])
def test_adapters_learn_and_are_merged_without_a_trace(name: str, tmp_path: Path) -> None:
    """Every adapter gets a gradient, little else trains, and the merged network is a plain one that answers the same."""
    if name == "transformers":
        network: Any = classifier(tiny_vit(tmp_path / "vit"))
        body, size = network.backbone, network.preprocessing.size
    else:
        network, size = torch.nn.Module(), 32
        body = network.backbone = backbones()[name].eval()
    names = list(body.state_dict())
    pixels = torch.rand(2, 3, size, size)
    before = body(pixels)
    state = torch.get_rng_state()
    wrap(network)
    assert torch.equal(state, torch.get_rng_state()), "adapters begin with numbers of their own seed"
    adapters = {path: part for path, part in body.named_parameters() if part.requires_grad}
    assert adapters and all("lora_" in path for path in adapters)
    for _ in range(2):  # those that start at zero keep the others from a gradient in the first step
        body.zero_grad()
        body(pixels).square().mean().backward()
        with torch.no_grad():
            for part in adapters.values():
                part -= 0.5 * part.grad / (part.grad.norm() + 1e-12)
    idle = [path for path, part in adapters.items() if not part.grad.abs().sum() > 0]
    assert not idle, "these adapters learn nothing"
    learnt = body.eval()(pixels)
    assert not torch.allclose(learnt, before, atol=1e-3)
    merge(network)
    assert list(body.state_dict()) == names
    torch.testing.assert_close(body(pixels), learnt, atol=1e-4, rtol=1e-4)


def test_a_vit_is_fine_tuned_by_adapters_and_opens_again(tmp_path: Path) -> None:
    folder = write_part_folders(tmp_path / "parts", 12, seed=1, side=32)
    settings = {
        "training.adapter": "lora", "training.epochs": 2, "training.stop_after": "fine-tune", "training.race": 1,
        "training.precision": "fp32",
    }  # fmt: skip
    base = tiny_vit(tmp_path / "vit")
    result = honed.finetune(folder, base=base, out=tmp_path / "runs", settings=settings)
    rung = next(line for line in result.report.ladder if line.name == "fine-tune")
    assert rung.status == "done"
    assert any(choice.name == "training.adapter" and choice.value == "lora" for choice in result.report.choices)
    again = honed.Model.load(result.folder / "model")
    pictures = [str(path) for path in sorted(folder.rglob("*.jpg"))[:6]]
    np.testing.assert_array_equal(again.outputs(again.inputs(pictures)), result.model.outputs(again.inputs(pictures)))


def test_convolutions_have_no_adapters_and_say_so() -> None:
    network = classifier(None)
    with pytest.raises(RunError, match=r"R024.*convolutions"):
        make_it_fit(network, 8, 4, None, "lora")
    assert not make_it_fit(network, 8, 4, None, "auto").lora


def test_a_transformer_needs_memory_for_its_tokens(tmp_path: Path) -> None:
    network = classifier(tiny_vit(tmp_path / "vit"))
    length = 1
    per_token = 4 * 34 * 2 * 32 * 17
    assert network.activation_bytes(length) == max(per_token, length * 28 * 28 * 640)
    network.config = {**network.config, "num_hidden_layers": 24, "hidden_size": 1024}
    assert network.activation_bytes(length) == 4 * 34 * 24 * 1024 * 17
