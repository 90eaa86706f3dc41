"""Pictures as users have them, folders of them, copies among them, and how a backbone reads them."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import honed
from honed.checks.picture_likeness import clusters_of, fingerprints, nearly_known
from honed.checks.pictures import content_codes
from honed.data.pictures import MOST_PIXELS, open_picture, picture_facts
from honed.data.read import read_table
from honed.data.roles import infer_roles
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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pictures_are_set_upright(tmp_path: Path, orientation: int) -> None:
    upright = scene()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a camera of this orientation stored
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(stored, tmp_path / "turned.png", exif=exif)
    found = open_picture(path)
    assert found.shape == (48, 64, 3)
    np.testing.assert_allclose(quarters(Image.fromarray(found)), quarters(upright), atol=1)
    facts = picture_facts(path)
    assert (facts.height, facts.width, facts.turned) == (48, 64, orientation != 1)


def test_modes_become_rgb(tmp_path: Path) -> None:
    grey = scene().convert("L")
    expected = np.asarray(grey.convert("RGB"))
    assert np.array_equal(open_picture(saved(grey, tmp_path / "grey.png")), expected)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert np.abs(open_picture(saved(deep, tmp_path / "deep.png")).astype(int) - expected).max() <= 1
    camera = Image.fromarray(np.asarray(grey).astype(np.uint16) * 16)  # 12 of 16 bits
    assert np.abs(open_picture(saved(camera, tmp_path / "camera.tif")).astype(int) - expected).max() <= 1
    cmyk = open_picture(saved(scene().convert("CMYK"), tmp_path / "print.jpg", quality=95))
    assert np.abs(cmyk.astype(int) - np.asarray(scene()).astype(int)).mean() < 12
    glass = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    assert (open_picture(saved(glass, tmp_path / "glass.png")) == 255).all(), "what is transparent is white"
    palette = scene().quantize(8)
    assert open_picture(saved(palette, tmp_path / "palette.gif")).shape == (48, 64, 3)
    moving = saved(scene(), tmp_path / "moving.gif", save_all=True, append_images=[scene(1)])
    assert open_picture(moving).shape == (48, 64, 3)
    assert open_picture(saved(Image.new("1", (1, 1), 1), tmp_path / "dot.png")).tolist() == [[[255, 255, 255]]]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a huge size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_bad_pictures_are_told(tmp_path: Path) -> None:
    whole = io.BytesIO()
    scene().save(whole, "JPEG")
    (tmp_path / "short.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (tmp_path / "words.jpg").write_text("no picture at all")
    (tmp_path / "empty.png").write_bytes(b"")
    for name, code, word in (("short.jpg", "D061", "short"), ("words.jpg", "D061", "no picture"), ("empty.png", "D061", "no"),
                             ("gone.jpg", "D060", "no picture")):  # fmt: skip
        with pytest.raises(DataError, match=code) as caught:
            open_picture(tmp_path / name)
        assert word in caught.value.seen and name in caught.value.seen
    assert MOST_PIXELS < 20_000 * 20_000
    for side in (20_000, 200_000):
        with pytest.raises(DataError, match="D062"):
            open_picture(bomb(side, side))
    with pytest.raises(DataError, match="D061"):
        open_picture("data:image/png;base64,%%%")


def test_bytes_and_data_uris_are_pictures_too(tmp_path: Path) -> None:
    path = saved(scene(), tmp_path / "a.png")
    content = path.read_bytes()
    uri = "data:image/png;base64," + base64.b64encode(content).decode()
    assert np.array_equal(open_picture(content), open_picture(path))
    assert np.array_equal(open_picture(uri), open_picture(path))


def test_a_large_jpeg_is_decoded_smaller_where_that_will_do(tmp_path: Path) -> None:
    path = saved(scene(height=800, width=1200), tmp_path / "large.jpg")
    found = open_picture(path, at_least=(100, 100))
    assert found.shape[0] < 400 and min(found.shape[:2]) >= 100
    np.testing.assert_allclose(quarters(Image.fromarray(found)), quarters(scene(height=800, width=1200)), atol=3)


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
    assert [finding.code for finding in table.findings] == ["D065"] and "notes.txt" in table.findings[0].message
    one = read_table(tmp_path / "pets" / "train")
    assert one.names == ["image", "label"] and one.n_rows == 12 and one.digest != table.digest
    alone = read_table(tmp_path / "pets" / "train" / "cat")
    assert alone.names == ["image"] and alone.n_rows == 6
    with pytest.raises(DataError, match="D001"):
        (tmp_path / "nothing").mkdir()
        read_table(tmp_path / "nothing")
    scene().save(tmp_path / "pets" / "train" / "stray.png")
    with pytest.raises(DataError, match=r"D063.*stray"):
        read_table(tmp_path / "pets" / "train")


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
    roles = infer_roles(table, target="kind")
    assert roles.image == "file" and roles.inputs == ("file",) and roles.text == () and roles.medium == "image"
    found = honed.inspect(tmp_path / "list.csv", target="kind")
    assert found.task == "image-classification" and not found.blocked


def test_text_stays_text(tmp_path: Path) -> None:
    table = pa.table(
        {"text": ["see photo.jpg please", "the printer", "my login fails"] * 9, "team": ["a", "b", "c"] * 9}
    )
    assert infer_roles(read_table(table), target="team").medium == "text"


def test_copies_find_each_other() -> None:
    """Encoded again, resized and brighter is nearly the same; another scene, or its mirror image, is not."""
    pictures = [scene(seed, 96, 128) for seed in range(40)]
    copies = [
        pictures[3].resize((64, 48)), pictures[5].point(lambda value: min(255, value + 12)), pictures[7],
    ]  # fmt: skip

    def png(picture: Image.Image, **options: Any) -> bytes:
        stream = io.BytesIO()
        picture.save(stream, options.pop("kind", "PNG"), **options)
        return stream.getvalue()

    sources = [png(p) for p in pictures] + [png(copies[0]), png(copies[1]), png(copies[2], kind="JPEG", quality=60)]
    prints = fingerprints(sources)
    clusters = clusters_of(prints, content_codes(sources))
    for copy, original in ((40, 3), (41, 5), (42, 7)):
        assert clusters[copy] == clusters[original] >= 0
    alone = [row for row in range(40) if row not in (3, 5, 7)]
    assert (clusters[alone] == -1).all()
    assert nearly_known(prints[40:], prints[:40]).all() and not nearly_known(prints[:3], prints[10:40]).any()
    flat = [png(Image.new("RGB", (40, 40), (9, 9, 9))), png(Image.new("RGB", (40, 40), (99, 9, 9)))] * 2
    assert clusters_of(fingerprints(flat), content_codes(flat)).tolist() == [0, 1, 0, 1], "plain ones only if equal"


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
    assert {"D066", "D067", "D110", "D120"} <= set(told)
    assert told["D066"].n_rows == 1 and "broken.png" in told["D066"].examples[0]
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
