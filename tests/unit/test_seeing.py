"""Folders and tables of pictures as data of a task, their medium, and how backbones read them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import honed
from honed.data.pictures import open_picture
from honed.data.read import read_table
from honed.data.roles import infer_roles
from honed.data.stream import open_batches
from honed.errors import DataError, ZooError
from honed.media.picture import Picture
from honed.media.picture_traits import NAMES, traits_of


def scene(seed: int = 0, height: int = 48, width: int = 64) -> Image.Image:
    """A picture with structure: soft spots of colour and one dark disc."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).copy()
    y, x = np.mgrid[0:height, 0:width]
    pixels[np.hypot(y - height * rng.uniform(0.3, 0.7), x - width * rng.uniform(0.3, 0.7)) < height / 6] = 20
    return Image.fromarray(pixels)


def saved(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def quarters(picture: Image.Image) -> np.ndarray[Any, Any]:
    """The mean colour of each quarter: enough to see which way up a picture is."""
    return np.asarray(picture.resize((2, 2), Image.Resampling.BOX), dtype=float)


def test_bytes_and_data_uris_are_pictures_too(tmp_path: Path) -> None:
    path = saved(scene(), tmp_path / "a.png")
    content = path.read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(content).decode()
    assert np.array_equal(open_picture(content), open_picture(path))
    assert np.array_equal(open_picture(uri), open_picture(path))


def folder_of(root: Path, n: int = 6) -> Path:
    """Two classes of pictures in two parts, and a file that is none."""
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            place = root / part / label
            place.mkdir(parents=True)
            for i in range(n):
                scene(hash((part, label, i)) % 1000).save(place / f"{i}.png")
    (root / "notes.txt").write_text("by hand")
    return root


def test_folders_are_tables(tmp_path: Path) -> None:
    table = read_table(folder_of(tmp_path / "pets"))
    assert table.names == ["image", "label", "part"] and table.n_rows == 24
    assert set(table.column("label")) == {"cat", "dog"} and set(table.column("part")) == {"train", "test"}
    assert [finding.code for finding in table.findings] == ["D078"]
    one = read_table(tmp_path / "pets" / "train")
    assert one.names == ["image", "label"] and one.n_rows == 12 and one.digest != table.digest
    alone = read_table(tmp_path / "pets" / "train" / "cat")
    assert alone.names == ["image", "width", "height"] and alone.n_rows == 6
    with pytest.raises(DataError, match="D001"):
        (tmp_path / "nothing").mkdir()
        read_table(tmp_path / "nothing")
    scene().save(tmp_path / "pets" / "train" / "stray.png")
    assert "D076" in {finding.code for finding in read_table(tmp_path / "pets" / "train").findings}


def test_parts_of_a_set_are_kept(tmp_path: Path) -> None:
    """Folders named train and test decide; what lacks is taken from the training pictures."""
    found = honed.inspect(folder_of(tmp_path / "pets", n=30))
    assert found.contact_sheet.startswith("data:image/jpeg;base64,") and "contact_sheet" not in found.as_dict()
    assert "60 for the final evaluation; the folders say which are for test" in found.split


def test_a_table_of_paths_leads_to_its_pictures(tmp_path: Path) -> None:
    """Relative paths, also as Windows writes them, are those beside the table."""
    (tmp_path / "photos").mkdir()
    rows = []
    for i in range(12):
        scene(i).save(tmp_path / "photos" / f"{i}.jpg")
        rows.append(f"photos\\{i}.jpg,{'ab'[i % 2]}" if i % 3 else f"photos/{i}.jpg,{'ab'[i % 2]}")
    (tmp_path / "list.csv").write_text("file,kind\n" + "\n".join(rows) + "\n")
    table = read_table(tmp_path / "list.csv")
    assert all(Path(path).is_file() for path in table.column("file"))
    with open_batches(tmp_path / "list.csv") as batches:
        assert [path for batch in batches for path in batch.column("file").to_pylist()] == table.column("file")
    (tmp_path / "photos").rename(tmp_path / "images")
    moved = read_table(tmp_path / "list.csv").column("file")
    with open_batches(tmp_path / "list.csv") as batches:
        assert [path for batch in batches for path in batch.column("file").to_pylist()] == moved
    assert len(moved) == 12 and all("images" in path for path in moved)
    roles = infer_roles(table, target="kind")
    assert roles.image == "file" and roles.inputs == ("file",) and roles.text == () and roles.medium == "image"
    found = honed.inspect(tmp_path / "list.csv", target="kind")
    assert found.task == "image-classification" and not found.blocked


def test_text_stays_text(tmp_path: Path) -> None:
    table = pa.table(
        {"text": ["see photo.jpg please", "the printer", "my login fails"] * 9, "team": ["a", "b", "c"] * 9}
    )
    assert infer_roles(read_table(table), target="team").medium == "text"
    rows = [f"my laptop number {i} does not start today,screen{i}.png,{'ab'[i % 2]}" for i in range(18)]
    (tmp_path / "tickets.csv").write_text("text,attachment,team\n" + "\n".join(rows) + "\n")
    roles = infer_roles(read_table(tmp_path / "tickets.csv"), target="team")
    assert roles.medium == "text" and roles.text == ("text",), "names of files that are not there are words"


def test_problems_of_a_folder_are_found(tmp_path: Path) -> None:
    """Planted: a copy with another label, one in both parts of the split at least nearly, a broken file, a tiny one."""
    for label in ("left", "right"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(40):
            scene(hash((label, i)) % 10_000, 64, 64).save(tmp_path / "set" / label / f"{i}.png")
    content = (tmp_path / "set" / "left" / "0.png").read_bytes()
    (tmp_path / "set" / "right" / "copy.png").write_bytes(content)
    (tmp_path / "set" / "left" / "again.png").write_bytes(content)
    (tmp_path / "set" / "left" / "broken.png").write_bytes(content[:300])
    scene(1, 12, 12).save(tmp_path / "set" / "left" / "tiny.png")
    found = honed.inspect(tmp_path / "set")
    told = {finding.code: finding for finding in found.findings if finding.level in ("issue", "tip")}
    assert {"D065", "D180", "D110", "D120"} <= set(told)
    assert told["D065"].n_rows == 1 and "broken.png" in told["D065"].examples[0]
    assert told["D110"].n_rows == 2 and told["D120"].n_rows == 3
    whole = honed.inspect(tmp_path / "set" / "left")
    assert whole.blocked, "one class alone cannot be told from another"


def test_traits_tell_what_changed() -> None:
    plain = dict(zip(NAMES, traits_of(_png(scene(2, 64, 64))), strict=True))
    dark = dict(zip(NAMES, traits_of(_png(scene(2, 64, 64).point(lambda value: value // 3))), strict=True))
    rng = np.random.default_rng(0)
    noisy_pixels = np.clip(np.asarray(scene(2, 64, 64), float) + rng.normal(0, 25, (64, 64, 3)), 0, 255).astype(
        np.uint8
    )
    noisy = dict(zip(NAMES, traits_of(_png(Image.fromarray(noisy_pixels))), strict=True))
    assert dark["brightness"] < 0.5 * plain["brightness"] and noisy["graininess"] > 3 * plain["graininess"]
    assert np.isnan(traits_of(b"nothing")).all()


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def test_edits_and_pieces_keep_the_picture() -> None:
    """Every edit gives a picture of the same size that is near the old one; every piece hides one part of it."""
    medium, source = Picture(), _png(scene(4, 60, 60))
    before = open_picture(source).astype(float)
    for edit in medium.edits():
        after = open_picture(edit.apply(source, np.random.default_rng(0))).astype(float)
        assert after.shape == before.shape and 0 < np.abs(after - before).mean() < 80, edit.name
    pieces = medium.pieces((source,))
    hidden = sum((open_picture(row[0]).astype(float) != before).any(axis=2).astype(int) for _, row in pieces)
    assert len(pieces) == 36 and hidden.max() == 1 and hidden.mean() > 0.9
    assert medium.picture((source,), [1.0] * 36).startswith("data:image/jpeg;base64,")


def test_variations_come_from_their_generator() -> None:
    """The same generator gives the same pictures; each is changed in its own way; mirroring can be switched off."""
    import torch

    from honed.networks.pictures.variation import STRENGTHS, Variation, varied

    pixels = torch.from_numpy(np.stack([np.asarray(scene(i, 32, 32)).transpose(2, 0, 1) for i in range(8)]))
    assert STRENGTHS["none"] is None
    for how in (STRENGTHS["light"], STRENGTHS["strong"]):
        assert how is not None
        first, again = (varied(pixels, how, np.random.default_rng(3)) for _ in range(2))
        other = varied(pixels, how, np.random.default_rng(4))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert first.shape == pixels.shape and first.min() >= 0 and first.max() <= 255
    still = Variation(mirror=False, scale=0.0, shift=0.0, turn=0.0, light=0.0, cover=0.0)
    torch.testing.assert_close(varied(pixels, still, np.random.default_rng(0)), pixels.float(), atol=0.01, rtol=0)
    mirrored = varied(pixels, Variation(True, 0.0, 0.0, 0.0, 0.0, 0.0), np.random.default_rng(0))
    kept = [(mirrored[i] - pixels[i]).abs().max() < 1 for i in range(8)]
    turned = [(mirrored[i] - pixels[i].flip(-1)).abs().max() < 1 for i in range(8)]
    assert any(kept) and any(turned) and all(a or b for a, b in zip(kept, turned, strict=True))


def test_backbones_of_three_libraries(tmp_path: Path) -> None:
    """A tiny random model of each, saved as its library saves it, gives the library's own features."""
    import timm
    import torch
    from safetensors.torch import save_file
    from torchvision import models
    from transformers import AutoModel, AutoModelForImageClassification, ResNetConfig, ViTConfig

    from honed.networks.pictures.backbones import load_backbone
    from honed.zoo.pictures import picture_base

    pixels = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    vit = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16
    )
    resnet = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    AutoModel.from_config(vit).save_pretrained(tmp_path / "vit")
    AutoModelForImageClassification.from_config(resnet).eval().save_pretrained(tmp_path / "resnet")
    small = timm.create_model("resnet10t", num_classes=4).eval()
    (tmp_path / "timm").mkdir()
    save_file(small.state_dict(), tmp_path / "timm" / "model.safetensors")
    facts = {"architecture": "resnet10t", "num_classes": 4, "pretrained_cfg": {"input_size": [3, 64, 64], "mean": [0.4] * 3,
             "std": [0.3] * 3, "crop_pct": 0.9, "label_names": ["a", "b", "c", "d"]}}  # fmt: skip
    (tmp_path / "timm" / "config.json").write_text(json.dumps(facts))
    squeeze = models.shufflenet_v2_x0_5(weights=None).eval()
    (tmp_path / "vision").mkdir()
    save_file(squeeze.state_dict(), tmp_path / "vision" / "model.safetensors")
    (tmp_path / "vision" / "config.json").write_text(
        '{"model_type": "torchvision", "architecture": "shufflenet_v2_x0_5"}'
    )
    wanted = {
        "vit": AutoModel.from_pretrained(tmp_path / "vit", add_pooling_layer=False)
        .eval()(pixels)
        .last_hidden_state[:, 0],
        "resnet": AutoModel.from_pretrained(tmp_path / "resnet").eval()(pixels).pooler_output.flatten(1),
        "timm": small.forward_head(small.forward_features(pixels), pre_logits=True),
        "vision": squeeze.conv5(
            squeeze.stage4(squeeze.stage3(squeeze.stage2(squeeze.maxpool(squeeze.conv1(pixels)))))
        ).mean([2, 3]),
    }
    for name, features in wanted.items():
        base = picture_base(tmp_path / name)
        backbone = load_backbone(base.folder)
        with torch.inference_mode():
            found = backbone.module(pixels)
        assert found.shape == (2, backbone.n_features) and base.n_parameters > 100
        torch.testing.assert_close(found, features, atol=1e-5, rtol=1e-4)
    timms = load_backbone(tmp_path / "timm")
    assert (
        timms.labels == ("a", "b", "c", "d") and timms.head is not None and timms.preprocessing.mean == (0.4, 0.4, 0.4)
    )
    assert load_backbone(tmp_path / "resnet").head is not None
    weights = {name: value for name, value in small.state_dict().items() if not name.startswith("layer2")}
    save_file(weights, tmp_path / "timm" / "model.safetensors")
    with pytest.raises(ZooError, match="Z016"):
        load_backbone(tmp_path / "timm")
    (tmp_path / "vit" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ZooError, match="Z014"):
        picture_base(tmp_path / "vit")


def test_a_legacy_checkpoint_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from honed.networks.pictures.backbones import load_backbone
    from honed.networks.pictures.cifar_resnet import CifarResNet
    from honed.zoo.resolve import resolve

    monkeypatch.setenv("HONED_HOME", str(tmp_path / "cache"))
    torch.manual_seed(0)
    network = CifarResNet(14).eval()
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    weights |= {"module.linear.weight": torch.randn(10, 64), "module.linear.bias": torch.randn(10)}
    torch.save({"state_dict": weights, "best_prec1": 91.0}, tmp_path / "small.th")
    base = resolve(tmp_path / "small.th", kind="image")
    backbone = load_backbone(base.folder)
    assert base.architecture == "honed-cifar-resnet" and backbone.config["depth"] == 14 and backbone.labels[3] == "cat"
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.module(pixels), network(pixels))
    (tmp_path / "small.th").touch()
    assert resolve(tmp_path / "small.th", kind="image").folder == base.folder, "the pickle is not read again"
    torch.save({"strange": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ZooError, match="Z032"):
        resolve(tmp_path / "other.pth", kind="image")
    with pytest.raises(ZooError, match="Z014"):
        resolve(tmp_path / "small.th")
